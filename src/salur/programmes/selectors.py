"""Reads of the programmes. Whoever shows a person's record asks `access` first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.timezone import localdate

from salur.access.rows import everywhere, fetch_of_family
from salur.core import rules
from salur.core.rules.cases import from_json, to_json
from salur.core.rules.evaluate import noted_cutoffs
from salur.core.rules.rows import parquet
from salur.people.overlay import Corrected, overlay
from salur.programmes import bodies, books
from salur.programmes.loading import QUEUES
from salur.programmes.models import (
    Budget,
    Ceiling,
    Cycle,
    Decision,
    Decree,
    Duty,
    Population,
    Review,
    RulebookVersion,
    Standing,
)

QUEUE_PAGE = 25


def versions(programme: str = "") -> QuerySet[RulebookVersion]:
    """Rulebook versions, the newest first."""
    found = RulebookVersion.objects.order_by("programme", "-in_force_from", "-id").defer("raw", "facts_raw")
    return found.filter(programme=programme) if programme else found


def version_in_force(programme: str, on: date) -> int | None:
    """The id of the approved version of a programme in force on a day."""
    return (
        RulebookVersion.objects.filter(programme=programme, in_force_from__lte=on)
        .exclude(approved_by="")
        .order_by("-in_force_from", "-id")
        .values_list("id", flat=True)
        .first()
    )


def newest_catalogue() -> bytes | None:
    """The fact catalogue of the version that was approved last; None: no version is."""
    found = RulebookVersion.objects.exclude(approved_by="").order_by("-approved_at", "-id")
    raw = found.values_list("facts_raw", flat=True).first()
    return None if raw is None else bytes(raw)


def cycles() -> QuerySet[Cycle]:
    """Every cycle, the newest first."""
    return Cycle.objects.select_related("version", "population").order_by("-opened_at", "-id")


def duties(cycle_id: int) -> list[tuple[str, str]]:
    """(officer, duty) of a cycle, in the order in which they were taken."""
    return list(Duty.objects.filter(cycle_id=cycle_id).order_by("id").values_list("officer", "duty"))


def decree(cycle_id: int) -> Decree | None:
    return Decree.objects.filter(cycle_id=cycle_id).first()


def standing_decisions(cycle: Cycle) -> QuerySet[Decision]:
    """The last decisions of a cycle; a later supplement does not change them."""
    last = Q(superseded_by__isnull=True) | ~Q(superseded_by__cycle=cycle)
    return Decision.objects.filter(last, cycle=cycle)


def due(cycle: Cycle) -> QuerySet[Decision]:
    """Those that are eligible and whose unit is not stopped or suspended: what a decree lists."""
    stopped = Standing.objects.filter(
        programme=cycle.programme, unit_id=OuterRef("unit_id"), lifted_at__isnull=True
    )
    return standing_decisions(cycle).filter(outcome="eligible").exclude(Exists(stopped))


@dataclass(frozen=True)
class Outcome:
    """Units and whole rupiah of one outcome."""

    outcome: str
    units: int
    amount: int
    amount_most: int


def outcomes(cycle: Cycle) -> list[Outcome]:
    """How the standing decisions of a cycle came out, in all its regions."""
    rows = (
        standing_decisions(cycle)
        .values("outcome")
        .annotate(units=Count("id"), money=Sum("amount"), most=Sum("amount_most"))
        .order_by("outcome")
    )
    with everywhere():
        return [Outcome(row["outcome"], row["units"], row["money"], row["most"]) for row in rows]


@dataclass(frozen=True)
class QueueCount:
    """A queue of a cycle: how many decisions it holds, and how many were reviewed."""

    queue: str
    units: int
    reviewed: int


def queue_counts(cycle: Cycle) -> list[QueueCount]:
    """The queues of a cycle in the order of the work, in all its regions."""
    names = {number: name for name, number in QUEUES.items()}
    reviewed = Q(Exists(Review.objects.filter(decision=OuterRef("pk")).exclude(finding="")))
    counted = (
        standing_decisions(cycle)
        .filter(queue__gt=0)
        .values("queue")
        .annotate(units=Count("id"), reviewed=Count("id", filter=reviewed))
    )
    with everywhere():
        rows = {row["queue"]: row for row in counted}
    return [
        QueueCount(name, rows[number]["units"], rows[number]["reviewed"])
        if number in rows
        else QueueCount(name, 0, 0)
        for number, name in names.items()
    ]


def queue(
    cycle: Cycle,
    *,
    reviewer: str,
    regions: Sequence[str] | None = None,
    after: tuple[int, int, int] = (0, -1, 0),
    size: int = QUEUE_PAGE,
) -> list[Decision]:
    """The next decisions to review, without those that the officer reviewed or that are settled.

    `after`: (queue, distance, id) of the last one shown; `regions`: regency codes, None for all of the cycle.
    """
    found = (
        standing_decisions(cycle)
        .filter(queue__gt=0)
        .exclude(Exists(Review.objects.filter(decision=OuterRef("pk"), reviewer=reviewer)))
        .exclude(Exists(Review.objects.filter(decision=OuterRef("pk"), finding="confirms")))
    )
    if regions is not None:
        found = found.filter(region__in=list(regions))
    number, distance, id_ = after
    found = found.filter(
        Q(queue__gt=number)
        | Q(queue=number, distance__gt=distance)
        | Q(queue=number, distance=distance, id__gt=id_)
    )
    return list(found.order_by("queue", "distance", "id")[:size])


def disagreements(cycle: Cycle) -> QuerySet[Decision]:
    """Decisions of which two reviewers found different things."""
    found = Review.objects.filter(decision=OuterRef("pk")).exclude(finding="")
    several = found.values("decision").annotate(kinds=Count("finding", distinct=True)).filter(kinds__gt=1)
    return standing_decisions(cycle).filter(Exists(several))


def history(programme: str, period: str, unit_id: int) -> list[Decision]:
    """All decisions of a unit in a period, the first one first."""
    return list(
        Decision.objects.filter(programme=programme, period=period, unit_id=unit_id)
        .select_related("case", "cycle")
        .order_by("n")
    )


def budgets(programme: str, period: str) -> list[Budget]:
    """Ceilings in force, the nation's first."""
    return list(Budget.objects.filter(programme=programme, period=period).order_by("region"))


@dataclass(frozen=True)
class DistrictFigure:
    """Standing decisions of a district (or regency) with one outcome."""

    district: str
    outcome: str
    units: int
    amount: int


def by_district(cycle: Cycle) -> Iterator[DistrictFigure]:
    """Counts by district (the first eight characters of a village code), or by regency where villages are not known,
    as the cycle left them: a later supplement does not change them.

    Not for publication as they are: `core.disclosure` protects small groups.
    """
    with everywhere(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT CASE WHEN d.village = '' THEN d.region ELSE substr(d.village, 1, 8) END AS district, d.outcome, "
            "count(*), sum(d.amount) FROM programmes_decision d WHERE d.cycle_id = %s AND NOT EXISTS "
            "(SELECT 1 FROM programmes_decision l WHERE l.supersedes_id = d.id AND l.cycle_id = d.cycle_id) "
            "GROUP BY 1, 2 ORDER BY 1, 2",
            [cycle.id],
        )
        rows = cursor.fetchall()
    for district, outcome, units, amount in rows:
        yield DistrictFigure(district, outcome, units, int(amount))


def decreed(programme: str, period: str) -> QuerySet[Decision]:
    """What signed decrees say of each unit: the last decisions of their cycles. Of a unit that was stopped when it was
    signed a decree says nothing: resumed later, it waits for a supplement."""
    signed = OuterRef("cycle__decree__signed_at")
    stopped = Standing.objects.filter(
        Q(lifted_at__isnull=True) | Q(lifted_at__gt=signed),
        programme=programme, unit_id=OuterRef("unit_id"), set_at__lte=signed,
    )  # fmt: skip
    last = Q(superseded_by__isnull=True) | ~Q(superseded_by__cycle=F("cycle"))
    found = Decision.objects.filter(
        last, programme=programme, period=period, cycle__decree__signed_at__isnull=False
    )
    return found.filter(~Q(outcome="eligible") | ~Exists(stopped))


def money_due(programme: str, period: str, unit_id: int, on: datetime) -> int:
    """What a unit is due in a period: the amount of its latest decreed decision, 0 while it is stopped."""
    latest = decreed(programme, period).filter(unit_id=unit_id).order_by("-n").first()
    stopped = Standing.objects.filter(
        programme=programme, unit_id=unit_id, lifted_at__isnull=True, since__lte=localdate(on)
    )
    return 0 if latest is None or stopped.exists() else latest.amount


def reserved(programme: str, period: str, region: str) -> int:
    """What signed decrees spend at most in a region (empty: the nation): of each unit its highest amount."""
    found = decreed(programme, period)
    if region:
        found = found.filter(Q(region=region) | Q(region__startswith=f"{region}."))
    most = found.values("unit_id").annotate(most=Max("amount"))
    with everywhere():
        return int(most.aggregate(money=Sum("most"))["money"] or 0)


def added(cycle: Cycle) -> dict[str, int]:
    """What a cycle about to be decreed adds to what decrees of its period spend already, by regency."""
    before = decreed(cycle.programme, cycle.period).filter(unit_id=OuterRef("unit_id"))
    most = before.values("unit_id").annotate(most=Max("amount")).values("most")
    found = due(cycle)
    if cycle.number:
        found = found.annotate(more=F("amount") - Coalesce(Subquery(most), 0)).filter(more__gt=0)
    else:
        found = found.annotate(more=F("amount"))
    with everywhere():
        rows = found.order_by("region").values("region").annotate(money=Sum("more"))
        return dict(rows.values_list("region", "money"))


# ---- what a family reads of itself ---------------------------------------------------------------------------


class FamilyDecision(NamedTuple):
    """A decision of a family with all that its page needs; its packed case and that digest only where asked for."""

    programme: str
    period: str
    unit_id: int
    n: int
    outcome: str
    amount: int
    cause: str
    decided_at: datetime
    state: str  # of its cycle
    reference_date: date
    rulebook: str  # the hashes of its rulebook version
    facts: str
    decree: str  # number; empty: not signed
    signed_at: datetime | None
    standing: str  # "stopped", "suspended" or empty
    standing_cause: str
    standing_since: date | None
    listed: bool  # its decree is signed and speaks of it: not so of an eligible unit that was stopped at that moment
    body: bytes | None
    case_sha256: bytes | None

    @property
    def decreed(self) -> bool:
        return self.signed_at is not None

    @property
    def kind(self) -> str:
        """Why it was decided: "cycle", "supplement" or "correction"."""
        return self.cause.partition(":")[0]


_FAMILY_DECISIONS = """
SELECT d.programme, d.period, d.unit_id, d.n, d.outcome, d.amount, d.cause, d.decided_at, c.state, c.reference_date,
       v.sha256, v.facts_sha256, coalesce(e.number, ''), e.signed_at, coalesce(s.kind, ''), coalesce(s.cause, ''),
       s.since, e.signed_at IS NOT NULL AND (d.outcome <> 'eligible' OR NOT EXISTS (
           SELECT 1 FROM programmes_standing t WHERE t.unit_id = d.unit_id AND t.programme = d.programme
           AND t.set_at <= e.signed_at AND (t.lifted_at IS NULL OR t.lifted_at > e.signed_at))), {body}
FROM programmes_decision d
JOIN programmes_cycle c ON c.id = d.cycle_id AND c.state <> 'cancelled'
JOIN programmes_rulebookversion v ON v.id = c.version_id
LEFT JOIN programmes_decree e ON e.cycle_id = c.id AND e.signed_by <> ''
LEFT JOIN programmes_standing s ON s.programme = d.programme AND s.unit_id = d.unit_id AND s.lifted_at IS NULL
{case}
ORDER BY d.period DESC, d.programme, d.unit_id, d.n DESC
"""
_ALL = _FAMILY_DECISIONS.format(body="NULL, NULL", case="WHERE d.family_id = %s")
_ONE = _FAMILY_DECISIONS.format(
    body="f.body, f.sha256",
    case="JOIN programmes_familycase f ON f.id = d.case_id "
    "WHERE d.family_id = %s AND d.programme = %s AND d.period = %s",
)


def family_decisions(family_id: int, programme: str = "", period: str = "") -> list[FamilyDecision]:
    """The decisions of a family, the newest period and version first; with their cases, those of one programme and
    period. One query."""
    query, parameters = (_ONE, [family_id, programme, period]) if programme else (_ALL, [family_id])
    return [FamilyDecision._make(_in_utc(row)) for row in fetch_of_family(family_id, query, parameters)]


def that_counts(versions: Sequence[FamilyDecision]) -> FamilyDecision | None:
    """Of the versions for one unit, the newest first, the one that says what is due (as `money_due`): the last of the
    latest decree that speaks of the unit."""
    seen: set[str] = set()
    for row in versions:
        if row.decreed and row.decree not in seen:
            seen.add(row.decree)
            if row.listed:
                return row
    return None


_DECIDED_AT, _SIGNED_AT = map(FamilyDecision._fields.index, ("decided_at", "signed_at"))


def _in_utc(row: tuple[Any, ...]) -> list[Any]:
    """SQLite keeps moments without a zone, in UTC."""
    values = list(row)
    for place in (_DECIDED_AT, _SIGNED_AT):
        if (moment := values[place]) and moment.tzinfo is None:
            values[place] = moment.replace(tzinfo=UTC)
    return values


def cycle(cycle_id: int) -> Cycle | None:
    return Cycle.objects.select_related("version", "population").filter(id=cycle_id).first()


def decision(decision_id: int) -> Decision | None:
    return Decision.objects.select_related("cycle", "case").filter(id=decision_id).first()


def superseded(decision: Decision | int) -> int | None:
    """The id of the decision that took the place of this one."""
    return Decision.objects.filter(supersedes=decision).values_list("id", flat=True).first()


def decisions_of_family(family_id: int) -> list[Decision]:
    """The standing decisions of a family in every programme and period, the latest first."""
    found = Decision.objects.filter(family_id=family_id).exclude(cycle__state=Cycle.State.CANCELLED)
    last = {(d.programme, d.period, d.unit_id): d for d in found.select_related("cycle").order_by("n")}
    return sorted(last.values(), key=lambda d: -d.id)


def explanation(decision: Decision, changed: Sequence[Corrected] = ()) -> rules.Explanation:
    """The decision again from the case that is stored with it; `changed`: as if these facts were so."""
    cycle = decision.cycle
    explainer = books.explainer(cycle.version_id, cycle.reference_date)
    catalogue = explainer.plan.rulebook.catalogue
    case = rules.parse_case(bodies.unpacked(decision.case.body), catalogue)
    if changed:
        case = from_json(overlay(to_json(case), changed), catalogue)
    cutoffs = noted_cutoffs(cycle.cutoffs)
    person = decision.unit_id if explainer.evaluator.person else None
    return explainer.explain(case, person, cutoffs if explainer.plan.places is not None else None)


def reviews(decision_ids: Sequence[int]) -> list[Review]:
    return list(Review.objects.filter(decision__in=decision_ids).order_by("id"))


def review_by(decision_id: int, reviewer: str) -> Review | None:
    return Review.objects.filter(decision=decision_id, reviewer=reviewer).first()


def cycles_under_review_of(families: Sequence[int]) -> list[int]:
    """The ids of the cycles in which a correction of these families can still change a decision, wherever the family
    lived when it was decided."""
    found = Decision.objects.filter(
        family_id__in=families, superseded_by__isnull=True, cycle__state=Cycle.State.DECIDED
    )
    with everywhere():
        return sorted(set(found.values_list("cycle_id", flat=True)))


def standings(programme: str, unit_id: int) -> list[Standing]:
    """Whenever a unit was stopped or suspended in a programme, the latest first."""
    return list(Standing.objects.filter(programme=programme, unit_id=unit_id).order_by("-id"))


def unlisted(decisions: Iterable[Decision]) -> set[int]:
    """The ids of those that a signed decree does not list because their unit was stopped at that moment."""
    signed = OuterRef("cycle__decree__signed_at")
    stopped = Standing.objects.filter(
        Q(lifted_at__isnull=True) | Q(lifted_at__gt=signed),
        programme=OuterRef("programme"), unit_id=OuterRef("unit_id"), set_at__lte=signed,
    )  # fmt: skip
    found = Decision.objects.filter(Exists(stopped), id__in=[row.id for row in decisions], outcome="eligible")
    return set(found.filter(cycle__decree__signed_at__isnull=False).values_list("id", flat=True))


def standing(standing_id: int) -> Standing | None:
    return Standing.objects.filter(id=standing_id).first()


def populations() -> list[Population]:
    """Those that a cycle can be opened with, the newest first."""
    return list(Population.objects.order_by("-reference_date", "-id"))


def ceilings() -> list[Budget]:
    """Every ceiling in force, the latest period first."""
    return list(Budget.objects.order_by("-period", "programme", "region"))


def ceiling(budget_id: int) -> Budget | None:
    return Budget.objects.filter(id=budget_id).first()


def ceiling_history(budget: Budget) -> list[Ceiling]:
    """Every ceiling that was set for a programme, period and region, the latest first."""
    same = Ceiling.objects.filter(programme=budget.programme, period=budget.period, region=budget.region)
    return list(same.order_by("-since", "-id"))


def decrees_of(programme: str, period: str) -> list[Decree]:
    """The signed decrees of a programme's period, in the order in which they were signed."""
    found = Decree.objects.filter(cycle__programme=programme, cycle__period=period).exclude(signed_by="")
    return list(found.select_related("cycle").order_by("signed_at", "id"))


def regencies(population: Population) -> tuple[str, ...]:
    """The codes of the regencies that a population has families of; none where its folder is gone."""
    return tuple(families_by_regency(population))


def families_by_regency(population: Population) -> dict[str, int]:
    """How many families of each regency a population has, in the order of the codes."""
    return dict(_families_by_regency(population.path, population.sha256))


@lru_cache(maxsize=64)
def _families_by_regency(path: str, _sha256: str) -> tuple[tuple[str, int], ...]:
    from salur.core.rules import engines

    files = sorted(Path(path, "families").glob("*.parquet"))
    if not files:
        return ()
    with closing(engines.connect(Path(path))) as reader:
        return tuple(
            reader.execute(f"SELECT region, count(*) FROM {parquet(*files)} GROUP BY 1 ORDER BY 1").fetchall()
        )
