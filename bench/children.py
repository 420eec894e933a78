"""What is measured: each function runs in a fresh process (`measured`) and gives figures of its own as JSON."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCAN = {
    "families": ("family_id", "region", "found", "members_known", "decile", "decile__as_of"),
    "persons": (
        "family_id", "birth_date", "sex", "pregnant", "pregnant__as_of", "severe_disability", "school_level",
        "school_level__as_of", "occupation", "public_pensioner", "wage_above_minimum", "certified_teacher",
        "village_official", "company_owner",
    ),
}  # fmt: skip
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """One child process: CPU seconds of all its threads, peak memory, wall seconds, and what it told."""

    cpu: float
    rss_mb: float
    wall: float
    told: dict[str, Any] = field(default_factory=dict)


def measured(name: str, **arguments: Any) -> Run:
    """Run one of the functions below in a fresh Python."""
    return command([sys.executable, "-m", "bench.children", name, json.dumps(arguments)])


def command(words: list[str]) -> Run:
    """Run a command; the JSON in its last line, if it is JSON, is what it told."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(words, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - started
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)[:200]} ended with {process.returncode}:\n{text[-2000:]}")
    last = text.strip().splitlines()[-1:] or [""]
    told = json.loads(last[0]) if last[0].startswith("{") and words[2:3] == ["bench.children"] else {}
    memory = told.pop("rss_mb", usage.ru_maxrss / 1024)
    return Run(usage.ru_utime + usage.ru_stime, memory, wall, told)


def cpu() -> float:
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def emptied(folder: Path) -> Iterator[Path]:
    """An empty place for a folder that is thrown away."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parquet(query: str, target: str) -> str:
    return f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"


# ---- a whole population ------------------------------------------------------------------------------------


def nothing() -> dict[str, Any]:
    """A Python that only starts."""
    return {}


def scan(population: str) -> dict[str, Any]:
    """The greatest value of each column that PKH reads: the least that any way of deciding must do."""
    import duckdb

    connection, started = duckdb.connect(), cpu()
    for kind, columns in SCAN.items():
        shown = ", ".join(f"max({column})" for column in columns)
        connection.execute(f"SELECT {shown} FROM read_parquet('{population}/{kind}/*.parquet')").fetchall()
    return {"query": cpu() - started}


def by_hand(population: str, out: str) -> dict[str, Any]:
    """by_hand.sql, written to one Parquet file."""
    import duckdb

    tables = {kind: f"read_parquet('{population}/{kind}/*.parquet')" for kind in SCAN}
    query = (HERE / "by_hand.sql").read_text("utf-8").format(**tables)
    connection, started = duckdb.connect(), cpu()
    connection.execute(_parquet(query, out)).fetchall()
    return {"query": cpu() - started}


def in_polars(population: str, out: str) -> dict[str, Any]:
    """The same in Polars' lazy expressions, streamed to one Parquet file."""
    from bench.in_polars import decided

    started = cpu()
    decided(Path(population)).sink_parquet(out, compression="zstd", engine="streaming")
    return {"query": cpu() - started}


def compiled(population: str, out: str) -> dict[str, Any]:
    """Only the SQL compiled from the rulebook, province by province, as the engine runs it."""
    from bench.populations import opened
    from salur.core.rules import decide, engines, sql

    plan, held = opened(Path(population), "pkh")
    folder = Path(out)
    folder.mkdir(parents=True)
    worker, started = engines.DuckDB(folder), cpu()
    shown = sql.columns(plan) if plan.places else decide._shown(plan, "")
    for province in held.provinces:
        worker.decide(plan, held, province, shown, folder / f"{province}.parquet")
    return {"query": cpu() - started}


def decide(
    population: str,
    out: str,
    checked: str,
    programme: str = "pkh",
    engine: str = "duckdb",
    url: str | None = None,
) -> dict[str, Any]:
    """`salur rules decide` as a library: read the rulebook, decide, write files, totals and the manifest."""
    from bench.populations import opened
    from salur.core import rules

    plan, held = opened(Path(population), programme)
    done = rules.decide_population(
        plan, held, Path(out), engine=engine, postgres_url=url, checked=Path(checked)
    )
    return {"totals": done.manifest["totals"]["outcomes"], "id": done.id}


def verify(population: str) -> dict[str, Any]:
    """Every row read and checked, as before the first decision on a population."""
    from bench.populations import opened
    from salur.core.population.layout import verify as look

    plan, held = opened(Path(population), "pkh")
    return {"faults": len(look(held, plan.rulebook.catalogue))}


def lines(population: str, decisions: str) -> dict[str, Any]:
    """Every decision line, with the hash of its case."""
    from bench.populations import opened
    from salur.core import rules

    plan, held = opened(Path(population), "pkh")
    done = rules.open_decisions(Path(decisions))
    return {"lines": sum(1 for _ in rules.decision_lines(done, held, plan.rulebook.catalogue))}


def generate(families: int, regencies: str, out: str) -> dict[str, Any]:
    """A population made."""
    from bench.populations import population

    population(families, regencies, Path(out))
    return {}


def same(population: str, decisions: str, other: str) -> dict[str, Any]:
    """Rows of our decisions that another query's file has not, or has otherwise, or elsewhere."""
    import duckdb

    connection = duckdb.connect()
    ours = f"(SELECT * FROM read_parquet('{decisions}/decisions/*.parquet'))"
    theirs = f"(SELECT * FROM read_parquet('{other}'))"
    numbered = "SELECT row_number() OVER () AS place, t.* FROM {} t"
    first, second = (numbered.format(table) for table in (ours, theirs))
    found = [
        connection.execute(f"SELECT count(*) FROM (({a}) EXCEPT ({b}))").fetchall()[0][0]
        for a, b in ((first, second), (second, first))
    ]
    rows = connection.execute(f"SELECT count(*) FROM {ours}").fetchall()[0][0]
    return {"rows": rows, "differing": max(found)}


# ---- one case ----------------------------------------------------------------------------------------------


def one_case(population: str, families: int) -> dict[str, Any]:
    """Microseconds of CPU for one case: median and 99th percentile over families as they come."""
    from itertools import islice

    from bench.populations import opened
    from salur.core import rules
    from salur.core.rules import cases
    from salur.core.rules.rows import cases as cases_of

    plan, held = opened(Path(population), "pkh")
    catalogue = plan.rulebook.catalogue
    read = list(islice(cases_of(held, catalogue, held.provinces[0], plan.on), families))
    texts = {case.family_id: cases.canonical(case) for case in read}
    explainer = rules.Explainer(plan)
    evaluator = explainer.evaluator
    ways: dict[str, Callable[[Any], Any]] = {
        "parse": lambda case: rules.parse_case(texts[case.family_id], catalogue),
        "decide": evaluator.decide,
        "reasons": lambda case: explainer.explain(case).reasons,
        "json": lambda case: explainer.explain(case).to_json(),
        "text": lambda case: explainer.explain(case).text(),
    }
    times: dict[str, list[int]] = {name: [] for name in ways}
    for case in read:
        for name, way in ways.items():
            started = time.thread_time_ns()
            way(case)
            times[name].append(time.thread_time_ns() - started)
    outcomes: dict[str, int] = {}
    for case in read:
        outcome = evaluator.decide(case).outcome
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    told: dict[str, Any] = {"outcomes": outcomes, "cases": len(read)}
    for name, taken in times.items():
        taken.sort()
        told[name] = {
            "median": taken[len(taken) // 2] / 1000,
            "p99": taken[len(taken) * 99 // 100] / 1000,
            "mean": sum(taken) / len(taken) / 1000,
        }
    return told


def case_file(population: str, out: str) -> dict[str, Any]:
    """The first case of a population as a file."""
    from bench.populations import opened
    from salur.core.rules import cases
    from salur.core.rules.rows import cases as cases_of

    plan, held = opened(Path(population), "pkh")
    first = next(cases_of(held, plan.rulebook.catalogue, held.provinces[0], plan.on))
    Path(out).write_text(cases.canonical(first), "utf-8")
    return {}


def _peak_mb() -> float | None:
    """Peak memory of this program alone; what wait4 tells would include its parent's before it was started."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next(
        (int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), None
    )


if __name__ == "__main__":
    answer = globals()[sys.argv[1]](**json.loads(sys.argv[2]))
    if (peak := _peak_mb()) is not None:
        answer["rss_mb"] = peak
    print(json.dumps(answer))
