"""One unit stopped, suspended or resumed."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.utils.timezone import localdate

from salur.access.policy import Actor, require
from salur.core.faults import InputError
from salur.journal.constraints import refusing
from salur.journal.services import record
from salur.programmes.models import Standing

STANDING_CAUSES = ("death", "moved", "own_wish", "investigation", "other")


@transaction.atomic
def standing_set(
    *, now: datetime, actor: Actor, programme: str, unit_id: int, region: str, kind: str, cause: str, since: date,
    case: str = "",
) -> int:  # fmt: skip
    """Stop or suspend one unit in a programme from a day on: death, a move, the own wish, an investigation.

    Between decree and payment this is what keeps money from going out. Nothing that was decided is changed.
    """
    require(actor, "programmes.standing_set", region, now=now)
    if kind not in Standing.Kind.values or cause not in STANDING_CAUSES:
        raise InputError.of(
            "A unit is stopped or suspended, because of one of {all}.", all=", ".join(STANDING_CAUSES)
        )
    if since > localdate(now):  # a decree lists whoever is not stopped today
        raise InputError.of("A unit is stopped from today or an earlier day on.")
    with refusing("This unit is stopped or suspended already."):
        standing = Standing.objects.create(
            programme=programme, unit_id=unit_id, region=region, kind=kind, cause=cause, since=since,
            set_by=actor.ref, set_at=now,
        )  # fmt: skip
    record(now=now, actor=actor.ref, kind=f"programmes.unit_{kind}", subject=f"unit:{unit_id}", case=case,
           detail={"programme": programme, "cause": cause, "since": since.isoformat()})  # fmt: skip
    return standing.id


@transaction.atomic
def standing_lift(*, now: datetime, actor: Actor, standing_id: int, case: str = "") -> None:
    """Resume a unit; by somebody other than who stopped or suspended it."""
    standing = Standing.objects.select_for_update().get(id=standing_id)
    require(actor, "programmes.standing_lift", standing.region, now=now)
    if standing.lifted_at is not None:
        return
    if standing.set_by == actor.ref:
        raise InputError.of("Who stopped a unit cannot resume it; somebody else must.")
    standing.lifted_by, standing.lifted_at = actor.ref, now
    standing.save(update_fields=["lifted_by", "lifted_at"])
    record(now=now, actor=actor.ref, kind="programmes.unit_resumed", subject=f"unit:{standing.unit_id}", case=case,
           detail={"programme": standing.programme})  # fmt: skip
