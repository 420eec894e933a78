"""Officers and moments that tests of cases share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from salur.access.policy import Actor, Granted

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)  # a Monday, 10:00 in Jakarta
DAY = timedelta(days=1)


def officer(number: int, *grants: tuple[str, str]) -> Actor:
    return Actor(f"officer:{number}", tuple(Granted(role, region) for role, region in grants))


REVIEWER = officer(1, ("reviewer", "35.10"))
COLLEAGUE = officer(2, ("reviewer", "35"))
ELSEWHERE = officer(3, ("reviewer", "36"))
CLERK = officer(4, ("people_clerk", "35.10"))
SUPERVISOR = officer(5, ("supervisor", "35.10"))
CITIZEN = Actor("person:12")
