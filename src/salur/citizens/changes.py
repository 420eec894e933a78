"""Two versions of a decision side by side: which facts were corrected, and what was not met before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from salur.core.rules.aloud import Words
from salur.core.rules.changes import FAMILY
from salur.core.rules.explain import Explanation, UsedFact
from salur.people.evidence import kinds
from salur.people.selectors import evidence_of


@dataclass(frozen=True, slots=True)
class Changed:
    """One fact as it was held for the version before, and as it is held for this one."""

    label: str
    before: str
    now: str
    register: str
    seen_on: date | None  # when officers knew it
    evidence: str  # the sentence about what they saw; empty: an old correction that does not say it
    taken_back: bool = False  # no correction any more


@dataclass(frozen=True, slots=True)
class Outcome:
    outcome: str
    amount: int  # whole rupiah


@dataclass(frozen=True, slots=True)
class Version:
    """What changed since the version before, and what this one could not say yes to."""

    changed: tuple[Changed, ...]
    open: tuple[str, ...]  # conditions that are not met or could not be checked
    now: Outcome
    before: Outcome | None  # of the version before


Evidence = Mapping[tuple[str, int, str], str]  # kind, id and fact of what is corrected → the kind of evidence


def versions(
    explanations: Sequence[Explanation], causes: Sequence[str], words: Words
) -> tuple[Version, ...]:  # fmt: skip
    """Of each version, the newest first, with what its decision names as its cause."""
    before = [*explanations[1:], None]
    return tuple(
        Version(
            _changed(old, now, _evidence(cause), words) if old else (), _open(now, words), _outcome(now),
            _outcome(old) if old else None,
        )
        for now, old, cause in zip(explanations, before, causes, strict=True)
    )  # fmt: skip


def _evidence(cause: str) -> Evidence | None:
    """Of the corrections that a cause names ("correction:12,15"); None: it may not name all, or is another cause.

    A long list of them ends in dots, perhaps in the middle of a number.
    """
    kind, _, numbers = cause.partition(":")
    if kind != "correction" or numbers.endswith("…"):
        return None
    return evidence_of(int(number) for number in numbers.split(",") if number.isdecimal())


def _outcome(explanation: Explanation) -> Outcome:
    return Outcome(explanation.decision.outcome, explanation.decision.amount)


def _open(explanation: Explanation, words: Words) -> tuple[str, ...]:
    missing = explanation.decision.failed | explanation.decision.unknown
    criteria = enumerate(explanation.explainer.criteria)
    return tuple(criterion.says[words.language] for bit, criterion in criteria if missing >> bit & 1)


def _changed(
    before: Explanation, now: Explanation, seen: Evidence | None, words: Words
) -> tuple[Changed, ...]:
    registers = now.plan.rulebook.catalogue.registers
    found = []
    for old, new in _pairs(before, now):
        if (old.value, old.source, old.as_of) == (new.value, new.source, new.as_of):
            continue
        whose = "" if new.place == FAMILY else f" ({words.say('fact', 'member', id=new.place + 1)})"
        register = registers[new.source].title[words.language] if new.source in registers else new.source
        label = new.fact.label[words.language] + whose
        subject = ("family", now.case.family_id) if new.place == FAMILY else ("person", new.person_id or 0)
        kind = seen.get((*subject, new.fact.name)) if seen is not None else ""
        found.append(
            Changed(
                label, _value(old, words), _value(new, words), register, new.as_of,
                kinds()[kind].says[words.language] if kind else "", kind is None,
            )
        )  # fmt: skip
    return tuple(found)


def _value(used: UsedFact, words: Words) -> str:
    """A value; empty: not known."""
    return "" if used.value is None else words.value(used.fact, used.value)


def _pairs(before: Explanation, now: Explanation) -> Iterator[tuple[UsedFact, UsedFact]]:
    """Every fact that both rulebooks read, of the family and of each member whom both cases have."""
    places = {member.person_id: place for place, member in enumerate(before.case.members)}
    members = [
        (places[member.person_id], place)
        for place, member in enumerate(now.case.members)
        if member.person_id in places
    ]
    known = {fact.name for fact in before.plan.facts}
    for name in (fact.name for fact in now.plan.facts if fact.name in known):
        person = now.plan.rulebook.catalogue.facts[name].unit == "person"
        for old, new in members if person else [(FAMILY, FAMILY)]:
            yield before.used((old, name)), now.used((new, name))
