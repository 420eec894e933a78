"""A simulation read naively: every case decided on its own in a plain loop, and added up in plain dictionaries.

It shares the evaluator of single cases with the product and nothing of the simulation: kinds, reasons, ranks,
breakdowns and errors are written here a second time, from docs/simulate.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from salur.core.rules.cases import Case, Held
from salur.core.rules.evaluate import Decision, Evaluator
from salur.core.rules.plan import Plan

Numbers = tuple[int, int, int]  # units, rupiah before, rupiah after
PAID_BEFORE = ("more", "less", "other", "same", "loses")
PAID_AFTER = ("more", "less", "other", "same", "gains")


@dataclass
class Told:
    """What the loop counted: keys are plain texts and numbers."""

    moves: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    regions: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    broken: dict[str, dict[Any, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: [0, 0, 0]))
    )
    errors: dict[str, Counter[str]] = field(default_factory=lambda: {"before": Counter(), "after": Counter()})
    outcomes: dict[str, Counter[str]] = field(
        default_factory=lambda: {"before": Counter(), "after": Counter()}
    )


def part_of(family_id: int, of: int) -> int:
    """In which part of so many a family is, from 1."""
    step = family_id % 1_000_000_007 * 48_271 % 2_147_483_647
    return step * 69_621 % 2_147_483_647 % of + 1


def simulate(
    cases: Sequence[Case],
    new: Plan,
    old: Plan | None,
    *,
    truth: Mapping[int, int] | None = None,
    poor: int = 4,
    regencies: Sequence[str] | None = None,
    sample: tuple[int, int] | None = None,
    breakdowns: Sequence[str] = (),
    known: dict[Any, dict[int, dict[str, Any]]] | None = None,
) -> Told:
    """What a simulation must count. `known` keeps decisions from call to call, for the same cases."""
    if sample:
        cases = [case for case in cases if part_of(case.family_id, sample[1]) == sample[0]]
    told = Told()
    known = {} if known is None else known
    sides = []
    for plan in (new, old):
        key = plan and (plan.rulebook.sha256, plan.rulebook.catalogue.sha256, sample)
        if plan is not None and key not in known:
            known[key] = decided(cases, plan, sample)
        sides.append(known.get(key, {}))
    after, before = sides
    for case in cases:
        if regencies is not None and case.region not in regencies and case.region[:2] not in regencies:
            continue
        values = attributes(case, new.on)
        units = [m.person_id for m in case.members] if new.rulebook.unit == "person" else [case.family_id]
        for unit in units:
            d = after[unit]
            then = before.get(unit)
            was, had = ("none", 0) if then is None else (then["outcome"], then["amount"])
            sign = got(then, d, old, new)
            kind = kind_of(was, d["outcome"], sign)
            why = reasons(kind, then, d, old, new)
            numbers = (1, had, d["amount"])
            is_poor = truth is not None and truth[case.family_id] <= poor
            targets = [
                is_poor and side is not None and not fails_other(side, plan)
                for side, plan in ((then, old), (d, new))
            ]
            add(told.moves[was, d["outcome"], sign, why, is_poor, *targets], numbers)
            add(told.regions[case.region, kind], numbers)
            for name in breakdowns:
                add(told.broken[name][values[name], kind], numbers)
            for name, outcome, target, amount in (
                ("before", was, targets[0], had), ("after", d["outcome"], targets[1], d["amount"]),
            ):  # fmt: skip
                paid = outcome == "eligible"
                told.outcomes[name][outcome] += 1
                told.outcomes[name]["rupiah"] += amount
                told.errors[name].update(
                    targets=target, missed=target and not paid, receivers=paid, leaked=paid and not is_poor,
                    rupiah=amount, rupiah_leaked=amount if paid and not is_poor else 0,
                )  # fmt: skip
    return told


def add(cell: list[int], numbers: Numbers) -> None:
    for index, number in enumerate(numbers):
        cell[index] += number


# ---- decisions ---------------------------------------------------------------------------------------------------


def decided(cases: Sequence[Case], plan: Plan, sample: tuple[int, int] | None) -> dict[int, dict[str, Any]]:
    """Every unit, one case after the other, and then the places of each area."""
    evaluator = Evaluator(plan)
    found: dict[int, dict[str, Any]] = {}
    for case in cases:
        for person in [m.person_id for m in case.members] if plan.rulebook.unit == "person" else [None]:
            d: Decision = evaluator.decide(case, person)
            found[d.unit_id] = {
                "outcome": d.outcome, "amount": d.amount, "region": case.region, "score": d.score,
                "persons": d.persons, "failed": bits(d.failed, plan), "unknown": bits(d.unknown, plan),
                "counts": {item.id: n for item, n in zip(plan.items, d.counts, strict=True)},
            }  # fmt: skip
    if plan.places is None:
        return found
    areas: dict[str, list[int]] = defaultdict(list)
    for unit, d in found.items():
        if d["outcome"] == "eligible":
            areas[d["region"][: {"nation": 0, "province": 2, "regency": 5}[plan.places.by]]].append(unit)
    for area, units in areas.items():
        places = plan.places.of(area)
        assert places is not None
        if sample:
            places = int(places / sample[1] + 0.5)
        used = 0
        for unit in sorted(units, key=lambda unit: (found[unit]["score"], unit)):
            used += found[unit]["persons"]
            if used > places:
                found[unit] |= {
                    "outcome": "waiting",
                    "amount": 0,
                    "counts": dict.fromkeys(found[unit]["counts"], 0),
                }
    return found


def bits(mask: int, plan: Plan) -> set[str]:
    return {name for bit, name in enumerate(plan.rulebook.criterion_ids) if mask >> bit & 1}


def fails_other(d: dict[str, Any], plan: Plan | None) -> bool:
    """Whether a unit fails a criterion that reads neither the decile nor the score."""
    assert plan is not None
    written = {c.id: c.require for c in plan.rulebook.criteria}
    components = " ".join(c.condition for c in plan.rulebook.components)
    read = written | {"some_component": components}  # that a rank is not known fails nobody
    return any("decile" not in bare(read[n]) and "welfare_score" not in bare(read[n]) for n in d["failed"])


def bare(text: str) -> str:
    """A condition without its parameters, whose names may hold those of facts."""
    return text.replace("highest_decile", "").replace("lowest_decile", "")


# ---- movement ----------------------------------------------------------------------------------------------------


def got(then: dict[str, Any] | None, d: dict[str, Any], old: Plan | None, new: Plan) -> str:
    """What became of an amount, for units that are eligible both times."""
    if then is None or then["outcome"] != "eligible" or d["outcome"] != "eligible":
        return ""
    if d["amount"] != then["amount"]:
        return "more" if d["amount"] > then["amount"] else "less"
    return "other" if differing(then, d, old, new) else "same"


def differing(then: dict[str, Any], d: dict[str, Any], old: Plan | None, new: Plan) -> frozenset[str]:
    """Components of which a unit gets another number, or the same number of something worth another price."""
    assert old is not None

    def worth(plan: Plan) -> dict[str, tuple[int, str]]:
        return {item.id: (item.price, item.component.delivers) for item in plan.items}

    one, other = worth(old), worth(new)
    found = set()
    for name in one.keys() | other.keys():
        a, b = then["counts"].get(name, 0), d["counts"].get(name, 0)
        if a != b or (a and one[name] != other[name]):
            found.add(name)
    return frozenset(found)


def kind_of(was: str, now: str, sign: str) -> str:
    if was == now == "eligible":
        return sign
    if now == "eligible":
        return "gains"
    if was == "eligible":
        return "loses"
    if was == now or (was == "none" and now not in ("waiting", "needs_data")):
        return "unchanged"
    return {"waiting": "to_waiting", "needs_data": "to_needs_data"}.get(now, "settled")


def reasons(
    kind: str, then: dict[str, Any] | None, d: dict[str, Any], old: Plan | None, new: Plan
) -> frozenset[str]:
    if then is None or kind in ("same", "unchanged"):
        return frozenset()
    if kind in ("more", "less", "other"):
        return frozenset(f"component:{name}" for name in differing(then, d, old, new))

    def answer(side: dict[str, Any], name: str) -> str:
        return "no" if name in side["failed"] else "?" if name in side["unknown"] else "yes"

    assert old is not None
    every = {*old.rulebook.criterion_ids, *new.rulebook.criterion_ids}
    found = {f"criterion:{name}" for name in every if answer(then, name) != answer(d, name)}
    if {then["outcome"], d["outcome"]} == {"eligible", "waiting"}:
        found.add("places")
    return frozenset(found)


# ---- breakdowns --------------------------------------------------------------------------------------------------


def attributes(case: Case, on: date) -> dict[str, str]:
    """The values of a family as they are written in a published table, "unknown" where they are not known."""

    def plain(facts: Mapping[str, Any], name: str) -> Any:
        value = facts.get(name)
        return value.value if isinstance(value, Held) else value

    decile, urban = plain(case.facts, "decile"), plain(case.facts, "urban")
    size = plain(case.facts, "family_size") or (len(case.members) if case.members_known else None)
    heads = [
        m for m in sorted(case.members, key=lambda m: m.person_id) if plain(m.facts, "relation") == "head"
    ]
    sexes = [s for head in heads if (s := plain(head.facts, "sex"))]
    births = [b for head in heads if (b := plain(head.facts, "birth_date"))]
    age = None
    if births:
        years = on.year - births[0].year - ((on.month, on.day) < (births[0].month, births[0].day))
        age = sum(years >= least for least in (0, 25, 35, 45, 60, 70))
        age = max(age, 1)
    has = [plain(m.facts, "severe_disability") for m in case.members]
    disability = None
    if True in has:
        disability = 1
    elif has and case.members_known and None not in has:
        disability = 2

    def code(value: int | None) -> str:
        return "99" if not value else f"{value:02}"

    return {
        "decile": code(decile),
        "residence": code(None if urban is None else 1 if urban else 2),
        "size": code(min(size, 7) if size else None),
        "head_sex": code({"female": 1, "male": 2}[sexes[0]] if sexes else None),
        "head_age": code(age),
        "disability": code(disability),
    }
