"""What tests of jobs share: a clock that is set by hand, and handlers that are forgotten afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from salur.journal import jobs


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 3, 11, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(autouse=True)
def _no_handlers() -> Iterator[None]:
    handlers, periods = dict(jobs.HANDLERS), dict(jobs.PERIODS)
    jobs.HANDLERS.clear()
    jobs.PERIODS.clear()
    yield
    jobs.HANDLERS.clear()
    jobs.PERIODS.clear()
    jobs.HANDLERS.update(handlers)
    jobs.PERIODS.update(periods)
