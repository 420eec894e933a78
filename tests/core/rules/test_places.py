"""Candidates ranked in memory, by the database and one after the other have the same places, and the same wait."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import closing
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.rules.soak import PROFILE, examples

from salur.core.rules import engines
from salur.core.rules.evaluate import Cutoff
from salur.core.rules.family_classes import _Candidates, _narrow

REGENCIES = ["35.10", "35.09", "35.73", "11.01"]
Row = tuple[int, str, int, int]  # unit_id, area, score, persons
Ranked = list[tuple[int, str, int, int, int]]
scores = st.integers(-(2**53), 2**53) | st.integers(0, 3)


@st.composite
def groups(draw: st.DrawFn) -> list[list[Row]]:
    """Groups of candidates, with scores of which many are the same."""
    units = draw(st.lists(st.integers(1, 2**53), unique=True, max_size=40))
    rows = [(unit, draw(st.sampled_from(REGENCIES)), draw(scores), draw(st.integers(1, 9))) for unit in units]
    size = draw(st.integers(1, 12))
    return [rows[first : first + size] for first in range(0, len(rows), size)]


def table(rows: list[Row], names: list[str]) -> pa.Table:
    unit, area, score, persons = zip(*rows, strict=True)
    codes = [names.index(each) + number % 2 * len(names) for number, each in enumerate(area)]
    areas = pa.DictionaryArray.from_arrays(
        pa.array(codes, pa.int32()), names * 2
    )  # as those of a province are
    return pa.table([unit, areas, score, persons], schema=engines.CANDIDATES)


def plainly(rows: list[Row]) -> Ranked:
    ranked = []
    for _, own in groupby(sorted(rows, key=lambda row: (row[1], row[2], row[0])), key=lambda row: row[1]):
        used = 0
        for place, (unit, area, score, persons) in enumerate(own, 1):
            used += persons
            ranked.append((unit, area, score, place, used))
    return ranked


@settings(max_examples=examples(60), **PROFILE)
@given(
    drawn=groups(),
    most=st.sampled_from([0, 5, 1000]),
    group=st.integers(1, 9),
    names=st.permutations(REGENCIES),
)
def test_in_memory_and_by_the_database_the_places_are_the_same(
    drawn: list[list[Row]], most: int, group: int, names: list[str]
) -> None:
    tables = [table(rows, names if number % 2 else REGENCIES) for number, rows in enumerate(drawn)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "CANDIDATES_AT_ONCE", most)
        patch.setattr(engines, "GROUP", group)
        with closing(engines.DuckDB(Path(folder))) as worker:
            found = pa.Table.from_batches(worker.ranked(iter(tables)), engines.RANKED)
        assert not list(Path(folder).glob("*.parquet"))
    assert [tuple(row.values()) for row in found.to_pylist()] == plainly(
        [row for rows in drawn for row in rows]
    )


@settings(max_examples=examples(60), **PROFILE)
@given(drawn=groups(), places=st.integers(0, 9))
def test_those_wait_who_come_after_the_last_who_was_served(drawn: list[list[Row]], places: int) -> None:
    ranked = plainly([row for rows in drawn for row in rows])
    served = defaultdict(list)
    for unit, area, score, place, _ in ranked:
        if place <= places:
            served[area].append((score, unit))
    cutoffs = {  # none where there are places for all
        area: Cutoff(closed=not places, score=last[0], unit_id=last[1])
        if len(served[area]) < sum(row[1] == area for row in ranked)
        else Cutoff(closed=False, score=None, unit_id=None)
        for area in REGENCIES
        for last in [(served[area] or [(None, None)])[-1]]
    }
    late = {unit for unit, _, _, place, _ in ranked if place > places}
    for rows in drawn:
        unit, area, score, _ = zip(*rows, strict=True)
        between = np.arange(len(rows)) * 2 + 1  # every second family is no candidate
        units = np.zeros(2 * len(rows) + 1, np.int64)
        units[between] = unit
        own = _Candidates(
            between.astype(np.int32),
            REGENCIES,
            np.array([REGENCIES.index(each) for each in area], np.int16),
            _narrow(np.array(score, np.int64)),
        )
        assert set(units[own.late(units, cutoffs)]) == late & set(unit)


@given(st.lists(st.integers(-(2**53), 2**53) | st.integers(-200, 200), max_size=5))
def test_numbers_are_narrowed_and_stay_the_same(numbers: list[int]) -> None:
    narrow = _narrow(np.array(numbers, np.int64))
    assert narrow.dtype.kind in "iu"
    assert narrow.tolist() == numbers
