"""Confirmed corrections of people and families, laid over the cases of a population."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from salur.core.population.catalogue import Catalogue
from salur.core.rules import Case
from salur.core.rules.cases import from_json, to_json
from salur.people.overlay import Corrected, overlay
from salur.people.selectors import corrections_all, families_of

CAUSE_LENGTH_MOST = 80


@dataclass(frozen=True)
class Known:
    """The corrections that count on a day, by subject, and the families that they touch."""

    family: Mapping[int, tuple[Corrected, ...]]
    person: Mapping[int, tuple[Corrected, ...]]
    families: frozenset[int]

    def of(self, case: Case) -> tuple[Corrected, ...]:
        """Those of a family and its members."""
        found = self.family.get(case.family_id, ())
        for member in case.members:
            found += self.person.get(member.person_id, ())
        return found


def confirmed(*, regions: Collection[str], on: date) -> Known:
    """Every confirmed correction in some regencies that counts on a day."""
    family: dict[int, tuple[Corrected, ...]] = {}
    person: dict[int, tuple[Corrected, ...]] = {}
    for made in corrections_all(on, regions=tuple(regions)):
        held = family if made.kind == "family" else person
        held[made.subject_id] = (*held.get(made.subject_id, ()), made)
    return Known(
        family, person, frozenset(family) | frozenset(families_of(person, on, regions=None).values())
    )


def corrected(case: Case, known: Known, catalogue: Catalogue) -> Case:
    """The case as corrections make it."""
    found = known.of(case)
    return from_json(overlay(to_json(case), found), catalogue) if found else case


def cause(known: Known, case: Case) -> str:
    """Which corrections made a decision another one: "correction:12,15"; a long list ends in dots."""
    numbers = ",".join(map(str, sorted(made.id for made in known.of(case))))
    text = f"correction:{numbers}" if numbers else "correction:withdrawn"
    return text if len(text) <= CAUSE_LENGTH_MOST else text[: CAUSE_LENGTH_MOST - 1] + "…"
