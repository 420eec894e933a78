"""`python -m bench`: measures, prints ratios, and writes docs/benchmarks.md. `python -m bench agree`: compares engines.

Every figure is that of a whole process as the operating system counts it, or of the work inside it where said;
medians of several runs, interleaved, because the machine is not alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import agree
from bench.work import ROOT

RUNS = 5


def run(name: str, *arguments: object) -> dict[str, Any]:
    """One piece of work in a process of its own: its findings, CPU seconds and peak memory in MB."""
    command = [sys.executable, "-m", "bench.work", name, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{name} failed with {process.returncode}")
    found: dict[str, Any] = json.loads(said)
    return found | {"process_cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def median(runs: list[dict[str, Any]], key: str) -> float:
    return statistics.median(found[key] for found in runs)


def population(folder: Path, families: int, regencies: str) -> tuple[Path, dict[str, Any] | None]:
    """A population with 5 % unknown, made once and kept; with the measure of making it, if it was made now."""
    path = folder / f"{regencies}-{families}"
    if (path / "manifest.json").exists():
        return path, None
    return path, run("generate", path, families, regencies)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "agree"), default="speed")
    parser.add_argument("--families", type=int, default=1_000_000)
    parser.add_argument("--regencies", default="35")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--programmes", default="pkh,digital-talent")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "benchmarks.md")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    path, _ = population(given.folder, given.families, given.regencies)
    if given.what == "agree":
        found = agree.compare(path, given.folder / "agree", given.programmes.split(","))
        (given.folder / "agreement.json").write_text(json.dumps(found, indent=2))
        sys.exit(any(row["differing"] for row in found["engines"]) or bool(found["one_by_one"]["differing"]))
    text = report(given, path)
    given.report.write_text(text, "utf-8")
    print(text)


def report(given: argparse.Namespace, path: Path) -> str:
    """Measure everything and write the page."""
    folder = given.folder
    small = folder / f"{given.regencies}-{given.families // 10}"
    shutil.rmtree(small, ignore_errors=True)  # made anew, so that the making is measured
    made = run("generate", small, given.families // 10, given.regencies)
    hand, ours = folder / "by_hand", folder / "ours"
    run("decide", path, ours)  # verifies the population once
    kinds: dict[str, tuple[Any, ...]] = {
        "scan": ("scan", path),
        "by hand": ("by_hand", path, hand),
        "decide": ("decide", path, ours),
    }
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for _ in range(given.runs):
        for kind, work in kinds.items():
            runs[kind].append(run(*work))
    same = run("same", ours, hand)
    floor = median(runs["scan"], "cpu")
    out = [
        "# Benchmarks",
        "",
        "Written by `make bench`; no figure is typed by hand. CPU seconds, medians of "
        f"{given.runs} runs in turn, each in a process of its own. Ratios are the figures to trust.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d} · {platform.machine()}, {os.cpu_count()} cores · Python {platform.python_version()} · "
        f"DuckDB {version('duckdb')} · Salur {version('salur')}",
        "",
        f"## PKH decided for {given.families:,} families, 5 % of every fact unknown",
        "",
        "| work | CPU s | ÷ scan | ÷ by hand | whole process CPU s | peak MB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    by_hand = median(runs["by hand"], "cpu")
    names = {
        "scan": "scan of the needed columns (the floor)",
        "by hand": "a query written by hand for DuckDB ([bench/by_hand.sql](../bench/by_hand.sql))",
        "decide": "`decide`, compiled from the rulebook: checks, writing, hashing, totals",
    }
    for kind, name in names.items():
        cpu = median(runs[kind], "cpu")
        out.append(
            f"| {name} | {cpu:.2f} | {cpu / floor:.1f} | {cpu / by_hand:.2f} | "
            f"{median(runs[kind], 'process_cpu'):.2f} | {median(runs[kind], 'mb'):.0f} |"
        )
    out += [
        "",
        f"Rows by hand and by `decide`: {same['rows'][1]:,} and {same['rows'][0]:,}; {same['differing']:,} differ.",
    ]
    tenth = run("decide", small, folder / "small")
    out += [
        "",
        f"Peak memory of `decide` at {given.families // 10:,} families: {tenth['mb']:.0f} MB; at {given.families:,}: "
        f"{median(runs['decide'], 'mb'):.0f} MB.",
        "",
        "## One decision",
        "",
        "Median microseconds over real cases as they come, outcomes mixed.",
        "",
        "| programme | outcome alone | with reasons and what would change | as JSON | read aloud |",
        "|---|---:|---:|---:|---:|",
    ]
    for programme in ("pkh", "sembako", "pip"):
        times = run("one", path, programme)["microseconds"]
        out.append(f"| {programme} | " + " | ".join(f"{value:.0f}" for value in times.values()) + " |")
    checked, told = run("verify", path), run("lines", ours, path)
    out += [
        "",
        "## Beside it",
        "",
        "| work | CPU s | families a CPU second | peak MB |",
        "|---|---:|---:|---:|",
    ]
    beside = [("verify every row, once per population", given.families, checked)]
    beside.append(("make the synthetic population", given.families // 10, made))
    beside.append(("decision lines, each with the hash of its case", given.families, told))
    with postgres() as url:
        for engine in ("sqlite", "python", *(["postgres"] if url else [])):
            found = run("decide", small, folder / f"small-{engine}", "pkh", engine, url)
            beside.append((f"PKH on {engine}", given.families // 10, found))
    beside.append(("PKH on duckdb, for comparison", given.families // 10, tenth))
    for name, families, found in beside:
        out.append(
            f"| {name} | {found['cpu']:.2f} | {families / max(found['cpu'], 0.01):,.0f} | {found['mb']:.0f} |"
        )
    out += ["", "PostgreSQL's own processes are not counted in its row."] if url else []
    agreement = folder / "agreement.json"
    if agreement.exists():
        out += agree.table(json.loads(agreement.read_text()))
    return "\n".join(out) + "\n"


@contextmanager
def postgres() -> Iterator[str]:
    """A throw-away PostgreSQL, or nothing where its programs are not installed."""
    sys.path.insert(0, str(ROOT))
    from tests import postgres as servers

    folder = servers.binaries()
    if folder is None:
        yield ""
    else:
        with servers.cluster(folder) as url:
            yield url


if __name__ == "__main__":
    main()
