"""A cycle in a database: the decisions of a whole regency stored with their cases, and families decided again after
corrections. Each piece runs in a process of its own, `python -m bench.cycle NAME POPULATION FOLDER`, on the empty
database that SALUR_DATABASE_URL names."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

from bench.work import ROOT, cpu

CORRECTED = 1_000
PERIOD = "2026-Q4"


def office_of(population: str, folder: str) -> Any:
    """An empty database with all tables, and the officers of the tests."""
    import salur.web

    salur.web.setup()
    sys.path.insert(0, str(ROOT))
    from django.core.management import call_command
    from tests.programmes.conftest import Office

    from bench.work import opened

    call_command("migrate", verbosity=0)
    return Office(opened(population)[1], Path(folder))


def load(population: str, folder: str) -> dict[str, Any]:
    """Decide PKH for a population that was verified before, and store every decision with its case."""
    office = office_of(population, folder)
    from salur.access import rows
    from salur.access.policy import SYSTEM
    from salur.programmes import services
    from salur.programmes.models import Decision, FamilyCase

    cycle = office.opened("pkh", PERIOD)
    begun, since = cpu(), time.monotonic()
    services.cycle_decide(
        now=office.now, actor=SYSTEM, cycle_id=cycle, work=Path(folder) / "decisions",
        checked=Path(population).parent / "checked",
    )  # fmt: skip
    return {
        "cpu": cpu() - begun, "seconds": time.monotonic() - since, "decisions": Decision.objects.count(),
        "cases": FamilyCase.objects.count(), "walled": not rows.bypassed(),
    }  # fmt: skip


def corrections(population: str, folder: str) -> dict[str, Any]:
    """Correct a fact of some families, each by two officers, and decide again: what changed, what was kept."""
    office = office_of(population, folder)
    from tests.programmes.test_cycle import correct, enrol

    from salur.access.policy import SYSTEM
    from salur.people.models import Correction
    from salur.programmes import services
    from salur.programmes.models import Decision

    enrol(office)
    cycle = office.decided("pkh", PERIOD)
    before = dict(Decision.objects.filter(cycle=cycle).values_list("unit_id", "id"))
    drawn = random.Random(3)  # the same families each time
    families = sorted(drawn.sample(sorted(before), CORRECTED))
    for family in families:
        correct(office, f"family:{family}", "decile", drawn.randint(1, 10))
    begun = cpu()
    services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle)
    used = cpu() - begun
    standing = Decision.objects.filter(cycle=cycle, superseded_by__isnull=True).values_list("unit_id", "id")
    changed = {unit for unit, id_ in standing if before[unit] != id_}
    return {
        "cpu": used, "families": len(before), "corrected": len(families), "changed": len(changed),
        "others": len(changed - set(families)),
        "again": services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle),
        "kept": Correction.objects.exclude(confirmed_by="").filter(withdrawn_by="").count(),
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({"load": load, "corrections": corrections}[sys.argv[1]](*sys.argv[2:])))
