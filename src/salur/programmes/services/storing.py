"""Decisions and the cases that they rest on, stored many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from salur.programmes import bulk
from salur.programmes.loading import LoadedCase, LoadedDecision
from salur.programmes.models import Cycle, Decision, FamilyCase


@transaction.atomic
def store(*, now: datetime, cycle: Cycle, chunk: Sequence[tuple[LoadedCase, list[LoadedDecision]]]) -> None:
    """Store families and their decisions, except those that an earlier run stored."""
    units = [d.unit_id for _, decisions in chunk for d in decisions]
    stored = set(
        Decision.objects.filter(cycle=cycle, unit_id__gte=min(units, default=0), unit_id__lte=max(units, default=0))
        .values_list("unit_id", flat=True)
    )  # fmt: skip
    case_ids = case_rows(cycle, [family for family, _ in chunk])
    others = Cycle.objects.filter(programme=cycle.programme, period=cycle.period).exclude(id=cycle.id)
    earlier = latest(cycle, units) if others.exists() else {}  # also of one that was cancelled
    rows = []
    for family, decisions in chunk:
        for d in decisions:
            if d.unit_id in stored:
                continue
            before_id, before_n = earlier.get(d.unit_id, (None, 0))
            rows.append(
                (cycle.id, cycle.programme, cycle.period, d.unit_id, d.family_id, d.region, d.village, before_n + 1,
                 *d.line, d.rank, case_ids[family.family_id], before_id, "supplement" if cycle.number else "cycle",
                 now, d.queue, d.distance)
            )  # fmt: skip
    bulk.insert(Decision, COLUMNS, rows)


COLUMNS = (
    "cycle_id", "programme", "period", "unit_id", "family_id", "region", "village", "n", "outcome", "failed",
    "unknown", "amount", "amount_most", "counts", "rank", "case_id", "supersedes_id", "cause", "decided_at",
    "queue", "distance",
)  # fmt: skip


def latest(cycle: Cycle, units: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The decision that stands for each unit in the period: its id and n."""
    found: dict[int, tuple[int, int]] = {}
    for start in range(0, len(units), 500):
        for unit_id, id_, n in (
            Decision.objects.filter(
                programme=cycle.programme, period=cycle.period, unit_id__in=units[start : start + 500]
            )
            .order_by("n")
            .values_list("unit_id", "id", "n")
        ):
            found[unit_id] = (id_, n)
    return found


def case_rows(cycle: Cycle, families: Sequence[LoadedCase]) -> dict[int, int]:
    """The rows of the families' cases, stored where they are not there yet: family id → row id."""
    ids: dict[tuple[int, bytes], int] = {}
    last: dict[int, int] = {}
    numbers = [family.family_id for family in families]
    if numbers:
        for family_id, id_, revision, sha256 in FamilyCase.objects.filter(
            population=cycle.population_id, family_id__gte=min(numbers), family_id__lte=max(numbers)
        ).values_list("family_id", "id", "revision", "sha256"):
            last[family_id] = max(revision, last.get(family_id, -1))
            ids[family_id, bytes(sha256)] = id_
    wanted = [each for family in families for each in (family.original, family) if each is not None]
    fresh = [each for each in wanted if (each.family_id, each.sha256) not in ids]
    if fresh:
        rows = []
        for id_, each in enumerate(fresh, start=bulk.reserve_ids(FamilyCase, len(fresh))):
            ids[each.family_id, each.sha256] = id_
            last[each.family_id] = revision = last.get(each.family_id, -1) + 1
            rows.append((id_, cycle.population_id, each.family_id, revision, each.sha256, each.body))
        bulk.insert(FamilyCase, ("id", "population_id", "family_id", "revision", "sha256", "body"), rows)
    return {family.family_id: ids[family.family_id, family.sha256] for family in families}
