"""The rules read a second time, word by word, with no care for speed: the judge of the engines.

Written from DESIGN section 6 alone: it takes a rulebook and a catalogue as `tomllib` gives them and cases as
JSON gives them, walks each expression with Python's own `ast`, and yields decision lines. It shares no code
with `salur.core.rules`, checks nothing, and must stay that way.

>>> none_true = [False, None]
>>> print(either(none_true), both(none_true), opposite(None))
None False None
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

Truth = bool | None
Json = dict[str, Any]


def both(values: Sequence[Truth]) -> Truth:
    """and, all: false if one is false, else unknown if one is unknown, else true."""
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def either(values: Sequence[Truth]) -> Truth:
    """or, any: true if one is true, else unknown if one is unknown, else false."""
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def opposite(value: Truth) -> Truth:
    return None if value is None else not value


@dataclass
class Decided:
    """What a decision line says."""

    unit_id: int
    region: str
    outcome: str
    failed: int
    unknown: int
    amount: int
    amount_most: int
    counts: list[int]
    case: str
    score: int | None = None
    heads: int = 1
    rank: int | None = None


class Naive:
    """One rulebook on one reference date."""

    def __init__(self, rulebook: Json, catalogue: Json, on: date) -> None:
        self.rulebook, self.facts, self.on = rulebook, catalogue["facts"], on
        self.parameters = {name: self.in_force(p) for name, p in rulebook.get("parameters", {}).items()}

    def in_force(self, parameter: Json) -> Any:
        """The latest value that has begun."""
        begun = [row for row in parameter["values"] if row["from"] <= self.on]
        return max(begun, key=lambda row: row["from"])["value"]

    # ---- facts ----

    def known(self, holder: Json, name: str) -> Any:
        """The value of a fact, None where it is unknown: absent, null, or too old."""
        given, fact = holder.get(name), self.facts[name]
        as_of = self.on
        if isinstance(given, dict):
            if given.get("as_of") is not None:
                as_of = date.fromisoformat(given["as_of"])
            given = given.get("value")
        if given is None:
            return None
        days = fact.get("stale_after_days")
        if days is not None and as_of < self.on - timedelta(days=days):
            return None
        return date.fromisoformat(given) if fact["type"] == "date" else given

    def members(self, case: Json) -> list[Json]:
        """The members listed, and one of whom everything is unknown where they are not all known."""
        listed = list(case.get("members") or [])
        complete = case.get("members_known", case.get("members") is not None)
        return listed if complete else [*listed, {}]

    # ---- expressions ----

    def value(self, tree: ast.expr, case: Json, member: Json | None) -> Any:
        """What an expression yields; None is unknown."""

        def of(part: ast.expr) -> Any:
            return self.value(part, case, member)

        match tree:
            case ast.Constant(value):
                return value
            case ast.Name(name) if name in self.parameters:
                return self.parameters[name]
            case ast.Name(name):
                if self.facts[name]["unit"] == "family":
                    return self.known(case.get("facts", {}), name)
                assert member is not None
                return self.known(member, name)
            case ast.BoolOp(ast.And(), parts):
                return both([of(part) for part in parts])
            case ast.BoolOp(ast.Or(), parts):
                return either([of(part) for part in parts])
            case ast.UnaryOp(ast.Not(), part):
                return opposite(of(part))
            case ast.UnaryOp(ast.USub(), part):
                number = of(part)
                return None if number is None else -number
            case ast.BinOp(left, operator, right):
                a, b = of(left), of(right)
                if a is None or b is None:
                    return None
                return {ast.Add: a + b, ast.Sub: a - b, ast.Mult: a * b}[type(operator)]
            case ast.Compare(left, operators, others):
                sides = [left, *others]
                return both([
                    self.compare(a, operator, b, of)
                    for a, operator, b in zip(sides, operators, sides[1:], strict=False)
                ])  # fmt: skip
            case ast.Call(ast.Name("min" | "max" as which), parts):
                numbers = [of(part) for part in parts]
                if None in numbers:
                    return None
                return min(numbers) if which == "min" else max(numbers)
            case ast.Call(ast.Name(which), [part]):
                return self.over(which, [self.value(part, case, person) for person in self.members(case)])
        raise AssertionError(ast.dump(tree))

    def over(self, which: str, values: list[Any]) -> Any:
        """any, all, count, sum of what each member gives."""
        if which == "any":
            return either(values)
        if which == "all":
            return both(values)
        return None if None in values else sum(values)  # a true counts as 1

    def compare(self, left: ast.expr, operator: ast.cmpop, right: ast.expr, of: Callable[..., Any]) -> Truth:
        if isinstance(operator, ast.In | ast.NotIn):
            assert isinstance(right, ast.List)
            one = of(left)
            among = None if one is None else one in [of(element) for element in right.elts]
            return among if isinstance(operator, ast.In) else opposite(among)
        sign = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}[
            type(operator)
        ]
        if unit := age_unit(left):
            return self.age(unit, of(left.args[0]), sign, of(right))  # type: ignore[attr-defined]
        if unit := age_unit(right):
            turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
            return self.age(unit, of(right.args[0]), turned, of(left))  # type: ignore[attr-defined]
        a, b = of(left), of(right)
        if a is None or b is None:
            return None
        return {"==": a == b, "!=": a != b}[sign] if sign in ("==", "!=") else ordered(a, sign, b)

    def age(self, unit: str, since: date | None, sign: str, number: int) -> Truth:
        """n years old (or more) is who was born on or before this day n years ago."""
        if since is None:
            return None

        def completed(n: int) -> bool:
            return since <= back(self.on, n * 12 if unit == "years" else n)

        exactly = completed(number) and not completed(number + 1)
        return {
            ">=": completed(number),
            ">": completed(number + 1),
            "<": not completed(number),
            "<=": not completed(number + 1),
            "==": exactly,
            "!=": not exactly,
        }[sign]

    def holds(self, text: str, case: Json, member: Json | None) -> Truth:
        truth = self.value(ast.parse(f"({text})", mode="eval").body, case, member)
        assert truth is None or isinstance(truth, bool)
        return truth

    # ---- components ----

    def number(self, value: int | str | None) -> int | None:
        """A number, or the parameter of that name."""
        return self.parameters[value] if isinstance(value, str) else value

    def price(self, component: Json) -> int:
        return self.parameters[component["amount"]] if component["delivers"] == "money" else 0

    def assigned(self, case: Json, person: Json | None, enough: tuple[Truth, ...]) -> list[int]:
        """The count per component when every truth in `enough` counts as holding."""
        components = self.rulebook["components"]
        limits = self.rulebook.get("limits", {})
        dearest = sorted(range(len(components)), key=lambda i: (-self.price(components[i]), i))
        counts = [0] * len(components)
        for i, component in enumerate(components):
            if "each" not in component:
                holds = self.holds(component["when"], case, person) if "when" in component else True
                counts[i] = 1 if holds in enough else 0
        for member in self.members(case):
            mine = [
                i
                for i in dearest
                if "each" in components[i] and self.holds(components[i]["each"], case, member) in enough
            ]
            for i in mine[:1] if limits.get("one_per_member", False) else mine:
                counts[i] += 1
        for i, component in enumerate(components):
            most = self.number(component.get("most"))
            counts[i] = counts[i] if most is None else min(counts[i], most)
        slots = self.number(limits.get("components"))
        if slots is not None:
            for i in dearest:
                counts[i] = min(counts[i], slots)
                slots -= counts[i]
        return counts

    def total(self, counts: list[int]) -> int:
        return sum(n * self.price(c) for n, c in zip(counts, self.rulebook["components"], strict=True))

    # ---- decisions ----

    def unit(self, case: Json, person: Json | None) -> Decided:
        """One unit, before the quota."""
        at_least = self.assigned(case, person, (True,))
        at_most = self.assigned(case, person, (True, None))
        truths = [self.holds(c["require"], case, person) for c in self.rulebook.get("criteria", [])]
        truths.append(True if sum(at_least) else None if sum(at_most) else False)
        score = None
        if quota := self.rulebook.get("quota"):
            of_family = self.facts[quota["rank"]]["unit"] == "family"
            score = self.known(case.get("facts", {}) if of_family else person or {}, quota["rank"])
            truths.append(None if score is None else True)
        if not case.get("found", True):
            outcome = "not_found"
        elif False in truths:
            outcome = "not_eligible"
        else:
            outcome = "needs_data" if None in truths else "eligible"
        amount = self.total(at_least) if outcome == "eligible" else 0
        return Decided(
            unit_id=case["family_id"] if person is None else person["person_id"],
            region=case["region"],
            outcome=outcome,
            failed=sum(1 << bit for bit, truth in enumerate(truths) if truth is False),
            unknown=sum(1 << bit for bit, truth in enumerate(truths) if truth is None),
            amount=amount,
            amount_most=0 if outcome == "not_eligible" else max(amount, self.total(at_most)),
            counts=at_least if outcome == "eligible" else [0] * len(at_least),
            case=canonical_sha256(case),
            score=score,
            heads=self.heads(case),
        )

    def heads(self, case: Json) -> int:
        """What a unit takes of the quota's places."""
        if self.rulebook["unit"] == "family" and self.rulebook.get("quota", {}).get("counts") == "persons":
            return len(self.members(case))
        return 1

    def decide(self, cases: Sequence[Json]) -> list[Decided]:
        """Every unit, by region, family and person."""
        decided = []
        for case in sorted(cases, key=lambda case: (case["region"], case["family_id"])):
            people = sorted(case.get("members") or [], key=lambda member: member["person_id"])
            units = people if self.rulebook["unit"] == "person" else [None]
            decided += [self.unit(case, person) for person in units]
        return self.served(decided) if "quota" in self.rulebook else decided

    def served(self, decided: list[Decided]) -> list[Decided]:
        """Ranks, and who waits: the first of an area that does not fit, and all after."""
        quota = self.rulebook["quota"]
        length = {"nation": 0, "province": 2, "regency": 5}[quota["by"]]
        after = {unit.unit_id: unit for unit in decided}
        for area in {unit.region[:length] for unit in decided}:
            places = quota["places"]
            places = places.get(area, 0) if isinstance(places, dict) else self.parameters[places]
            candidates = [u for u in decided if u.outcome == "eligible" and u.region[:length] == area]
            taken = 0
            for rank, unit in enumerate(sorted(candidates, key=lambda u: (u.score, u.unit_id)), start=1):
                taken += unit.heads
                after[unit.unit_id] = replace(unit, rank=rank)
                if taken > places:
                    after[unit.unit_id] = replace(
                        unit, rank=rank, outcome="waiting", amount=0, amount_most=0,
                        counts=[0] * len(unit.counts),
                    )  # fmt: skip
        return [after[unit.unit_id] for unit in decided]

    def lines(self, cases: Sequence[Json], sha256: str) -> list[str]:
        """The decision lines, by region, family and person."""
        return [
            "|".join([
                "decision/v1", self.rulebook["id"], sha256, self.on.isoformat(), str(unit.unit_id), unit.outcome,
                str(unit.failed), str(unit.unknown), str(unit.amount), str(unit.amount_most),
                ",".join(str(count) for count in unit.counts), str(unit.rank or ""), unit.case,
            ])
            for unit in self.decide(cases)
        ]  # fmt: skip


def age_unit(tree: ast.expr) -> str | None:
    """The unit of an age, if this is a call of years or months."""
    match tree:
        case ast.Call(ast.Name("years" | "months" as unit), [_]):
            return unit
    return None


def ordered(a: Any, sign: str, b: Any) -> bool:
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]


def back(day: date, months: int) -> date:
    """The day so many months before; where the month lacks the day, its last."""
    number = day.year * 12 + (day.month - 1) - months
    for last in (day.day, 30, 29, 28):
        if last <= day.day:
            try:
                return date(number // 12, number % 12 + 1, last)
            except ValueError:
                continue
    raise AssertionError(day)


def canonical_sha256(case: Json) -> str:
    """The hash of the case's one text: sorted keys, no blanks, what is unknown left out."""

    def facts(holder: Json) -> Json:
        kept: Json = {}
        for name, given in holder.items():
            if isinstance(given, dict):
                given = {key: value for key, value in given.items() if value is not None}
                given = given if "value" in given else None
            if given is not None:
                kept[name] = given
        return kept

    listed = case.get("members")
    complete = case.get("members_known", listed is not None)
    text: Json = {
        "facts": facts(case.get("facts", {})),
        "family_id": case["family_id"],
        "found": case.get("found", True),
        "members_known": complete,
        "region": case["region"],
    }
    if listed or complete:
        text["members"] = [facts(m) for m in sorted(listed or [], key=lambda m: m["person_id"])]
    plain = json.dumps(text, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()
