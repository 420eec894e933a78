"""Confirmed corrections of people and families, laid over the cases of a population."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from salur.core.population.catalogue import Catalogue
from salur.core.rules import Case
from salur.core.rules.cases import from_json, to_json
from salur.people.overlay import Corrected, overlay
from salur.people.selectors import corrections_all, corrections_of, families_ever

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


def confirmed(*, on: date, cases: Iterable[Case] | None = None) -> Known:
    """Every confirmed correction that counts on a day; or those of some cases, wherever their members live by now."""
    if cases is None:
        found = corrections_all(on, regions=None)
    else:
        subjects = [s for case in cases for s in _subjects(case)]
        found = corrections_of(subjects, on, regions=None)
    family: dict[int, tuple[Corrected, ...]] = {}
    person: dict[int, tuple[Corrected, ...]] = {}
    for made in found:
        held = family if made.kind == "family" else person
        held[made.subject_id] = (*held.get(made.subject_id, ()), made)
    return Known(family, person, families_ever(person).union(family))


def _subjects(case: Case) -> list[str]:
    return [f"family:{case.family_id}", *(f"person:{member.person_id}" for member in case.members)]


def corrected(case: Case, known: Known, catalogue: Catalogue) -> Case:
    """The case as corrections make it."""
    found = known.of(case)
    return from_json(overlay(to_json(case), found), catalogue) if found else case


def cause(known: Known, case: Case) -> str:
    """Which corrections made a decision another one: "correction:12,15"; a long list ends in dots."""
    numbers = ",".join(map(str, sorted(made.id for made in known.of(case))))
    text = f"correction:{numbers}" if numbers else "correction:withdrawn"
    return text if len(text) <= CAUSE_LENGTH_MOST else text[: CAUSE_LENGTH_MOST - 1] + "…"
