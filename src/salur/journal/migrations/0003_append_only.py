"""Events and seals are only ever added; an event is marked with its seal once. The database refuses the rest.

On SQLite a later migration that changes a column of these tables makes them anew, without their triggers: it must end
with the operation of this one. tests/journal/test_append_only.py tells if that was forgotten.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from salur.journal.constraints import ANY_CHANGE, keep, release

KEPT = ("id", "at", "actor", "subject_ref", "kind", '"case"', "detail", "salt")
MARKED = " AND ".join(
    [
        "OLD.sealed_in IS NULL",
        "NEW.sealed_in IS NOT NULL",
        *(f"NEW.{column} = OLD.{column}" for column in KEPT),
    ]
)
TABLES = {"journal_event": (f"NOT ({MARKED})", "id"), "journal_seal": (ANY_CHANGE, "number")}


def protect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for table, (refused, key) in TABLES.items():
        message = f"a row of {table} is never changed or deleted"
        keep(schema_editor, table, message, refused_update=refused, key=key)


def unprotect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for table in TABLES:
        release(schema_editor, table)


class Migration(migrations.Migration):
    dependencies = [("journal", "0002_seals_jobs_holds")]
    operations = [migrations.RunPython(protect, unprotect, elidable=False)]
