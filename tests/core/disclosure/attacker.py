"""Somebody who has every published table, knows how tables are made, and can solve equations. Exact, in fractions.

The unknowns are the cells of the lowest level. Each published figure is one equation: a sum of cells. Cells are at
least 0. `derives` asks whether a sum of cells follows from the equations; `bounds` how far it is narrowed down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from salur.core.disclosure import Table

Key = tuple[str, str]
Vector = list[Fraction]


def within(region: str, above: str) -> bool:
    return not above or region == above or region.startswith(above + ".")


def equations(table: Table, unknowns: Sequence[Key]) -> list[tuple[Vector, int]]:
    """One line of zeros and ones, and the published number, for each figure."""
    return [
        (
            [
                Fraction(outcome in figure.outcomes and any(within(region, above) for above in row.regions))
                for region, outcome in unknowns
            ],
            figure.people,
        )
        for row in table.rows
        for figure in row.figures
    ]


class Solver:
    """The equations in reduced form. A zero that is published makes every cell of its sum known."""

    def __init__(self, lines: Iterable[tuple[Vector, int]], width: int) -> None:
        self.width = width
        self.rows: list[Vector] = []  # reduced, each with a leading one
        self.leads: list[int] = []
        lines = list(lines)
        for line, number in lines:
            self._add(line)
            if number == 0:
                for place, part in enumerate(line):
                    if part:
                        self._add([Fraction(i == place) for i in range(width)])

    def _add(self, line: Vector) -> None:
        rest = self._rest(line)
        lead = next((i for i, part in enumerate(rest) if part), None)
        if lead is None:
            return
        rest = [part / rest[lead] for part in rest]
        self.rows = [
            [a - row[lead] * b for a, b in zip(row, rest, strict=True)] if row[lead] else row
            for row in self.rows
        ]
        self.rows.append(rest)
        self.leads.append(lead)

    def _rest(self, line: Vector) -> Vector:
        rest = list(line)
        for row, lead in zip(self.rows, self.leads, strict=True):
            if rest[lead]:
                factor = rest[lead]
                rest = [a - factor * b for a, b in zip(rest, row, strict=True)]
        return rest

    def derives(self, wanted: Vector) -> bool:
        return not any(self._rest(wanted))


def bounds(
    lines: list[tuple[Vector, int]], wanted: Vector, start: Sequence[int]
) -> tuple[Fraction, Fraction]:
    """The least and the most that a sum of cells can be, cells being at least 0. `start`: the true cells."""
    low = -_most(lines, [-part for part in wanted], start)
    return low, _most(lines, wanted, start)


def _most(lines: list[tuple[Vector, int]], wanted: Vector, start: Sequence[int]) -> Fraction:
    """Linear programming by the simplex method with Bland's rule, first from artificial cells to a vertex."""
    width, height = len(start), len(lines)
    table = [
        [*line, *(Fraction(i == j) for j in range(height)), Fraction(number)]
        for i, (line, number) in enumerate(lines)
    ]
    basis = [width + i for i in range(height)]
    price = [Fraction(0)] * width + [Fraction(-1)] * height
    assert _climb(table, basis, price) == 0  # the true cells solve the equations
    for i, place in enumerate(basis):  # what is still artificial stands at zero: take it out
        if place >= width:
            enter = next((j for j in range(width) if table[i][j]), None)
            if enter is not None:
                _turn(table, basis, i, enter)
    keep = [i for i, place in enumerate(basis) if place < width]
    table = [table[i][:width] + table[i][-1:] for i in keep]
    basis = [basis[i] for i in keep]
    return _climb(table, basis, list(wanted))


def _climb(table: list[Vector], basis: list[int], price: Vector) -> Fraction:
    while True:
        gains = [
            price[j] - sum(price[place] * row[j] for place, row in zip(basis, table, strict=True))
            for j in range(len(price))
        ]
        enter = next((j for j, gain in enumerate(gains) if gain > 0), None)
        if enter is None:
            return sum((price[place] * row[-1] for place, row in zip(basis, table, strict=True)), Fraction(0))
        ratios = [(row[-1] / row[enter], basis[i], i) for i, row in enumerate(table) if row[enter] > 0]
        _turn(table, basis, min(ratios)[2], enter)


def _turn(table: list[Vector], basis: list[int], leave: int, enter: int) -> None:
    pivot = table[leave][enter]
    table[leave] = [part / pivot for part in table[leave]]
    for i, row in enumerate(table):
        if i != leave and row[enter]:
            factor = row[enter]
            table[i] = [a - factor * b for a, b in zip(row, table[leave], strict=True)]
    basis[leave] = enter
