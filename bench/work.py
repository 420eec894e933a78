"""The pieces of work that are measured, each run in a process of its own: `python -m bench.work NAME ARGUMENTS`.

Each prints one line of JSON: what it found, and `cpu`, the CPU seconds of the work itself without imports.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BOOKS = ROOT / "src" / "salur" / "rulebooks"
SAMPLE = 4_000  # cases for the time of one decision


def cpu() -> float:
    """CPU seconds of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def opened(population: str) -> tuple[Any, Any]:
    """The shipped catalogue and a population."""
    from salur.core import rules

    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    return catalogue, rules.open_population(Path(population), catalogue)


def plan_of(programme: str, catalogue: Any, population: Any) -> Any:
    """The plan of a shipped rulebook, or of one that is named by its file."""
    from salur.core import rules

    path = Path(programme) if programme.endswith(".toml") else BOOKS / f"{programme}.toml"
    return rules.plan_on(rules.read_rulebook(path, catalogue), population.reference_date)


def generate(out: str, families: str, regencies: str) -> dict[str, Any]:
    """Make a population with 5 % of every fact unknown."""
    from salur.core.population.commands import read_regencies
    from salur.core.population.generate import Generator
    from salur.core.population.generate import generate as make
    from salur.core.rules import read_catalogue

    maker = Generator(
        read_regencies(regencies), int(families), 1, read_catalogue(BOOKS / "facts.toml"), _day(), 5.0
    )
    begun = cpu()
    make(maker, Path(out))
    return {"cpu": cpu() - begun}


def _day() -> Any:
    from salur.core.population.commands import REFERENCE_DATE

    return REFERENCE_DATE.date()


def scan(population: str, programme: str = "pkh", family_facts: str = "") -> dict[str, Any]:
    """Read the columns that a rulebook needs, and nothing else: the floor. From family facts, or from persons."""
    from salur.core.rules import engines
    from salur.core.rules.family_facts import prepare
    from salur.core.rules.rows import quoted

    catalogue, people = opened(population)
    plan = plan_of(programme, catalogue, people)
    connection = engines.connect(Path(population).parent)  # which never answers from the statistics of a file
    files = []
    for province in people.provinces:
        columns = [f'max("{name}")' for name in engines.needed(plan, people, "families")]
        files.append((people.families(province), columns))
        if family_facts:
            facts = prepare(plan, people, province, Path(family_facts), connection)
            assert facts is not None
            files.append((facts, ["max(COLUMNS(*))"]))
        else:
            columns = [f'max("{name}")' for name in engines.needed(plan, people, "persons")]
            files.append((people.persons(province), columns))
    begun = cpu()
    for path, columns in files:
        connection.execute(f"SELECT {', '.join(columns)} FROM read_parquet({quoted(path)})").fetchall()
    return {"cpu": cpu() - begun}


def prepare(population: str, programme: str, family_facts: str) -> dict[str, Any]:
    """Make the family facts of every province, or go on."""
    from salur.core.rules import family_facts as facts

    def make(plan: Any, people: Any, folder: Path, connection: Any) -> list[Path | None]:
        return [facts.prepare(plan, people, province, folder, connection) for province in people.provinces]

    return _kept(population, programme, Path(family_facts), make)


def classify(population: str, programme: str, family_facts: str) -> dict[str, Any]:
    """Put the families of every province into classes, from family facts that are there; or go on."""
    from salur.core.rules import family_classes

    def make(plan: Any, people: Any, folder: Path, connection: Any) -> list[Path | None]:
        made = family_classes.prepare(plan, people, people.provinces, folder, connection)
        return [path for each in made.values() for path in (each.classes, each.families)]

    return _kept(population, programme, Path(family_facts), make)


def _kept(
    population: str, programme: str, folder: Path, make: Callable[..., list[Path | None]]
) -> dict[str, Any]:
    """What it takes to make some files of a cache, and their bytes."""
    from salur.core.rules import engines

    catalogue, people = opened(population)
    plan, work = plan_of(programme, catalogue, people), folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    begun = cpu()
    files = make(plan, people, folder, engines.connect(work))
    return {"cpu": cpu() - begun, "bytes": sum(path.stat().st_size for path in files if path)}


def by_hand(population: str, out: str) -> dict[str, Any]:
    """PKH written by hand for DuckDB, with the same rows, order, columns and compression."""
    import duckdb

    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    query = (ROOT / "bench" / "by_hand.sql").read_text("utf-8")
    begun = cpu()
    connection = duckdb.connect()
    for families in sorted(Path(population, "families").glob("*.parquet")):
        persons = Path(population, "persons", families.name)
        text = query.format(families=f"read_parquet('{families}')", persons=f"read_parquet('{persons}')")
        target = folder / families.name
        connection.execute(f"COPY ({text}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)").fetchall()
    return {"cpu": cpu() - begun}


def polars(population: str, out: str) -> dict[str, Any]:
    """The same in Polars' lazy expressions, streamed to one file."""
    from bench.in_polars import decided

    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begun = cpu()
    decided(Path(population)).sink_parquet(folder / "all.parquet", compression="zstd", engine="streaming")
    return {"cpu": cpu() - begun}


def compiled(population: str, out: str) -> dict[str, Any]:
    """Only the SQL compiled from the rulebook, with the writing of its rows: what the query by hand does."""
    from salur.core.rules import engines, sql

    catalogue, people = opened(population)
    plan = plan_of("pkh", catalogue, people)
    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shown = [column for column in sql.columns(plan) if column != "region"]
    begun = cpu()
    worker = engines.DuckDB(folder / "work")
    for province in people.provinces:
        worker.decide(plan, people, province, shown, folder / f"{province}.parquet")
    return {"cpu": cpu() - begun}


def decide(
    population: str,
    out: str,
    programme: str = "pkh",
    engine: str = "duckdb",
    url: str = "",
    family_facts: str = "",
) -> dict[str, Any]:
    """`decide` as everybody runs it, on a population that was verified before."""
    from salur.core import rules

    catalogue, people = opened(population)
    plan = plan_of(programme, catalogue, people)
    if (Path(out) / "manifest.json").exists():  # a run that was killed goes on
        shutil.rmtree(out)
    decide_population = rules.decide_population  # which imports
    begun = cpu()
    decide_population(
        plan,
        people,
        Path(out),
        engine=engine,
        postgres_url=url or None,
        checked=Path(population).parent / "checked",
        family_facts=Path(family_facts) if family_facts else None,
    )
    return {"cpu": cpu() - begun}


def statistics(out: str) -> dict[str, Any]:
    """`salur rules statistics OUT --by province`."""
    from typer.testing import CliRunner

    from salur.core.rules.commands import app

    begun = cpu()
    told = CliRunner().invoke(app, ["statistics", out, "--by", "province", "--json"])
    assert told.exit_code == 0, told.output
    return {"cpu": cpu() - begun, "provinces": len(json.loads(told.stdout))}


def counted(out: str) -> dict[str, Any]:
    """The same from the rows themselves: units by outcome and masks of every decision."""
    import duckdb

    begun = cpu()
    rows = f"read_parquet('{out}/decisions/*.parquet')"
    found = (
        duckdb.connect()
        .execute(f"SELECT outcome, failed, unknown, count(*) FROM {rows} GROUP BY ALL")
        .fetchall()
    )
    return {"cpu": cpu() - begun, "masks": len(found), "units": sum(row[3] for row in found)}


def same(out: str, other: str) -> dict[str, Any]:
    """How many rows of our decisions differ from those of another query, or stand in another place."""
    import duckdb

    connection = duckdb.connect()
    ours, theirs = (
        f"SELECT row_number() OVER () AS place, r.* FROM read_parquet('{files}') r"
        for files in (f"{out}/decisions/*.parquet", f"{other}/*.parquet")
    )
    counted = [
        connection.execute(f"SELECT count(*) FROM (({a}) EXCEPT ALL ({b}))").fetchall()[0][0]
        for a, b in ((ours, theirs), (theirs, ours))
    ]
    rows = connection.execute(f"SELECT count(*) FROM ({ours})").fetchall()[0][0]
    return {"cpu": 0.0, "differing": max(counted), "rows": rows}


def verify_once(population: str) -> dict[str, Any]:
    """The reading of every row, remembered as `decide` does."""
    from salur.core.rules.decide import verified

    catalogue, people = opened(population)
    begun = cpu()
    verified(people, plan_of("pkh", catalogue, people), Path(population).parent / "checked", lambda *_: None)
    return {"cpu": cpu() - begun}


def verify(population: str) -> dict[str, Any]:
    """The reading of every row before the first decision."""
    from salur.core.population.layout import verify as read_all

    catalogue, people = opened(population)
    begun = cpu()
    faults = read_all(people, catalogue)
    return {"cpu": cpu() - begun, "faults": len(faults)}


def lines(out: str, population: str) -> dict[str, Any]:
    """Write the decision lines, each with the hash of its case."""
    from salur.core import rules

    catalogue, people = opened(population)
    begun = cpu()
    count = sum(1 for _ in rules.decision_lines(rules.open_decisions(Path(out)), people, catalogue))
    return {"cpu": cpu() - begun, "lines": count}


def case(population: str, out: str) -> dict[str, Any]:
    """The first case of a population as a file."""
    from salur.core.rules import cases
    from salur.core.rules.rows import cases as cases_of

    catalogue, people = opened(population)
    first = next(cases_of(people, catalogue, people.provinces[0], people.reference_date))
    Path(out).write_text(cases.canonical(first), "utf-8")
    return {"cpu": 0.0}


def one(population: str, programme: str = "pkh") -> dict[str, Any]:
    """Median microseconds of one decision, over real cases as they come."""
    from itertools import islice

    from salur.core import rules
    from salur.core.rules.rows import cases

    catalogue, people = opened(population)
    plan = plan_of(programme, catalogue, people)
    explainer = rules.Explainer(plan)
    found = list(islice(cases(people, catalogue, people.provinces[0], plan.on), SAMPLE))
    person = plan.rulebook.unit == "person"
    who = [
        (case, case.members[0].person_id if person else None) for case in found if case.members or not person
    ]
    begun = cpu()
    times = {
        "outcome alone": _median(who, lambda case, id_: explainer.evaluator.decide(case, id_)),
        "with reasons": _median(who, lambda case, id_: explainer.explain(case, id_).reasons),
        "as JSON": _median(who, lambda case, id_: explainer.explain(case, id_).to_json()),
        "read aloud": _median(who, lambda case, id_: explainer.explain(case, id_).text()),
    }
    outcomes = Counter(explainer.evaluator.decide(case, id_).outcome for case, id_ in who)
    return {"cpu": cpu() - begun, "microseconds": times, "cases": len(who), "outcomes": outcomes}


def _median(who: list[tuple[Any, Any]], work: Callable[[Any, Any], object]) -> float:
    for case, id_ in who[:200]:
        work(case, id_)
    times = []
    for case, id_ in who:
        begun = time.process_time_ns()
        work(case, id_)
        times.append(time.process_time_ns() - begun)
    return sorted(times)[len(times) // 2] / 1000


def simulate(population: str, parameter: str, value: str, cache: str) -> dict[str, Any]:
    """PKH with another value of a parameter against PKH, from family facts; nothing of an earlier run is answered."""
    from salur.core.rules import plan_on
    from salur.core.rules.simulate import Options
    from salur.core.rules.simulate import simulate as compare
    from salur.core.rules.simulate.sweeps import with_value

    catalogue, people = opened(population)
    old = plan_of("pkh", catalogue, people)
    new = plan_on(with_value(old.rulebook, parameter, int(value)), old.on)
    folder, work = Path(cache), Path(cache) / "simulate" / "measured"
    for left in (work, folder / "members"):
        shutil.rmtree(left, ignore_errors=True)
    options = Options(facts=folder, checked=folder / "checked", truth=people.path / "truth")
    begun, clock = cpu(), time.monotonic()
    found = compare(new, old, people, work, options)
    moved = sum(line.units for line in found.kinds if not {"same", "unchanged"} & set(line.names))
    return {"cpu": cpu() - begun, "seconds": time.monotonic() - clock, "moved": moved}


WORKS: dict[str, Callable[..., dict[str, Any]]] = {
    work.__name__: work
    for work in (
        generate,
        scan,
        by_hand,
        polars,
        compiled,
        decide,
        same,
        verify,
        verify_once,
        lines,
        case,
        one,
        prepare,
        classify,
        statistics,
        counted,
        simulate,
    )
}

if __name__ == "__main__":
    print(json.dumps(WORKS[sys.argv[1]](*sys.argv[2:])))
