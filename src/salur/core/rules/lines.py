"""Decision lines: the one text of a decision, compared between engines, logged and signed.

`decision/v1|programme|rulebook sha256|reference date|unit id|outcome|failed|unknown|amount|amount_most|
c1,c2,…|rank|case sha256`, in one line of UTF-8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import Population
from salur.core.rules import cases, engines
from salur.core.rules.decide import Decisions, reference_date
from salur.core.rules.engines import count_column
from salur.core.rules.evaluate import Decision
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet, texts


def line(plan: Plan, decision: Decision, case: cases.Case, rank: int | None = None) -> str:
    """The line of one decision."""
    return text(
        (plan.rulebook.id, plan.rulebook.sha256, plan.on.isoformat()),
        (
            decision.unit_id,
            decision.outcome,
            decision.failed,
            decision.unknown,
            decision.amount,
            decision.amount_most,
        ),
        ",".join(map(str, decision.counts)),
        rank,
        cases.sha256(case),
    )


def lines(decisions: Decisions, population: Population, catalogue: Catalogue) -> Iterator[str]:
    """The lines of a folder of decisions, in the order of its files."""
    manifest = decisions.manifest
    if population.id != manifest["population"]:
        raise InputError.at(population.path, "These decisions were made from another population ({id}…).",
                            id=manifest["population"][:12])  # fmt: skip
    head = (manifest["programme"], manifest["rulebook"], manifest["reference_date"])
    fixed = ("unit_id", "outcome", "failed", "unknown", "amount", "amount_most")
    counts = [f'd."{count_column(name)}"' for name in manifest["components"]]
    ranked = (decisions.path / "ranks.parquet").exists()
    rank, join = ("NULL", "")
    if ranked:
        rank, join = "r.rank", f"LEFT JOIN {parquet(decisions.ranks)} r ON r.unit_id = d.unit_id"
    for province in decisions.provinces:
        connection = engines.connect(decisions.path / "work")
        families = texts(population, catalogue, province, reference_date(decisions))
        family_id, digest = None, ""
        cursor = connection.execute(
            f"SELECT d.family_id, {rank}, {', '.join(f'd.{name}' for name in fixed)}, {', '.join(counts)} "
            f"FROM {parquet(decisions.file(province), numbered=True)} d {join} "
            "ORDER BY d.file_row_number"
        )
        while rows := cursor.fetchmany(10_000):
            for row in rows:
                while family_id != row[0]:
                    family_id, _, case = next(families, (None, "", ""))
                    if family_id is None:
                        raise InputError.at(
                            decisions.file(province), "Family {id} is not in the population.", id=row[0]
                        )
                    digest = hashlib.sha256(case.encode()).hexdigest() if family_id == row[0] else ""
                yield text(head, row[2:8], ",".join(map(str, row[8:])), row[1], digest)
        connection.close()


def where_population(decisions: Decisions) -> Path | None:
    """Where the population was when it was decided, if that was written down."""
    try:
        return Path((decisions.path / "population.path").read_text("utf-8"))
    except OSError:
        return None


def text(head: tuple[str, ...], fixed: tuple[object, ...], counts: str, rank: int | None, digest: str) -> str:
    """The line from its parts: (programme, rulebook, reference date), (unit, outcome … amount_most), "c1,c2,…"."""
    return "|".join(map(str, ("decision/v1", *head, *fixed, counts, "" if rank is None else rank, digest)))
