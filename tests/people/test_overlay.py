"""Corrections over a case."""

from __future__ import annotations

import copy
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.people.people import facts

from salur.core.rules import cases
from salur.people.overlay import Corrected, overlay

FACTS = st.sampled_from(["decile", "cars", "urban"])
DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 5))
SCALARS = st.none() | st.booleans() | st.integers(0, 9) | st.just("x")


@st.composite
def case_and_corrections(draw: Any) -> tuple[dict[str, Any], list[Corrected]]:
    values = st.dictionaries(FACTS, SCALARS | st.fixed_dictionaries({"value": SCALARS}))
    members = draw(st.none() | st.lists(st.integers(1, 4), unique=True, max_size=3))
    case = {"family_id": draw(st.integers(1, 3)), "region": "35.10", "found": True, "facts": draw(values)}
    if members is not None:
        case["members"] = [{"person_id": id_, **draw(values)} for id_ in members]
    made = draw(
        st.lists(
            st.builds(
                Corrected, st.sampled_from(["person", "family"]), st.integers(1, 4), FACTS, SCALARS, DAYS,
                st.integers(1, 99), st.just("dtsen"), DAYS,
            ),
            unique_by=lambda c: c.id,
        )
    )  # fmt: skip
    return case, made


@given(case_and_corrections())
def test_twice_is_once_and_the_case_given_stays(both: tuple[dict[str, Any], list[Corrected]]) -> None:
    case, made = both
    before = copy.deepcopy(case)
    once = overlay(case, made)
    assert overlay(once, made) == once
    assert case == before


@given(case_and_corrections(), st.randoms())
def test_the_order_given_does_not_matter(both: tuple[dict[str, Any], list[Corrected]], random: Any) -> None:
    case, made = both
    shuffled = random.sample(made, len(made))
    assert overlay(case, shuffled) == overlay(case, made)


@given(case_and_corrections())
def test_only_named_facts_change_and_the_latest_wins(both: tuple[dict[str, Any], list[Corrected]]) -> None:
    case, made = both
    after = overlay(case, made)
    latest = {(c.kind, c.subject_id, c.fact): c for c in sorted(made, key=lambda c: (c.valid_from, c.id))}
    assert {k: v for k, v in after.items() if k not in ("facts", "members")} == {
        k: v for k, v in case.items() if k not in ("facts", "members")
    }

    def check(kind: str, id_: int, was: dict[str, Any], now: dict[str, Any]) -> None:
        for fact in {*was, *now, "decile", "cars", "urban"}:
            correction = latest.get((kind, id_, fact))
            if correction is None:
                assert (fact in now, now.get(fact)) == (fact in was, was.get(fact))
            elif correction.value is None:
                assert now[fact] is None
            else:
                assert now[fact]["value"] == correction.value

    check("family", case["family_id"], case["facts"], after["facts"])
    assert ("members" in after) == ("members" in case)
    for was, now in zip(case.get("members", []), after.get("members", []), strict=True):
        check("person", was["person_id"], was, now)


def test_the_result_is_a_case_that_the_engine_reads() -> None:
    case = {"family_id": 3, "region": "35.10", "found": True, "facts": {"decile": 5, "cars": 1},
            "members": [{"person_id": 7, "sex": "female"}]}  # fmt: skip
    day = date(2026, 9, 1)
    after = overlay(case, [
        Corrected("family", 3, "decile", 2, day, 1, "dtsen", day),
        Corrected("family", 3, "cars", None, day, 2, "samsat", day),
        Corrected("person", 7, "birth_date", "1980-05-01", day, 3, "dukcapil", day),
    ])  # fmt: skip
    assert cases.canonical(cases.from_json(after, facts())) == (
        '{"facts":{"decile":{"as_of":"2026-09-01","source":"dtsen","value":2}},"family_id":3,"found":true,'
        '"members":[{"birth_date":{"as_of":"2026-09-01","source":"dukcapil","value":"1980-05-01"},"person_id":7,'
        '"sex":"female"}],"members_known":true,"region":"35.10"}'
    )
