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

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from salur.cases.clock import Span, due, shipped
from salur.citizens import changes
from salur.core import rules
from salur.core.faults import InputError
from salur.core.population.catalogue import Value
from salur.core.rules.aloud import Words, needed, to_do
from salur.core.rules.changes import FAMILY, Accepted, Change, Key
from salur.core.rules.evaluate import WAITING, Cutoff
from salur.core.rules.explain import Criterion, Explanation, Known, Reason, UsedFact
from salur.programmes import books, periods
from salur.programmes.bodies import unpacked
from salur.programmes.selectors import FamilyDecision, that_counts

OBJECTION = Span(working_days=21)
BIRTH = "birth_date"
MEMBER, DAY = "\0", "\1"  # stand in a sentence for what differs from family to family


class Told(NamedTuple):
    """One reason (met ones on the same facts and law stand together): the sentences, the facts that they rest on
    with source and date, the law, what would be needed."""

    outcome: bool | None
    says: tuple[str, ...]
    facts: tuple[str, ...]
    needed: tuple[str, ...]
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
    current: FamilyDecision | None  # the one that counts; where none does, the newest that was decreed
    waits: bool  # a newer one is not decreed yet
    versions: list[FamilyDecision]  # decreed, the newest first
    amount_most: int = 0
    got: tuple[Got, ...] = ()
    reasons: tuple[tuple[bool | None, list[Told]], ...] = ()  # refused, then unknown, then met
    to_do: tuple[str, ...] = ()
    until: date | None = None  # to object; None: the holidays of that year are not known
    differences: tuple[changes.Version, ...] = ()  # of each version; empty where there is only one


@dataclass(frozen=True, slots=True)
class Page:
    programme: str
    title: str
    person: bool
    span: tuple[date, date] | None
    once: bool
    units: list[Unit]
    members: tuple[str, ...]  # their birth dates, as they are on record


_Read = dict[tuple[rules.Explainer, bytes, bytes], Known]  # by digest and stored case


def page(rows: list[FamilyDecision], language: str) -> Page:
    """The decisions of a family in one programme and period, as `family_decisions` gives them."""
    newest = rows[0]
    rulebook = _explainer(newest).plan.rulebook
    units: list[Unit] = []
    members: tuple[str, ...] = ()
    read: _Read = {}
    for _, versions in groupby(rows, key=attrgetter("unit_id")):
        unit, explanation = _unit(list(versions), language, read)
        units.append(unit)
        members = _members(explanation, language) if explanation else members
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


def _unit(rows: list[FamilyDecision], language: str, read: _Read) -> tuple[Unit, Explanation | None]:
    versions = [row for row in rows if row.signed_at is not None]
    waits = rows[0].signed_at is None
    if not versions:
        return Unit(None, None, None, waits, []), None
    current = that_counts(versions) or versions[0]
    decreed_at, explained = current.signed_at, [_explained(row, read) for row in versions]
    explanation = explained[versions.index(current)]
    words, decision = Words(language), explanation.decision
    own = explanation.scope.own
    unit = Unit(
        None if own == FAMILY else own + 1,
        None if own == FAMILY else _born(explanation, own),
        current, waits, versions, decision.amount_most, _got(explanation.explainer, decision.counts, language),
        _reasons(explanation, words) if explanation.case.found else (),
        tuple(to_do(explanation, words)), objection_until(decreed_at) if decreed_at else None,
        changes.versions(explained, [row.cause for row in versions], words) if versions[1:] else (),
    )  # fmt: skip
    return unit, explanation


@lru_cache(maxsize=4096)
def _got(explainer: rules.Explainer, counts: tuple[int, ...], language: str) -> tuple[Got, ...]:
    return tuple(
        Got(
            item.component.title[language], count, item.price if item.component.delivers == "money" else None,
            item.component.measure[language] if item.component.measure else "",
        )
        for item, count in zip(explainer.plan.items, counts, strict=True)
        if count
    )  # fmt: skip


def _explained(row: FamilyDecision, read: _Read) -> Explanation:
    """The decision made again from its stored case. Where places are few, the stored outcome says who had one."""
    explainer = _explainer(row)
    known = _known(row, explainer, read)
    places = explainer.plan.places
    cutoffs = {places.area(known.case.region): Cutoff(closed=row.outcome == WAITING)} if places else None
    person_id = row.unit_id if explainer.evaluator.person else None
    explanation = explainer.explain(known, person_id, cutoffs)
    found = explanation.decision
    if (found.outcome, found.amount) != (row.outcome, row.amount):
        raise RuntimeError(f"the stored case of unit:{row.unit_id} does not give its stored decision")
    return explanation


def _known(row: FamilyDecision, explainer: rules.Explainer, read: _Read) -> Known:
    """The stored case, read once for all members who were decided from it."""
    key = (explainer, bytes(row.case_sha256 or b""), row.body or b"")
    if (known := read.get(key)) is None:
        text = unpacked(row.body or b"")
        if sha256(text.encode()).digest() != key[1]:
            raise RuntimeError(f"the stored case of unit:{row.unit_id} is not the one that was decided")
        known = read[key] = explainer.known(rules.stored_case(text, explainer.plan.rulebook.catalogue))
    return known


# ---- reasons: what is said of the same values is said to thousands of families, and kept ---------------------

Values = tuple[Value | rules.Held | None, ...]  # of keys, as the case holds them


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """Conditions that are met, on the same facts and by the same law."""

    says: tuple[str, ...]
    facts: tuple[Key, ...]
    law: str


def _reasons(explanation: Explanation, words: Words) -> tuple[tuple[bool | None, list[Told]], ...]:
    """Every condition. Birth dates are told once, with the members, not with each condition that is met."""
    decision, explainer, language = explanation.decision, explanation.explainer, words.language
    held, own, known = explanation.known.held, explanation.scope.own, len(explanation.case.members)
    shape = (len(explanation.scope.members), own)
    told: dict[bool | None, list[Told]] = {False: [], None: [], True: []}
    for reason in explanation.open_reasons:
        told[reason.outcome].append(_told(explainer, _open(explanation, reason), language))
    for met in _met(explainer, shape, decision.failed | decision.unknown, language):
        told[True].append(_told_met(explainer, met, held(met.facts), own, known, language))
    return tuple((outcome, reasons) for outcome, reasons in told.items() if reasons)


@lru_cache(maxsize=4096)
def _met(explainer: rules.Explainer, shape: tuple[int, int], open_: int, language: str) -> tuple[_Met, ...]:
    """The conditions whose bits are not in `open_`, for a case of this many members and this own place."""
    together: dict[tuple[tuple[Key, ...], str | None], list[str]] = {}
    for position, reason in enumerate(explainer.held(shape)):
        if not open_ >> position & 1:
            keys = tuple(key for key in reason.facts if key[1] != BIRTH)
            together.setdefault((keys, reason.criterion.basis), []).append(reason.criterion.says[language])
    return tuple(
        _Met(tuple(says), keys, _law(explainer, basis, language)) for (keys, basis), says in together.items()
    )


def _open(explanation: Explanation, reason: Reason) -> _Open:
    """A condition that is not met, with what would be needed; or one that cannot be checked, with what is missing."""
    criterion, changes = reason.criterion, reason.changes
    decisive = tuple((change.place, change.fact) for change in changes)
    keys = (reason.asks if reason.outcome is None else decisive) or reason.facts
    return _Open(
        criterion, reason.outcome, changes,
        tuple(criterion.condition.accepted(explanation.scope, changes, change) for change in changes),
        keys, explanation.known.held(keys), explanation.scope.own, len(explanation.case.members),
    )  # fmt: skip


class _Open(NamedTuple):
    """All that what is said of an open condition depends on."""

    criterion: Criterion
    outcome: bool | None
    changes: tuple[Change, ...]
    accepted: tuple[Accepted, ...]  # for each change
    keys: tuple[Key, ...]
    values: Values
    own: int
    known: int  # how many members are on record


@lru_cache(maxsize=16_384)
def _told(explainer: rules.Explainer, of: _Open, language: str) -> Told:
    catalogue, words = explainer.plan.rulebook.catalogue, Words(language)
    wanted = []
    for change, accepted in zip(of.changes, of.accepted, strict=True):
        fact = catalogue.facts[change.fact]
        text = words.say("fact", "needed", needed=needed(fact, change, accepted, words))
        whose = _whose((change.place,), of.own, of.known, language)
        wanted.append(f"{fact.label[language]}{whose}. {text}")
    facts = _sentences(explainer, of.keys, of.values, of.own, of.known, language)
    law = _law(explainer, of.criterion.basis, language)
    return Told(of.outcome, (of.criterion.says[language],), facts, tuple(wanted), law)


@lru_cache(maxsize=16_384)
def _told_met(
    explainer: rules.Explainer, met: _Met, values: Values, own: int, known: int, language: str
) -> Told:
    facts = _sentences(explainer, met.facts, values, own, known, language)
    return Told(True, met.says, facts, (), met.law)


def _sentences(
    explainer: rules.Explainer, keys: tuple[Key, ...], values: Values, own: int, known: int, language: str
) -> tuple[str, ...]:
    """A sentence a fact; members of whom the same is on record stand together. `known`: how many are on record."""
    places: dict[str, list[int]] = {}
    for (place, name), value in zip(keys, values, strict=True):
        places.setdefault(_sentence(explainer, name, value, language), []).append(place)
    return tuple(said.replace(MEMBER, _whose(tuple(of), own, known, language)) for said, of in places.items())


@lru_cache(maxsize=16_384)
def _sentence(explainer: rules.Explainer, name: str, value: Value | rules.Held | None, language: str) -> str:
    """What is said of a fact, with MEMBER for the words that say whose it is."""
    used, words = explainer.used((FAMILY, name), value), Words(language)
    return _said(explainer, used, words, words.value(used.fact, used.value))


@lru_cache(maxsize=64)
def _birth(explainer: rules.Explainer, language: str) -> str:
    """What is said of a birth date that has no source or date of its own, with MEMBER and DAY."""
    return _said(explainer, explainer.used((FAMILY, BIRTH), date.min), Words(language), DAY)


def _said(explainer: rules.Explainer, used: UsedFact, words: Words, value: str) -> str:
    register = explainer.plan.rulebook.catalogue.registers.get(used.source)
    return words.say(
        "fact", "unknown" if used.value is None else "stale" if used.stale else "known",
        label=used.fact.label[words.language], member=MEMBER, value=value,
        source=register.title[words.language] if register else used.source,
        date=words.day(used.as_of) if used.as_of else "-",
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _whose(places: tuple[int, ...], own: int, known: int, language: str) -> str:
    words = Words(language)
    if places[0] in (FAMILY, own):
        return ""
    if places[0] >= known:
        return f" ({words.say('fact', 'nobody')})"
    return (
        f" ({words.say('fact', 'member', id=', '.join(str(place + 1) for place in places if place < known))})"
    )


@lru_cache(maxsize=4096)
def _law(explainer: rules.Explainer, basis_id: str | None, language: str) -> str:
    """The law of a condition; empty where it rests on none."""
    if basis_id is None:
        return ""
    basis, words = explainer.plan.rulebook.basis[basis_id], Words(language)
    told = basis.checked_on is not None or "belum diperiksa" in basis.title
    text = basis.title if told else f"{basis.title} ({words.say('head', 'unverified')})"
    return words.say("head", "basis", title=text)


def _members(explanation: Explanation, language: str) -> tuple[str, ...]:
    """A sentence a member. Nearly every birth date is another one, so what is kept is the sentence around it."""
    explainer, own, members = explanation.explainer, explanation.scope.own, explanation.case.members
    if BIRTH not in explainer.plan.rulebook.catalogue.facts:
        return ()
    told, around, day = [], _birth(explainer, language), Words(language).day
    for place, member in enumerate(members):
        value = member.facts.get(BIRTH)
        if isinstance(value, date):
            said = around.replace(DAY, day(value))
        else:
            said = _sentence(explainer, BIRTH, value, language)
        told.append(said.replace(MEMBER, _whose((place,), own, len(members), language)))
    return tuple(told)


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
