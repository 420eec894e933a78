"""Faults planted on purpose: with each of them the engines must disagree with the naive reading.

A fault changes the SQL text, the evaluator, or what both share. If one goes unseen, the sample in
`rich_sample.py` (or the comparison) has a hole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.core.rules import rich_sample
from tests.core.rules.agreement import Judge

from salur.core.faults import InputError
from salur.core.rules import cases, decide, engines, evaluate, nodes, parse, places, plan, rulebook, sql
from salur.core.rules.nodes import Compare, Literal, Node

Patch = pytest.MonkeyPatch
Writer = sql._Writer


@dataclass(frozen=True)
class Planted:
    """`engines`: the roads beside "case by case"; `first`: the setting of the sample that is tried first."""

    name: str
    plant: Callable[[Patch], None]
    engines: tuple[str, ...] = ("duckdb",)
    first: int = 0


FAULTS: list[Planted] = []


def planted(name: str, *, first: int = 0, engines: tuple[str, ...] = ("duckdb",)) -> Callable[..., Any]:
    def keep(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        FAULTS.append(Planted(name, plant, engines, first))
        return plant

    return keep


def in_sql(name: str, *changes: tuple[str, str], first: int = 0, part: str = "statement") -> None:
    """A fault in the SQL text: (pattern, instead) in the whole statement, or in what one method of the writer gives."""

    def plant(patch: Patch) -> None:
        original = getattr(Writer, part)

        def changed(self: Any, *arguments: Any) -> str:
            text: str = original(self, *arguments)
            for pattern, instead in changes:
                text = re.sub(pattern, instead, text)
            return text

        patch.setattr(Writer, part, changed)

    FAULTS.append(Planted(name, plant, ("duckdb",), first))


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> list[Judge]:
    return [Judge(setting, tmp_path_factory.mktemp("sample")) for setting in rich_sample.settings()]


def test_the_sample_agrees_where_nothing_is_planted(judges: list[Judge]) -> None:
    assert [found for judge in judges for found in judge.differences(("duckdb", "python"))] == []


# ---- unknown is never no and never yes -----------------------------------------------------------------------

in_sql(
    "SQL: an unknown criterion is no",
    (r"CASE WHEN NOT (k\d+) THEN", r"CASE WHEN NOT COALESCE(\1, FALSE) THEN"),
)
in_sql(
    "SQL: an unknown criterion is passed over", (r"CASE WHEN k\d+ IS NULL THEN \d+", "CASE WHEN FALSE THEN 0")
)
in_sql(
    "SQL: any() skips the unknown",
    (r"WHEN (t\d+ THEN \d+) WHEN t\d+ IS NULL THEN \d+", r"WHEN \1"),
)
in_sql(
    "SQL: all() skips the unknown",
    (r"WHEN (NOT t\d+ THEN \d+) WHEN t\d+ IS NULL THEN \d+", r"WHEN \1"),
)
in_sql(
    "SQL: a criterion that a member fails may be unknown too",
    (r"\(marked_unknown & ~marked_failed\)", "marked_unknown"),
)
in_sql(
    "SQL: a condition that many share is no where it is unknown",
    (r"WHEN t\d+ IS NULL THEN CASE WHEN NOT", "WHEN FALSE THEN CASE WHEN NOT"),
    first=8,
)
in_sql(
    "SQL: what else is asked counts under an unknown condition",
    (r"CASE WHEN NOT t\d+ THEN 0 ELSE (\d+) END", r"\1"),
    first=8,
)
in_sql("SQL: count() and sum() skip the unknown", (r"a\.u\d+ = 1", "FALSE"))
in_sql(
    "SQL: count() takes the unknown as one more",
    (r"a\.u\d+ = 1", "FALSE"),
    (
        r"COUNT\(CASE WHEN (t\d+) THEN 1 END\) AS BIGINT",
        r"COUNT(CASE WHEN COALESCE(\1, TRUE) THEN 1 END) AS BIGINT",
    ),
)
in_sql(
    "SQL: min() and max() skip the unknown, as DuckDB's own do",
    (r"^\(CASE WHEN .* THEN NULL ELSE (.*) END\)$", r"\1"),
    part="extreme",
)
in_sql("SQL: in [...] of an unknown is no", (r"\((f_\w+ IN \([^()]*\))\)", r"COALESCE(\1, FALSE)"))
in_sql("SQL: != of an unknown is yes", (" <> ('own')", r" IS DISTINCT FROM \1"))
in_sql(
    "SQL: a possible component is a certain one",
    (r"CASE WHEN (\(f_poor AND g0\)) THEN 1 ELSE 0 END AS s4", r"CASE WHEN NOT \1 THEN 0 ELSE 1 END AS s4"),
    first=2,
)
in_sql(
    "SQL: some_component is true where one is only possible",
    (r"CASE WHEN [ps\d +]+ > 0 AND [ps\d +]+ = 0 THEN \d+", "CASE WHEN FALSE THEN 0"),
    first=6,
)
in_sql(
    "SQL: some_component is never false",
    (r"CASE WHEN ([ps\d +]+) = 0 THEN \d+", "CASE WHEN FALSE THEN 0"),
    first=6,
)
in_sql(
    "SQL: a unit without rank is a candidate",
    (r"CASE WHEN score IS NULL THEN \d+", "CASE WHEN FALSE THEN 0"),
    first=8,
)
in_sql("SQL: not_found is a refusal", ("'not_found'", "'not_eligible'"))


@planted("Python: an unknown is no")
def _(patch: Patch) -> None:
    original = evaluate.Evaluator.__init__

    def init(self: Any, plan: plan.Plan) -> None:
        original(self, plan)
        self.criteria = [lambda f, m, ms, test=test: bool(test(f, m, ms)) for test in self.criteria]

    patch.setattr(evaluate.Evaluator, "__init__", init)


def _facts(change: Callable[[Any], Any], phantom: bool = True) -> Callable[..., Any]:
    original = evaluate.Evaluator.facts

    def facts(self: Any, case: cases.Case) -> Any:
        family, members = original(self, case)
        kept = members if phantom or case.members_known else members[:-1]
        return change(family), [change(member) for member in kept]

    return facts


@planted("Python: not of an unknown is yes")
def _(patch: Patch) -> None:
    original = evaluate.function

    def function(node: Node) -> Any:
        if isinstance(node, nodes.Not):
            inner = function(node.part)
            return lambda f, m, ms: not inner(f, m, ms)
        return original(node)

    patch.setattr(evaluate, "function", function)


@planted("Python: not_found is a refusal")
def _(patch: Patch) -> None:
    original = evaluate.Evaluator.outcome

    def outcome(self: Any, case: cases.Case, failed: int, unknown: int) -> str:
        return str(original(self, case, failed, unknown)).replace("not_found", "not_eligible")

    patch.setattr(evaluate.Evaluator, "outcome", outcome)


@planted("Python: the masks of not_found are left empty")
def _(patch: Patch) -> None:
    original = evaluate.Evaluator.decision

    def decision(
        self: Any, case: cases.Case, unit: int, outcome: str, failed: int, unknown: int, *rest: Any
    ) -> Any:
        if outcome == evaluate.NOT_FOUND:
            failed = unknown = 0
        return original(self, case, unit, outcome, failed, unknown, *rest)

    patch.setattr(evaluate.Evaluator, "decision", decision)


# ---- the text ------------------------------------------------------------------------------------------------


@planted("SQL: not without its brackets")
def _(patch: Patch) -> None:
    original = Writer.sql

    def changed(self: Any, node: Node) -> str:
        text = original(self, node)
        return f"(NOT {text[6:-2]})" if text.startswith("(NOT (") and text.endswith("))") else text

    patch.setattr(Writer, "sql", changed)


in_sql("SQL: < instead of <=", (" <= ", " < "))
in_sql("SQL: or instead of and", (r"\((f_poor) AND ", r"(\1 OR "))


@planted("a chain of comparisons is its first")
def _(patch: Patch) -> None:
    original = parse._Reader.chain
    patch.setattr(parse._Reader, "chain", lambda self, operands, ops: original(self, operands[:2], ops[:1]))


@planted("not in is in")
def _(patch: Patch) -> None:
    original = parse._Reader.comparison

    def comparison(self: Any, left: Any, operator: Any, right: Any) -> Node:
        node = original(self, left, operator, right)
        return node.part if isinstance(node, nodes.Not) and isinstance(node.part, nodes.Among) else node

    patch.setattr(parse._Reader, "comparison", comparison)


# ---- age -----------------------------------------------------------------------------------------------------


@planted("born on the birthday: < for <=")
def _(patch: Patch) -> None:
    original = nodes.bound_age

    def strict(node: nodes.Age, on: date) -> Node:
        def change(part: Node) -> Node:
            return Compare("<", part.left, part.right) if isinstance(part, Compare) else part

        return nodes.rebuild(original(node, on), change)

    patch.setattr(nodes, "bound_age", strict)


@planted("older than n is n or older")
def _(patch: Patch) -> None:
    original = nodes.bound_age
    swap = {">": ">=", "<=": "<"}
    patch.setattr(
        nodes, "bound_age", lambda node, on: original(replace(node, op=swap.get(node.op, node.op)), on)
    )


@planted("29 February becomes 1 March", first=1)
def _(patch: Patch) -> None:
    original = nodes.shift_months

    def shift(day: date, months: int) -> date:
        moved = original(day, months)
        return moved if moved.day == day.day else moved + timedelta(days=1)

    patch.setattr(nodes, "shift_months", shift)


@planted("a month has 30 days")
def _(patch: Patch) -> None:
    patch.setattr(nodes, "shift_months", lambda day, months: day + timedelta(days=30 * months))


# ---- staleness, parameters -----------------------------------------------------------------------------------


def _oldest(change: Callable[[date], date | None]) -> Callable[..., date | None]:
    original = cases.oldest

    def oldest(fact: Any, on: date) -> date | None:
        day = original(fact, on)
        return None if day is None else change(day)

    return oldest


for where, module in (("SQL", sql), ("Python", evaluate)):
    for what, change in (
        ("ignored", lambda day: None),
        ("a day too late", lambda day: day - timedelta(days=1)),
        ("a day too early", lambda day: day + timedelta(days=1)),
    ):
        FAULTS.append(
            Planted(
                f"{where}: staleness {what}",
                lambda patch, module=module, change=change: patch.setattr(module, "oldest", _oldest(change)),  # type: ignore[misc]
            )
        )
in_sql(
    "SQL: a column that is stale as a whole counts",
    (r"CAST\(NULL AS BIGINT\) AS f_rooms", "f.rooms AS f_rooms"),
    first=1,
)


@planted("a parameter counts from the day after")
def _(patch: Patch) -> None:
    original = rulebook.Parameter.at
    patch.setattr(rulebook.Parameter, "at", lambda self, on: original(self, on - timedelta(days=1)))


@planted("a parameter's first value counts for ever")
def _(patch: Patch) -> None:
    patch.setattr(rulebook.Parameter, "at", lambda self, on: self.values[0])


# ---- members -------------------------------------------------------------------------------------------------

in_sql("SQL: the member of whom nothing is known is forgotten", (r"NOT f\.members_known", "FALSE"))
in_sql(
    "SQL: families without members are lost",
    (r"LEFT JOIN \(SELECT family_id", "JOIN (SELECT family_id"),
    first=4,
)
in_sql("SQL: all() of nobody is no", ("ELSE TRUE END", "ELSE a.family_id IS NOT NULL END"), part="resolved")
in_sql(
    "SQL: criteria that members fail fail of nobody", (r"COALESCE\(a\.q(\d), 0\)", r"COALESCE(a.q\1, 1023)")
)
in_sql(
    "SQL: the member of whom nothing is known fails no criterion",
    (r"CASE WHEN f\.members_known THEN 0 ELSE \d+ END", "0"),
    part="marked",
)


@planted("Python: the member of whom nothing is known is forgotten")
def _(patch: Patch) -> None:
    patch.setattr(evaluate.Evaluator, "facts", _facts(lambda values: values, phantom=False))


@planted("SQL: the family's facts are unknown of the member of whom nothing is known")
def _(patch: Patch) -> None:
    def of_nobody(node: Node) -> Node:
        forget = lambda part: Literal(None) if isinstance(part, nodes.Fact) else part  # noqa: E731
        return sql.simplify(nodes.rebuild(node, forget))

    patch.setattr(sql, "of_nobody", of_nobody)


@planted("Python: inside any() stands the person that is decided", first=7)
def _(patch: Patch) -> None:
    original = evaluate._aggregate

    def aggregate(kind: str, part: Node) -> Any:
        inner = evaluate.function(part)
        if kind != "any":
            return original(kind, part)
        return lambda f, m, ms: inner(f, m, ms) if m else original(kind, part)(f, m, ms)

    patch.setattr(evaluate, "_aggregate", aggregate)


# ---- components ----------------------------------------------------------------------------------------------


@planted("price ties by the reverse order of the file", first=2)
def _(patch: Patch) -> None:
    def reverse(self: plan.Plan) -> tuple[plan.Item, ...]:
        return tuple(sorted(self.items, key=lambda item: (-item.price, -item.index)))

    patch.setattr(plan.Plan, "dearest_first", property(reverse))


class _Cheapest:
    """A plan whose slots are filled cheapest first."""

    def __init__(self, of: plan.Plan) -> None:
        self.of = of

    def __getattr__(self, name: str) -> Any:
        return self.of.dearest_first[::-1] if name == "dearest_first" else getattr(self.of, name)


@planted("SQL: a count runs over into the next field", first=3)
def _(patch: Patch) -> None:
    patch.setattr(sql, "COUNT_BITS", 2)


@planted("SQL: marks that fill a word begin it anew", first=8)
def _(patch: Patch) -> None:
    def mark(self: Any, node: nodes.Aggregate) -> tuple[int, int, int]:
        bit = self.marks[node] % sql.MARKS
        return 0, 1 << bit, 1 << sql.MARKS + bit

    patch.setattr(Writer, "mark", mark)


@planted("SQL: the slots are filled cheapest first", first=2)
def _(patch: Patch) -> None:
    original = Writer.filled

    def filled(self: Any) -> str:
        of, self.plan = self.plan, _Cheapest(self.plan)
        text = original(self)
        self.plan = of
        return text

    patch.setattr(Writer, "filled", filled)


@planted("SQL: the slots are not limited", first=2)
def _(patch: Patch) -> None:
    patch.setattr(Writer, "filled", Writer.judged)


@planted("SQL: a component is not cut to its most", first=2)
def _(patch: Patch) -> None:
    original = Writer.judged

    def judged(self: Any) -> str:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(Writer, "least", staticmethod(lambda column, most: column))
            return original(self)

    patch.setattr(Writer, "judged", judged)


@planted("SQL: each member takes the cheapest component", first=2)
def _(patch: Patch) -> None:
    original = Writer.chosen

    def chosen(self: Any) -> str:
        self.eaches.reverse()
        text = original(self)
        self.eaches.reverse()
        return text

    patch.setattr(Writer, "chosen", chosen)


@planted("SQL: a member takes every component", first=2)
def _(patch: Patch) -> None:
    original = Writer.__init__

    def init(self: Any, plan: plan.Plan, *rest: Any) -> None:
        original(self, replace(plan, one_per_member=False), *rest)

    patch.setattr(Writer, "__init__", init)


@planted("Python: who is cut from a component takes the next", first=2)
def _(patch: Patch) -> None:
    def assign(self: Any, family: Any, own: Any, members: Any) -> Any:
        """As it should be, but a full component is passed over."""
        both = []
        for enough in ((True,), (True, None)):
            taken: list[list[int]] = [[] for _ in self.plan.items]
            for position, member in enumerate(members):
                for item, test in self.dearest:
                    full = len(taken[item.index]) >= item.most
                    if item.kind == "each" and not full and test(family, member, members) in enough:
                        taken[item.index].append(position)
                        if self.plan.one_per_member:
                            break
            slots = self.plan.slots
            for item, test in self.dearest:
                if item.kind != "each" and (test is None or test(family, own, members) in enough):
                    taken[item.index] = [-1]
                taken[item.index] = taken[item.index][: min(item.most, slots)]
                slots -= len(taken[item.index])
            both.append(taken)
        return both

    patch.setattr(evaluate.Evaluator, "assign", assign)


in_sql(
    "SQL: money where data are needed",
    (r"found AND failed = 0 AND unknown = 0 THEN", "found AND failed = 0 THEN"),
    first=3,
)
in_sql(
    "SQL: amount_most counts only what is certain",
    (r"WHEN NOT found OR failed = 0 THEN [^E]* ELSE 0", "WHEN FALSE THEN 0 ELSE 0"),
    first=3,
)


# ---- places --------------------------------------------------------------------------------------------------


def _a_place_less(original: Any) -> Any:
    def add(self: Any, ranks: Any) -> None:
        self.places -= 1
        original(self, ranks)
        self.places += 1

    return add


def _ranks(old: str, new: str) -> Callable[[Patch], None]:
    assert old in engines.RANKS
    return lambda patch: patch.setattr(engines, "RANKS", engines.RANKS.replace(old, new))


DATABASE = ("sqlite",)  # which ranks by RANKS
FAULTS += [
    Planted("rank ties by the greatest id", _ranks("score, unit_id", "score, unit_id DESC"), DATABASE, first=5),
    Planted("ranks from the greatest score", _ranks("score, unit_id", "score DESC, unit_id"), DATABASE, first=5),
    Planted("ranks over all areas", _ranks("PARTITION BY area ORDER BY score, unit_id)", "ORDER BY score, unit_id)"),
            DATABASE, first=5),
    Planted("who does not fit is served", _ranks("PRECEDING)", "PRECEDING) - persons"), DATABASE, first=4),
    Planted("the last who fits waits", _ranks("SUM(persons) OVER", "1 + SUM(persons) OVER"), DATABASE, first=5),
]  # fmt: skip


def _candidates(change: Callable[[Any], Any]) -> Callable[[Patch], None]:
    """A fault in the candidates that DuckDB ranks, area by area."""
    original = engines._placed

    def placed(batches: Any) -> Any:
        table = pa.Table.from_batches(list(batches), engines.CANDIDATES)
        changed = change(
            table.set_column(1, "area", table["area"].cast(pa.string()))
        )  # dictionaries have no order
        return original(map(engines.with_areas, changed.combine_chunks().to_batches()))

    return lambda patch: patch.setattr(engines, "_placed", placed)


def _sorted(**keys: str) -> Callable[[Any], Any]:
    return lambda table: table.sort_by(list(keys.items()))


def _with(name: str, value: Any) -> Callable[[Any], Any]:
    return lambda table: table.set_column(table.column_names.index(name), name, [[value] * table.num_rows])


UP, DOWN = "ascending", "descending"
FAULTS += [
    Planted("DuckDB: ties by the greatest id", _candidates(_sorted(area=UP, score=UP, unit_id=DOWN)), first=5),
    Planted("DuckDB: from the greatest score", _candidates(_sorted(area=UP, score=DOWN, unit_id=UP)), first=5),
    Planted("DuckDB: a person counts twice", _candidates(_with("persons", 2)), first=5),
    Planted("DuckDB: all in one area", lambda patch: patch.setattr(
        engines, "runs", lambda areas: (["x"], engines.np.array([0]))), first=5),
    Planted("the last who fits does not", lambda patch: patch.setattr(
        places._End, "add", _a_place_less(places._End.add)), first=5),
]  # fmt: skip


@planted("a smaller family is served after one that did not fit", first=4, engines=("python",))
def _(patch: Patch) -> None:
    original = engines.Python.rank

    def rank(self: Any, candidates: Path, target: Path) -> None:
        self.read_all = self.read
        original(self, candidates, target)

    def write_ranks(self: Any, rows: Any, target: Path) -> None:
        taken: dict[str, int] = {}
        changed = []
        before: dict[str, int] = {}
        for unit, area, score, place, used in rows:
            size = used - before.get(area, 0)
            before[area] = used
            fits = taken.get(area, 0) + size <= 4
            taken[area] = taken.get(area, 0) + (size if fits else 0)
            changed.append((unit, area, score, place, taken[area] if fits else 5))
        write(self, changed, target)

    write = engines.Python.write_ranks
    patch.setattr(engines.Python, "rank", rank)
    patch.setattr(engines.Python, "write_ranks", write_ranks)


@planted("families are counted instead of persons", first=4)
def _(patch: Patch) -> None:
    original = Writer.__init__

    def init(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        self.counts_persons = False

    patch.setattr(Writer, "__init__", init)


def _waits(pattern: str, instead: str) -> Callable[[Patch], None]:
    original = places.late

    def late(*arguments: Any) -> str:
        return re.sub(pattern, instead, original(*arguments))

    return lambda patch: patch.setattr(places, "late", late)


FAULTS += [
    Planted("the cut-off: all of the same score are served", _waits(r" OR \(score = [^)]*\)", ""), first=5),
    Planted("the cut-off: the last who was served waits", _waits("unit_id > ", "unit_id >= "), first=5),
    Planted("an area without places serves everybody", _waits("THEN TRUE", "THEN FALSE"),
            first=5),
]  # fmt: skip


@planted("Python: the cut-off: the last who was served waits", first=5)
def _(patch: Patch) -> None:
    def admits(self: evaluate.Cutoff, score: int, unit_id: int) -> bool:
        if self.closed:
            return False
        return self.score is None or self.unit_id is None or (score, unit_id) < (self.score, self.unit_id)

    patch.setattr(evaluate.Cutoff, "admits", admits)


@planted("who waits keeps the money", first=5)
def _(patch: Patch) -> None:
    original = decide.copy

    def copy(connection: Any, queries: Any, target: Path, **more: Any) -> None:
        texts = [queries] if isinstance(queries, str) else queries
        changed = [re.sub(r" THEN 0 ELSE (\w+) END", r" THEN \1 ELSE \1 END", text) for text in texts]
        original(connection, changed, target, **more)

    patch.setattr(decide, "copy", copy)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_seen(
    fault: Planted, judges: list[Judge], monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.plant(monkeypatch)
    order = [judges[fault.first], *(judge for judge in judges if judge is not judges[fault.first])]
    assert any(_noticed(judge, fault) for judge in order), "nobody would have noticed"


def _noticed(judge: Judge, fault: Planted) -> bool:
    try:
        return bool(judge.differences(fault.engines))
    except InputError:  # an engine refuses it
        return True
