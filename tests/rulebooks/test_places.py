"""Quotas of shipped rulebooks: the poorest are served first, and one case is compared with the cut-off of its area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from tests.core.rules.written import write_population
from tests.golden.reading import CATALOGUE, SHIPPED

from salur.core.rules import rulebook
from salur.core.rules.cases import Case, from_json
from salur.core.rules.decide import Decisions, decide
from salur.core.rules.evaluate import Evaluator
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import Rulebook

ON = SHIPPED["pkh"].parameters["highest_decile"].values[-1].start.replace(year=2026)
JOBLESS = {
    "birth_date": "2004-05-17",
    "education": "upper_secondary",
    "work_status": "seeking",
    "occupation": "none",
}
UNCOVERED = {
    "birth_date": "1986-05-17", "health_cover": "none", "occupation": "none", "public_pensioner": False,
    "wage_above_minimum": False,
}  # fmt: skip


def _case(family_id: int, region: str, family: dict[str, Any], *members: dict[str, Any]) -> Case:
    people = [{"person_id": 10 * family_id + i, **member} for i, member in enumerate(members)]
    return from_json(
        {"family_id": family_id, "region": region, "facts": family, "members": people}, CATALOGUE
    )


def _decided(book: Rulebook, cases: list[Case], tmp_path: Path, engine: str) -> Decisions:
    population = write_population(tmp_path / "population", CATALOGUE, cases, ON)
    return decide(plan(book, ON), population, tmp_path / "decisions", engine=engine)


def _outcomes(decisions: Decisions) -> dict[int, tuple[str, int]]:
    rows = duckdb.execute(
        f"SELECT unit_id, outcome, COLUMNS('^n_') FROM read_parquet('{decisions.path}/decisions/*.parquet')"
    ).fetchall()
    return {row[0]: (row[1], sum(row[2:])) for row in rows}


def _same_one_by_one(book: Rulebook, cases: list[Case], decisions: Decisions) -> None:
    outcomes = _outcomes(decisions)
    evaluator = Evaluator(plan(book, ON))
    for case in cases:
        for member in case.members:
            decision = evaluator.decide(case, member.person_id, decisions.cutoffs)
            assert (decision.outcome, sum(decision.counts)) == outcomes[member.person_id]


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_digital_talent_takes_the_poorest_194_of_each_regency(engine: str, tmp_path: Path) -> None:
    book = SHIPPED["digital-talent"]
    places = book.parameters["places"].values[-1].value
    assert isinstance(places, int)
    # one too many in 35.10, two of them with the same score at the cut: the smaller id goes first
    crowded = [_case(n, "35.10", {"welfare_score": min(n, places)}, JOBLESS) for n in range(1, places + 2)]
    roomy = [_case(9001, "35.09", {"welfare_score": 1_000_000}, JOBLESS)]
    decisions = _decided(book, crowded + roomy, tmp_path, engine)
    outcomes = _outcomes(decisions)
    waiting = [unit for unit, (outcome, _) in outcomes.items() if outcome == "waiting"]
    assert waiting == [10 * (places + 1)]
    assert outcomes[10 * places] == ("eligible", 2)  # the training place and the certificate
    assert outcomes[90010] == ("eligible", 2)
    assert outcomes[waiting[0]] == ("waiting", 0)
    _same_one_by_one(book, crowded + roomy, decisions)


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_pbi_counts_persons_in_the_whole_country(engine: str, tmp_path: Path) -> None:
    small = tmp_path / "pbi-jkn.toml"
    small.write_bytes(SHIPPED["pbi-jkn"].raw.replace(b"value = 96800000", b"value = 3"))
    book = rulebook.read(small, CATALOGUE)
    cases = [
        _case(1, "35.10", {"decile": 2, "welfare_score": 200}, UNCOVERED, UNCOVERED),
        _case(2, "51.08", {"decile": 1, "welfare_score": 100}, UNCOVERED, UNCOVERED),
        _case(3, "51.08", {"decile": 6, "welfare_score": 50}, UNCOVERED),  # takes no place
    ]
    decisions = _decided(book, cases, tmp_path, engine)
    assert _outcomes(decisions) == {
        20: ("eligible", 1), 21: ("eligible", 1), 10: ("eligible", 1), 11: ("waiting", 0), 30: ("not_eligible", 0),
    }  # fmt: skip
    _same_one_by_one(book, cases, decisions)
