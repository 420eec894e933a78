"""Working days skip what is no working day; hours do not; a year that nobody knows is a sentence."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salur.cases.clock import WIB, WORKING_DAYS_MOST, Calendar, Span, Year, due, read, shipped
from salur.core.faults import InputError

# Ten years around a leap day, with invented holidays: what is tested is the counting.
INVENTED = Calendar(
    {
        year: Year(
            "", None, {date(year, month, day): "x" for month, day in [(1, 1), (2, 28), (3, 2), (12, 26)]}
        )
        for year in range(2023, 2033)
    }
)
BEGINNING = datetime(2023, 1, 1, tzinfo=UTC)
moments = st.integers(0, 8 * 365 * 86_400).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))
days = st.integers(1, 60)


@given(moments, days)
def test_due_in_the_last_second_of_a_working_day(at: datetime, count: int) -> None:
    until = due(at, Span(working_days=count), INVENTED)
    assert INVENTED.is_working(until.date())
    assert (until.hour, until.minute, until.second) == (23, 59, 59)
    assert until.utcoffset() == timedelta(hours=7)
    between = [at.astimezone(WIB).date() + timedelta(n) for n in range(1, (until - at).days + 2)]
    assert sum(INVENTED.is_working(day) for day in between if day <= until.date()) == count


@given(moments, days, days)
def test_more_days_are_later_and_days_add_up(at: datetime, one: int, two: int) -> None:
    first = due(at, Span(working_days=one), INVENTED)
    assert at < first < due(at, Span(working_days=one + 1), INVENTED)
    both = due(at, Span(working_days=one + two), INVENTED)
    assert due(first, Span(working_days=two), INVENTED) == both


@given(moments, moments, days)
def test_what_is_opened_later_is_not_due_earlier(one: datetime, two: datetime, count: int) -> None:
    assume(one <= two)
    assert due(one, Span(working_days=count), INVENTED) <= due(two, Span(working_days=count), INVENTED)
    assert due(two, Span(hours=count), INVENTED) - due(one, Span(hours=count), INVENTED) == two - one


@pytest.mark.parametrize(
    ("opened", "count", "expected"),
    [
        ("2026-11-20T10:00+07:00", 1, "2026-11-23"),  # Friday
        ("2026-11-21T10:00+07:00", 1, "2026-11-23"),  # Saturday
        ("2026-11-20T16:59+00:00", 1, "2026-11-23"),  # Friday, a minute before midnight in Jakarta
        ("2026-11-22T17:00+00:00", 1, "2026-11-24"),  # Monday, in Jakarta
        ("2026-12-23T10:00+07:00", 1, "2026-12-28"),  # joint leave, Christmas, week-end
        ("2026-12-31T10:00+07:00", 1, "2027-01-04"),  # New Year's Day is a Friday
        ("2026-03-17T10:00+07:00", 1, "2026-03-25"),  # Nyepi and Idulfitri with their joint leave
        ("2025-08-15T10:00+07:00", 1, "2025-08-19"),  # 18 August 2025 was added later
    ],
)
def test_the_real_calendar(opened: str, count: int, expected: str) -> None:
    until = due(datetime.fromisoformat(opened), Span(working_days=count), shipped())
    assert str(until.date()) == expected


def test_a_leap_day_counts() -> None:
    plain = Calendar({2028: Year("", None, {})})
    assert due(datetime(2028, 2, 28, tzinfo=WIB), Span(working_days=1), plain).date() == date(2028, 2, 29)


def test_three_times_24_hours_run_through_holidays_and_need_no_calendar() -> None:
    opened = datetime(2026, 12, 24, 12, 30, tzinfo=UTC)
    assert due(opened, Span(hours=72), Calendar({})) - opened == timedelta(hours=72)


def test_a_year_that_the_calendar_does_not_have_is_a_sentence() -> None:
    last = max(shipped().years)
    with pytest.raises(InputError, match=rf"holidays of {last + 1} are not known yet.*holidays\.toml"):
        due(datetime(last, 12, 31, tzinfo=WIB), Span(working_days=1), shipped())


@pytest.mark.parametrize(
    "wrong", [{}, {"working_days": 1, "hours": 1}, {"hours": -1}, {"working_days": WORKING_DAYS_MOST + 1}]
)
def test_a_span_is_one_thing(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a span has"):
        Span(**wrong)


def test_a_time_needs_its_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        due(datetime(2026, 1, 1), Span(hours=1), shipped())  # noqa: DTZ001


def test_the_shipped_years_have_as_many_days_as_the_decrees_say() -> None:
    """17 and 10 in 2025 with one added in August; 17 and 8 in 2026; 18 and 8 in 2027."""
    assert {year: len(known.holidays) for year, known in shipped().years.items()} == {
        2025: 28, 2026: 25, 2027: 26,
    }  # fmt: skip
    assert [year for year, known in shipped().years.items() if known.checked_on is None] == [2027]


@pytest.mark.parametrize("day", ["2027-01-01", "2026-01-02"])
def test_a_holiday_in_the_wrong_year_or_twice_is_refused_with_its_line(tmp_path: Path, day: str) -> None:
    file = tmp_path / "holidays.toml"
    file.write_text(
        'format = 1\n[[years]]\nyear = 2026\ndecree = "x"\n'
        f'national = [{{ on = 2026-01-02, name = "a" }}]\njoint_leave = [{{ on = {day}, name = "b" }}]\n'
    )
    with pytest.raises(
        InputError, match=rf"holidays\.toml:2: The holiday {day} stands twice or in the wrong"
    ):
        read(file)
