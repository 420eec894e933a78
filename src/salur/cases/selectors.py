"""Reads of cases, one query each: queues by pages, counts for an officer's home, a case with its history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db.models import Count, Q, QuerySet, Sum

from salur.cases.models import ACTIVE, Case
from salur.core.faults import InputError

PAGE_CASES = 50
SOON = timedelta(days=3)
Order = Literal["due", "age", "people"]
Regions = (
    Sequence[str] | None
)  # codes of provinces and regencies; None: the whole nation, also what has no region


@dataclass(frozen=True)
class Page:
    """Cases in their order; `next` is what to ask for as `after`, empty on the last page."""

    cases: list[Case]
    next: str


@dataclass(frozen=True)
class Counts:
    """Cases that are open or taken. `people` wait for them."""

    active: int
    overdue: int
    due_soon: int  # within three days from now, not overdue
    people: int


@dataclass(frozen=True)
class Entry:
    """One line of a case's history. `text` is what a person wrote."""

    at: datetime
    actor: str
    what: str
    text: str


def queue(
    *,
    roles: Collection[str],
    regions: Regions,
    order: Order = "due",
    officer_id: int | None = None,
    after: str = "",
    limit: int = PAGE_CASES,
) -> Page:
    """What waits for these roles in these regions: the soonest due, the oldest, or the most people first.

    `officer_id`: only what that officer took. Raises InputError for an `after` that no page gave.
    """
    waiting = _waiting(roles, regions)
    if officer_id is not None:
        waiting = waiting.filter(officer_id=officer_id)
    field = {"due": "due_at", "age": "opened_at", "people": "people"}[order]
    if after:
        value, id_ = _place(after, order)
        beyond = Q(people__lt=value) if order == "people" else Q(**{f"{field}__gt": value})
        waiting = waiting.filter(beyond | Q(**{field: value, "id__gt": id_}))
    found = list(waiting.order_by("-people" if order == "people" else field, "id")[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    if last is None:
        return Page(found, "")
    value = last.people if order == "people" else getattr(last, field).isoformat()
    return Page(found[:limit], f"{order}~{value}~{last.id}")


def counts(*, roles: Collection[str], regions: Regions, now: datetime) -> Counts:
    """How much waits for these roles in these regions."""
    row = _waiting(roles, regions).aggregate(
        active=Count("id"),
        overdue=Count("id", filter=Q(due_at__lt=now)),
        due_soon=Count("id", filter=Q(due_at__gte=now, due_at__lte=now + SOON)),
        people=Sum("people", default=0),
    )
    return Counts(**row)


def case(case_id: int) -> Case | None:
    return Case.objects.filter(id=case_id).first()


def history(case_id: int) -> list[Entry]:
    """From the opening on, oldest first; empty if there is no such case."""
    rows = Case.objects.filter(id=case_id).order_by("notes__id")
    entries: list[Entry] = []
    for opened_at, opened_by, at, actor, what, text in rows.values_list(
        "opened_at", "opened_by", "notes__at", "notes__actor", "notes__what", "notes__text"
    ):
        if not entries:
            entries.append(Entry(opened_at, opened_by, "opened", ""))
        if at is not None:
            entries.append(Entry(at, actor, what, text))
    return entries


def of_subject(subject: str) -> list[Case]:
    """Every case about a subject such as "person:12", the latest first."""
    return list(Case.objects.filter(subject=subject).order_by("-id"))


def _waiting(roles: Collection[str], regions: Regions) -> QuerySet[Case]:
    theirs = Q(owner_role__in=roles) | Q(escalates_to__in=roles, escalated_at__isnull=False)
    waiting = Case.objects.filter(theirs, state__in=ACTIVE)
    if regions is None:
        return waiting
    inside = Q(region__in=regions)
    for region in regions:
        inside |= Q(region__startswith=region + ".")
    return waiting.filter(inside)


def _place(after: str, order: Order) -> tuple[int | datetime, int]:
    """The value and the id after which a page begins."""
    try:
        given, value, id_ = after.split("~")
        place = int(value) if order == "people" else datetime.fromisoformat(value)
        if given != order or (isinstance(place, datetime) and place.tzinfo is None):
            raise ValueError(after)
        return place, int(id_)
    except ValueError:
        raise InputError.of("This page of the queue is not known; begin with the first one.") from None
