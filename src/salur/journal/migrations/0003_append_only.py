"""Events and seals are only ever added; an event is marked with its seal once. The database refuses the rest.

On SQLite a later migration that changes a column of these tables makes them anew, without their triggers: it must end
with the operation of this one. tests/journal/test_append_only.py tells if that was forgotten.
"""

from collections.abc import Iterator

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

TABLES = ("journal_event", "journal_seal")
KEPT = ("id", "at", "actor", "subject_ref", "kind", '"case"', "detail", "salt")
MARKED = " AND ".join(
    [
        "OLD.sealed_in IS NULL",
        "NEW.sealed_in IS NOT NULL",
        *(f"NEW.{column} = OLD.{column}" for column in KEPT),
    ]
)
# Which updates are refused: for an event every one but its mark.
REFUSED = {"journal_event": f"WHEN (NOT ({MARKED}))", "journal_seal": ""}


def _postgresql(table: str) -> Iterator[str]:
    yield f"""
        CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table}
        FOR EACH ROW {REFUSED[table]} EXECUTE FUNCTION journal_append_only()
    """
    yield f"""
        CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION journal_append_only()
    """
    yield f"""
        CREATE TRIGGER {table}_never_emptied BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION journal_append_only()
    """


def _sqlite(table: str) -> Iterator[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, 'a row of {table} is never changed or deleted'); END"
    key = "id" if table == "journal_event" else "number"
    yield f"CREATE TRIGGER {table}_never_changed BEFORE UPDATE ON {table} {REFUSED[table]} {refuse}"
    yield f"CREATE TRIGGER {table}_never_deleted BEFORE DELETE ON {table} {refuse}"
    # INSERT OR REPLACE deletes the old row without asking the trigger of deletions.
    yield f"""
        CREATE TRIGGER {table}_never_replaced BEFORE INSERT ON {table}
        WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) {refuse}
    """


def protect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    if postgresql:
        schema_editor.execute(
            """
            CREATE FUNCTION journal_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'a row of % is never changed or deleted', TG_TABLE_NAME
                    USING ERRCODE = 'integrity_constraint_violation';
            END $$
        """,
            params=None,
        )
    for table in TABLES:
        for statement in (_postgresql if postgresql else _sqlite)(table):
            schema_editor.execute(statement, params=None)


def unprotect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    for table in TABLES:
        for name in ("never_changed", "never_deleted", "never_emptied" if postgresql else "never_replaced"):
            on = f" ON {table}" if postgresql else ""
            schema_editor.execute(f"DROP TRIGGER {table}_{name}{on}")
    if postgresql:
        schema_editor.execute("DROP FUNCTION journal_append_only()")


class Migration(migrations.Migration):
    dependencies = [("journal", "0002_seals_jobs_holds")]
    operations = [migrations.RunPython(protect, unprotect, elidable=False)]
