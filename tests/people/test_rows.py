"""The second wall around the tables of people and cases: PostgreSQL shows an officer the rows of the own regions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from tests.programmes.conftest import NOW, officer

from salur.access import rows
from salur.access.policy import SYSTEM
from salur.cases import services as cases
from salur.people import services as people
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.models import Person
from salur.people.protect import Keys

REGIONS = ["35.10", "35.09", "36.01"]
TABLES = ["people_person", "people_family", "people_identifier", "people_membership", "cases_case"]


@pytest.fixture
def three(database: str, as_office: Callable[[], None]) -> str:
    """A family with a person and a case in each of three regions, put in by a role that is no superuser."""
    as_office()
    people.enrol(
        actor=SYSTEM, now=NOW, keys=Keys(1, {1: bytes(32)}), source="0" * 64, since=NOW.date(),
        families=[FamilyRow(i, region) for i, region in enumerate(REGIONS, start=1)],
        persons=[PersonRow(10 + i, i, "Sri", nik=f"351001150390{9000 + i}") for i in (1, 2, 3)],
    )  # fmt: skip
    for i, region in enumerate(REGIONS, start=1):
        cases.case_open(now=NOW, actor=SYSTEM, kind="review", subject=f"family:{i}", region=region)
    return database


def seen(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT region FROM {table} ORDER BY region")
        return [row[0] for row in cursor.fetchall()]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("region", "found"), [("35.10", ["35.10"]), ("35", ["35.09", "35.10"]), ("", sorted(REGIONS))]
)
def test_an_officer_sees_the_rows_of_the_own_regions(
    three: str, table: str, region: str, found: list[str]
) -> None:
    reviewer: Any = officer(2, "reviewer", region=region)
    with transaction.atomic(), rows.limited_to(reviewer, "access.read_log"):
        assert seen(table) == (found if three == "postgres" else sorted(REGIONS))


def test_a_row_of_another_region_cannot_be_written(three: str) -> None:
    reviewer = officer(2, "reviewer", region="35.10")
    with transaction.atomic(), rows.limited_to(reviewer, "access.read_log"):
        changed = Person.objects.filter(region="36.01").update(name="Budi")
    assert changed == (0 if three == "postgres" else 1)
