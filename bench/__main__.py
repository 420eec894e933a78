"""`python -m bench`: measures, prints ratios, and writes docs/benchmarks.md. `python -m bench agree`: compares engines.
`python -m bench cycle`: a cycle in a database, on SQLite and PostgreSQL.
`python -m bench nation`: all of Indonesia, resumable (bench/nation.py).

Every figure is that of a whole process as the operating system counts it, or of the work inside it where said;
medians of several runs, interleaved, because the machine is not alone. What was found is kept beside the
populations, so that each command writes the whole page.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import agree, nation, page, spark
from bench.server import Server, postgres
from bench.work import ROOT

RUNS = 7
REGENCY = "35.10"
PAGES = 12_000  # families; the pages of all but some are asked for before one is measured
Found = dict[str, Any]


def run(name: str, *arguments: object) -> Found:
    """One piece of work in a process of its own: its findings, CPU seconds and peak memory in MB."""
    return timed([sys.executable, "-m", "bench.work", name, *map(str, arguments)])


def timed(command: list[str], **environment: str) -> Found:
    """A command: what it said where that is JSON, with `process_cpu` and `mb`."""

    said(" ".join(command[2:5]))
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, cwd=ROOT, text=True, env=os.environ | environment
    ) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)[:300]} failed with {process.returncode}")
    found: Found = json.loads(told) if told.startswith("{") else {}
    return found | {"process_cpu": used.ru_utime + used.ru_stime, "mb": used.ru_maxrss / 1024}


def said(text: str) -> None:
    """Progress, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r{text[:78]:<78}", end="", file=sys.stderr)


def population(folder: Path, families: int, regencies: str) -> Path:
    """A population with 5 % unknown, made once and kept."""
    path = folder / f"{regencies}-{families}"
    if not (path / "manifest.json").exists():
        run("generate", path, families, regencies)
    return path


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speed", "agree", "cycle", "nation"), default="speed")
    parser.add_argument(
        "--families", type=int, help="1000000; for cycle 680000, all of one regency; for nation 93000000"
    )
    parser.add_argument("--regencies", default="35", help="codes with commas between, or all")
    parser.add_argument(
        "--corrected", type=int, default=10_000, help="families of the cycle that is corrected"
    )
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--large", action="store_true", help="memory at ten times the families too")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument(
        "--programmes", default="pkh,digital-talent", help="for agree; all: every shipped one"
    )
    parser.add_argument("--cases", type=int, default=100_000, help="families decided one by one by agree")
    parser.add_argument("--report", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--date", default=f"{datetime.now(UTC):%Y-%m-%d}", help="shown on the page")
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    given.families = given.families or {"cycle": 680_000, "nation": 93_000_000}.get(given.what, 1_000_000)
    if given.what == "nation":
        found = nation.measure(given.folder / "nation", given.families, given.date, run)
        found["differing"] = int(not found["same"])
    elif given.what == "cycle":
        with postgres(durable=True) as server:
            found = cycled(given, server)
    else:
        path = population(given.folder, given.families, given.regencies)
        with postgres() as server:
            found = compared(given, path, server) if given.what == "agree" else measured(given, path, server)
    found |= page.machine(given.date)
    (given.folder / f"{given.what}.json").write_text(json.dumps(found, indent=1), "utf-8")
    kept = {file.stem: json.loads(file.read_text("utf-8")) for file in given.folder.glob("*.json")}
    given.report.write_text(page.text(kept), "utf-8")
    said("")
    print(page.text({given.what: found}))
    sys.exit(bool(found.get("differing")))


def compared(given: argparse.Namespace, path: Path, server: Server | None) -> Found:
    """The lines of every engine, and of one case after the other."""
    names = given.programmes.split(",") if given.programmes != "all" else agree.shipped()
    url = server.url if server else ""
    rows = [agree.compare(path, name, given.folder, given.cases, url) for name in names]
    return {
        "families": given.families, "programmes": rows,
        "unknown": {fact: share for row in rows for fact, share in row["unknown"].items()},
        "differing": sum(row["differing"] for row in rows),
    }  # fmt: skip


def on_each(
    given: argparse.Namespace, server: Server | None, name: str, module: str, *arguments: str
) -> dict[str, Found]:
    """A piece of work with a database, on an empty one of each kind: its last argument is a folder of its own."""
    found = {}
    for kind in ("sqlite", *(["postgres"] if server else [])):
        with TemporaryDirectory(dir=given.folder) as folder, ExitStack() as stack:
            url, before = f"sqlite:///{folder}/salur.sqlite3", 0.0
            if kind == "postgres" and server:
                url, before = stack.enter_context(server.database(name)), server.cpu()
            command = [sys.executable, "-m", module, *arguments, folder]
            row = timed(command, SALUR_DATABASE_URL=url, SALUR_HOME=folder, SALUR_DEMO="1")
            row["server_cpu"] = server.cpu() - before if kind == "postgres" and server else 0.0
        found[kind] = row
    return found


def busy_page(given: argparse.Namespace, server: Server | None) -> dict[str, Found]:
    """The page that a family opens, of families of one regency."""
    path = population(given.folder, min(PAGES, given.families), REGENCY)
    return on_each(given, server, "pages", "bench.citizen_page", str(path))


def cycled(given: argparse.Namespace, server: Server | None) -> Found:
    """A load and corrections, on each database."""
    sizes = {"load": given.families, "corrections": given.corrected}
    people = {name: population(given.folder, families, REGENCY) for name, families in sizes.items()}
    found = {}
    for name, path in people.items():
        run("decide", path, given.folder / "cycle")  # verified from here on
        found[name] = on_each(given, server, name, "bench.cycle", name, str(path))
    return {"families": given.families, **found}


def measured(given: argparse.Namespace, path: Path, server: Server | None) -> Found:
    """Everything but the agreement."""
    folder = given.folder
    ours, hand, peer = folder / "ours", folder / "by_hand", folder / "polars"
    run("decide", path, ours)  # verifies the population once
    kinds: dict[str, tuple[Any, ...]] = {
        "scan": ("scan", path), "by_hand": ("by_hand", path, hand),
        "compiled": ("compiled", path, folder / "compiled"), "decide": ("decide", path, ours),
    }  # fmt: skip
    if find_spec("polars"):
        kinds["polars"] = ("polars", path, peer)
    runs: dict[str, list[Found]] = {kind: [] for kind in kinds}
    for _ in range(given.runs):
        for kind, work in kinds.items():
            runs[kind].append(run(*work))
    same = [run("same", ours, other) for kind, other in (("by_hand", hand), ("polars", peer)) if kind in runs]
    found: Found = {
        "families": given.families, "regencies": given.regencies, "runs": given.runs,
        "work": {kind: middle(each) for kind, each in runs.items()},
        "ratios": {
            "`decide` ÷ by hand": ratio(runs["decide"], runs["by_hand"], "cpu"),
            "the compiled SQL alone ÷ by hand": ratio(runs["compiled"], runs["by_hand"], "cpu"),
            "`decide` ÷ by hand, whole processes": ratio(runs["decide"], runs["by_hand"], "process_cpu"),
            "`decide` ÷ scan": ratio(runs["decide"], runs["scan"], "cpu"),
        },
        "rows": same[0]["rows"], "differing": sum(each["differing"] for each in same),
        "one": {programme: run("one", path, programme) for programme in ("pkh", "sembako", "pip")},
        "memory": [memory(given, families) for families in sizes(given)],
    }  # fmt: skip
    if "polars" in runs:
        found["ratios"]["`decide` ÷ Polars by hand"] = ratio(runs["decide"], runs["polars"], "cpu")
    return found | {
        "beside": beside(given, path, ours),
        "engines": engines(given, server),
        "scale": [scale(given, families) for families in sizes(given)[1:]],
        "page": busy_page(given, server),
    }


def middle(runs: list[Found]) -> Found:
    return {key: median(found[key] for found in runs) for key in ("cpu", "process_cpu", "mb")}


def ratio(over: list[Found], under: list[Found], key: str) -> list[float]:
    """Lowest, median and highest of the ratios of each turn."""
    each = sorted(a[key] / b[key] for a, b in zip(over, under, strict=True))
    return [each[0], median(each), each[-1]]


def sizes(given: argparse.Namespace) -> list[int]:
    return [given.families // 10, given.families, *([given.families * 10] if given.large else [])]


def memory(given: argparse.Namespace, families: int) -> Found:
    """Peak memory of `decide`, the regencies of the whole country in proportion."""
    path = population(given.folder, families, "all")
    run("verify_once", path)
    return run("decide", path, given.folder / "memory") | {"families": families}


def scale(given: argparse.Namespace, families: int) -> Found:
    """From family facts and from persons, with ranks in every regency, beside the scan of the same columns."""
    path, book = population(given.folder, families, "all"), nation.ranked(given.folder, families)
    cache, out = given.folder / "family-facts", given.folder / "scale"
    run("verify_once", path)
    shutil.rmtree(cache, ignore_errors=True)
    found: Found = {"families": families, "work": {
        "make": run("prepare", path, book, cache), "classes": run("classify", path, book, cache),
    }}  # fmt: skip
    run("classify", path, "pkh", cache)
    kinds: dict[str, tuple[Any, ...]] = {
        "scan_facts": ("scan", path, book, cache),
        "facts": ("decide", path, out, book, "duckdb", "", cache),
        "facts_plain": ("decide", path, out, "pkh", "duckdb", "", cache),
        "scan_persons": ("scan", path, book),
        "persons": ("decide", path, out, book),
        "persons_plain": ("decide", path, out, "pkh"),
    }
    turns = 3 if families <= given.families else 1
    runs: dict[str, list[Found]] = {kind: [] for kind in kinds}
    for _ in range(turns):
        for kind, work in kinds.items():
            runs[kind].append(run(*work))
            shutil.rmtree(out, ignore_errors=True)
    found["work"] |= {kind: middle(each) for kind, each in runs.items()}
    found["ratios"] = {
        kind: ratio(runs[kind], runs[f"scan_{kind.partition('_')[0]}"], "cpu")
        for kind in kinds if not kind.startswith("scan")
    }  # fmt: skip
    return found | {"turns": turns}


def beside(given: argparse.Namespace, path: Path, ours: Path) -> list[tuple[str, int, Found]]:
    """What else a cycle costs: (what, families, found)."""
    small = given.families // 10
    case = given.folder / "case.json.txt"
    run("case", path, case)
    command = [sys.executable, "-c", "from salur.commands import main; main()"]
    command += ["rules", "explain", "pkh", "--case", str(case), "--on", "2026-09-30"]
    told = sorted((timed(command) for _ in range(given.runs)), key=lambda found: float(found["process_cpu"]))[
        given.runs // 2
    ]
    made = given.folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    making = run("generate", made, small, given.regencies)
    shutil.rmtree(made)
    return [
        ("verify every row, once per population", given.families, run("verify", path)),
        ("decision lines, each with the hash of its case", given.families, run("lines", ours, path)),
        ("make a synthetic population", small, making),
        ("`salur rules explain` on the command line, whole", 1, told | {"cpu": told["process_cpu"]}),
    ]


def engines(given: argparse.Namespace, server: Server | None) -> dict[str, Found]:
    """PKH by each engine on a tenth of the families; PostgreSQL with the CPU of its server."""
    small = population(given.folder, given.families // 10, given.regencies)
    run("decide", small, given.folder / "engine")  # verified from here on
    found = {}
    for name in ("duckdb", "sqlite", "python", *(["postgres"] if server else [])):
        before = server.cpu() if server else 0.0
        url = server.url if server else ""
        found[name] = run("decide", small, given.folder / "engine", "pkh", name, url)
        if server and name == "postgres":
            found[name]["cpu"] += server.cpu() - before
    if spark.here():
        found["spark"] = timed(spark.command(small, given.folder / "engine"))
    return found


if __name__ == "__main__":
    main()
