"""Merging until no group is small: what is published of a table, from the nation down.

The regions below one row are siblings. They all show the same groups of outcomes, which may be coarser than those of
the row above, never finer: an outcome of which the siblings have few on average is merged with the smallest other one,
as far as the numbers of the row above say. Then regions are merged with their neighbours, in the order of their
codes, until no cell is small; below merged regions nothing more is shown. Only published numbers and the order of
codes choose who is merged with whom: a choice by hidden sizes would tell them to whoever knows this program.
`docs/disclosure.md` has the proof.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from salur.core.disclosure.grouping import Grouping, Names, join

SMALL = 10
NATION = ""


@dataclass(frozen=True)
class Cell:
    """People of one region and outcome, and what goes to them."""

    people: int
    rupiah: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(self.people + other.people, self.rupiah + other.rupiah)


@dataclass(frozen=True)
class Figure:
    """One published number of people: 0, or not small.

    `rupiah` is None, withheld, where outcomes were merged of which one is paid: with a fixed amount per family, the
    money divided by it would take the outcomes apart again.
    """

    outcomes: Names
    people: int
    rupiah: int | None


@dataclass(frozen=True)
class Row:
    """One published row: a region, or several that were merged. The nation is the region ""."""

    regions: Names
    figures: tuple[Figure, ...]

    @property
    def people(self) -> int:
        return sum(figure.people for figure in self.figures)

    @property
    def rupiah(self) -> int | None:
        """None if it is withheld for one of the figures."""
        amounts = [figure.rupiah for figure in self.figures]
        return None if None in amounts else sum(amount for amount in amounts if amount is not None)


@dataclass(frozen=True)
class Table:
    """All rows that may be published: the nation first, then each region before those within it."""

    rows: tuple[Row, ...]
    grouping: Grouping  # for the next cycle

    def find(self, region: str, outcome: str) -> tuple[Row, Figure] | None:
        """The row and the figure that hold a region and an outcome, perhaps with others.

        A region within merged ones is held by their row. None: nothing of it is published.
        """
        rows = {region: row for row in self.rows for region in row.regions}
        for above in _upwards(region):
            if above in rows:
                return next(((rows[above], f) for f in rows[above].figures if outcome in f.outcomes), None)
        return None


def protect(
    cells: Mapping[tuple[str, str], Cell], *, previous: Grouping | None = None, small: int = SMALL
) -> Table:
    """What may be published of `cells`, which hold people by region code and outcome.

    The codes are of one level and written like "35.10.01": what stands before each dot is a region above. `previous`
    is the grouping of the last published table of the same kind. Groups of fewer than `small` people are protected.
    A nation of so few gives no row at all. Raises ValueError for codes of several levels and for negative numbers.

    >>> table = protect({
    ...     ("35", "eligible"): Cell(40, 24_000_000), ("35", "waiting"): Cell(30),
    ...     ("36", "eligible"): Cell(3, 1_800_000), ("36", "waiting"): Cell(15),
    ...     ("51", "eligible"): Cell(25, 15_000_000), ("51", "waiting"): Cell(70),
    ... })
    >>> for row in table.rows:
    ...     print(row.regions, [(f.outcomes, f.people, f.rupiah) for f in row.figures])
    ('',) [(('eligible',), 68, 40800000), (('waiting',), 115, 0)]
    ('35',) [(('eligible',), 40, 24000000), (('waiting',), 30, 0)]
    ('36', '51') [(('eligible',), 28, 16800000), (('waiting',), 85, 0)]
    """
    previous = previous or Grouping()
    whole = _Whole(cells, previous)
    if 0 < whole.people((NATION,), whole.outcomes) < small:
        return Table((), previous)
    rows: list[Row] = []
    waiting = [([NATION], whole.outcomes_of_the_nation(small))]
    while waiting:
        siblings, groups = waiting.pop()
        units = whole.units(siblings)
        columns = whole.columns(units, groups, small)
        for regions in whole.regions(units, columns, small):
            rows.append(whole.row(regions, columns))
            if len(regions) == 1 and (below := whole.below[regions[0]]):
                waiting.append((below, columns))
    rows.sort(key=lambda row: row.regions)
    return Table(tuple(rows), Grouping({row.regions: tuple(f.outcomes for f in row.figures) for row in rows}))


class _Whole:
    """The table with its sums at every level, and what the last one merged."""

    def __init__(self, cells: Mapping[tuple[str, str], Cell], previous: Grouping) -> None:
        if any(cell.people < 0 or cell.rupiah < 0 for cell in cells.values()):
            raise ValueError("people and rupiah are not negative")
        self.before = {region: regions for regions in previous.rows for region in regions}
        self.groups_before = previous.rows
        self.outcomes = tuple(
            sorted(
                {o for _, o in cells} | {o for groups in previous.rows.values() for g in groups for o in g}
            )
        )
        self.paid = {outcome for (_, outcome), cell in cells.items() if cell.rupiah}
        self.below: dict[str, list[str]] = defaultdict(list)
        for region in sorted({above for code, _ in cells for above in _upwards(code)} | set(self.before)):
            if region != NATION:
                self.below[_parent(region)].append(region)
        if any(self.below[region] for region, _ in cells):
            raise ValueError("the regions of a table are of one level")
        self.sums: dict[tuple[str, str], Cell] = defaultdict(lambda: Cell(0))
        for (code, outcome), cell in cells.items():
            for region in _upwards(code):
                self.sums[region, outcome] += cell

    def people(self, regions: Names, outcomes: Names) -> int:
        return sum(self.sums[region, outcome].people for region in regions for outcome in outcomes)

    def units(self, siblings: list[str]) -> list[Names]:
        """Siblings in the order of their codes, as the last table left them."""
        return sorted({self.before.get(region, (region,)) for region in siblings})

    def columns(self, units: list[Names], groups: list[Names], small: int) -> list[Names]:
        """The groups of outcomes that these siblings show, from those of the row above and of the last table."""
        columns = join(groups, *(self.groups_before.get(regions, ()) for regions in units))
        siblings = tuple(region for unit in units for region in unit)
        while True:
            sizes = {column: self.people(siblings, column) for column in columns}
            filled = sorted((size, column) for column, size in sizes.items() if size)
            if len(filled) < 2 or filled[0][0] >= small * len(units):
                return columns
            columns = join(columns, [filled[0][1] + filled[1][1]])

    def outcomes_of_the_nation(self, small: int) -> list[Names]:
        units = join([(outcome,) for outcome in self.outcomes], self.groups_before.get((NATION,), ()))
        return _neighbours(units, lambda outcomes: 0 < self.people((NATION,), outcomes) < small)

    def regions(self, units: list[Names], columns: list[Names], small: int) -> list[Names]:
        return _neighbours(
            units, lambda regions: any(0 < self.people(regions, column) < small for column in columns)
        )

    def row(self, regions: Names, groups: list[Names]) -> Row:
        return Row(
            regions,
            tuple(
                Figure(
                    outcomes,
                    self.people(regions, outcomes),
                    None
                    if len(outcomes) > 1 and not self.paid.isdisjoint(outcomes)
                    else sum(self.sums[r, o].rupiah for r in regions for o in outcomes),
                )
                for outcomes in groups
            ),
        )


def _neighbours(units: list[Names], has_small: Callable[[Names], bool]) -> list[Names]:
    """Neighbours put together until nothing in them is small. What is left at the end goes to those before it."""
    merged: list[Names] = []
    last: Names = ()
    for unit in units:
        last = tuple(sorted(last + unit))
        if not has_small(last):
            merged.append(last)
            last = ()
    while last:
        last = tuple(sorted(merged.pop() + last))
        if not has_small(last):
            merged.append(last)
            last = ()
    return merged


def _upwards(code: str) -> Iterator[str]:
    """
    >>> list(_upwards("35.10"))
    ['35.10', '35', '']
    """
    yield code
    while code != NATION:
        code = _parent(code)
        yield code


def _parent(code: str) -> str:
    return code.rpartition(".")[0]
