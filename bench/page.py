"""docs/benchmarks.md, made of what the last runs found: no figure is typed by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Found = dict[str, Any]
PACKAGES = ("salur", "duckdb", "pyarrow", "polars", "psycopg", "pyspark")
WORK = {
    "scan": "scan of the needed columns (the floor)",
    "by_hand": "a query written by hand for DuckDB ([bench/by_hand.sql](../bench/by_hand.sql))",
    "compiled": "the SQL compiled from the rulebook, alone",
    "decide": "`decide`: the same with checks, hashing, totals, manifest",
    "polars": "Polars, written by hand ([bench/in_polars.py](../bench/in_polars.py))",
}

DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
DEMANDS = {"`decide` ÷ by hand": "≤ 1.2"}


def machine(day: str) -> Found:
    """When and on what."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"machine": f"{day} · {_processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GB · "
                       f"Python {platform.python_version()} · {', '.join(versions)}"}  # fmt: skip


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next(
        (line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine()
    )


def text(kept: dict[str, Found]) -> str:
    """The page."""
    out = [
        "# Benchmarks",
        "",
        "Written by `make bench` (`python -m bench --large`), `python -m bench agree`, `cycle` and `nation`, and "
        "`python -m bench.openfisca`; no figure is typed by hand. CPU "
        "seconds of all threads, medians of several runs in turn, each in a process of its own. Other work on the "
        "machine moves the seconds: the ratios, each taken within one turn, are the figures to trust.",
    ]
    if "speed" in kept:
        out += _speed(kept["speed"])
    if "openfisca" in kept:
        out += _openfisca(kept["openfisca"])
    if "nation" in kept:
        out += _nation(kept["nation"])
        out += _simulate(kept["nation"])
    if "agree" in kept:
        out += _agree(kept["agree"])
    if "cycle" in kept:
        out += _cycle(kept["cycle"])
    return "\n".join(out) + "\n"


def _speed(found: Found) -> list[str]:
    families, floor = found["families"], found["work"]["scan"]["cpu"]
    mix = found["one"]["pkh"]
    outcomes = ", ".join(
        f"{count / mix['cases']:.0%} {name}" for name, count in sorted(mix["outcomes"].items())
    )
    duckdb = found["engines"]["duckdb"]["cpu"]
    return [
        "", found["machine"], "", f"## PKH decided for {families:,} families, 5 % of every fact unknown", "",
        *_table(
            ("work", "CPU s", "÷ scan", "whole process CPU s", "peak MB"),
            ((WORK[kind], f"{row['cpu']:.2f}", f"{row['cpu'] / floor:.1f}", f"{row['process_cpu']:.2f}",
              f"{row['mb']:.0f}") for kind, row in found["work"].items()),
        ),
        "",
        f"{found['runs']} turns; regencies `{found['regencies']}`. Whole processes start Python and import as well. "
        f"All give the same {found['rows']:,} rows in the same order; {found['differing']:,} differ.",
        "",
        *_table(
            ("ratio", "median", "lowest", "highest", "demand"),
            ((name, f"{middle:.2f}", f"{least:.2f}", f"{most:.2f}", DEMANDS.get(name, ""))
             for name, (least, middle, most) in found["ratios"].items()),
        ),
        "", "## One decision", "",
        f"Median milliseconds of CPU over {mix['cases']:,} families as they come (PKH: {outcomes}). Demand with "
        "reasons: ≤ 0.05.",
        "",
        *_table(
            ("programme", "outcome alone", "with reasons and what would change", "as JSON", "read aloud"),
            ((name, *(f"{value / 1000:.3f}" for value in one["microseconds"].values()))
             for name, one in found["one"].items()),
        ),
        "", "## Memory of `decide`, regencies of the whole country", "",
        *_table(
            ("families", "peak MB", "CPU s"),
            ((f"{row['families']:,}", f"{row['mb']:.0f}", f"{row['cpu']:.2f}") for row in found["memory"]),
        ),
        "", "## Beside it", "",
        *_table(
            ("work", "families", "CPU s", "families a CPU second", "peak MB"),
            ((name, f"{n:,}", f"{row['cpu']:.2f}", f"{n / max(row['cpu'], 0.01):,.0f}", f"{row['mb']:.0f}")
             for name, n, row in found["beside"]),
        ),
        "", f"## PKH by each engine, {families // 10:,} families", "",
        *_table(
            ("engine", "CPU s", "÷ DuckDB", "peak MB"),
            ((name, f"{row['cpu']:.2f}", f"{row['cpu'] / duckdb:.1f}", f"{row['mb']:.0f}")
             for name, row in found["engines"].items()),
        ),
        *(_scale(found["scale"]) if "scale" in found else []),
        *(_busy(found["page"]) if "page" in found else []),
    ]  # fmt: skip


def _busy(found: dict[str, Found]) -> list[str]:
    first = next(iter(found.values()))
    return [
        "", "## The busiest page: why this decision?", "",
        f"Milliseconds of CPU of a whole request in process; each of {first['pages']:,} families' pages once, for the "
        "first time. The quickest 50 one after the other show the work where nothing else was in the way. Demand: ≤ "
        f"0.4 ms, ≤ 60 KB, ≤ 6 requests; a first visit is {first['bytes'] / 1024:.0f} KB (files "
        f"compressed, as they are served) in {first['requests']} requests.",
        "",
        *_table(
            ("database", "median", "quickest 50", "9th decile", "one page again and again", "quickest 50",
             "an empty page of the frame", "quickest 50", "page ÷ empty"),
            ((DATABASES[kind], f"{row['page_ms']:.2f}", f"{row['page_least_ms']:.2f}",
              f"{row['page_9th_decile_ms']:.2f}", f"{row['again_ms']:.2f}", f"{row['again_least_ms']:.2f}",
              f"{row['empty_ms']:.2f}", f"{row['empty_least_ms']:.2f}",
              f"{row['ratio']:.1f}") for kind, row in found.items()),
        ),
    ]  # fmt: skip


def _openfisca(found: Found) -> list[str]:
    """The same criteria in another rule engine, and what it cannot say."""
    least, median, most = found["ratio"]
    more = found["theirs"] - found["outcomes"].get("eligible", 0)
    waiting = found["outcomes"].get("needs_data", 0)
    names = {
        "openfisca": f"{found['package']}, in memory, arrays given",
        "decide": "`decide`, from Parquet to Parquet",
    }
    return [
        "", "## Beside openfisca-core", "",
        f"`python -m bench.openfisca`, PKH for {found['families']:,} families, {found['runs']} turns, each in its own "
        "environment (it is AGPL-3.0 and never imported).",
        "",
        *_table(
            ("work", "CPU s", "peak MB"),
            ((names[kind], f"{row['cpu']:.2f}", f"{row['mb']:.0f}") for kind, row in found["work"].items()),
        ),
        "",
        f"`decide` ÷ openfisca-core: {median:.2f} ({least:.2f} to {most:.2f}). What it cannot express: the unknown (an "
        "absent value is its default), which criterion failed or waits for data, an amount at most, places, ranks. "
        f"With an unknown decile given as not poor, it grants {found['theirs']:,} families and `decide` "
        f"{found['ours']:,}; {more:,} of its grants are not proven, {waiting:,} of them wait for data with us. "
        f"It misses {found['missed']:,} of ours and gives {found['other_amount']:,} of them another amount.",
    ]  # fmt: skip


SCALE = {
    "make": ("family facts made, once per population", ""),
    "classes": ("families put into classes, once per population and what a rulebook reads", ""),
    "scan_facts": ("scan of the columns of families and family facts", ""),
    "facts_plain": ("`decide` from family facts and classes", "≤ 5"),
    "facts": ("`decide` from family facts and classes, ranks in each regency", "≤ 5"),
    "scan_persons": ("scan of the columns of families and persons", ""),
    "persons_plain": ("`decide` from persons", "≤ 10"),
    "persons": ("`decide` from persons, ranks in each regency", "≤ 10"),
}


def _scale(found: Found) -> list[str]:
    """From family facts and from persons."""
    out = ["", "## From family facts and from persons", ""]
    out += [
        "Whole country, PKH, 5 % of every fact unknown; each ratio within one turn, to the scan of the same columns. "
        "Memory is the peak of the whole process as the operating system counts it; demands: 500 MB from family "
        "facts, 1 GB from persons.",
        "",
    ]
    rows = [
        (SCALE[kind][0], f"{size['families']:,}", f"{size['work'][kind]['cpu']:.2f}",
         f"{size['ratios'][kind][1]:.1f}" if kind in size["ratios"] else "", SCALE[kind][1],
         f"{size['work'][kind]['mb']:.0f}")
        for kind in SCALE for size in found
    ]  # fmt: skip
    return out + _table(("work", "families", "CPU s", "÷ scan", "demand", "peak MB"), rows)


def _nation(found: Found) -> list[str]:
    """Every stage of the nation."""
    rows = [
        (name + (" (went on after a stop)" if done["again"] else ""), f"{done['wall'] / 60:.1f}",
         f"{done['process_cpu']:.1f}", f"{done['mb']:.0f}", f"{done['disk'] / 1e9:.1f}")
        for name, done in found["stages"].items()
    ]  # fmt: skip
    minutes = sum(done["wall"] for done in found["stages"].values()) / 60
    disk = max(done["disk"] for done in found["stages"].values()) / 1e9
    return [
        "", f"## The nation: {found['families']:,} families", "", found["machine"], "",
        "`make bench-nation`: each stage a process of its own; minutes are of the clock, whatever else the machine "
        f"did. In all {minutes:.0f} minutes and {disk:.1f} GB of disk (demands for 93,000,000 on 2 free cores: 30 and "
        "30). Decisions from family facts and from persons are "
        + ("the same bytes." if found["same"] else "NOT the same bytes."),
        "",
        *_table(("stage", "minutes", "CPU s", "peak MB", "disk GB after it"), rows),
    ]  # fmt: skip


SIMULATE = {
    "simulate, the first time: attributes of families": "",
    "simulate, change outside aggregates": "≤ 30",
    "simulate, change inside aggregates": "≤ 90",
}


def _simulate(found: Found) -> list[str]:
    """A changed rulebook against the one in force."""
    stages = {name: found["stages"][name] for name in SIMULATE if name in found["stages"]}
    if not stages:
        return []
    return [
        "", f"## Simulate before you decide: {found['families']:,} families", "",
        "PKH with one parameter changed against PKH, with all breakdowns and errors, from family facts; part of "
        "`make bench-nation`, each in a process of its own. Seconds are of the clock, whatever else the machine did; "
        "demands are for 93,000,000 families on 2 free cores.",
        "",
        *_table(
            ("work", "seconds", "demand", "CPU s", "CPU s ÷ 2", "peak MB", "families moved"),
            ((name, f"{done['seconds']:.0f}", SIMULATE[name], f"{done['cpu']:.0f}", f"{done['cpu'] / 2:.0f}",
              f"{done['mb']:.0f}", f"{done['moved']:,}") for name, done in stages.items()),
        ),
    ]  # fmt: skip


def _agree(found: Found) -> list[str]:
    return [
        "", "## Engines agree", "", found["machine"], "",
        f"`python -m bench agree`: {found['families']:,} families, every fact empty in at least "
        f"{min(found['unknown'].values()):.1%} of rows. All lines of every engine are compared with DuckDB's; some "
        "families are decided one by one from the JSON of their cases as well.",
        "",
        *_table(
            ("programme", "lines", "differing from DuckDB", "one by one", "differing", "SHA-256 of all lines"),
            ((row["programme"], f"{row['lines']:,}",
              ", ".join(f"{name} {n}" for name, n in row["engines"].items() if name != "duckdb"),
              f"{row['alone'][0]:,} families, {row['alone'][1]:,} lines", row["alone_differing"],
              f"`{row['sha256'][:16]}…`") for row in found["programmes"]),
        ),
        "", "Share of rows in which a fact is empty:", "",
        *_table(("fact", "empty"), ((name, f"{share:.1%}") for name, share in found["unknown"].items())),
    ]  # fmt: skip


def _cycle(found: Found) -> list[str]:
    loads, again = found["load"], found["corrections"]
    sample = next(iter(again.values()))
    return [
        "", "## A cycle in a database", "", found["machine"], "",
        f"PKH for {found['families']:,} families of one regency: decided, and every decision stored with the case "
        "that it rests on. Seconds are by the clock, on a machine with other work. Both databases write through to "
        "the disk; PostgreSQL has its own settings, and a role that row-level security holds. Demand: ≤ 90 s on "
        "SQLite.",
        "",
        *_table(
            ("database", "decisions", "cases", "seconds", "CPU s", "CPU s of the server", "peak MB"),
            ((DATABASES[kind], f"{row['decisions']:,}", f"{row['cases']:,}", f"{row['seconds']:.0f}",
              f"{row['cpu']:.0f}", f"{row['server_cpu']:.0f}" if row["server_cpu"] else "", f"{row['mb']:.0f}")
             for kind, row in loads.items()),
        ),
        "",
        f"Of {sample['families']:,} decided families, {sample['corrected']:,} get a corrected decile, each by two "
        "officers; then they are decided again, twice.",
        "",
        *_table(
            ("database", "units changed", "of others", "changed the second time", "corrections kept", "CPU s"),
            ((DATABASES[kind], f"{row['changed']:,}", row["others"], row["again"], f"{row['kept']:,}",
              f"{row['cpu']:.1f}") for kind, row in again.items()),
        ),
    ]  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    marks = ["---" if place == 0 else "---:" for place in range(len(head))]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, marks, *rows)]
