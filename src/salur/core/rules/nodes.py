"""The tree of an expression: small frozen classes, each one thing that a rule can say.

A tree is typed when it is made (see `parse`). Two back ends read it: `evaluate` (one case, Kleene logic) and
`sql` (everyone). A person's fact belongs to the member at hand: the one an aggregate looks at, or the person
that is decided. Source: docs/rulebook.md.

>>> from datetime import date
>>> tree = And((Compare("<=", Fact("decile", "integer"), Literal(4)), Not(Fact("pregnant", "boolean", True))))
>>> sorted(fact.name for fact in facts(tree))
['decile', 'pregnant']
>>> shift_years(date(2024, 2, 29), -1)
datetime.date(2023, 2, 28)
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from typing import Literal as Choice

from salur.core.population.catalogue import Type, Value

Comparison = Choice["==", "!=", "<", "<=", ">", ">="]
OPPOSITE: dict[Comparison, Comparison] = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
FLIPPED: dict[Comparison, Comparison] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None is unknown."""

    value: Value | None


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of the family, or (`personal`) of the member at hand."""

    name: str
    type: Type
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated value of the rulebook; `bind` puts the constant in its place."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Compare:
    """left op right, unknown if either is."""

    op: Comparison
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Age:
    """Completed years or months of a date on the reference date, compared with a constant or parameter."""

    unit: Choice["years", "months"]
    op: Comparison
    since: Fact
    bound: Node


@dataclass(frozen=True, slots=True)
class And:
    """False if one part is false, else unknown if one is unknown."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if one part is true, else unknown if one is unknown."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    part: Node


@dataclass(frozen=True, slots=True)
class Among:
    """Whether a value is one of several constants."""

    part: Node
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Whole-number + - *."""

    op: Choice["+", "-", "*"]
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the greatest of several numbers; unknown if one of them is."""

    op: Choice["min", "max"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """any, all, count or sum of `part` over the members of the family."""

    kind: Choice["any", "all", "count", "sum"]
    part: Node


Node = (
    Literal | Fact | Parameter | Compare | Age | And | Or | Not | Among | Arithmetic | Extreme | Aggregate
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below."""
    below: list[Node] = []
    for field in fields(node):
        value = getattr(node, field.name)
        if field.name == "parts":
            below.extend(value)
        elif field.name in ("part", "left", "right", "since", "bound"):
            below.append(value)
    return tuple(below)


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    yield node
    for child in children(node):
        yield from walk(child)


def depth(node: Node) -> int:
    """How many nodes stand above each other at most."""
    return 1 + max(map(depth, children(node)), default=0)


def facts(node: Node) -> dict[Fact, None]:
    """The facts read, each once, in the order of the text."""
    return {fact: None for fact in walk(node) if isinstance(fact, Fact)}


def type_of(node: Node) -> Type:
    """The type of what a checked tree yields."""
    match node:
        case Literal(bool()):
            return "boolean"
        case Literal(int()):
            return "integer"
        case Literal(str()):
            return "category"
        case Literal(date()):
            return "date"
        case Fact(_, type_, _) | Parameter(_, type_):
            return type_
        case Arithmetic() | Extreme() | Aggregate("count" | "sum"):
            return "integer"
    return "boolean"


def rebuild(node: Node, change: Callable[[Node], Node]) -> Node:
    """The same tree with every node replaced by `change` of it, from the leaves up."""
    match node:
        case Compare(op, left, right):
            node = Compare(op, rebuild(left, change), rebuild(right, change))
        case And(parts):
            node = And(tuple(rebuild(part, change) for part in parts))
        case Or(parts):
            node = Or(tuple(rebuild(part, change) for part in parts))
        case Not(part):
            node = Not(rebuild(part, change))
        case Among(part, values):
            node = Among(rebuild(part, change), values)
        case Arithmetic(operator, left, right):
            node = Arithmetic(operator, rebuild(left, change), rebuild(right, change))
        case Extreme(which, parts):
            node = Extreme(which, tuple(rebuild(part, change) for part in parts))
        case Aggregate(kind, part):
            node = Aggregate(kind, rebuild(part, change))
        case Age(unit, comparison, since, bound):
            node = Age(unit, comparison, since, rebuild(bound, change))
    return change(node)


def shift_years(day: date, years: int) -> date:
    """The same day of another year; 29 February becomes 28. Raises ValueError outside the years 1 to 9999."""
    return shift_months(day, 12 * years)


def shift_months(day: date, months: int) -> date:
    """The same day of another month; a day that the month lacks becomes its last (31 May → 30 April).

    >>> shift_months(date(2026, 3, 31), -1)
    datetime.date(2026, 2, 28)
    """
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise ValueError(f"the year {year} is outside the calendar")
    last = calendar.monthrange(year, month + 1)[1]
    return day.replace(year=year, month=month + 1, day=min(day.day, last))


def bound_age(node: Age, on: date) -> Node:
    """The comparison of dates that an age comparison means on a reference date.

    A person is n years old when born on or before the reference date shifted n years back.
    """
    assert isinstance(node.bound, Literal)  # noqa: S101 - parameters are bound first
    assert type(node.bound.value) is int  # noqa: S101
    n, since = node.bound.value, node.since

    def at_least(count: int) -> Compare:
        """At least `count` completed years (months)."""
        shift = shift_years if node.unit == "years" else shift_months
        return Compare("<=", since, Literal(shift(on, -count)))

    match node.op:
        case ">=":
            return at_least(n)
        case ">":
            return at_least(n + 1)
        case "<":
            return Not(at_least(n))
        case "<=":
            return Not(at_least(n + 1))
        case "==":
            return And((at_least(n), Not(at_least(n + 1))))
    return Not(And((at_least(n), Not(at_least(n + 1)))))


def bind(node: Node, values: dict[str, Value], on: date) -> Node:
    """The tree with parameters as constants and ages as date comparisons."""

    def change(part: Node) -> Node:
        if isinstance(part, Parameter):
            return Literal(values[part.name])
        return bound_age(part, on) if isinstance(part, Age) else part

    return rebuild(node, change)
