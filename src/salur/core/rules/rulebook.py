"""A rulebook: one TOML file per programme → checked, frozen dataclasses. Every fault at once, with its line.

The format is fixed (docs/rulebook.md). A rulebook's version is the SHA-256 of its bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from salur.core import toml
from salur.core.faults import Fault as Wrong
from salur.core.faults import InputError
from salur.core.population.catalogue import (
    INTEGER_MOST,
    MEMBERS_MOST,
    Catalogue,
    Text,
    Type,
    Unit,
    Value,
    is_text,
    text,
)
from salur.core.rules import nodes
from salur.core.rules.nodes import Node
from salur.core.rules.parse import NODES_MOST, Names, ParameterRange, Refused, expression

CRITERIA_MOST = 60
COMPONENTS_MOST = 60
PERIODS = ("month", "quarter", "semester", "year", "once")
DELIVERS = ("money", "goods", "voucher", "service", "certificate")
AREAS = ("nation", "province", "regency")
ID = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Basis:
    """A legal source. `checked_on` is the day somebody compared the rulebook with its text; None: unverified."""

    id: str
    title: str
    checked_on: date | None
    link: str


@dataclass(frozen=True)
class DatedValue:
    """One value of a parameter, in force from a day until the next."""

    start: date
    value: Value
    basis: str


@dataclass(frozen=True)
class Parameter:
    """A value that changes over time; `values` in the order of time."""

    name: str
    type: Type
    values: tuple[DatedValue, ...]
    label: Text | None
    line: int

    def at(self, on: date) -> DatedValue | None:
        """The value in force on a day, None before the first."""
        return next((dated for dated in reversed(self.values) if dated.start <= on), None)


@dataclass(frozen=True)
class Criterion:
    """One condition that must hold."""

    id: str
    require: str
    tree: Node
    basis: str
    says: Text
    remedy: Text | None
    line: int


@dataclass(frozen=True)
class Component:
    """One thing delivered per period: for `each` member of whom the tree holds, or once `when` it holds.

    amount: parameter in whole rupiah (money only). most: a number, a parameter, or None for no limit.
    """

    id: str
    title: Text
    kind: str  # "each", "when" or "always"
    condition: str
    tree: Node | None
    delivers: str
    amount: str | None
    measure: Text | None
    most: int | str | None
    line: int


@dataclass(frozen=True)
class Quota:
    """How many can be served per area; `places` is a parameter or a table by region code."""

    by: str
    places: str | Mapping[str, int]
    counts: str
    rank: str
    line: int


@dataclass(frozen=True)
class Rulebook:
    """A checked rulebook. `sha256` of the file's bytes is its version."""

    id: str
    unit: Unit
    period: str
    title: Text
    about: Text | None
    basis: Mapping[str, Basis]
    parameters: Mapping[str, Parameter]
    criteria: tuple[Criterion, ...]
    components: tuple[Component, ...]
    slots: int | str | None
    one_per_member: bool
    quota: Quota | None
    catalogue: Catalogue
    sha256: str
    raw: bytes
    path: Path

    @property
    def criterion_ids(self) -> tuple[str, ...]:
        """Ids by bit of the masks: the written criteria, then the built-in ones."""
        built_in = ("some_component", "rank_known") if self.quota else ("some_component",)
        return (*(criterion.id for criterion in self.criteria), *built_in)


def read(path: Path, catalogue: Catalogue) -> Rulebook:
    """Read and check a rulebook. Raises InputError with every fault, in the order of the file."""
    return parse(toml.read(path), catalogue)


def parse(document: toml.Document, catalogue: Catalogue) -> Rulebook:
    """Check the rulebook in a TOML document."""
    reader = _Reader(document, catalogue)
    rulebook = reader.rulebook()
    if reader.faults:
        raise InputError(sorted(reader.faults, key=lambda fault: fault.line))
    return rulebook


_TABLES = {
    "": ("format", "id", "unit", "period", "title", "about", "basis", "parameters", "criteria", "components",
         "limits", "quota"),
    "basis": ("id", "title", "checked_on", "link"),
    "parameters": ("values", "label"),
    "values": ("from", "value", "basis"),
    "criteria": ("id", "require", "basis", "says", "remedy"),
    "components": ("id", "title", "each", "when", "delivers", "amount", "measure", "most"),
    "limits": ("components", "one_per_member"),
    "quota": ("by", "places", "counts", "rank"),
}  # fmt: skip


class _Reader:
    """Reads section by section, collecting faults instead of stopping at the first."""

    def __init__(self, document: toml.Document, catalogue: Catalogue) -> None:
        self.document = document
        self.data = document.data
        self.catalogue = catalogue
        self.faults: list[Wrong] = []
        self.nodes = 0

    def fault(self, where: toml.Path_, template: str, **values: object) -> None:
        self.faults.append(Wrong.of(template, **values).at(self.document.path, self.document.line(*where)))

    def keys(self, table: dict[str, Any], kind: str, where: toml.Path_) -> None:
        for key in table:
            if key not in _TABLES[kind]:
                self.fault((*where, key), "{key} is not a key of a rulebook here; expected {keys}.",
                           key=key, keys=", ".join(_TABLES[kind]))  # fmt: skip

    def rulebook(self) -> Rulebook:
        data = self.data
        self.keys(data, "", ())
        if data.get("format") != 1 or type(data.get("format")) is not int:
            self.fault(("format",), "The first line must say format = 1.")
        id_ = self.id(data, ())
        unit = self.choice(data, ("unit",), ("family", "person"))
        period = self.choice(data, ("period",), PERIODS)
        title = self.text(data, ("title",)) or Text("-", "-")
        about = self.text(data, ("about",)) if "about" in data else None
        basis = self.basis()
        parameters = self.parameters(basis)
        names = Names(self.catalogue, {p.name: _range(p) for p in parameters.values()},
                      "person" if unit == "person" else "family")  # fmt: skip
        criteria = self.criteria(names, basis)
        components = self.components(names)
        slots, one_per_member = self.limits(names)
        quota = self.quota(names) if "quota" in data else None
        if self.nodes > NODES_MOST:
            self.fault((), "The rulebook has {n} nodes; at most {most}.", n=self.nodes, most=NODES_MOST)
        self.money(components, parameters)
        return Rulebook(
            id_, names.unit, period, title, about, basis, parameters, criteria, components, slots, one_per_member,
            quota, self.catalogue, hashlib.sha256(self.document.raw).hexdigest(), self.document.raw,
            self.document.path,
        )  # fmt: skip

    # ---- small pieces ----

    def id(self, table: dict[str, Any], where: toml.Path_) -> str:
        id_ = table.get("id")
        if not isinstance(id_, str) or not ID.fullmatch(id_):
            self.fault(
                (*where, "id"), "An id is needed: lower-case letters, digits, - and _, like poorest_deciles."
            )
            return ""
        return id_

    def choice(self, table: dict[str, Any], where: toml.Path_, allowed: tuple[str, ...]) -> str:
        value = table.get(str(where[-1]))
        if value not in allowed:
            self.fault(where, "{key} must be one of {allowed}.", key=where[-1], allowed=", ".join(allowed))
            return ""
        return str(value)

    def text(self, table: dict[str, Any], where: toml.Path_) -> Text | None:
        pair = text(table.get(str(where[-1])))
        if pair is None:
            self.fault(
                where, '{key} must be given in both languages: {{ id = "…", en = "…" }}.', key=where[-1]
            )
        return pair

    def list_of(self, key: str, most: int) -> list[tuple[toml.Path_, dict[str, Any]]]:
        found = self.data.get(key, [])
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            self.fault((key,), "{key} must be written as [[{key}]] tables.", key=key)
            return []
        if len(found) > most:
            self.fault((key,), "There are {n} {key}; at most {most}.", n=len(found), key=key, most=most)
        tables: list[tuple[toml.Path_, dict[str, Any]]] = [
            ((key, i), table) for i, table in enumerate(found[:most])
        ]
        seen: set[str] = set()
        for where, table in tables:
            self.keys(table, key, where)
            name = table.get("id")
            if isinstance(name, str) and name in seen:
                self.fault((*where, "id"), "The id {id} is used twice.", id=name)
            seen.add(str(name))
        return tables

    def condition(
        self, source: object, where: toml.Path_, names: Names, over_members: bool = False
    ) -> Node | None:
        if not isinstance(source, str):
            self.fault(where, "{key} must be an expression in quotes.", key=where[-1])
            return None
        if self.nodes > NODES_MOST:
            return None  # told once for the whole rulebook
        try:
            tree = expression(source, names, over_members=over_members)
        except Refused as refused:
            where_line = self.document.line(*where)
            self.faults.append(refused.fault.at(self.document.path, where_line))
            return None
        self.nodes += sum(1 for _ in nodes.walk(tree))
        return tree

    # ---- sections ----

    def basis(self) -> dict[str, Basis]:
        found = {}
        for where, table in self.list_of("basis", 200):
            id_ = self.id(table, where)
            title, checked, link = table.get("title"), table.get("checked_on"), table.get("link", "")
            if not isinstance(title, str) or not is_text(title):
                self.fault((*where, "title"), "A basis needs its title.")
            if checked is not None and type(checked) is not date:
                self.fault((*where, "checked_on"), "checked_on must be a date like 2026-11-20.")
            if not isinstance(link, str) or (link and not link.startswith("https://")):
                self.fault((*where, "link"), "A link starts with https://.")
            found[id_] = Basis(id_, str(title), checked, str(link))
        return found

    def cited(self, table: dict[str, Any], where: toml.Path_, basis: Mapping[str, Basis], what: Wrong) -> str:
        cited = table.get("basis")
        if not isinstance(cited, str):
            self.fault((*where, "basis"), "{what} has no basis: cite the id of a [[basis]].", what=what)
        elif cited not in basis:
            self.fault((*where, "basis"), "There is no [[basis]] with the id {id}.", id=cited)
        return str(cited)

    def parameters(self, basis: Mapping[str, Basis]) -> dict[str, Parameter]:
        section = self.data.get("parameters", {})
        if not isinstance(section, dict):
            self.fault(("parameters",), "Parameters are written as [parameters.NAME] tables.")
            return {}
        found = {}
        for name, table in section.items():
            where = ("parameters", name)
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in self.catalogue.facts:
                self.fault(
                    where,
                    "{name} cannot be a parameter's name: it is taken by a fact or not plain.",
                    name=name,
                )
            if (
                not isinstance(table, dict)
                or not isinstance(table.get("values"), list)
                or not table["values"]
            ):
                self.fault(where, "The parameter {name} is undated: it needs values = [ {{ from = DATE, value = …, "
                           "basis = … }} ].", name=name)  # fmt: skip
                continue
            self.keys(table, "parameters", where)
            label = self.text(table, (*where, "label")) if "label" in table else None
            values = self.dated(name, table["values"], where, basis)
            if values:
                found[name] = Parameter(
                    name, _type(values[0].value), values, label, self.document.line(*where)
                )
        return found

    def dated(
        self, name: str, rows: list[Any], where: toml.Path_, basis: Mapping[str, Basis]
    ) -> tuple[DatedValue, ...]:
        values = []
        for row in rows:
            here = (*where, "values")
            if not isinstance(row, dict) or type(row.get("from")) is not date or "value" not in row:
                self.fault(here, "A value of {name} is undated: write {{ from = 2025-01-31, value = …, basis = … }}.",
                           name=name)  # fmt: skip
                continue
            self.keys(row, "values", here)
            value = row["value"]
            if type(value) not in (bool, int, str, date):
                self.fault(
                    here,
                    "A value of {name} must be a whole number, a date, true or false, or a word.",
                    name=name,
                )
                continue
            if type(value) is int and abs(value) > INTEGER_MOST:
                self.fault(here, "A value of {name} is beyond 2^53.", name=name)
                continue
            values.append(
                DatedValue(
                    row["from"], value, self.cited(row, here, basis, Wrong.of("A value of {name}", name=name))
                )
            )
        values.sort(key=lambda dated: dated.start)
        if len({dated.start for dated in values}) < len(values):
            self.fault(where, "The parameter {name} has two values from the same day.", name=name)
        if len({_type(dated.value) for dated in values}) > 1:
            self.fault(where, "The values of {name} are of different types.", name=name)
            return ()
        return tuple(values)

    def criteria(self, names: Names, basis: Mapping[str, Basis]) -> tuple[Criterion, ...]:
        found = []
        for where, table in self.list_of("criteria", CRITERIA_MOST):
            id_ = self.id(table, where)
            if id_ in ("some_component", "rank_known"):
                self.fault((*where, "id"), "{id} is the id of a built-in criterion.", id=id_)
            tree = self.condition(table.get("require"), (*where, "require"), names)
            cited = self.cited(table, where, basis, Wrong.of("The criterion {id}", id=id_ or "?"))
            says = self.text(table, (*where, "says"))
            remedy = self.text(table, (*where, "remedy")) if "remedy" in table else None
            if tree is not None and says is not None:
                line = self.document.line(*where)
                found.append(Criterion(id_, str(table["require"]), tree, cited, says, remedy, line))
        return tuple(found)

    def components(self, names: Names) -> tuple[Component, ...]:
        tables = self.list_of("components", COMPONENTS_MOST)
        if not tables and isinstance(self.data.get("components", []), list):
            self.fault(
                ("components",), "The programme delivers nothing: it needs at least one [[components]]."
            )
        return tuple(c for where, table in tables if (c := self.component(where, table, names)) is not None)

    def component(self, where: toml.Path_, table: dict[str, Any], names: Names) -> Component | None:
        id_ = self.id(table, where)
        if "each" in table and "when" in table:
            self.fault(where, "The component {id} has both each and when; choose one.", id=id_)
        kind = "each" if "each" in table else "when" if "when" in table else "always"
        tree = None
        if kind != "always":
            tree = self.condition(table[kind], (*where, kind), names, over_members=kind == "each")
            if kind == "each" and tree is not None and not any(fact.personal for fact in nodes.facts(tree)):
                self.fault((*where, "each"), "each reads no fact of a member; use when for the unit once.")
        delivers = self.choice(table, (*where, "delivers"), DELIVERS)
        amount, measure = table.get("amount"), None
        if delivers == "money":
            if "measure" in table:
                self.fault((*where, "measure"), "Money has an amount, not a measure.")
            if not isinstance(amount, str):
                self.fault((*where, "amount"), "amount must name a parameter in whole rupiah.")
            else:
                self.whole(amount, (*where, "amount"), names, 0)
        else:
            if "amount" in table:
                self.fault(
                    (*where, "amount"), "Only money has an amount; say what one is with measure = {{ … }}."
                )
            if isinstance(word := table.get("measure"), str) and is_text(word):
                measure = Text(word.strip(), word.strip())
            elif "measure" in table:
                measure = self.text(table, (*where, "measure"))
        title = self.text(table, (*where, "title")) if "title" in table else Text(id_, id_)
        most = table.get("most")
        if most is not None:
            most = self.number(most, (*where, "most"), names, 1)
        amount = amount if isinstance(amount, str) and delivers == "money" else None
        return Component(id_, title or Text(id_, id_), kind, str(table.get(kind, "")), tree, delivers, amount,
                         measure, most, self.document.line(*where))  # fmt: skip

    def whole(self, name: str, where: toml.Path_, names: Names, least: int) -> None:
        """A parameter that is a whole number of at least `least` at all times."""
        parameter = names.parameters.get(name)
        if parameter is None or parameter.type != "integer":
            self.fault(where, "{key} must name a parameter that is a whole number; {name} is none.",
                       key=where[-1], name=name)  # fmt: skip
        elif parameter.least < least:
            self.fault(where, "{name} is {value}, but {key} must be {least} or more.",
                       name=name, value=parameter.least, key=where[-1], least=least)  # fmt: skip

    def number(self, value: object, where: toml.Path_, names: Names, least: int) -> int | str | None:
        """A whole number or the name of a parameter."""
        if isinstance(value, str):
            self.whole(value, where, names, least)
            return value
        if type(value) is not int or not least <= value <= INTEGER_MOST:
            self.fault(where, "{key} must be a whole number of {least} or more, or a parameter.",
                       key=where[-1], least=least)  # fmt: skip
            return None
        return value

    def limits(self, names: Names) -> tuple[int | str | None, bool]:
        table = self.data.get("limits", {})
        if not isinstance(table, dict):
            self.fault(("limits",), "Limits are written as a [limits] table.")
            return None, False
        self.keys(table, "limits", ("limits",))
        slots = None
        if "components" in table:
            slots = self.number(table["components"], ("limits", "components"), names, 1)
        one = table.get("one_per_member", False)
        if type(one) is not bool:
            self.fault(("limits", "one_per_member"), "one_per_member must be true or false.")
        return slots, one is True

    def quota(self, names: Names) -> Quota | None:
        table = self.data["quota"]
        if not isinstance(table, dict):
            self.fault(("quota",), "The quota is written as a [quota] table.")
            return None
        self.keys(table, "quota", ("quota",))
        by = self.choice(table, ("quota", "by"), AREAS)
        counts = self.choice(table, ("quota", "counts"), ("families", "persons"))
        rank, places = table.get("rank"), table.get("places")
        fact = self.catalogue.facts.get(str(rank))
        if fact is None or fact.type != "integer" or (fact.unit == "person" and names.unit == "family"):
            self.fault(("quota", "rank"), "rank must name a whole-number fact of the unit.")
        if isinstance(places, dict):
            code = {"province": r"[0-9]{2}", "regency": r"[0-9]{2}\.[0-9]{2}"}.get(by, "")
            for region, number in places.items():
                if (
                    not re.fullmatch(code, region)
                    or type(number) is not int
                    or not 0 <= number <= INTEGER_MOST
                ):
                    self.fault(("quota", "places"), "places needs a whole number for a {by} code; {region} is none.",
                               by=by, region=region)  # fmt: skip
            if not places:
                self.fault(("quota", "places"), "places is empty.")
        elif isinstance(places, str):
            self.whole(places, ("quota", "places"), names, 0)
        else:
            self.fault(("quota", "places"), "places must name a parameter or be a table by region code.")
            places = ""
        return Quota(by, places, counts, str(rank), self.document.line("quota"))

    def money(self, components: tuple[Component, ...], parameters: Mapping[str, Parameter]) -> None:
        """Proves that no unit's amount passes 2^53."""
        worst = 0
        for component in components:
            if component.amount is not None and component.amount in parameters:
                values = [d.value for d in parameters[component.amount].values if type(d.value) is int]
                times = MEMBERS_MOST if component.kind == "each" else 1
                worst += max(values, default=0) * times
        if worst > INTEGER_MOST:
            self.fault(("components",), "The amount of one unit could pass 2^53 rupiah.")


def _type(value: Value) -> Type:
    kinds: dict[type, Type] = {bool: "boolean", int: "integer", str: "category", date: "date"}
    return kinds[type(value)]


def _range(parameter: Parameter) -> ParameterRange:
    values = [dated.value for dated in parameter.values]
    numbers = [value for value in values if type(value) is int] or [0]
    return ParameterRange(parameter.type, min(numbers), max(numbers), frozenset(values))
