"""`salur work`: seals the journal each second and runs the jobs that are due, until it is asked to stop.

Several may run beside each other, on one machine or many (with PostgreSQL); the seals belong to one machine's file.
Each job ends as one line of the log, without its payload.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import Error, close_old_connections, connection
from django.utils.module_loading import autodiscover_modules

from salur.journal import jobs, sealer, services
from salur.journal.jobs import Clock, Outcome
from salur.journal.sealer import Alarm

TICK_SECONDS = 1.0
PLAN_EVERY = timedelta(minutes=1)
CLAIMED_MOST = 10  # by one worker at once
CLAIMED_FOR = timedelta(minutes=1)  # until they are begun
WORKERS_MOST = 32

log = logging.getLogger("salur.work")


def discover() -> None:
    """Import the `jobs` module of every room."""
    autodiscover_modules("jobs")


def work(
    *, workers: int, once: bool, seals: Path | None, clock: Clock, asked_to_stop: Callable[[], bool]
) -> None:
    """Work until asked to stop; `once`: until nothing is due. Without `seals`, the file, nothing is sealed.

    Faults of the database and of the file are logged and tried again; with `once` they are raised.
    """
    stop = threading.Event()
    chores = _Chores(seals, clock, patient=not once)
    chores.run()
    with ThreadPoolExecutor(workers) as pool:
        threads = [pool.submit(_run_jobs, clock, stop, once) for _ in range(workers)]
        try:
            while not asked_to_stop():
                done, running = wait(threads, timeout=TICK_SECONDS, return_when=FIRST_EXCEPTION)
                if not running or any(thread.exception() for thread in done):
                    break
                chores.run()
        finally:
            stop.set()  # each ends its job and gives back what it has not begun
    for thread in threads:
        thread.result()
    chores.run()


@dataclass
class _Chores:
    """What is done by the clock, beside the jobs."""

    seals: Path | None
    clock: Clock
    patient: bool
    plan_at: datetime | None = None
    told: str = ""

    def run(self) -> None:
        close_old_connections()
        try:
            now = self.clock()
            if self.plan_at is None or now >= self.plan_at:
                jobs.plan(now=now)
                self.plan_at = now + PLAN_EVERY
            if self.seals is not None:
                sealer.seal(now=now, file=self.seals)
            self.told = ""
        except (Error, OSError, RuntimeError, Alarm) as error:
            if not self.patient:
                raise
            said = str(error) if isinstance(error, Alarm) else jobs.without_persons(error)
            if said != self.told:  # once, not each second
                log.error("not sealed", extra={"error": said})
            self.told = said


def _run_jobs(clock: Clock, stop: threading.Event, once: bool) -> None:
    """One worker, on a thread and a connection of its own."""
    try:
        while not stop.is_set():
            close_old_connections()
            try:
                found = run_due(clock=clock, stopped=stop.is_set)
            except Error as error:
                if once:
                    raise
                log.error("the database failed", extra={"error": jobs.without_persons(error)})
                found = False
            if not found and once:
                return
            if not found:
                stop.wait(TICK_SECONDS)
    finally:
        connection.close()


def run_due(*, clock: Clock, stopped: Callable[[], bool]) -> bool:
    """Claim a few jobs and run them one after the other; False if nothing was due."""
    now = clock()
    claimed = services.jobs_claim(
        now=now, kinds=sorted(jobs.HANDLERS), most=CLAIMED_MOST, leased_until=now + CLAIMED_FOR
    )
    for position, job in enumerate(claimed):
        if stopped():
            services.jobs_release(jobs=claimed[position:])
            break
        began = time.perf_counter()
        _tell(jobs.run(job, clock=clock), time.perf_counter() - began)
    return bool(claimed)


def _tell(outcome: Outcome, seconds: float) -> None:
    job = outcome.job
    more = {"job": job.id, "kind": job.kind, "attempt": job.attempts + 1, "ms": round(seconds * 1_000)}
    if outcome.error:
        more["error"] = outcome.error
    level = {"done": logging.INFO, "dead": logging.ERROR}.get(outcome.result, logging.WARNING)
    log.log(level, outcome.result, extra=more)
