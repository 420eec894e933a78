"""SQL that compares the decisions of two rulebooks unit by unit, and counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from salur.core.rules import nodes
from salur.core.rules.evaluate import ELIGIBLE
from salur.core.rules.plan import Plan
from salur.core.rules.simulate import moves

WELFARE = frozenset(("decile", "welfare_score"))  # the facts that the truth corrects
_ELIGIBLE = moves.OUTCOMES.index(ELIGIBLE)


@dataclass(frozen=True)
class Pair:
    """The new rulebook and the one before it. poor: who is poor in truth: the deciles 1 to this."""

    new: Plan
    old: Plan | None
    poor: int

    def counts(self, joined: str) -> str:
        """SQL: the three tables of cells, from what was compared (c) and the attributes (a)."""
        known = truth(f"a.true_decile BETWEEN 1 AND {self.poor}")
        return f"""
            SELECT region, packed, kind, move, r1, r2, truth, count(*) AS units, sum(o) AS o, sum(n) AS n
            FROM (SELECT a.region, a.packed, c.kind, c.move, c.r1, c.r2, {known} AS truth, c.o, c.n FROM {joined})
            GROUP BY GROUPING SETS ((move, r1, r2, truth), (region, kind), (packed, kind))"""

    def compared(self, after: str, before: str | None = None) -> str:
        """SQL: each unit with its move, the rupiah before (o) and after (n), what moved it (r1, r2), and whether it
        fails nothing but what the truth corrects (targets: 2 before, 1 after)."""
        if before is not None:
            joined = f"({before}) o JOIN ({after}) n ON n.unit_id = o.unit_id"
        else:
            none = moves.OUTCOMES.index(moves.NO_RULEBOOK)
            nothing = f"SELECT {none} AS outcome, 0 AS failed, 0 AS unknown, 0 AS amount"
            joined = f"({nothing}) o CROSS JOIN ({after}) n"
        criteria, dropped = self._criteria()
        more, gone = self._components()
        both = f"(o.outcome = {_ELIGIBLE} AND n.outcome = {_ELIGIBLE})"
        sign = (
            f"CASE WHEN n.amount > o.amount THEN {moves.MORE} WHEN n.amount < o.amount THEN {moves.LESS} "
            f"WHEN ({more}) <> 0 OR ({gone}) <> 0 THEN {moves.OTHER} ELSE {moves.SAME} END"
        )
        move = moves.packed("o.outcome", "n.outcome", f"CASE WHEN {both} THEN {sign} ELSE 0 END")
        targets = [
            f"CASE WHEN ({side}.failed & {_others(plan)}) = 0 THEN {bit} ELSE 0 END"
            for side, plan, bit in (("o", self.old, 2), ("n", self.new, 1))
            if plan is not None
        ]
        why = [
            f"CAST(CASE WHEN {both} THEN {components} WHEN o.outcome <> n.outcome THEN {others} ELSE 0 END AS BIGINT)"
            for components, others in ((more, criteria), (gone, dropped))
        ]
        rows = f"""
            SELECT n.unit_id, n.family_id, o.amount AS o, n.amount AS n, CAST({move} AS SMALLINT) AS move,
                {why[0]} AS r1, {why[1]} AS r2, CAST({" + ".join(targets)} AS TINYINT) AS targets
            FROM {joined}"""
        return f"SELECT *, {moves.kind('move')} AS kind FROM ({rows})"

    def _criteria(self) -> tuple[str, str]:
        """SQL: bits of the new criteria whose answer changed, and of old ones that stood in the way and are gone."""
        if self.old is None:
            return "0", "0"
        now, then = self.new.rulebook.criterion_ids, self.old.rulebook.criterion_ids
        offsets: dict[int, int] = {}
        gone = 0
        for index, name in enumerate(then):
            if name in now:
                shift = now.index(name) - index
                offsets[shift] = offsets.get(shift, 0) | 1 << index
            else:
                gone |= 1 << index

        def moved(mask: str) -> str:
            parts = [
                f"((o.{mask} & {bits}) {'<<' if shift >= 0 else '>>'} {abs(shift)})"
                for shift, bits in offsets.items()
            ]
            return "(" + (" | ".join(parts) or "0") + ")"

        changed = " | ".join(
            f"xor(n.{mask}, CAST({moved(mask)} AS BIGINT))" for mask in ("failed", "unknown")
        )
        return f"({changed})", f"((o.failed | o.unknown) & {gone})"

    def _components(self) -> tuple[str, str]:
        """SQL: bits of the new components of which a unit gets more or less, and of the old ones that it loses."""
        if self.old is None:
            return "0", "0"
        then = {item.id: item for item in self.old.items}
        changed, gone = [], []
        for item in self.new.items:
            before = then.pop(item.id, None)
            if before is None:
                differs = f"n.c{item.index} > 0"
            elif (before.price, before.component.delivers) == (item.price, item.component.delivers):
                differs = f"n.c{item.index} <> o.c{before.index}"
            else:
                differs = f"n.c{item.index} + o.c{before.index} > 0"
            changed.append(f"CASE WHEN {differs} THEN {1 << item.index} ELSE 0 END")
        gone = [f"CASE WHEN o.c{item.index} > 0 THEN {1 << item.index} ELSE 0 END" for item in then.values()]
        return "(" + (" + ".join(changed) or "0") + ")", "(" + (" + ".join(gone) or "0") + ")"


def truth(poor: str) -> str:
    """SQL of what `cells.Truth` is read from: whether a unit is poor, and its targets in what was compared (c)."""
    return f"CASE WHEN {poor} THEN 4 + c.targets ELSE 0 END"


def coded(rows: str, counts: Sequence[str]) -> str:
    """SQL: decisions with their outcomes as codes."""
    shown = f"unit_id, family_id, {moves.code('outcome')} AS outcome, failed, unknown, amount"
    return f"SELECT {', '.join([shown, *counts])} FROM {rows}"


def _others(plan: Plan) -> int:
    """The bits of the criteria that say nothing of welfare."""
    trees = [(1 << bit, [tree]) for bit, tree in enumerate(plan.criteria)]
    trees.append((1 << len(plan.criteria), [item.tree for item in plan.items if item.tree is not None]))
    return sum(
        bit
        for bit, nodes_ in trees
        if not any(fact.name in WELFARE for n in nodes_ for fact in nodes.facts(n))
    )
