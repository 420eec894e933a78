"""Do all engines give the same decision lines? A population decided by each, compared line by line as they stream,
and cases one by one from their JSON."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from bench import spark
from bench.work import BOOKS, opened, plan_of

SHOWN = 5  # differences printed


def shipped() -> list[str]:
    """The ids of the rulebooks that come with the product."""
    return sorted(path.stem for path in BOOKS.glob("*.toml") if path.stem != "facts")


def compare(population: Path, programme: str, folder: Path, one_by_one: int, url: str) -> dict[str, Any]:
    """Decide with every engine, compare all lines with DuckDB's, and `one_by_one` families each from its JSON."""
    from salur.core import rules
    from salur.core.rules.rows import cases

    catalogue, people = opened(str(population))
    plan = plan_of(programme, catalogue, people)
    names = [
        "duckdb",
        "sqlite",
        *(["postgres"] if url else []),
        *(["spark"] if spark.here() else []),
        "python",
    ]
    work = folder / "agree" / programme
    shutil.rmtree(work, ignore_errors=True)
    decided = []
    for name in names:
        print(f"{programme}: {name} decides", flush=True)
        decided.append(rules.decide_population(
            plan, people, work / name, engine=name, postgres_url=url or None, checked=folder / "checked"
        ))  # fmt: skip
    together = zip_longest(*(rules.decision_lines(done, people, catalogue) for done in decided))
    alone = _Alone(plan, decided[0])
    differing = dict.fromkeys([*names, "one by one"], 0)
    every = max(1, people.rows["families"] // max(one_by_one, 1))
    digest, lines, single = hashlib.sha256(), 0, [0, 0]

    def differs(name: str, wanted: str | None, given: str | None) -> None:
        differing[name] += 1
        if sum(differing.values()) <= SHOWN:
            print(f"{programme}, {name}\n  wanted {wanted}\n  given  {given}")

    families = (case for province in people.provinces for case in cases(people, catalogue, province, plan.on))
    for number, case in enumerate(families):
        who = [member.person_id for member in case.members] if plan.rulebook.unit == "person" else [None]
        rows = list(islice(together, len(who)))
        for row in rows:
            lines += 1
            digest.update(f"{row[0]}\n".encode())
            for name, line in zip(names, row, strict=True):
                if line != row[0]:
                    differs(name, row[0], line)
        if one_by_one and number % every == 0:
            single = [single[0] + 1, single[1] + len(who)]
            for row, line in zip_longest(rows, alone.lines(case, who), fillvalue=(None,)):
                if row[0] != line:
                    differs("one by one", row[0], str(line))
    for row in together:  # lines of units that are not there
        differs(names[0], None, str(row))
    shutil.rmtree(work)
    total = sum(differing.values())
    print(f"{programme}: {lines:,} lines, {total:,} differ: {differing}", flush=True)
    return {
        "programme": programme, "unit": plan.rulebook.unit, "lines": lines, "sha256": digest.hexdigest(),
        "engines": {name: differing[name] for name in names},
        "alone": single, "alone_differing": differing["one by one"],
        "differing": total, "unknown": unknown(plan, people),
    }  # fmt: skip


class _Alone:
    """Decides a case as a citizen's page would: from its canonical text, with the cut-offs of the cycle."""

    def __init__(self, plan: Any, decisions: Any) -> None:
        import duckdb

        from salur.core import rules

        self.plan, self.evaluator = plan, rules.Evaluator(plan)
        self.cutoffs = decisions.cutoffs if plan.places else None
        self.ranks: dict[int, int] = {}
        if plan.places:
            ranks = f"SELECT unit_id, \"rank\" FROM read_parquet('{decisions.ranks}')"
            self.ranks.update(duckdb.connect().execute(ranks).fetchall())

    def lines(self, case: Any, who: Sequence[int | None]) -> Iterator[str]:
        from salur.core import rules
        from salur.core.rules import cases

        read = cases.parse(cases.canonical(case), self.plan.rulebook.catalogue)
        for person_id in who:
            decision = self.evaluator.decide(read, person_id, self.cutoffs)
            yield rules.decision_line(self.plan, decision, read, self.ranks.get(decision.unit_id))


def unknown(plan: Any, people: Any) -> dict[str, float]:
    """The share of rows in which each fact that the rulebook reads is empty (what is too old comes on top)."""
    import duckdb

    shares: dict[str, float] = {}
    for personal, folder in ((False, "families"), (True, "persons")):
        names = [fact.name for fact in plan.facts if fact.personal is personal]
        if names:
            asked = ", ".join(f'1 - count("{name}") / count(*)' for name in names)
            rows = f"read_parquet('{people.path}/{folder}/*.parquet')"
            row = duckdb.connect().execute(f"SELECT {asked} FROM {rows}").fetchall()[0]
            shares |= dict(zip(names, row, strict=True))
    return shares
