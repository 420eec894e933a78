"""What is told to a family of one programme in one period: the outcome first, then why, and what can be done.

A citizen reads what was decreed. Before that an outcome is a draft that reviewers may still put right: shown, it would
be taken for a promise or a refusal, and its reasons would give it away. So until the decree the page says only that
the decision is being checked, and what a family should bring is asked of it through its case. From the decree on
nothing is hidden: every version, also one that was replaced before the decree, stands there with its cause, and the
reasons of the one that counts are worked out anew from the stored case by the rulebook of its cycle. They must come to
the stored outcome and amount; otherwise no page is made, for reasons that belong to another outcome are worse than
none.

Whoever objects has 21 working days from the decree (Law 30 of 2014, article 77, as the notes have it; nobody has
compared it with the text yet, and the page says so).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter

from salur.cases.clock import Span, due, shipped
from salur.core import rules
from salur.core.faults import InputError
from salur.core.population.catalogue import Value
from salur.core.rules.aloud import Words, needed, to_do
from salur.core.rules.changes import FAMILY, Key
from salur.core.rules.evaluate import WAITING, Cutoff
from salur.core.rules.explain import Explanation, Reason, UsedFact
from salur.programmes import books, periods
from salur.programmes.bodies import unpacked
from salur.programmes.selectors import FamilyDecision

OBJECTION = Span(working_days=21)
BIRTH = "birth_date"


@dataclass(frozen=True, slots=True)
class Told:
    """One reason (met ones on the same facts and law stand together): the sentences, the facts that they rest on
    with source and date, the law, what would be needed."""

    outcome: bool | None
    says: list[str]
    facts: list[str]
    needed: list[str]
    law: str


@dataclass(frozen=True, slots=True)
class Got:
    """One thing that is delivered."""

    title: str
    count: int
    price: int | None  # whole rupiah, for money
    measure: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The family, or one person of it in a programme for persons."""

    member: int | None  # its number among the members
    born: date | None
    current: FamilyDecision | None  # the newest that was decreed
    waits: bool  # a newer one is not decreed yet
    versions: list[FamilyDecision]  # decreed, the newest first
    amount_most: int
    money: bool
    got: list[Got]
    reasons: list[Told]
    to_do: list[str]
    until: date | None  # to object; None: the holidays of that year are not known


@dataclass(frozen=True, slots=True)
class Page:
    programme: str
    title: str
    person: bool
    span: tuple[date, date] | None
    once: bool
    units: list[Unit]
    members: list[str]  # their birth dates, as they are on record


def page(rows: list[FamilyDecision], language: str) -> Page:
    """The decisions of a family in one programme and period, as `family_decisions` gives them."""
    newest = rows[0]
    rulebook = _explainer(newest).plan.rulebook
    units: list[Unit] = []
    members: list[str] = []
    for _, versions in groupby(rows, key=attrgetter("unit_id")):
        unit, explanation = _unit(list(versions), language)
        units.append(unit)
        members = _members(explanation, Words(language)) if explanation else members
    return Page(
        newest.programme, rulebook.title[language], rulebook.unit == "person",
        periods.span(newest.period, rulebook.period), rulebook.period == "once", units, members,
    )  # fmt: skip


def title(row: FamilyDecision, language: str) -> str:
    return _explainer(row).plan.rulebook.title[language]


def span(row: FamilyDecision) -> tuple[date, date] | None:
    return periods.span(row.period, _explainer(row).plan.rulebook.period)


def _explainer(row: FamilyDecision) -> rules.Explainer:
    return books.explainer_of(row.programme, row.rulebook, row.facts, row.reference_date)


def _unit(rows: list[FamilyDecision], language: str) -> tuple[Unit, Explanation | None]:
    versions = [row for row in rows if row.signed_at is not None]
    waits = rows[0].signed_at is None
    if not versions:
        return Unit(None, None, None, waits, [], 0, False, [], [], [], None), None
    current, decreed_at = versions[0], versions[0].signed_at
    explanation = _explained(current)
    words, decision, plan = Words(language), explanation.decision, explanation.plan
    own = explanation.scope.own
    got = [
        Got(
            item.component.title[language], count, item.price if item.component.delivers == "money" else None,
            item.component.measure[language] if item.component.measure else "",
        )
        for item, count in zip(plan.items, decision.counts, strict=True)
        if count
    ]  # fmt: skip
    unit = Unit(
        None if own == FAMILY else own + 1,
        None if own == FAMILY else _born(explanation, own),
        current, waits, versions, decision.amount_most,
        any(item.component.delivers == "money" for item in plan.items), got,
        _reasons(explanation, words) if explanation.case.found else [],
        to_do(explanation, words), objection_until(decreed_at) if decreed_at else None,
    )  # fmt: skip
    return unit, explanation


def _explained(row: FamilyDecision) -> Explanation:
    """The decision made again from its stored case. Where places are few, the stored outcome says who had one."""
    explainer = _explainer(row)
    case = rules.parse_case(unpacked(row.body or b""), explainer.plan.rulebook.catalogue)
    places = explainer.plan.places
    cutoffs = {places.area(case.region): Cutoff(closed=row.outcome == WAITING)} if places else None
    person_id = row.unit_id if explainer.evaluator.person else None
    explanation = explainer.explain(case, person_id, cutoffs)
    found = explanation.decision
    if (found.outcome, found.amount) != (row.outcome, row.amount):
        raise RuntimeError(f"the stored case of unit:{row.unit_id} does not give its stored decision")
    return explanation


def _reasons(explanation: Explanation, words: Words) -> list[Told]:
    """Every condition. Birth dates are told once, with the members, not with each condition that is met."""
    told: list[Told] = []
    met: dict[tuple[object, ...], Told] = {}
    language = words.language
    for reason in explanation.reasons:
        says, basis = reason.criterion.says[language], reason.criterion.basis
        law = _law(explanation.explainer, basis, language) if basis else ""
        if not reason.outcome:
            told.append(_open(explanation, reason, says, law, words))
            continue
        keys = tuple(key for key in reason.facts if key[1] != BIRTH)
        if (same := met.get((keys, basis))) is not None:
            same.says.append(says)
            continue
        met[keys, basis] = Told(True, [says], _facts(explanation, keys, words), [], law)
    return [*told, *met.values()]


def _open(explanation: Explanation, reason: Reason, says: str, law: str, words: Words) -> Told:
    """A condition that is not met, with what would be needed; or one that cannot be checked, with what is missing."""
    wanted = []
    for change in reason.changes:
        used = explanation.used((change.place, change.fact))
        accepted = reason.criterion.condition.accepted(explanation.scope, reason.changes, change)
        text = words.say("fact", "needed", needed=needed(used.fact, change, accepted, words))
        label = used.fact.label[words.language]
        wanted.append(f"{label}{_whose(explanation, used, [used.place], words)}. {text}")
    decisive = tuple((change.place, change.fact) for change in reason.changes)
    keys = (reason.asks if reason.outcome is None else decisive) or reason.facts
    return Told(reason.outcome, [says], _facts(explanation, keys, words), wanted, law)


def _facts(explanation: Explanation, keys: Iterable[Key], words: Words) -> list[str]:
    """A sentence a fact; members of whom the same is on record stand together."""
    same: dict[tuple[object, ...], tuple[UsedFact, list[int]]] = {}
    for key in keys:
        used = explanation.used(key)
        held = (key[1], used.value, used.source, used.as_of, used.stale)
        same.setdefault(held, (used, []))[1].append(used.place)
    return [
        _fact(
            explanation.explainer, used.fact.name, used.value, used.source, used.as_of, used.stale,
            _whose(explanation, used, places, words), words.language,
        )
        for used, places in same.values()
    ]  # fmt: skip


@lru_cache(maxsize=16_384)
def _fact(
    explainer: rules.Explainer, name: str, value: Value | None, source: str, as_of: date | None, stale: bool,
    whose: str, language: str,
) -> str:  # fmt: skip
    """One sentence; the same for thousands of families, so it is kept."""
    catalogue, words = explainer.plan.rulebook.catalogue, Words(language)
    fact, register = catalogue.facts[name], catalogue.registers.get(source)
    return words.say(
        "fact", "unknown" if value is None else "stale" if stale else "known",
        label=fact.label[language], member=whose, value=words.value(fact, value),
        source=register.title[language] if register else source, date=words.day(as_of) if as_of else "-",
    )  # fmt: skip


def _whose(explanation: Explanation, used: UsedFact, places: list[int], words: Words) -> str:
    if used.place in (FAMILY, explanation.scope.own):
        return ""
    known = len(explanation.case.members)
    if places[0] >= known:
        return f" ({words.say('fact', 'nobody')})"
    return (
        f" ({words.say('fact', 'member', id=', '.join(str(place + 1) for place in places if place < known))})"
    )


@lru_cache(maxsize=4096)
def _law(explainer: rules.Explainer, basis_id: str, language: str) -> str:
    basis, words = explainer.plan.rulebook.basis[basis_id], Words(language)
    told = basis.checked_on is not None or "belum diperiksa" in basis.title
    text = basis.title if told else f"{basis.title} ({words.say('head', 'unverified')})"
    return words.say("head", "basis", title=text)


def _members(explanation: Explanation, words: Words) -> list[str]:
    if BIRTH not in explanation.plan.rulebook.catalogue.facts:
        return []
    keys = [(place, BIRTH) for place in range(len(explanation.case.members))]
    return [line for key in keys for line in _facts(explanation, [key], words)]


def _born(explanation: Explanation, place: int) -> date | None:
    value = explanation.scope.members[place].get(BIRTH)
    return value if isinstance(value, date) else None


@lru_cache(maxsize=256)
def objection_until(decreed_at: datetime) -> date | None:
    """The last day to object; None where nobody knows the holidays of that year yet."""
    try:
        return due(decreed_at, OBJECTION, shipped()).date()
    except InputError:
        return None
