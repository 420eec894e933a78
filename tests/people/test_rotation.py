"""Rotation of keys: killed at any moment every number is still found, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.people.people import BOTH, KEYS, NOW, a_person

from salur.access.policy import SYSTEM
from salur.people import selectors, services
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.models import Identifier
from salur.people.protect import Keys, KeysError

PERSONS = 30
NIKS = {person: f"35100141058{person:05}" for person in range(1, PERSONS + 1)}


@pytest.fixture
def _enrolled(database: str) -> None:
    services.enrol(
        actor=SYSTEM, now=NOW, keys=KEYS, families=[FamilyRow(1, "35.10", kk="3510010101109001")],
        persons=[PersonRow(person, 1, "Sutini", nik=nik) for person, nik in NIKS.items()],
        since=NOW.date(), source="",
    )  # fmt: skip


def versions() -> set[int]:
    return set(Identifier.objects.values_list("key_version", flat=True))


def every_number_is_found(keys: Keys) -> None:
    for person, nik in NIKS.items():
        assert selectors.find_by_identifier("nik", nik, keys, regions=None) == f"person:{person}"
        assert selectors.numbers_masked(f"person:{person}", keys, regions=None)["nik"].startswith("3510")
    assert selectors.find_by_identifier("kk", "3510010101109001", keys, regions=None) == "family:1"
    assert selectors.find_by_identifier("nik", "9" * 16, keys, regions=None) is None


_CHILD = """
import os, signal, sys, salur.web
salur.web.setup()
from django.db import connection
from tests.people.people import BOTH, NOW
from salur.access.policy import SYSTEM
from salur.people import services
left = int(sys.argv[1])
def counted(execute, sql, params, many, context):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)
with connection.execute_wrapper(counted):
    services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH, batch_rows=4)
"""


@pytest.mark.usefixtures("_enrolled")
def test_killed_at_any_statement_every_number_is_found(database_url: str) -> None:
    """A process of its own is killed before its n-th statement, again and again, until one comes to the end."""
    for statements in (3, 11, 12, 25, 10_000):
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(statements)],
            env=os.environ | {"SALUR_DATABASE_URL": database_url}, cwd=Path(__file__).parents[2],
            capture_output=True, check=False,
        )  # fmt: skip
        every_number_is_found(BOTH)
        if statements < 10_000:
            assert done.returncode == -signal.SIGKILL, done.stderr
        else:
            assert done.returncode == 0, done.stderr
    assert versions() == {2}
    assert Identifier.objects.count() == PERSONS + 1


@pytest.mark.usefixtures("_enrolled")
def test_it_is_half_done_in_the_middle_and_whole_at_the_end() -> None:
    seen: list[set[int]] = []

    def look(done: int, total: int) -> None:
        seen.append(versions())
        every_number_is_found(BOTH)
        assert total == PERSONS + 1

    assert services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH, progress=look, batch_rows=7) == PERSONS + 1
    assert {1, 2} in seen
    assert versions() == {2}
    only_new = Keys(2, {2: BOTH.secrets[2]})
    every_number_is_found(only_new)
    assert services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH) == 0


@pytest.mark.usefixtures("_enrolled")
def test_whoever_has_only_the_old_key_is_told_and_never_misses() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH, progress=stop, batch_rows=10)
    found = 0
    for person, nik in NIKS.items():
        try:
            assert selectors.find_by_identifier("nik", nik, KEYS, regions=None) == f"person:{person}"
            found += 1
        except KeysError:
            pass
    assert 0 < found < PERSONS


@pytest.mark.usefixtures("_enrolled")
def test_a_number_set_meanwhile_is_stored_once() -> None:
    newcomer = a_person()

    def meanwhile(done: int, total: int) -> None:
        for nik in NIKS.values():
            with pytest.raises(services.InputError, match="already"):
                services.identifier_set(
                    actor=SYSTEM, now=NOW, keys=BOTH, owner=f"person:{newcomer}", kind="nik", number=nik
                )

    services.keys_rotate(actor=SYSTEM, now=NOW, keys=BOTH, progress=meanwhile, batch_rows=10)


@pytest.mark.usefixtures("_enrolled")
def test_a_wrong_key_changes_nothing() -> None:
    before = list(Identifier.objects.order_by("id").values_list())
    with pytest.raises(KeysError, match="cannot be opened"):
        services.keys_rotate(actor=SYSTEM, now=NOW, keys=Keys(2, {1: b"w" * 32, 2: b"2" * 32}))
    assert list(Identifier.objects.order_by("id").values_list()) == before
