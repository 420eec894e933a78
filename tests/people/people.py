"""Who acts, when, with which keys: shared by the tests of people."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from salur.access.policy import SYSTEM, Actor, Granted
from salur.core.population import catalogue as catalogues
from salur.core.population.catalogue import Catalogue
from salur.people import services
from salur.people.protect import Keys

NOW = datetime(2026, 9, 30, 3, 0, tzinfo=UTC)
TODAY = date(2026, 9, 30)
KEYS = Keys(1, {1: b"1" * 32})
BOTH = Keys(2, {1: b"1" * 32, 2: b"2" * 32})
CLERK = Actor("officer:1", (Granted("people_clerk", "35.10"),))
REVIEWER = Actor("officer:2", (Granted("reviewer", "35.10"),))
SUPERVISOR = Actor("officer:3", (Granted("supervisor", "35"),))
ELSEWHERE = Actor("officer:4", tuple(Granted(role, "35.11") for role in ("people_clerk", "supervisor")))


@cache
def facts() -> Catalogue:
    import salur

    return catalogues.read(Path(salur.__file__).parent / "rulebooks" / "facts.toml")


def a_person(name: str = "Sutini", region: str = "35.10", born: date | None = date(1980, 5, 1)) -> int:
    return services.person_add(actor=SYSTEM, now=NOW, name=name, region=region, birth_date=born, sex="female")


def a_family(region: str = "35.10") -> int:
    return services.family_add(actor=SYSTEM, now=NOW, region=region, village=f"{region}.01.2001")
