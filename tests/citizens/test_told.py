"""What is told of one family does not depend on whom was told before: what is kept is kept by all that it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.rules.test_explain import EXPLAINERS, cases

from salur.citizens import told
from salur.core import rules
from salur.core.rules.aloud import Words


def said(case: rules.Case, programme: str, language: str) -> tuple[Any, ...]:
    explainer = EXPLAINERS[programme]
    explanation = explainer.explain(case, person_id=1)
    got = told._got(explainer, explanation.decision.counts, language)
    return told._reasons(explanation, Words(language)), told._members(explanation, language), got


def forget() -> None:
    for each in vars(told).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


@st.composite
def families_alike(draw: st.DrawFn) -> list[tuple[rules.Case, str, str]]:
    """Families that differ in little: one member of whom nothing is known, one member not on record, a fact."""
    case = draw(cases())
    last = rules.Member(case.members[-1].person_id + 1, {})
    alike = [
        case,
        replace(case, members=(*case.members, last), members_known=True),
        replace(case, members_known=False),
        replace(case, facts={}),
        replace(case, found=not case.found),
    ]
    programme = draw(st.sampled_from(sorted(EXPLAINERS)))
    languages = st.sampled_from(["id", "en"])
    return [(each, programme, draw(languages)) for each in draw(st.permutations(alike))]


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(families_alike())
def test_families_one_after_the_other_read_what_each_reads_alone(families: list[Any]) -> None:
    alone = []
    for family in families:
        forget()
        alone.append(said(*family))
    forget()
    assert [said(*family) for family in families] == alone
