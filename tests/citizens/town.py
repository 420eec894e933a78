"""A small town whose PKH was decided, corrected, decreed: for the tests of what its people read.

    SALUR_DEMO=1 SALUR_HOME=FOLDER python -m tests.citizens.town FOLDER

writes it to FOLDER/salur.sqlite3 with keys.json, and says with which code and birth date each outcome is opened.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import salur.web

salur.web.setup()

from tests.programmes.conftest import Office  # noqa: E402
from tests.programmes.test_cycle import KEYS, correct, enrol, officers, prepare, sign  # noqa: E402


@dataclass(frozen=True)
class Town:
    """Families by outcome (and "changed": one whose outcome a correction changed), with code and birth date."""

    office: Office
    cycle: int
    families: dict[str, int]
    codes: dict[int, str]
    births: dict[int, date]

    def opens(self, kind: str) -> tuple[str, date]:
        family = self.families[kind]
        return self.codes[family], self.births[family]


def build(office: Office, *, decreed: bool = True) -> Town:
    from salur.access.policy import SYSTEM
    from salur.people.models import Membership
    from salur.programmes import claims, services
    from salur.programmes.models import Decision

    officers()
    enrol(office)
    cycle = office.decided()
    families: dict[str, int] = {}
    births: dict[int, date] = {}
    known = Membership.objects.filter(person__birth_date__lte=date(2000, 1, 1)).order_by(
        "family_id", "person_id"
    )
    for family, born in known.values_list("family_id", "person__birth_date"):
        if born is not None:
            births.setdefault(family, born)
    standing = Decision.objects.filter(cycle=cycle, family_id__in=list(births)).order_by("unit_id")
    for outcome in ("eligible", "not_eligible", "needs_data"):
        families[outcome] = standing.filter(outcome=outcome).first().family_id  # type: ignore[union-attr]
    changed = standing.filter(outcome="eligible").exclude(family_id=families["eligible"]).first()
    assert changed is not None
    families["changed"] = changed.family_id
    correct(office, f"family:{changed.family_id}", "decile", 9)
    services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle)
    services.claim_codes_issue(now=office.now, actor=SYSTEM, keys=KEYS, cycle_id=cycle)
    if decreed:
        prepare(office, cycle)
        sign(office, cycle)
    codes = {family: claims.code_of(KEYS, family) for family in births}
    return Town(office, cycle, families, codes, births)


def main(folder: Path) -> None:
    from django.core.management import call_command
    from tests.programmes.conftest import BOOKS, REGENCY

    from salur.core import rules
    from salur.core.population.commands import REFERENCE_DATE, read_regencies
    from salur.core.population.generate import Generator, generate
    from salur.people import keys

    call_command("migrate", verbosity=0)
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    generate(
        Generator(read_regencies(REGENCY), 1500, 7, catalogue, REFERENCE_DATE.date(), 10.0),
        folder / "population",
    )
    keys.init(folder / "keys.json", KEYS.secrets[1])
    town = build(Office(rules.open_population(folder / "population", catalogue), folder))
    for kind in town.families:
        sys.stdout.write(f"{kind} {town.families[kind]} {' '.join(map(str, town.opens(kind)))}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
