"""The database itself refuses a region that cannot be."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from salur.regions.models import Region

GOOD: dict[str, Any] = {
    "code": "35.10.01", "level": 3, "name": "Pesanggaran", "parent": "35.10", "valid_from": date(2025, 1, 1),
}  # fmt: skip


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"valid_to": date(2025, 1, 1)},
        {"level": 2},
        {"level": 5},
        {"parent": "35.11"},
        {"parent": ""},
        {"code": "35.10.1", "parent": "35.10"},
        {"code": "35", "level": 1},
    ],
)
def test_a_row_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Region.objects.create(**GOOD | wrong)
    Region.objects.create(**GOOD)


@pytest.mark.usefixtures("database")
def test_a_code_is_in_force_once_and_begins_once_a_day() -> None:
    Region.objects.create(**GOOD)
    with pytest.raises(IntegrityError), transaction.atomic():
        Region.objects.create(**GOOD | {"valid_from": date(2026, 1, 1)})
    with pytest.raises(IntegrityError), transaction.atomic():
        Region.objects.create(**GOOD | {"valid_to": date(2025, 2, 1)})
    Region.objects.create(**GOOD | {"valid_from": date(2024, 1, 1), "valid_to": date(2025, 1, 1)})


@pytest.mark.usefixtures("database")
def test_the_models_have_no_change_without_a_migration() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
