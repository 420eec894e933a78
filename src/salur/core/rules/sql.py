"""A plan → one portable SQL text that decides a whole population: DuckDB, SQLite, PostgreSQL and Spark.

SQL's own NULL is Kleene's unknown for and, or and not. Where SQL differs, the text spells it out: any, all,
count and sum over members (SQL skips NULL), min and max (engines disagree), and the member of whom nothing is
known. Only the date literal, the name of the text type and of LEAST differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, count

from salur.core.population.catalogue import MEMBERS_MOST
from salur.core.rules import nodes
from salur.core.rules.cases import oldest
from salur.core.rules.nodes import Literal, Node
from salur.core.rules.plan import NO_LIMIT, Item, Plan
from salur.core.rules.simplify import of_nobody, simplify


@dataclass(frozen=True)
class Dialect:
    """What differs between engines."""

    name: str
    date: Callable[[date], str]
    types: Mapping[str, str]
    quote: str = '"'
    copies: bool = False  # the planner writes a layer's expressions into every layer above it
    extremes: Mapping[str, str] = field(default_factory=lambda: {"min": "LEAST", "max": "GREATEST"})


# Engines are faster with few aggregates. any() and all() are two bits of a word joined by BIT_OR: a member who
# decides it, and MARKS bits above, an unknown one. Members are counted in fields of one sum, seven of seven bits.
MARKS = 31
COUNT_BITS = 7  # for at most MEMBERS_MOST members
COUNTS = 7  # below 2^53, as every number of a rulebook
assert MEMBERS_MOST < 1 << COUNT_BITS  # noqa: S101

_TYPES = {"boolean": "BOOLEAN", "integer": "BIGINT", "date": "DATE", "category": "VARCHAR"}
DUCKDB = Dialect("duckdb", lambda day: f"DATE '{day}'", _TYPES)
POSTGRES = Dialect("postgres", lambda day: f"DATE '{day}'", _TYPES, copies=True)
SPARK = Dialect("spark", lambda day: f"DATE '{day}'", _TYPES | {"category": "STRING"}, "`")
SQLITE = Dialect(
    "sqlite",
    lambda day: f"'{day}'",
    _TYPES | {"date": "TEXT", "category": "TEXT"},
    copies=True,
    extremes={"min": "MIN", "max": "MAX"},
)


@dataclass(frozen=True)
class Source:
    """Where the rows are: table expressions, and how old each fact is (columns `<fact>__as_of` where by row).

    summed: the rows of families carry the columns of `sums` beside their own, each with a _ before its name (no fact
    has one), and persons are not read.
    """

    families: str
    persons: str
    as_of: Mapping[str, date]
    as_of_columns: frozenset[str]
    summed: bool = False


def columns(plan: Plan) -> tuple[str, ...]:
    """The columns of the statement, in order."""
    counts = tuple(f"c{item.index}" for item in plan.items)
    rank = ("score", "persons") if plan.places else ()
    return (
        "unit_id",
        "family_id",
        "region",
        "outcome",
        "failed",
        "unknown",
        "amount",
        "amount_most",
        *counts,
        *rank,
    )


def order(plan: Plan) -> str:
    """The order of the population."""
    return "region, family_id, unit_id" if plan.rulebook.unit == "person" else "region, family_id"


def statement(plan: Plan, source: Source, dialect: Dialect = DUCKDB, *, ordered: bool = False) -> str:
    """The SELECT that decides every unit, before the quota.

    ordered: in the order of the population, where the engine keeps the order of a subquery (DuckDB); it is made
    before the columns are widened. Else rows come in no order.
    """
    return _Writer(plan, source, dialect).statement(ordered)


def sums(plan: Plan, source: Source, dialect: Dialect = DUCKDB) -> tuple[str, tuple[str, ...]] | None:
    """What the statement needs of members: a SELECT of one row a family that has any, and the names of its columns
    beside family_id. None: nothing."""
    writer = _Writer(plan, source, dialect)
    return (writer.sums(), tuple(writer.words())) if writer.needs_sums else None


def touched(old: Plan, new: Plan, source: Source) -> str | None:
    """The families whose sums may differ between two plans: for DuckDB, a SELECT of the ids of those with a member who
    passes another test. None: the plans differ in more than tests, or in none.

    Sums are made of what each member passes and of nothing else: where all of that is the same, they are.
    """
    one, other = (_Writer(plan, source, DUCKDB) for plan in (old, new))
    if (one.asked(), one.made_of_tests()) != (other.asked(), other.made_of_tests()):
        return None
    pairs = [
        (a, b) for a, b in zip(one.tests, other.tests, strict=False) if a != b
    ]  # no sum is made of the rest
    differs = " OR ".join(f"{one.sql(a)} IS DISTINCT FROM {other.sql(b)}" for a, b in pairs)
    return f"SELECT DISTINCT family_id FROM {one.asked()} WHERE {differs}" if pairs else None


def fresh(
    plan: Plan, source: Source, dialect: Dialect = DUCKDB, *, personal: bool = False, table: str = "f"
) -> dict[str, str]:
    """The facts of families, or of persons, that the plan reads: the SQL of each, stale values as NULL."""
    shown = {}
    for fact in plan.facts:
        if fact.personal is not personal:
            continue
        name, quote = fact.name, dialect.quote
        least = oldest(plan.rulebook.catalogue.facts[name], plan.on)
        value, dated = (f"{table}.{quote}{name}{ending}{quote}" for ending in ("", "__as_of"))
        as_of = source.as_of.get(name, plan.on)
        if least is not None and name in source.as_of_columns:
            recent = f"{dated} >= {dialect.date(least)}"
            if as_of >= least:
                recent += f" OR {dated} IS NULL"
            value = f"CASE WHEN {recent} THEN {value} END"
        elif least is not None and as_of < least:
            value = f"CAST(NULL AS {dialect.types[fact.type]})"
        shown[name] = value
    return shown


class _Writer:
    """Writes the layers of the statement from the inside out."""

    def __init__(self, plan: Plan, source: Source, dialect: Dialect) -> None:
        self.plan = plan
        self.source = source
        self.dialect = dialect
        self.layers: list[str] = []
        self.person_unit = plan.rulebook.unit == "person"
        self.criteria = [simplify(tree) for tree in plan.criteria]
        self.trees = {item.index: simplify(item.tree) for item in plan.items if item.tree is not None}
        self.eaches = [item for item in plan.dearest_first if item.kind == "each"]
        self.excluding = self._excluding()
        self.written = [index for index in range(len(self.criteria)) if index not in self.excluding]
        whens = [self.trees[item.index] for item in plan.items if item.kind == "when"]
        asked = [self.criteria[index] for index in self.written] + whens
        self.resolving = dict.fromkeys(
            node for tree in asked for node in nodes.walk(tree) if isinstance(node, nodes.Aggregate)
        )
        every = dict.fromkeys([*self.excluding.values(), *self.resolving])
        self.aggregates = {node: index for index, node in enumerate(every)}
        # The bit of each any() and all(): that of the criterion that it is, else one after the criteria.
        self.marks = {node: index for index, node in self.excluding.items()}
        free = count(len(self.criteria))
        for node in self.aggregates:
            if node.kind in ("any", "all") and node not in self.marks:
                self.marks[node] = next(free)
        self.counts_persons = bool(plan.places and plan.places.counts == "persons" and not self.person_unit)
        self.needs_sums = bool(self.aggregates or self.eaches or self.counts_persons)
        self.summed = "f" if source.summed else "a"  # the table with the columns of sums()
        self.shared, self.rests = self._shared()
        # A test that one member passes, written once however often it is used.
        bodies = [self.rests.get(node, node.part) for node in self.aggregates]
        bodies += [self.trees[item.index] for item in self.eaches] + ([self.shared] if self.shared else [])
        self.tests = {tree: f"t{index}" for index, tree in enumerate(dict.fromkeys(bodies))}
        # Where the members that a component serves are counted: the word and the field in it.
        self.fields = {item.index: divmod(place, COUNTS) for place, item in enumerate(self.eaches)}

    def _excluding(self) -> dict[int, nodes.Aggregate]:
        """Criteria that one member alone can fail, `not any(…)` and `all(…)`: their marks are bits of the masks."""
        found: dict[int, nodes.Aggregate] = {}
        for index, tree in enumerate(self.criteria):
            node, kind = (tree.part, "any") if isinstance(tree, nodes.Not) else (tree, "all")
            if not isinstance(node, nodes.Aggregate) or node.kind != kind or node in found.values():
                continue
            if isinstance(of_nobody(node.part), Literal):
                found[index] = node
        return found

    def _shared(self) -> tuple[Node | None, dict[nodes.Aggregate, Node]]:
        """The condition that most any() share (`adult and …`), asked once; and what else each of them asks."""
        bodies = {
            node: dict.fromkeys(node.part.parts)
            for node in self.aggregates
            if node.kind == "any" and isinstance(node.part, nodes.And)
        }
        shared, times = next(iter(Counter(chain(*bodies.values())).most_common(1)), (None, 0))
        if times < 2:
            return None, {}
        rests = {
            node: tuple(part for part in parts if part != shared)
            for node, parts in bodies.items()
            if shared in parts and len(parts) > 1
        }
        return shared, {node: rest[0] if len(rest) == 1 else nodes.And(rest) for node, rest in rests.items()}

    # ---- expressions ----

    def sql(self, node: Node) -> str:
        """The SQL of a tree; the fact x is the column f_x, aggregates are the columns g0, g1 …"""
        match node:
            case Literal(None):
                return "CAST(NULL AS BOOLEAN)"
            case Literal(value):
                return self.constant(value)
            case nodes.Fact(name, _, _):
                return f"f_{name}"
            case nodes.Not(part):
                return f"(NOT {self.sql(part)})"
            case nodes.And(parts):
                return "(" + " AND ".join(map(self.sql, parts)) + ")"
            case nodes.Or(parts):
                return "(" + " OR ".join(map(self.sql, parts)) + ")"
            case nodes.Compare(op, left, right):
                sign = {"==": "=", "!=": "<>"}.get(op, op)
                return f"({self.sql(left)} {sign} {self.sql(right)})"
            case nodes.Among(part, values):
                return f"({self.sql(part)} IN ({', '.join(map(self.constant, values))}))"
            case nodes.Arithmetic(operator, left, right):
                return f"({self.sql(left)} {operator} {self.sql(right)})"
            case nodes.Extreme():
                return self.extreme(node)
            case nodes.Aggregate():
                return f"g{self.aggregates[node]}"
        raise TypeError(f"{type(node).__name__} must be bound before it is compiled")

    def constant(self, value: object) -> str:
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, date):
            return self.dialect.date(value)
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)

    def extreme(self, node: nodes.Extreme) -> str:
        """Engines disagree on the least of a number and NULL, so the leaves are asked first."""
        leaves = dict.fromkeys(map(self.sql, _leaves(node)))
        unknown = " OR ".join(f"{leaf} IS NULL" for leaf in leaves)
        return f"(CASE WHEN {unknown} THEN NULL ELSE {self.number(node)} END)"

    def number(self, node: Node) -> str:
        """A number all of whose leaves are known."""
        match node:
            case nodes.Extreme(which, parts):
                return f"{self.dialect.extremes[which]}({', '.join(map(self.number, parts))})"
            case nodes.Arithmetic(operator, left, right):
                return f"({self.number(left)} {operator} {self.number(right)})"
        return self.sql(node)

    # ---- layers ----

    def layer(self, select: str, alias: str) -> str:
        """A layer as a table expression.

        SQLite and PostgreSQL would write its expressions in place of its columns, layer after layer: with 14
        components planning takes seconds, with 60 all memory. There a layer is computed once.
        """
        if not self.dialect.copies:
            return f"({select}) {alias}"
        name = f"layer_{len(self.layers)}"
        self.layers.append(f"{name} AS MATERIALIZED ({select})")
        return f"{name} {alias}"

    def facts(self, personal: bool, table: str) -> list[str]:
        """The facts that are read, stale values as NULL."""
        read = fresh(self.plan, self.source, self.dialect, personal=personal, table=table)
        return [f"{value} AS f_{name}" for name, value in read.items()]

    def family(self) -> str:
        rows = ["f.family_id", "f.region", "f.found", "f.members_known", *self.facts(False, "f")]
        if self.source.summed and self.needs_sums:
            rows += [f"f._{word} AS {word}" for word in self.words()]
        return f"SELECT {', '.join(rows)} FROM {self.source.families} f"

    def person(self) -> str:
        rows = ["p.family_id", "p.person_id", *self.facts(True, "p")]
        return f"SELECT {', '.join(rows)} FROM {self.source.persons} p"

    def members(self) -> str:
        """What each member passes: a column a test."""
        tests = ", ".join(f"{self.sql(tree)} AS {name}" for tree, name in self.tests.items())
        return f"SELECT family_id{', ' if tests else ''}{tests} FROM {self.asked()}"

    def made_of_tests(self) -> str:
        """How sums are made of what members pass."""
        return self.sums().replace(self.members(), "members")

    def asked(self) -> str:
        """The members, with all that a test asks."""
        family_facts = {fact.name for tree in self.tests for fact in nodes.facts(tree) if not fact.personal}
        rows = f"({self.person()}) p"
        if family_facts:
            own = ", ".join(f"f.f_{name}" for name in sorted(family_facts))
            return f"(SELECT p.*, {own} FROM {rows} JOIN ({self.family()}) f ON f.family_id = p.family_id) p"
        return rows

    def chosen(self) -> str:
        """What each member takes, for certain (sure0 …) and at most (possible0 …): 1 in the field of a component."""
        words = range(1 + max((word for word, _ in self.fields.values()), default=-1))
        shown = ["m.*"]
        for name in ("sure", "possible"):
            for word in words:
                takes = {
                    item.index: f"WHEN {self.holds(item, name)} THEN {self.one(item, word)}"
                    for item in self.eaches
                }
                if self.plan.one_per_member:  # the first that holds, whatever its word
                    taken = f"CASE {' '.join(takes.values())} ELSE 0 END"
                else:
                    own = [take for index, take in takes.items() if self.fields[index][0] == word]
                    taken = " + ".join(f"CASE {take} ELSE 0 END" for take in own)
                shown.append(f"{taken} AS {name}{word}")
        return (
            f"SELECT {', '.join(shown)} FROM {self.layer(self.members(), 'm')}" if words else self.members()
        )

    def holds(self, item: Item, name: str) -> str:
        test = self.test(item)
        return test if name == "sure" else f"{test} OR {test} IS NULL"

    def one(self, item: Item, word: int) -> int:
        """One member served by a component, as it stands in a word of counts."""
        own, field = self.fields[item.index]
        return 1 << COUNT_BITS * field if own == word else 0

    def count(self, name: str, item: Item) -> str:
        """How many members a component serves, read from its word."""
        word, field = self.fields[item.index]
        return (
            f"((COALESCE({self.summed}.{name}{word}, 0) >> {COUNT_BITS * field}) & {(1 << COUNT_BITS) - 1})"
        )

    def mark(self, node: nodes.Aggregate) -> tuple[int, int, int]:
        """Where any() and all() are noted: the word, the bit of a member who decides and that of an unknown one."""
        word, bit = divmod(self.marks[node], MARKS)
        return word, 1 << bit, 1 << MARKS + bit

    @staticmethod
    def decides(node: nodes.Aggregate) -> Node:
        """What a member must be to decide any() or all() alone."""
        return node.part if node.kind == "any" else simplify(nodes.Not(node.part))

    def test(self, item: Item) -> str:
        return self.tests[self.trees[item.index]]

    def sums(self) -> str:
        """One row a family: its aggregates and how many members each component serves."""
        words = ", ".join(f"{made} AS {name}" for name, made in self.words().items())
        return f"SELECT family_id, {words} FROM {self.layer(self.chosen(), 'm')} GROUP BY family_id"

    def words(self) -> dict[str, str]:
        """The columns of sums() and how each is made."""
        made: dict[str, str] = {}
        words: dict[int, list[str]] = {}
        # where the shared condition holds, and where it is unknown
        under: dict[int, list[tuple[str, str]]] = {}
        for node, index in self.aggregates.items():
            test = self.tests[self.rests.get(node, node.part)]
            if node.kind in ("any", "all"):
                decides = test if node.kind == "any" else f"NOT {test}"
                word, decided, unknown = self.mark(node)
                found = f"CASE WHEN {decides} THEN {decided} WHEN {test} IS NULL THEN {unknown} ELSE 0 END"
                if node in self.rests:
                    under.setdefault(word, []).append(
                        (found, f"CASE WHEN NOT {test} THEN 0 ELSE {unknown} END")
                    )
                else:
                    words.setdefault(word, []).append(found)
            else:
                made[f"u{index}"] = f"MAX(CASE WHEN {test} IS NULL THEN 1 ELSE 0 END)"
                total = f"COUNT(CASE WHEN {test} THEN 1 END)" if node.kind == "count" else f"SUM({test})"
                made[f"a{index}"] = f"CAST({total} AS BIGINT)"
        condition = self.tests[self.shared] if self.shared else ""
        for word, pairs in under.items():
            holds, unsure = (" | ".join(found) for found in zip(*pairs, strict=True))
            words.setdefault(word, []).append(
                f"CASE WHEN {condition} THEN {holds} WHEN {condition} IS NULL THEN {unsure} ELSE 0 END"
            )
        made |= {f"q{word}": f"BIT_OR(CAST({' | '.join(found)} AS BIGINT))" for word, found in words.items()}
        for word in sorted({word for word, _ in self.fields.values()}):
            made |= {f"{name}{word}": f"CAST(SUM({name}{word}) AS BIGINT)" for name in ("sure", "possible")}
        if self.counts_persons:
            made["members"] = "COUNT(*)"
        return made

    def units(self) -> str:
        """One row a unit: its facts, its aggregates resolved (g0 …), its components counted (s0, p0 …)."""
        shown = ["f.*"]
        rows = f"({self.family()}) f"
        if self.person_unit:
            own = ["p.person_id", *(f"p.f_{fact.name}" for fact in self.plan.facts if fact.personal)]
            shown += own
            rows += f" JOIN ({self.person()}) p ON p.family_id = f.family_id"
        if self.needs_sums and not self.source.summed:
            rows += f" LEFT JOIN ({self.sums()}) a ON a.family_id = f.family_id"
        for name, unknown in (("failed", False), ("unknown", True)):
            if self.excluding:
                shown.append(f"{self.marked(unknown)} AS marked_{name}")
        shown += [
            f"{self.resolved(node, index)} AS g{index}"
            for node, index in self.aggregates.items()
            if node in self.resolving
        ]
        for item in self.eaches:
            for name, column in (("sure", "s"), ("possible", "p")):
                taken = self.with_nobody(self.count(name, item), self.nobody_takes(item, name == "sure"))
                shown.append(f"{taken} AS {column}{item.index}")
        if self.counts_persons:
            shown.append(
                f"COALESCE({self.summed}.members, 0) + CASE WHEN f.members_known THEN 0 ELSE 1 END AS n"
            )
        return f"SELECT {', '.join(shown)} FROM {rows}"

    def marked(self, unknown: bool) -> str:
        """The bits of the excluding criteria that fail, or are unknown, as they stand in the masks."""
        words: dict[int, int] = {}
        of_nobody_ = 0
        for index, node in self.excluding.items():
            word, decided, _ = self.mark(node)
            words[word] = words.get(word, 0) | decided
            nobody = of_nobody(self.decides(node))
            if nobody == Literal(None if unknown else True):
                of_nobody_ |= 1 << index
        parts = [
            f"(((COALESCE({self.summed}.q{word}, 0) >> {MARKS if unknown else 0}) & {bits}) << {MARKS * word})"
            for word, bits in words.items()
        ]
        if of_nobody_:
            parts.append(f"CASE WHEN f.members_known THEN 0 ELSE {of_nobody_} END")
        return " | ".join(parts)

    def resolved(self, node: nodes.Aggregate, index: int) -> str:
        """An aggregate with the member of whom nothing is known."""
        nobody = of_nobody(node.part)
        if node.kind in ("any", "all"):
            verdict, other = ("TRUE", "FALSE") if node.kind == "any" else ("FALSE", "TRUE")
            decides = of_nobody(self.decides(node))
            word, decided, unknown = self.mark(node)
            first, second = (f"({self.summed}.q{word} & {bit}) <> 0" for bit in (decided, unknown))
            if decides == Literal(None):
                second += " OR NOT f.members_known"
            elif isinstance(decides, Literal):
                first += " OR NOT f.members_known" if decides.value else ""
            else:
                first += f" OR (NOT f.members_known AND {self.sql(decides)})"
                second += f" OR (NOT f.members_known AND {self.sql(decides)} IS NULL)"
            return f"CASE WHEN {first} THEN {verdict} WHEN {second} THEN NULL ELSE {other} END"
        known = f"COALESCE({self.summed}.a{index}, 0)"
        if node.kind == "count" and nobody != Literal(None):
            known += f" + CASE WHEN NOT f.members_known AND {self.sql(nobody)} THEN 1 ELSE 0 END"
        unsure = f"{self.summed}.u{index} = 1"
        if nobody not in (Literal(True), Literal(False)):
            unsure += f" OR (NOT f.members_known AND {self.sql(nobody)} IS NULL)"
        return f"CASE WHEN {unsure} THEN NULL ELSE {known} END"

    def nobody_takes(self, item: Item, sure: bool) -> str | None:
        """When the member of whom nothing is known takes this component; None: never."""

        def holds(of: Item) -> str | None:
            tree = of_nobody(self.trees[of.index])
            if isinstance(tree, Literal):
                return "TRUE" if tree.value or (tree.value is None and not sure) else None
            sql = self.sql(tree)
            return f"({sql})" if sure else f"({sql} OR {sql} IS NULL)"

        mine = holds(item)
        if mine is None or not self.plan.one_per_member:
            return mine
        for dearer in self.eaches[: self.eaches.index(item)]:
            if (theirs := holds(dearer)) is not None:
                # a component that holds for certain or may hold, before this one, takes the member away
                mine = None if theirs == "TRUE" else f"{mine} AND NOT COALESCE({theirs}, FALSE)"
            if mine is None:
                return None
        return mine

    @staticmethod
    def with_nobody(known: str, takes: str | None) -> str:
        if takes is None:
            return known
        condition = "" if takes == "TRUE" else f" AND {takes}"
        return f"{known} + CASE WHEN NOT f.members_known{condition} THEN 1 ELSE 0 END"

    def judged(self) -> str:
        """The criteria as columns k0 …, the components cut to their most (s0, p0 …)."""
        marked = ["marked_failed", "marked_unknown"] if self.excluding else []
        shown = marked + [f"{self.sql(self.criteria[index])} AS k{index}" for index in self.written]
        for item in self.plan.items:
            k = item.index
            if item.kind == "each":
                sure, possible = self.least(f"s{k}", item.most), self.least(f"p{k}", item.most)
            elif item.kind == "when":
                test = self.sql(self.trees[k])
                sure = f"CASE WHEN {test} THEN 1 ELSE 0 END"
                possible = f"CASE WHEN NOT {test} THEN 0 ELSE 1 END"
            else:
                sure = possible = "1"
            shown += [f"{sure} AS s{k}", f"{possible} AS p{k}"]
        if self.plan.places:
            shown.append(f"f_{self.plan.places.rank.name} AS score")
            shown.append(("n" if self.counts_persons else "1") + " AS persons")
        unit = "person_id" if self.person_unit else "family_id"
        return (
            f"SELECT {unit} AS unit_id, family_id, region, found, {', '.join(shown)} "
            f"FROM {self.layer(self.units(), 'u')}"
        )

    @staticmethod
    def least(column: str, most: int) -> str:
        return column if most == NO_LIMIT else f"CASE WHEN {column} < {most} THEN {column} ELSE {most} END"

    def filled(self) -> str:
        """The slots filled dearest first: a component gets the growth of the sum, capped at the slots."""
        if self.plan.slots == NO_LIMIT:
            return self.judged()
        order = [item.index for item in self.plan.dearest_first]
        sums, taken = [], []
        for kind in "sp":
            for place, k in enumerate(order):
                total = " + ".join(f"{kind}{j}" for j in order[: place + 1])
                sums.append(f"{total} AS {kind}t{k}")
                upto = self.least(f"{kind}t{k}", self.plan.slots)
                before = self.least(f"{kind}t{order[place - 1]}", self.plan.slots) if place else "0"
                taken.append(f"{upto} - ({before}) AS {kind}{k}")
        keep = ["unit_id", "family_id", "region", "found", *(f"k{index}" for index in self.written)]
        keep += ["marked_failed", "marked_unknown"] if self.excluding else []
        keep += ["score", "persons"] if self.plan.places else []
        inner = f"SELECT j.*, {', '.join(sums)} FROM {self.layer(self.judged(), 'j')}"
        return f"SELECT {', '.join([*keep, *taken])} FROM ({inner}) j"

    def masked(self) -> str:
        """failed and unknown as bit masks, money as sums."""
        size = len(self.criteria)
        failed = [f"CASE WHEN NOT k{i} THEN {1 << i} ELSE 0 END" for i in self.written]
        unknown = [f"CASE WHEN k{i} IS NULL THEN {1 << i} ELSE 0 END" for i in self.written]
        if self.excluding:
            failed.append("marked_failed")
            unknown.append("(marked_unknown & ~marked_failed)")
        sure, possible = (" + ".join(f"{kind}{item.index}" for item in self.plan.items) for kind in "sp")
        failed.append(f"CASE WHEN {possible} = 0 THEN {1 << size} ELSE 0 END")
        unknown.append(f"CASE WHEN {possible} > 0 AND {sure} = 0 THEN {1 << size} ELSE 0 END")
        if self.plan.places:
            unknown.append(f"CASE WHEN score IS NULL THEN {1 << size + 1} ELSE 0 END")
        kept = ["unit_id", "family_id", "region", "found"]
        kept += ["score", "persons"] if self.plan.places else []
        kept += [f"{kind}{item.index}" for item in self.plan.items for kind in "sp"]
        return (
            f"SELECT {', '.join(kept)}, CAST({' + '.join(failed)} AS BIGINT) AS failed, "
            f"CAST({' + '.join(unknown)} AS BIGINT) AS unknown FROM {self.layer(self.filled(), 'c')}"
        )

    def decided(self) -> str:
        """Money and counts, still narrow."""
        eligible = "found AND failed = 0 AND unknown = 0"
        money = [item for item in self.plan.items if item.price]
        amount, most = (
            " + ".join(f"CAST({item.price} AS BIGINT) * {kind}{item.index}" for item in money) or "0"
            for kind in "sp"
        )
        shown = [
            "unit_id", "family_id", "region", "found", "failed", "unknown",
            f"CASE WHEN {eligible} THEN {amount} ELSE 0 END AS amount",
            f"CASE WHEN {eligible} AND {amount} > {most} THEN {amount} "
            f"WHEN NOT found OR failed = 0 THEN {most} ELSE 0 END AS amount_most",
            *(f"CAST(CASE WHEN {eligible} THEN s{item.index} ELSE 0 END AS SMALLINT) AS c{item.index}"
              for item in self.plan.items),
            *(("score", "persons") if self.plan.places else ()),
        ]  # fmt: skip
        return f"SELECT {', '.join(shown)} FROM {self.layer(self.masked(), 'd')}"

    def statement(self, ordered: bool) -> str:
        outcome = (
            "CASE WHEN NOT found THEN 'not_found' WHEN failed <> 0 THEN 'not_eligible' "
            "WHEN unknown <> 0 THEN 'needs_data' ELSE 'eligible' END AS outcome"
        )
        as_they_are = ("unit_id", "family_id", "region", "failed", "unknown")
        shown = [
            outcome
            if name == "outcome"
            else name
            if name in as_they_are
            else f"CAST({name} AS BIGINT) AS {name}"
            for name in columns(self.plan)
        ]
        rows = self.decided() + (f" ORDER BY {order(self.plan)}" if ordered else "")
        select = f"SELECT {', '.join(shown)} FROM {self.layer(rows, 'e')}"
        return f"WITH {', '.join(self.layers)} {select}" if self.layers else select


def _leaves(node: Node) -> Iterator[Node]:
    """The facts and aggregates that a number is made of."""
    if isinstance(node, nodes.Fact | nodes.Aggregate):
        yield node
    else:
        for child in nodes.children(node):
            yield from _leaves(child)
