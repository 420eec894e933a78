"""Reads of regions. A code that is unknown or retired is an answer here, never an error."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from django.db.models import Q, QuerySet

from salur.regions.models import Region


class RegionStatus(StrEnum):
    IN_FORCE = "in_force"
    RETIRED = "retired"  # it was in force before that day
    UNKNOWN = "unknown"  # no list that we hold carries it on or before that day


def _valid_on(on: date) -> Q:
    return Q(valid_from__lte=on) & (Q(valid_to__isnull=True) | Q(valid_to__gt=on))


def region_get(*, code: str, on: date) -> Region | None:
    """The region that the code named on that day."""
    return Region.objects.filter(_valid_on(on), code=code).first()


def region_children(*, parent: str, on: date) -> QuerySet[Region]:
    """The regions directly below, in the order of their codes; an empty parent gives the provinces."""
    return Region.objects.filter(_valid_on(on), parent=parent).order_by("code")


def region_path(*, code: str, on: date) -> list[Region]:
    """The province, regency, district and village that lead to a code, as far as they were in force."""
    lengths = [length for length in (2, 5, 8, 13) if length <= len(code)]
    return list(
        Region.objects.filter(_valid_on(on), code__in=[code[:length] for length in lengths]).order_by("code")
    )


def region_history(*, code: str) -> list[Region]:
    """Every row of a code, oldest first."""
    return list(Region.objects.filter(code=code).order_by("valid_from"))


def region_status(*, code: str, on: date) -> RegionStatus:
    rows = list(Region.objects.filter(code=code, valid_from__lte=on).values_list("valid_to", flat=True))
    if any(valid_to is None or valid_to > on for valid_to in rows):
        return RegionStatus.IN_FORCE
    return RegionStatus.RETIRED if rows else RegionStatus.UNKNOWN
