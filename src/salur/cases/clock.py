"""Until when: working days and hours, from a calendar that says which days it does not know.

All of Indonesia has one clock here, WIB (Asia/Jakarta, UTC+7, no summer time), whichever of the three zones an office
is in: one promised date, the same on every page. In working days, the day of opening is not counted, and the case is
due in the last second of the last working day. Hours run on the wall, through nights and holidays: 3 × 24 hours from
Friday noon end on Monday noon.

>>> from datetime import UTC, datetime
>>> calendar = shipped()
>>> friday = datetime(2026, 12, 18, 9, 0, tzinfo=WIB)
>>> str(due(friday, Span(working_days=4), calendar))  # 24 and 25 December are holidays
'2026-12-28 23:59:59+07:00'
>>> str(due(friday, Span(hours=72), calendar))
'2026-12-21 09:00:00+07:00'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from salur.core import toml
from salur.core.faults import InputError

FILE = Path(__file__).with_name("holidays.toml")
WIB = ZoneInfo("Asia/Jakarta")
DAY = timedelta(days=1)
SATURDAY = 5
WORKING_DAYS_MOST = 250  # a year


@dataclass(frozen=True)
class Span:
    """A number of working days or of hours; exactly one of them."""

    working_days: int = 0
    hours: int = 0

    def __post_init__(self) -> None:
        if (self.working_days > 0) == (self.hours > 0) or min(self.working_days, self.hours) < 0:
            raise ValueError("a span has working days or hours, one or more")
        if self.working_days > WORKING_DAYS_MOST:
            raise ValueError(f"a span has at most {WORKING_DAYS_MOST} working days")


@dataclass(frozen=True)
class Year:
    """The closed days of a year with the decree that says so; `checked_on` is None where nobody compared them."""

    decree: str
    checked_on: date | None
    holidays: Mapping[date, str]


@dataclass(frozen=True)
class Calendar:
    years: Mapping[int, Year]

    def is_working(self, day: date) -> bool:
        """Raises InputError for a year that the calendar does not have."""
        year = self.years.get(day.year)
        if year is None:
            raise InputError.of(
                "The holidays of {year} are not known yet; add them to {file} from the ministers' decree.",
                year=day.year,
                file=FILE.name,
            )
        return day.weekday() < SATURDAY and day not in year.holidays


def due(opened_at: datetime, span: Span, calendar: Calendar) -> datetime:
    """Until when, in WIB. Raises ValueError for a time without zone, InputError for an unknown year."""
    if opened_at.tzinfo is None:
        raise ValueError("a time needs its zone")
    start = opened_at.astimezone(WIB)
    if span.hours:
        return start + timedelta(hours=span.hours)
    day = start.date()
    for _ in range(span.working_days):
        day += DAY
        while not calendar.is_working(day):
            day += DAY
    return datetime.combine(day, time(23, 59, 59), WIB)


def read(path: Path) -> Calendar:
    """A calendar from its TOML file. Raises InputError if a day stands in the wrong year or twice."""
    document = toml.read(path)
    years: dict[int, Year] = {}
    for position, row in enumerate(document.data["years"]):
        holidays: dict[date, str] = {}
        for holiday in [*row["national"], *row["joint_leave"]]:
            day = holiday["on"]
            if day.year != row["year"] or day in holidays:
                raise InputError.at(
                    path,
                    "The holiday {day} stands twice or in the wrong year.",
                    document.line("years", position),
                    day=day,
                )
            holidays[day] = holiday["name"]
        years[row["year"]] = Year(row["decree"], row.get("checked_on"), holidays)
    return Calendar(years)


@cache
def shipped() -> Calendar:
    """`holidays.toml`, read once."""
    return read(FILE)
