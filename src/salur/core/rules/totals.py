"""What decisions come to: units and money by outcome, and how many units fail or wait for each criterion.

Counted province by province as it is decided, noted, and added up for the manifest (`totals`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from salur.core.rules.engines import count_column
from salur.core.rules.evaluate import ELIGIBLE, NOT_FOUND, OUTCOMES
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet

MONEY = ("amount", "amount_most")
MASKS = ("failed", "unknown")
# By outcome: units and MONEY; by mask: units by bit; "components": their counts.
Counted = Mapping[str, list[int]]
Columns = Mapping[str, npt.NDArray[Any]]


def counted(plan: Plan, units: npt.NDArray[np.int64], columns: Columns) -> Counted:
    """What decisions come to: rows with the columns of a file of decisions, each so many `units` alike.

    The outcome is given as its place in OUTCOMES.
    """

    def total(rows: npt.NDArray[np.intp], name: str) -> int:
        value, times = columns[name][rows].astype(np.int64), units[rows]  # unsigned ones become floats
        if int(value.max(initial=0)) * int(times.sum()) >= 1 << 63:  # beyond a machine's integer
            value = value.astype(object)
        return int(value @ times)

    of = {outcome: np.flatnonzero(columns["outcome"] == code) for code, outcome in enumerate(OUTCOMES)}
    looked_at = units.copy()
    looked_at[of[NOT_FOUND]] = 0
    masks = {name: columns[name].astype(np.int64) for name in MASKS}
    return {
        **{
            outcome: [int(units[rows].sum()), *(total(rows, name) for name in MONEY)]
            for outcome, rows in of.items()
        },
        **{
            name: [int((mask >> bit & 1) @ looked_at) for bit in range(len(plan.rulebook.criterion_ids))]
            for name, mask in masks.items()
        },
        "components": [total(of[ELIGIBLE], count_column(item.id)) for item in plan.items],
    }


def counted_in(plan: Plan, file: Path, connection: duckdb.DuckDBPyConnection) -> Counted:
    """What a file of decisions comes to."""
    names = ["outcome", *MASKS, *MONEY, *(count_column(item.id) for item in plan.items)]
    shown = ", ".join(f'"{name}"' for name in names)
    found = connection.sql(
        f"SELECT {shown}, count(*) AS units FROM {parquet(file)} GROUP BY {shown}"
    ).to_arrow_table()
    columns = {name: found[name].to_numpy() for name in names[1:]}
    columns["outcome"] = np.array(
        [OUTCOMES.index(outcome) for outcome in found["outcome"].to_pylist()], np.int64
    )
    return counted(plan, found["units"].to_numpy(), columns)


def totals(plan: Plan, provinces: Iterable[Counted]) -> dict[str, Any]:
    """Units and money per outcome, and how many units fail or wait for each criterion."""
    noted = list(provinces)

    def total(key: str, place: int) -> int:
        return sum(province[key][place] for province in noted)

    return {
        "outcomes": {
            outcome: {name: total(outcome, place) for place, name in enumerate(("units", *MONEY))}
            for outcome in OUTCOMES
        },
        "criteria": {
            id_: {mask: total(mask, bit) for mask in MASKS}
            for bit, id_ in enumerate(plan.rulebook.criterion_ids)
        },
        "components": {item.id: total("components", place) for place, item in enumerate(plan.items)},
    }
