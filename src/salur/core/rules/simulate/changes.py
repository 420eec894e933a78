"""What differs between two rulebooks of one programme, and what a changed parameter touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from salur.core.rules import nodes
from salur.core.rules.plan import NO_LIMIT, Item, Plan


@dataclass(frozen=True)
class Change:
    """One difference. `kind`: parameter, criterion, component, limits or quota; None: it was not there, or is gone.

    touches: for a parameter, the criteria and components that read it.
    """

    kind: str
    name: str
    before: str | None
    after: str | None
    touches: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        return {"kind": self.kind, "name": self.name, "before": self.before, "after": self.after,
                "touches": list(self.touches)}  # fmt: skip


def changes(new: Plan, old: Plan) -> tuple[Change, ...]:
    """Every difference that can change a decision on the reference date, in the order of the new file."""
    return tuple(
        change
        for change in (
            *_parameters(new, old),
            *_pairs("criterion", _criteria(new), _criteria(old)),
            *_pairs("component", _components(new), _components(old)),
            *_pairs("limits", _limits(new), _limits(old)),
            *_pairs("quota", _quota(new), _quota(old)),
        )
        if change.before != change.after
    )


def _pairs(kind: str, after: dict[str, str], before: dict[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys([*after, *before]):
        yield Change(kind, name, before.get(name), after.get(name))


def _parameters(new: Plan, old: Plan) -> Iterator[Change]:
    for name in dict.fromkeys([*new.parameters, *old.parameters]):
        before, after = (None if name not in p.parameters else str(p.parameters[name]) for p in (old, new))
        yield Change(
            "parameter", name, before, after, tuple(dict.fromkeys([*_reads(new, name), *_reads(old, name)]))
        )


def _reads(plan: Plan, parameter: str) -> Iterator[str]:
    """What reads a parameter: criterion:ID, component:ID, limits, quota."""
    book = plan.rulebook

    def inside(trees: Iterable[nodes.Node | None]) -> bool:
        return any(
            isinstance(node, nodes.Parameter) and node.name == parameter
            for tree in trees
            if tree is not None
            for node in nodes.walk(tree)
        )

    for criterion in book.criteria:
        if inside([criterion.tree]):
            yield f"criterion:{criterion.id}"
    for component in book.components:
        if inside([component.tree]) or parameter in (component.amount, component.most):
            yield f"component:{component.id}"
    if book.slots == parameter:
        yield "limits"
    if book.quota is not None and book.quota.places == parameter:
        yield "quota"


def _criteria(plan: Plan) -> dict[str, str]:
    return {criterion.id: " ".join(criterion.require.split()) for criterion in plan.rulebook.criteria}


def _components(plan: Plan) -> dict[str, str]:
    return {item.id: _component(item) for item in plan.items}


def _component(item: Item) -> str:
    own = item.component
    parts = [f"{item.kind} {' '.join(own.condition.split())}".strip(), own.delivers]
    if own.amount is not None:
        parts.append(own.amount)
    if own.most is not None:
        parts.append(f"most {own.most}")
    return ", ".join(parts)


def _limits(plan: Plan) -> dict[str, str]:
    found = {"one_per_member": str(plan.one_per_member).lower()}
    if plan.slots != NO_LIMIT:
        found["components"] = str(plan.rulebook.slots)
    return found


def _quota(plan: Plan) -> dict[str, str]:
    quota = plan.rulebook.quota
    if quota is None:
        return {}
    found = {"by": quota.by, "counts": quota.counts, "rank": quota.rank}
    if isinstance(quota.places, str):
        return found | {"places": quota.places}
    return found | {f"places {area}".strip(): str(number) for area, number in quota.places.items()}
