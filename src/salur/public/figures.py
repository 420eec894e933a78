"""Figures of the last decreed cycle of a programme by district, as `core.disclosure` lets them be published.

A cycle that is decreed never changes, so what is published of it does not either: it is worked out once in a process,
each table merging at least what the one before it merged. Supplements are not published by themselves: beside the
list that they add to, they would show single families.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from salur.core.disclosure import Cell, Grouping, Row, Table, protect
from salur.programmes.selectors import by_district, cycles
from salur.regions.selectors import region_children

UNKNOWN_DISTRICT = "00"
ROWS_MOST = 120  # on a page; the CSV has all of them


@dataclass(frozen=True)
class Published:
    """The protected table of a cycle."""

    cycle_id: int
    period: str
    reference_date: date
    table: Table

    @property
    def outcomes(self) -> list[tuple[str, ...]]:
        """The groups of outcomes of any row, in a fixed order."""
        return sorted({figure.outcomes for row in self.table.rows for figure in row.figures})

    def rows_for_a_page(self) -> list[Row]:
        """The whole and one level below it: the finest of which a page can show every row."""
        by_level: dict[int, list[Row]] = defaultdict(list)
        for row in self.table.rows:
            by_level[len(row.regions[0])].append(row)
        levels = [rows for level, rows in sorted(by_level.items()) if level and len(rows) <= ROWS_MOST]
        return by_level[0] + (levels[-1] if levels else [])


def last(programme: str) -> Published | None:
    """What is published of the newest decreed cycle; None: none was decreed yet."""
    done = cycles().filter(programme=programme, number=0, state__in=["decreed", "closed"])
    before = Grouping()
    found = None
    for cycle in reversed(done):
        table = _table(cycle.id, before.to_json())
        before = table.grouping
        found = Published(cycle.id, cycle.period, cycle.reference_date, table)
    return found


@lru_cache(maxsize=64)
def _table(cycle_id: int, previous: str) -> Table:
    cycle = cycles().get(id=cycle_id)
    cells: dict[tuple[str, str], Cell] = defaultdict(lambda: Cell(0))
    for figure in by_district(cycle):
        whole = figure.district.count(".") == 2
        code = figure.district if whole else f"{figure.district}.{UNKNOWN_DISTRICT}"
        cells[code, figure.outcome] += Cell(figure.units, figure.amount)
    return protect(dict(cells), previous=Grouping.of_json(previous))


@lru_cache(maxsize=4096)
def _names(parent: str, on: date) -> dict[str, str]:
    return {region.code: region.name for region in region_children(parent=parent, on=on)}


def name(code: str, on: date) -> str:
    """A region's name on a day; its code where the list of regions does not have it. Empty: unknown district."""
    parent, _, own = code.rpartition(".")
    if code.count(".") == 2 and own == UNKNOWN_DISTRICT:
        return ""
    return _names(parent, on).get(code, code)
