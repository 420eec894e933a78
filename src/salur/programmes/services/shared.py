"""What the services of this room share: finding and locking rows, and taking a duty."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from django.db.models import Model

from salur.access.policy import Actor, lies_in, require
from salur.core.faults import InputError
from salur.journal.constraints import refusing
from salur.programmes.models import Budget, Cycle, Duty

M = TypeVar("M", bound=Model)
Progress = Callable[[str, int, int], None]  # stage, done, of how many
CHUNK = 10_000  # families stored in one transaction
REASON_LENGTH_LEAST = 10


def one(model: type[M], id_: int) -> M:
    found = model._default_manager.filter(pk=id_).first()
    if found is None:
        raise InputError.of("There is no {what} with the number {id}.", what=model._meta.verbose_name, id=id_)
    return found


def locked(cycle_id: int) -> Cycle:
    """The cycle, with everybody else who writes to it waiting."""
    cycle = Cycle.objects.select_for_update().filter(id=cycle_id).first()
    if cycle is None:
        raise InputError.of("There is no {what} with the number {id}.", what="cycle", id=cycle_id)
    return cycle


def require_everywhere(actor: Actor, action: str, cycle: Cycle, now: datetime) -> None:
    for region in cycle.regions:
        require(actor, action, region, now=now)


def covered(budgets: Iterable[Budget], regions: Iterable[str]) -> None:
    """Raises InputError if a regency has no ceiling: money is spent below one only."""
    held = list(budgets)
    for region in regions:
        if not any(lies_in(region, budget.region) for budget in held):
            raise InputError.of(
                "{region} has no ceiling for this programme and period; set one first.", region=region
            )


def take_duty(*, now: datetime, actor: Actor, cycle_id: int, duty: str) -> None:
    """Take a duty in a cycle. An officer has one: the second is refused, by the database too."""
    held = Duty.objects.filter(cycle_id=cycle_id, officer=actor.ref).values_list("duty", flat=True).first()
    if held == duty:
        return
    with refusing("In one cycle an officer opens, reviews or signs: only one of the three, and one signs."):
        Duty.objects.create(cycle_id=cycle_id, officer=actor.ref, duty=duty, since=now)
