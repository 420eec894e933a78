"""The places of a quota: candidates are ranked within their area, and those beyond its places wait.

An area lies in one province, or is the nation. What is ranked together is kept in the folder `work`:

    ranked-<name>.parquet   unit_id, area, score, place, and how many places are used with it; by area and place
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from salur.core.faults import InputError
from salur.core.population.layout import Population, parquet_writer
from salur.core.rules.engines import NEAR, RANKED, Engine, copy, runs
from salur.core.rules.evaluate import Cutoff
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet

NATION = "nation"
AREA = {NATION: "''", "province": "substr(region, 1, 2)", "regency": "region"}  # the SQL of a unit's area


def names(plan: Plan, population: Population) -> dict[str, str]:
    """What each province is ranked in: itself or the nation."""
    nation = plan.places is not None and plan.places.by == "nation"
    return {province: NATION if nation else province for province in population.provinces}


def areas(plan: Plan, population: Population, worker: Engine) -> dict[str, list[str]]:
    """The areas with units, by what they are ranked in. Raises InputError if the quota says nothing of some."""
    assert plan.places is not None  # noqa: S101 - asked by the caller
    of = population.persons if plan.rulebook.unit == "person" else population.families
    of_name = names(plan, population)
    found: dict[str, set[str]] = {name: set() for name in of_name.values()}
    rows = parquet(*map(of, of_name))
    for (region,) in worker.connection.execute(f"SELECT DISTINCT region FROM {rows}").fetchall():
        found[of_name[region[:2]]].add(plan.places.area(region))
    missing = sorted(area for each in found.values() for area in each if plan.places.of(area) is None)
    if missing:
        raise InputError.at(plan.rulebook.path, "The quota says no places for {areas}.",
                            line=plan.rulebook.quota.line if plan.rulebook.quota else 0,
                            areas=", ".join(missing[:10]))  # fmt: skip
    return {name: sorted(each) for name, each in found.items()}


def rank(
    plan: Plan, areas: Iterable[str], candidates: Iterable[pa.Table], name: str, work: Path, worker: Engine
) -> dict[str, Any]:
    """Rank the candidates (CANDIDATES) of some areas; returns where the places of each ended."""
    assert plan.places is not None  # noqa: S101 - asked by the caller
    ended = {area: _End(plan.places.of(area) or 0) for area in areas}
    with parquet_writer(work / f"ranked-{name}.parquet", RANKED, NEAR) as writer:
        for batch in worker.ranked(candidates):
            names, begins = runs(batch["area"])
            for area, first, last in zip(names, begins, [*begins[1:], batch.num_rows], strict=True):
                ended[area].add(batch.slice(first, last - first))
            writer.write_batch(batch)
    return {area: end.noted() for area, end in ended.items()}


@dataclass
class _End:
    """Where the places of an area end, found in its ranks as they come."""

    places: int
    candidates: int = 0
    served: int = 0
    used: int = 0
    last: tuple[int | None, int | None] = (None, None)  # score and unit_id of the last unit served

    def add(self, ranks: pa.RecordBatch) -> None:
        used = ranks["used"].to_numpy()
        self.candidates += len(used)
        if served := int(np.searchsorted(used, self.places, "right")):
            self.served += served
            self.used = int(used[served - 1])
            self.last = ranks["score"][served - 1].as_py(), ranks["unit_id"][served - 1].as_py()

    def noted(self) -> dict[str, Any]:
        turned_away = self.served < self.candidates or self.used >= self.places
        score, unit_id = self.last if turned_away else (None, None)
        return {
            "places": self.places, "candidates": self.candidates, "served": self.served, "used": self.used,
            "closed": self.served == 0 and (self.candidates > 0 or self.places == 0),
            "score": score, "unit_id": unit_id,
        }  # fmt: skip


def gather(plan: Plan, population: Population, out: Path, worker: Engine) -> None:
    """Write ranks.parquet from all that was ranked."""
    work, ranks = out / "work", out / "ranks.parquet"
    if not ranks.exists():
        part = work / "ranks.part"
        ranked = dict.fromkeys(names(plan, population).values())
        rows = parquet(*(work / f"ranked-{name}.parquet" for name in ranked))
        query = f'SELECT unit_id, area, score, place AS "rank" FROM {rows}'
        copy(worker.connection, query, part)  # each file stands by area and place
        part.replace(ranks)


def late(plan: Plan, province: str, cutoffs: Mapping[str, Cutoff]) -> str:
    """SQL: whether a unit is a candidate beyond the cut-off of its area; empty: nobody of the province is."""
    assert plan.places is not None  # noqa: S101 - asked by the caller
    late = []
    for area, cutoff in cutoffs.items():
        score, unit_id = cutoff.score, cutoff.unit_id
        if area[:2] not in ("", province):
            continue
        if cutoff.closed:
            late.append(f"WHEN '{area}' THEN TRUE")
        elif score is not None:
            late.append(f"WHEN '{area}' THEN score > {score} OR (score = {score} AND unit_id > {unit_id})")
    # CASE asks of each row only what is said of its own area.
    return (
        f"outcome = 'eligible' AND CASE {AREA[plan.places.by]} {' '.join(late)} ELSE FALSE END"
        if late
        else ""
    )
