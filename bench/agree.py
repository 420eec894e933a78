"""Do all engines give the same decision lines? A population decided by each, and cases one by one from their JSON."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from bench.work import opened, plan_of

ONE_BY_ONE = 100_000


def compare(population: Path, folder: Path, programmes: list[str]) -> dict[str, Any]:
    """Decide with every engine and compare all lines with DuckDB's. Prints as it goes."""
    from bench.__main__ import postgres
    from salur.core import rules

    catalogue, people = opened(str(population))
    found: dict[str, Any] = {
        "families": people.rows["families"],
        "unknown": unknown(people, catalogue),
        "engines": [],
    }
    print(f"least unknown share of a fact: {min(found['unknown'].values()):.2%}")
    with ExitStack() as stack:
        url = stack.enter_context(postgres())
        for programme in programmes:
            plan = plan_of(programme, catalogue, people)
            reference: list[bytes] = []
            for engine in ("duckdb", "sqlite", *(["postgres"] if url else []), "python"):
                out = folder / f"{programme}-{engine}"
                shutil.rmtree(out, ignore_errors=True)
                done = rules.decide_population(
                    plan,
                    people,
                    out,
                    engine=engine,
                    postgres_url=url or None,
                    checked=folder.parent / "checked",
                )
                digests = [_digest(line) for line in rules.decision_lines(done, people, catalogue)]
                reference = reference or digests
                differing = abs(len(digests) - len(reference))
                differing += sum(a != b for a, b in zip(digests, reference, strict=False))
                row = {
                    "programme": programme,
                    "engine": engine,
                    "lines": len(digests),
                    "differing": differing,
                }
                found["engines"].append(row)
                print(
                    f"{programme}, {engine}: {len(digests):,} lines, {differing:,} differ from DuckDB's",
                    flush=True,
                )
    found["one_by_one"] = one_by_one(people, catalogue, folder / f"{programmes[0]}-duckdb", programmes[0])
    print("one by one from JSON:", found["one_by_one"])
    return found


def _digest(line: str) -> bytes:
    return hashlib.blake2b(line.encode(), digest_size=12).digest()


def one_by_one(people: Any, catalogue: Any, decided: Path, programme: str) -> dict[str, Any]:
    """Families decided each from the JSON of its case, compared with the lines of the batch."""
    from salur.core import rules
    from salur.core.rules import cases as case_files
    from salur.core.rules.rows import cases

    plan = plan_of(programme, catalogue, people)
    evaluator = rules.Evaluator(plan)
    batch = rules.decision_lines(rules.open_decisions(decided), people, catalogue)
    count = differing = 0
    families = (case for province in people.provinces for case in cases(people, catalogue, province, plan.on))
    for case, line in zip(islice(families, ONE_BY_ONE), batch, strict=False):
        again = case_files.parse(case_files.canonical(case), catalogue)
        count += 1
        differing += rules.decision_line(plan, evaluator.decide(again), again) != line
    return {"families": count, "differing": differing}


def unknown(people: Any, catalogue: Any) -> dict[str, float]:
    """The share of rows in which each fact is unknown."""
    import duckdb

    shares: dict[str, float] = {}
    for unit, folder in (("family", "families"), ("person", "persons")):
        names = [fact.name for fact in catalogue.of(unit) if fact.name in people.facts]
        asked = ", ".join(f'1 - count("{name}") / count(*)' for name in names)
        row = duckdb.sql(f"SELECT {asked} FROM '{people.path}/{folder}/*.parquet'").fetchall()[0]
        shares |= dict(zip(names, row, strict=True))
    return shares


def table(found: dict[str, Any]) -> list[str]:
    """The page's section on agreement."""
    one = found["one_by_one"]
    return [
        "",
        "## Engines agree",
        "",
        f"`python -m bench agree`: {found['families']:,} families, every fact unknown in at least "
        f"{min(found['unknown'].values()):.1%} of rows. {one['families']:,} families decided one by one from the "
        f"JSON of their cases: {one['differing']} lines differ from the batch.",
        "",
        "| programme | engine | lines | differing from DuckDB |",
        "|---|---|---:|---:|",
        *(
            f"| {r['programme']} | {r['engine']} | {r['lines']:,} | {r['differing']} |"
            for r in found["engines"]
        ),
    ]
