"""A cycle is opened, decided, cancelled or closed."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import Max

from salur.access.policy import Actor, require
from salur.core import numbers, rules
from salur.core.faults import InputError
from salur.core.population.layout import Population as Folder
from salur.core.rules.decide import Decisions
from salur.core.rules.lines import text as line_text
from salur.journal.constraints import refusing
from salur.journal.selectors import ask
from salur.journal.services import record
from salur.programmes import books, corrections, periods, selectors
from salur.programmes.loading import LoadedCase, LoadedDecision, Triage, stream
from salur.programmes.models import Budget, Cycle, Duty, Population, RulebookVersion
from salur.programmes.services.reviews import decide_again
from salur.programmes.services.shared import (
    CHUNK,
    REASON_LENGTH_LEAST,
    Progress,
    covered,
    locked,
    one,
    require_everywhere,
    take_duty,
)
from salur.programmes.services.storing import store


@transaction.atomic
def cycle_open(
    *, now: datetime, actor: Actor, version_id: int, period: str, regions: Collection[str], population: Folder,
    supplement: bool = False,
) -> int:  # fmt: skip
    """Open a cycle of an approved rulebook version for a period, some regencies and a population; returns its id.

    The reference date is the population's. The opener gets the duty to open and can have no other in this cycle.
    """
    version = one(RulebookVersion, version_id)
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
    if pays:
        covered(Budget.objects.filter(programme=version.programme, period=period), wanted)
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
    take_duty(now=now, actor=actor, cycle_id=cycle.id, duty=Duty.Kind.OPEN)
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


def cycle_decide(
    *, now: datetime, actor: Actor, cycle_id: int, work: Path, checked: Path | None = None,
    progress: Progress | None = None,
) -> None:  # fmt: skip
    """Decide the population and store the decisions of the cycle's regencies with the cases they rest on.

    `work` is a folder for the decisions; killed and run again, it goes on where it stopped. Families with confirmed
    corrections are decided with them.
    """
    require(actor, "programmes.cycle_decide", now=now)
    cycle = one(Cycle, cycle_id)
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
    known = corrections.confirmed(on=cycle.reference_date)
    families = 0
    held = selectors.families_by_regency(cycle.population)
    total = sum(held.get(region, 0) for region in cycle.regions)
    digest, units, amount = hashlib.sha256(), 0, 0
    chunk: list[tuple[LoadedCase, list[LoadedDecision]]] = []

    def corrected(family_id: int, text: str) -> rules.Case | None:
        if family_id not in known.families:
            return None
        case = rules.parse_case(text, catalogue)
        return corrections.corrected(case, known, catalogue) if known.of(case) else None

    def flush() -> None:
        nonlocal families
        store(now=now, cycle=cycle, chunk=chunk)
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
    decide_again(now=now, actor=actor, cycle_id=cycle.id)  # what was confirmed or taken back meanwhile


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
    cycle = locked(cycle_id)
    require_everywhere(actor, "programmes.cycle_cancel", cycle, now)
    if cycle.state not in (Cycle.State.OPENED, Cycle.State.DECIDED):
        raise InputError.of("A decreed cycle cannot be cancelled; a supplement corrects it.")
    if len(reason.strip()) < REASON_LENGTH_LEAST:
        raise InputError.of("Give a reason of at least {least} characters.", least=REASON_LENGTH_LEAST)
    numbers.refuse(reason)
    cycle.state = Cycle.State.CANCELLED
    cycle.save(update_fields=["state"])
    record(now=now, actor=actor.ref, kind="programmes.cycle_cancelled", subject=f"cycle:{cycle.id}",
           detail={"reason": hashlib.sha256(reason.encode()).hexdigest()})  # fmt: skip


@transaction.atomic
def cycle_close(*, now: datetime, actor: Actor, cycle_id: int) -> None:
    """Close a decreed cycle. A hold of a later stage (payments still under way) stops it."""
    cycle = locked(cycle_id)
    require_everywhere(actor, "programmes.cycle_close", cycle, now)
    if cycle.state != Cycle.State.DECREED:
        raise InputError.of("Only a decreed cycle can be closed.")
    ask("programmes.close", f"cycle:{cycle.id}")
    cycle.state, cycle.closed_at = Cycle.State.CLOSED, now
    cycle.save(update_fields=["state", "closed_at"])
    record(now=now, actor=actor.ref, kind="programmes.cycle_closed", subject=f"cycle:{cycle.id}")
