"""Python, DuckDB, SQLite, PostgreSQL and the naive reading give the same decision lines on random rulebooks.

`HYPOTHESIS_EXAMPLES=5000 pytest tests/core/rules/test_engines_agree.py` for a longer soak.
"""

from __future__ import annotations

import random
import tempfile
import tomllib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from tests import spark
from tests.core.rules import rich_sample
from tests.core.rules.agreement import Judge
from tests.core.rules.rulebooks_random import (
    LABEL,
    SHIPPED,
    Dated,
    Json,
    Setting,
    Table,
    family,
    settings_drawn,
)
from tests.core.rules.soak import PROFILE, examples

from salur.core.rules import engines as engine_module
from salur.core.rules import rows as rows_module

agreeing = settings(max_examples=examples(40), **PROFILE)


def check(setting: Setting, engines: tuple[str, ...], postgres_url: str | None = None) -> None:
    event(f"unit {setting.rulebook['unit']}, quota {setting.rulebook.get('quota', {}).get('by')}")
    with tempfile.TemporaryDirectory() as folder:
        found = Judge(setting, Path(folder)).differences(engines, postgres_url)
    assert not found, "\n".join(found)


@agreeing
@given(setting=settings_drawn())
def test_python_duckdb_and_sqlite_agree_with_the_naive_reading(setting: Setting) -> None:
    check(setting, ("duckdb", "python", "sqlite"))


def test_postgresql_agrees_with_the_naive_reading(postgres_url: str) -> None:
    @agreeing
    @given(setting=settings_drawn())
    def agrees(setting: Setting) -> None:
        check(setting, ("postgres",), postgres_url)

    agrees()


# ---- on purpose ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engines(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], str | None]:
    """Every engine that is here."""
    url = request.getfixturevalue("postgres_url")
    names = ("duckdb", "python", "sqlite", "postgres")
    if spark.missing():  # test_spark.py says so
        return names, url
    request.getfixturevalue("spark_running")
    return (*names, "spark"), url


def families(catalogue: Table, on: date, count: int) -> tuple[dict[str, Dated], list[Json]]:
    dated = {name: Dated(fact["register"], on) for name, fact in catalogue["facts"].items()}
    cases = [family(random.Random(index), index, 0, catalogue, dated, on) for index in range(count)]
    for index, case in enumerate(cases):
        case["family_id"] = index
        for position, member in enumerate(case.get("members", [])):
            member["person_id"] = index * 64 + position
    return dated, cases


@pytest.mark.parametrize("path", sorted(SHIPPED.parent.glob("[!f]*.toml")), ids=lambda path: path.stem)
def test_the_rulebooks_of_the_product(
    path: Path, engines: tuple[tuple[str, ...], str | None], tmp_path: Path
) -> None:
    catalogue = tomllib.loads(SHIPPED.read_text("utf-8"))
    on = date(2026, 11, 20)
    book = tomllib.loads(path.read_text("utf-8"))
    dated, cases = families(catalogue, on, 400)
    for case in cases[::2]:  # half of them poor and found, so that not all are refused
        case["facts"]["decile"], case["found"] = 1 + case["family_id"] % 4, True
    assert not Judge(Setting(catalogue, book, on, dated, cases), tmp_path).differences(*engines)


def test_a_rulebook_as_large_as_it_may_be(
    engines: tuple[tuple[str, ...], str | None], tmp_path: Path
) -> None:
    """60 criteria and 60 components, one of the criteria 240 conditions long, with every limit and a quota."""
    sample = rich_sample.settings()[4]
    many = " or ".join(f"score < {index % 5} and level == {index % 11}" for index in range(120))
    ages = [f"any(years(birth) == {index})" for index in range(50)]
    require = [many, *ages, *(f"count(grade > {index}) < 9" for index in range(9))]
    book = sample.rulebook | {
        "parameters": {
            f"p{index}": {"values": [{"from": date(2000, 1, 1), "value": 1 + index % 7, "basis": "law"}]}
            for index in range(60)
        },
        "criteria": [
            {"id": f"k{index}", "require": text, "basis": "law", "says": LABEL}
            for index, text in enumerate(require)
        ],
        "components": [
            {
                "id": f"c{index}", "each": f"grade == {index % 13} or pregnant or poor", "delivers": "money",
                "amount": f"p{index}", "most": 1 + index % 3,
            }
            for index in range(60)
        ],
        "limits": {"one_per_member": True, "components": 5},
        "quota": {"by": "nation", "places": "p3", "counts": "persons", "rank": "score"},
    }  # fmt: skip
    assert len(book["criteria"]) == 60
    assert not Judge(replace(sample, rulebook=book), tmp_path).differences(*engines)


def test_the_longest_expression(engines: tuple[tuple[str, ...], str | None], tmp_path: Path) -> None:
    sample = rich_sample.settings()[2]
    long = " or ".join(f"rooms=={index % 7 - 3}" if index % 2 else f"score>{index}" for index in range(300))
    deep = "poor"
    for index in range(23):
        deep = f"({deep} or rooms == {index % 3}) and level != {index % 9}"
    criteria = [
        {"id": f"k{index}", "require": text, "basis": "law", "says": LABEL}
        for index, text in enumerate((long, deep))
    ]
    assert not Judge(
        replace(sample, rulebook=sample.rulebook | {"criteria": criteria}), tmp_path
    ).differences(*engines)


def test_no_row_is_lost_where_batches_meet(
    engines: tuple[tuple[str, ...], str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (engine_module, rows_module):
        monkeypatch.setattr(module, "BATCH", 7)
    for index in (4, 8):
        judge = Judge(rich_sample.settings()[index], tmp_path / str(index))
        assert not judge.differences(*engines)


def test_a_province_without_persons(engines: tuple[tuple[str, ...], str | None], tmp_path: Path) -> None:
    for index in (0, 4, 8):
        sample = rich_sample.settings()[index]
        cases = [case | {"members": []} if case["region"] < "35" else case for case in sample.cases]
        cases = [{k: v for k, v in case.items() if k != "members_known"} for case in cases]
        judge = Judge(replace(sample, cases=cases), tmp_path / str(index))
        assert not judge.differences(*engines)


def test_a_fact_of_which_nothing_is_known(
    engines: tuple[tuple[str, ...], str | None], tmp_path: Path
) -> None:
    for index in (0, 2, 4, 8):
        sample = rich_sample.settings()[index]
        lost = ("poor", "birth", "grade", "score")
        cases = [
            case
            | {"facts": {k: v for k, v in case["facts"].items() if k not in lost}}
            | (
                {"members": [{k: v for k, v in m.items() if k not in lost} for m in case["members"]]}
                if "members" in case
                else {}
            )
            for case in sample.cases
        ]
        judge = Judge(replace(sample, cases=cases), tmp_path / str(index))
        assert not judge.differences(*engines)


def test_families_as_large_as_they_may_be(
    engines: tuple[tuple[str, ...], str | None], tmp_path: Path
) -> None:
    """64 members, all of whom serve every component and every count, or of whom nothing is known."""
    for index in (0, 2, 3, 4):
        sample = rich_sample.settings()[index]
        cases: list[Json] = []
        for number, case in enumerate(sample.cases[:24]):
            facts: Json = {
                "pregnant": True,
                "works": True,
                "grade": 5,
                "birth": "1950-01-01",
                "school": "low",
            }
            facts["school"] = {
                "value": "low",
                "source": "other",
                "as_of": sample.dated["school"].as_of.isoformat(),
            }
            kept = [{}, facts, {name: facts[name] for name in list(facts)[number % 5 :]}][number % 3]
            members = [{"person_id": number * 64 + place, **kept} for place in range(64)]
            cases.append(case | {"members": members, "members_known": number % 4 > 0})
        judge = Judge(replace(sample, cases=cases), tmp_path / str(index))
        assert not judge.differences(*engines)
