"""Drafts of rulebooks: written with a live check and a sample, compared and simulated, handed in as a version."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe
from markupsafe import Markup

from salur.core.faults import InputError
from salur.core.rules import Rulebook
from salur.core.rules.aloud import Words
from salur.core.rules.compare import SECTIONS, Comparison, Pair, Pieces, compare
from salur.core.rules.rulebook import DatedValue
from salur.core.rules.simulate.screen import csv_text
from salur.core.toml import FILE_BYTES_MOST
from salur.officers import simulations
from salur.officers.pages import Errors, actor_of, day_from, may, officer_names, show, trying
from salur.programmes import books, drafts, selectors, services
from salur.programmes.models import Draft, DraftRevision, DraftRun, Population, RulebookVersion
from salur.web.words import gettext as _
from salur.web.words import language, later, translator

LOOKS_AGAIN_SECONDS = 4
SHIPPED_FACTS = files("salur") / "rulebooks" / "facts.toml"
SECTION_TITLES = {
    "about": later("About the programme"),
    "gets": later("What you get"),
    "who": later("Who is entitled"),
    "places": later("Places"),
    "values": later("Values"),
    "law": later("The law"),
}
STAGES = {
    "check": later("The files of the population are being checked."),
    "classes": later("Families that the rulebooks treat alike are being put together."),
    "decide": later("Places are being given by rank."),
    "compare": later("Both rulebooks are being compared."),
}
KINDS = {"added": later("Added"), "removed": later("Removed"), "changed": later("Changed")}
KIND_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


def _draft(draft: int) -> Draft:
    found = drafts.draft(draft)
    if found is None:
        raise Http404
    return found


def _revision(draft: Draft, wanted: str = "") -> DraftRevision:
    found = drafts.revision(draft, int(wanted) if wanted.isdecimal() and len(wanted) < 9 else None)
    if found is None:
        raise Http404
    return found


def _title(draft: Draft) -> str:
    """Of the version that it began from; of a new programme that of its last revision, or its name."""
    if draft.base_id is not None:
        return books.rulebook(draft.base_id).title[language()]
    book = drafts.checked(_revision(draft)).rulebook
    return book.title[language()] if book else draft.programme


@require_http_methods(["GET", "POST"])
def drafts_list(request: HttpRequest) -> HttpResponse:
    """Every draft; POST begins one from a version or, of a new programme, from a text."""
    actor, errors = actor_of(request), Errors()
    if request.method == "POST" and request.POST.get("version", "").isdecimal():
        with trying(errors):
            now = timezone.now()
            made = services.draft_begin(now=now, actor=actor, version_id=int(request.POST["version"]))
            _ask_sample(request, _revision(_draft(made)), queued=True)
            return redirect("officers:draft", made)
    elif request.method == "POST" and request.POST.get("do") == "new":
        with trying(errors, "text"):
            made = services.draft_begin_new(
                now=timezone.now(), actor=actor, text=_sent_text(request),
                facts_raw=selectors.newest_catalogue() or SHIPPED_FACTS.read_bytes(),
            )  # fmt: skip
            return redirect(reverse("officers:draft", args=[made]) + "#check")
    rows = [(row, _title(row)) for row in drafts.drafts()]
    return show(
        request, "drafts", errors=errors, status=422 if errors else 200, rows=rows,
        names=officer_names(ref for row, _name in rows for ref in (row.begun_by, row.ended_by)),
        begins=_can_begin() if may(actor, "programmes.draft_begin") else [],
        begins_new=may(actor, "programmes.draft_begin_new"), text=request.POST.get("text", ""), wrong=dict(errors),
    )  # fmt: skip


def _sent_text(request: HttpRequest) -> str:
    """The file that was chosen, else what was pasted."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "")
    raw: bytes = file.read(FILE_BYTES_MOST + 1)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InputError.of("The file must be text in UTF-8.") from None


def _can_begin() -> list[tuple[int, str]]:
    """The version in force of each programme, as a choice."""
    today = timezone.localdate()
    ids = [selectors.version_in_force(name, today) for name in _programmes()]
    return sorted(
        ((id_, books.rulebook(id_).title[language()]) for id_ in ids if id_ is not None), key=lambda p: p[1]
    )


def _programmes() -> list[str]:
    return sorted({row.programme for row in selectors.versions()})


# ---- writing ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A fault of the file: its line, what stands there, what is wrong with it."""

    line: int
    text: str
    sentence: str


def _wrong(checked: drafts.Checked, text: str) -> list[Wrong]:
    lines, translate = text.split("\n"), translator(language())
    return [
        Wrong(
            f.line, lines[f.line - 1].strip()[:160] if 0 < f.line <= len(lines) else "", f.sentence(translate)
        )
        for f in checked.faults
    ]


@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest, draft: int) -> HttpResponse:
    """The text, what is wrong with it, what it changes, and what a sample says. POST saves a revision or drops it."""
    actor, errors, row = actor_of(request), Errors(), _draft(draft)
    last = _revision(row)
    text, meanwhile = drafts.text(last), []
    if request.method == "POST":
        now, sent = timezone.now(), request.POST
        if sent.get("do") == "drop":
            with trying(errors):
                services.draft_drop(now=now, actor=actor, draft_id=row.id)
                return redirect("officers:drafts")
        else:
            text, seen = sent.get("text", ""), sent.get("seen", "")
            seen_n = int(seen) if seen.isdecimal() and len(seen) < 9 else 0
            try:
                with trying(errors, "text"):
                    services.draft_save(now=now, actor=actor, draft_id=row.id, text=text, seen=seen_n)
                    _ask_sample(request, _revision(row))
                    return redirect(reverse("officers:draft", args=[row.id]) + "#check")
            finally:
                last = _revision(row)
            if last.n != seen_n:
                before = drafts.revision(row, seen_n)
                meanwhile = _differences(drafts.text(before) if before else "", drafts.text(last))
    checked = drafts.checked(last)
    base = books.rulebook(row.base_id) if row.base_id is not None else None
    run = _sample(last)
    return show(
        request, "draft", errors=errors, status=422 if errors else 200, draft=row, title=_title(row), last=last,
        text=text, wrong_lines=_wrong(checked, drafts.text(last)), book=checked.rulebook, meanwhile=meanwhile,
        comparison=_changes(base, checked.rulebook), is_new=base is None,
        unsaid=_unsaid(base, checked.rulebook), run=run, sample=_shown(run, checked.rulebook, base),
        going=_going(run), revisions=drafts.revisions(row), of=drafts.SAMPLE,
        writes=may(actor, "programmes.draft_save") and not row.ended_by,
        names=officer_names([each.saved_by for each in drafts.revisions(row)] + [row.ended_by, last.saved_by]),
        late=_late(base, checked.rulebook, run.population.reference_date if run else None),
    )  # fmt: skip


def _changes(old: Rulebook | None, new: Rulebook | None) -> list[Told]:
    return _rows(compare(old, new, language()), True) if old and new else []


def _differences(before: str, after: str) -> list[str]:
    """The lines that somebody else changed, as a comparison of texts has them."""
    lines = list(difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=1))[2:]
    return [line for line in lines if not line.startswith("@@")][:80]


def _population() -> Population | None:
    return next(iter(selectors.populations()), None)


def _ask_sample(request: HttpRequest, revision: DraftRevision, *, queued: bool = False) -> None:
    """The answer of a sample of the newest population: at once where its families were cut out before."""
    population, base = _population(), revision.draft.base_id
    if population is None or base is None or drafts.checked(revision).rulebook is None:
        return
    now, actor = timezone.now(), actor_of(request)
    at_once = not queued and drafts.sample_is_ready(population)
    run = services.draft_run_ask(
        now=now, actor=actor, revision_id=revision.id, population_id=population.id, against_id=base,
        sample=drafts.SAMPLE, queued=not at_once,
    )  # fmt: skip
    if at_once and run.state == DraftRun.State.WAITING:
        services.draft_run(now=now, actor=actor, run_id=run.id, attempt=run.attempt)


def _sample(revision: DraftRevision) -> DraftRun | None:
    population, base = _population(), revision.draft.base_id
    return drafts.run(revision, population, base, drafts.SAMPLE) if population and base is not None else None


def _going(run: DraftRun | None) -> bool:
    going = run is not None and run.state in (DraftRun.State.WAITING, DraftRun.State.RUNNING)
    return going and not _lost(run)


def _lost(run: DraftRun | None) -> bool:
    return run is not None and drafts.lost(run, timezone.now())


def _shown(run: DraftRun | None, new: Rulebook | None, old: Rulebook | None) -> simulations.Shown | None:
    found = drafts.simulation(run) if run else None
    return simulations.shown(found, new, old) if found and new and old else None


# ---- two versions side by side ---------------------------------------------------------------------------------

_MARKS = {True: {"ins": Markup("<ins>{}</ins>"), "del": Markup("<del>{}</del>")}, False: {}}


def _marked(pieces: Pieces, mark: str, code: bool) -> Markup:
    """A sentence with its marks, for eyes and for ears."""
    text = Markup().join(_MARKS[piece.marked].get(mark, Markup("{}")).format(piece.text) for piece in pieces)
    return Markup("<code>{}</code>").format(text) if code and pieces else text


@dataclass(frozen=True)
class Told:
    """A pair of sentences with its marks."""

    section: str
    kind: str
    colour: str
    before: Markup
    after: Markup


def _rows(comparison: Comparison, changed: bool) -> list[Told]:
    pairs = comparison.changed if changed else comparison.pairs
    return [_told(pair) for pair in sorted(pairs, key=lambda pair: SECTIONS.index(pair.section))]


def _told(pair: Pair) -> Told:
    return Told(
        str(SECTION_TITLES[pair.section]), str(KINDS.get(pair.kind, "")), KIND_COLOURS.get(pair.kind, ""),
        _marked(pair.before, "del", pair.code), _marked(pair.after, "ins", pair.code),
    )  # fmt: skip


def _unsaid(old: Rulebook | None, new: Rulebook | None) -> list[str]:
    """Sentences that stayed although their rule is another."""
    if old is None or new is None:
        return []
    ids = compare(old, new, language()).unsaid
    return [criterion.says[language()] for criterion in new.criteria if criterion.id in ids]


def _late(old: Rulebook | None, new: Rulebook | None, on: date | None) -> list[str]:
    """Values that are new and begin after the day for which is simulated: no simulation shows them."""
    if old is None or new is None or on is None:
        return []

    def values(book: Rulebook, name: str) -> tuple[DatedValue, ...]:
        return book.parameters[name].values if name in book.parameters else ()

    return [
        parameter.label[language()] if parameter.label else name
        for name, parameter in new.parameters.items()
        if any(dated.start > on and dated not in values(old, name) for dated in parameter.values)
    ]


@dataclass(frozen=True)
class Compared:
    """What a page compares: a revision with a version, over a population."""

    draft: Draft
    revision: DraftRevision
    against: RulebookVersion
    population: Population | None

    @property
    def query(self) -> str:
        parts = [f"revisi={self.revision.n}", f"lawan={self.against.id}"]
        return "&".join(parts + ([f"populasi={self.population.id}"] if self.population else []))


def _chosen(request: HttpRequest, draft: int) -> Compared:
    row = _draft(draft)
    if row.base is None:
        raise Http404  # there is nothing that a new programme could be compared with
    given = request.GET if request.method == "GET" else request.POST
    revision = _revision(row, given.get("revisi", ""))
    versions = [
        version
        for version in selectors.versions(row.programme)
        if version.approved_by or version.id == row.base_id
    ]
    against = next((v for v in versions if str(v.id) == given.get("lawan", "")), row.base)
    populations = selectors.populations()
    population = next((p for p in populations if str(p.id) == given.get("populasi", "")), _population())
    return Compared(row, revision, against, population)


@require_http_methods(["GET", "POST"])
def draft_compare(request: HttpRequest, draft: int) -> HttpResponse:
    """A draft beside a version: the sentences, then whom the change moves. POST simulates everybody, or stops it."""
    actor, errors, pair = actor_of(request), Errors(), _chosen(request, draft)
    here = reverse("officers:draft_compare", args=[draft]) + "?" + pair.query
    run = drafts.run(pair.revision, pair.population, pair.against, 1) if pair.population else None
    if request.method == "POST" and pair.population:
        with trying(errors):
            now = timezone.now()
            if request.POST.get("do") == "cancel" and run:
                services.draft_run_cancel(now=now, actor=actor, run_id=run.id)
            else:
                services.draft_run_ask(
                    now=now, actor=actor, revision_id=pair.revision.id, population_id=pair.population.id,
                    against_id=pair.against.id, sample=1,
                )  # fmt: skip
            return redirect(here + "#simulation")
    old, checked = books.rulebook(pair.against.id), drafts.checked(pair.revision)
    new = checked.rulebook
    found = run if run and run.state == DraftRun.State.DONE else None
    if found is None and pair.population:
        found = drafts.run(pair.revision, pair.population, pair.against, drafts.SAMPLE)
    comparison = compare(old, new, language()) if new else None
    going, quiet = _going(run), "diam" in request.GET
    answer = show(
        request, "draft_compare", errors=errors, status=422 if errors else 200, pair=pair, title=_title(pair.draft),
        here=here, new=new, rows=_rows(comparison, True) if comparison else [],
        all_rows=_rows(comparison, False) if comparison else [], unsaid=_unsaid(old, new), run=run, going=going,
        quiet=quiet, lost=_lost(run), told=_told_run(run), shown=_shown(found, new, old),
        sampled=found is not None and found.sample > 1, of=drafts.SAMPLE, found=found,
        simulates=may(actor, "programmes.draft_run_ask") and new is not None,
        submits=may(actor, "officers.draft_submit") and not pair.draft.ended_by and new is not None,
        late=_late(old, new, pair.population.reference_date if pair.population else None),
        choices=_choices(pair), seconds=LOOKS_AGAIN_SECONDS,
        stage=str(STAGES.get(run.stage.partition(" ")[0], "")) if run else "",
    )  # fmt: skip
    if going and not quiet and not errors:
        answer.headers["Refresh"] = str(LOOKS_AGAIN_SECONDS)
    return answer


def _told_run(run: DraftRun | None) -> list[str]:
    translate = translator(language())
    return [fault.sentence(translate) for fault in drafts.faults_of(run)] if run else []


def _choices(pair: Compared) -> dict[str, list[tuple[int, str]]]:
    """What else could be compared."""
    versions = [
        v for v in selectors.versions(pair.draft.programme) if v.approved_by or v.id == pair.draft.base_id
    ]
    day = Words(language()).day
    return {
        "revisi": [(row.n, _("Revision {n}", n=row.n)) for row in drafts.revisions(pair.draft)],
        "lawan": [(v.id, _("From {day}", day=day(v.in_force_from)) + f", {v.sha256[:8]}") for v in versions],
        "populasi": [(p.id, f"{day(p.reference_date)}, {p.sha256[:8]}") for p in selectors.populations()],
    }


@require_safe
def draft_figures(request: HttpRequest, draft: int) -> HttpResponse:
    """Every published number of the simulation of everybody, as CSV; of the sample where there is no other."""
    pair = _chosen(request, draft)
    if pair.population is None:
        raise Http404
    for sample in (1, drafts.SAMPLE):
        run = drafts.run(pair.revision, pair.population, pair.against, sample)
        found = drafts.simulation(run) if run else None
        if found:
            break
    else:
        raise Http404
    response = HttpResponse(csv_text([("", "", found)]), content_type="text/csv; charset=utf-8")
    name = f"{found.programme}-{pair.draft.id}-{pair.revision.n}{'-1-100' if found.sample else ''}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# ---- becoming a version ----------------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def draft_submit(request: HttpRequest, draft: int) -> HttpResponse:
    """From which day the draft shall be in force; another officer approves it."""
    actor, errors, row = actor_of(request), Errors(), _draft(draft)
    last = _revision(row)
    if row.ended_by:
        return redirect("officers:draft", row.id)
    sent: dict[str, Any] = {}
    if request.method == "POST":
        sent = {part: request.POST.get(f"since-{part}", "") for part in ("day", "month", "year")}
        since, seen = day_from(request, "since", errors), request.POST.get("seen", "")
        if since is not None and not errors:
            with trying(errors, "since-day"):
                services.draft_submit(
                    now=timezone.now(), actor=actor, draft_id=row.id, in_force_from=since,
                    seen=int(seen) if seen.isdecimal() and len(seen) < 9 else 0,
                )  # fmt: skip
                return redirect("officers:rulebook_history", row.programme)
    new = drafts.checked(last).rulebook
    base = books.rulebook(row.base_id) if row.base_id is not None else None
    return show(
        request, "draft_submit", errors=errors, status=422 if errors else 200, draft=row, title=_title(row), last=last,
        rows=_changes(base, new), unsaid=_unsaid(base, new), new=new, sent=sent,
        wrong=dict(errors),
    )  # fmt: skip


@require_safe
def rulebook_history(request: HttpRequest, programme: str) -> HttpResponse:
    """Every version of a programme: since when, by whom, from which draft."""
    actor = actor_of(request)
    rows = sorted(selectors.versions(programme), key=lambda row: (row.in_force_from, row.id), reverse=True)
    if not rows:
        raise Http404
    refs = [ref for row in rows for ref in (row.added_by, row.approved_by)]
    return show(
        request, "rulebook_history", rows=rows, names=officer_names(refs), drafts=drafts.drafts_of(r.id for r in rows),
        now_in_force=selectors.version_in_force(programme, timezone.localdate()),
        title=books.rulebook(rows[0].id).title[language()], begins=may(actor, "programmes.draft_begin"),
    )  # fmt: skip
