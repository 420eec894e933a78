"""`python -m bench.spark`: DuckDB and Spark on the same families by turns; writes the figures of docs/scale.md.

`python -m bench.spark decide POPULATION OUT ENGINE` is one piece of work, like those of bench.work: its CPU seconds
count Java's too.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from typing import Any

from bench.work import ROOT, cpu, opened, plan_of

PAGE = ROOT / "docs" / "scale.md"
MARKS = ("<!-- written by python -m bench.spark -->", "<!-- end -->")
WORLD = 1_000_000_000  # people of the plan on paper
CORES, BUSY = 64, 0.5  # of the cluster of the plan, and the part of the time that they compute
Found = dict[str, Any]


def here() -> bool:
    """Whether Spark can be measured on this machine."""
    return find_spec("pyspark") is not None and shutil.which("java") is not None


def command(population: Path, out: Path, engine: str = "spark") -> list[str]:
    return [sys.executable, "-m", "bench.spark", "decide", str(population), str(out), engine]


def decide(population: str, out: str, engine: str) -> Found:
    """PKH on a population that was verified before."""
    from salur.core import rules

    catalogue, people = opened(population)
    plan = plan_of("pkh", catalogue, people)
    shutil.rmtree(out, ignore_errors=True)
    before, begun = used(), time.monotonic()
    checked = Path(population).parent / "checked"
    done = rules.decide_population(plan, people, Path(out), engine=engine, checked=checked)
    took = time.monotonic() - begun
    return {"cpu": used() - before, "seconds": took, "id": done.id, "provinces": len(people.provinces)}


def used() -> float:
    """CPU seconds of this process and of those that it has started and that have ended."""
    ended = getrusage(RUSAGE_CHILDREN)
    return cpu() + ended.ru_utime + ended.ru_stime


def main() -> None:
    """Measure, and write the figures into docs/scale.md."""
    from bench import page
    from bench.__main__ import population, timed

    parser = argparse.ArgumentParser(prog="python -m bench.spark", description=__doc__)
    parser.add_argument("--families", default="100000,1000000", help="sizes with commas between")
    parser.add_argument("--regencies", default="35")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--date", default=time.strftime("%Y-%m-%d", time.gmtime()))
    given = parser.parse_args()
    given.folder = given.folder.resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    sizes: list[Found] = []
    for families in map(int, given.families.split(",")):
        people = population(given.folder, families, given.regencies)
        timed(command(people, given.folder / "spark", "duckdb"))  # verified from here on
        runs: dict[str, list[Found]] = {"duckdb": [], "spark": []}
        for _ in range(given.runs):
            for engine, each in runs.items():
                each.append(timed(command(people, given.folder / "spark", engine)))
        ids = {found["id"] for each in runs.values() for found in each}
        sizes.append(
            {"families": families, "same": len(ids) == 1, "runs": runs, **weight(people, given.folder)}
        )
    text = "\n".join(measured(sizes, page.machine(given.date)["machine"], given))
    before, _, rest = PAGE.read_text("utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", "utf-8")
    print(text)
    sys.exit(not all(size["same"] for size in sizes))


def weight(people: Path, folder: Path) -> Found:
    """Bytes of a population without what only a synthetic one has, and of its decisions; how many people."""
    rows = json.loads((people / "manifest.json").read_text("utf-8"))["rows"]
    kinds = [people / "families", people / "persons"]
    return {
        "persons": rows["persons"],
        "population": sum(file.stat().st_size for kind in kinds for file in kind.iterdir()),
        "decisions": sum(file.stat().st_size for file in (folder / "spark" / "decisions").iterdir()),
    }


def measured(sizes: list[Found], machine: str, given: argparse.Namespace) -> list[str]:
    """The table, and the plan on paper, which is nothing but the table stretched."""
    from bench import page

    rows = []
    for size in sizes:
        for engine, runs in size["runs"].items():
            by = [own["cpu"] / other["cpu"] for own, other in zip(runs, size["runs"]["duckdb"], strict=True)]
            rows.append((
                f"{size['families']:,}", engine, f"{middle(runs, 'cpu'):.1f}", f"{median(by):.1f}",
                f"{middle(runs, 'seconds'):.1f}", f"{middle(runs, 'mb'):.0f}",
            ))  # fmt: skip
    same = "the same bytes" if all(size["same"] for size in sizes) else "OTHER BYTES"
    return [
        "", machine, "",
        *page._table(("families", "engine", "CPU s", "÷ DuckDB", "seconds", "peak MB"), rows), "",
        f"PKH, regencies `{given.regencies}`, {given.runs} turns, medians; Spark on `local[*]` with the start of Java. "
        f"Both give {same}. Other work on the machine moves the seconds.", "",
        *on_paper(sizes[-2:]),
    ]  # fmt: skip


def on_paper(sizes: list[Found]) -> list[str]:
    """A thousand million people, from the largest two sizes: what each further family costs."""
    from bench import page

    small, large = sizes[0], sizes[-1]
    families = WORLD * large["families"] / large["persons"]
    each = {
        engine: (middle(runs, "cpu") - middle(small["runs"][engine], "cpu"))
        / (large["families"] - small["families"])
        for engine, runs in large["runs"].items()
    }
    hours = {engine: rate * families / 3600 for engine, rate in each.items()}

    def gigabytes(kind: str) -> str:
        return f"{large[kind] / large['families'] * families / 1e9:,.0f} GB"

    return [
        f"Stretched to {WORLD:,} people, {families / 1e6:,.0f} million families (each family as one more of the "
        f"table costs, from {small['families']:,} to {large['families']:,}):", "",
        *page._table(("of a thousand million people", ""), (
            ("population, the columns of all facts", gigabytes("population")),
            ("decisions of one programme", gigabytes("decisions")),
            ("DuckDB, CPU hours", f"{hours['duckdb']:.1f}"),
            ("Spark, CPU hours", f"{hours['spark']:.1f}"),
            (f"Spark on {CORES} cores that compute {BUSY:.0%} of the time, minutes",
             f"{math.ceil(hours['spark'] / CORES / BUSY * 60)}"),
        )),
    ]  # fmt: skip


def middle(runs: list[Found], key: str) -> float:
    return median(found[key] for found in runs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["decide"]:
        print(json.dumps(decide(*sys.argv[2:5])))
    else:
        main()
