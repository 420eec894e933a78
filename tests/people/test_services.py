"""Acts of officers: what they write, what they refuse, and one event each."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.people.people import (
    BOTH,
    CLERK,
    ELSEWHERE,
    KEYS,
    NOW,
    REVIEWER,
    SUPERVISOR,
    TODAY,
    a_family,
    a_person,
    facts,
)

from salur.access.policy import SYSTEM, Actor, Granted, Refused
from salur.core.faults import InputError
from salur.people import selectors, services
from salur.people.models import FIRST_MINTED
from salur.people.protect import KeysError

pytestmark = pytest.mark.usefixtures("database")
NIK = "3510014105809001"


def events() -> list[tuple[str, str, str]]:
    from salur.journal.models import Event

    return list(Event.objects.order_by("id").values_list("kind", "subject_ref", "actor"))


def correct(subject: str, value: Any = 2, **more: Any) -> int:
    given: dict[str, Any] = {
        "actor": CLERK, "now": NOW, "catalogue": facts(), "subject": subject, "fact": "decile", "value": value,
        "valid_from": TODAY, "source": "dtsen", "evidence_kind": "home_visit",
        "evidence": "Visit of case:5", "case": "case:5",
    }  # fmt: skip
    return services.correction_make(**given | more)


def counted(*subjects: str, on: date = TODAY) -> dict[str, Any]:
    return {made.fact: made.value for made in selectors.corrections_of(subjects, on, regions=None)}


# ---- ids and numbers -----------------------------------------------------------------------------------------


def test_ids_are_minted_above_those_of_populations() -> None:
    assert a_person() >= FIRST_MINTED
    assert a_person() == FIRST_MINTED + 1
    assert a_family() >= FIRST_MINTED


def test_a_number_is_found_in_every_spelling_and_belongs_to_one() -> None:
    first, second = a_person(), a_person("Wayan")
    services.identifier_set(actor=CLERK, now=NOW, keys=KEYS, owner=f"person:{first}", kind="nik", number=NIK)
    for spelling in (NIK, "35.10.01-410580-9001", " 3510 0141 0580 9001"):
        assert selectors.find_by_identifier("nik", spelling, KEYS, regions=None) == f"person:{first}"
    assert selectors.find_by_identifier("nik", NIK, KEYS, regions=("35.11",)) is None
    assert selectors.find_by_identifier("nik", "nonsense", KEYS, regions=None) is None
    with pytest.raises(InputError, match=f"belongs to person:{first} already"):
        services.identifier_set(
            actor=CLERK, now=NOW, keys=KEYS, owner=f"person:{second}", kind="nik", number=NIK
        )
    assert selectors.numbers_masked(f"person:{first}", KEYS, regions=None) == {"nik": "3510********9001"}


def test_a_number_is_stored_once_whatever_key_it_was_stored_under() -> None:
    first, second = a_person(), a_person()
    services.identifier_set(actor=SYSTEM, now=NOW, keys=KEYS, owner=f"person:{first}", kind="nik", number=NIK)
    with pytest.raises(InputError, match="already"):
        services.identifier_set(
            actor=SYSTEM, now=NOW, keys=BOTH, owner=f"person:{second}", kind="nik", number=NIK
        )
    other = NIK[:-1] + "2"
    services.identifier_set(
        actor=SYSTEM, now=NOW, keys=BOTH, owner=f"person:{second}", kind="nik", number=other
    )
    with pytest.raises(
        KeysError, match="Version 2"
    ):  # keys that are older than the table neither write nor miss
        services.identifier_set(
            actor=SYSTEM, now=NOW, keys=KEYS, owner=f"person:{first}", kind="nik", number=other
        )
    with pytest.raises(KeysError, match="Version 2"):
        selectors.find_by_identifier("nik", other, KEYS, regions=None)


def test_a_mistyped_number_is_set_again() -> None:
    person = a_person()
    for number in (NIK, NIK[:-1] + "2"):
        services.identifier_set(
            actor=CLERK, now=NOW, keys=KEYS, owner=f"person:{person}", kind="nik", number=number
        )
    assert selectors.find_by_identifier("nik", NIK, KEYS, regions=None) is None
    assert selectors.find_by_identifier("nik", NIK[:-1] + "2", KEYS, regions=None) == f"person:{person}"


# ---- families ------------------------------------------------------------------------------------------------


def test_a_move_is_an_end_and_a_beginning() -> None:
    person, old, new = a_person(), a_family(), a_family("35.11")
    services.identifier_set(actor=CLERK, now=NOW, keys=KEYS, owner=f"person:{person}", kind="nik", number=NIK)
    correction = correct(f"person:{person}", True, fact="severe_disability")
    june = date(2026, 6, 1)
    services.membership_begin(actor=CLERK, now=NOW, person_id=person, family_id=old, since=date(2020, 1, 1))
    with pytest.raises(InputError, match="in a family at that time already"):
        services.membership_begin(actor=ELSEWHERE, now=NOW, person_id=person, family_id=new, since=june)
    with pytest.raises(Refused):
        services.membership_end(actor=ELSEWHERE, now=NOW, person_id=person, until=june)
    services.membership_end(actor=CLERK, now=NOW, person_id=person, until=june)
    services.membership_begin(actor=ELSEWHERE, now=NOW, person_id=person, family_id=new, since=june)

    def family(on: date) -> int | None:
        return selectors.family_of(person, on, regions=None)

    assert [family(june - timedelta(days=1)), family(june), family(date(2019, 1, 1))] == [old, new, None]
    assert [p.id for p in selectors.family_members(new, TODAY, regions=None)] == [person]
    assert selectors.family_members(old, TODAY, regions=None) == []
    # Whatever carries the region of the person goes along.
    assert selectors.person(person, regions=("35.11",)) is not None
    assert selectors.find_by_identifier("nik", NIK, KEYS, regions=("35.11",)) == f"person:{person}"
    assert selectors.correction(correction, regions=("35.11",)) is not None
    assert selectors.correction(correction, regions=("35.10",)) is None


def test_a_death_ends_the_membership_and_can_be_taken_back() -> None:
    person, family = a_person(), a_family()
    services.membership_begin(
        actor=CLERK, now=NOW, person_id=person, family_id=family, since=date(2020, 1, 1)
    )
    with pytest.raises(InputError, match="in the future"):
        services.person_died(
            actor=CLERK, now=NOW, person_id=person, on=TODAY + timedelta(days=1), evidence="Letter"
        )
    died = date(2026, 9, 1)
    services.person_died(actor=CLERK, now=NOW, person_id=person, on=died, evidence="Letter of the village")
    assert [p.id for p in selectors.family_members(family, died, regions=None)] == [person]
    assert selectors.family_members(family, TODAY, regions=None) == []
    with pytest.raises(InputError, match="died before"):
        services.membership_begin(actor=CLERK, now=NOW, person_id=person, family_id=family, since=TODAY)
    services.person_died(actor=CLERK, now=NOW, person_id=person, on=None, evidence="Came to the office")
    services.membership_begin(
        actor=CLERK, now=NOW, person_id=person, family_id=family, since=died + timedelta(days=1)
    )


def test_same_as_is_closed_over_steps_and_needs_two() -> None:
    a, b, c, d = (a_person() for _ in range(4))
    rows = [
        services.same_as_declare(actor=CLERK, now=NOW, person_id=x, other_id=y, evidence="Same card seen")
        for x, y in ((b, a), (b, c), (c, d))
    ]
    with pytest.raises(Refused):
        services.same_as_confirm(actor=CLERK, now=NOW, same_as_id=rows[0])
    for row in rows[:2]:
        services.same_as_confirm(actor=REVIEWER, now=NOW, same_as_id=row)
    assert selectors.same_as(a) == selectors.same_as(c) == {a, b, c}
    assert selectors.same_as(d) == {d}
    assert [row.id for row in selectors.same_as_waiting(regions=("35",))] == rows[2:]
    with pytest.raises(InputError, match="declared already"):
        services.same_as_declare(actor=CLERK, now=NOW, person_id=a, other_id=b, evidence="Again")
    with pytest.raises(InputError, match="Two different"):
        services.same_as_declare(actor=CLERK, now=NOW, person_id=a, other_id=a, evidence="Again")


def test_same_as_is_withdrawn_and_may_be_said_again() -> None:
    a, b, c = (a_person() for _ in range(3))

    def declared(x: int, y: int, confirmed: bool = True) -> int:
        row = services.same_as_declare(
            actor=CLERK, now=NOW, person_id=x, other_id=y, evidence="Same card seen"
        )
        if confirmed:
            services.same_as_confirm(actor=REVIEWER, now=NOW, same_as_id=row)
        return row

    counted, waiting = declared(a, b), declared(b, c, confirmed=False)
    for one in (CLERK, REVIEWER):  # who said it
        with pytest.raises(Refused, match="a third one"):
            services.same_as_withdraw(actor=one, now=NOW, same_as_id=counted)
    with pytest.raises(Refused):
        services.same_as_withdraw(actor=ELSEWHERE, now=NOW, same_as_id=counted)
    assert selectors.same_as(a) == {a, b}
    services.same_as_withdraw(actor=SUPERVISOR, now=NOW, same_as_id=counted, case="case:5")
    services.same_as_withdraw(actor=CLERK, now=NOW, same_as_id=waiting)  # their own, that nobody confirmed
    assert events()[-2:] == [
        ("people.same_as_withdrawn", f"person:{a}", SUPERVISOR.ref),
        ("people.same_as_withdrawn", f"person:{b}", CLERK.ref),
    ]
    assert selectors.same_as(a) == {a}
    assert selectors.same_as_waiting(regions=None) == []
    for act in (services.same_as_withdraw, services.same_as_confirm):
        with pytest.raises(InputError, match="was withdrawn"):
            act(actor=SUPERVISOR, now=NOW, same_as_id=waiting)
    with pytest.raises(InputError, match="no declaration"):
        services.same_as_withdraw(actor=CLERK, now=NOW, same_as_id=99)
    declared(b, a)
    assert selectors.same_as(a) == {a, b}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(0, 2)), max_size=25))
def test_any_history_of_same_as_is_that_of_a_simple_model(acts: list[tuple[int, int, int]]) -> None:
    """Whoever declares, confirms and withdraws in whatever order."""
    people = [a_person() for _ in range(4)]
    pairs = [(people[i], people[j]) for i in range(4) for j in range(i)]
    officers = (CLERK, REVIEWER, Actor("officer:9", (Granted("people_clerk", "35"),)))
    model: dict[tuple[int, int], list[Any]] = {}  # pair → [row, who declared, who confirmed]
    for act, at, who in acts:
        pair, actor = pairs[at], officers[who]
        held = model.get(pair)
        row = held[0] if held else 0
        if act == 0:
            fits = held is None
        elif act == 1:
            fits = held is not None and held[2] is None and held[1] is not actor
        else:
            fits = held is not None and (held[2] is None or actor not in held[1:])
        try:
            if act == 0:
                row = services.same_as_declare(
                    actor=actor, now=NOW, person_id=pair[0], other_id=pair[1], evidence="Card seen"
                )
                model[pair] = [row, actor, None]
            elif act == 1:
                services.same_as_confirm(actor=actor, now=NOW, same_as_id=row)
                model[pair][2] = actor
            else:
                services.same_as_withdraw(actor=actor, now=NOW, same_as_id=row)
                del model[pair]
        except InputError:
            assert not fits
        else:
            assert fits
    for person in people:
        found, new = {person}, {person}
        while new:
            joined = {one for pair, held in model.items() if held[2] and set(pair) & new for one in pair}
            new = joined - found
            found |= new
        assert selectors.same_as(person) == found


# ---- corrections ---------------------------------------------------------------------------------------------


def test_a_correction_counts_from_the_second_officer_on() -> None:
    family = f"family:{a_family()}"
    row = correct(family)
    assert counted(family) == {}
    assert [c.id for c in selectors.corrections_waiting(regions=("35",))] == [row]
    with pytest.raises(Refused):
        services.correction_confirm(actor=CLERK, now=NOW, correction_id=row)
    with pytest.raises(Refused):
        services.correction_confirm(actor=ELSEWHERE, now=NOW, correction_id=row)
    services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=row)
    assert counted(family) == {"decile": 2}
    assert counted(family, on=TODAY - timedelta(days=1)) == {}
    assert not selectors.corrections_waiting(regions=None)
    with pytest.raises(InputError, match="confirmed already"):
        services.correction_confirm(actor=SUPERVISOR, now=NOW, correction_id=row)


def test_the_latest_correction_counts_and_a_replaced_one_does_not() -> None:
    family = f"family:{a_family()}"
    wrong = correct(family, 9, valid_from=TODAY)
    earlier = correct(family, 3, valid_from=TODAY - timedelta(days=9))
    for row in (wrong, earlier):
        services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=row)
    assert counted(family) == {"decile": 9}
    right = correct(family, 4, valid_from=TODAY - timedelta(days=1), replaces=wrong)
    assert counted(family) == {"decile": 9}
    services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=right)
    assert counted(family) == {"decile": 4}
    with pytest.raises(InputError, match="has replaced this one"):
        services.correction_withdraw(actor=SUPERVISOR, now=NOW, correction_id=wrong)
    services.correction_withdraw(actor=SUPERVISOR, now=NOW, correction_id=right)
    assert counted(family) == {"decile": 9}


def test_what_two_made_a_third_takes_back() -> None:
    family = f"family:{a_family()}"
    row = correct(family)
    services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=row)
    for one_of_two in (CLERK, REVIEWER):
        with pytest.raises(Refused, match="a third one"):
            services.correction_withdraw(actor=one_of_two, now=NOW, correction_id=row)
    services.correction_withdraw(actor=SUPERVISOR, now=NOW, correction_id=row)
    assert counted(family) == {}
    waiting = correct(family)
    services.correction_withdraw(actor=CLERK, now=NOW, correction_id=waiting)
    with pytest.raises(InputError, match="withdrawn"):
        services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=waiting)
    assert [c.id for c in selectors.corrections_ever(family, regions=None)] == [row, waiting]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"fact": "religion", "value": "islam"}, "Nobody is decided"),
        ({"fact": "no_such_fact"}, "not a declared fact of a family"),
        ({"fact": "sex", "value": "male"}, "not a declared fact of a family"),
        ({"value": 11}, "from 1 to 10"),
        ({"value": True}, "from 1 to 10"),
        ({"value": "2"}, "from 1 to 10"),
        ({"source": "hearsay"}, "not a register"),
        ({"evidence": " "}, "The evidence"),
        ({"evidence_kind": "hearsay"}, "Choose what was seen: one of identity_card, family_card"),
        ({"evidence_kind": "home_visit", "now": datetime(2025, 12, 31, tzinfo=UTC)}, "Choose what was seen"),
        ({"evidence": "NIK 3510 0141 0580 9001 seen"}, "Leave NIK"),
        ({"case": "phone 081234567890"}, "A reference"),
        ({"subject": "family:77"}, "There is no family:77"),
        ({"subject": "village:77"}, "A subject is written"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(wrong: dict[str, Any], sentence: str) -> None:
    family = f"family:{a_family()}"
    before = events()
    with pytest.raises(InputError, match=sentence):
        correct(**{"subject": family} | wrong)
    assert events() == before


def test_a_correction_replaces_only_its_own_fact() -> None:
    family, another = (f"family:{a_family()}" for _ in range(2))
    first = correct(family)
    for subject, more in ((another, {}), (family, {"fact": "cars", "value": 1})):
        with pytest.raises(InputError, match="the same fact of the same subject"):
            correct(subject, replaces=first, **more)


# ---- every act -----------------------------------------------------------------------------------------------


def test_every_act_leaves_one_event_of_its_actor() -> None:
    person, family = a_person(), a_family()
    before = len(events())
    services.membership_begin(actor=CLERK, now=NOW, person_id=person, family_id=family, since=TODAY)
    row = correct(f"person:{person}", True, fact="severe_disability")
    services.correction_confirm(actor=REVIEWER, now=NOW, correction_id=row)
    assert events()[before:] == [
        ("people.membership_begun", f"person:{person}", "officer:1"),
        ("people.correction_made", f"person:{person}", "officer:1"),
        ("people.correction_confirmed", f"person:{person}", "officer:2"),
    ]


def test_regions_wall_off_every_reader() -> None:
    person, family = a_person("Siti Aminah"), a_family()
    services.membership_begin(actor=SYSTEM, now=NOW, person_id=person, family_id=family, since=TODAY)
    assert selectors.search(name="siti am", region="35.10", regions=("35",))
    for regions in ((), ("35.11",), ("3",), ("36", "35.1")):
        assert selectors.person(person, regions=regions) is None
        assert selectors.persons([person], regions=regions) == {}
        assert selectors.family(family, regions=regions) is None
        assert selectors.family_of(person, TODAY, regions=regions) is None
        assert selectors.family_members(family, TODAY, regions=regions) == []
        assert selectors.search(name="siti", region="35.10", regions=regions) == []


def test_search_by_the_beginning_of_a_name() -> None:
    for name in ("Sutini", "SUTINAH", "sut_ni", "Budi", "Ni Luh"):
        a_person(name)
    a_person("Sutikno", "35.11")
    a_person("Sutinem", born=date(1990, 1, 1))

    def found(name: str, **more: Any) -> list[str]:
        rows = selectors.search(name=name, region="35.10", regions=None, **more)
        return sorted(person.name for person in rows)

    assert found("sutin") == ["SUTINAH", "Sutinem", "Sutini"]
    assert found("sut_") == ["sut_ni"]
    assert found("SUTIN", birth_date=date(1990, 1, 1)) == ["Sutinem"]
    assert found("%ud") == []
    with pytest.raises(InputError, match="at least 2"):
        found("s")
