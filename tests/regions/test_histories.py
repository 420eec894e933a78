"""Whatever lists come in whatever order: periods never overlap, and the same list again changes nothing."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from django.db import connections

from salur.access.policy import SYSTEM
from salur.core.faults import InputError
from salur.regions import selectors, services
from salur.regions.lists import RegionList, Row
from salur.regions.models import BEGINNING, Region

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CODES = ["35", "35.10", "35.11", "36", "36.01", "36.01.01", "36.01.01.2001"]
DATES = [BEGINNING, *(date(year, 1, 1) for year in range(2018, 2026))]


def random_list(draw: random.Random, *, retired: bool) -> RegionList:
    listed = RegionList(file="random.csv")
    for line, code in enumerate(draw.sample(CODES, draw.randint(1, len(CODES))), start=2):
        valid_to = date(draw.randint(2018, 2025), 1, 1) if retired else None
        listed.rows[code] = Row(draw.choice(["Satu", "Dua"]), line, valid_to)
    return listed


def take(listed: RegionList, since: date, *, retired: bool, partial: bool) -> services.LoadResult:
    if retired:
        return services.regions_load_retired(now=NOW, actor=SYSTEM, listed=listed)
    return services.regions_load(now=NOW, actor=SYSTEM, listed=listed, valid_from=since, partial=partial)


@pytest.mark.parametrize("seed", range(5))
def test_random_lists_keep_the_history_whole(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(25):
        retired, partial = draw.random() < 0.2, draw.random() < 0.3
        listed, since = random_list(draw, retired=retired), draw.choice(DATES)
        first = take(listed, since, retired=retired, partial=partial)
        before = list(Region.objects.order_by("id").values_list())
        again = take(listed, since, retired=retired, partial=partial)
        assert list(Region.objects.order_by("id").values_list()) == before
        assert (again.added, again.renamed, again.retired) == (0, 0, 0)
        assert len(first.faults) == first.bad_rows
        assert_whole()
    for code in CODES:
        for on in DATES:
            found = [row for row in selectors.region_history(code=code) if valid(row, on)]
            assert selectors.region_get(code=code, on=on) == (found[0] if found else None)
            status = selectors.region_status(code=code, on=on)
            assert (status == selectors.RegionStatus.IN_FORCE) == bool(found)


def valid(row: Region, on: date) -> bool:
    return row.valid_from <= on and (row.valid_to is None or on < row.valid_to)


def assert_whole() -> None:
    """The rows of a code follow each other without overlap; only the last may be in force."""
    for one, two in pairwise(Region.objects.order_by("code", "valid_from")):
        if one.code == two.code:
            assert one.valid_to is not None, one
            assert one.valid_to <= two.valid_from, one


def test_a_load_waits_for_another_that_is_writing() -> None:
    listed = RegionList("list.csv", {"35": Row("a", 2)} | {f"35.{n:02}": Row("b", n) for n in range(99)})
    results: dict[str, services.LoadResult | Exception] = {}
    writing = threading.Event()

    def slow(done: int, total: int) -> None:
        writing.set()
        time.sleep(0.3)  # written, not yet committed

    def load(name: str, progress: services.Progress | None) -> None:
        try:
            results[name] = services.regions_load(now=NOW, actor=SYSTEM, listed=listed, progress=progress)
        except Exception as error:
            results[name] = error
        finally:
            connections.close_all()

    first = threading.Thread(target=load, args=("first", slow))
    second = threading.Thread(target=load, args=("second", None))
    first.start()
    assert writing.wait(10)
    second.start()
    first.join()
    second.join()
    assert results == {
        "first": services.LoadResult(added=100),
        "second": services.LoadResult(unchanged=100),
    }


def test_a_refused_list_changes_nothing() -> None:
    services.regions_load(
        now=NOW, actor=SYSTEM, listed=RegionList("a.csv", {code: Row("x", 2) for code in CODES})
    )
    before = list(Region.objects.order_by("id").values_list())
    with pytest.raises(InputError):
        services.regions_load(
            now=NOW,
            actor=SYSTEM,
            listed=RegionList("b.csv", {"37": Row("y", 2)}),
            valid_from=date(2026, 1, 1),
            retire_most=1,
        )
    assert list(Region.objects.order_by("id").values_list()) == before
