"""What the database itself refuses, whatever the code does: written past the services, on both databases."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from tests.programmes.conftest import EDITORS, NOW, Office

from salur.programmes import guards, services
from salur.programmes.models import Budget, Cycle, Decision, Decree, Duty, FamilyCase, Review

DUTIES = ("open", "review", "decree")


def refused(act: Any, *arguments: Any, **named: Any) -> bool:
    try:
        with transaction.atomic():
            act(*arguments, **named)
    except IntegrityError:
        return True
    return False


@pytest.fixture
def cycle(office: Office) -> Cycle:
    return Cycle.objects.get(id=office.decided())


def prepared(cycle: Cycle) -> Decree:
    return Decree.objects.create(
        cycle=cycle, number="SK 1", units=0, amount=0, statement="{}", digest=b"d", list_path="", pdf_path="",
        prepared_at=NOW,
    )  # fmt: skip


def signed(decree: Decree, by: str) -> None:
    Decree.objects.filter(id=decree.id).update(signed_by=by, signed_at=NOW, signature={"made": "up"})


def reviewed(cycle: Cycle, by: str) -> None:
    decision = Decision.objects.filter(cycle=cycle).first()
    Review.objects.create(decision=decision, cycle=cycle, reviewer=by, judgement="unsure", judged_at=NOW)


@pytest.mark.parametrize(("first", "second"), list(permutations(DUTIES, 2)))
def test_nobody_has_two_duties_in_a_cycle(cycle: Cycle, first: str, second: str) -> None:
    Duty.objects.create(
        cycle=cycle, officer="officer:8", duty="review" if first == "open" else first, since=NOW
    )
    assert refused(Duty.objects.create, cycle=cycle, officer="officer:8", duty=second, since=NOW)


def test_a_duty_is_never_changed_and_never_removed(cycle: Cycle) -> None:
    held = Duty.objects.filter(cycle=cycle)
    assert refused(held.update, duty="decree")
    assert refused(held.update, officer="officer:9")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM programmes_duty")


def test_who_opened_can_neither_review_nor_sign(cycle: Cycle) -> None:
    assert refused(reviewed, cycle, cycle.opened_by)
    assert refused(signed, prepared(cycle), cycle.opened_by)


def test_who_reviewed_cannot_sign_and_who_signs_has_the_duty(cycle: Cycle) -> None:
    Duty.objects.create(cycle=cycle, officer="officer:8", duty="review", since=NOW)
    reviewed(cycle, "officer:8")
    decree = prepared(cycle)
    assert refused(signed, decree, "officer:8")
    assert refused(signed, decree, "officer:9")
    Duty.objects.create(cycle=cycle, officer="officer:9", duty="decree", since=NOW)
    assert refused(Decree.objects.filter(id=decree.id).update, signed_by="officer:9", signed_at=NOW,
                   signature={}, digest=b"other")  # fmt: skip
    assert refused(Decree.objects.filter(id=decree.id).update, signed_by="officer:9", signed_at=NOW,
                   signature={}, amount=1)  # fmt: skip
    signed(decree, "officer:9")
    assert refused(signed, decree, "officer:9")
    assert refused(Decree.objects.filter(id=decree.id).update, amount=1)


def test_a_decree_cannot_be_born_signed(cycle: Cycle) -> None:
    Duty.objects.create(cycle=cycle, officer="officer:9", duty="decree", since=NOW)
    assert refused(
        Decree.objects.create, cycle=cycle, number="SK 1", units=0, amount=0, statement="{}", digest=b"d",
        list_path="", pdf_path="", prepared_at=NOW, signed_by="officer:9", signed_at=NOW, signature={},
    )  # fmt: skip


@pytest.mark.parametrize("state", ["decreed", "closed", "opened"])
def test_a_cycle_goes_on_only_by_a_signed_decree(cycle: Cycle, state: str) -> None:
    prepared(cycle)
    assert refused(Cycle.objects.filter(id=cycle.id).update, state=state)


@pytest.mark.parametrize(
    "change",
    [
        {"opened_by": "officer:9"}, {"period": "2026-Q3"}, {"programme": "x"}, {"regions": ["36.71"]},
        {"audit_seed": b"drawn anew"},
    ],
)  # fmt: skip
def test_what_a_cycle_was_opened_with_stays(cycle: Cycle, change: dict[str, Any]) -> None:
    assert refused(Cycle.objects.filter(id=cycle.id).update, **change)


@pytest.mark.parametrize("change", [{"outcome": "eligible"}, {"amount": 1}, {"cause": "x"}, {"queue": 0}])
def test_a_decision_is_never_changed(cycle: Cycle, change: dict[str, Any]) -> None:
    assert refused(Decision.objects.filter(cycle=cycle).update, **change)


@pytest.mark.parametrize("table", ["decision", "familycase", "review", "cycle"])
def test_nothing_is_removed(cycle: Cycle, table: str) -> None:
    Duty.objects.create(cycle=cycle, officer="officer:8", duty="review", since=NOW)
    reviewed(cycle, "officer:8")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM programmes_{table}")
    assert FamilyCase.objects.exists()


@pytest.mark.parametrize("table", guards.KEPT)
def test_nothing_is_replaced_or_emptied(cycle: Cycle, database: str, table: str) -> None:
    Duty.objects.create(cycle=cycle, officer="officer:8", duty="review", since=NOW)
    reviewed(cycle, "officer:8")
    prepared(cycle)
    services.draft_begin(now=NOW, actor=EDITORS[0], version_id=cycle.version_id)
    facts = bytes(cycle.version.facts_raw)
    services.draft_begin_new(now=NOW, actor=EDITORS[0], text='id = "kelas-desa"', facts_raw=facts)
    act = (
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1"
        if database == "sqlite"
        else f"TRUNCATE {table} CASCADE"
    )
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(act)


def test_a_decision_names_the_one_before_it(cycle: Cycle) -> None:
    first, other = Decision.objects.filter(cycle=cycle).order_by("id")[:2]
    fields = {
        name: getattr(first, name)
        for name in ("cycle_id", "programme", "period", "unit_id", "family_id", "region", "village", "outcome",
                     "failed", "unknown", "amount", "amount_most", "counts", "case_id")
    } | {"cause": "correction:1", "decided_at": NOW}  # fmt: skip
    assert refused(Decision.objects.create, **fields, n=1)
    assert refused(Decision.objects.create, **fields, n=2)
    assert refused(Decision.objects.create, **fields, n=2, supersedes=other)
    assert refused(Decision.objects.create, **fields, n=3, supersedes=first)
    assert refused(Decision.objects.create, **{**fields, "period": "2026-Q3"}, n=1)
    Decision.objects.create(**fields, n=2, supersedes=first)
    assert refused(Decision.objects.create, **fields, n=3, supersedes=first)


def test_a_budget_is_never_overspent(office: Office) -> None:
    office.opened()
    budget = Budget.objects.get()
    assert refused(Budget.objects.filter(id=budget.id).update, reserved=budget.amount + 1)
    assert refused(Budget.objects.filter(id=budget.id).update, reserved=-1)


def test_every_guard_stands(database: str) -> None:
    with connection.cursor() as cursor:
        if database == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        else:
            cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
        standing = {row[0] for row in cursor.fetchall()}
    assert {guard.name for guard in guards.GUARDS} <= standing
    assert {f"{table}_never_deleted" for table in guards.KEPT} <= standing
