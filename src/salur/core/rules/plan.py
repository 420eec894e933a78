"""A rulebook on one reference date: parameters are constants, components stand in their order of price.

Both back ends read a plan, so that one case and a whole population are decided by the same thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from salur.core.faults import Fault as Wrong
from salur.core.faults import InputError
from salur.core.population.catalogue import INTEGER_MOST, Value
from salur.core.rules import nodes
from salur.core.rules.nodes import Node
from salur.core.rules.rulebook import Component, Rulebook

DATES = (date(1900, 1, 1), date(2200, 12, 31))  # reference dates for which every age stays in the calendar
NO_LIMIT = INTEGER_MOST


@dataclass(frozen=True)
class Item:
    """A component with its constants: the price of one in whole rupiah (0 where it is not money)."""

    id: str
    index: int
    kind: str  # "each", "when" or "always"
    tree: Node | None
    price: int
    most: int
    component: Component


@dataclass(frozen=True)
class Places:
    """The quota with its constants. `table` is None where every area has `places`."""

    by: str
    places: int
    table: Mapping[str, int] | None
    counts: str
    rank: nodes.Fact

    def area(self, region: str) -> str:
        """The area that a regency code falls into."""
        return {"nation": "", "province": region[:2], "regency": region}[self.by]

    def of(self, area: str) -> int | None:
        """Places in an area; None where the table is silent."""
        if self.table is None:
            return self.places
        return self.table.get(area)


@dataclass(frozen=True)
class Plan:
    """What is to be decided, with nothing left to look up."""

    rulebook: Rulebook
    on: date
    criteria: tuple[Node, ...]
    items: tuple[Item, ...]  # in the order of the file
    slots: int
    one_per_member: bool
    places: Places | None
    parameters: Mapping[str, Value]

    @cached_property
    def dearest_first(self) -> tuple[Item, ...]:
        """Ties in the order of the file."""
        return tuple(sorted(self.items, key=lambda item: (-item.price, item.index)))

    @cached_property
    def facts(self) -> tuple[nodes.Fact, ...]:
        """Every fact that is read, each once."""
        found: dict[nodes.Fact, None] = {}
        for tree in (*self.criteria, *(item.tree for item in self.items if item.tree is not None)):
            found |= nodes.facts(tree)
        if self.places:
            found[self.places.rank] = None
        return tuple(found)


def plan(rulebook: Rulebook, on: date) -> Plan:
    """The rulebook on a reference date. Raises InputError where a parameter has no value in force yet."""
    faults: list[Wrong] = []
    if not DATES[0] <= on <= DATES[1]:
        raise InputError.of("The reference date {on} is outside {first} to {last}.",
                            on=on, first=DATES[0], last=DATES[1])  # fmt: skip
    values: dict[str, Value] = {}
    for parameter in rulebook.parameters.values():
        dated = parameter.at(on)
        if dated is not None:
            values[parameter.name] = dated.value
    for name in _used(rulebook):
        if name not in values:
            parameter = rulebook.parameters[name]
            faults.append(
                Wrong.of("The parameter {name} has no value in force on {on}; its first is from {first}.",
                         name=name, on=on, first=parameter.values[0].start).at(rulebook.path, parameter.line)
            )  # fmt: skip
    if faults:
        raise InputError(faults)

    def whole(value: int | str | None) -> int:
        if value is None:
            return NO_LIMIT
        constant = values[value] if isinstance(value, str) else value
        assert type(constant) is int  # noqa: S101 - checked when the rulebook was read
        return constant

    items = tuple(
        Item(
            c.id, index, c.kind, None if c.tree is None else nodes.bind(c.tree, values, on),
            whole(c.amount) if c.amount else 0, whole(c.most), c,
        )
        for index, c in enumerate(rulebook.components)
    )  # fmt: skip
    places = None
    if (quota := rulebook.quota) is not None:
        fact = rulebook.catalogue.facts[quota.rank]
        table = None if isinstance(quota.places, str) else quota.places
        number = whole(quota.places) if isinstance(quota.places, str) else 0
        rank = nodes.Fact(fact.name, fact.type, fact.unit == "person")
        places = Places(quota.by, number, table, quota.counts, rank)
    criteria = tuple(nodes.bind(criterion.tree, values, on) for criterion in rulebook.criteria)
    return Plan(rulebook, on, criteria, items, whole(rulebook.slots), rulebook.one_per_member, places, values)


def _used(rulebook: Rulebook) -> list[str]:
    """Names of the parameters that are read, in the order of the file."""
    used: set[str] = set()
    trees = [c.tree for c in rulebook.criteria] + [c.tree for c in rulebook.components if c.tree is not None]
    for tree in trees:
        used |= {node.name for node in nodes.walk(tree) if isinstance(node, nodes.Parameter)}
    for component in rulebook.components:
        used |= {value for value in (component.amount, component.most) if isinstance(value, str)}
    if isinstance(rulebook.slots, str):
        used.add(rulebook.slots)
    if rulebook.quota and isinstance(rulebook.quota.places, str):
        used.add(rulebook.quota.places)
    return [name for name in rulebook.parameters if name in used]
