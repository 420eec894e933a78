"""What the worker does for cases: those that are late go to whom they escalate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from salur.cases.services import escalate_due
from salur.journal.jobs import every


@every(3600)("cases.escalate")
def escalate(payload: dict[str, Any], *, now: datetime) -> None:
    """Escalate every case whose time is up."""
    escalate_due(now=now)
