"""A closed case never changes, no case changes what it is about, and history is only added. The database refuses the rest.

On SQLite a later migration that changes a column of these tables makes them anew, without their triggers: it must end
with the operation of this one. tests/cases/test_constraints.py tells if that was forgotten.
"""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CASE, NOTE = "cases_case", "cases_note"
FIXED = ("id", "kind", "subject", "region", "opened_at", "opened_by", "follows_id")
REASONS = {
    CASE: "a closed case never changes, and no case changes what it is about",
    NOTE: "the history of a case is never changed or deleted",
}


def _refused_update(table: str, differs: str) -> str:
    if table == NOTE:
        return "TRUE"
    changed = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in FIXED)
    return f"OLD.closed_at IS NOT NULL OR {changed}"


def _postgresql(table: str) -> list[str]:
    return [
        f"""
        CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '{REASONS[table]}' USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """,
        f"""
        CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} FOR EACH ROW
        WHEN ({_refused_update(table, "IS DISTINCT FROM")}) EXECUTE FUNCTION {table}_kept()
        """,
        f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_kept()",
        f"CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()",
    ]


def _sqlite(table: str) -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REASONS[table]}'); END"
    return [
        f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} "
        f"WHEN ({_refused_update(table, 'IS NOT')}) {refuse}",
        f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} {refuse}",
        # INSERT OR REPLACE deletes the old row without asking the trigger of deletions.
        f"CREATE TRIGGER {table}_never_replaced BEFORE INSERT ON {table} "
        f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) {refuse}",
    ]


def protect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    make = _postgresql if schema_editor.connection.vendor == "postgresql" else _sqlite
    for table in (CASE, NOTE):
        for statement in make(table):
            schema_editor.execute(statement, params=None)


def unprotect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    for table in (CASE, NOTE):
        for name in ("never_changed", "never_deleted", "never_emptied" if postgresql else "never_replaced"):
            schema_editor.execute(f"DROP TRIGGER {table}_{name}{f' ON {table}' if postgresql else ''}")
        if postgresql:
            schema_editor.execute(f"DROP FUNCTION {table}_kept()")


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]

    operations = [migrations.RunPython(protect, unprotect)]
