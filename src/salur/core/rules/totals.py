"""What decisions come to: units and money by outcome, and how many units fail or wait for each criterion.

Counted province by province as it is decided (`counted`), noted, and added up for the manifest (`added`, `totals`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from salur.core.rules.engines import count_column
from salur.core.rules.evaluate import NOT_FOUND, OUTCOMES
from salur.core.rules.plan import Plan

Row = Sequence[Any]  # outcome, failed, unknown, units, then the sum of each of `summed`


Counted = Mapping[
    str, Counter[object]
]  # by outcome: units, sums of columns, and (mask, bit) for each criterion


def summed(plan: Plan) -> list[str]:
    """The columns that are summed."""
    return ["amount", "amount_most", *(count_column(item.id) for item in plan.items)]


def counted(plan: Plan, rows: str, connection: duckdb.DuckDBPyConnection, units: str = "1") -> Sequence[Row]:
    """What the rows of a table expression come to, by outcome and masks; each stands for so many `units`."""
    sums = ", ".join(f'CAST(sum({units} * "{name}") AS BIGINT)' for name in summed(plan))
    return connection.execute(
        f"SELECT outcome, failed, unknown, CAST(sum({units}) AS BIGINT), {sums} FROM {rows} "
        "GROUP BY outcome, failed, unknown ORDER BY outcome, failed, unknown"
    ).fetchall()


def added(plan: Plan, rows: Iterable[Row]) -> Counted:
    """Rows of `counted` added up by outcome."""
    found: Counted = {outcome: Counter() for outcome in OUTCOMES}
    masks: dict[tuple[str, str, int], int] = defaultdict(int)
    names = summed(plan)
    for outcome, failed, unknown, units, *numbers in rows:
        of = found[outcome]
        of["units"] += units
        for name, number in zip(names, numbers, strict=True):
            of[name] += number
        masks[outcome, "failed", failed] += units
        masks[outcome, "unknown", unknown] += units
    bits = range(len(plan.rulebook.criterion_ids))
    for (outcome, name, mask), units in masks.items():
        found[outcome].update({(name, bit): units for bit in bits if mask >> bit & 1})
    return found


def totals(plan: Plan, provinces: Iterable[Counted]) -> dict[str, Any]:
    """Units and money per outcome, and how many units fail or wait for each criterion."""
    found: Counted = {outcome: Counter() for outcome in OUTCOMES}
    for province in provinces:
        for outcome in OUTCOMES:
            found[outcome].update(province[outcome])

    def total(key: object, outcomes: Iterable[str] = OUTCOMES) -> int:
        return sum(found[outcome][key] for outcome in outcomes)

    looked_at = [outcome for outcome in OUTCOMES if outcome != NOT_FOUND]
    return {
        "outcomes": {
            outcome: {name: total(name, (outcome,)) for name in ("units", "amount", "amount_most")}
            for outcome in OUTCOMES
        },
        "criteria": {
            id_: {mask: total((mask, bit), looked_at) for mask in ("failed", "unknown")}
            for bit, id_ in enumerate(plan.rulebook.criterion_ids)
        },
        "components": {item.id: total(count_column(item.id)) for item in plan.items},
    }
