"""Reviews, and deciding again what a correction changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from salur.access.policy import Actor, require
from salur.core import rules
from salur.core.faults import InputError
from salur.core.rules.cases import canonical
from salur.core.rules.evaluate import noted_cutoffs
from salur.core.rules.lines import text as line_text
from salur.journal.services import record
from salur.programmes import bodies, books, bulk, corrections
from salur.programmes.loading import LoadedCase, Triage, decide_case
from salur.programmes.models import Cycle, Decision, Duty, FamilyCase, Review
from salur.programmes.services.shared import CHUNK, Progress, locked, one, take_duty
from salur.programmes.services.storing import COLUMNS, case_rows


@transaction.atomic
def review_judge(*, now: datetime, actor: Actor, decision_id: int, judgement: str) -> int:
    """The own judgement of a reviewer who has seen the evidence but not the outcome. Returns the review's id.

    Takes the duty to review; who opened the cycle is refused.
    """
    decision = one(Decision, decision_id)
    require(actor, "programmes.review_judge", decision.region, now=now)
    _under_review(decision)
    if judgement not in Review.Judgement.values:
        raise InputError.of("A judgement is one of {all}.", all=", ".join(Review.Judgement.values))
    take_duty(now=now, actor=actor, cycle_id=decision.cycle_id, duty=Duty.Kind.REVIEW)
    review, fresh = Review.objects.get_or_create(
        decision=decision, reviewer=actor.ref,
        defaults={"cycle_id": decision.cycle_id, "judgement": judgement, "judged_at": now},
    )  # fmt: skip
    if fresh:
        record(now=now, actor=actor.ref, kind="programmes.review_judged", subject=f"decision:{decision.id}",
               detail={"judgement": judgement})  # fmt: skip
    return review.id


@transaction.atomic
def review_find(
    *, now: datetime, actor: Actor, review_id: int, finding: str, correction_ids: Sequence[int] = ()
) -> bool:
    """What the reviewer finds after seeing the outcome: confirms it, corrects facts, or doubts it.

    A finding never changes the decision: corrections do, once another officer confirmed them. Returns whether another
    reviewer of this decision found something else; that is recorded.
    """
    review = Review.objects.select_for_update().select_related("decision").get(id=review_id)
    require(actor, "programmes.review_find", review.decision.region, now=now)
    if review.reviewer != actor.ref:
        raise InputError.of("This review was begun by somebody else.")
    if review.finding:
        raise InputError.of("This review is finished.")
    if finding not in Review.Finding.values:
        raise InputError.of("A finding is one of {all}.", all=", ".join(Review.Finding.values))
    if (finding == Review.Finding.CORRECTS) != bool(correction_ids):
        raise InputError.of("A review that corrects names its corrections, and no other does.")
    review.finding, review.found_at, review.corrections = finding, now, sorted(correction_ids)
    review.save(update_fields=["finding", "found_at", "corrections"])
    others = Review.objects.filter(decision=review.decision).exclude(id=review.id).exclude(finding="")
    disagree = others.exclude(finding=finding).exists()
    record(now=now, actor=actor.ref, kind="programmes.review_found", subject=f"decision:{review.decision_id}",
           detail={"finding": finding, "corrections": sorted(correction_ids), "disagreement": disagree})  # fmt: skip
    return disagree


def _under_review(decision: Decision) -> Cycle:
    cycle = one(Cycle, decision.cycle_id)
    if cycle.state != Cycle.State.DECIDED:
        raise InputError.of("The cycle of this decision is not under review.")
    if Decision.objects.filter(supersedes=decision).exists():
        raise InputError.of("This decision was superseded; look at the one that stands.")
    return cycle


def decide_again(
    *, now: datetime, actor: Actor, cycle_id: int, families: Collection[int] | None = None,
    progress: Progress | None = None,
) -> int:  # fmt: skip
    """Decide the families with confirmed corrections again, by the same rulebook; returns how many decisions are new.

    Only units whose case changed get a new decision, which supersedes the last and names the corrections. Nobody else
    is displaced: where places are short, the cut-off of the cycle stays. `families`: these alone; without them all that
    a correction touches or touched.
    """
    require(actor, "programmes.decide_again", now=now)
    cycle = one(Cycle, cycle_id)
    if cycle.state != Cycle.State.DECIDED:
        raise InputError.of("The cycle of this decision is not under review.")
    affected = _touched(cycle) if families is None else sorted(set(families))
    told = progress or (lambda stage, done, of: None)
    new = 0
    for start in range(0, len(affected), CHUNK):
        new += _decide_again(now=now, actor=actor, cycle=cycle, families=affected[start : start + CHUNK])
        told("decide again", min(start + CHUNK, len(affected)), len(affected))
    return new


def undecided(cycle: Cycle) -> bool:
    """Whether a correction was confirmed or taken back that the decisions of a cycle do not know yet."""
    affected = _touched(cycle)
    return any(
        _changed(cycle, affected[start : start + CHUNK])[0] for start in range(0, len(affected), CHUNK)
    )


def _touched(cycle: Cycle) -> list[int]:
    """The families with corrections, and those decided with some that may have been taken back."""
    revised = FamilyCase.objects.filter(population=cycle.population_id, revision__gt=0)
    known = corrections.confirmed(on=cycle.reference_date)
    return sorted(known.families.union(revised.values_list("family_id", flat=True)))


@dataclass(frozen=True)
class _Changed:
    """A family whose case is another one than it was decided with."""

    case: rules.Case
    stored: LoadedCase
    units: list[Decision]


def _changed(cycle: Cycle, families: Sequence[int]) -> tuple[list[_Changed], corrections.Known]:
    catalogue = books.catalogue(cycle.version_id)
    units: dict[int, list[Decision]] = {}
    for row in Decision.objects.filter(
        cycle=cycle, family_id__in=families, superseded_by__isnull=True
    ).select_related("case"):
        units.setdefault(row.family_id, []).append(row)
    first = FamilyCase.objects.filter(population=cycle.population_id, family_id__in=list(units), revision=0)
    cases = [rules.parse_case(bodies.unpacked(row.body), catalogue) for row in first.order_by("family_id")]
    known = corrections.confirmed(on=cycle.reference_date, cases=cases)
    changed = []
    for family in cases:
        held, case = units[family.family_id], corrections.corrected(family, known, catalogue)
        stored = LoadedCase.of(case.family_id, canonical(case))
        if stored.sha256 != bytes(held[0].case.sha256):
            changed.append(_Changed(case, stored, held))
    return changed, known


@transaction.atomic
def _decide_again(*, now: datetime, actor: Actor, cycle: Cycle, families: Sequence[int]) -> int:
    cycle = locked(cycle.id)  # before the corrections are read: what another worker stored is not undone
    explainer = books.explainer(cycle.version_id, cycle.reference_date)
    plan = explainer.plan
    cutoffs = noted_cutoffs(cycle.cutoffs)
    triage = Triage(plan, cutoffs, bytes(cycle.audit_seed))
    changed, known = _changed(cycle, families)
    rows = []
    digest, amount = hashlib.sha256(), 0
    head = (cycle.programme, plan.rulebook.sha256, plan.on.isoformat())
    case_ids = case_rows(cycle, [each.stored for each in changed])
    for each in changed:
        before = {row.unit_id: row for row in each.units}
        cause = corrections.cause(known, each.case)
        for d in decide_case(explainer.evaluator, each.case, each.units[0].village, cutoffs, triage):
            if (last := before.get(d.unit_id)) is None:
                continue
            rows.append(
                (cycle.id, cycle.programme, cycle.period, d.unit_id, d.family_id, d.region, d.village, last.n + 1,
                 *d.line, last.rank, case_ids[d.family_id], last.id, cause, now, d.queue, d.distance)
            )  # fmt: skip
            line = line_text(head, (d.unit_id, *d.line[:-1]), d.counts, last.rank, each.stored.sha256.hex())
            digest.update(line.encode() + b"\n")
            amount += d.amount - last.amount
    bulk.insert(Decision, COLUMNS, rows)
    if rows:
        record(now=now, actor=actor.ref, kind="programmes.decided_again", subject=f"cycle:{cycle.id}",
               detail={"units": len(rows), "amount_more": amount, "lines": digest.hexdigest()})  # fmt: skip
    return len(rows)
