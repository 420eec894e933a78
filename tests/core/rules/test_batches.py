"""No row is lost where an engine hands its rows over in batches."""

from datetime import date
from pathlib import Path

import pytest
from tests.core.rules.written import write_population

from salur.core import rules
from salur.core.rules import engines

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"


@pytest.mark.parametrize("families", [3, 4, 9])
@pytest.mark.parametrize("engine", engines.NAMES)
def test_every_unit_is_decided_at_the_edges_of_a_batch(tmp_path, monkeypatch, request, engine, families):
    monkeypatch.setattr(engines, "BATCH", 4)
    url = request.getfixturevalue("postgres_url") if engine == "postgres" else None
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    on = date(2026, 11, 1)
    cases = [
        rules.Case(n, "35.10", True, {"decile": n % 10 + 1}, (rules.Member(n, {}),))
        for n in range(1, families + 1)
    ]
    population = write_population(tmp_path / "people", catalogue, cases, on)
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "pbi-jkn.toml", catalogue), on)
    done = rules.decide_population(plan, population, tmp_path / "out", engine=engine, postgres_url=url)
    units = [line.split("|")[4] for line in rules.decision_lines(done, population, catalogue)]
    assert units == [str(n) for n in range(1, families + 1)]
