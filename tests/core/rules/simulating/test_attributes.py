"""The breakdowns at their edges: heads, ages on birthdays, families whose members are not all known."""

from __future__ import annotations

from datetime import date
from itertools import product
from pathlib import Path

import pytest
from tests.core.rules.simulating import judge, naive
from tests.core.rules.written import write_population

from salur.core import rules
from salur.core.rules.simulate import count
from salur.core.rules.simulate.attributes import BREAKDOWNS

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"


@pytest.mark.parametrize("on", [date(2026, 9, 30), date(2025, 2, 28), date(2028, 2, 29)])
def test_every_family_stands_where_a_plain_reading_puts_it(tmp_path, on):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    births = [
        None,
        *(date(on.year - years, month, day) for years in (25, 35, 45, 60, 70)
          for month, day in ((9, 29), (9, 30), (10, 1), (2, 28), (3, 1))),
        date(2000, 2, 29),
    ]  # fmt: skip
    heads = list(product(births, ("female", "male", None), (True, False, None), ("head", "child", None)))
    cases = []
    for number, (birth, sex, disabled, relation) in enumerate(heads, start=1):
        facts = {"birth_date": birth, "sex": sex, "severe_disability": disabled, "relation": relation}
        own = {name: value for name, value in facts.items() if value is not None}
        members = [rules.Member(number * 10, own)]
        if number % 3:  # another member, sometimes a second head, sometimes with nothing known
            more = {"relation": "head", "sex": "male", "birth_date": date(1980, 1, 1)} if number % 2 else {}
            members.append(
                rules.Member(
                    number * 10 + 1, {**more, **({"severe_disability": False} if number % 5 else {})}
                )
            )
        members = members * (number % 11 != 0)
        known = number % 4 != 0
        family = {"decile": number % 10 + 1, "urban": number % 2 == 0, "family_size": number % 9 + 1}
        kept = {name: value for index, (name, value) in enumerate(family.items()) if (number + index) % 7}
        cases.append(rules.Case(number, "35.10", True, kept, tuple(members), known))
    population = write_population(tmp_path / "people", catalogue, cases, on)
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "sembako.toml", catalogue), on)
    told = naive.simulate(cases, plan, None, breakdowns=[breakdown.name for breakdown in BREAKDOWNS])
    cells = count(plan, None, population, tmp_path / "work")
    assert judge.differences(cells, told) == []
    seen = {name: {value for value, _ in broken} for name, broken in cells.broken.items()}
    assert seen == {breakdown.name: set(range(breakdown.values + 1)) for breakdown in BREAKDOWNS}
