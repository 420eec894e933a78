"""One case, decided in Python with Kleene's three values: True, False, and None for unknown.

The tree becomes nested functions once per plan; a decision then takes some 20 microseconds. The same
decisions come from `sql` for a whole population; tests hold the two together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from salur.core.faults import InputError
from salur.core.population.catalogue import Value
from salur.core.rules import nodes
from salur.core.rules.cases import Case, known, oldest
from salur.core.rules.nodes import Node
from salur.core.rules.plan import Plan

Values = Mapping[str, "Value | None"]
# (facts of the family, facts of the member at hand, facts of every member) → value or None
Function = Callable[[Values, Values, Sequence[Values]], Any]

NOT_FOUND, NOT_ELIGIBLE, NEEDS_DATA, WAITING, ELIGIBLE = (
    "not_found", "not_eligible", "needs_data", "waiting", "eligible",
)  # fmt: skip
OUTCOMES = (ELIGIBLE, WAITING, NEEDS_DATA, NOT_ELIGIBLE, NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one unit. Money in whole rupiah; bit i of the masks is criterion i.

    counts: how many of each component are delivered for certain; counts_most: how many if everything unknown
    turned out to hold (not a proved bound: docs/decisions/0003). Nothing is delivered, and every count is 0,
    unless the outcome is eligible.
    """

    unit_id: int
    family_id: int
    outcome: str
    failed: int
    unknown: int
    amount: int
    amount_most: int
    counts: tuple[int, ...]
    counts_most: tuple[int, ...]
    score: int | None
    persons: int
    members: tuple[tuple[int, ...], ...] = ()
    members_most: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Cutoff:
    """Where the places of an area ended: the last unit served. Both None: nobody was turned away."""

    score: int | None = None
    unit_id: int | None = None
    closed: bool = False  # no place at all

    def admits(self, score: int, unit_id: int) -> bool:
        """Whether a unit stands at or before the cut-off."""
        if self.closed:
            return False
        return self.score is None or self.unit_id is None or (score, unit_id) <= (self.score, self.unit_id)


def noted_cutoffs(noted: Mapping[str, Any]) -> dict[str, Cutoff]:
    """Where the places of each area ended, from what stands in a manifest of decisions."""
    return {area: Cutoff(c["score"], c["unit_id"], c["closed"]) for area, c in noted.items()}


class Evaluator:
    """A plan made ready to decide cases."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.person = plan.rulebook.unit == "person"
        catalogue = plan.rulebook.catalogue
        dated = [(fact, oldest(catalogue.facts[fact.name], plan.on)) for fact in plan.facts]
        self.family_names = {fact.name: day for fact, day in dated if not fact.personal}
        self.member_names = {fact.name: day for fact, day in dated if fact.personal}
        self.nobody: Values = dict.fromkeys(self.member_names)
        self.criteria = [function(tree) for tree in plan.criteria]
        self.dearest = [
            (item, None if item.tree is None else function(item.tree)) for item in plan.dearest_first
        ]
        self.none = (0,) * len(plan.items)
        self.nobody_served: tuple[tuple[int, ...], ...] = ((),) * len(plan.items)
        self.eaches = [(item.index, test) for item, test in self.dearest if item.kind == "each" and test]

    def facts(self, case: Case) -> tuple[Values, list[Values]]:
        """Plain facts of the family and of each member (an unknown one last), stale values as unknown."""
        members: list[Values] = [known(member.facts, self.member_names) for member in case.members]
        if not case.members_known:
            members.append(self.nobody)
        return known(case.facts, self.family_names), members

    def decide(
        self, case: Case, person_id: int | None = None, cutoffs: Mapping[str, Cutoff] | None = None
    ) -> Decision:
        """Decide a case; for a person programme, the person named. Raises InputError if there is no such person."""
        return self.decide_facts(case, *self.facts(case), person_id, cutoffs)

    def decide_facts(
        self, case: Case, family: Values, members: Sequence[Values], person_id: int | None = None,
        cutoffs: Mapping[str, Cutoff] | None = None,
    ) -> Decision:  # fmt: skip
        """The same for a case whose facts (`facts`) are at hand."""
        own = self.nobody
        unit_id = case.family_id
        if self.person:
            own = members[self.position(case, person_id)]
            unit_id = person_id or 0
        failed = unknown = 0
        bit = 1
        for criterion in self.criteria:
            value = criterion(family, own, members)
            if value is None:
                unknown |= bit
            elif not value:
                failed |= bit
            bit <<= 1
        sure, possible = self.assign(family, own, members)
        if not any(map(len, possible)):
            failed |= bit
        elif not any(map(len, sure)):
            unknown |= bit
        score = None
        if (places := self.plan.places) is not None:
            score = (own if places.rank.personal else family)[places.rank.name]
            if score is None:
                unknown |= bit << 1
        outcome = self.outcome(case, failed, unknown)
        if outcome == ELIGIBLE and cutoffs is not None and places is not None and type(score) is int:
            cutoff = cutoffs.get(places.area(case.region))
            if cutoff is None:
                raise InputError.of(
                    "The decisions say nothing of places in {area}; was this family's region decided in that cycle?",
                    area=places.area(case.region) or "-",
                )
            if not cutoff.admits(score, unit_id):
                outcome = WAITING
        return self.decision(case, unit_id, outcome, failed, unknown, sure, possible, score)  # type: ignore[arg-type]

    def position(self, case: Case, person_id: int | None) -> int:
        """Where the person stands among the members."""
        for position, member in enumerate(case.members):
            if member.person_id == person_id:
                return position
        if person_id is None:
            raise InputError.of("This programme decides persons: say which one with --person ID.")
        raise InputError.of(
            "There is no person {id} in family {family}.", id=person_id, family=case.family_id
        )

    def outcome(self, case: Case, failed: int, unknown: int) -> str:
        """The first that holds, before the quota."""
        if not case.found:
            return NOT_FOUND
        if failed:
            return NOT_ELIGIBLE
        return NEEDS_DATA if unknown else ELIGIBLE

    def decision(
        self, case: Case, unit_id: int, outcome: str, failed: int, unknown: int,
        sure: list[list[int]], possible: list[list[int]], score: int | None,
    ) -> Decision:  # fmt: skip
        """Money and counts as the outcome allows."""
        places = self.plan.places
        alone = self.person or (places is not None and places.counts == "families")
        persons = 1 if alone else len(case.members) + (not case.members_known)
        if outcome in (NOT_ELIGIBLE, WAITING):
            none, nobody = self.none, self.nobody_served
            return Decision(unit_id, case.family_id, outcome, failed, unknown, 0, 0, none, none, score, persons,
                            nobody, nobody)  # fmt: skip
        if outcome != ELIGIBLE:
            sure = [[] for _ in sure]
        counts, counts_most = tuple(map(len, sure)), tuple(map(len, possible))
        amount = amount_most = 0
        for item, count, most in zip(self.plan.items, counts, counts_most, strict=True):
            amount += item.price * count
            amount_most += item.price * most
        return Decision(
            unit_id, case.family_id, outcome, failed, unknown, amount, max(amount, amount_most), counts, counts_most,
            score, persons, tuple(map(tuple, sure)), tuple(map(tuple, possible)),
        )  # fmt: skip

    def assign(
        self, family: Values, own: Values, members: Sequence[Values]
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Positions of the members that each component serves: for certain, and at most.

        Always in this order: each member takes the dearest component that holds for them (if one_per_member);
        each component is cut to its most; the slots are filled dearest first. No reassignment after a cut.
        A component for the whole unit serves position -1.
        """
        one = self.plan.one_per_member
        sure: list[list[int]] = [[] for _ in self.plan.items]
        possible: list[list[int]] = [[] for _ in self.plan.items]
        for position, member in enumerate(members):
            took_sure = took_possible = False
            for index, test in self.eaches:
                value = test(family, member, members)
                if value is False:
                    continue
                if value and not (one and took_sure):
                    sure[index].append(position)
                    took_sure = True
                if not (one and took_possible):
                    possible[index].append(position)
                    took_possible = True
                if one and took_sure:
                    break
        slots_sure = slots_possible = self.plan.slots
        for item, test_ in self.dearest:
            if item.kind != "each":
                value = True if test_ is None else test_(family, own, members)
                sure[item.index] = [-1] if value else []
                possible[item.index] = [] if value is False else [-1]
            if possible[item.index]:
                possible[item.index] = possible[item.index][: min(item.most, slots_possible)]
                slots_possible -= len(possible[item.index])
            if sure[item.index]:
                sure[item.index] = sure[item.index][: min(item.most, slots_sure)]
                slots_sure -= len(sure[item.index])
        return sure, possible


def waiting(decision: Decision) -> Decision:
    """The same decision for a unit that stands outside the quota's places."""
    nothing = tuple(0 for _ in decision.counts)
    nobody: tuple[tuple[int, ...], ...] = tuple(() for _ in decision.counts)
    return replace(decision, outcome=WAITING, amount=0, amount_most=0, counts=nothing, counts_most=nothing,
                   members=nobody, members_most=nobody)  # fmt: skip


# ---- the tree as functions ---------------------------------------------------------------------------------


def function(node: Node) -> Function:
    """The tree as a function of (family, member at hand, all members).

    >>> from salur.core.rules.nodes import Aggregate, Fact
    >>> f = function(Aggregate("any", Fact("pregnant", "boolean", True)))
    >>> f({}, {}, [{"pregnant": False}, {"pregnant": None}]) is None
    True
    """
    match node:
        case nodes.Literal(value):
            return lambda f, m, ms: value
        case nodes.Fact(name, _, True):
            return lambda f, m, ms: m[name]
        case nodes.Fact(name, _, _):
            return lambda f, m, ms: f[name]
        case nodes.Not(nodes.Compare(op, left, right)):
            return _compare(nodes.OPPOSITE[op], left, right)
        case nodes.Not(part):
            inner = function(part)

            def negate(f: Values, m: Values, ms: Sequence[Values]) -> Any:
                value = inner(f, m, ms)
                return None if value is None else not value

            return negate
        case nodes.And(parts):
            return _fold([function(part) for part in parts], False)
        case nodes.Or(parts):
            return _fold([function(part) for part in parts], True)
        case nodes.Compare(op, left, right):
            return _compare(op, left, right)
        case nodes.Among(part, values):
            return _among(part, frozenset(values))
        case nodes.Arithmetic(sign, left, right):
            return _arithmetic(sign, function(left), function(right))
        case nodes.Extreme(which, parts):
            return _extreme(min if which == "min" else max, [function(part) for part in parts])
        case nodes.Aggregate(kind, part):
            return _aggregate(kind, part)
    raise TypeError(f"{type(node).__name__} must be bound before it is evaluated")


def _fold(parts: list[Function], decisive: bool) -> Function:
    """and (decisive False) or or (decisive True)."""
    if len(parts) == 2:
        first, second = parts

        def pair(f: Values, m: Values, ms: Sequence[Values]) -> Any:
            a = first(f, m, ms)
            if a is decisive:
                return decisive
            b = second(f, m, ms)
            if b is decisive:
                return decisive
            return None if a is None or b is None else not decisive

        return pair

    def fold(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        answer: bool | None = not decisive
        for part in parts:
            value = part(f, m, ms)
            if value is decisive:
                return decisive
            if value is None:
                answer = None
        return answer

    return fold


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _compare(op: str, left: Node, right: Node) -> Function:
    test = _COMPARE[op]
    match left, right:  # the two that nearly every rule is made of, without a call for each side
        case nodes.Fact(name, _, True), nodes.Literal(constant) if constant is not None:

            def of_member(f: Values, m: Values, ms: Sequence[Values]) -> Any:
                a = m[name]
                return None if a is None else test(a, constant)

            return of_member
        case nodes.Fact(name, _, False), nodes.Literal(constant) if constant is not None:

            def of_family(f: Values, m: Values, ms: Sequence[Values]) -> Any:
                a = f[name]
                return None if a is None else test(a, constant)

            return of_family
    first, second = function(left), function(right)

    def compare(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        a = first(f, m, ms)
        if a is None:
            return None
        b = second(f, m, ms)
        return None if b is None else test(a, b)

    return compare


def _among(part: Node, values: frozenset[Any]) -> Function:
    inner = function(part)

    def among(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        value = inner(f, m, ms)
        return None if value is None else value in values

    return among


def _arithmetic(op: str, first: Function, second: Function) -> Function:
    def arithmetic(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        a, b = first(f, m, ms), second(f, m, ms)
        if a is None or b is None:
            return None
        return a + b if op == "+" else a - b if op == "-" else a * b

    return arithmetic


def _extreme(pick: Callable[..., Any], parts: list[Function]) -> Function:
    def extreme(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        values = [part(f, m, ms) for part in parts]
        return None if None in values else pick(values)

    return extreme


def _aggregate(kind: str, part: Node) -> Function:
    inner = function(part)

    def either(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        answer: bool | None = False
        for member in ms:
            value = inner(f, member, ms)
            if value:
                return True
            if value is None:
                answer = None
        return answer

    def every(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        answer: bool | None = True
        for member in ms:
            value = inner(f, member, ms)
            if value is False:
                return False
            if value is None:
                answer = None
        return answer

    def total(f: Values, m: Values, ms: Sequence[Values]) -> Any:
        values = [inner(f, member, ms) for member in ms]
        return None if None in values else sum(values)

    return {"any": either, "all": every, "count": total, "sum": total}[kind]
