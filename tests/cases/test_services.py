"""A case is opened once, taken by one officer, closed for good; every act is one event without a person's words."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from tests.cases.people import CITIZEN, CLERK, COLLEAGUE, DAY, ELSEWHERE, NOW, REVIEWER, SUPERVISOR, officer

from salur.access.policy import SYSTEM, Actor, Refused
from salur.cases import selectors, services
from salur.cases.kinds import kinds
from salur.cases.models import Case, Note
from salur.cases.services import NewCase
from salur.core.faults import InputError
from salur.journal.models import Event

pytestmark = pytest.mark.usefixtures("database")


def opened(**values: Any) -> int:
    given = {"kind": "objection", "subject": "decision:9", "region": "35.10", "actor": SYSTEM, "now": NOW}
    return services.case_open(**given | values)


def taken(actor: Actor = REVIEWER, **values: Any) -> int:
    case = opened(**values)
    services.case_take(now=NOW, actor=actor, case=case)
    return case


def state(case: int) -> tuple[str, int | None, str]:
    found = selectors.case(case)
    assert found is not None
    return found.state, found.officer_id, found.outcome


def events() -> list[tuple[str, str, str, dict[str, Any]]]:
    rows = Event.objects.order_by("id").values_list("kind", "actor", "case", "detail")
    return [(kind, actor, case, json.loads(detail)) for kind, actor, case, detail in rows]


# ---- open ------------------------------------------------------------------------------------------------


def test_opening_twice_gives_the_same_case_and_one_event() -> None:
    case = opened(evidence=["document:4"], people=4)
    assert opened(people=9) == case
    assert taken() == case
    assert opened() == case
    found = selectors.case(case)
    assert found is not None
    assert (found.people, found.owner_role, found.evidence) == (4, "reviewer", '["document:4"]')
    assert str(found.due_at.date()) == "2026-12-07"  # ten working days
    assert [(kind, ref) for kind, _, ref, _ in events()] == [
        ("cases.opened", f"case:{case}"), ("cases.taken", f"case:{case}"),
    ]  # fmt: skip


def test_a_closed_case_is_not_opened_again_but_followed() -> None:
    first = taken()
    with pytest.raises(InputError, match="follows a closed case"):
        opened(subject="decision:10", follows=first)
    services.case_close(now=NOW, actor=REVIEWER, case=first, outcome="upheld")
    with pytest.raises(InputError, match="follows a closed case"):
        opened(kind="review", follows=first)
    second = opened(follows=first)
    assert second != first
    assert [case.id for case in selectors.of_subject("decision:9")] == [second, first]
    assert selectors.of_subject("decision:9")[0].follows_id == first
    assert events()[-1][3]["follows"] == f"case:{first}"
    for act in (services.case_take, services.case_release):
        with pytest.raises(InputError):
            act(now=NOW, actor=REVIEWER, case=first)
    for act in (lambda **a: services.case_close(outcome="upheld", **a), services.case_withdraw):
        with pytest.raises(InputError, match="closed; open a new one"):
            act(now=NOW, actor=REVIEWER, case=first)


def test_a_date_of_its_own_is_kept_and_escalates_on_that_date() -> None:
    found = selectors.case(opened(due_at=NOW + DAY))
    assert found is not None
    assert (found.due_at, found.escalates_at) == (NOW + DAY, NOW + DAY)


WRONG: list[dict[str, Any]] = [
    {"kind": "nothing"},
    {"subject": ""},
    {"subject": "Siti"},
    {"subject": "person:" + "3510" * 4},
    {"evidence": ["Siti was here"]},
    {"evidence": ["note:" + "3510" * 4]},
    {"evidence": ["document:4"] * 999},
    {"region": "Jawa"},
    {"region": "35.10.01"},
    {"people": 0},
    {"due_at": NOW},
    {"now": NOW + 400 * DAY},
]


def test_what_cannot_be_a_case_is_told_in_a_sentence() -> None:
    for wrong in WRONG:
        try:
            opened(**wrong)
        except InputError:
            continue
        pytest.fail(f"{wrong} was taken")
    assert events() == []


def test_digests_are_evidence_too() -> None:
    opened(evidence=["sha256:" + "1" * 64])


OPENERS = [
    (CITIZEN, "objection", True),
    (CITIZEN, "unregistered", True),
    (CITIZEN, "review", False),
    (CITIZEN, "data_breach", False),
    (REVIEWER, "review", True),
    (ELSEWHERE, "review", False),
    (CLERK, "same_person", True),
    (CLERK, "recovery", False),
]


def test_who_may_open_what() -> None:
    for actor, kind, allowed in OPENERS:
        if allowed:
            opened(actor=actor, kind=kind)
        else:
            with pytest.raises(Refused):
                opened(actor=actor, kind=kind)


# ---- open many -------------------------------------------------------------------------------------------


def test_many_are_opened_with_one_event_and_those_that_are_open_are_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(services, "BATCH_ROWS", 500)  # a case may stand in two batches
    case = taken(kind="missing_fact", subject="family:3", actor=CLERK)
    rows = [NewCase("missing_fact", f"family:{n % 1_200}", "35.10", people=n % 5 + 1) for n in range(1_300)]
    first = services.cases_open_many(now=NOW, actor=SYSTEM, rows=iter(rows))
    assert (len(first.ids), first.already) == (1_199, 101)
    assert state(case) == ("taken", 4, "")
    lines = "".join(
        f"{id_} {kind} {subject}\n"
        for id_, kind, subject in Case.objects.filter(id__in=first.ids)
        .order_by("id")
        .values_list("id", "kind", "subject")
    )
    assert events()[-1][3] == {
        "count": 1_199, "kinds": {"missing_fact": 1_199}, "sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }  # fmt: skip
    before = len(events())
    again = services.cases_open_many(now=NOW, actor=SYSTEM, rows=rows)
    assert (again.ids, again.already) == ([], 1_300)
    assert len(events()) == before


def test_many_are_the_same_as_one_by_one() -> None:
    fields = [
        "due_at",
        "escalates_at",
        "escalates_to",
        "owner_role",
        "evidence",
        "programme",
        "people",
        "state",
    ]
    evidence = ("document:1", "sha256:" + "a" * 64)
    for kind in kinds():
        new = NewCase(kind, "person:1", "35.10", 3, "pkh", evidence)
        services.cases_open_many(now=NOW, actor=SYSTEM, rows=[new])
        opened(kind=kind, subject="person:2", people=3, programme="pkh", evidence=evidence)
        one, two = Case.objects.filter(kind=kind).order_by("id").values_list(*fields)
        assert one == two


def test_of_many_with_a_bad_row_none_is_opened() -> None:
    rows = [NewCase("review", f"decision:{n}", "35.10") for n in range(700)]
    with pytest.raises(InputError):
        services.cases_open_many(now=NOW, actor=SYSTEM, rows=[*rows, NewCase("review", "Siti", "35.10")])
    assert Case.objects.count() == 0
    with pytest.raises(Refused):
        services.cases_open_many(now=NOW, actor=REVIEWER, rows=rows)


# ---- work ------------------------------------------------------------------------------------------------


def test_a_case_from_the_queue_to_its_outcome() -> None:
    case = taken()
    services.case_take(now=NOW, actor=REVIEWER, case=case)  # again: nothing
    with pytest.raises(InputError, match="somebody else has taken it"):
        services.case_take(now=NOW, actor=COLLEAGUE, case=case)
    with pytest.raises(Refused, match="only who took it"):
        services.case_close(now=NOW, actor=COLLEAGUE, case=case, outcome="upheld")
    services.case_note(now=NOW, actor=REVIEWER, case=case, text="Ibu Siti menunjukkan kartu keluarganya.")
    services.case_close(
        now=NOW + DAY,
        actor=REVIEWER,
        case=case,
        outcome="corrected",
        evidence=["correction:8"],
        text="Selesai",
    )
    assert state(case) == ("done", 1, "corrected")
    assert [(e.what, e.actor, e.text) for e in selectors.history(case)] == [
        ("opened", "system", ""),
        ("taken", "officer:1", ""),
        ("noted", "officer:1", "Ibu Siti menunjukkan kartu keluarganya."),
        ("done", "officer:1", "Selesai"),
    ]
    assert [kind for kind, *_ in events()] == ["cases.opened", "cases.taken", "cases.noted", "cases.done"]
    assert "Siti" not in json.dumps(events())
    note = Note.objects.get(what="noted")
    assert events()[2][3] == {
        "text_sha256": hashlib.sha256(bytes(note.salt) + note.text.encode()).hexdigest()
    }
    assert events()[3][3]["evidence"] == ["correction:8"]
    assert note.region == "35.10"


def test_a_released_case_goes_back_into_the_queue() -> None:
    case = taken()
    with pytest.raises(Refused, match="Only who took this case"):
        services.case_release(now=NOW, actor=COLLEAGUE, case=case)
    services.case_release(now=NOW, actor=REVIEWER, case=case)
    assert state(case) == ("open", None, "")
    services.case_take(now=NOW, actor=COLLEAGUE, case=case)
    services.case_release(now=NOW, actor=SUPERVISOR, case=case, text="Cuti")  # of the role above
    with pytest.raises(InputError, match="Nobody has taken"):
        services.case_release(now=NOW, actor=SUPERVISOR, case=case)


def test_only_the_role_of_the_queue_in_its_region_takes_a_case() -> None:
    for actor in (ELSEWHERE, CLERK, SUPERVISOR, CITIZEN, officer(9)):
        with pytest.raises(Refused):
            services.case_take(now=NOW, actor=actor, case=opened())


def test_a_program_takes_nothing_but_may_close() -> None:
    case = opened()
    with pytest.raises(InputError, match="Only an officer"):
        services.case_take(now=NOW, actor=SYSTEM, case=case)
    services.case_close(now=NOW, actor=SYSTEM, case=case, outcome="settled_itself")
    assert state(case) == ("done", None, "settled_itself")


def test_who_opened_it_withdraws_it_and_nobody_else() -> None:
    case = opened(actor=CITIZEN)
    for other in (Actor("person:13"), REVIEWER):
        with pytest.raises(Refused, match="Only who opened"):
            services.case_withdraw(now=NOW, actor=other, case=case)
    services.case_withdraw(now=NOW, actor=CITIZEN, case=case)
    assert state(case) == ("withdrawn", None, "")
    on_paper = taken(actor=REVIEWER)
    services.case_withdraw(now=NOW, actor=REVIEWER, case=on_paper)
    assert state(on_paper) == ("withdrawn", 1, "")


def test_an_outcome_is_one_word() -> None:
    case = taken()
    for outcome in ("", "Upheld", "two words", "x" * 41, "ibu.siti"):
        with pytest.raises(InputError, match="one word"):
            services.case_close(now=NOW, actor=REVIEWER, case=case, outcome=outcome)


def test_a_note_has_a_text_that_fits() -> None:
    case = taken()
    for text in ("", " \n", "x" * 4_001):
        with pytest.raises(InputError):
            services.case_note(now=NOW, actor=REVIEWER, case=case, text=text)


def test_a_case_that_is_not_there_is_a_sentence() -> None:
    for act in (services.case_take, services.case_release, services.case_withdraw):
        with pytest.raises(InputError, match="There is no case 404"):
            act(now=NOW, actor=REVIEWER, case=404)
    assert selectors.case(404) is None
    assert selectors.history(404) == []


def test_two_machines_whose_clocks_differ_a_little() -> None:
    case = opened()
    services.case_take(now=NOW - timedelta(seconds=2), actor=REVIEWER, case=case)
    services.case_close(now=NOW - timedelta(seconds=1), actor=REVIEWER, case=case, outcome="upheld")
    assert state(case)[0] == "done"


# ---- escalate --------------------------------------------------------------------------------------------


def test_what_is_late_is_shown_to_the_role_above_once() -> None:
    late, taken_, done = opened(), taken(subject="decision:1"), taken(subject="decision:2")
    services.case_close(now=NOW, actor=REVIEWER, case=done, outcome="upheld")
    assert services.escalate_due(now=NOW + DAY) == 0
    before = selectors.queue(roles=["supervisor"], regions=None)
    assert before.cases == []
    assert services.escalate_due(now=NOW + 30 * DAY) == 2
    assert services.escalate_due(now=NOW + 30 * DAY) == 0
    assert {case.id for case in selectors.queue(roles=["supervisor"], regions=None).cases} == {late, taken_}
    assert {case.id for case in selectors.queue(roles=["reviewer"], regions=None).cases} == {late, taken_}
    digest = hashlib.sha256(f"{late}\n{taken_}\n".encode()).hexdigest()
    assert events()[-1] == ("cases.escalated", "system", "", {"count": 2, "sha256": digest})
    assert selectors.history(late)[-1].what == "escalated"
    services.case_take(now=NOW + 30 * DAY, actor=SUPERVISOR, case=late)
    assert state(late) == ("taken", 5, "")


def test_a_breach_escalates_after_a_day_and_is_due_after_three() -> None:
    found = selectors.case(opened(kind="data_breach", subject="breach:1", region=""))
    assert found is not None
    assert (found.escalates_at - NOW, found.due_at - NOW) == (DAY, 3 * DAY)
