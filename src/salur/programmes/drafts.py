"""Reads of drafts: what was saved, what is wrong with it, what a simulation of it said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, Max, QuerySet

from salur.core import rules
from salur.core.faults import Fault, InputError
from salur.core.rules.simulate.changes import Change
from salur.core.rules.simulate.published import Line, Reason, Row, Side, Simulation, Table
from salur.journal import selectors as journal
from salur.programmes import books
from salur.programmes.models import Budget, Draft, DraftRevision, DraftRun, Population, RulebookVersion

SAMPLE = 100  # of so many families one is looked at while a draft is written
CHECKED_KEPT = 64
PAGE_MOST = timedelta(minutes=2)  # a page that does a sample itself answers or is cut off by then


def drafts(programme: str = "") -> QuerySet[Draft]:
    """Drafts, those that are being written first, then the newest."""
    found = Draft.objects.annotate(saved_at=Max("revisions__saved_at"), n=Max("revisions__n"))
    found = found.select_related("version").order_by(F("ended_at").desc(nulls_first=True), "-saved_at", "-id")
    return found.filter(programme=programme) if programme else found


def draft(draft_id: int) -> Draft | None:
    return Draft.objects.select_related("base", "version").filter(id=draft_id).first()


def revisions(draft: Draft) -> list[DraftRevision]:
    """Everything that was saved of a draft, the newest first, without the texts."""
    return list(DraftRevision.objects.filter(draft=draft).defer("raw").order_by("-n"))


def revision(draft: Draft | int, n: int | None = None) -> DraftRevision | None:
    """One revision; without a number the newest."""
    found = DraftRevision.objects.filter(draft=draft).order_by("-n")
    return (found if n is None else found.filter(n=n)).select_related("draft__base").first()


def text(revision: DraftRevision) -> str:
    return bytes(revision.raw).decode()


def drafts_of(versions: Iterable[int]) -> dict[int, Draft]:
    """The draft that each of these versions came from; none for a version whose file was brought along."""
    found = Draft.objects.filter(version__in=list(versions)).order_by("id")
    return {row.version_id: row for row in found if row.version_id is not None}


# ---- the check -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """A revision as the rules read it: a rulebook, or every fault with its line."""

    rulebook: rules.Rulebook | None
    faults: tuple[Fault, ...]


def checked(revision: DraftRevision) -> Checked:
    """Checked once in a process: what was saved never changes."""
    draft = revision.draft
    kept = draft.base.facts_sha256 if draft.base is not None else draft.catalogue.sha256
    return _checked(draft.id, draft.base_id, draft.programme, kept, bytes(revision.raw))


def facts(draft: Draft) -> bytes:
    """The fact catalogue that a draft keeps: of the version that it began from, or its own."""
    return bytes(draft.base.facts_raw if draft.base is not None else draft.catalogue.raw)


@lru_cache(maxsize=CHECKED_KEPT)
def _checked(draft_id: int, base: int | None, programme: str, _facts_sha256: str, raw: bytes) -> Checked:
    try:
        book = books.parsed(raw, facts(Draft.objects.select_related("base").get(id=draft_id)), programme)
    except InputError as error:
        return Checked(None, error.faults)
    kept = [("id", book.id, programme)]
    if base is not None:
        kept.append(("unit", book.unit, books.rulebook(base).unit))
    for key, now, then in kept:
        if now != then:
            line = next(
                (n for n, row in enumerate(raw.decode().split("\n"), 1) if row.split("=")[0].strip() == key),
                0,
            )
            return Checked(
                None,
                (
                    Fault.of('A draft of this programme keeps {key} = "{value}".', key=key, value=then).at(
                        book.path, line
                    ),
                ),
            )
    return Checked(book, ())


# ---- simulations -----------------------------------------------------------------------------------------------


def run(
    revision: DraftRevision | int, population: Population | int, against: RulebookVersion | int, sample: int
) -> DraftRun | None:
    """The simulation of a revision against a version over a population."""
    return (
        DraftRun.objects.filter(revision=revision, population=population, against=against, sample=sample)
        .select_related("against", "population")
        .first()
    )


def lost(run: DraftRun, now: datetime) -> bool:
    """Whether nobody works on it any more: its job was given up, or the page that did it is long gone."""
    if run.state not in (DraftRun.State.WAITING, DraftRun.State.RUNNING):
        return False
    if run.job is None:
        return now - run.asked_at > PAGE_MOST
    return journal.job_state(run.job) == "dead"


def sample_is_ready(population: Population) -> bool:
    """Whether the sampled families of a population were cut out before: then the answer takes less than a second."""
    done = DraftRun.objects.filter(population=population, sample=SAMPLE, state=DraftRun.State.DONE)
    return (settings.SIMULATIONS_FOLDER / "facts" / "samples").is_dir() and done.exists()


def faults_of(run: DraftRun) -> list[Fault]:
    return [Fault.of(template, **values) for template, values in run.faults]


def folder(run: DraftRun) -> Path:
    """Where an attempt keeps what it has, until it is done."""
    root: Path = settings.SIMULATIONS_FOLDER
    return root / f"run-{run.id}-{run.attempt}"


def simulation(run: DraftRun) -> Simulation | None:
    """What a simulation that is done said."""
    told = run.result
    if told is None:
        return None

    def line(row: dict[str, Any]) -> Line:
        return Line(tuple(row["names"]), row["units"], row["before"], row["after"])

    def side(row: dict[str, Any] | None) -> Side | None:
        return None if row is None else Side(**row)

    after = side(told["after"])
    assert after is not None  # noqa: S101 - there is always a new rulebook
    plain = (
        "programme",
        "title",
        "unit",
        "period",
        "times_a_year",
        "reference_date",
        "population",
        "times",
        "ceiling",
    )
    return Simulation(
        **{name: told[name] for name in plain},
        regencies=_tuple(told["regencies"]),
        sample=_tuple(told["sample"]),
        before=side(told["before"]),
        after=after,
        kinds=tuple(map(line, told["kinds"])),
        moves=tuple(map(line, told["moves"])),
        reasons=tuple(
            Reason(**row | {"sets": tuple(tuple(names) for names in row["sets"])}) for row in told["reasons"]
        ),
        tables={
            name: Table(
                name, tuple(Row(tuple(row["values"]), tuple(map(line, row["lines"]))) for row in rows)
            )
            for name, rows in told["tables"].items()
        },
        errors_before=None,  # an office has no truth to compare with
        errors_after=None,
        poor=None,
        changes=tuple(Change(**row | {"touches": tuple(row["touches"])}) for row in told["changes"]),
        missing={name: tuple(facts) for name, facts in told["missing"].items()},
    )


def _tuple(value: list[Any] | None) -> Any:
    return None if value is None else tuple(value)


@dataclass(frozen=True)
class Against:
    """What both rulebooks cost in the region of a ceiling and its period; None is withheld."""

    ceiling: Budget
    before: int | None
    after: int | None

    @property
    def left(self) -> int | None:
        """Of the ceiling, after the new rulebook; negative: so much over it."""
        return None if self.after is None else self.ceiling.amount - self.after


def against_ceilings(found: Simulation) -> list[Against]:
    """The ceilings of the programme's latest period, with what is spent there of this population."""
    budgets = Budget.objects.filter(programme=found.programme).order_by("-period", "region")
    latest = [row for row in budgets if row.period == budgets[0].period]
    rows = {code: row for row in found.tables["region"].rows for code in row.values if len(row.values) == 1}
    told = []
    for budget in latest:
        if not budget.region:
            costs = [None if side is None else side.cost for side in (found.before, found.after)]
        elif budget.region in rows:
            lines = rows[budget.region].lines
            costs = [_sum(line.before for line in lines), _sum(line.after for line in lines)]
        else:
            continue
        told.append(Against(budget, *(None if cost is None else cost * found.times for cost in costs)))
    return told


def _sum(amounts: Iterable[int | None]) -> int | None:
    total = 0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
