"""The database itself refuses what cannot be, whoever writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.utils import OperationalError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.people.people import KEYS, NOW, a_family, a_person

from salur.access.policy import SYSTEM
from salur.people import selectors, services
from salur.people.models import (
    FIRST_MINTED,
    ID_MOST,
    Correction,
    Family,
    Identifier,
    Membership,
    Person,
    SameAs,
)
from salur.people.protect import KeysError

pytestmark = pytest.mark.usefixtures("database")
CORRECTION: dict[str, Any] = {
    "kind": "family", "subject_id": 1, "region": "35.10", "fact": "decile", "value": "2",
    "valid_from": date(2026, 1, 1), "source": "dtsen", "evidence": "visit",
    "evidence_kind": "home_visit", "made_by": "officer:1", "made_at": NOW,
}  # fmt: skip


@contextmanager
def refused() -> Iterator[None]:
    with pytest.raises((IntegrityError, DataError)), transaction.atomic():
        yield


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"region": ""}, {"sex": "x"}, {"died_on": date(1979, 1, 1)}, {"id": 0}, {"id": -5},
        {"id": ID_MOST + 1},
    ],
)  # fmt: skip
def test_a_person_that_cannot_be(wrong: dict[str, Any]) -> None:
    good = {"name": "Sutini", "region": "35.10", "birth_date": date(1980, 1, 1)}
    with refused():
        Person.objects.create(**good | wrong)
    Person.objects.create(**good)


def test_ids_made_here_never_meet_ids_given() -> None:
    Person.objects.create(id=FIRST_MINTED - 1, name="Given", region="35.10")
    Family.objects.create(id=5, region="35.10")
    assert [a_person(), a_person()] == [FIRST_MINTED, FIRST_MINTED + 1]
    assert a_family() == FIRST_MINTED
    Person.objects.filter(id=FIRST_MINTED + 1).delete()
    assert a_person() == FIRST_MINTED + 2  # never again


def test_nothing_sets_the_ids_back_on_postgresql(database: str) -> None:
    if database == "postgres":
        with refused(), connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence('people_person', 'id'), 7)")


@pytest.mark.parametrize(
    ("owner", "kind"),
    [("family", "nik"), ("person", "kk"), ("both", "phone"), ("none", "phone"), ("person", "x")],
)
def test_an_identifier_fits_its_one_owner(owner: str, kind: str) -> None:
    owners = {
        "person_id": a_person() if owner in ("person", "both") else None,
        "family_id": a_family() if owner in ("family", "both") else None,
    }
    with refused():
        Identifier.objects.create(kind=kind, sealed=b"s", index=b"i", key_version=1, region="35.10", **owners)


def test_a_number_and_a_kind_stand_once() -> None:
    first, second = a_person(), a_person()
    same = {"sealed": b"s", "key_version": 1, "region": "35.10"}
    Identifier.objects.create(person_id=first, kind="nik", index=b"i", **same)
    for person, index in ((second, b"i"), (first, b"j")):
        with refused():
            Identifier.objects.create(person_id=person, kind="nik", index=index, **same)
    Identifier.objects.create(person_id=first, kind="phone", index=b"i", **same)


def test_numbers_swapped_between_rows_do_not_open() -> None:
    first, second = a_person(), a_person()
    for person, number in ((first, "3510014105809001"), (second, "3510014105809002")):
        services.identifier_set(
            actor=SYSTEM, now=NOW, keys=KEYS, owner=f"person:{person}", kind="nik", number=number
        )
    mine, theirs = (Identifier.objects.get(person_id=person) for person in (first, second))
    Identifier.objects.filter(id=mine.id).update(sealed=theirs.sealed)
    with pytest.raises(KeysError, match="another place"):
        selectors.numbers_masked(f"person:{first}", KEYS, regions=None)


# ---- membership ----------------------------------------------------------------------------------------------

PERIODS = st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(1, 14)), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(periods=PERIODS, move=st.tuples(st.integers(0, 12), st.none() | st.integers(1, 14)))
def test_periods_of_a_person_never_overlap(
    periods: list[tuple[int, int | None]], move: tuple[int, int | None]
) -> None:
    """Whatever is inserted and updated raw, the database holds exactly what a model in Python would."""

    def day(n: int) -> date:
        return date(2026, 1, 1 + n)

    def overlap(a: tuple[int, int | None], b: tuple[int, int | None]) -> bool:
        return a[0] < (99 if b[1] is None else b[1]) and b[0] < (99 if a[1] is None else a[1])

    person, family = a_person(), a_family()
    held: list[tuple[tuple[int, int | None], int]] = []
    for since, until in periods:
        fits = (until is None or until > since) and not any(overlap((since, until), h) for h, _ in held)
        try:
            with transaction.atomic():
                row = Membership.objects.create(
                    person_id=person, family_id=family, since=day(since), region="35.10",
                    until=None if until is None else day(until),
                )  # fmt: skip
            assert fits
            held.append(((since, until), row.id))
        except IntegrityError:
            assert not fits
    if held:
        since, until = move
        fits = (until is None or until > since) and not any(overlap(move, h) for h, _ in held[1:])
        changed = Membership.objects.filter(id=held[0][1])
        try:
            with transaction.atomic():
                changed.update(since=day(since), until=None if until is None else day(until))
            assert fits
        except IntegrityError:
            assert not fits


# ---- same_as and corrections ---------------------------------------------------------------------------------


def test_same_as_needs_two_officers_and_two_persons() -> None:
    a, b = a_person(), a_person()
    good = {"person_id": a, "other_id": b, "region": "35.10", "evidence": "x", "declared_by": "officer:1",
            "declared_at": NOW}  # fmt: skip
    for wrong in (
        {"other_id": a}, {"person_id": b, "other_id": a}, {"evidence": ""}, {"declared_by": ""},
        {"confirmed_by": "officer:1", "confirmed_at": NOW}, {"confirmed_by": "officer:2"}, {"confirmed_at": NOW},
    ):  # fmt: skip
        with refused():
            SameAs.objects.create(**good | wrong)
    row = SameAs.objects.create(**good)
    with refused():
        SameAs.objects.create(**good)
    mine = SameAs.objects.filter(id=row.id)
    mine.update(confirmed_by="officer:2", confirmed_at=NOW)
    for change in (
        {"evidence": "y"}, {"case": "case:9"}, {"declared_by": "officer:9"}, {"confirmed_by": "officer:3"},
        {"confirmed_by": "", "confirmed_at": None}, {"withdrawn_by": "officer:1", "withdrawn_at": NOW},
        {"withdrawn_by": "officer:2", "withdrawn_at": NOW}, {"withdrawn_by": "officer:3"},
    ):  # fmt: skip
        with refused():
            mine.update(**change)
    with refused():
        mine.delete()
    mine.update(withdrawn_by="officer:3", withdrawn_at=NOW)
    with refused():
        mine.update(withdrawn_by="", withdrawn_at=None)
    again = SameAs.objects.create(**good)
    Person.objects.filter(id=row.person_id).update(
        region="35.11"
    )  # the trigger of a person who moves is there
    assert set(SameAs.objects.values_list("id", "region")) == {(row.id, "35.11"), (again.id, "35.11")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "village"}, {"fact": ""}, {"value": ""}, {"source": ""}, {"evidence": ""}, {"region": ""},
        {"evidence_kind": ""}, {"evidence_kind": None}, {"made_by": ""},
        {"confirmed_by": "officer:2", "confirmed_at": NOW},
        {"withdrawn_by": "officer:2", "withdrawn_at": NOW},
    ],
)  # fmt: skip
def test_a_correction_begins_whole_and_open(wrong: dict[str, Any]) -> None:
    with refused():
        Correction.objects.create(**CORRECTION | wrong)
    Correction.objects.create(**CORRECTION)


def test_a_correction_replaces_its_own_fact_only() -> None:
    first = Correction.objects.create(**CORRECTION)
    for wrong in ({"kind": "person"}, {"subject_id": 2}, {"fact": "cars"}):
        with refused():
            Correction.objects.create(**CORRECTION | wrong | {"replaces": first})
    with refused():
        Correction.objects.create(**CORRECTION | {"replaces_id": 999})
    Correction.objects.create(**CORRECTION | {"replaces": first})


def test_a_correction_is_never_changed_nor_deleted() -> None:
    row = Correction.objects.create(**CORRECTION)
    mine = Correction.objects.filter(id=row.id)
    for change in (
        {"kind": "person"}, {"subject_id": 9}, {"fact": "cars"}, {"value": "3"}, {"valid_from": date(2020, 1, 1)},
        {"source": "pln"}, {"evidence": "y"}, {"evidence_kind": "other"}, {"evidence_kind": None}, {"case": "case:9"},
        {"made_by": "officer:9"}, {"replaces_id": row.id},
        {"confirmed_by": "officer:1", "confirmed_at": NOW}, {"confirmed_by": "officer:2"},
    ):  # fmt: skip
        with refused():
            mine.update(**change)
    with refused():
        mine.delete()
    mine.update(confirmed_by="officer:2", confirmed_at=NOW)
    for change in (
        {"confirmed_by": "officer:3"}, {"confirmed_by": "", "confirmed_at": None},
        {"withdrawn_by": "officer:1", "withdrawn_at": NOW}, {"withdrawn_by": "officer:2", "withdrawn_at": NOW},
    ):  # fmt: skip
        with refused():
            mine.update(**change)
    mine.update(withdrawn_by="officer:3", withdrawn_at=NOW)
    for change in ({"withdrawn_by": "officer:4"}, {"withdrawn_by": "", "withdrawn_at": None}):
        with refused():
            mine.update(**change)


def test_a_withdrawn_correction_is_not_confirmed() -> None:
    row = Correction.objects.create(**CORRECTION)
    mine = Correction.objects.filter(id=row.id)
    mine.update(withdrawn_by="officer:1", withdrawn_at=NOW)
    with refused():
        mine.update(confirmed_by="officer:2", confirmed_at=NOW)


def test_the_models_have_no_change_without_a_migration() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_the_guards_come_and_go() -> None:
    from django.core.management import call_command
    from django.db.migrations.executor import MigrationExecutor

    call_command("migrate", "people", "0001", verbosity=0)
    state = MigrationExecutor(connection).loader.project_state([("people", "0001_initial")])
    then = {name: value for name, value in CORRECTION.items() if name != "evidence_kind"}
    state.apps.get_model("people", "Correction").objects.create(**then).delete()
    call_command("migrate", "people", verbosity=0)
    row = Correction.objects.create(**CORRECTION)
    with refused():
        row.delete()


def test_of_two_writers_at_once_one_is_refused() -> None:
    """Two real connections: the second open membership of a person waits for the first and is refused."""
    person, family = a_person(), a_family()
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def write() -> None:
        try:
            barrier.wait()
            with transaction.atomic():
                Membership.objects.create(
                    person_id=person, family_id=family, since=date(2026, 1, 1), region="35.10"
                )
            outcomes.append("written")
        except (IntegrityError, OperationalError):
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused", "written"]
