"""Hypothesis strategies: a random catalogue, a random rulebook over it, and families that try its edges.

A `Setting` is everything that a decision needs, as plain data: catalogue and rulebook as TOML tables, cases as
JSON, and how the facts are dated in a population. Hypothesis draws the catalogue and the rulebook (so they
shrink); family number i is drawn from `Random(seed, i)`, so that leaving out the last families leaves the others
as they were. Values come from small pools around the limits that rulebooks name, with many ties.
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import FactSource, Population, columns_of, open_population, write_manifest

Json = dict[str, Any]
Table = dict[str, Any]

SHIPPED = Path("src/salur/rulebooks/facts.toml")
REGIONS = ("11.01", "11.02", "35.09", "35.10")
DAYS = (date(2026, 11, 20), date(2024, 2, 29), date(2023, 2, 28), date(2025, 3, 31), date(2100, 3, 1))
AGES = (0, 1, 5, 6, 7, 17, 18, 60)
MONTHS = (0, 1, 6, 12, 71, 72)
PRICES = (0, 100, 100, 250, 400, 750_000)
# Words that mean something to an engine, or to the SQL text itself: a fact may carry them all the same.
NAMES = (
    "user", "limit", "values", "rank", "score", "sure", "possible", "n", "t0", "a0", "g0", "f", "p", "s0",
    "outcome", "amount", "current_date", "interval", "check", "window", "offset", "key", "date", "integer",
    "persons", "d", "m", "j", "row", "desc", "distinct", "unknown", "failed", "position", "natural", "using",
    "kept", "packed", "true_decile", "f_n", "f_rank", "move", "kind",
)  # fmt: skip
LABEL = {"id": "-", "en": "-"}


@dataclass(frozen=True)
class Dated:
    """How a fact is dated in the population: one `source` and `as_of` for all rows, or (`by_row`) each its own."""

    source: str
    as_of: date
    by_row: tuple[date, ...] = ()


@dataclass(frozen=True)
class Setting:
    """A catalogue, a rulebook and families, on a reference date."""

    catalogue: Table
    rulebook: Table
    on: date
    dated: dict[str, Dated] = field(repr=False)
    cases: list[Json] = field(repr=False)

    def __repr__(self) -> str:
        return f"on {self.on}, {len(self.cases)} families:\n{toml(self.rulebook)}\n{self.dated}"


# ---- text ----------------------------------------------------------------------------------------------------


def toml(table: Table) -> str:
    """A TOML file: arrays of tables as such, every other value in one line."""
    lines = [f"{_key(key)} = {_inline(value)}" for key, value in table.items() if not _sections(value)]
    for key, value in table.items():
        if _sections(value):
            for entry in value:
                lines += ["", f"[[{_key(key)}]]"]
                lines += [f"{_key(name)} = {_inline(held)}" for name, held in entry.items()]
    return "\n".join(lines) + "\n"


def _sections(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else json.dumps(key)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(held)}" for key, held in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)


# ---- catalogues ----------------------------------------------------------------------------------------------


@st.composite
def catalogues(draw: st.DrawFn) -> Table:
    """A few facts of every type for families and for persons; sometimes those of the product."""
    if draw(st.integers(0, 4)) == 4:
        return _shipped()
    names = iter(draw(st.permutations(NAMES)) if draw(st.booleans()) else [f"x{i}" for i in range(99)])
    facts: Table = {}
    for unit in ("family", "person"):
        kinds = ["boolean", "integer", "date", "category"]
        kinds += draw(st.lists(st.sampled_from(["boolean", "integer", "category"]), max_size=3))
        for kind in kinds:
            facts[next(names)] = draw(_fact(unit, kind))
    return {"format": 1, "registers": {"r": _register(), "other": _register()}, "facts": facts}


def _register() -> Table:
    return {"title": LABEL, "owner": LABEL}


@st.composite
def _fact(draw: st.DrawFn, unit: str, kind: str) -> Table:
    fact: Table = {"unit": unit, "type": kind, "register": "r", "sensitivity": "ordinary", "label": LABEL}
    if kind == "integer":
        bounds = [(0, 5), (1, 10), (-3, 3), (0, 1_000_000), (-(2**40), 2**40), (2**53 - 2, 2**53)]
        fact["least"], fact["most"] = draw(st.sampled_from(bounds))
    if kind == "category":
        fact["values"] = dict.fromkeys(("a", "b", "none")[: draw(st.integers(1, 3))], LABEL)
    if draw(st.booleans()):
        fact["stale_after_days"] = draw(st.sampled_from([1, 30, 370]))
    return fact


def _shipped() -> Table:
    catalogue = tomllib.loads(SHIPPED.read_text("utf-8"))
    kept = ("decile", "welfare_score", "urban", "tenure", "electricity_va", "officer_finding", "birth_date",
            "sex", "pregnant", "severe_disability", "school_level", "final_class", "occupation")  # fmt: skip
    facts = {name: catalogue["facts"][name] for name in kept}
    plain = {"register": "dtsen", "sensitivity": "ordinary", "label": LABEL}
    facts["moved_in"] = {"unit": "family", "type": "date", **plain}  # every unit has a fact of every type
    facts["grade"] = {"unit": "person", "type": "integer", "least": 0, "most": 12, **plain}
    return catalogue | {"facts": facts}


# ---- expressions ---------------------------------------------------------------------------------------------


class Words:
    """Draws expressions as text. `personal`: facts of a member may be read; `inside`: an aggregate is around."""

    def __init__(self, draw: st.DrawFn, catalogue: Table, parameters: Table) -> None:
        self.draw = draw
        self.facts: Table = catalogue["facts"]
        self.parameters = parameters

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def facts_of(self, kind: str, personal: bool) -> list[str]:
        return [
            name
            for name, fact in self.facts.items()
            if fact["type"] == kind and (personal or fact["unit"] == "family")
        ]

    def reads_member(self, text: str) -> bool:
        words = set(re.findall(r"[a-z_0-9]+", re.sub(r"'[^']*'", "", text)))
        return any(self.facts[name]["unit"] == "person" for name in words & self.facts.keys())

    def of_member(self, text: str) -> str:
        """The condition, made to read a fact of a member."""
        if self.reads_member(text):
            return text
        own = [
            name
            for name, fact in self.facts.items()
            if fact["unit"] == "person" and fact["type"] == "boolean"
        ]
        joint = self.pick("or", "and")
        return f"({text}) {joint} {self.pick(*own)}"

    def condition(self, depth: int, personal: bool, inside: bool) -> str:
        made = self.pick(*self.conditions(depth, inside))(depth - 1, personal, inside)
        return made if len(made) < 1_200 else self.flag(0, personal, inside)

    def conditions(self, depth: int, inside: bool) -> list[Callable[[int, bool, bool], str]]:
        simple = [self.flag, self.number_test, self.category_test, self.age_test, self.date_test]
        if depth <= 0:
            return simple
        deep = [self.joined, self.joined, self.negated, self.equal, self.number_test]
        return simple + deep + ([] if inside else [self.member_test, self.member_test, self.member_test])

    def flag(self, depth: int, personal: bool, inside: bool) -> str:
        name = self.pick(*self.facts_of("boolean", personal))
        return self.pick(
            name, f"not {name}", f"{name} == true_param", f"{name} in [True]", f"{name} != False"
        )

    def joined(self, depth: int, personal: bool, inside: bool) -> str:
        word = self.pick(" and ", " or ")
        return word.join(f"({self.condition(depth, personal, inside)})" for _ in range(self.pick(2, 2, 3)))

    def negated(self, depth: int, personal: bool, inside: bool) -> str:
        return f"not ({self.condition(depth, personal, inside)})"

    def equal(self, depth: int, personal: bool, inside: bool) -> str:
        a, b = (self.condition(depth, personal, inside) for _ in "ab")
        return f"({a}) {self.pick('==', '!=')} ({b})"

    def member_test(self, depth: int, personal: bool, inside: bool) -> str:
        body = self.of_member(self.condition(depth, True, True))
        return f"{self.pick('any', 'all', 'not any', 'not all')}({body})"

    def number_test(self, depth: int, personal: bool, inside: bool) -> str:
        text, low, high = self.number(depth, personal, inside)
        if self.pick(False, False, True):
            other, *_ = self.number(depth, personal, inside)
        else:
            other = str(self.near(low, high))
        form = self.pick("two", "two", "turned", "chain", "in", "not in")
        op = self.pick("==", "!=", "<", "<=", ">", ">=")
        if form == "chain":
            return (
                f"{self.near(low, high)} {self.pick('<', '<=')} {text} {self.pick('<', '<=', '!=')} {other}"
            )
        if form in ("in", "not in") and re.search("[a-z]", text):
            numbers = sorted({self.near(low, high) for _ in range(3)})
            return f"{text} {form} {numbers}"
        return f"{other} {op} {text}" if form == "turned" else f"{text} {op} {other}"

    def near(self, low: int, high: int) -> int:
        """A number that splits the range: near its ends or its middle."""
        low, high = max(low, -(2**53) + 1), min(high, 2**53 - 1)
        ends = [low, low + 1, (low + high) // 2, high - 1, high, low - 1, high + 1, 1, 2, 3]
        return self.pick(*(n for n in ends if abs(n) <= 2**53))

    def category_test(self, depth: int, personal: bool, inside: bool) -> str:
        name = self.pick(*self.facts_of("category", personal))
        values = list(self.facts[name]["values"])
        value = self.pick(*values)
        some = sorted({value, self.pick(*values)})
        forms = [f"{name} == '{value}'", f"'{value}' != {name}", f"{name} in {some}", f"{name} not in {some}"]
        for other, parameter in self.parameters.items():
            held = {row["value"] for row in parameter["values"]}
            if all(isinstance(v, str) for v in held) and held <= set(values):
                forms.append(f"{name} == {other}")
        return self.pick(*forms)

    def age_test(self, depth: int, personal: bool, inside: bool) -> str:
        name = self.pick(*self.facts_of("date", personal))
        unit = self.pick("years", "months")
        some = AGES if unit == "years" else MONTHS
        op = self.pick("<", "<=", ">", ">=", "==", "!=")
        n = self.pick(*map(str, some), "-1", "age_param")
        form = self.pick("plain", "plain", "turned", "chain")
        if form == "chain":
            return f"{self.pick(*some)} {self.pick('<', '<=')} {unit}({name}) {self.pick('<', '<=')} {n}"
        return f"{n} {op} {unit}({name})" if form == "turned" else f"{unit}({name}) {op} {n}"

    def date_test(self, depth: int, personal: bool, inside: bool) -> str:
        names = self.facts_of("date", personal)
        a, b = self.pick(*names), self.pick(*names, "day_param")
        return f"{a} {self.pick('<', '<=', '>', '>=', '==', '!=')} {b}"

    # ---- whole numbers, with their least and most ----

    def number(self, depth: int, personal: bool, inside: bool) -> tuple[str, int, int]:
        kinds = ["fact", "fact", "parameter", "constant"]
        if depth > 0:
            kinds += ["+", "-", "*", "negative", "extreme"]
            kinds += [] if inside else ["count", "count", "sum", "sum"]
        kind = self.pick(*kinds)
        text, low, high = self.number_of(kind, depth - 1, personal, inside)
        if low >= -(2**53) and high <= 2**53 and len(text) < 1_200:
            return text, low, high
        return self.number_of("fact", 0, personal, inside)

    def number_of(self, kind: str, depth: int, personal: bool, inside: bool) -> tuple[str, int, int]:
        if kind == "fact":
            name = self.pick(*self.facts_of("integer", personal))
            return name, self.facts[name]["least"], self.facts[name]["most"]
        if kind == "parameter":
            values = [row["value"] for row in self.parameters["number_param"]["values"]]
            return "number_param", min(values), max(values)
        if kind == "constant":
            n = self.pick(0, 1, 2, 5, -1)
            return str(n), n, n
        if kind == "count":
            body = self.of_member(self.condition(depth, True, True))
            return f"count({body})", 0, 64
        if kind == "sum":
            body, low, high = self.number(depth, True, True)
            if not self.reads_member(body):
                name = self.pick(
                    *sorted(set(self.facts_of("integer", True)) - set(self.facts_of("integer", False)))
                )
                body, low, high = name, self.facts[name]["least"], self.facts[name]["most"]
            if max(abs(low), abs(high)) * 64 > 2**53:
                return self.number_of("count", depth, personal, inside)
            return f"sum({body})", min(0, low * 64), max(0, high * 64)
        text, low, high = self.number(depth, personal, inside)
        if kind == "negative":
            return f"-({text})", -high, -low
        other, least, most = self.number(depth, personal, inside)
        if kind == "extreme":
            which = self.pick("min", "max")
            pick = min if which == "min" else max
            return f"{which}({text}, {other})", pick(low, least), pick(high, most)
        corners = {
            "+": (low + least, high + most),
            "-": (low - most, high - least),
            "*": (low * least, low * most, high * least, high * most),
        }[kind]
        return f"({text}) {kind} ({other})", min(corners), max(corners)


# ---- rulebooks -----------------------------------------------------------------------------------------------


@st.composite
def rulebooks(draw: st.DrawFn, catalogue: Table, on: date) -> Table:
    """A rulebook that the checker accepts."""

    def pick(*options: Any) -> Any:
        return draw(st.sampled_from(options))

    def dated(*values: Any) -> Table:
        """In force on the reference date: the first value, or the second from that very day; a third is to come."""
        days = [date(2000, 1, 1), on, on + timedelta(days=1)]
        count = pick(1, 2, 3)
        rows = [
            {"from": day, "value": value, "basis": "law"}
            for day, value in zip(days[:count], values, strict=False)
        ]
        return {"values": rows[::-1] if draw(st.booleans()) else rows}

    parameters: Table = {
        "true_param": dated(pick(True, False), True, False),
        "age_param": dated(pick(*AGES), pick(*AGES), 60),
        "number_param": dated(pick(0, 1, 3), pick(2, 5), 4),
        "day_param": dated(on - timedelta(days=pick(0, 1, 366)), on, on),
        "most_param": dated(pick(1, 2), pick(1, 2), 3),
        "places_param": dated(pick(0, 1, 2, 3, 7), pick(0, 2, 5), 9),
    }
    for index in range(3):
        parameters[f"price_{index}"] = dated(pick(*PRICES), pick(*PRICES), 5)
    for name, fact in catalogue["facts"].items():
        if fact["type"] == "category":
            value = pick(*fact["values"])
            parameters[f"{name}_param"] = dated(value, value)
            break
    words = Words(draw, catalogue, parameters)
    unit = pick("family", "family", "person")
    personal = unit == "person"
    required = [words.condition(pick(1, 2, 3), personal, False) for _ in range(pick(0, 1, 1, 2, 3))]
    if pick(False, True):  # criteria that one member alone fails, under a condition that they share
        shared = words.condition(0, True, True)
        required += [
            f"not any({words.of_member(f'({shared}) and ({words.condition(pick(0, 1), True, True)})')})"
            for _ in range(pick(1, 2, 3))
        ]
    criteria = [
        {"id": f"k{index}", "require": text, "basis": "law", "says": LABEL}
        for index, text in enumerate(required)
    ]
    components = []
    for index in range(pick(1, 2, 3, 3, 4, 5)):
        component: Table = {"id": f"c{'-_'[index % 2]}{index}"}
        kind = pick("each", "each", "each", "when", "always")
        if kind == "each":
            component["each"] = words.of_member(words.condition(pick(0, 0, 1, 2), True, True))
        if kind == "when":
            component["when"] = words.condition(pick(1, 2), personal, False)
        component["delivers"] = pick("money", "money", "money", "goods")
        if component["delivers"] == "money":
            component["amount"] = f"price_{pick(0, 1, 2)}"
        else:
            component["measure"] = LABEL
        if (most := pick(None, None, 1, 2, "most_param")) is not None:
            component["most"] = most
        components.append(component)
    limits: Table = {"one_per_member": draw(st.booleans())}
    if (slots := pick(None, 1, 2, 3, 4, "most_param")) is not None:
        limits["components"] = slots
    book = {
        "format": 1, "id": "random", "unit": unit, "period": "quarter", "title": LABEL,
        "basis": [{"id": "law", "title": "Law"}], "parameters": parameters, "criteria": criteria,
        "components": components, "limits": limits,
    }  # fmt: skip
    if pick(False, True):
        by = pick("nation", "province", "regency")
        areas = {"nation": [""], "province": ["11", "35"], "regency": list(REGIONS)}[by]
        table = {area: pick(0, 1, 2, 3, 8) for area in areas}
        book["quota"] = {
            "by": by,
            "places": pick("places_param", table),
            "counts": pick("families", "persons"),
            "rank": pick(*words.facts_of("integer", personal)),
        }
    return book


# ---- families ------------------------------------------------------------------------------------------------


@st.composite
def settings_drawn(draw: st.DrawFn) -> Setting:
    """A rulebook with up to 60 families."""
    catalogue = draw(catalogues())
    on = draw(st.sampled_from(DAYS))
    rulebook = draw(rulebooks(catalogue, on))
    dated = {name: draw(_dating(fact, catalogue, on)) for name, fact in catalogue["facts"].items()}
    seed, count = draw(st.integers(0, 2**32)), draw(st.integers(1, 60))
    offset = draw(st.sampled_from([0, 2**52]))
    cases = [family(random.Random(f"{seed} {i}"), i, offset, catalogue, dated, on) for i in range(count)]
    return Setting(catalogue, rulebook, on, dated, cases)


@st.composite
def _dating(draw: st.DrawFn, fact: Table, catalogue: Table, on: date) -> Dated:
    registers = list(catalogue["registers"])
    source = fact["register"] if draw(st.integers(0, 5)) else registers[-1]
    stale = fact.get("stale_after_days", 30)
    edges = [on - timedelta(days=days) for days in (0, stale, stale + 1, stale - 1, -1)]
    kind = draw(st.sampled_from(["today", "today", "one day", "by row"]))
    if kind == "today":
        return Dated(source, on)
    as_of = draw(st.sampled_from(edges))
    return Dated(source, as_of, (on, on, *edges) if kind == "by row" else ())


def family(
    rng: random.Random, index: int, offset: int, catalogue: Table, dated: dict[str, Dated], on: date
) -> Json:
    """One family as a case; `index` decides its ids, which do not follow the order of anything."""
    unknown = rng.choice([0.0, 0.0, 0.05, 0.2, 0.5, 1.0])
    family_facts, person_facts = (
        {name: fact for name, fact in catalogue["facts"].items() if fact["unit"] == unit}
        for unit in ("family", "person")
    )

    def facts(of: Table) -> Json:
        made = {name: _given(rng, fact, dated[name], on) for name, fact in of.items()}
        return {name: value for name, value in made.items() if rng.random() >= unknown}

    count = rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 5, 9])
    case: Json = {
        "family_id": offset + (index * 37 + 11) % 101,
        "region": rng.choice(REGIONS),
        "found": rng.random() > 0.06,
        "facts": facts(family_facts),
        "members": [
            {"person_id": offset + ((index * 16 + j) * 389 + 7) % 1_009, **facts(person_facts)}
            for j in range(count)
        ],
        "members_known": rng.random() > 0.15,
    }
    if not count and not case["members_known"] and rng.random() < 0.5:
        del case["members"], case["members_known"]
    return case


def _given(rng: random.Random, fact: Table, dated: Dated, on: date) -> Any:
    """A value as a case gives it: plain if it is of today and from the fact's own register."""
    value = _value(rng, fact, on)
    day = rng.choice(dated.by_row) if dated.by_row else dated.as_of
    held: Json = {"value": value}
    if dated.source != fact["register"]:
        held["source"] = dated.source
    if day != on:
        held["as_of"] = day.isoformat()
    return value if len(held) == 1 else held


def _value(rng: random.Random, fact: Table, on: date) -> Any:
    if fact["type"] == "boolean":
        return rng.random() < 0.5
    if fact["type"] == "category":
        return rng.choice(list(fact["values"]))
    if fact["type"] == "integer":
        low, high = fact["least"], fact["most"]
        pool = [low, low, low + 1, (low + high) // 2, high - 1, high, *range(6)]
        return rng.choice([n for n in pool if low <= n <= high])
    return rng.choice(birth_dates(on)).isoformat()


def birth_dates(on: date) -> list[date]:
    """Days around which an age changes, and 29 February."""
    days = [on, on + timedelta(days=40), date(2000, 2, 29), date(2020, 2, 29), date(1999, 12, 31)]
    for years in AGES:
        last = min(on.day, 28) if on.month == 2 else on.day
        birthday = date(on.year - years, on.month, last)
        days += [birthday + timedelta(days=step) for step in (-1, 0, 1)]
    for months in MONTHS:
        year, month = divmod(on.year * 12 + on.month - 1 - months, 12)
        for last in (28, 29, 30, 31, 1):
            try:
                days.append(date(year, month + 1, last))
            except ValueError:
                continue
    return days


# ---- as a population -----------------------------------------------------------------------------------------


def write_population(path: Path, catalogue: Catalogue, setting: Setting) -> Population:
    """The families of a setting as a population folder, each fact dated as the setting says."""
    by_row = frozenset(name for name, dated in setting.dated.items() if dated.by_row)
    for kind in ("families", "persons"):
        (path / kind).mkdir(parents=True)
    for province in sorted({case["region"][:2] for case in setting.cases}):
        families, persons = [], []
        mine = (case for case in setting.cases if case["region"][:2] == province)
        for case in sorted(mine, key=lambda case: (case["region"], case["family_id"])):
            members = case.get("members") or []
            known = case.get("members_known", "members" in case)
            own = {key: case[key] for key in ("family_id", "region", "found")}
            families.append(own | {"members_known": known} | _columns(case["facts"], setting, by_row))
            for member in sorted(members, key=lambda member: member["person_id"]):
                facts = {key: value for key, value in member.items() if key != "person_id"}
                own = {
                    "person_id": member["person_id"],
                    "family_id": case["family_id"],
                    "region": case["region"],
                }
                persons.append(own | _columns(facts, setting, by_row))
        for kind, rows in (("families", families), ("persons", persons)):
            schema = pa.schema(list(columns_of(kind, catalogue.facts, by_row).items()))
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), path / kind / f"{province}.parquet")
    sources = {name: FactSource(dated.source, dated.as_of) for name, dated in setting.dated.items()}
    write_manifest(path, reference_date=setting.on, facts=sources)
    return open_population(path, catalogue)


def _columns(facts: Json, setting: Setting, by_row: frozenset[str]) -> Json:
    row: Json = {}
    for name, given in facts.items():
        held = given if isinstance(given, dict) else {"value": given}
        is_date = setting.catalogue["facts"][name]["type"] == "date"
        row[name] = date.fromisoformat(held["value"]) if is_date else held["value"]
        if name in by_row:
            row[f"{name}__as_of"] = date.fromisoformat(held.get("as_of", setting.on.isoformat()))
    return row
