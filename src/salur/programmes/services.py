"""The only code that writes versions, ceilings, cycles, decisions, reviews and decrees.

The order of a cycle: open → decide → review (→ correct → decide that unit again) → decree → close. Who opens may not
review or sign, who reviews may not sign: the table of duties and its triggers refuse it, whatever this code does.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Count, Exists, F, Max, Model, OuterRef, QuerySet
from django.utils.timezone import localdate

from salur.access.policy import Actor, lies_in, require
from salur.access.services import signature_make
from salur.core import rules
from salur.core.faults import InputError
from salur.core.population.layout import Population as Folder
from salur.core.rules import nodes
from salur.core.rules.cases import canonical
from salur.core.rules.decide import Decisions
from salur.core.rules.evaluate import Cutoff
from salur.core.rules.lines import text as line_text
from salur.journal.constraints import refusing
from salur.journal.selectors import ask
from salur.journal.services import record
from salur.people.exported import being_written
from salur.people.protect import Keys
from salur.people.selectors import birth_dates_of
from salur.programmes import bodies, books, bulk, claims, corrections, decrees, periods, selectors
from salur.programmes.loading import LoadedCase, LoadedDecision, Triage, decide_case, stream
from salur.programmes.models import (
    Budget,
    Ceiling,
    ClaimCode,
    Cycle,
    Decision,
    Decree,
    Duty,
    FamilyCase,
    Population,
    Review,
    RulebookVersion,
    Standing,
)

M = TypeVar("M", bound=Model)
REASON_LENGTH_LEAST = 10
STANDING_CAUSES = ("death", "moved", "own_wish", "investigation", "other")
CHUNK = 10_000  # families stored in one transaction
CLAIMS_AT_ONCE = 500  # families looked up at once
Progress = Callable[[str, int, int], None]  # stage, done, of how many


# ---- rulebooks and money -----------------------------------------------------------------------------------


@transaction.atomic
def rulebook_add(*, now: datetime, actor: Actor, raw: bytes, facts_raw: bytes, in_force_from: date) -> int:
    """Keep a rulebook and its catalogue whole; it counts once somebody else approved it. Returns the version's id.

    Raises InputError with every fault of the two files.
    """
    require(actor, "programmes.rulebook_add", now=now)
    rulebook = books.parsed(raw, facts_raw)
    version = RulebookVersion(
        programme=rulebook.id, sha256=rulebook.sha256, raw=raw, facts_sha256=rulebook.catalogue.sha256,
        facts_raw=facts_raw, in_force_from=in_force_from, added_by=actor.ref, added_at=now,
    )  # fmt: skip
    same = RulebookVersion.objects.filter(
        programme=version.programme, sha256=version.sha256, facts_sha256=version.facts_sha256,
        in_force_from=in_force_from,
    )  # fmt: skip
    if (known := same.first()) is not None:
        return known.id
    version.save()
    record(
        now=now, actor=actor.ref, kind="programmes.rulebook_added", subject=f"version:{version.id}",
        detail={"programme": version.programme, "sha256": version.sha256, "facts": version.facts_sha256,
                "from": in_force_from.isoformat()},
    )  # fmt: skip
    return version.id


@transaction.atomic
def rulebook_approve(*, now: datetime, actor: Actor, version_id: int) -> None:
    """Put a version in force from its date; by somebody other than who added it."""
    require(actor, "programmes.rulebook_approve", now=now)
    version = _one(RulebookVersion, version_id)
    if version.approved_by:
        raise InputError.of("This version is approved already.")
    if version.added_by == actor.ref:
        raise InputError.of("Who added a rulebook cannot approve it; somebody else must.")
    version.approved_by, version.approved_at = actor.ref, now
    version.save(update_fields=["approved_by", "approved_at"])
    record(now=now, actor=actor.ref, kind="programmes.rulebook_approved", subject=f"version:{version.id}",
           detail={"sha256": version.sha256})  # fmt: skip


@transaction.atomic
def ceiling_set(
    *, now: datetime, actor: Actor, programme: str, period: str, amount: int, since: date, basis: str,
    region: str = "",
) -> None:  # fmt: skip
    """Set the ceiling of a programme in a period and region (empty: the nation) from a date on.

    Refused below what signed decrees have reserved already.
    """
    require(actor, "programmes.ceiling_set", region, now=now)
    if amount < 0:
        raise InputError.of("A ceiling cannot be negative.")
    with refusing("This ceiling was set on that day already."):
        Ceiling.objects.create(
            programme=programme, period=period, region=region, amount=amount, since=since, basis=basis,
            set_by=actor.ref, set_at=now,
        )  # fmt: skip
    with refusing("Signed decrees have reserved more than this ceiling already."):
        Budget.objects.update_or_create(
            programme=programme, period=period, region=region, defaults={"amount": amount}
        )
    record(now=now, actor=actor.ref, kind="programmes.ceiling_set", subject=f"ceiling:{programme}/{period}/{region}",
           detail={"amount": amount, "since": since.isoformat()})  # fmt: skip


# ---- a cycle -----------------------------------------------------------------------------------------------


@transaction.atomic
def cycle_open(
    *, now: datetime, actor: Actor, version_id: int, period: str, regions: Collection[str], population: Folder,
    supplement: bool = False,
) -> int:  # fmt: skip
    """Open a cycle of an approved rulebook version for a period, some regencies and a population; returns its id.

    The reference date is the population's. The opener gets the duty to open and can have no other in this cycle.
    """
    version = _one(RulebookVersion, version_id)
    wanted = sorted(set(regions))
    for region in wanted or [""]:
        require(actor, "programmes.cycle_open", region, now=now)
    rulebook = books.rulebook(version_id)
    if not version.approved_by:
        raise InputError.of("This rulebook version is not approved yet.")
    days = periods.span(period, rulebook.period)
    if days is None:
        raise InputError.of("The period must look like {example}.", example=periods.EXAMPLES[rulebook.period])
    if version.in_force_from > days[1]:
        raise InputError.of("This rulebook version is in force from {day} only.", day=version.in_force_from)
    rules.plan_on(rulebook, population.reference_date)  # every parameter has a value on that day
    if not wanted:
        raise InputError.of("Name at least one regency.")
    pays = any(component.amount for component in rulebook.components)
    if pays and not Budget.objects.filter(programme=version.programme, period=period).exists():
        raise InputError.of("Set the ceiling of {period} first.", period=period)
    numbers = Cycle.objects.filter(programme=version.programme, period=period).exclude(
        state=Cycle.State.CANCELLED
    )
    last = numbers.aggregate(last=Max("number"))["last"]
    if last is not None and not supplement:
        raise InputError.of("This period has a cycle already; what comes later is a supplement.")
    if last is None and supplement:
        raise InputError.of("There is no cycle yet that this could supplement.")
    if numbers.exclude(state__in=[Cycle.State.DECREED, Cycle.State.CLOSED]).exists():
        raise InputError.of("Another cycle of this period is not decreed yet.")
    folder = _population(population, now)
    with refusing("This period has a cycle already; what comes later is a supplement."):
        cycle = Cycle.objects.create(
            programme=version.programme, period=period, number=0 if last is None else last + 1, regions=wanted,
            version=version, population=folder, reference_date=population.reference_date, opened_by=actor.ref,
            opened_at=now, audit_seed=secrets.token_bytes(32),
        )  # fmt: skip
    _duty_take(now=now, actor=actor, cycle_id=cycle.id, duty=Duty.Kind.OPEN)
    record(
        now=now, actor=actor.ref, kind="programmes.cycle_opened", subject=f"cycle:{cycle.id}",
        detail={"programme": cycle.programme, "period": period, "number": cycle.number, "regions": len(wanted),
                "population": population.id, "rulebook": version.sha256},
    )  # fmt: skip
    return cycle.id


@transaction.atomic
def population_add(*, now: datetime, actor: Actor, population: Folder) -> int:
    """Remember where a population is, so that cycles can be opened with it; returns the row's id."""
    require(actor, "programmes.population_add", now=now)
    row = _population(population, now)
    record(now=now, actor=actor.ref, kind="programmes.population_added", subject=f"population:{row.id}",
           detail={"population": population.id, "date": population.reference_date.isoformat()})  # fmt: skip
    return row.id


def _population(population: Folder, now: datetime) -> Population:
    path = str(population.path.resolve())
    row, _ = Population.objects.update_or_create(
        sha256=population.id,
        defaults={"path": path},
        create_defaults={"path": path, "reference_date": population.reference_date, "added_at": now},
    )
    return row


def _duty_take(*, now: datetime, actor: Actor, cycle_id: int, duty: str) -> None:
    """Take a duty in a cycle. An officer has one: the second is refused, by the database too."""
    held = Duty.objects.filter(cycle_id=cycle_id, officer=actor.ref).values_list("duty", flat=True).first()
    if held == duty:
        return
    with refusing("In one cycle an officer opens, reviews or signs: only one of the three, and one signs."):
        Duty.objects.create(cycle_id=cycle_id, officer=actor.ref, duty=duty, since=now)


def cycle_decide(
    *, now: datetime, actor: Actor, cycle_id: int, work: Path, checked: Path | None = None,
    progress: Progress | None = None,
) -> None:  # fmt: skip
    """Decide the population and store the decisions of the cycle's regencies with the cases they rest on.

    `work` is a folder for the decisions; killed and run again, it goes on where it stopped. Families with confirmed
    corrections are decided with them.
    """
    require(actor, "programmes.cycle_decide", now=now)
    cycle = _one(Cycle, cycle_id)
    if cycle.state != Cycle.State.OPENED:
        raise InputError.of("This cycle is decided already.")
    plan = books.plan(cycle.version_id, cycle.reference_date)
    catalogue = plan.rulebook.catalogue
    folder = rules.open_population(Path(cycle.population.path), catalogue)
    if folder.id != cycle.population.sha256:
        raise InputError.at(
            folder.path, "This is another population than the one that the cycle was opened with."
        )
    told = progress or (lambda stage, done, of: None)
    steps: Counter[str] = Counter()

    def step(stage: str, _file: str) -> None:
        steps[stage] += 1
        told(stage, steps[stage], len(folder.provinces) * (2 if stage == "check" else 1))

    done = rules.decide_population(plan, folder, work, checked=checked, progress=step)
    triage = Triage(plan, done.cutoffs, bytes(cycle.audit_seed))
    known = corrections.confirmed(regions=cycle.regions, on=cycle.reference_date)
    families = 0
    held = selectors.families_by_regency(cycle.population)
    total = sum(held.get(region, 0) for region in cycle.regions)
    digest, units, amount = hashlib.sha256(), 0, 0
    chunk: list[tuple[LoadedCase, list[LoadedDecision]]] = []

    def corrected(family_id: int, text: str) -> rules.Case | None:
        if family_id not in known.families:
            return None
        return corrections.corrected(rules.parse_case(text, catalogue), known, catalogue)

    def flush() -> None:
        nonlocal families
        _store(now=now, cycle=cycle, chunk=chunk)
        families += len(chunk)
        chunk.clear()
        told("store", families, total)

    head = (cycle.programme, plan.rulebook.sha256, plan.on.isoformat())
    for family, decisions in stream(plan, folder, done, cycle.regions, triage, corrected):
        for d in decisions:
            line = line_text(head, (d.unit_id, *d.line[:-1]), d.counts, d.rank, family.sha256.hex())
            digest.update(line.encode() + b"\n")
            units += 1
            amount += d.amount
        chunk.append((family, decisions))
        if len(chunk) == CHUNK:
            flush()
    flush()
    _decided(
        now=now, actor=actor, cycle=cycle, done=done, units=units, amount=amount, digest=digest.hexdigest()
    )


@transaction.atomic
def _store(*, now: datetime, cycle: Cycle, chunk: Sequence[tuple[LoadedCase, list[LoadedDecision]]]) -> None:
    """Store families and their decisions, except those that an earlier run stored."""
    units = [d.unit_id for _, decisions in chunk for d in decisions]
    stored = set(
        Decision.objects.filter(cycle=cycle, unit_id__gte=min(units, default=0), unit_id__lte=max(units, default=0))
        .values_list("unit_id", flat=True)
    )  # fmt: skip
    case_ids = _cases(cycle, [family for family, _ in chunk])
    earlier = _latest(cycle, units) if cycle.number else {}
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
    bulk.insert(Decision, _COLUMNS, rows)


_COLUMNS = (
    "cycle_id", "programme", "period", "unit_id", "family_id", "region", "village", "n", "outcome", "failed",
    "unknown", "amount", "amount_most", "counts", "rank", "case_id", "supersedes_id", "cause", "decided_at",
    "queue", "distance",
)  # fmt: skip


def _latest(cycle: Cycle, units: Sequence[int]) -> dict[int, tuple[int, int]]:
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


def _cases(cycle: Cycle, families: Sequence[LoadedCase]) -> dict[int, int]:
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


@transaction.atomic
def _decided(
    *, now: datetime, actor: Actor, cycle: Cycle, done: Decisions, units: int, amount: int, digest: str
) -> None:
    cycle.state, cycle.decided_at, cycle.decisions = Cycle.State.DECIDED, now, done.id
    cycle.cutoffs = done.manifest["cutoffs"]
    cycle.save(update_fields=["state", "decided_at", "decisions", "cutoffs"])
    record(now=now, actor=actor.ref, kind="programmes.cycle_decided", subject=f"cycle:{cycle.id}",
           detail={"units": units, "amount": amount, "lines": digest, "decisions": done.id})  # fmt: skip


@transaction.atomic
def cycle_cancel(*, now: datetime, actor: Actor, cycle_id: int, reason: str) -> None:
    """End a cycle that has no decree. Its decisions stay, and count for nothing."""
    cycle = _locked(cycle_id)
    _require_everywhere(actor, "programmes.cycle_cancel", cycle, now)
    if cycle.state not in (Cycle.State.OPENED, Cycle.State.DECIDED):
        raise InputError.of("A decreed cycle cannot be cancelled; a supplement corrects it.")
    if len(reason.strip()) < REASON_LENGTH_LEAST:
        raise InputError.of("Give a reason of at least {least} characters.", least=REASON_LENGTH_LEAST)
    cycle.state = Cycle.State.CANCELLED
    cycle.save(update_fields=["state"])
    record(now=now, actor=actor.ref, kind="programmes.cycle_cancelled", subject=f"cycle:{cycle.id}",
           detail={"reason": hashlib.sha256(reason.encode()).hexdigest()})  # fmt: skip


# ---- review ------------------------------------------------------------------------------------------------


@transaction.atomic
def review_judge(*, now: datetime, actor: Actor, decision_id: int, judgement: str) -> int:
    """The own judgement of a reviewer who has seen the evidence but not the outcome. Returns the review's id.

    Takes the duty to review; who opened the cycle is refused.
    """
    decision = _one(Decision, decision_id)
    require(actor, "programmes.review_judge", decision.region, now=now)
    _under_review(decision)
    if judgement not in Review.Judgement.values:
        raise InputError.of("A judgement is one of {all}.", all=", ".join(Review.Judgement.values))
    _duty_take(now=now, actor=actor, cycle_id=decision.cycle_id, duty=Duty.Kind.REVIEW)
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
    cycle = _one(Cycle, decision.cycle_id)
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
    is displaced: where places are short, the cut-off of the cycle stays. `families`: these alone.
    """
    require(actor, "programmes.decide_again", now=now)
    cycle = _one(Cycle, cycle_id)
    if cycle.state != Cycle.State.DECIDED:
        raise InputError.of("The cycle of this decision is not under review.")
    known = corrections.confirmed(regions=cycle.regions, on=cycle.reference_date)
    affected = sorted(known.families if families is None else set(families))
    told = progress or (lambda stage, done, of: None)
    new = 0
    for start in range(0, len(affected), CHUNK):
        new += _decide_again(
            now=now, actor=actor, cycle=cycle, families=affected[start : start + CHUNK], known=known
        )
        told("decide again", min(start + CHUNK, len(affected)), len(affected))
    return new


@transaction.atomic
def _decide_again(
    *, now: datetime, actor: Actor, cycle: Cycle, families: Sequence[int], known: corrections.Known
) -> int:
    cycle = _locked(cycle.id)
    explainer = books.explainer(cycle.version_id, cycle.reference_date)
    plan, catalogue = explainer.plan, explainer.plan.rulebook.catalogue
    cutoffs = {area: Cutoff(c["score"], c["unit_id"], c["closed"]) for area, c in cycle.cutoffs.items()}
    triage = Triage(plan, cutoffs, bytes(cycle.audit_seed))
    units: dict[int, list[Decision]] = {}
    for row in Decision.objects.filter(
        cycle=cycle, family_id__in=families, superseded_by__isnull=True
    ).select_related("case"):
        units.setdefault(row.family_id, []).append(row)
    first = {
        row.family_id: row
        for row in FamilyCase.objects.filter(
            population=cycle.population_id, family_id__in=list(units), revision=0
        )
    }
    again = {}
    for family_id in units:
        case = rules.parse_case(bodies.unpacked(first[family_id].body), catalogue)
        again[family_id] = corrections.corrected(case, known, catalogue)
    rows = []
    digest, amount = hashlib.sha256(), 0
    head = (cycle.programme, plan.rulebook.sha256, plan.on.isoformat())
    changed = {
        family_id: stored
        for family_id, case in again.items()
        if (stored := LoadedCase.of(family_id, canonical(case))).sha256
        != bytes(units[family_id][0].case.sha256)
    }
    case_ids = _cases(cycle, list(changed.values()))
    for family_id, stored in changed.items():
        case, before = again[family_id], {row.unit_id: row for row in units[family_id]}
        cause = corrections.cause(known, case)
        for d in decide_case(explainer.evaluator, case, units[family_id][0].village, cutoffs, triage):
            if (last := before.get(d.unit_id)) is None:
                continue
            rows.append(
                (cycle.id, cycle.programme, cycle.period, d.unit_id, d.family_id, d.region, d.village, last.n + 1,
                 *d.line, last.rank, case_ids[family_id], last.id, cause, now, d.queue, d.distance)
            )  # fmt: skip
            line = line_text(head, (d.unit_id, *d.line[:-1]), d.counts, last.rank, stored.sha256.hex())
            digest.update(line.encode() + b"\n")
            amount += d.amount - last.amount
    bulk.insert(Decision, _COLUMNS, rows)
    if rows:
        record(now=now, actor=actor.ref, kind="programmes.decided_again", subject=f"cycle:{cycle.id}",
               detail={"units": len(rows), "amount_more": amount, "lines": digest.hexdigest()})  # fmt: skip
    return len(rows)


# ---- decree ------------------------------------------------------------------------------------------------


@transaction.atomic
def decree_prepare(*, now: datetime, actor: Actor, cycle_id: int, number: str, folder: Path) -> int:
    """Write the list and the PDF/A of a cycle, and the statement that will be signed. Returns the decree's id.

    What is prepared again replaces what was prepared before, until it is signed. Raises InputError where a unit still
    waits for a correction to be confirmed, or a hold stops the cycle.
    """
    cycle = _locked(cycle_id)
    _require_everywhere(actor, "programmes.decree_prepare", cycle, now)
    if cycle.state != Cycle.State.DECIDED:
        raise InputError.of("Only a cycle that is decided and not yet decreed can be decreed.")
    ask("programmes.decree", f"cycle:{cycle.id}")
    made = decrees.write(cycle=cycle, number=number, now=now, folder=folder)
    with refusing("Another decree has this number."):
        decree, _ = Decree.objects.update_or_create(
            cycle=cycle,
            defaults={
                "number": number, "units": made.units, "amount": made.amount, "statement": made.statement,
                "digest": made.digest, "list_path": str(made.list), "pdf_path": str(made.pdf), "prepared_at": now,
            },
        )  # fmt: skip
    record(now=now, actor=actor.ref, kind="programmes.decree_prepared", subject=f"cycle:{cycle.id}",
           detail={"units": made.units, "amount": made.amount, "digest": made.digest.hex()})  # fmt: skip
    return decree.id


@transaction.atomic
def decree_sign(
    *, now: datetime, actor: Actor, cycle_id: int, digest: bytes, response: Mapping[str, Any]
) -> None:
    """Sign a prepared decree: `response` is the passkey's answer whose challenge is the digest that the officer saw.

    Reserves the money in every ceiling that covers the cycle; the database refuses more than there is.
    """
    cycle = _locked(cycle_id)
    _require_everywhere(actor, "programmes.decree_sign", cycle, now)
    decree = Decree.objects.select_for_update().filter(cycle=cycle).first()
    if decree is None or decree.signed_by or cycle.state != Cycle.State.DECIDED:
        raise InputError.of("There is no decree of this cycle to sign.")
    if bytes(decree.digest) != digest or hashlib.sha256(decree.statement.encode()).digest() != digest:
        raise InputError.of("The decree was prepared again meanwhile; look at it before you sign.")
    if decrees.digest(cycle) != json.loads(decree.statement)["list"]:
        raise InputError.of("Decisions changed after the decree was prepared; prepare it again.")
    ask("programmes.decree", f"cycle:{cycle.id}")
    _duty_take(now=now, actor=actor, cycle_id=cycle.id, duty=Duty.Kind.DECREE)
    _reserve(cycle, decrees.totals(cycle).by_region)
    signature = signature_make(now=now, actor=actor, digest=digest, response=response)
    decree.signed_by, decree.signed_at, decree.signature = actor.ref, now, signature.record
    with refusing("Who opened or reviewed a cycle cannot sign its decree."):
        decree.save(update_fields=["signed_by", "signed_at", "signature"])
    cycle.state = Cycle.State.DECREED
    cycle.save(update_fields=["state"])
    record(now=now, actor=actor.ref, kind="programmes.decree_signed", subject=f"cycle:{cycle.id}",
           detail={"number": decree.number, "units": decree.units, "amount": decree.amount,
                   "digest": digest.hex()})  # fmt: skip


def _reserve(cycle: Cycle, by_region: Mapping[str, int]) -> None:
    """Reserve what the cycle adds in each ceiling that covers it: the nation's, and those of its regencies."""
    budgets = Budget.objects.filter(programme=cycle.programme, period=cycle.period)
    for budget in budgets.select_for_update().order_by("region"):
        covered = sum(money for region, money in by_region.items() if lies_in(region, budget.region))
        if not covered:
            continue
        with refusing(
            "The ceiling of {region} leaves {left} rupiah; this decree needs {needed}.",
            region=budget.region or "Indonesia", left=budget.amount - budget.reserved, needed=covered,
        ):  # fmt: skip
            Budget.objects.filter(id=budget.id).update(reserved=F("reserved") + covered)


@transaction.atomic
def cycle_close(*, now: datetime, actor: Actor, cycle_id: int) -> None:
    """Close a decreed cycle. A hold of a later stage (payments still under way) stops it."""
    cycle = _locked(cycle_id)
    _require_everywhere(actor, "programmes.cycle_close", cycle, now)
    if cycle.state != Cycle.State.DECREED:
        raise InputError.of("Only a decreed cycle can be closed.")
    ask("programmes.close", f"cycle:{cycle.id}")
    cycle.state, cycle.closed_at = Cycle.State.CLOSED, now
    cycle.save(update_fields=["state", "closed_at"])
    record(now=now, actor=actor.ref, kind="programmes.cycle_closed", subject=f"cycle:{cycle.id}")


# ---- one unit ----------------------------------------------------------------------------------------------


@transaction.atomic
def standing_set(
    *, now: datetime, actor: Actor, programme: str, unit_id: int, region: str, kind: str, cause: str, since: date,
    case: str = "",
) -> int:  # fmt: skip
    """Stop or suspend one unit in a programme from a day on: death, a move, the own wish, an investigation.

    Between decree and payment this is what keeps money from going out. Nothing that was decided is changed.
    """
    require(actor, "programmes.standing_set", region, now=now)
    if kind not in Standing.Kind.values or cause not in STANDING_CAUSES:
        raise InputError.of(
            "A unit is stopped or suspended, because of one of {all}.", all=", ".join(STANDING_CAUSES)
        )
    with refusing("This unit is stopped or suspended already."):
        standing = Standing.objects.create(
            programme=programme, unit_id=unit_id, region=region, kind=kind, cause=cause, since=since,
            set_by=actor.ref, set_at=now,
        )  # fmt: skip
    record(now=now, actor=actor.ref, kind=f"programmes.unit_{kind}", subject=f"unit:{unit_id}", case=case,
           detail={"programme": programme, "cause": cause, "since": since.isoformat()})  # fmt: skip
    return standing.id


@transaction.atomic
def standing_lift(*, now: datetime, actor: Actor, standing_id: int, case: str = "") -> None:
    """Resume a unit; by somebody other than who stopped or suspended it."""
    standing = Standing.objects.select_for_update().get(id=standing_id)
    require(actor, "programmes.standing_lift", standing.region, now=now)
    if standing.lifted_at is not None:
        return
    if standing.set_by == actor.ref:
        raise InputError.of("Who stopped a unit cannot resume it; somebody else must.")
    standing.lifted_by, standing.lifted_at = actor.ref, now
    standing.save(update_fields=["lifted_by", "lifted_at"])
    record(now=now, actor=actor.ref, kind="programmes.unit_resumed", subject=f"unit:{standing.unit_id}", case=case,
           detail={"programme": standing.programme})  # fmt: skip


# ---- within ------------------------------------------------------------------------------------------------


def _one(model: type[M], id_: int) -> M:
    found = model._default_manager.filter(pk=id_).first()
    if found is None:
        raise InputError.of("There is no {what} with the number {id}.", what=model._meta.verbose_name, id=id_)
    return found


def _locked(cycle_id: int) -> Cycle:
    """The cycle, with everybody else who writes to it waiting."""
    cycle = Cycle.objects.select_for_update().filter(id=cycle_id).first()
    if cycle is None:
        raise InputError.of("There is no {what} with the number {id}.", what="cycle", id=cycle_id)
    return cycle


def _require_everywhere(actor: Actor, action: str, cycle: Cycle, now: datetime) -> None:
    for region in cycle.regions:
        require(actor, action, region, now=now)


# ---- claims ------------------------------------------------------------------------------------------------


def claim_codes_issue(*, now: datetime, actor: Actor, keys: Keys, cycle_id: int) -> int:
    """Make the families of a cycle able to open their decisions; returns how many codes with a birth date are new.

    One row for each birth date of an adult. A family that has its rows already keeps them.
    """
    cycle = _one(Cycle, cycle_id)
    for region in cycle.regions:
        require(actor, "programmes.claim_codes_issue", region, now=now)
    families = Decision.objects.filter(cycle=cycle).order_by("family_id").values_list("family_id", "region")
    return sum(
        _claim_codes_issue(now=now, actor=actor, keys=keys, cycle=cycle, families=some)
        for some in _in_chunks(families.distinct())
    )


@transaction.atomic
def _claim_codes_issue(
    *, now: datetime, actor: Actor, keys: Keys, cycle: Cycle, families: dict[int, str]
) -> int:
    today = localdate(now)
    born_by = nodes.shift_months(today, -12 * claims.ADULT_AGE_YEARS)
    known = birth_dates_of(families, today, born_by=born_by, regions=None)
    editions = _claim_editions(known)
    before = set(
        ClaimCode.objects.filter(family_id__in=list(known), revoked_at=None).values_list("index", flat=True)
    )
    before = {bytes(index) for index in before}
    rows = []
    for family_id, days in known.items():
        code = claims.code_of(keys, family_id, editions.get(family_id, 0))
        rows += [
            ClaimCode(index=index, family_id=family_id, region=families[family_id], issued_at=now)
            for day in days
            if (index := claims.index(keys, code, day)) not in before
        ]
    ClaimCode.objects.bulk_create(rows, batch_size=CLAIMS_AT_ONCE)
    if rows:
        digest = hashlib.sha256(b"".join(sorted(bytes(row.index) for row in rows))).hexdigest()
        record(now=now, actor=actor.ref, kind="programmes.claim_codes_issued", subject=f"cycle:{cycle.id}",
               detail={"codes": len(rows), "families": len(known), "digest": digest})  # fmt: skip
    return len(rows)


def claim_letters_write(*, now: datetime, actor: Actor, keys: Keys, cycle_id: int, file: Path) -> int:
    """Write family ids and codes of a cycle to a new CSV for the printer of the letters; returns how many.

    Whoever holds the file and knows birth dates can read decisions: the file is its owner's alone (0600), takes its
    name only when the event is on record, and is to be destroyed when the letters are printed.
    """
    cycle = _one(Cycle, cycle_id)
    for region in cycle.regions:
        require(actor, "programmes.claim_letters_write", region, now=now)
    issued = ClaimCode.objects.filter(revoked_at=None, family_id=OuterRef("family_id"))
    families = Decision.objects.filter(Exists(issued), cycle=cycle).order_by("family_id")
    digest, count = hashlib.sha256(), 0
    with being_written(file) as part, transaction.atomic():
        with part.open("w", encoding="ascii", newline="") as stream:
            stream.write("family_id,code\n")
            for some in _in_chunks(families.values_list("family_id", "region").distinct()):
                editions = _claim_editions(some)
                for family_id in some:
                    code = claims.code_of(keys, family_id, editions.get(family_id, 0))
                    line = f"{family_id},{claims.shown(code)}\n"
                    stream.write(line)
                    digest.update(line.encode())
                    count += 1
        record(now=now, actor=actor.ref, kind="programmes.claim_letters_written", subject=f"cycle:{cycle.id}",
               detail={"letters": count, "digest": digest.hexdigest()})  # fmt: skip
    return count


@transaction.atomic
def claim_codes_revoke(*, now: datetime, actor: Actor, family_id: int, region: str, case: str = "") -> int:
    """Let the code of a family open nothing any more: a letter was lost. The next issue gives another code."""
    require(actor, "programmes.claim_codes_revoke", region, now=now)
    rows = ClaimCode.objects.filter(family_id=family_id, region=region, revoked_at=None)
    if count := rows.update(revoked_at=now):
        record(now=now, actor=actor.ref, kind="programmes.claim_codes_revoked", subject=f"family:{family_id}",
               case=case, detail={"codes": count})  # fmt: skip
    return count


@dataclass(frozen=True)
class Claim:
    """What came of a try: the family, or none; or how long to wait before the next."""

    family_id: int | None = None
    wait_seconds: int = 0


@transaction.atomic
def claim_open(
    *, now: datetime, actor: Actor, keys: Keys, code: str, birth_date: date, source: str
) -> Claim:  # fmt: skip
    """Open a family's decisions by the code of its letter (plain) and the birth date of an adult.

    `source`: the address that asks. An unknown code, a revoked one, a wrong check letter and another birth date are
    one and the same: the same statements run, and nothing is on record of them but the try.
    """
    require(actor, "programmes.claim_open", now=now)
    tried = claims.try_once(keys, code, source, now)
    if tried.wait_seconds:
        return Claim(wait_seconds=tried.wait_seconds)
    found = ClaimCode.objects.filter(index__in=claims.indexes(keys, code, birth_date), revoked_at=None)
    family_id = found.values_list("family_id", flat=True).first()
    if family_id is not None:
        claims.give_back(tried)
        record(now=now, actor=actor.ref, kind="programmes.claim_opened", subject=f"family:{family_id}")
    return Claim(family_id)


def _claim_editions(families: Collection[int]) -> dict[int, int]:
    """How often the code of each family was revoked; families without a mention: never."""
    found: dict[int, int] = {}
    ids = sorted(families)
    for start in range(0, len(ids), CLAIMS_AT_ONCE):
        revoked = ClaimCode.objects.filter(
            family_id__in=ids[start : start + CLAIMS_AT_ONCE], revoked_at__isnull=False
        )
        counted = revoked.values("family_id").annotate(times=Count("revoked_at", distinct=True))
        found.update(counted.values_list("family_id", "times"))
    return found


def _in_chunks(families: QuerySet[Decision, tuple[int, str]]) -> Iterator[dict[int, str]]:
    """Family id and region, some at a time."""
    rows = families.iterator(chunk_size=CLAIMS_AT_ONCE)
    while some := dict(islice(rows, CLAIMS_AT_ONCE)):
        yield some
