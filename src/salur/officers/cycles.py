"""Cycles: the list, opening one, and one cycle as a pipeline from its opening to its close."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from salur.access import policy
from salur.access.policy import lies_in
from salur.core import rules
from salur.core.rules.aloud import Words
from salur.journal import selectors as journal
from salur.journal import services as jobs
from salur.officers import words
from salur.officers.pages import (
    Errors,
    actor_of,
    covered,
    may,
    officer_names,
    place,
    seen_cycle,
    show,
    trying,
)
from salur.programmes import books, periods, selectors, services
from salur.programmes.models import Cycle
from salur.web.words import gettext as _
from salur.web.words import language

EVENTS_SHOWN = 12


def title_of(cycle: Cycle) -> str:
    """The programme by its name, the period, and which supplement it is."""
    name = books.rulebook(cycle.version_id).title[language()]
    if cycle.number:
        return _("{name}, {period}, supplement {n}", name=name, period=cycle.period, n=str(cycle.number))
    return f"{name}, {cycle.period}"


@require_safe
def cycles(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    regions = policy.regions(actor, "officers.cycles")
    found = [
        (cycle, title_of(cycle))
        for cycle in selectors.cycles()
        if any(covered(regions, code) for code in cycle.regions)
    ]
    return show(request, "cycles", cycles=found, words=words, opens=may(actor, "officers.cycle_open"))


@require_http_methods(["GET", "POST"])
def cycle_open(request: HttpRequest) -> HttpResponse:
    """Choose an approved rulebook, a period, a population and regencies; then the deciding begins."""
    actor, now, errors = actor_of(request), timezone.now(), Errors()
    versions = {str(row.id): row for row in selectors.versions() if row.approved_by}
    populations = {str(row.id): row for row in selectors.populations()}
    mine = policy.regions(actor, "programmes.cycle_open")
    regencies = sorted(
        {code for row in populations.values() for code in selectors.regencies(row) if covered(mine, code)}
    )
    titles = {row.programme: books.rulebook(row.id).title[language()] for row in versions.values()}
    sent, said = request.POST, Words(language())
    if request.method == "POST":
        version, population = (
            versions.get(sent.get("version", "")),
            populations.get(sent.get("population", "")),
        )
        chosen = (
            regencies if sent.get("all") else [code for code in regencies if code in sent.getlist("regions")]
        )
        if version is None:
            errors.append(("version", _("Choose a rulebook.")))
        if population is None:
            errors.append(("population", _("Choose a population.")))
        if not chosen:
            errors.append(("regions", _("Choose at least one regency.")))
        if version and population and not errors:
            with trying(errors), transaction.atomic():
                opened = rules.open_population(Path(population.path), books.catalogue(version.id))
                cycle = services.cycle_open(
                    now=now, actor=actor, version_id=version.id, period=sent.get("period", "").strip(),
                    regions=chosen, population=opened, supplement="supplement" in sent,
                )  # fmt: skip
                jobs.enqueue(
                    now=now,
                    kind="programmes.decide",
                    payload={"cycle": cycle},
                    key=f"programmes.decide:{cycle}",
                )
                return redirect("officers:cycle", cycle)
    return show(
        request, "cycle_open", errors=errors, status=422 if errors else 200, wrong=dict(errors),
        versions=[(key, _version(row.id, said.day(row.in_force_from))) for key, row in versions.items()],
        populations=[
            (key, _("Reference date {day}, {id}", day=said.day(row.reference_date), id=row.sha256[:12]))
            for key, row in populations.items()
        ],
        regencies=[(code, place(code)) for code in regencies],
        ceilings=[
            [
                titles.get(row.programme, row.programme), row.period,
                place(row.region) if row.region else "Indonesia", row.amount, row.reserved,
            ]
            for row in selectors.ceilings() if not row.region or covered(mine, row.region) or row.region[:2] in
            {code[:2] for code in regencies}
        ],
        sent={
            "version": sent.get("version", ""), "population": sent.get("population", ""),
            "period": sent.get("period", ""), "regions": sent.getlist("regions"),
            "all": ("all",) if sent.get("all") else (), "supplement": ("yes",) if "supplement" in sent else (),
        },
    )  # fmt: skip


def _version(version_id: int, since: str) -> str:
    book = books.rulebook(version_id)
    return _(
        "{name}, in force from {day}; a period looks like {example}",
        name=book.title[language()], day=since, example=periods.EXAMPLES[book.period],
    )  # fmt: skip


@require_safe
def cycle(request: HttpRequest, cycle: int) -> HttpResponse:
    return _shown(request, cycle, Errors())


def _shown(request: HttpRequest, cycle_id: int, errors: Errors) -> HttpResponse:
    actor = actor_of(request)
    found = seen_cycle(actor, "officers.cycle", selectors.cycle(cycle_id))
    outcomes = {row.outcome: row for row in selectors.outcomes(found)}
    queues = selectors.queue_counts(found)
    decree = selectors.decree(found.id)
    duties = selectors.duties(found.id)
    under_review = found.state == Cycle.State.DECIDED
    waiting = sum(row.units - row.reviewed for row in queues) if under_review else 0
    events = journal.events_of(f"cycle:{found.id}", most=EVENTS_SHOWN)[::-1]
    names = officer_names([*(who for who, _duty in duties), *(event.actor for event in events)])
    mine = dict(duties).get(actor.ref, "")
    return show(
        request, "cycle", errors=errors, status=422 if errors else 200, cycle=found, title=title_of(found),
        words=words, outcomes=outcomes, queues=queues, decree=decree, duties=duties, names=names, events=events,
        steps_of=_steps(found, outcomes, waiting, decree), mine=mine,
        units=sum(row.units for row in outcomes.values()), money=sum(row.amount for row in outcomes.values()),
        wrong=dict(errors), reason=request.POST.get("reason", ""),
        waiting=waiting, places=[place(code) for code in found.regions],
        ceilings=[
            row for row in selectors.budgets(found.programme, found.period)
            if any(lies_in(code, row.region) for code in found.regions)
        ],
        sees_ceilings=may(actor, "officers.ceiling"), place=place,
        reviews=under_review and mine in ("", "review") and may(actor, "programmes.review_judge"),
        decrees=found.state in (Cycle.State.DECIDED, Cycle.State.DECREED, Cycle.State.CLOSED)
        and may(actor, "officers.decree"),
        cancels=found.state in (Cycle.State.OPENED, Cycle.State.DECIDED)
        and may(actor, "programmes.cycle_cancel", found.regions),
        closes=found.state == Cycle.State.DECREED and may(actor, "programmes.cycle_close", found.regions),
        job=next(
            (
                row for row in journal.jobs(states=("ready", "running", "dead"))
                if row.kind == "programmes.decide" and row.created_at == found.opened_at
            ),
            None,
        ) if found.state == Cycle.State.OPENED else None,
    )  # fmt: skip


def _steps(
    cycle: Cycle, outcomes: dict[str, selectors.Outcome], waiting: int, decree: object
) -> list[tuple[str, str, str]]:
    """The pipeline: what is done, what is now, what comes."""
    units = sum(row.units for row in outcomes.values())
    order = ["opened", "decided", "reviewed", "decreed", "paid", "closed"]
    now = {
        Cycle.State.OPENED: "decided", Cycle.State.DECIDED: "reviewed" if waiting else "decreed",
        Cycle.State.DECREED: "paid", Cycle.State.CLOSED: "", Cycle.State.CANCELLED: "",
    }[Cycle.State(cycle.state)]  # fmt: skip
    names = {
        "opened": _("Opened"), "decided": _("Decided"), "reviewed": _("Reviewed"), "decreed": _("Decreed"),
        "paid": _("Paid"), "closed": _("Closed"),
    }  # fmt: skip
    texts = {
        "decided": _("{n} units", n=units) if units else "",
        "reviewed": _("{n} wait", n=waiting) if waiting else "",
        "decreed": _("prepared") if decree is not None and now == "decreed" else "",
    }
    at = order.index(now) if now else (len(order) if cycle.state == Cycle.State.CLOSED else 1)
    return [
        (
            names[key],
            texts.get(key, ""),
            "done" if place < at else "now" if place == at and now else "to_come",
        )
        for place, key in enumerate(order)
    ]


@require_POST
def cycle_cancel(request: HttpRequest, cycle: int) -> HttpResponse:
    actor, errors = actor_of(request), Errors()
    seen_cycle(actor, "officers.cycle_cancel", selectors.cycle(cycle))
    with trying(errors, "reason"):
        services.cycle_cancel(
            now=timezone.now(), actor=actor, cycle_id=cycle, reason=request.POST.get("reason", "")
        )
        return redirect("officers:cycle", cycle)
    return _shown(request, cycle, errors)


@require_POST
def cycle_close(request: HttpRequest, cycle: int) -> HttpResponse:
    actor, errors = actor_of(request), Errors()
    seen_cycle(actor, "officers.cycle_close", selectors.cycle(cycle))
    with trying(errors):
        services.cycle_close(now=timezone.now(), actor=actor, cycle_id=cycle)
        return redirect("officers:cycle", cycle)
    return _shown(request, cycle, errors)
