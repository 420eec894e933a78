"""What a code meant on a day: in force, retired or unknown, and never an error."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from salur.regions import selectors
from salur.regions.models import Region

pytestmark = pytest.mark.usefixtures("database")
START, END = date(2020, 1, 1), date(2023, 1, 1)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _regions(database: str) -> None:
    Region.objects.create(code="91", level=1, name="Papua", parent="", valid_from=START)
    Region.objects.create(code="91.01", level=2, name="Lama", parent="91", valid_from=START, valid_to=END)
    Region.objects.create(code="91.02", level=2, name="Satu", parent="91", valid_from=START, valid_to=END)
    Region.objects.create(code="91.02", level=2, name="Dua", parent="91", valid_from=END)


@pytest.mark.parametrize(
    ("code", "on", "status", "name"),
    [
        ("91.01", START - DAY, "unknown", None),
        ("91.01", START, "in_force", "Lama"),
        ("91.01", END - DAY, "in_force", "Lama"),
        ("91.01", END, "retired", None),
        ("91.02", END - DAY, "in_force", "Satu"),
        ("91.02", END, "in_force", "Dua"),
        ("99.99", END, "unknown", None),
        ("not a code", END, "unknown", None),
    ],
)
def test_a_code_on_a_day(code: str, on: date, status: str, name: str | None) -> None:
    assert selectors.region_status(code=code, on=on) == status
    region = selectors.region_get(code=code, on=on)
    assert (region.name if region else None) == name


def test_children_and_path_are_those_of_the_day() -> None:
    def names(on: date) -> list[str]:
        return [region.name for region in selectors.region_children(parent="91", on=on)]

    assert names(END - DAY) == ["Lama", "Satu"]
    assert names(END) == ["Dua"]
    assert [region.name for region in selectors.region_children(parent="", on=END)] == ["Papua"]
    assert [region.name for region in selectors.region_path(code="91.02", on=END)] == ["Papua", "Dua"]
    assert [region.name for region in selectors.region_history(code="91.02")] == ["Satu", "Dua"]
