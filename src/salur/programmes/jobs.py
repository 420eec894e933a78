"""Work that takes longer than a page or follows it: deciding a cycle, deciding families again after a correction,
clearing away what a decree replaced, letting families open what was decreed, and simulating a draft."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings

from salur.access.policy import SYSTEM
from salur.journal.jobs import Retry, RunningJob, handler
from salur.people import keys
from salur.programmes import selectors, services
from salur.programmes.models import Cycle

LEASE_SECONDS = 900  # between two signs of life


@handler("programmes.decide", lease_seconds=LEASE_SECONDS, in_steps=True)
def decide(payload: dict[str, Any], *, now: datetime, job: RunningJob) -> None:
    """Decide an opened cycle. Run again it goes on where it stopped."""
    cycle = selectors.cycle(payload["cycle"])
    if cycle is None or cycle.state != Cycle.State.OPENED:
        return
    services.cycle_decide(
        now=now, actor=SYSTEM, cycle_id=cycle.id, work=settings.DECISIONS_FOLDER / f"cycle-{cycle.id}",
        checked=settings.DECISIONS_FOLDER / "checked", progress=lambda *_: job.renew(),
    )  # fmt: skip


@handler("programmes.decide_again")
def decide_again(payload: dict[str, Any], *, now: datetime) -> None:
    """Decide some families of a cycle again, unless it was decreed or cancelled meanwhile."""
    cycle = selectors.cycle(payload["cycle"])
    if cycle is not None and cycle.state == Cycle.State.DECIDED:
        services.decide_again(now=now, actor=SYSTEM, cycle_id=cycle.id, families=payload["families"])


@handler("programmes.decree_files")
def decree_files(payload: dict[str, Any], *, now: datetime) -> None:
    """Remove the files of a decree that were replaced. Run again it removes what is left."""
    services.decree_files_clear(now=now, actor=SYSTEM, cycle_id=payload["cycle"])


@handler("programmes.claim_codes", lease_seconds=LEASE_SECONDS, in_steps=True)
def claim_codes(payload: dict[str, Any], *, now: datetime) -> None:
    """Let the families of a signed decree open their decisions. Run again it issues what is missing."""
    services.claim_codes_issue(now=now, actor=SYSTEM, keys=keys.load(), cycle_id=payload["cycle"])


@handler("programmes.draft_run", retry=Retry(attempts_most=4), lease_seconds=LEASE_SECONDS, in_steps=True)
def draft_run(payload: dict[str, Any], *, now: datetime, job: RunningJob) -> None:
    """Simulate a draft. Run again it goes on where it stopped."""
    services.draft_run(
        now=now, actor=SYSTEM, run_id=payload["run"], attempt=payload["attempt"], renew=job.renew
    )
