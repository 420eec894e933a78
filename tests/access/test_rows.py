"""The second wall: PostgreSQL shows the same rows as the policy in Python, and none before a request is let in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import postgres

from salur.access import policy, rows
from salur.access.policy import SYSTEM, Actor, Granted, Opened

ACTION = "access.read_log"
ROLES = ["reviewer", "people_clerk", "operator"]  # the last may not read
CODES = [
    "",
    "35",
    "36",
    "35.10",
    "35.11",
    "36.01",
    "35.10.01",
    "35.1",
    "350",
    "3",
    "35.10.01.2001",
    "36.01.02",
]
postgres_only = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
GRANTED = ["", "35", "36", "35.10", "35.11", "36.01", "91"]


@pytest.fixture
def table(database: str, database_url: str, as_office: Callable[[], None]) -> str:
    """A protected table with one row for each code, seen by its owner, who is no superuser."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE thing (id serial, region text NOT NULL)")
        cursor.executemany("INSERT INTO thing (region) VALUES (%s)", [[code] for code in CODES])
    with connection.schema_editor() as editor:
        rows.protect("thing").code(None, editor)  # type: ignore[arg-type]
    as_office()
    if database == "postgres":
        postgres.execute(database_url, f"ALTER TABLE thing OWNER TO {postgres.ROLE}")
    return database


def seen() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT region FROM thing")
        return sorted(row[0] for row in cursor.fetchall())


def allowed(actor: Actor) -> list[str]:
    rule = policy.policy().actions[ACTION]
    held = [Granted(g.role, g.region) for g in actor.grants if g.role in rule.roles]
    held += [Granted("", o.region) for o in actor.opened] if held else []
    return sorted(code for code in CODES if any(grant.covers(code) for grant in held))


actors = st.builds(
    lambda grants, opened: Actor("officer:7", tuple(grants), opened=tuple(opened)),
    st.lists(st.builds(Granted, st.sampled_from(ROLES), st.sampled_from(GRANTED)), max_size=4),
    st.lists(st.builds(Opened, st.sampled_from(GRANTED[1:])), max_size=2),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actor=actors)
def test_rows_are_those_of_the_policy(table: str, actor: Actor) -> None:
    with rows.limited_to(actor, ACTION):
        assert seen() == (allowed(actor) if table == "postgres" else sorted(CODES))


def test_our_own_programs_see_all(table: str) -> None:
    assert seen() == sorted(CODES)
    with rows.limited_to(SYSTEM, ACTION):
        assert seen() == sorted(CODES)


@postgres_only
@pytest.mark.usefixtures("table")
def test_a_request_sees_nothing_until_it_is_let_in() -> None:
    for reconnect in (False, True):
        if reconnect:
            connection.close()
        with rows.closed_request():
            assert seen() == []
            with rows.limited_to(Actor("officer:7", (Granted("reviewer", "36"),)), ACTION):
                assert seen() == ["36", "36.01", "36.01.02"]
            assert seen() == []
            rows.open_for_request(["35.10"])
            assert seen() == ["35.10", "35.10.01", "35.10.01.2001"]
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                raise ZeroDivisionError
            assert seen() == ["35.10", "35.10.01", "35.10.01.2001"]
            connection.close()  # whatever happens to the connection
            assert seen() == []
        with rows.closed_request():
            assert seen() == []


@postgres_only
@pytest.mark.usefixtures("table")
def test_the_limit_ends_where_it_began() -> None:
    one, other = (Actor("officer:7", (Granted("reviewer", code),)) for code in ("35.10", "36.01"))
    with transaction.atomic():
        with rows.limited_to(one, ACTION):
            with rows.limited_to(other, ACTION):
                assert seen() == ["36.01", "36.01.02"]
            assert seen()[0] == "35.10"
            with pytest.raises(ZeroDivisionError), rows.limited_to(other, ACTION):
                raise ZeroDivisionError
            assert seen()[0] == "35.10"
            with pytest.raises(ProgrammingError), rows.limited_to(other, ACTION):
                _execute("SELECT * FROM nowhere")
            assert seen()[0] == "35.10"
        assert seen() == sorted(CODES)
    with rows.limited_to(one, ACTION):
        pass
    assert seen() == sorted(CODES)


@postgres_only
@pytest.mark.usefixtures("table")
def test_rows_are_written_in_the_regions_only() -> None:
    actor = Actor("officer:7", (Granted("reviewer", "35.10"),))
    with rows.limited_to(actor, ACTION):
        _execute("INSERT INTO thing (region) VALUES ('35.10')")
        for statement in (
            "INSERT INTO thing (region) VALUES ('36.01')",
            "UPDATE thing SET region = '36.01' WHERE region = '35.10'",
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                _execute(statement)
        _execute("DELETE FROM thing WHERE region = '36.01'")
    assert "36.01" in seen()


@postgres_only
@pytest.mark.usefixtures("table")
def test_copy_goes_through_a_temporary_table() -> None:
    with (
        connection.cursor() as cursor,
        pytest.raises(Exception, match="COPY FROM not supported"),
        cursor.copy("COPY thing (region) FROM STDIN") as copy,
    ):
        copy.write(b"35.10\n")
    connection.close()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE arriving (region text) ON COMMIT DROP")
        with cursor.copy("COPY arriving FROM STDIN") as copy:
            copy.write(b"35.10\n")
        cursor.execute("INSERT INTO thing (region) SELECT region FROM arriving")
    assert len(seen()) == len(CODES) + 1


def test_the_tables_are_made_by_a_role_that_is_no_superuser(postgres_url: str, tmp_path: Path) -> None:
    postgres.execute(postgres_url, "CREATE ROLE plain LOGIN")
    postgres.execute(postgres_url, "CREATE DATABASE plain OWNER plain")
    url = postgres.beside(postgres_url, "plain").replace("//salur@", "//plain@")
    environment = os.environ | {"SALUR_HOME": str(tmp_path), "SALUR_DATABASE_URL": url}
    try:
        command = "from salur.commands import main; main()"
        subprocess.run([sys.executable, "-c", command, "migrate"], env=environment, check=True)
    finally:
        postgres.execute(postgres_url, "DROP DATABASE plain WITH (FORCE)")
        postgres.execute(postgres_url, "DROP ROLE plain")


def test_a_superuser_is_told(database: str, as_office: Callable[[], None]) -> None:
    assert rows.bypassed() == (database == "postgres")
    as_office()
    assert not rows.bypassed()


def test_protection_can_be_taken_back(table: str) -> None:
    connection.close()
    connection.settings_dict["USER"] = "salur"
    with connection.schema_editor() as editor:
        rows.protect("thing").reverse_code(None, editor)  # type: ignore[arg-type,misc]
    with rows.closed_request():
        assert seen() == sorted(CODES)


def _execute(statement: str) -> Any:
    with connection.cursor() as cursor:
        return cursor.execute(statement)
