"""An explanation gives the outcome first, each reason with its fact, and what to do: as JSON and read aloud."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salur.core import rules
from salur.core.rules.aloud import Words
from salur.core.rules.cases import Held, canonical

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
CATALOGUE = rules.read_catalogue(BOOKS / "facts.toml")
ON = date(2026, 11, 1)
EXPLAINERS = {
    path.stem: rules.Explainer(rules.plan_on(rules.read_rulebook(path, CATALOGUE), ON))
    for path in sorted(BOOKS.glob("*.toml"))
    if path.name != "facts.toml"
}


def value_of(fact):
    plain = {
        "boolean": st.booleans(),
        "integer": st.integers(fact.least, min(fact.most, fact.least + 12)),
        "category": st.sampled_from(fact.values or ("-",)),
        "date": st.dates(date(1930, 1, 1), ON),
    }[fact.type]
    held = st.builds(
        Held, plain, st.sampled_from([None, "office"]), st.dates(ON - timedelta(days=900), ON) | st.none()
    )
    return st.none() | plain | held


def facts_of(unit):
    return st.fixed_dictionaries({fact.name: value_of(fact) for fact in CATALOGUE.of(unit)})


@st.composite
def cases(draw):
    members = tuple(
        rules.Member(person_id, draw(facts_of("person")))
        for person_id in range(1, draw(st.integers(1, 5)) + 1)
    )
    return rules.Case(1, "35.10", draw(st.booleans()), draw(facts_of("family")), members, draw(st.booleans()))


@settings(max_examples=100, deadline=None)
@given(cases())
def test_a_stored_case_is_read_without_checks_as_it_is_with_them(case):
    text = canonical(case)
    assert rules.stored_case(text, CATALOGUE) == rules.parse_case(text, CATALOGUE)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(EXPLAINERS)), cases(), st.sampled_from(["id", "en"]))
def test_every_decision_can_be_told_as_json_and_aloud(programme, case, language):
    explanation = EXPLAINERS[programme].explain(case, person_id=1)
    decision = explanation.decision
    told = json.loads(json.dumps(explanation.to_json(language)))
    assert [c["outcome"] for c in told["criteria"]] == [
        False if decision.failed >> bit & 1 else None if decision.unknown >> bit & 1 else True
        for bit in range(len(told["criteria"]))
    ]
    assert sum(component["amount"] for component in told["components"]) == told["amount"]
    assert {c["criterion"] for c in told["would_change"]} <= {
        c["id"] for c in told["criteria"] if not c["outcome"]
    }
    for criterion in told["criteria"]:
        assert bool(criterion["owner"]) == bool(criterion["facts"]), criterion["id"]
        for fact in criterion["facts"]:
            assert {"name", "value", "source", "as_of"} <= fact.keys()
    text = explanation.text(language)
    assert not set("{}") & set(text)
    assert "None" not in text
    paragraphs = text.split("\n\n")
    assert paragraphs[1].split(".")[0].isupper(), paragraphs[1]


def explain(programme, family, *members, person=None, **kwargs):
    people = tuple(rules.Member(number, facts) for number, facts in enumerate(members, start=1))
    case = rules.Case(
        7, "35.10", kwargs.get("found", True), family, people, kwargs.get("members_known", True)
    )
    return EXPLAINERS[programme].explain(case, person)


def test_a_refusal_names_the_fact_its_source_its_date_and_what_would_be_needed():
    told = explain("sembako", {"decile": Held(7, None, date(2026, 7, 1))}).to_json("en")
    assert told["outcome"] == "not_eligible"
    change = next(c for c in told["would_change"] if c["fact"] == "decile")
    assert (change["value"], change["needed"]) == (7, 4)
    criterion = next(c for c in told["criteria"] if c["outcome"] is False)
    assert criterion["facts"][0] | {"label": ""} == {
        "name": "decile", "value": 7, "source": "dtsen", "as_of": "2026-07-01", "label": "",
    }  # fmt: skip


def test_a_refusal_read_aloud_says_what_to_do_and_by_when():
    text = explain("sembako", {"decile": Held(7, None, date(2026, 7, 1))}).text("en")
    assert "What is needed: at most 4." in text
    assert "1 July 2026" in text
    assert "By 1 December 2026 at the latest" in text


def test_a_stale_fact_is_shown_with_its_date_and_counts_as_unknown():
    explanation = explain("sembako", {"decile": Held(2, None, date(2024, 1, 1))})
    told = explanation.to_json("en")
    assert told["outcome"] in ("needs_data", "not_eligible")
    fact = next(f for c in told["criteria"] for f in c["facts"] if f["name"] == "decile")
    assert (fact["value"], fact["as_of"], fact["stale"]) == (2, "2024-01-01", True)


def test_a_corrected_fact_keeps_its_own_source():
    told = explain("sembako", {"decile": Held(2, "office", date(2026, 10, 1))}).to_json("en")
    fact = next(f for c in told["criteria"] for f in c["facts"] if f["name"] == "decile")
    assert fact["source"] == "office"


def test_members_not_on_record_are_named_as_such():
    text = explain("pkh", {"decile": 1}, members_known=False).text("en")
    assert "(members not on record)" in text
    assert text.split("\n\n")[1].startswith("NOT YET DECIDED")


def test_a_family_that_no_register_knows_is_not_refused():
    text = explain("pkh", {}, found=False, members_known=False).text("id")
    assert "Ini bukan penolakan" in text


def test_the_members_served_are_named_by_id():
    told = explain(
        "pkh", {"decile": 1}, {"birth_date": date(2024, 1, 1)}, {"birth_date": date(1950, 1, 1)}
    ).to_json()
    served = {c["id"]: c["members"] for c in told["components"] if c["most"]}
    assert told["outcome"] == "needs_data"
    assert all(members == [] for members in served.values())


def test_a_person_programme_needs_to_know_who():
    with pytest.raises(rules.InputError, match="--person"):
        explain("pip", {"decile": 1}, {"school_level": "primary"})
    with pytest.raises(rules.InputError, match="There is no person 9"):
        explain("pip", {"decile": 1}, {"school_level": "primary"}, person=9)


def test_money_and_numbers_are_written_as_each_language_does():
    assert Words("id").money(2_400_000) == "Rp2.400.000"
    assert Words("en").money(2_400_000) == "Rp2,400,000"


def test_an_entitled_family_is_told_which_missing_facts_could_bring_more():
    nothing = {fact.name: False for fact in CATALOGUE.of("person") if fact.type == "boolean"}
    adult = nothing | {
        "birth_date": date(1990, 1, 1),
        "occupation": "farmer",
        "sex": "female",
        "school_level": "none",
    }
    child = nothing | {
        "birth_date": date(2022, 1, 1),
        "occupation": "none",
        "sex": "male",
        "school_level": "none",
    }
    text = explain("pkh", {"decile": 1}, adult | {"pregnant": None}, child).text("en")
    assert "It may become Rp1,500,000" in text
    assert "Pregnant or just delivered (member 1): ask" in text


@pytest.mark.parametrize(
    ("rule", "facts", "told"),
    [
        ("electricity_va == 2", {"electricity_va": 5}, "2"),
        ("electricity_va in [1, 3, 700]", {"electricity_va": 650}, "700"),
        ("electricity_va != 5", {"electricity_va": 5}, "other than 5"),
        ("electricity_va <= 900", {"electricity_va": 1300}, "at most 900"),
        ("electricity_va > 900", {"electricity_va": 450}, "at least 901"),
        ("10 <= electricity_va <= 20", {"electricity_va": 25}, "from 10 to 20"),
        ("decile <= 3 and electricity_va <= 20", {"decile": 5, "electricity_va": None}, "at most 20"),
        ("tenure not in ['owned', 'rented']", {"tenure": "owned"}, "free of rent or tied to a job"),
        ("tenure in ['owned']", {"tenure": "rented"}, "owned"),
        ("not urban", {"urban": True}, "no"),
    ],
)
def test_what_is_needed_is_told_as_the_rule_has_it(tmp_path, rule, facts, told):
    text = (BOOKS / "sembako.toml").read_text("utf-8").replace("decile <= highest_decile", rule)
    (tmp_path / "rule.toml").write_text(text, "utf-8")
    book = rules.read_rulebook(tmp_path / "rule.toml", CATALOGUE)
    case = rules.Case(1, "35.10", True, facts, (), True)
    text = rules.Explainer(rules.plan_on(book, ON)).explain(case).text("en")
    assert f"What is needed: {told}." in text


def test_meeting_the_conditions_of_a_quota_is_not_yet_a_place():
    person = {"birth_date": date(2000, 1, 1), "education": "higher", "work_status": "seeking", "occupation": "none",
              "public_pensioner": False}  # fmt: skip
    explanation = explain(
        "digital-talent", {"welfare_score": 5, "decile": 2, "internet": True}, person, person=1
    )
    assert explanation.decision.outcome == "eligible"
    assert explanation.placed is None
    assert explanation.text("en").split("\n\n")[1].startswith("MEETS THE CONDITIONS.")
