"""The only code that writes to the journal: events and their seals, jobs, holds.

Claiming, renewing and ending a job, and marking events with their seal, are no acts of anybody: they write no event
of their own. That a job was given up, or begun again by an operator, is one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet

from salur.access.policy import Actor, require
from salur.core import numbers
from salur.core.faults import InputError
from salur.journal.canonical import canonical
from salur.journal.models import (
    DETAIL_LENGTH_MOST,
    ERROR_LENGTH_MOST,
    PAYLOAD_LENGTH_MOST,
    REASON_LENGTH_MOST,
    SALT_BYTES,
    Event,
    Hold,
    Job,
    JobState,
    Seal,
)

MARKS_AT_ONCE = 5_000  # databases limit the values of one statement

# ---- events ----------------------------------------------------------------------------------------------


def record(
    *,
    now: datetime,
    actor: str,
    kind: str,
    subject: str = "",
    case: str = "",
    detail: Mapping[str, object] | None = None,
) -> int:
    """Write one event in the transaction of the act that it tells of; returns its id.

    `actor`, `subject` and `case` are references like "officer:7", "cycle:3", "case:5". `detail` holds ids, counts,
    sums of rupiah and digests. Raises RuntimeError outside a transaction, ValueError if the detail is too long.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs to the transaction of its act")
    event = Event.objects.create(
        at=now,
        actor=actor,
        subject_ref=subject,
        kind=kind,
        case=case,
        detail=_text(detail, f"the detail of {kind}", DETAIL_LENGTH_MOST),
        salt=secrets.token_bytes(SALT_BYTES),
    )
    return event.id


@transaction.atomic
def events_mark(*, ids: Sequence[int], seal: int, sha256: str) -> None:
    """Mark the events that the line `seal` of the seal file holds, after the line is safe on the disk.

    Raises RuntimeError if one of them is marked already, IntegrityError if the seal is known already.
    """
    Seal.objects.create(number=seal, sha256=sha256)
    marked = sum(
        Event.objects.filter(id__in=ids[start : start + MARKS_AT_ONCE], sealed_in__isnull=True).update(
            sealed_in=seal
        )
        for start in range(0, len(ids), MARKS_AT_ONCE)
    )
    if marked != len(ids):
        raise RuntimeError(f"seal {seal} holds {len(ids)} events, but only {marked} were waiting for it")


# ---- jobs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClaimedJob:
    """A job that this worker may begin; `lease` proves it."""

    id: int
    kind: str
    payload: dict[str, Any]
    key: str
    attempts: int
    lease: int


@transaction.atomic
def enqueue(
    *,
    now: datetime,
    kind: str,
    payload: Mapping[str, object] | None = None,
    key: str = "",
    not_before: datetime | None = None,
) -> int | None:
    """Write a job, in the transaction that wants it done; returns its id.

    `payload` holds ids, as the detail of an event does. With a `key` it returns None and writes nothing if a job of
    that key waits, runs or is done. Raises ValueError if the payload is too long.
    """
    text = _text(payload, f"the payload of {kind}", PAYLOAD_LENGTH_MOST)
    job = Job(kind=kind, payload=text, key=key, next_at=not_before or now, created_at=now)
    fields = [field for field in Job._meta.local_concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(getattr(job, field.attname), connection) for field in fields]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO journal_job ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING id",
            values,
        )
        row = cursor.fetchone()
    return row[0] if row else None


@transaction.atomic
def jobs_claim(
    *, now: datetime, kinds: Sequence[str], most: int, leased_until: datetime
) -> tuple[ClaimedJob, ...]:
    """Take up to `most` jobs that are due, or whose worker lost its lease, in one statement.

    The rows are chosen in a WITH that is computed once: PostgreSQL may run a subquery with LIMIT and SKIP LOCKED
    several times in one UPDATE and then takes too many (its bug 15715).
    """
    if not kinds:
        return ()
    lock = "FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else ""
    time, until = (connection.ops.adapt_datetimefield_value(at) for at in (now, leased_until))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH due AS MATERIALIZED (
                SELECT id FROM journal_job
                WHERE state IN ('ready', 'running') AND next_at <= %s
                  AND (state = 'ready' OR leased_until <= %s)
                  AND kind IN ({", ".join(["%s"] * len(kinds))})
                ORDER BY next_at, id LIMIT %s {lock}
            )
            UPDATE journal_job SET state = 'running', lease = lease + 1, leased_until = %s
            WHERE id IN (SELECT id FROM due)
            RETURNING next_at, id, kind, payload, key, attempts, lease
            """,
            [time, time, *kinds, most, until],
        )
        rows = sorted(cursor.fetchall())
    return tuple(
        ClaimedJob(id_, kind, json.loads(payload), key, attempts, lease)
        for _, id_, kind, payload, key, attempts, lease in rows
    )


def job_start(*, now: datetime, job: ClaimedJob, leased_until: datetime) -> bool:
    """Count an attempt and lease the job anew; False: the lease is lost and somebody else may have it.

    Counted here and not when it is claimed: if a worker is killed by one job, those that it had claimed beside
    are not to blame.
    """
    return _leased(job, now).update(attempts=F("attempts") + 1, leased_until=leased_until) == 1


def job_renew(*, now: datetime, job: ClaimedJob, leased_until: datetime) -> bool:
    """Lease the job for longer; False: the lease is lost."""
    return _leased(job, now).update(leased_until=leased_until) == 1


def job_finish(*, now: datetime, job: ClaimedJob, again_at: datetime | None = None) -> bool:
    """The job is done, or ready to be run again at `again_at`; False: the lease is lost and nothing is written."""
    if again_at is None:
        return (
            _leased(job, now).update(state=JobState.DONE, leased_until=None, ended_at=now, last_error="") == 1
        )
    ready = _leased(job, now).update(
        state=JobState.READY, leased_until=None, next_at=again_at, attempts=0, last_error=""
    )
    return ready == 1


@transaction.atomic
def job_fail(*, now: datetime, job: ClaimedJob, error: str, again_at: datetime | None) -> bool:
    """An attempt failed: the job waits until `again_at`, or is dead. False: somebody else has it by now.

    `error` names no person; it is cut at 500 characters.
    """
    mine = Job.objects.filter(id=job.id, lease=job.lease, state=JobState.RUNNING)
    error = error[:ERROR_LENGTH_MOST]
    if again_at is not None:
        ready = mine.update(state=JobState.READY, leased_until=None, next_at=again_at, last_error=error)
        return ready == 1
    if not mine.update(state=JobState.DEAD, leased_until=None, ended_at=now, last_error=error):
        return False
    record(
        now=now, actor="system", kind="journal.job_died", subject=f"job:{job.id}", detail={"kind": job.kind}
    )
    return True


def jobs_release(*, jobs: Iterable[ClaimedJob]) -> None:
    """Give back jobs that were claimed and not begun, when a worker stops."""
    for job in jobs:
        Job.objects.filter(id=job.id, lease=job.lease, state=JobState.RUNNING).update(
            state=JobState.READY, leased_until=None
        )


@transaction.atomic
def job_retry(*, now: datetime, actor: Actor, job: int) -> None:
    """Begin a dead job again, with all its attempts. Raises InputError if it is not dead."""
    require(actor, "journal.job_retry", now=now)
    dead = Job.objects.filter(id=job, state=JobState.DEAD)
    try:
        with transaction.atomic():
            ready = dead.update(state=JobState.READY, attempts=0, next_at=now, ended_at=None)
    except IntegrityError:
        raise InputError.of(
            "Another job has taken the place of job {job}; there is nothing to do.", job=job
        ) from None
    if not ready:
        raise InputError.of("There is no dead job {job}.", job=job)
    record(now=now, actor=actor.ref, kind="journal.job_retried", subject=f"job:{job}")


def _leased(job: ClaimedJob, now: datetime) -> QuerySet[Job]:
    """The job, if this lease on it is the last one and has not run out."""
    return Job.objects.filter(id=job.id, lease=job.lease, state=JobState.RUNNING, leased_until__gt=now)


# ---- holds -----------------------------------------------------------------------------------------------


@transaction.atomic
def hold_place(*, now: datetime, actor: Actor, stage: str, reason: str, subject: str = "") -> int:
    """Stop a stage, as a whole or for one subject, until the hold is lifted; returns the hold's id."""
    require(actor, "journal.hold_place", now=now)
    if not 0 < len(reason.strip()) <= REASON_LENGTH_MOST:
        raise InputError.of("A hold needs a reason of 1 to {most} characters.", most=REASON_LENGTH_MOST)
    numbers.refuse(reason)
    hold = Hold.objects.create(
        stage=stage, subject=subject, reason=reason.strip(), placed_by=actor.ref, placed_at=now
    )
    _record_hold(now, actor, "journal.hold_placed", hold)
    return hold.id


@transaction.atomic
def hold_lift(*, now: datetime, actor: Actor, hold: int) -> None:
    """Let the stage go on. Raises InputError if there is no such open hold."""
    require(actor, "journal.hold_lift", now=now)
    if not Hold.objects.filter(id=hold, lifted_at__isnull=True).update(lifted_by=actor.ref, lifted_at=now):
        raise InputError.of("There is no open hold {hold}.", hold=hold)
    _record_hold(now, actor, "journal.hold_lifted", Hold.objects.get(id=hold))


def _record_hold(now: datetime, actor: Actor, kind: str, hold: Hold) -> None:
    subject, detail = hold.subject or f"hold:{hold.id}", {"hold": hold.id, "stage": hold.stage}
    record(now=now, actor=actor.ref, kind=kind, subject=subject, detail=detail)


def _text(values: Mapping[str, object] | None, what: str, most: int) -> str:
    text = canonical(dict(values or {}))
    if len(text) > most:
        raise ValueError(f"{what} is longer than {most} characters")
    return text
