"""Decrees: prepared, signed, and their money reserved in the ceilings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import F

from salur.access.policy import SYSTEM, Actor, lies_in, require
from salur.access.rows import everywhere
from salur.access.services import signature_make
from salur.core import numbers
from salur.core.faults import InputError
from salur.journal.constraints import refusing
from salur.journal.selectors import ask
from salur.journal.services import enqueue, record
from salur.people.selectors import families_corrected_by
from salur.programmes import decrees, selectors
from salur.programmes.models import Budget, Cycle, Decision, Decree, Duty
from salur.programmes.services.reviews import decide_again, undecided
from salur.programmes.services.shared import covered, locked, require_everywhere, take_duty


@transaction.atomic
def decree_prepare(*, now: datetime, actor: Actor, cycle_id: int, number: str, folder: Path) -> int:
    """Write the list and the PDF/A of a cycle, and the statement that will be signed. Returns the decree's id.

    Families are decided again first where a correction was confirmed or taken back that the worker has not come to yet.
    What is prepared again replaces what was prepared before, until it is signed; the worker then removes the files that
    were replaced. Raises InputError where a hold stops the cycle.
    """
    cycle = locked(cycle_id)
    require_everywhere(actor, "programmes.decree_prepare", cycle, now)
    if cycle.state != Cycle.State.DECIDED:
        raise InputError.of("Only a cycle that is decided and not yet decreed can be decreed.")
    most = Decree._meta.get_field("number").max_length or 0
    if not 1 <= len(number) <= most or not number.isprintable():
        raise InputError.of("The number of a decree has 1 to {most} characters.", most=most)
    numbers.refuse(number, document=True)
    ask("programmes.decree", f"cycle:{cycle.id}")
    with everywhere():  # a decree holds every correction, wherever its people live by now
        decide_again(now=now, actor=SYSTEM, cycle_id=cycle.id)
    made = decrees.write(cycle=cycle, number=number, now=now, folder=folder)
    with refusing("Another decree has this number."):
        decree, _ = Decree.objects.update_or_create(
            cycle=cycle,
            defaults={
                "number": number, "units": made.units, "amount": made.amount, "statement": made.statement,
                "digest": made.digest, "list_path": str(made.list), "pdf_path": str(made.pdf), "prepared_at": now,
            },
        )  # fmt: skip
    record(now=now, actor=actor.ref, kind="programmes.decree_prepared", subject=f"cycle:{cycle.id}",
           detail={"units": made.units, "amount": made.amount, "digest": made.digest.hex()})  # fmt: skip
    enqueue(now=now, kind="programmes.decree_files", payload={"cycle": cycle.id})
    return decree.id


@transaction.atomic
def decree_files_clear(*, now: datetime, actor: Actor, cycle_id: int) -> int:
    """Remove the files of a cycle's decree that were replaced or never finished; returns how many.

    The cycle is locked, so that nobody prepares meanwhile: a file goes only when the decree that names the others is
    on record. Killed and run again, it removes what is left.
    """
    require(actor, "programmes.decree_files_clear", now=now)
    cycle = locked(cycle_id)
    decree = Decree.objects.filter(cycle=cycle).first()
    if decree is None:
        return 0
    old = decrees.replaced(cycle, {Path(decree.list_path), Path(decree.pdf_path)})
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)


@transaction.atomic
def decree_sign(
    *, now: datetime, actor: Actor, cycle_id: int, digest: bytes, response: Mapping[str, Any]
) -> None:
    """Sign a prepared decree: `response` is the passkey's answer whose challenge is the digest that the officer saw.

    Reserves the money in every ceiling that covers the cycle; the database refuses more than there is. The worker then
    makes the codes of the letters.
    """
    cycle = locked(cycle_id)
    require_everywhere(actor, "programmes.decree_sign", cycle, now)
    decree = Decree.objects.select_for_update().filter(cycle=cycle).first()
    if decree is None or decree.signed_by or cycle.state != Cycle.State.DECIDED:
        raise InputError.of("There is no decree of this cycle to sign.")
    if bytes(decree.digest) != digest or hashlib.sha256(decree.statement.encode()).digest() != digest:
        raise InputError.of("The decree was prepared again meanwhile; look at it before you sign.")
    with everywhere():
        late = undecided(cycle)
    if late or decrees.digest(cycle) != json.loads(decree.statement)["list"]:
        raise InputError.of("Decisions changed after the decree was prepared; prepare it again.")
    corrected = families_corrected_by(actor.ref, cycle.opened_at)
    if Decision.objects.filter(cycle=cycle, family_id__in=corrected).exists():
        raise InputError.of(
            "Who corrected a family of a cycle while it was under way cannot sign its decree."
        )
    ask("programmes.decree", f"cycle:{cycle.id}")
    take_duty(now=now, actor=actor, cycle_id=cycle.id, duty=Duty.Kind.DECREE)
    _reserve(cycle, selectors.added(cycle))
    signature = signature_make(now=now, actor=actor, digest=digest, response=response)
    decree.signed_by, decree.signed_at, decree.signature = actor.ref, now, signature.record
    with refusing("Who opened or reviewed a cycle cannot sign its decree."):
        decree.save(update_fields=["signed_by", "signed_at", "signature"])
    cycle.state = Cycle.State.DECREED
    cycle.save(update_fields=["state"])
    record(now=now, actor=actor.ref, kind="programmes.decree_signed", subject=f"cycle:{cycle.id}",
           detail={"number": decree.number, "units": decree.units, "amount": decree.amount,
                   "digest": digest.hex()})  # fmt: skip
    enqueue(now=now, kind="programmes.decree_files", payload={"cycle": cycle.id})
    enqueue(
        now=now,
        kind="programmes.claim_codes",
        payload={"cycle": cycle.id},
        key=f"programmes.claim_codes:{cycle.id}",
    )


def _reserve(cycle: Cycle, by_region: Mapping[str, int]) -> None:
    """Reserve what the cycle adds in each ceiling that covers it: the nation's, and those of its regencies."""
    found = Budget.objects.filter(programme=cycle.programme, period=cycle.period)
    budgets = list(found.select_for_update().order_by("region"))
    covered(budgets, (region for region, money in by_region.items() if money))
    for budget in budgets:
        needed = sum(money for region, money in by_region.items() if lies_in(region, budget.region))
        if not needed:
            continue
        with refusing(
            "The ceiling of {region} leaves {left} rupiah; this decree needs {needed}.",
            region=budget.region or "Indonesia", left=budget.amount - budget.reserved, needed=needed,
        ):  # fmt: skip
            Budget.objects.filter(id=budget.id).update(reserved=F("reserved") + needed)
