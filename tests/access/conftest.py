"""Officers for tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from salur.access import selectors, services
from salur.access.models import Officer
from salur.access.policy import SYSTEM, Actor

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_officer(*grants: tuple[str, str], now: datetime = NOW) -> Actor:
    """An officer with these (role, region), as the policy sees them."""
    officer = Officer.objects.create_user(f"officer{next(_numbers)}@example.go.id", "Sri")
    for role, region in grants:
        services.grant_give(now=now, actor=SYSTEM, officer=officer.id, role=role, region=region)
    return selectors.actor(officer.id, now=now)
