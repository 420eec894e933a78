"""Confirmed corrections laid over a case (DESIGN section 6). Pure.

A correction wins over whatever a register says, until it is replaced or withdrawn: deciding again never undoes a
person's work. Only the named facts change.

>>> family = {"family_id": 3, "facts": {"decile": 5}, "members": [{"person_id": 7}], "region": "35.10"}
>>> made = Corrected("family", 3, "decile", 2, date(2026, 1, 1), 1, "dtsen", date(2026, 9, 1))
>>> overlay(family, [made])["facts"]
{'decile': {'value': 2, 'source': 'dtsen', 'as_of': '2026-09-01'}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction that counts. `as_of`: the day on which officers knew it, from which it can grow stale."""

    kind: str  # "person", "family"
    subject_id: int
    fact: str
    value: bool | int | str | None
    valid_from: date
    id: int
    source: str
    as_of: date

    @property
    def held(self) -> dict[str, Any] | None:
        """The fact as a case holds it; None: nothing is known."""
        if self.value is None:
            return None
        return {"value": self.value, "source": self.source, "as_of": self.as_of.isoformat()}


def overlay(case: Mapping[str, Any], corrections: Iterable[Corrected]) -> dict[str, Any]:
    """A new case. Later corrections of a fact win, by `valid_from`, then by id. Corrections of others are left out."""
    facts: dict[tuple[str, int], dict[str, Any]] = {}
    for made in sorted(corrections, key=lambda made: (made.valid_from, made.id)):
        facts.setdefault((made.kind, made.subject_id), {})[made.fact] = made.held
    changed = dict(case)
    if family := facts.get(("family", case["family_id"])):
        changed["facts"] = {**case.get("facts", {}), **family}
    if case.get("members") is not None:
        changed["members"] = [
            {**member, **facts.get(("person", member["person_id"]), {})} for member in case["members"]
        ]
    return changed
