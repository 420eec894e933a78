"""A database as it is, asked without Salur: the rows of every table, and all that makes its shape."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Ask = Callable[[str], list[tuple[Any, ...]]]
Rows = dict[str, list[dict[str, Any]]]

SHAPE_OF_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
SHAPE_OF_POSTGRES = """
    SELECT 'column', table_name, column_name, concat_ws(' ', data_type, character_maximum_length, numeric_precision,
        is_nullable, column_default, is_identity, collation_name)
        FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, concat(tgenabled, pg_get_triggerdef(oid))
        FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', '', proname, pg_get_functiondef(p.oid) FROM pg_proc p
        WHERE pronamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    UNION ALL SELECT 'policy', tablename, policyname, concat_ws(' ', permissive, roles, cmd, qual, with_check)
        FROM pg_policies
    UNION ALL SELECT 'table', relname, relkind::text, concat_ws(' ', relrowsecurity, relforcerowsecurity)
        FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')
    UNION ALL SELECT 'extension', '', extname, '' FROM pg_extension
"""


@contextmanager
def asked(url: str) -> Iterator[Ask]:
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        import psycopg

        connection = psycopg.connect(url)
    try:
        yield lambda statement: connection.execute(statement).fetchall()
    finally:
        connection.close()


def shape(url: str) -> set[tuple[str, ...]]:
    """Tables, columns, constraints, indexes, triggers with their functions, row-level security."""
    with asked(url) as ask:
        if url.startswith("sqlite"):
            return set(ask(SHAPE_OF_SQLITE))
        # PostgreSQL writes a condition with other casts and brackets once it has been through a dump.
        return {(*names, re.sub(r"::(character varying|text)(\[\])?|[()]", "", text))
                for *names, text in ask(SHAPE_OF_POSTGRES)}  # fmt: skip


def rows(url: str) -> Rows:
    """Every row of every table by column."""
    with asked(url) as ask:
        if url.startswith("sqlite"):
            names = ask("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
            return {
                name: _rows(ask, name, [row[1] for row in ask(f"PRAGMA table_info({name})")])
                for (name,) in names
            }
        columns: dict[str, list[str]] = {}
        for table, column in ask(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
        ):
            columns.setdefault(table, []).append(column)
        return {table: _rows(ask, table, names) for table, names in columns.items()}


def _rows(ask: Ask, table: str, columns: list[str]) -> list[dict[str, Any]]:
    chosen = ", ".join(f'"{column}"' for column in columns)
    return [dict(zip(columns, row, strict=True)) for row in ask(f"SELECT {chosen} FROM {table}")]
