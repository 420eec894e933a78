"""Rows by region as a second wall: row-level security of PostgreSQL. On SQLite every function here does nothing.

The first wall is the policy in Python; this one holds when a query forgets to ask it. A protected table (migration
operation `protect`) shows and takes only rows whose column `region` lies in the regions of the connection's setting
`salur.regions`:

| setting | rows |
|---|---|
| `*` | all: our own programs (command line, worker, tests) |
| `35.10,36` | those regions and all below them: the same rule as `policy.Granted.covers` |
| empty or never set | none: what a request of the web starts with |

In a request the regions are opened by the page's entry in `access.toml` (`access.middleware`), or for a while by
`limited_to`. A province needs no list of its regencies: the first parts of a code name what it lies in, also
for codes that are retired. The setting is read once a query (a sub-select), not once a row.

A family that reads its own rows has no regions. `fetch_of_family` runs one statement with the setting `salur.family`;
tables say in `protect` which of their rows it may read.

PostgreSQL does not apply this to superusers and roles with BYPASSRLS (`bypassed`), and takes no `COPY … FROM` into a
protected table from anybody else: copy into a temporary table and insert from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import OperationalError, connection, connections, migrations, transaction

from salur.access import policy

ALL, NONE = "*", ""
_in_request: ContextVar[bool] = ContextVar("salur_in_request", default=False)
_POLICY, _READS = "in_salur_regions", "salur_reads"
_HELD = "(SELECT current_setting('salur.regions', true))"
_HELD_LIST = "(SELECT string_to_array(current_setting('salur.regions', true), ','))::text[]"
_PROVINCE = "split_part(region, '.', 1)"
_REGENCY = f"{_PROVINCE} || '.' || split_part(region, '.', 2)"
EVERYWHERE = f"{_HELD} = '{ALL}'"  # parts of rules, in SQL
IN_REGIONS = f"{EVERYWHERE} OR {_REGENCY} = ANY ({_HELD_LIST}) OR {_PROVINCE} = ANY ({_HELD_LIST})"
FAMILY = "(SELECT nullif(current_setting('salur.family', true), '')::bigint)"


def protect(table: str, rule: str = IN_REGIONS, *, reads: str = "") -> migrations.RunPython:
    """A migration operation: row-level security on a table, for its owner too.

    `rule`: which rows are seen and taken, by the text column `region` unless said otherwise; `reads`: which are seen
    besides. A rule that asks for rows of another protected table sees those that are seen there.
    """

    def forward(_apps: Any, editor: Any) -> None:
        if editor.connection.vendor == "postgresql":
            name = editor.quote_name(table)
            editor.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
            editor.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
            editor.execute(f"CREATE POLICY {_POLICY} ON {name} USING ({rule}) WITH CHECK ({rule})")
            if reads:
                editor.execute(f"CREATE POLICY {_READS} ON {name} FOR SELECT USING ({reads})")

    def backward(_apps: Any, editor: Any) -> None:
        if editor.connection.vendor == "postgresql":
            name = editor.quote_name(table)
            editor.execute(f"DROP POLICY {_POLICY} ON {name}")
            editor.execute(f"DROP POLICY IF EXISTS {_READS} ON {name}")
            editor.execute(f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY")
            editor.execute(f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY")

    return migrations.RunPython(forward, backward)


@contextmanager
def limited_to(actor: policy.Actor, action: str, subject: str = "") -> Iterator[None]:
    """Within a transaction, the rows are those of the regions in which the actor may do this."""
    with _while(_text(policy.regions(actor, action, subject))):
        yield


@contextmanager
def everywhere() -> Iterator[None]:
    """Within a transaction, all rows: for counts that name nobody, for what may miss nothing (a decree), and for a
    look-up by a secret. Around the one query, never around a page."""
    with _while(ALL):
        yield


@contextmanager
def _while(regions: str) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    nested = connection.in_atomic_block
    with transaction.atomic():
        before = _set(regions, local=True)
        yield
        if nested:  # otherwise the end of the transaction does it; a failure is undone with its savepoint
            _set(before, local=True)


def fetch_of_family(family_id: int, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What one query finds where the rows of one family are seen as well. One round trip on either database.

    Past Django's cursor, which costs more than the query, and without its question whether the connection still
    stands, which is one more round trip.
    """
    database: Any = connections["default"]  # the proxy asks for it at each use
    if database.vendor == "sqlite":
        database.ensure_connection()
        with database.wrap_database_errors:
            return database.connection.execute(query.replace("%s", "?"), parameters).fetchall()  # type: ignore[no-any-return]
    try:
        return _of_family(database, family_id, query, parameters)
    except OperationalError:
        if database.in_atomic_block or not database.connection.closed:
            raise
        database.close()  # the connection was lost: a read is asked again on a new one
        return _of_family(database, family_id, query, parameters)


def _of_family(database: Any, family_id: int, query: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    from salur.access import prepared

    asked = [prepared.Statement(_SET_FAMILY, [family_id]), prepared.Statement(query, parameters)]
    if database.in_atomic_block:  # otherwise it ends with these statements
        asked.append(prepared.Statement(_SET_FAMILY, [NONE]))
    database.ensure_connection()
    with database.wrap_database_errors:
        return prepared.fetch(database.connection, asked, wanted=1)


_SET_FAMILY = "SELECT set_config('salur.family', %s, true)"


@contextmanager
def closed_request() -> Iterator[None]:
    """A request of the web: no rows until they are opened. Asks the database nothing if it is closed already."""
    database: Any = connections["default"]  # the proxy asks for it at each use
    if database.vendor != "postgresql":
        yield
        return
    token = _in_request.set(True)
    before = _of_connection(database)
    try:
        _of_session(database, NONE)
        yield
        _of_session(database, NONE if before is None else before)
    finally:
        _in_request.reset(token)


def open_for_request(regions: Iterable[str] | None) -> None:
    """Until the end of the request the rows are those of these regions; None: all."""
    if connection.vendor == "postgresql":
        connection.ensure_connection()
        _of_session(connections["default"], _text(regions))


def when_connected(**signal: Any) -> None:
    """A new connection shows all rows to our own programs and none to a request of the web."""
    new = signal["connection"]
    if new.vendor == "postgresql" and new.alias == "default":
        new.salur_regions = NONE
        if not _in_request.get():
            _of_session(new, ALL)


def bypassed() -> bool:
    """Whether PostgreSQL ignores this wall for the role that we are connected as."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        row = cursor.fetchone()
    return bool(row and row[0])


def _text(regions: Iterable[str] | None) -> str:
    return ALL if regions is None else ",".join(regions)


def _of_connection(database: Any) -> str | None:
    """What the session of the connection shows now; None if there is no connection."""
    return None if database.connection is None else getattr(database, "salur_regions", NONE)


def _of_session(database: Any, regions: str) -> None:
    before = _of_connection(database)
    if before is not None and before != regions:
        _set(regions, local=False)
        database.salur_regions = regions


def _set(regions: str, *, local: bool) -> str:
    """Set the regions for the transaction or the session; returns what they were."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('salur.regions', true), set_config('salur.regions', %s, %s)",
            [regions, local],
        )
        row = cursor.fetchone()
    return (row and row[0]) or NONE
