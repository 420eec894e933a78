"""A small invented office in an empty database, made by the code of the checkout that comes first on PYTHONPATH.

    SALUR_DEMO=1 SALUR_HOME=HOME SALUR_DATABASE_URL=URL python tests/upgrade/fill.py HOME

Families, officers, a cycle that was decided, corrected, decided again and decreed, one under review, a case, a
protected number, a look at a record, and all events but one sealed. HOME/told.json tells what must still be read
after an upgrade.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import salur.web

salur.web.setup()

from tests.citizens.town import build  # noqa: E402
from tests.programmes.conftest import BOOKS, OPENER, REGENCY, REVIEWERS, SIGNER, SUPERVISOR, Office  # noqa: E402
from tests.programmes.test_cycle import KEYS  # noqa: E402

FAMILIES = 90
NIK = "3510017112800001"


def main(home: Path) -> None:
    from django.conf import settings
    from django.db import transaction

    from salur.access import services as access
    from salur.access.policy import SYSTEM
    from salur.cases import services as cases
    from salur.core import rules
    from salur.core.population.commands import REFERENCE_DATE, read_regencies
    from salur.core.population.generate import Generator, generate
    from salur.journal import sealer
    from salur.journal import services as journal
    from salur.people import keys
    from salur.people import services as people
    from salur.people.models import Membership
    from salur.programmes import selectors, services

    keys.init(home / "keys.json", KEYS.secrets[1])
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    people_of = Generator(read_regencies(REGENCY), FAMILIES, 7, catalogue, REFERENCE_DATE.date(), 10.0)
    generate(people_of, home / "population")
    office = Office(rules.open_population(home / "population", catalogue), home)
    town = build(office)
    for actor in (OPENER, *REVIEWERS, SIGNER, SUPERVISOR):
        for granted in actor.grants:
            access.grant_give(
                now=office.now, actor=SYSTEM, officer=actor.officer_id or 0, role=granted.role, region=granted.region
            )  # fmt: skip
    second = office.decided("sembako", "2026-Q4")
    waiting = selectors.queue(selectors.cycles().get(id=second), reviewer=REVIEWERS[0].ref)[0]
    services.review_judge(now=office.now, actor=REVIEWERS[0], decision_id=waiting.id, judgement="entitled")
    family = town.families["eligible"]
    person = Membership.objects.filter(family_id=family).earliest("person_id").person_id
    people.identifier_set(
        actor=SYSTEM, now=office.now, keys=KEYS, owner=f"person:{person}", kind="nik", number=NIK
    )
    case = cases.case_open(
        now=office.now,
        actor=SYSTEM,
        kind="objection",
        subject=f"family:{family}",
        region=REGENCY,
        programme="pkh",
    )
    access.read_log(
        now=office.now, actor=SUPERVISOR, subject=f"person:{person}", purpose="objection", case=f"case:{case}",
        region=REGENCY,
    )  # fmt: skip
    sealer.seal(now=office.now, file=Path(settings.SEALS_FILE))
    with transaction.atomic():
        journal.record(now=office.now, actor="system", kind="tests.waits", subject=f"cycle:{town.cycle}")
    opens = {kind: (town.opens(kind)[0], town.opens(kind)[1].isoformat()) for kind in town.families}
    told = {"opens": opens, "cycle": town.cycle, "person": person, "nik": NIK, "case": case}
    (home / "told.json").write_text(json.dumps(told, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
