"""Confirmed corrections of people and families, laid over the cases of a population."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from salur.core.population.catalogue import Catalogue
from salur.core.rules import Case
from salur.core.rules.cases import from_json, to_json
from salur.people import overlay
from salur.people.selectors import Correction, corrections_confirmed, families_of

CAUSE_LENGTH_MOST = 80


@dataclass(frozen=True)
class Known:
    """The corrections in force on a day, by subject, and the families that they touch."""

    family: Mapping[int, tuple[Correction, ...]]
    person: Mapping[int, tuple[Correction, ...]]
    families: frozenset[int]

    def of(self, case: Case) -> tuple[Correction, ...]:
        """Those of a family and its members."""
        found = self.family.get(case.family_id, ())
        for member in case.members:
            found += self.person.get(member.person_id, ())
        return found


def confirmed(*, regions: Collection[str], on: date) -> Known:
    """Every confirmed correction in some regencies that is valid on a day."""
    family: dict[int, tuple[Correction, ...]] = {}
    person: dict[int, tuple[Correction, ...]] = {}
    for correction in corrections_confirmed(regions=tuple(regions), on=on):
        held = family if correction.kind == "family" else person
        held[correction.subject_id] = (*held.get(correction.subject_id, ()), correction)
    return Known(family, person, frozenset(family) | frozenset(families_of(person, on).values()))


def corrected(cases: Sequence[Case], known: Known, catalogue: Catalogue) -> dict[int, Case]:
    """The cases that corrections change, as they are now: family id → case."""
    if not known.families:
        return {}
    changed: dict[int, Case] = {}
    for case in cases:
        if found := known.of(case):
            changed[case.family_id] = from_json(overlay.apply(to_json(case), found), catalogue)
    return changed


def cause(known: Known, case: Case) -> str:
    """Which corrections made a decision another one: "correction:12,15"; a long list ends in dots."""
    numbers = ",".join(str(correction.id) for correction in sorted(known.of(case), key=lambda c: c.id))
    text = f"correction:{numbers}" if numbers else "correction:withdrawn"
    return text if len(text) <= CAUSE_LENGTH_MOST else text[: CAUSE_LENGTH_MOST - 1] + "…"
