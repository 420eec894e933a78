"""One row a region and period of validity. What must hold is held by the database, not by this code.

A code may have several rows, one after the other: a new name or a return after retirement begins a new row.
"""

from __future__ import annotations

from datetime import date

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Left, Length
from django.db.models.lookups import Exact

from salur.regions.codes import CODE_LENGTH_MOST, Level

NAME_LENGTH_MOST = 100
# Valid "since before the first list we hold": the day of such a region's beginning is not known.
BEGINNING = date(1945, 8, 17)


def _level_fits(level: Level) -> Q:
    """The level says how long the code is, and its beginning is the parent's code."""
    parent_length = Level(level - 1).code_length if level > Level.PROVINCE else 0
    parent = Left("code", parent_length) if parent_length else Value("")
    return Q(Exact(Length("code"), Value(level.code_length)), level=int(level), parent=parent)


class Region(models.Model):
    code = models.CharField(max_length=CODE_LENGTH_MOST)
    level = models.PositiveSmallIntegerField(choices=[(int(level), level.title) for level in Level])
    name = models.CharField(max_length=NAME_LENGTH_MOST)
    parent = models.CharField(max_length=CODE_LENGTH_MOST, blank=True)
    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)  # exclusive; null: in force
    decree = models.CharField(max_length=200, blank=True)  # the list that brought this row

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "valid_from"], name="region_once_a_day"),
            models.UniqueConstraint(
                fields=["code"], condition=Q(valid_to__isnull=True), name="region_in_force_once"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="region_has_a_name"),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="region_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=_level_fits(Level.PROVINCE)
                | _level_fits(Level.REGENCY)
                | _level_fits(Level.DISTRICT)
                | _level_fits(Level.VILLAGE),
                name="region_level_and_parent_fit_code",
            ),
        ]
        indexes = [models.Index(fields=["parent", "code"], name="region_children")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
