"""A stage that is held waits, and says why; who may place and lift; what is told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from salur.access.policy import SYSTEM, Actor, Granted, Refused
from salur.core.faults import InputError
from salur.journal import selectors, services
from salur.journal.models import Hold

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 11, 22, 3, 11, tzinfo=UTC)
SUPERVISOR = Actor("officer:4", (Granted("supervisor", ""),))
STAGE = "programmes.decree"


def place(subject: str = "", stage: str = STAGE, reason: str = "Figures are being checked.") -> int:
    return services.hold_place(now=NOW, actor=SUPERVISOR, stage=stage, reason=reason, subject=subject)


def test_a_hold_stops_its_stage_until_it_is_lifted() -> None:
    selectors.ask(STAGE)
    hold = place()
    for subject in ("", "cycle:3"):
        with pytest.raises(selectors.Held) as caught:
            selectors.ask(STAGE, subject)
        assert str(caught.value) == (
            f"programmes.decree waits since 2026-11-22: Figures are being checked. A supervisor can lift the "
            f"hold {hold}."
        )
    selectors.ask("programmes.pay")
    services.hold_lift(now=NOW + timedelta(hours=1), actor=SUPERVISOR, hold=hold)
    selectors.ask(STAGE, "cycle:3")
    assert selectors.holds_open() == ()


def test_a_hold_on_one_subject_stops_nothing_else() -> None:
    place("cycle:3")
    selectors.ask(STAGE)
    selectors.ask(STAGE, "cycle:4")
    with pytest.raises(selectors.Held, match=r"programmes\.decree \(cycle:3\) waits"):
        selectors.ask(STAGE, "cycle:3")


def test_every_reason_must_be_gone() -> None:
    first, second = place("cycle:3", reason="One."), place(reason="Two.")
    with pytest.raises(selectors.Held) as caught:
        selectors.ask(STAGE, "cycle:3")
    assert len(caught.value.faults) == 2
    assert [hold.id for hold in selectors.holds(STAGE, "cycle:3")] == [first, second]
    services.hold_lift(now=NOW, actor=SYSTEM, hold=second)
    with pytest.raises(selectors.Held, match="One"):
        selectors.ask(STAGE, "cycle:3")


@pytest.mark.parametrize(
    "actor", [Actor("officer:1"), Actor("officer:2", (Granted("supervisor", "35"),)), Actor("citizen:x")]
)
def test_only_a_supervisor_of_the_nation_places_and_lifts(actor: Actor) -> None:
    hold = place()
    with pytest.raises(Refused):
        services.hold_place(now=NOW, actor=actor, stage=STAGE, reason="x")
    with pytest.raises(Refused):
        services.hold_lift(now=NOW, actor=actor, hold=hold)
    assert [row.id for row in selectors.holds_open()] == [hold]


def test_a_hold_is_lifted_once_and_needs_a_reason() -> None:
    hold = place()
    services.hold_lift(now=NOW, actor=SUPERVISOR, hold=hold)
    with pytest.raises(InputError, match="no open hold"):
        services.hold_lift(now=NOW, actor=SUPERVISOR, hold=hold)
    for reason in ("", " \n", "x" * 501):
        with pytest.raises(InputError, match="needs a reason"):
            place(reason=reason)


def test_both_acts_are_told_without_the_reason() -> None:
    first, second = place("cycle:3"), place()
    services.hold_lift(now=NOW, actor=SUPERVISOR, hold=first)
    events = selectors.events_of("cycle:3")
    assert [(event.kind, event.actor, event.detail) for event in events] == [
        ("journal.hold_placed", "officer:4", {"hold": first, "stage": STAGE}),
        ("journal.hold_lifted", "officer:4", {"hold": first, "stage": STAGE}),
    ]
    assert len(selectors.events_of(f"hold:{second}")) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"stage": ""},
        {"reason": ""},
        {"placed_by": ""},
        {"lifted_by": "officer:4"},
        {"lifted_at": NOW},
        {"lifted_by": "officer:4", "lifted_at": NOW - timedelta(seconds=1)},
    ],
)
def test_the_database_refuses_half_a_hold(wrong: dict[str, object]) -> None:
    good = {"stage": STAGE, "reason": "x", "placed_by": "officer:4", "placed_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.create(**good | wrong)
    Hold.objects.create(**good | {"lifted_by": "officer:4", "lifted_at": NOW})


def test_events_are_found_by_subject_and_by_case() -> None:
    with transaction.atomic():
        for n in range(5):
            services.record(
                now=NOW, actor="system", kind="tests.done", subject="cycle:3", case="case:5" if n % 2 else "",
                detail={"n": n},
            )  # fmt: skip
    assert [event.detail["n"] for event in selectors.events_of("cycle:3")] == [0, 1, 2, 3, 4]
    assert [event.detail["n"] for event in selectors.events_of("cycle:3", most=2)] == [3, 4]
    assert [event.detail["n"] for event in selectors.events_of_case("case:5")] == [1, 3]
    assert selectors.events_of_case("") == ()
