"""docs/benchmarks.md, written from the figures that the last runs kept: no figure is typed by hand."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PAGE = Path("docs/benchmarks.md")
PACKAGES = ("duckdb", "pyarrow", "polars", "psycopg", "numpy")

HEAD = """# Benchmarks

Written by `make bench` (`python -m bench`) and `python -m bench agree`; do not edit. What is compared was measured
in one run, taking turns, each time in a fresh process; figures are medians. CPU seconds are of the whole process
with all its threads, with starting Python and importing. Wall time is only a remark: other work on the machine
lengthens it. Ratios are medians of the ratios of each turn.
"""


def keep(folder: Path, section: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of a run to those kept, and return all."""
    file = folder / "figures.json"
    kept: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    kept[section] = figures
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=1), "utf-8")
    return kept


def machine(day: str) -> dict[str, str]:
    """Where and when a run was made: kind of processor, cores, memory, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "date": day,
        "processor": f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GB",
        "system": f"{platform.system()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {number}" for name, number in versions.items()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def write(kept: dict[str, Any], page: Path) -> None:
    """The page from all figures kept."""
    parts = [HEAD]
    if (figures := kept.get("measure")) is not None:
        parts += measured(figures)
    if (figures := kept.get("agree")) is not None:
        parts += agreed(figures)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(parts), "utf-8")


def measured(f: dict[str, Any]) -> list[str]:
    """The sections of `python -m bench`."""
    whole, ratios = f["whole"], f["ratios"]
    names = {
        "scan": "scan of the needed columns (the floor)", "by_hand": "DuckDB query by hand",
        "compiled": "the SQL compiled from the rulebook, alone", "decide": "decide, whole",
        "in_polars": "Polars expressions by hand",
    }  # fmt: skip
    parts = [
        f"## Deciding PKH for {f['families']:,} families\n",
        _machine(f["machine"]),
        f"{f['persons']:,} persons, regencies `{f['regencies']}`, {f['unknown_percent']:g} % of each fact unknown; "
        f"{f['runs']} turns. All give the same {f['same_rows']:,} rows (compared before measuring: "
        f"{f['same_differing']} differ). \"Query\" leaves out starting and importing.\n",
        _table(
            ("", "CPU s", "of it the query", "peak MB", "wall s", "× scan"),
            (
                (names[name], f"{row['cpu']:.2f}", f"{row['query']:.2f}" if row["query"] else "",
                 f"{row['rss_mb']:.0f}", f"{row['wall']:.2f}", f"{row['cpu'] / whole['scan']['cpu']:.1f}")
                for name, row in whole.items()
            ),
        ),
        "\n" + _table(
            ("ratio", "median", "lowest", "highest", "demand"),
            ((what, f"{r['median']:.2f}", f"{r['lowest']:.2f}", f"{r['highest']:.2f}", r["demand"])
             for what, r in ratios.items()),
        ),
    ]  # fmt: skip
    one = f["one_case"]
    mix = ", ".join(f"{name} {count / one['cases']:.0%}" for name, count in sorted(one["outcomes"].items()))
    said = {
        "parse": "read the case from JSON", "decide": "decide", "reasons": "decide, with reasons",
        "json": "the same as JSON data", "text": "the same as text to read aloud",
    }  # fmt: skip
    parts += [
        "\n## One case\n",
        f"{one['cases']:,} families as they come ({mix}); each line is from the case anew. Reasons: the outcome of "
        "every criterion, the facts it read, what would change it.\n",
        _table(
            ("", "median ms", "mean ms", "99th percentile ms", "demand"),
            ((text, *(f"{one[name][of] / 1000:.3f}" for of in ("median", "mean", "p99")),
              "≤ 0.05" if name == "reasons" else "") for name, text in said.items()),
        ),
        "\n## Memory of decide\n",
        _table(("families", "peak MB", "CPU s", "families per CPU s"),
               ((f"{row['families']:,}", f"{row['rss_mb']:.0f}", f"{row['cpu']:.2f}",
                 f"{row['families'] / row['cpu']:,.0f}") for row in f["memory"])),
        f"\n## Beside decide, {f['families']:,} families\n",
        _table(("", "CPU s", "peak MB", "remark"),
               ((row["what"], f"{row['cpu']:.2f}", f"{row['rss_mb']:.0f}", row["remark"]) for row in f["beside"])),
        f"\n## Engines, {f['engine_families']:,} families\n",
        _table(("engine", "CPU s", "× DuckDB", "peak MB", "manifest"),
               ((row["engine"], f"{row['cpu']:.2f}", f"{row['cpu'] / f['engines'][0]['cpu']:.1f}",
                 f"{row['rss_mb']:.0f}", row["id"][:12]) for row in f["engines"])),
        "",
    ]  # fmt: skip
    return parts


def agreed(f: dict[str, Any]) -> list[str]:
    """The section of `python -m bench agree`."""
    parts = [
        f"\n## Engines agree: {f['families']:,} families, {f['persons']:,} persons\n",
        _machine(f["machine"]),
        "Every decision line of every engine is compared with DuckDB's; some families are also decided one by one "
        "from the text of their canonical case. The last column is the SHA-256 of all lines.\n",
        _table(
            ("rulebook", "lines", "engines", "differing lines", "families one by one", "differing lines", "SHA-256"),
            (
                (r["programme"], f"{r['units']:,} ({r['unit']})", ", ".join(r["engines"]), sum(r["engines"].values()),
                 f"{r['one_by_one']:,} ({r['one_by_one_units']:,} lines)", r["one_by_one_differing"],
                 f"`{r['sha256'][:16]}…`")
                for r in f["rulebooks"]
            ),
        ),
        "\nShare of rows in which each fact that was read is unknown or too old to count:\n",
    ]  # fmt: skip
    shares: dict[str, float] = {}
    for rulebook in f["rulebooks"]:
        shares |= rulebook["unknown"]
    parts += [_table(("fact", "unknown"), ((name, f"{share:.1%}") for name, share in shares.items())), ""]
    return parts


def _machine(told: dict[str, str]) -> str:
    return f"{told['date']}. {told['processor']}; {told['system']}; {told['packages']}.\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    marks = ["---" if place == 0 else "---:" for place in range(len(head))]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, marks, *rows))
