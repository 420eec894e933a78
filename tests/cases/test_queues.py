"""Queues and counts are what a plain filter over all cases gives, page by page, in one query each."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.cases.people import DAY, NOW, officer

from salur.access.policy import SYSTEM
from salur.cases import selectors, services
from salur.cases.models import Case
from salur.core.faults import InputError

pytestmark = pytest.mark.usefixtures("database")
ROLES = ["reviewer", "people_clerk", "supervisor", "auditor", "operator"]
REGIONS = ["", "35", "35.10", "35.11", "36.01"]
KINDS = ["missing_fact", "review", "objection", "returned_payment", "data_breach"]
EVERYONE = officer(1, *((role, "") for role in ROLES))


def some_cases(draw: random.Random, count: int = 60) -> None:
    for number in range(count):
        case = services.case_open(
            now=NOW + draw.randint(0, 3) * DAY, actor=SYSTEM, kind=draw.choice(KINDS), subject=f"person:{number}",
            region=draw.choice(REGIONS), people=draw.randint(1, 4),
        )  # fmt: skip
        if draw.random() < 0.4:
            services.case_take(now=NOW + 3 * DAY, actor=EVERYONE, case=case)
            if draw.random() < 0.5:
                services.case_close(now=NOW + 3 * DAY, actor=EVERYONE, case=case, outcome="upheld")
    services.escalate_due(now=NOW + 12 * DAY)


def expected(roles: list[str], regions: list[str] | None) -> list[Case]:
    def inside(region: str) -> bool:
        return regions is None or any(region == r or region.startswith(r + ".") for r in regions)

    return [
        case
        for case in Case.objects.all()
        if case.state in ("open", "taken")
        and inside(case.region)
        and (case.owner_role in roles or (case.escalated_at is not None and case.escalates_to in roles))
    ]


def keys(order: str, case: Case) -> tuple[Any, int]:
    return {"due": case.due_at, "age": case.opened_at, "people": -case.people}[order], case.id


@pytest.mark.parametrize("seed", range(2))
def test_pages_give_every_case_once_and_in_order(seed: int) -> None:
    draw = random.Random(seed)
    some_cases(draw)
    for _ in range(25):
        roles = draw.sample(ROLES, draw.randint(0, 3))
        regions = draw.choice([None, draw.sample(REGIONS[1:], draw.randint(0, 2))])
        order = draw.choice(["due", "age", "people"])
        found: list[Case] = []
        after = ""
        while True:
            page = selectors.queue(roles=roles, regions=regions, order=order, after=after, limit=7)  # type: ignore[arg-type]
            assert len(page.cases) <= 7
            found += page.cases
            after = page.next
            if not after:
                break
            assert len(page.cases) == 7
        wanted = sorted(expected(roles, regions), key=lambda case: keys(order, case))
        assert [case.id for case in found] == [case.id for case in wanted]
        now = NOW + draw.randint(0, 20) * DAY
        counts = selectors.counts(roles=roles, regions=regions, now=now)
        assert counts.active == len(wanted)
        assert counts.people == sum(case.people for case in wanted)
        assert counts.overdue == sum(case.due_at < now for case in wanted)
        assert counts.due_soon == sum(now <= case.due_at <= now + 3 * DAY for case in wanted)


def test_a_case_that_comes_between_two_pages_moves_none_of_the_others() -> None:
    def add(number: int, due_at: datetime) -> int:
        return services.case_open(
            now=NOW, actor=SYSTEM, kind="review", subject=f"person:{number}", region="35.10", due_at=due_at
        )

    ids = [add(number, NOW + (number + 1) * DAY) for number in range(6)]
    first = selectors.queue(roles=["reviewer"], regions=None, limit=3)
    add(99, NOW + DAY / 2)
    services.case_close(now=NOW, actor=SYSTEM, case=ids[2], outcome="upheld")
    second = selectors.queue(roles=["reviewer"], regions=None, limit=3, after=first.next)
    assert [case.id for case in first.cases + second.cases] == ids


def test_what_an_officer_took() -> None:
    some_cases(random.Random(1), 10)
    mine = selectors.queue(roles=ROLES, regions=None, officer_id=1)
    assert {case.officer_id for case in mine.cases} == {1}
    assert selectors.queue(roles=ROLES, regions=None, officer_id=2).cases == []


def test_a_page_that_no_queue_gave_is_a_sentence() -> None:
    for after in ["x", "due~x~1", "due~2026-01-01~1", "age~2026-01-01T00:00:00+00:00~1", "due~1"]:
        with pytest.raises(InputError, match="begin with the first one"):
            selectors.queue(roles=ROLES, regions=None, after=after)


def test_each_is_one_query() -> None:
    some_cases(random.Random(2), 8)
    first = Case.objects.order_by("id")[0].id
    for read in (
        lambda: selectors.queue(roles=ROLES, regions=["35"], order="people"),
        lambda: selectors.counts(roles=ROLES, regions=["35"], now=NOW),
        lambda: selectors.case(first),
        lambda: selectors.history(first),
        lambda: selectors.of_subject("person:1"),
    ):
        with CaptureQueriesContext(connection) as queries:
            read()
        assert len(queries) == 1
