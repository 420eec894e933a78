"""Exact numbers of a simulation: small, counted inside the engine, and not to be published as they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from salur.core.rules.evaluate import ELIGIBLE, WAITING
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet
from salur.core.rules.simulate import moves
from salur.core.rules.simulate.attributes import unpacked
from salur.core.rules.simulate.moves import Move

KEYS = ("region", "packed", "kind", "move", "r1", "r2", "truth")  # columns of a file of cells
SUMS = ("units", "o", "n")


@dataclass
class Cell:
    """Units, and the rupiah a period that they get by the old rulebook and by the new."""

    units: int = 0
    before: int = 0
    after: int = 0

    def add(self, units: int, before: int, after: int) -> None:
        self.units += units
        self.before += before
        self.after += after


@dataclass(frozen=True)
class Reasons:
    """What moved a unit: criteria whose answer changed, components of which it gets more or less, or the places."""

    criteria: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    places: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Each with what it is: criterion:ID, component:ID, places."""
        listed = [f"criterion:{name}" for name in self.criteria] + [f"component:{n}" for n in self.components]
        return (*listed, "places") if self.places else tuple(listed)


@dataclass(frozen=True)
class Truth:
    """For one side: poor in truth; and a target, which is poor and fails nothing but what the truth corrects."""

    poor: bool = False
    target_before: bool = False
    target_after: bool = False


@dataclass
class Cells:
    """Exact counts, not to be published as they are. Each table holds every unit once."""

    moves: dict[tuple[Move, Reasons, Truth], Cell] = field(default_factory=lambda: defaultdict(Cell))
    regions: dict[tuple[str, str], Cell] = field(default_factory=lambda: defaultdict(Cell))  # (regency, kind)
    broken: dict[str, dict[tuple[int, str], Cell]] = field(default_factory=dict)  # breakdown: (value, kind)
    times: int = 1  # how often each unit counts, where this is a sample
    missing: dict[str, list[str]] = field(default_factory=dict)  # breakdowns that lack these facts

    @property
    def units(self) -> int:
        return sum(cell.units for cell in self.moves.values())


def read(
    files: Iterable[Path],
    new: Plan,
    old: Plan | None,
    breakdowns: Iterable[str],
    connection: duckdb.DuckDBPyConnection,
) -> Cells:
    """The sum of the cells of all provinces."""
    found = Cells(broken={name: defaultdict(Cell) for name in breakdowns})
    rows = parquet(*files)
    sums = ", ".join(f"sum({name})" for name in SUMS)
    cursor = connection.execute(f"SELECT {', '.join(KEYS)}, {sums} FROM {rows} GROUP BY ALL ORDER BY ALL")
    for region, packed, kind, number, r1, r2, truth, *counted in cursor.fetchall():
        numbers = [int(n) for n in counted]
        if region is not None:
            found.regions[region, moves.KINDS[kind]].add(*numbers)
        elif packed is not None:
            values = unpacked(packed)
            for name, broken in found.broken.items():
                broken[values[name], moves.KINDS[kind]].add(*numbers)
        else:
            move = Move.of(number)
            flags = Truth(truth >= 4, bool(truth & 2), bool(truth & 1))
            found.moves[move, _reasons(new, old, move, r1, r2), flags].add(*numbers)
    return found


def _reasons(new: Plan, old: Plan | None, move: Move, r1: int, r2: int) -> Reasons:
    """The words of the engine as names."""
    if old is None or move.kind in ("same", "unchanged"):
        return Reasons()
    if move.before == move.after == ELIGIBLE:
        words = ((new.items, r1), (old.items, r2))
        return Reasons(
            components=tuple(item.id for items, word in words for item in items if word >> item.index & 1)
        )
    ids = ((new.rulebook.criterion_ids, r1), (old.rulebook.criterion_ids, r2))
    names = tuple(name for listed, word in ids for bit, name in enumerate(listed) if word >> bit & 1)
    return Reasons(criteria=names, places={move.before, move.after} == {ELIGIBLE, WAITING})
