"""Reads of the journal: the events of a subject or a case, what is sealed, which holds stop a stage, dead jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.utils.timezone import localdate

from salur.core.faults import Fault, InputError
from salur.journal.canonical import EventRow
from salur.journal.models import Event, Hold, Job, JobState, Seal

EVENTS_MOST = 1_000
JOBS_MOST = 1_000


# ---- events ----------------------------------------------------------------------------------------------


def events_of(subject: str, *, most: int = EVENTS_MOST) -> tuple[EventRow, ...]:
    """The events of a subject like "cycle:3", oldest first; of more than `most` the newest."""
    return _newest(Event.objects.filter(subject_ref=subject), most)


def events_of_case(case: str, *, most: int = EVENTS_MOST) -> tuple[EventRow, ...]:
    """The events of a case like "case:5", oldest first; of more than `most` the newest."""
    return _newest(Event.objects.filter(case=case).exclude(case=""), most)


def events_unsealed(*, most: int) -> tuple[EventRow, ...]:
    """The first events without a seal, in the order of their ids.

    There is no "sealed up to here": an event that commits late, with a lower id, is in the next answer.
    """
    return _rows(Event.objects.filter(sealed_in__isnull=True).order_by("id")[:most])


def events_unsealed_between(first: int, last: int) -> tuple[EventRow, ...]:
    """The events without a seal from one id to another, in the order of their ids."""
    return _rows(Event.objects.filter(sealed_in__isnull=True, id__range=(first, last)).order_by("id"))


def events_unsealed_count() -> int:
    return Event.objects.filter(sealed_in__isnull=True).count()


def events_of_seals(first: int, last: int) -> tuple[EventRow, ...]:
    """The events in a range of seals, in the order of seals and ids."""
    return _rows(Event.objects.filter(sealed_in__range=(first, last)).order_by("sealed_in", "id"))


def event_beyond_seals(last: int) -> EventRow | None:
    """An event that says it is in a seal outside 1 to `last`."""
    beyond = Event.objects.filter(Q(sealed_in__lt=1) | Q(sealed_in__gt=last)).order_by("sealed_in", "id")
    return next(iter(_rows(beyond[:1])), None)


def _newest(events: QuerySet[Event], most: int) -> tuple[EventRow, ...]:
    return _rows(events.order_by("-id")[:most])[::-1]


def _rows(events: QuerySet[Event]) -> tuple[EventRow, ...]:
    columns = ("id", "at", "actor", "subject_ref", "kind", "case", "detail", "salt", "sealed_in")
    return tuple(
        EventRow(id_, at, actor, subject, kind, case, text, bytes(salt).hex(), seal)
        for id_, at, actor, subject, kind, case, text, salt, seal in events.values_list(*columns)
    )


# ---- seals -----------------------------------------------------------------------------------------------


def last_seal() -> tuple[int, str] | None:
    """Number and digest of the last seal that the database knows."""
    return Seal.objects.order_by("-number").values_list("number", "sha256").first()


def digests_of_seals(first: int, last: int) -> dict[int, str]:
    return dict(Seal.objects.filter(number__range=(first, last)).values_list("number", "sha256"))


# ---- holds -----------------------------------------------------------------------------------------------


class Held(InputError):  # noqa: N818
    """A hold stops this stage. The sentence says why."""


@dataclass(frozen=True)
class HoldRow:
    id: int
    stage: str
    subject: str
    reason: str
    placed_by: str
    placed_at: datetime


def holds(stage: str, subject: str = "") -> tuple[HoldRow, ...]:
    """What stops a stage for a subject: open holds on the whole stage and on this subject, oldest first."""
    return _hold_rows(Hold.objects.filter(stage=stage, subject__in={"", subject}))


def holds_open() -> tuple[HoldRow, ...]:
    """Every open hold, oldest first."""
    return _hold_rows(Hold.objects.all())


def ask(stage: str, subject: str = "") -> None:
    """Every stage asks before it works. Raises Held with a sentence for each hold that stops it."""
    if stopped := holds(stage, subject):
        raise Held(
            Fault.of(
                "{stage} waits since {since}: {reason} A supervisor can lift the hold {hold}.",
                stage=hold.stage if not hold.subject else f"{hold.stage} ({hold.subject})",
                since=localdate(hold.placed_at),
                reason=hold.reason,
                hold=hold.id,
            )
            for hold in stopped
        )


def _hold_rows(found: QuerySet[Hold]) -> tuple[HoldRow, ...]:
    columns = ("id", "stage", "subject", "reason", "placed_by", "placed_at")
    return tuple(
        HoldRow(*row) for row in found.filter(lifted_at__isnull=True).order_by("id").values_list(*columns)
    )


# ---- jobs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobRow:
    """A job without its payload."""

    id: int
    kind: str
    state: str
    attempts: int
    next_at: datetime
    leased_until: datetime | None
    last_error: str
    created_at: datetime


def jobs(*, states: Iterable[str], most: int = JOBS_MOST) -> tuple[JobRow, ...]:
    """Jobs in these states, in the order in which they are due."""
    columns = ("id", "kind", "state", "attempts", "next_at", "leased_until", "last_error", "created_at")
    found = Job.objects.filter(state__in=list(states)).order_by("next_at", "id")
    return tuple(JobRow(*row) for row in found.values_list(*columns)[:most])


def job_state(job: int) -> str:
    """The state of a job; empty where there is no such job."""
    return Job.objects.filter(id=job).values_list("state", flat=True).first() or ""


def job_counts() -> dict[str, int]:
    """How many jobs are in each state."""
    counts = dict(Job.objects.values_list("state").annotate(Count("id")))
    return {state: counts.get(state, 0) for state in JobState.values}
