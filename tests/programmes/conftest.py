"""A small real population, approved rulebooks, and officers with one role each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from salur.access.policy import Actor, Granted
from salur.core import rules
from salur.core.population.commands import REFERENCE_DATE, read_regencies
from salur.core.population.generate import Generator
from salur.core.population.generate import generate as make

BOOKS = Path(__file__).parents[2] / "src" / "salur" / "rulebooks"
REGENCY = "35.10"
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ROLES = ("cycle_opener", "reviewer", "decree_signer", "rule_editor", "people_clerk", "supervisor")


@pytest.fixture(scope="session")
def population(tmp_path_factory: pytest.TempPathFactory) -> rules.Population:
    """400 families of one regency, a tenth of every fact unknown."""
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    folder = tmp_path_factory.mktemp("population") / "p"
    make(Generator(read_regencies(REGENCY), 400, 7, catalogue, REFERENCE_DATE.date(), 10.0), folder)
    return rules.open_population(folder, catalogue)


def officer(number: int, *roles: str, region: str = REGENCY, at: datetime = NOW) -> Actor:
    """An officer with roles in a region and a passkey just used."""
    return Actor(f"officer:{number}", tuple(Granted(role, region) for role in roles), at + timedelta(hours=1))


EDITORS = officer(91, "rule_editor", region=""), officer(92, "rule_editor", region="")
OPENER = officer(1, "cycle_opener")
REVIEWERS = officer(2, "reviewer"), officer(3, "reviewer")
SIGNER = officer(4, "decree_signer")
SUPERVISOR = officer(5, "supervisor", region="")


@dataclass
class Office:
    """Runs cycles as an office would, a minute later each time."""

    population: rules.Population
    folder: Path

    def __post_init__(self) -> None:
        self._minutes = count(1)

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=next(self._minutes))

    def version(self, programme: str, on: date = date(2026, 1, 1)) -> int:
        from salur.programmes import services

        raw = (BOOKS / f"{programme}.toml").read_bytes()
        facts = (BOOKS / "facts.toml").read_bytes()
        version = services.rulebook_add(
            now=self.now, actor=EDITORS[0], raw=raw, facts_raw=facts, in_force_from=on
        )
        from salur.programmes.models import RulebookVersion

        if not RulebookVersion.objects.get(id=version).approved_by:
            services.rulebook_approve(now=self.now, actor=EDITORS[1], version_id=version)
        return version

    def opened(self, programme: str = "pkh", period: str = "2026-Q4", *, supplement: bool = False) -> int:
        from salur.programmes import services
        from salur.programmes.models import Budget

        if not Budget.objects.filter(programme=programme, period=period).exists():
            services.ceiling_set(
                now=self.now, actor=SUPERVISOR, programme=programme, period=period, amount=10**12,
                since=date(2026, 1, 1), basis="DIPA 2026",
            )  # fmt: skip
        return services.cycle_open(
            now=self.now, actor=OPENER, version_id=self.version(programme), period=period, regions=[REGENCY],
            population=self.population, supplement=supplement,
        )  # fmt: skip

    def decided(self, programme: str = "pkh", period: str = "2026-Q4", *, supplement: bool = False) -> int:
        from salur.access.policy import SYSTEM
        from salur.programmes import services

        cycle = self.opened(programme, period, supplement=supplement)
        services.cycle_decide(
            now=self.now, actor=SYSTEM, cycle_id=cycle, work=self.folder / f"cycle-{cycle}",
            checked=self.folder / "checked",
        )  # fmt: skip
        return cycle


@pytest.fixture
def office(as_office: Callable[[], None], population: rules.Population, tmp_path: Path) -> Office:
    """An office on an empty database of each kind, by a role that row-level security holds."""
    as_office()
    return Office(population, tmp_path)
