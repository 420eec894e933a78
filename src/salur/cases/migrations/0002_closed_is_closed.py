"""A closed case never changes, no case changes what it is about, and history is only added. The database refuses the rest.

On SQLite a later migration that changes a column of these tables makes them anew, without their triggers: it must end
with the operation of this one. tests/cases/test_constraints.py tells if that was forgotten.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from salur.journal.constraints import keep, release

FIXED = ("id", "kind", "subject", "region", "opened_at", "opened_by", "follows_id")


def protect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    differs = "IS DISTINCT FROM" if schema_editor.connection.vendor == "postgresql" else "IS NOT"
    changed = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in FIXED)
    keep(
        schema_editor,
        "cases_case",
        "a closed case never changes, and no case changes what it is about",
        refused_update=f"OLD.closed_at IS NOT NULL OR {changed}",
    )
    keep(schema_editor, "cases_note", "the history of a case is never changed or deleted")


def unprotect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for table in ("cases_case", "cases_note"):
        release(schema_editor, table)


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial"), ("journal", "0001_initial")]

    operations = [migrations.RunPython(protect, unprotect)]
