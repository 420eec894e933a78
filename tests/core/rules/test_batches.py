"""No row is lost where an engine hands its rows over in batches."""

import json
import threading
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
    if engine == "spark":
        request.getfixturevalue("spark_running")
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


@pytest.mark.parametrize("name", ["d*", "out[1]", "out?"])
def test_a_folder_whose_name_means_several_files_is_refused(tmp_path, name):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    on = date(2026, 11, 1)
    population = write_population(tmp_path / "people", catalogue, [rules.Case(1, "35.10", True, {}, ())], on)
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "pkh.toml", catalogue), on)
    with pytest.raises(rules.InputError, match="must not hold"):
        rules.decide_population(plan, population, tmp_path / name)
    (tmp_path / "people").rename(tmp_path / name)
    with pytest.raises(rules.InputError, match="must not hold"):
        rules.open_population(tmp_path / name, catalogue)


def test_a_folder_may_have_blanks_quotes_and_brackets_in_its_name(tmp_path):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    on = date(2026, 11, 1)
    cases = [rules.Case(n, "35.10", True, {"decile": 1}, (rules.Member(n, {}),)) for n in range(1, 4)]
    population = write_population(tmp_path / "o u't {x}", catalogue, cases, on)
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "digital-talent.toml", catalogue), on)
    done = rules.decide_population(plan, population, tmp_path / "d u't {x}")
    assert len(list(rules.decision_lines(done, population, catalogue))) == 3


def test_an_interrupted_engine_stops_as_by_ctrl_c(tmp_path):
    connection = engines.connect(tmp_path)
    stopped = threading.Event()

    def interrupt():
        while not stopped.wait(0.05):
            connection.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    endless = "SELECT a.range * b.range AS n FROM range(1000000) a, range(1000000) b"
    try:
        with pytest.raises(KeyboardInterrupt), engines.sentences(tmp_path):
            engines.copy(connection, endless, tmp_path / "out.parquet")
    finally:
        stopped.set()
        thread.join()


def test_decisions_are_not_written_into_a_population(tmp_path):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    population = write_population(
        tmp_path / "people", catalogue, [rules.Case(1, "35.10", True, {}, ())], date(2026, 11, 1)
    )
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "pkh.toml", catalogue), date(2026, 11, 1))
    with pytest.raises(rules.InputError, match="inside the population"):
        rules.decide_population(plan, population, tmp_path / "people" / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"components": ["x\" FROM t; COPY (SELECT 42) TO 'pwned.csv'; --"]},
        {"rows": {"../../etc": 1}},
        {"population": "x"},
        {"cutoffs": {"35.10": {"closed": False, "score": "1 OR 1=1", "unit_id": 1}}},
        {"reference_date": None},
        {"files": {}},
    ],
)
def test_a_manifest_that_was_changed_is_not_read(tmp_path, change):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    population = write_population(
        tmp_path / "people", catalogue, [rules.Case(1, "35.10", True, {}, ())], date(2026, 11, 1)
    )
    plan = rules.plan_on(rules.read_rulebook(BOOKS / "pkh.toml", catalogue), date(2026, 11, 1))
    done = rules.decide_population(plan, population, tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_text(json.dumps(dict(done.manifest) | change))
    with pytest.raises(rules.InputError, match=r"was changed"):
        rules.open_decisions(tmp_path / "out")


def test_a_later_case_finds_no_place_where_the_last_one_was_just_taken(tmp_path):
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    on = date(2026, 11, 1)
    text = (BOOKS / "digital-talent.toml").read_text("utf-8")
    (tmp_path / "few.toml").write_text(text.replace("value = 194", "value = 2"), "utf-8")
    plan = rules.plan_on(rules.read_rulebook(tmp_path / "few.toml", catalogue), on)
    graduate = {"birth_date": date(2000, 1, 1), "education": "higher", "work_status": "seeking", "occupation": "none",
                "public_pensioner": False}  # fmt: skip

    def case(number, score):
        return rules.Case(
            number, "35.10", True, {"welfare_score": score, "decile": 2}, (rules.Member(number, graduate),)
        )

    population = write_population(tmp_path / "people", catalogue, [case(1, 10), case(2, 20)], on)
    done = rules.decide_population(plan, population, tmp_path / "out")
    assert done.manifest["totals"]["outcomes"]["eligible"]["units"] == 2
    evaluator = rules.Evaluator(plan)
    later = [evaluator.decide(case(3, score), 3, done.cutoffs).outcome for score in (5, 20, 30)]
    assert later == ["eligible", "waiting", "waiting"]
