"""What the database holds beyond Django's constraints, for every room: rows that are kept, refusals as sentences.

`keep` makes the triggers of a table whose rows are never removed and changed only as far as is said. SQLite drops them
when a later migration makes the table anew: such a migration ends with the operation that made them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from salur.core.faults import InputError

ANY_CHANGE = "TRUE"


@contextmanager
def refusing(template: str, **values: object) -> Iterator[None]:
    """What the database refuses, in a sentence. The database's own words may hold what stands in the row."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        raise InputError.of(template, **values) from None


def keep(
    editor: BaseDatabaseSchemaEditor,
    table: str,
    message: str,
    *,
    refused_update: str | None = ANY_CHANGE,
    key: str = "id",
) -> None:
    """Refuse to delete, replace or empty rows of a table, and updates for which a condition on OLD and NEW holds.

    `refused_update` None: another trigger judges updates. `key` is the primary key.
    """
    make = _postgresql if _is_postgresql(editor) else _sqlite
    for statement in make(table, message, refused_update, key):
        editor.execute(statement, params=None)


def release(editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Drop what `keep` made, where it is."""
    if _is_postgresql(editor):
        editor.execute(f"DROP FUNCTION IF EXISTS {table}_kept() CASCADE")
    else:
        for act in ("changed", "deleted", "replaced"):
            editor.execute(f"DROP TRIGGER IF EXISTS {table}_never_{act}")


def _is_postgresql(editor: BaseDatabaseSchemaEditor) -> bool:
    return editor.connection.vendor == "postgresql"


def _postgresql(table: str, message: str, refused_update: str | None, _key: str) -> Iterator[str]:
    yield f"""
        CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation';
        END $$
    """
    acts = {
        "changed BEFORE UPDATE": refused_update and f"FOR EACH ROW WHEN ({refused_update})",
        "deleted BEFORE DELETE": "FOR EACH ROW",
        "emptied BEFORE TRUNCATE": "FOR EACH STATEMENT",
    }
    for act, rows in acts.items():
        if rows is not None:
            yield f"CREATE TRIGGER {table}_never_{act} ON {table} {rows} EXECUTE FUNCTION {table}_kept()"


def _sqlite(table: str, message: str, refused_update: str | None, key: str) -> Iterator[str]:
    acts = {
        "changed BEFORE UPDATE": refused_update,
        "deleted BEFORE DELETE": "TRUE",
        # INSERT OR REPLACE deletes the old row without asking the trigger of deletions.
        "replaced BEFORE INSERT": f"EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})",
    }
    for act, refused in acts.items():
        if refused is not None:
            yield (
                f"CREATE TRIGGER {table}_never_{act} ON {table} WHEN ({refused}) "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
