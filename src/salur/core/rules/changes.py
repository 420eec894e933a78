"""What would change an outcome: for a failed condition the fewest facts that would have to be different, for
an unknown one the facts that must be asked for.

A condition is made ready once (`Condition`). One way to make it true is built down the tree. Where each fact
stands in one place only, that way is the smallest; elsewhere every smaller set of facts is tried, in the order
of the text, within `TRIED_MOST` evaluations. At last each number and date is brought as near as possible to
what it is now.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from itertools import combinations, product
from typing import Any, NamedTuple, TypeVar

from salur.core.population.catalogue import Catalogue, Fact, Value
from salur.core.rules import nodes
from salur.core.rules.evaluate import Function, Values, function
from salur.core.rules.nodes import And, Literal, Node, Not, Or, type_of

TRIED_MOST = 4_000
KEPT_MOST = 4_096  # answers of a condition
FEW = 12  # a whole number with so few values is tried at each of them
FIRST_DAY, LAST_DAY = date(1850, 1, 1), date(2250, 12, 31)  # days that a date fact may sensibly have
FAMILY = -1  # the place of the family beside the positions of its members
Key = tuple[int, str]  # (place, fact)
Changes = dict[Key, Value]
T = TypeVar("T")


class Change(NamedTuple):
    """One fact that would have to be different. place: position of the member, or FAMILY.

    named: the rulebook names the needed value itself (otherwise any other than the present one may do).
    """

    fact: str
    place: int
    value: Value | None
    needed: Value
    named: bool


class Accepted(NamedTuple):
    """The values that would do: those between two ends (None: open), those listed, or any `other` than now."""

    low: Value | None = None
    high: Value | None = None
    values: tuple[Value, ...] | None = None
    other: bool = False


class Scope(NamedTuple):
    """The plain facts of one case. own: the position of the person decided, or FAMILY."""

    family: Values
    members: Sequence[Values]
    own: int = FAMILY

    def with_(self, changed: Mapping[Key, Value]) -> Scope:
        """The same case with some facts different."""
        family, members = self.family, self.members
        for (place, name), value in changed.items():
            if place == FAMILY:
                family = {**family, name: value}
            else:
                members = [*members[:place], {**members[place], name: value}, *members[place + 1 :]]
        return Scope(family, members, self.own)

    def member(self, place: int) -> Values:
        return {} if place == FAMILY else self.members[place]

    def value(self, key: Key) -> Value | None:
        place, name = key
        return (self.family if place == FAMILY else self.members[place])[name]


Way = Callable[[Scope, int], "Changes | None"]
Lacks = Callable[[Scope, int, "dict[Key, None]"], None]


class Condition:
    """A condition made ready to say which facts it reads, lacks, or would need changed."""

    def __init__(self, tree: Node, catalogue: Catalogue) -> None:
        self.tree, self.catalogue = tree, catalogue
        self.whole = function(tree)
        self.constants = {v for node in nodes.walk(tree) for v in _constants(node)}
        self.way = self._way(tree, True)
        self.lacks = _lacks(tree)
        self._reads: dict[tuple[int, int], tuple[Key, ...]] = {}  # by members and own
        self.exact = _each_fact_once(tree)
        self._leaves = dict(_leaves(tree)) if self.exact or _leaf(tree) else {}
        self._accepted = lru_cache(maxsize=1024)(self._accepted_alone)
        self._kept: dict[Hashable, Any] = {}
        self._few = not any(fact.type == "date" for fact in nodes.facts(tree))

    def reads(self, scope: Scope) -> tuple[Key, ...]:
        """Every fact that the condition reads of this case, in the order of the text."""
        shape = (len(scope.members), scope.own)
        if (keys := self._reads.get(shape)) is None:
            keys = self._reads[shape] = tuple(dict.fromkeys(_reads(self.tree, *shape)))
        return keys

    def unknowns(self, scope: Scope) -> tuple[Key, ...]:
        """The unknown facts that keep the condition from being true or false, in the order of the text."""
        return self._once(self._unknowns, scope)

    def _unknowns(self, scope: Scope) -> tuple[Key, ...]:
        found: dict[Key, None] = {}
        self.lacks(scope, scope.own, found)
        return tuple(found)

    def fewest(self, scope: Scope) -> tuple[Change, ...]:
        """The fewest facts whose change makes a failed condition true; empty if no change of facts can.

        Ties in the order of the text, and of the members.
        """
        return self._once(self._fewest, scope)

    def _fewest(self, scope: Scope) -> tuple[Change, ...]:
        best = self.way(scope, scope.own)
        if not (self.exact and best is not None):
            best = _Search(self, scope).smallest(best)
        if not best:
            return ()
        return tuple(
            Change(name, place, scope.value((place, name)), value, value in self.constants)
            for (place, name), value in best.items()
        )

    def _once(self, answer: Callable[[Scope], T], scope: Scope) -> T:
        """What is answered for the same values is kept, but where dates are read: nearly all of them differ."""
        if not self._few:
            return answer(scope)
        values = tuple([scope.value(key) for key in self.reads(scope)])
        key = (answer.__name__, len(scope.members), scope.own, values)
        if (kept := self._kept.get(key)) is None:
            if len(self._kept) >= KEPT_MOST:
                self._kept.clear()
            kept = self._kept[key] = answer(scope)
        return kept

    def accepted(self, scope: Scope, changes: Sequence[Change], change: Change) -> Accepted:
        """Every value of one changed fact that would do, the other changes made.

        Where each fact stands once, none of the fewest changes can be spared, so its own comparison decides.
        """
        if change.fact not in self._leaves:
            return self.accepted_among(scope, changes, change)
        holds = self._holds_alone(change.fact, change.needed)
        if _other(self.catalogue.facts[change.fact], change.value, holds):
            return Accepted(other=True)
        return self._accepted(change.fact, change.needed)

    def accepted_among(self, scope: Scope, changes: Sequence[Change], change: Change) -> Accepted:
        """The same, found by trying values in the whole condition."""
        others, key = {(c.place, c.fact): c.needed for c in changes}, (change.place, change.fact)

        def holds(value: Value) -> bool:
            after = scope.with_({**others, key: value})
            return self.whole(after.family, after.member(after.own), after.members) is True

        fact = self.catalogue.facts[change.fact]
        if _other(fact, change.value, holds):
            return Accepted(other=True)
        return _accepted(fact, change.needed, holds)

    def _accepted_alone(self, name: str, needed: Value) -> Accepted:
        return _accepted(self.catalogue.facts[name], needed, self._holds_alone(name, needed))

    def _holds_alone(self, name: str, needed: Value) -> Callable[[Value], bool]:
        leaf = self._leaves[name]
        facts: dict[str, Value | None] = {name: needed}
        wanted = leaf(facts, facts, ())

        def holds(value: Value) -> bool:
            facts[name] = value
            return leaf(facts, facts, ()) is wanted

        return holds

    # ---- one way down the tree ----

    def _way(self, tree: Node, wanted: bool) -> Way:
        """A function that gives changes which make a part of the condition what is wanted."""
        test = function(tree)
        turn = self._turn(tree, wanted, test)

        def way(scope: Scope, place: int) -> Changes | None:
            member = scope.members[place] if place >= 0 else {}
            if test(scope.family, member, scope.members) is wanted:
                return {}
            return turn(scope, place)

        return way

    def _turn(self, tree: Node, wanted: bool, test: Function) -> Way:
        match tree:
            case Literal():
                return lambda scope, place: None
            case nodes.Fact(name, _, personal):
                return lambda scope, place: {(place if personal else FAMILY, name): wanted}
            case Not(part):
                return self._way(part, not wanted)
            case And(parts) | Or(parts):
                ways = [self._way(part, wanted) for part in parts]
                join = _all_of if isinstance(tree, And) is wanted else _shortest
                return lambda scope, place: join(way(scope, place) for way in ways)
            case nodes.Aggregate("any" | "all" as kind, part):
                inner = self._way(part, wanted)
                together = _all_of if (kind == "all") is wanted else _shortest
                return lambda scope, place: together(
                    inner(scope, position) for position in range(len(scope.members))
                )
            case nodes.Compare(op, nodes.Fact() as fact, Literal(value)) if value is not None:
                return self._single(fact, self._needed(fact, op, value, wanted))
            case nodes.Compare(op, Literal(value), nodes.Fact() as fact) if value is not None:
                return self._single(fact, self._needed(fact, nodes.FLIPPED[op], value, wanted))
            case nodes.Among(nodes.Fact() as fact, values):
                return self._single(fact, self._among(fact, values, wanted))
        return lambda scope, place: _Search(self, scope).turned(tree, wanted, place, test)

    @staticmethod
    def _single(fact: nodes.Fact, needed: Callable[[Value | None], Value | None]) -> Way:
        """One fact decides: `needed` gives the value nearest to the present one."""

        def way(scope: Scope, place: int) -> Changes | None:
            key = (place if fact.personal else FAMILY, fact.name)
            value = needed(scope.value(key))
            return None if value is None else {key: value}

        return way

    def _needed(
        self, node: nodes.Fact, op: nodes.Comparison, constant: Value, wanted: bool
    ) -> Callable[[Value | None], Value | None]:
        if not wanted:
            op = nodes.OPPOSITE[op]
        fact = self.catalogue.facts[node.name]
        if op == "!=":
            others = self._others(fact, (constant,))
            return lambda now: others[0] if others else None
        step = {"<": -1, ">": 1}.get(op, 0)
        edge: Value = constant
        if step:
            edge = constant + timedelta(days=step) if isinstance(constant, date) else int(constant) + step
        return lambda now: edge if fact.accepts(edge) else self._inside(fact, op, constant)

    @staticmethod
    def _inside(fact: Fact, op: str, constant: Value) -> Value | None:
        """The nearest value the fact may have where the edge itself is outside its bounds."""
        if fact.type != "integer" or type(constant) is not int:
            return None
        if op in ("<", "<=") and constant > fact.most:
            return fact.most
        return fact.least if op in (">", ">=") and constant < fact.least else None

    def _among(
        self, node: nodes.Fact, values: tuple[Value, ...], wanted: bool
    ) -> Callable[[Value | None], Value | None]:
        fact = self.catalogue.facts[node.name]
        good = [value for value in values if fact.accepts(value)] if wanted else self._others(fact, values)
        return lambda now: min(good, key=lambda value: _distance(value, now)) if good else None

    @staticmethod
    def _others(fact: Fact, values: tuple[Value, ...]) -> list[Value]:
        """Values a fact may have that are none of these."""
        if fact.type == "boolean":
            return [value for value in (True, False) if value not in values]
        if fact.type == "category":
            return [value for value in fact.values if value not in values]
        if fact.type == "integer":
            around = (int(v) + step for v in values for step in (-1, 1))  # type: ignore[arg-type]
            return [value for value in around if fact.accepts(value) and value not in values]
        days = (v + timedelta(days=step) for v in values if isinstance(v, date) for step in (-1, 1))
        return [day for day in days if day not in values]


class _Search:
    """Tries sets of facts on one case; `tried` counts evaluations."""

    def __init__(self, condition: Condition, scope: Scope) -> None:
        self.condition, self.scope = condition, scope
        self.keys = condition.reads(scope)
        self.tried = 0

    def holds(self, changed: Mapping[Key, Value]) -> bool:
        self.tried += 1
        scope = self.scope.with_(changed)
        return self.condition.whole(scope.family, scope.member(scope.own), scope.members) is True

    def smallest(self, way: Changes | None) -> Changes | None:
        """The smallest set of changes that makes the condition true, at worst `way` itself."""
        if way is not None and not self.holds(way):
            way = None
        best = self.smaller(len(way) if way is not None else 4) or way
        return self.nearest(best) if best else None

    def smaller(self, size: int) -> Changes | None:
        """A set of fewer than `size` facts that makes the condition true, if one is found in time."""
        if size < 2:
            return None
        candidates = {key: self.candidates(key) for key in self.keys}
        for count in range(1, min(size, len(self.keys) + 1)):
            for chosen in combinations(self.keys, count):
                for values in product(*(candidates[key] for key in chosen)):
                    if self.tried > TRIED_MOST:
                        return None
                    changed = dict(zip(chosen, values, strict=True))
                    if self.holds(changed):
                        return changed
        return None

    def candidates(self, key: Key) -> list[Value]:
        """Values worth trying for a fact: those at which a comparison of the condition can turn."""
        fact, now = self.condition.catalogue.facts[key[1]], self.scope.value(key)
        if fact.type == "boolean":
            return [value for value in (True, False) if value is not now]
        if fact.type == "category":
            named = [value for value in fact.values if value in self.condition.constants]
            others = [value for value in fact.values if value not in named][:1]
            return [value for value in (*named, *others) if value != now]
        known = {v for v in self.condition.constants if type(v) is (int if fact.type == "integer" else date)}
        known |= {
            v
            for k in self.keys
            if type(v := self.scope.value(k)) is (int if fact.type == "integer" else date)
        }
        few = range(fact.least, fact.most + 1) if fact.most - fact.least <= FEW else ()
        around: set[Any] = (
            {*few, fact.least, fact.most, *(int(v) + step for v in known for step in (-1, 0, 1))}  # type: ignore[arg-type]
            if fact.type == "integer"
            else {v + timedelta(days=step) for v in known if isinstance(v, date) for step in (-1, 0, 1)}
        )
        return sorted(
            (v for v in around if v != now and fact.accepts(v)), key=lambda v: (_distance(v, now), v)
        )

    def turned(self, tree: Node, wanted: bool, place: int, test: Function) -> Changes | None:
        """A comparison of several facts turned by changing one after another, the first first."""
        changed: Changes = {}
        for key in dict.fromkeys(_reads(tree, len(self.scope.members), place)):
            options = [*self.candidates(key), *self.crossing(tree, place, changed, key)]
            for value in options:
                scope = self.scope.with_({**changed, key: value})
                self.tried += 1
                if test(scope.family, scope.member(place), scope.members) is wanted:
                    return {**changed, key: value}
            if options:
                gaps = {value: self.gap(tree, wanted, place, {**changed, key: value}) for value in options}
                changed[key] = min(options, key=gaps.__getitem__)
        return None

    def gap(self, tree: Node, wanted: bool, place: int, changed: Changes) -> int:
        """How far a comparison of numbers still is from turning."""
        apart = self.apart(tree, place, changed)
        if apart is None:
            return 0
        if isinstance(tree, nodes.Compare) and tree.op in ("==", "!="):
            return abs(apart)
        rising = isinstance(tree, nodes.Compare) and tree.op in (">", ">=")
        return -apart if rising is wanted else apart

    def apart(self, tree: Node, place: int, changed: Changes) -> int | None:
        """Left side less right side of a comparison of numbers; None if it is none, or unknown."""
        if not isinstance(tree, nodes.Compare) or type_of(tree.left) != "integer":
            return None
        scope = self.scope.with_(changed)
        left, right = (
            function(side)(scope.family, scope.member(place), scope.members)
            for side in (tree.left, tree.right)
        )
        return None if left is None or right is None else int(left - right)

    def crossing(self, tree: Node, place: int, changed: Changes, key: Key) -> list[Value]:
        """The values of a whole-number fact around which the two sides of a comparison become equal."""
        fact = self.condition.catalogue.facts[key[1]]

        def above(value: int) -> bool:
            return (self.apart(tree, place, {**changed, key: value}) or 0) >= 0

        if fact.type != "integer" or self.apart(tree, place, {**changed, key: fact.least}) is None:
            return []
        if above(fact.least) == above(fact.most):
            return []
        edge = _closest(fact.most, fact.least, lambda value: above(value) is above(fact.most))
        return [value for value in (edge, edge - 1, edge + 1) if fact.accepts(value)]

    def nearest(self, changed: Changes) -> Changes:
        """The same facts, each number and date moved back towards its present value while the condition holds."""
        near = dict(changed)
        for key, value in changed.items():
            now = self.scope.value(key)
            if type(value) is int and type(now) is int:
                near[key] = _closest(value, now, lambda v, k=key: self.holds({**near, k: v}))  # type: ignore[misc]
            elif isinstance(value, date) and isinstance(now, date):
                near[key] = date.fromordinal(
                    _closest(
                        value.toordinal(),
                        now.toordinal(),
                        lambda v, k=key: self.holds({**near, k: date.fromordinal(v)}),  # type: ignore[misc]
                    )
                )
        return near


# ---- trees -------------------------------------------------------------------------------------------------


def _reads(tree: Node, members: int, place: int) -> Iterator[Key]:
    match tree:
        case nodes.Fact(name, _, personal):
            yield (place if personal else FAMILY), name
        case nodes.Aggregate(_, part):
            for position in range(members):
                yield from _reads(part, members, position)
        case _:
            for child in nodes.children(tree):
                yield from _reads(child, members, place)


def _lacks(tree: Node) -> Lacks:
    """A function that adds the unknown facts for which a part of a condition is unknown."""
    test, parts = function(tree), [_lacks(child) for child in nodes.children(tree)]
    known = _missing(tree, parts)

    def lacks(scope: Scope, place: int, found: dict[Key, None]) -> None:
        if test(scope.family, scope.member(place), scope.members) is None:
            known(scope, place, found)

    return lacks


def _missing(tree: Node, parts: list[Lacks]) -> Lacks:
    """The same for a part that is unknown."""

    def fact(scope: Scope, place: int, found: dict[Key, None]) -> None:
        found[(place if tree.personal else FAMILY), tree.name] = None  # type: ignore[union-attr]

    def everyone(scope: Scope, place: int, found: dict[Key, None]) -> None:
        for position in range(len(scope.members)):
            parts[0](scope, position, found)

    def each(scope: Scope, place: int, found: dict[Key, None]) -> None:
        for part in parts:
            part(scope, place, found)

    return fact if isinstance(tree, nodes.Fact) else everyone if isinstance(tree, nodes.Aggregate) else each


def _each_fact_once(tree: Node) -> bool:
    """Whether each fact stands in one place only, alone in its comparison: then the way down is the smallest.

    A family's fact inside an aggregate is read once for each member.
    """
    seen: list[str] = [node.name for node in nodes.walk(tree) if isinstance(node, nodes.Fact)]
    plain = all(
        not isinstance(node, nodes.Arithmetic | nodes.Extreme)
        and (not isinstance(node, nodes.Aggregate) or node.kind in ("any", "all"))
        and (
            not isinstance(node, nodes.Compare)
            or isinstance(node.left, Literal)
            or isinstance(node.right, Literal)
        )
        and not (isinstance(node, nodes.Aggregate) and not all(f.personal for f in nodes.facts(node)))
        for node in nodes.walk(tree)
    )
    return plain and len(seen) == len(set(seen))


def _leaf(tree: Node) -> bool:
    """Whether a condition reads one fact of one member or the family, however often."""
    return len(nodes.facts(tree)) == 1 and not any(isinstance(n, nodes.Aggregate) for n in nodes.walk(tree))


def _leaves(tree: Node) -> Iterator[tuple[str, Function]]:
    """The largest part of the condition in which a fact stands alone."""
    if _leaf(tree):
        yield next(iter(nodes.facts(tree))).name, function(tree)
    elif isinstance(tree, And | Or | Not | nodes.Aggregate):
        for child in nodes.children(tree):
            yield from _leaves(child)


def _constants(node: Node) -> tuple[Any, ...]:
    if isinstance(node, nodes.Among):
        return node.values
    return (node.value,) if isinstance(node, Literal) else ()


def _other(fact: Fact, now: Value | None, holds: Callable[[Value], bool]) -> bool:
    """Whether both neighbours of a number or date would do: then anything but the present value may."""
    if now is None or fact.type in ("boolean", "category"):
        return False
    return _at(fact, _ordinal(now) - 1, holds) and _at(fact, _ordinal(now) + 1, holds)


def _accepted(fact: Fact, needed: Value, holds: Callable[[Value], bool]) -> Accepted:
    if fact.type in ("boolean", "category"):
        return Accepted(values=tuple(v for v in fact.values or (True, False) if v == needed or holds(v)))
    middle, (least, most) = _ordinal(needed), _ends(fact)

    def at(value: int) -> bool:
        return _at(fact, value, holds)

    low, high = (middle if not at(middle + step) else end if at(end) else _closest(middle, end, at)
                 for step, end in ((-1, least), (1, most)))  # fmt: skip
    return Accepted(None if low == least else _value(fact, low), None if high == most else _value(fact, high))


def _at(fact: Fact, place: int, holds: Callable[[Value], bool]) -> bool:
    least, most = _ends(fact)
    return least <= place <= most and holds(_value(fact, place))


def _ends(fact: Fact) -> tuple[int, int]:
    number = fact.type == "integer"
    return (fact.least, fact.most) if number else (FIRST_DAY.toordinal(), LAST_DAY.toordinal())


def _ordinal(value: Value) -> int:
    return value.toordinal() if isinstance(value, date) else int(value)


def _value(fact: Fact, place: int) -> Value:
    return place if fact.type == "integer" else date.fromordinal(place)


def _closest(good: int, bad: int, holds: Callable[[int], bool]) -> int:
    """Between a value that holds and one that does not: one that holds, its neighbour towards `bad` does not."""
    if abs(good - bad) > 1 and not holds(good + (1 if bad > good else -1)):
        return good  # the usual case: a way ends at the very edge
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        if holds(middle):
            good = middle
        else:
            bad = middle
    return good


def _distance(value: Any, now: Any) -> int:
    if isinstance(value, date) and isinstance(now, date):
        return abs((value - now).days)
    return abs(value - now) if type(value) is int and type(now) is int else 0


def _all_of(ways: Iterable[Changes | None]) -> Changes | None:
    together: Changes = {}
    for way in ways:
        if way is None:
            return None
        for key, value in way.items():
            together.setdefault(key, value)
    return together


def _shortest(ways: Iterable[Changes | None]) -> Changes | None:
    best: Changes | None = None
    for way in ways:
        if way is not None and (best is None or len(way) < len(best)):
            if len(way) < 2:
                return way  # none is shorter: where none is needed, no way is asked for
            best = way
    return best
