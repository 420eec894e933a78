"""Drafts of rulebooks: begun from a version, or of a new programme from a text, saved revision by revision,
simulated, and handed in as the next version.

A revision is what one officer saved on top of what they had read. Whoever saves on top of anything else is told so:
nobody's text is ever lost or written over unseen.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from salur.access.policy import Actor, require
from salur.core import numbers, rules
from salur.core.faults import Fault, InputError
from salur.core.toml import FILE_BYTES_MOST
from salur.journal.constraints import refusing
from salur.journal.services import enqueue, record
from salur.programmes import books, drafts
from salur.programmes.models import (
    Draft,
    DraftCatalogue,
    DraftRevision,
    DraftRun,
    Population,
    RulebookVersion,
)
from salur.programmes.services.rulebooks import rulebook_add
from salur.programmes.services.shared import one

ASKED_AGAIN = (DraftRun.State.FAILED, DraftRun.State.CANCELLED)
_NAMED = re.compile(r'^id[ \t]*=[ \t]*"([a-z][a-z0-9_-]{0,59})"', re.MULTILINE)
GOING = (DraftRun.State.WAITING, DraftRun.State.RUNNING)


class SavedMeanwhile(InputError):  # noqa: N818
    """Somebody saved another revision since this text was opened."""


@transaction.atomic
def draft_begin(*, now: datetime, actor: Actor, version_id: int) -> int:
    """Begin a draft from a version of a programme; its text is revision 1. Returns the draft's id."""
    require(actor, "programmes.draft_begin", now=now)
    base = one(RulebookVersion, version_id)
    draft = Draft.objects.create(programme=base.programme, base=base, begun_by=actor.ref, begun_at=now)
    DraftRevision.objects.create(
        draft=draft, n=1, raw=bytes(base.raw), sha256=base.sha256, saved_by=actor.ref, saved_at=now
    )
    record(now=now, actor=actor.ref, kind="programmes.draft_begun", subject=f"draft:{draft.id}",
           detail={"programme": draft.programme, "version": base.id})  # fmt: skip
    return draft.id


@transaction.atomic
def draft_begin_new(*, now: datetime, actor: Actor, text: str, facts_raw: bytes) -> int:
    """Begin the draft of a programme that has no version, from a text that names it (`id = "…"`) and may have faults
    otherwise. The draft keeps this fact catalogue. Returns its id."""
    require(actor, "programmes.draft_begin_new", now=now)
    raw = _raw(text)
    named = _NAMED.search(re.split(r"^\[", text, maxsplit=1, flags=re.MULTILINE)[0])  # before the first table
    if named is None:
        raise InputError.of('The text names its programme by a line such as id = "beasiswa-desa".')
    programme = named[1]
    if RulebookVersion.objects.filter(programme=programme).exists():
        raise InputError.of(
            "{programme} has a version already; begin the draft from that one.", programme=programme
        )
    catalogue = books.catalogue_of(facts_raw)
    draft = Draft.objects.create(programme=programme, begun_by=actor.ref, begun_at=now)
    DraftCatalogue.objects.create(draft=draft, raw=facts_raw, sha256=catalogue.sha256)
    sha256 = hashlib.sha256(raw).hexdigest()
    DraftRevision.objects.create(draft=draft, n=1, raw=raw, sha256=sha256, saved_by=actor.ref, saved_at=now)
    record(now=now, actor=actor.ref, kind="programmes.draft_begun", subject=f"draft:{draft.id}",
           detail={"programme": programme, "sha256": sha256, "facts": catalogue.sha256})  # fmt: skip
    return draft.id


@transaction.atomic
def draft_save(*, now: datetime, actor: Actor, draft_id: int, text: str, seen: int) -> int:
    """Save a draft as its next revision; returns its number, or that of the last one if nothing differs.

    `seen`: the revision that the text was written on top of. Raises SavedMeanwhile if that is not the last one. Faults
    of the file are no reason to refuse it: a draft may be half done. A number of nine digits may be that of a person
    and is refused: amounts are written 100_000_000.
    """
    require(actor, "programmes.draft_save", now=now)
    draft = _open(draft_id)
    last = DraftRevision.objects.filter(draft=draft).latest("n")
    if last.n != seen:
        raise SavedMeanwhile.of("Revision {n} was saved while you were writing. Nothing of yours was saved yet.",
                                n=last.n)  # fmt: skip
    raw = _raw(text)
    if raw == bytes(last.raw):
        return last.n
    with refusing("Another revision was saved at the same moment. Nothing of yours was saved yet."):
        made = DraftRevision.objects.create(
            draft=draft,
            n=last.n + 1,
            raw=raw,
            sha256=hashlib.sha256(raw).hexdigest(),
            saved_by=actor.ref,
            saved_at=now,
        )
    record(now=now, actor=actor.ref, kind="programmes.draft_saved", subject=f"draft:{draft.id}",
           detail={"n": made.n, "sha256": made.sha256})  # fmt: skip
    return made.n


@transaction.atomic
def draft_drop(*, now: datetime, actor: Actor, draft_id: int) -> None:
    """End a draft that will not become a version. What was saved of it stays."""
    require(actor, "programmes.draft_drop", now=now)
    draft = _open(draft_id)
    draft.ended_by, draft.ended_at = actor.ref, now
    draft.save(update_fields=["ended_by", "ended_at"])
    record(now=now, actor=actor.ref, kind="programmes.draft_dropped", subject=f"draft:{draft.id}")


@transaction.atomic
def draft_submit(*, now: datetime, actor: Actor, draft_id: int, seen: int, in_force_from: date) -> int:
    """Make the last revision a version that is in force from a day once another officer approved it; returns its id.

    The draft ends with it. `seen` as in `draft_save`: nobody hands in what they have not read.
    """
    require(actor, "programmes.draft_submit", now=now)
    draft = _open(draft_id)
    last = drafts.revision(draft)
    assert last is not None  # noqa: S101 - a draft begins with one
    if last.n != seen:
        raise SavedMeanwhile.of(
            "Revision {n} was saved meanwhile. Read it before you hand the draft in.", n=last.n
        )
    checked = drafts.checked(last)
    if checked.rulebook is None:
        raise InputError.of("This draft has faults. Mend them before you hand it in.")
    if draft.base is not None and last.sha256 == draft.base.sha256:
        raise InputError.of("This draft says what the version says that it began with.")
    rules.plan_on(checked.rulebook, in_force_from)  # every parameter has a value on that day
    version = rulebook_add(
        now=now,
        actor=actor,
        raw=bytes(last.raw),
        facts_raw=drafts.facts(draft),
        in_force_from=in_force_from,
    )
    draft.version_id, draft.ended_by, draft.ended_at = version, actor.ref, now
    draft.save(update_fields=["version", "ended_by", "ended_at"])
    record(now=now, actor=actor.ref, kind="programmes.draft_submitted", subject=f"draft:{draft.id}",
           detail={"version": version, "n": last.n, "sha256": last.sha256})  # fmt: skip
    return version


def _raw(text: str) -> bytes:
    raw = text.replace("\r\n", "\n").encode()
    if len(raw) > FILE_BYTES_MOST:
        raise InputError.of("A rulebook has at most {most} bytes.", most=FILE_BYTES_MOST)
    numbers.refuse(text, document=True)
    return raw


def _open(draft_id: int) -> Draft:
    draft = Draft.objects.select_for_update().filter(id=draft_id).first()
    if draft is None:
        raise InputError.of("There is no {what} with the number {id}.", what="draft", id=draft_id)
    if draft.ended_by:
        raise InputError.of("This draft has ended.")
    return draft


# ---- simulations -----------------------------------------------------------------------------------------------


@transaction.atomic
def draft_run_ask(
    *, now: datetime, actor: Actor, revision_id: int, population_id: int, against_id: int, sample: int,
    queued: bool = True,
) -> DraftRun:  # fmt: skip
    """Ask for a simulation: of everybody (`sample` 1) or of one in so many families. There is one for each revision,
    version and population; one that failed or was cancelled begins anew. `queued`: our own worker does it.
    """
    require(actor, "programmes.draft_run_ask", now=now)
    revision = one(DraftRevision, revision_id)
    against = one(RulebookVersion, against_id)
    if against.programme != revision.draft.programme:
        raise InputError.of("That version is of another programme.")
    if drafts.checked(revision).rulebook is None:
        raise InputError.of("This draft has faults. Mend them before you simulate it.")
    run, made = DraftRun.objects.select_for_update().get_or_create(
        revision=revision, population=one(Population, population_id), against=against, sample=sample,
        defaults={"asked_by": actor.ref, "asked_at": now},
    )  # fmt: skip
    if not made and not (run.state in ASKED_AGAIN or drafts.lost(run, now)):
        return run
    if not made:
        run.attempt += 1
        run.state, run.stage, run.done, run.whole, run.faults = DraftRun.State.WAITING, "", 0, 0, []
        run.asked_by, run.asked_at = actor.ref, now
    run.job = None
    if queued:
        run.job = enqueue(
            now=now, kind="programmes.draft_run", payload={"run": run.id, "attempt": run.attempt}
        )
    run.save()
    record(now=now, actor=actor.ref, kind="programmes.draft_run_asked", subject=f"draft:{revision.draft_id}",
           detail={"run": run.id, "n": revision.n, "sample": sample, "version": against.id})  # fmt: skip
    return run


@transaction.atomic
def draft_run_cancel(*, now: datetime, actor: Actor, run_id: int) -> None:
    """Stop a simulation that is not done. A worker that is at it stops at its next step."""
    require(actor, "programmes.draft_run_cancel", now=now)
    run = one(DraftRun, run_id)
    if not DraftRun.objects.filter(id=run_id, state__in=GOING).update(state=DraftRun.State.CANCELLED):
        raise InputError.of("This simulation has ended already.")
    record(now=now, actor=actor.ref, kind="programmes.draft_run_cancelled", subject=f"draft:{run.revision.draft_id}",
           detail={"run": run.id})  # fmt: skip


class _Cancelled(Exception):  # noqa: N818
    """Somebody does not want it any more, or asked for it anew."""


def draft_run(
    *, now: datetime, actor: Actor, run_id: int, attempt: int, renew: Callable[[], None] = lambda: None
) -> None:  # fmt: skip
    """Do a simulation that was asked for. Killed and run again, it goes on where it stopped; what nobody wants any
    more is left alone.
    """
    require(actor, "programmes.draft_run", now=now)
    mine = DraftRun.objects.filter(id=run_id, attempt=attempt, state__in=GOING)
    run = mine.select_related("population", "against", "revision__draft__base").first()
    if run is None:
        return
    if run.job is None and not mine.filter(state=DraftRun.State.WAITING).update(state=DraftRun.State.RUNNING):
        return  # another page is at it
    work = drafts.folder(run)

    def step(stage: str, _province: str) -> None:
        renew()
        if stage == "compare":
            run.done = min(run.done + 1, run.whole)
        if not mine.update(state=DraftRun.State.RUNNING, stage=stage[:40], done=run.done, whole=run.whole):
            raise _Cancelled

    try:
        result = _simulated(run, work, step)
    except _Cancelled:
        pass
    except InputError as error:
        _failed(now=now, actor=actor, run=run, faults=error.faults)
    else:
        _finished(now=now, actor=actor, run=run, result=result)
    shutil.rmtree(work, ignore_errors=True)


def _simulated(run: DraftRun, work: Path, step: Callable[[str, str], None]) -> dict[str, object]:
    from salur.core.rules.simulate import Options, simulate

    checked = drafts.checked(run.revision)
    if checked.rulebook is None:
        raise InputError(checked.faults)
    on = run.population.reference_date
    population = rules.open_population(Path(run.population.path), checked.rulebook.catalogue)
    if population.id != run.population.sha256:
        raise InputError.of("The folder of this population holds another one now.")
    run.done, run.whole = 0, len(population.provinces)
    work.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = simulate(
        rules.plan_on(checked.rulebook, on), books.plan(run.against_id, on), population, work,
        Options(
            sample=None if run.sample == 1 else (1, run.sample), facts=settings.SIMULATIONS_FOLDER / "facts",
            checked=settings.DECISIONS_FOLDER / "checked", progress=step,
        ),
    ).to_json()  # fmt: skip
    return found


@transaction.atomic
def _finished(*, now: datetime, actor: Actor, run: DraftRun, result: dict[str, object]) -> None:
    mine = DraftRun.objects.filter(id=run.id, attempt=run.attempt, state__in=GOING)
    if mine.update(state=DraftRun.State.DONE, result=result, done=run.whole, whole=run.whole):
        record(now=now, actor=actor.ref, kind="programmes.draft_run_done",
               subject=f"draft:{run.revision.draft_id}", detail={"run": run.id})  # fmt: skip


@transaction.atomic
def _failed(*, now: datetime, actor: Actor, run: DraftRun, faults: tuple[Fault, ...]) -> None:
    told = [
        [fault.template, {name: _plain(value) for name, value in fault.values.items()}] for fault in faults
    ]
    mine = DraftRun.objects.filter(id=run.id, attempt=run.attempt, state__in=GOING)
    if mine.update(state=DraftRun.State.FAILED, faults=told):
        record(now=now, actor=actor.ref, kind="programmes.draft_run_failed",
               subject=f"draft:{run.revision.draft_id}", detail={"run": run.id})  # fmt: skip


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) else str(value)
