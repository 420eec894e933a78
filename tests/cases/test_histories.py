"""Whatever officers do in whatever order: the cases are those of a simple model, and two at once never both win."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connections
from tests.cases.people import DAY, NOW, officer

from salur.access.policy import SYSTEM, Actor
from salur.cases import services
from salur.cases.models import Case, Note
from salur.core.faults import InputError
from salur.journal.models import Event

pytestmark = pytest.mark.usefixtures("database")
OFFICERS = [officer(number, ("reviewer", "35")) for number in (1, 2, 3)]


@dataclass
class Simple:
    """A case as one would explain it."""

    subject: str
    state: str = "open"
    officer: int | None = None
    escalated: bool = False
    days: int = 0
    acts: int = 0

    @property
    def active(self) -> bool:
        return self.state in ("open", "taken")


@pytest.mark.parametrize("seed", range(4))
def test_random_histories_are_those_of_the_simple_model(seed: int) -> None:
    draw = random.Random(seed)
    model: dict[int, Simple] = {}
    acts = 0
    for day in range(60):
        now = NOW + day * DAY / 2
        who = draw.choice(OFFICERS)
        if not model or draw.random() < 0.25:
            subject = f"decision:{draw.randint(1, 6)}"
            opened = services.case_open(now=now, actor=SYSTEM, kind="review", subject=subject, region="35.10")
            before = [i for i, simple in model.items() if simple.subject == subject and simple.active]
            assert [opened] == before if before else opened not in model
            if not before:
                model[opened] = Simple(subject, days=day)
                acts += 1
            continue
        number, simple = draw.choice(list(model.items()))
        wanted = draw.choice(["take", "take", "release", "note", "close", "withdraw", "escalate"])
        if wanted == "escalate":
            late = [s for s in model.values() if s.active and not s.escalated and _late(now, s)]
            assert services.escalate_due(now=now) == len(late)
            for s in late:
                s.escalated, s.acts = True, s.acts + 1
            acts += bool(late)
            continue
        mine = simple.officer == who.officer_id
        allowed = {
            "take": simple.state == "open" or (simple.state == "taken" and mine),
            "release": simple.state == "taken" and mine,
            "note": True,
            "close": simple.state == "taken" and mine,
            "withdraw": simple.state == "taken" and mine,
        }[wanted]
        changes = not (wanted == "take" and simple.state == "taken")
        if not allowed:
            with pytest.raises(InputError):
                _act(wanted, now=now, actor=who, case=number)
            continue
        _act(wanted, now=now, actor=who, case=number)
        simple.acts += changes
        acts += changes
        simple.state = {"take": "taken", "release": "open", "close": "done", "withdraw": "withdrawn"}.get(
            wanted, simple.state
        )
        simple.officer = {"take": who.officer_id, "release": None}.get(wanted, simple.officer)
    rows = Case.objects.values_list("id", "subject", "state", "officer_id", "escalated_at")
    assert {i: (sub, st, off, at is not None) for i, sub, st, off, at in rows} == {
        i: (s.subject, s.state, s.officer, s.escalated) for i, s in model.items()
    }
    assert {i: Note.objects.filter(case_id=i).count() for i in model} == {i: s.acts for i, s in model.items()}
    assert Event.objects.count() == acts


def _late(now: object, simple: Simple) -> bool:
    found = Case.objects.filter(subject=simple.subject, opened_at=NOW + simple.days * DAY / 2).get()
    return found.escalates_at <= now  # type: ignore[operator]


def _act(wanted: str, **arguments: object) -> None:
    acts: dict[str, Callable[..., None]] = {
        "take": services.case_take,
        "release": services.case_release,
        "note": lambda **a: services.case_note(text="catatan", **a),
        "close": lambda **a: services.case_close(outcome="upheld", **a),
        "withdraw": services.case_withdraw,
    }
    acts[wanted](**arguments)


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run each on a connection of its own, started together; what each gave or raised."""
    results: list[object] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(place: int) -> None:
        start.wait(20)
        try:
            results[place] = acts[place]()
        except InputError as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_officers_who_take_a_case_at_once_one_gets_it() -> None:
    for number in range(15):
        case = services.case_open(
            now=NOW, actor=SYSTEM, kind="review", subject=f"decision:{number}", region="35.10"
        )

        def take(who: Actor, case: int = case) -> Callable[[], object]:
            return lambda: services.case_take(now=NOW, actor=who, case=case)

        results = at_once(*(take(who) for who in OFFICERS))
        winners = [who.officer_id for who, result in zip(OFFICERS, results, strict=True) if result is None]
        assert len(winners) == 1
        assert Case.objects.get(id=case).officer_id == winners[0]
        assert Note.objects.filter(case_id=case).count() == 1


def test_a_case_opened_at_once_by_several_is_one_case() -> None:
    for number in range(15):

        def open_one(number: int = number) -> int:
            return services.case_open(
                now=NOW, actor=SYSTEM, kind="review", subject=f"decision:{number}", region="35.10"
            )

        def open_many(number: int = number) -> object:
            rows = [services.NewCase("review", f"decision:{n}", "35.10") for n in (number, number + 100)]
            return len(services.cases_open_many(now=NOW, actor=SYSTEM, rows=rows).ids)

        first, second, many = at_once(open_one, open_one, open_many)
        assert first == second == Case.objects.get(subject=f"decision:{number}").id
        assert many in (1, 2)
    opened = Event.objects.filter(kind="cases.opened").count()
    bulk = sum(
        json.loads(text)["count"]
        for text in Event.objects.filter(kind="cases.opened_many").values_list("detail", flat=True)
    )
    assert opened + bulk == Case.objects.count() == 30


def test_taken_and_withdrawn_at_once_ends_in_one_of_both() -> None:
    for number in range(10):
        case = services.case_open(
            now=NOW, actor=SYSTEM, kind="review", subject=f"decision:{number}", region="35.10"
        )
        took, _ = at_once(
            lambda case=case: services.case_take(now=NOW, actor=OFFICERS[0], case=case),
            lambda case=case: services.case_withdraw(now=NOW, actor=SYSTEM, case=case),
        )
        found = Case.objects.get(id=case)
        assert found.state == "withdrawn"
        assert (found.officer_id == 1) == (took is None)
