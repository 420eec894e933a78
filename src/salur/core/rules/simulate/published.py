"""What may be said of a simulation: exact counts made safe for small groups, and the costs.

One partition is published: units by kind of movement; below a kind its moves (from which outcome to which); below
a move what moved them. Each breakdown is a table of the same kinds. So whatever is small is put together with its
neighbours in all of them alike (docs/simulate.md).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from salur.core.disclosure import SMALL, protect
from salur.core.disclosure import Cell as Safe
from salur.core.disclosure import Row as SafeRow
from salur.core.population.layout import Population
from salur.core.rules.evaluate import ELIGIBLE
from salur.core.rules.plan import NO_LIMIT, Plan
from salur.core.rules.simulate.cells import Cell, Cells, Reasons
from salur.core.rules.simulate.changes import Change, changes
from salur.core.rules.simulate.counting import count
from salur.core.rules.simulate.moves import KINDS, OUTCOMES, RECEIVE_AFTER, RECEIVE_BEFORE, Move
from salur.core.rules.simulate.options import Options

TIMES_A_YEAR = {"month": 12, "quarter": 4, "semester": 2, "year": 1, "once": 1}
MEMBERS_MOST = 64
UNKNOWN_LAST = 99


@dataclass(frozen=True)
class Line:
    """A published number of units and their rupiah a period before and after; None is withheld.

    names: the kinds of movement, or the moves, that were put together. Mostly one.
    """

    names: tuple[str, ...]
    units: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Reason:
    """What moved some units of a kind: sets of `criterion:ID`, `component:ID`, `places`; several were put together."""

    kind: str
    sets: tuple[tuple[str, ...], ...]
    units: int
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Row:
    """A row of a breakdown: its values (codes; several were put together) and a line for each column."""

    values: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Table:
    """A breakdown by kind of movement; the first row is the whole."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Side:
    """One of the two rulebooks: units by outcome, and what it costs. None is withheld.

    rounded: where small groups are put together, costs are whole multiples of this.
    """

    version: str
    outcomes: Mapping[str, int | None]
    cost: int | None
    cost_a_year: int | None
    rounded: int


@dataclass(frozen=True)
class Errors:
    """One rulebook against the truth.

    targets: units that are poor in truth and fail nothing but what the truth corrects; missed: those of them that get
    nothing. receivers: who gets something; leaked: those of them that are not poor.
    """

    targets: int
    missed: int
    receivers: int
    leaked: int
    rupiah: int
    rupiah_leaked: int

    @property
    def exclusion(self) -> float | None:
        """The share of the targets that is missed."""
        return round(self.missed / self.targets, 4) if self.targets else None

    @property
    def inclusion(self) -> float | None:
        """The share of the receivers that is not poor."""
        return round(self.leaked / self.receivers, 4) if self.receivers else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"exclusion": self.exclusion, "inclusion": self.inclusion}


@dataclass(frozen=True)
class Simulation:
    """The effect of a rulebook, compared with another or with none; nothing in it tells on a small group."""

    programme: str
    title: Mapping[str, str]
    unit: str
    period: str
    times_a_year: int
    reference_date: str
    population: str
    regencies: tuple[str, ...] | None
    sample: tuple[int, int] | None
    times: int  # how often each unit counts
    ceiling: int | None  # rupiah a year
    before: Side | None
    after: Side
    kinds: tuple[Line, ...]
    moves: tuple[Line, ...]  # names like eligible>waiting, eligible>eligible:more
    reasons: tuple[Reason, ...]
    tables: Mapping[str, Table]
    errors_before: Errors | None
    errors_after: Errors | None
    poor: int | None  # who counted as poor: the deciles 1 to this; None: no truth was given
    changes: tuple[Change, ...]
    missing: Mapping[
        str, tuple[str, ...]
    ]  # breakdowns that this population cannot give, and the facts it lacks

    @property
    def over_ceiling(self) -> int | None:
        """By how much the new rulebook costs more a year than the ceiling; negative: what is left."""
        if self.ceiling is None or self.after.cost_a_year is None:
            return None
        return self.after.cost_a_year * self.times - self.ceiling

    def to_json(self) -> dict[str, Any]:
        """Plain data; the schema is in docs/simulate.md."""
        data = asdict(self)
        data |= {
            "format": 1,
            "tables": {name: [asdict(row) for row in table.rows] for name, table in self.tables.items()},
            "errors_before": self.errors_before and self.errors_before.to_json(),
            "errors_after": self.errors_after and self.errors_after.to_json(),
            "changes": [change.to_json() for change in self.changes],
            "over_ceiling": self.over_ceiling,
        }
        return data


def simulate(
    new: Plan,
    old: Plan | None,
    population: Population,
    work: Path,
    options: Options = Options(),  # noqa: B008 - it is frozen
) -> Simulation:
    """Both rulebooks decided and compared; see the package. Raises InputError."""
    return published(count(new, old, population, work, options), new, old, population, options)


def published(
    cells: Cells,
    new: Plan,
    old: Plan | None,
    population: Population,
    options: Options = Options(),  # noqa: B008
) -> Simulation:
    """The simulation of exact counts."""
    book = new.rulebook
    tree = _Tree(cells)
    step = 1 if tree.exact else 10 * max(most_of_one(plan) for plan in (new, old) if plan is not None)
    before, after = (
        None if plan is None else _side(plan, tree, side, step, TIMES_A_YEAR[plan.rulebook.period])
        for side, plan in enumerate((old, new))
    )
    assert after is not None  # noqa: S101 - new is a plan
    poor = None if options.truth is None else options.poor
    errors = (None, None) if poor is None or not tree.exact else _errors(cells, old is not None)
    return Simulation(
        programme=book.id,
        title={"id": book.title["id"], "en": book.title["en"]},
        unit=book.unit,
        period=book.period,
        times_a_year=TIMES_A_YEAR[book.period],
        reference_date=new.on.isoformat(),
        population=population.id,
        regencies=None if options.regencies is None else tuple(sorted(options.regencies)),
        sample=options.sample,
        times=cells.times,
        ceiling=options.ceiling,
        before=before,
        after=after,
        kinds=tree.kinds,
        moves=tree.moves,
        reasons=tree.reasons,
        tables=_tables(cells),
        errors_before=errors[0],
        errors_after=errors[1],
        poor=poor,
        changes=() if old is None else changes(new, old),
        missing={name: tuple(facts) for name, facts in cells.missing.items()},
    )


# ---- the partition: kind, move, reasons ------------------------------------------------------------------------


@dataclass
class _Tree:
    """The published part of the partition."""

    cells: Cells
    kinds: tuple[Line, ...] = ()
    moves: tuple[Line, ...] = ()
    reasons: tuple[Reason, ...] = ()
    exact: bool = False
    finest: list[tuple[frozenset[Move], Line]] = field(default_factory=list)

    def __post_init__(self) -> None:
        leaves: dict[tuple[Move, Reasons], Cell] = defaultdict(Cell)
        for (move, reasons, _), cell in self.cells.moves.items():
            leaves[move, reasons].add(cell.units, cell.before, cell.after)
        moves = sorted({move for move, _ in leaves}, key=_place)
        sets = sorted({reasons.names for _, reasons in leaves})
        coded = {
            f"{KINDS.index(move.kind)}.{moves.index(move):03}.{sets.index(reasons.names):05}": cell
            for (move, reasons), cell in leaves.items()
        }
        rows = _both({(code, "all"): cell for code, cell in coded.items()})
        below: dict[str, list[Move]] = defaultdict(list)
        for move in moves:
            below[str(KINDS.index(move.kind))].append(move)
        split = {codes[0][0] for codes, _ in rows if codes[0].count(".") == 1}
        kinds, shown, reasons_ = [], [], []
        for codes, figures in rows:
            if codes == ("",):  # the whole
                continue
            ((units, before, after),) = figures
            parts = [code.split(".") for code in codes]
            kind, level = parts[0][0], len(parts[0])
            if level == 1:
                kinds.append(_kind(tuple(KINDS[int(code)] for code in codes), units, before, after))
                if kind not in split:
                    self.finest.append((frozenset(m for code in codes for m in below[code]), kinds[-1]))
            elif level == 2:
                some = [moves[int(part[1])] for part in parts]
                shown.append(Line(tuple(map(written, some)), units, before, after))
                self.finest.append((frozenset(some), shown[-1]))
            elif KINDS[int(kind)] not in ("same", "unchanged"):
                some_sets = tuple(dict.fromkeys(sets[int(part[2])] for part in parts))
                reasons_.append(Reason(KINDS[int(kind)], some_sets, units, before, after))
        self.kinds, self.moves, self.reasons = tuple(kinds), tuple(shown), _gathered(reasons_)
        self.exact = bool(kinds) and all(len(line.names) == 1 for line in kinds)

    def outcome(self, side: int, outcome: str) -> int | None:
        """How many units have an outcome before (0) or after (1): a sum of published lines, or withheld."""
        total = 0
        for some, line in self.finest:
            having = {(move.before, move.after)[side] == outcome for move in some}
            if having == {True, False}:
                return None
            total += line.units if True in having else 0
        return total if self.finest else None

    def cost(self, side: int, step: int) -> int | None:
        if not self.finest:
            return None
        exact = sum((cell.before, cell.after)[side] for cell in self.cells.moves.values())
        return (2 * exact + step) // (2 * step) * step


def _kind(names: tuple[str, ...], units: int, before: int | None, after: int | None) -> Line:
    """A line of kinds. Divided by an amount, the money of several would take them apart: it is withheld."""
    if len(names) > 1 and not RECEIVE_BEFORE.isdisjoint(names):
        before = None
    if len(names) > 1 and not RECEIVE_AFTER.isdisjoint(names):
        after = None
    return Line(names, units, before, after)


def _gathered(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The same reasons of several moves of a kind in one line; the largest first."""
    found: dict[tuple[str, tuple[tuple[str, ...], ...]], Reason] = {}
    for one in reasons:
        other = found.get((one.kind, one.sets))
        if other is not None:
            one = Reason(
                one.kind,
                one.sets,
                one.units + other.units,
                _sum(one.before, other.before),
                _sum(one.after, other.after),
            )
        found[one.kind, one.sets] = one
    return tuple(sorted(found.values(), key=lambda one: (KINDS.index(one.kind), -one.units, one.sets)))


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _place(move: Move) -> tuple[int, int, int, int]:
    return KINDS.index(move.kind), OUTCOMES.index(move.before), OUTCOMES.index(move.after), move.sign


def written(move: Move) -> str:
    """
    >>> written(Move("eligible", "waiting")), written(Move("eligible", "eligible", 1))
    ('eligible>waiting', 'eligible>eligible:more')
    """
    sign = f":{move.kind}" if move.before == move.after == ELIGIBLE else ""
    return f"{move.before}>{move.after}{sign}"


def _both(
    cells: Mapping[tuple[str, str], Cell],
) -> list[tuple[tuple[str, ...], tuple[tuple[int, int | None, int | None], ...]]]:
    """Rows of protect with both amounts: numbers of people alone decide what is put together."""
    before, after = (
        protect({key: Safe(cell.units, (cell.before, cell.after)[side]) for key, cell in cells.items()}).rows
        for side in (0, 1)
    )
    return [
        (
            row.regions,
            tuple((f.people, f.rupiah, g.rupiah) for f, g in zip(row.figures, other.figures, strict=True)),
        )
        for row, other in zip(before, after, strict=True)
    ]


# ---- breakdowns ------------------------------------------------------------------------------------------------


def _tables(cells: Cells) -> dict[str, Table]:
    tables = {}
    for name, broken in cells.broken.items():
        coded = {
            (f"{value or UNKNOWN_LAST:02}", str(KINDS.index(kind))): cell
            for (value, kind), cell in broken.items()
        }
        tables[name] = _table(name, coded)
    tables["region"] = _table(
        "region", {(region, str(KINDS.index(kind))): cell for (region, kind), cell in cells.regions.items()}
    )
    return tables


def _table(name: str, coded: Mapping[tuple[str, str], Cell]) -> Table:
    before, after = (
        protect({key: Safe(cell.units, (cell.before, cell.after)[side]) for key, cell in coded.items()}).rows
        for side in (0, 1)
    )
    rows = zip(before, after, strict=True)
    return Table(name, tuple(_row(row, other) for row, other in rows if row.figures))


def _row(row: SafeRow, other: SafeRow) -> Row:
    lines = tuple(
        Line(tuple(KINDS[int(code)] for code in f.outcomes), f.people, f.rupiah, g.rupiah)
        for f, g in zip(row.figures, other.figures, strict=True)
    )
    return Row(row.regions, lines)


# ---- cost and truth --------------------------------------------------------------------------------------------


def _side(plan: Plan, tree: _Tree, side: int, step: int, times: int) -> Side:
    cost = tree.cost(side, step)
    return Side(
        plan.rulebook.sha256,
        {outcome: tree.outcome(side, outcome) for outcome in OUTCOMES[:-1]},
        cost,
        None if cost is None else cost * times,
        step,
    )


def most_of_one(plan: Plan) -> int:
    """No unit gets more rupiah than this; at least 1."""
    slots, total = plan.slots, 0
    for item in plan.dearest_first:
        number = min(item.most, MEMBERS_MOST if item.kind == "each" else 1, slots)
        total += number * item.price
        slots -= number if slots != NO_LIMIT else 0
    return max(total, 1)


def _errors(cells: Cells, compared: bool) -> tuple[Errors | None, Errors | None]:
    """Of both sides; None where a number, or the difference of the two sides, is small."""
    sides = []
    for side in (0, 1):
        found: dict[str, int] = dict.fromkeys(Errors.__dataclass_fields__, 0)
        for (move, _, truth), cell in cells.moves.items():
            receives = (move.before, move.after)[side] == ELIGIBLE
            target = (truth.target_before, truth.target_after)[side]
            rupiah = (cell.before, cell.after)[side]
            for name, holds, number in (
                ("targets", target, cell.units), ("missed", target and not receives, cell.units),
                ("receivers", receives, cell.units), ("leaked", receives and not truth.poor, cell.units),
                ("rupiah", receives, rupiah), ("rupiah_leaked", receives and not truth.poor, rupiah),
            ):  # fmt: skip
                found[name] += number if holds else 0
        sides.append(Errors(**found))
    old, new = sides
    if _any_small(_counts(new)):
        return None, None
    if not compared or _any_small(_counts(old)):
        return None, new
    return (
        None if _any_small([a - b for a, b in zip(_counts(old), _counts(new), strict=True)]) else old
    ), new


def _counts(errors: Errors) -> list[int]:
    """Every number of units that follows from what is said."""
    return [
        errors.targets, errors.missed, errors.targets - errors.missed,
        errors.receivers, errors.leaked, errors.receivers - errors.leaked,
    ]  # fmt: skip


def _any_small(numbers: Iterable[int]) -> bool:
    return any(0 < abs(number) < SMALL for number in numbers)
