"""Handlers of jobs: which function does which kind of work, how often it is tried, what runs by the clock.

A room writes its handlers into its own `jobs.py`, which `salur work` finds:

    @handler("programmes.cycle_decide")
    def cycle_decide(payload: dict[str, Any], *, now: datetime) -> None: ...

    every(3600)("cases.escalate")       # a job without payload each hour; its handler stands beside it

A handler runs in one transaction with marking its job done: what it does to the database happens exactly once,
whatever is killed when. What it does elsewhere (a message, a file) may happen again, and must bear that.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from django.db import transaction

from salur.core.faults import InputError
from salur.journal import services
from salur.journal.services import ClaimedJob

Clock = Callable[[], datetime]
Function = TypeVar("Function", bound=Callable[..., None])
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Retry:
    """The n-th failure waits base × 2^(n-1) seconds, at most `most_seconds`; after the last attempt a job is dead.

    >>> [Retry().wait(n).total_seconds() for n in (1, 2, 3, 12)]
    [10.0, 20.0, 40.0, 3600.0]
    """

    base_seconds: int = 10
    most_seconds: int = 3_600
    attempts_most: int = 12  # with these figures it is given up after some five hours

    def wait(self, failures: int) -> timedelta:
        return timedelta(seconds=min(self.base_seconds * 2 ** (failures - 1), self.most_seconds))


@dataclass(frozen=True)
class Handler:
    """How jobs of one kind are run. With `in_steps` the function commits its own transactions."""

    function: Callable[..., None]
    retry: Retry
    lease: timedelta
    in_steps: bool
    wants_job: bool


HANDLERS: dict[str, Handler] = {}
PERIODS: dict[str, timedelta] = {}


def handler(
    kind: str, *, retry: Retry | None = None, lease_seconds: int = 60, in_steps: bool = False
) -> Callable[[Function], Function]:
    """Register a function `(payload, *, now)`, or `(payload, *, now, job)` with a RunningJob that can be renewed.

    A run that takes longer than its lease does not count: a longer one calls `job.renew()` now and then.
    With `in_steps` it runs outside a transaction: it commits its own steps, so that a long piece of work does not
    lock others out, and must bear being run again from the beginning.
    """

    def register(function: Function) -> Function:
        if kind in HANDLERS:
            raise ValueError(f"two handlers for {kind}")
        wants_job = "job" in inspect.signature(function).parameters
        lease = timedelta(seconds=lease_seconds)
        HANDLERS[kind] = Handler(function, retry or Retry(), lease, in_steps, wants_job)
        return function

    return register


def every(seconds: int) -> Callable[[str], Callable[[Function], Function]]:
    """Run a kind by the clock: `every(60)("room.name")`. What it returns registers the handler, if wanted."""

    def register(kind: str) -> Callable[[Function], Function]:
        PERIODS[kind] = timedelta(seconds=seconds)
        return handler(kind)

    return register


def plan(*, now: datetime) -> None:
    """See to it that each periodic kind has its job. One job a kind is used again and again; a dead one is replaced."""
    for kind in PERIODS:
        services.enqueue(now=now, kind=kind, key=_key(kind))


def _key(kind: str) -> str:
    return f"every:{kind}"


class LeaseLost(RuntimeError):  # noqa: N818
    """Somebody else may have this job by now; whatever was done for it is rolled back."""


@dataclass(frozen=True)
class RunningJob:
    """What a handler may know of its own job."""

    claimed: ClaimedJob
    lease: timedelta
    clock: Clock

    @property
    def id(self) -> int:
        return self.claimed.id

    def renew(self) -> None:
        """Lease the job for longer, from now. Raises LeaseLost if that is too late.

        Inside the handler's transaction others see it only at its end; until then the row is locked, and a claim
        passes it by (PostgreSQL) or waits (SQLite).
        """
        now = self.clock()
        if not services.job_renew(now=now, job=self.claimed, leased_until=now + self.lease):
            raise LeaseLost


@dataclass(frozen=True)
class Outcome:
    """`result`: done, failed (it will be tried again), dead, lost (somebody else may have it)."""

    job: ClaimedJob
    result: str
    error: str = ""


def run(job: ClaimedJob, *, clock: Clock) -> Outcome:
    """Run one claimed job to its end, good or bad."""
    how, now = HANDLERS[job.kind], clock()
    if job.attempts >= how.retry.attempts_most:  # the last worker of each attempt was lost
        services.job_fail(now=now, job=job, error="Its worker was lost in the last attempt.", again_at=None)
        return Outcome(job, "dead", "lost worker")
    if not services.job_start(now=now, job=job, leased_until=now + how.lease):
        return Outcome(job, "lost")
    try:
        if how.in_steps:
            _call(how, job, now, clock)
            _finish(job, clock)
        else:
            with transaction.atomic():
                _call(how, job, now, clock)
                _finish(job, clock)
    except LeaseLost:
        return Outcome(job, "lost")
    except Exception as error:
        return _failed(job, how.retry, clock(), without_persons(error))
    return Outcome(job, "done")


def _call(how: Handler, job: ClaimedJob, now: datetime, clock: Clock) -> None:
    more = {"job": RunningJob(job, how.lease, clock)} if how.wants_job else {}
    how.function(job.payload, now=now, **more)


def _finish(job: ClaimedJob, clock: Clock) -> None:
    now = clock()
    period = PERIODS.get(job.kind) if job.key == _key(job.kind) else None
    if not services.job_finish(now=now, job=job, again_at=now + period if period else None):
        raise LeaseLost


def _failed(job: ClaimedJob, retry: Retry, now: datetime, error: str) -> Outcome:
    failures = job.attempts + 1
    again_at = now + retry.wait(failures) if failures < retry.attempts_most else None
    if not services.job_fail(now=now, job=job, error=error, again_at=again_at):
        return Outcome(job, "lost", error)
    return Outcome(job, "failed" if again_at else "dead", error)


def without_persons(error: Exception) -> str:
    """What happened and where, for a screen. A library may quote a name or a number: its words are left out.

    >>> without_persons(InputError.of("The account {account} is closed.", account="1234567890"))
    'InputError: The account {account} is closed.'
    >>> without_persons(ValueError("Siti Aminah has no village"))
    'ValueError'
    """
    name = type(error).__name__
    if isinstance(error, InputError):
        return f"{name}: " + " ".join(fault.template for fault in error.faults)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(_PACKAGE):
            return f"{name} in {Path(frame.filename).relative_to(_PACKAGE.parent)}:{frame.lineno}"
    return name
