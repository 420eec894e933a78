"""Statements in one round trip give what one after the other gives, and leave the connection whole or closed."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salur.access.prepared import Statement, fetch

ONE = Statement("SELECT 1", [])
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TYPES = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "text": TEXT,
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "timestamptz": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    "boolean": st.booleans(),
}
values = st.lists(
    st.sampled_from([*TYPES]).flatmap(lambda kind: st.tuples(st.just(kind), st.none() | TYPES[kind])),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def connected(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values)
def test_it_gives_what_a_cursor_gives(
    connected: psycopg.Connection[Any], drawn: list[tuple[str, Any]]
) -> None:
    text = "SELECT " + ", ".join(f"%s::{kind}, %s::{kind} IS NULL" for kind, _ in drawn)
    given_ = [value for _, value in drawn for _ in range(2)]
    assert (
        fetch(connected, [ONE, Statement(text, given_), ONE], wanted=1)
        == connected.execute(text, given_).fetchall()
    )  # type: ignore[arg-type]


def test_all_of_them_are_one_transaction(connected: psycopg.Connection[Any]) -> None:
    fetch(connected, [Statement("CREATE TEMPORARY TABLE kept (n int)", [])], wanted=0)
    add = Statement("INSERT INTO kept VALUES (%s) RETURNING n", [7])
    assert fetch(connected, [add, add], wanted=1) == [(7,)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        fetch(connected, [add, Statement("SELECT 1 / %s::int", [0]), ONE], wanted=2)
    assert fetch(connected, [Statement("SELECT count(*) FROM kept", [])], wanted=0) == [(2,)]


def test_what_cannot_be_read_is_told_and_the_connection_goes_on(connected: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        fetch(connected, [ONE, Statement("SELECT * FROM nowhere", [])], wanted=1)
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        fetch(connected, [Statement("SELECT %s::int", ["many"]), ONE], wanted=1)
    with connected.transaction(), pytest.raises(psycopg.errors.DivisionByZero), connected.transaction():
        fetch(connected, [Statement("SELECT 1 / %s::int", [0])], wanted=0)
    assert fetch(connected, [ONE], wanted=0) == [(1,)]


def test_much_is_sent_and_much_comes_back(connected: psycopg.Connection[Any]) -> None:
    long = "x" * 30_000_000
    found = fetch(
        connected,
        [Statement("SELECT length(%s::text)", [long]), Statement("SELECT %s::text", [long])],
        wanted=1,
    )
    assert found == [(long,)]


def test_other_threads_go_on_while_one_waits(connected: psycopg.Connection[Any]) -> None:
    turns = [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            turns[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        fetch(connected, [Statement("SELECT pg_sleep(0.5)", [])], wanted=0)
    finally:
        done.set()
        thread.join()
    assert turns[0] > 5


def test_a_connection_lost_in_the_middle_is_closed(
    connected: psycopg.Connection[Any], postgres_url: str
) -> None:
    def end() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            while not other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(60)%%' "
                "AND pid <> pg_backend_pid() AND state = 'active'"
            ).fetchall():
                time.sleep(0.01)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(psycopg.OperationalError):
        fetch(connected, [ONE, Statement("SELECT pg_sleep(60)", []), ONE], wanted=1)
    thread.join()
    assert connected.closed


def test_one_that_was_interrupted_is_closed(
    connected: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would otherwise be read as the answer to what is asked next."""
    fetch(connected, [ONE], wanted=0)
    line = vars(connected)["salur_line"]

    class Interrupted:
        def poll(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(line, "ready", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        fetch(connected, [Statement("SELECT 2 FROM pg_sleep(0.2)", [])], wanted=0)
    assert connected.closed


def test_nothing_keeps_a_connection_that_nobody_uses(postgres_url: str) -> None:
    connection = psycopg.connect(postgres_url, autocommit=True)
    fetch(connection, [ONE], wanted=0)
    connection.close()
    gone = weakref.ref(connection)
    del connection
    gc.collect()
    assert gone() is None
