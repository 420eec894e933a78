"""One unit's whole history: decisions with their causes, reviews, events, and stopping or resuming it."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from salur.access import policy
from salur.access import services as access
from salur.cases import services as cases
from salur.journal import selectors as journal
from salur.officers import words
from salur.officers.cycles import title_of
from salur.officers.pages import (
    Errors,
    actor_of,
    day_from,
    may,
    officer_names,
    place,
    seen_or_404,
    show,
    trying,
)
from salur.programmes import selectors, services
from salur.programmes.models import Decision
from salur.web.words import gettext as _

EVENTS_MOST = 200  # of each subject


@require_http_methods(["GET", "POST"])
def unit(request: HttpRequest, decision: int) -> HttpResponse:
    """Everything that was decided for the unit of a decision in its period. POST stops or suspends the unit."""
    actor, now, errors = actor_of(request), timezone.now(), Errors()
    row = selectors.decision(decision)
    if row is None:
        raise Http404
    seen_or_404(actor, "officers.unit", row.region)
    if request.method == "POST":
        since = day_from(request, "since", errors, timezone.localdate())
        if request.POST.get("kind", "") not in words.STANDINGS:
            errors.append(("kind", _("Choose whether to stop or to suspend.")))
        if request.POST.get("cause", "") not in words.CAUSES:
            errors.append(("cause", _("Choose the cause.")))
        if since is not None and not errors:
            with trying(errors):
                services.standing_set(
                    now=now, actor=actor, programme=row.programme, unit_id=row.unit_id, region=row.region,
                    kind=request.POST["kind"], cause=request.POST["cause"], since=since, case=f"decision:{row.id}",
                )  # fmt: skip
                return redirect("officers:unit", row.id)
    return _shown(request, row, errors)


def _shown(request: HttpRequest, row: Decision, errors: Errors) -> HttpResponse:
    actor, now = actor_of(request), timezone.now()
    access.read_log(
        now=now, actor=actor, subject=f"family:{row.family_id}", purpose="review", case=f"decision:{row.id}",
        region=row.region,
    )  # fmt: skip
    history = selectors.history(row.programme, row.period, row.unit_id)[::-1]
    reviews = selectors.reviews([each.id for each in history])
    standings = selectors.standings(row.programme, row.unit_id)
    events = [
        event
        for subject in (
            f"unit:{row.unit_id}",
            f"family:{row.family_id}",
            *(f"decision:{e.id}" for e in history),
        )
        for event in journal.events_of(subject, most=EVENTS_MOST)
        if event.kind != "access.record_read"  # told by the read log
    ]
    events = sorted(events, key=lambda event: (event.at, event.id), reverse=True)
    blind = must_not_see_yet(actor, history[0].id if history else row.id)
    people = [
        *(r.reviewer for r in reviews), *(e.actor for e in events), *(s.set_by for s in standings),
    ]  # fmt: skip
    return show(
        request, "unit", errors=errors, status=422 if errors else 200, decision=row, title=title_of(row.cycle),
        history=history, reviews=reviews, standings=standings, events=events, words=words, blind=blind,
        names=officer_names(people), place=place(row.village or row.region), sent=request.POST,
        unlisted=selectors.unlisted(history),
        wrong=dict(errors), titles={each.id: title_of(each.cycle) for each in history},
        stops=may(actor, "programmes.standing_set", [row.region]) and not any(s.lifted_at is None for s in standings),
        lifts=may(actor, "programmes.standing_lift", [row.region]), actor_ref=actor.ref,
    )  # fmt: skip


def must_not_see_yet(actor: policy.Actor, decision_id: int) -> bool:
    """A reviewer judges the evidence of a decision before its outcome is shown, here as well."""
    row = selectors.decision(decision_id)
    if row is None or row.cycle.state != "decided" or not row.queue:
        return False
    reviewer = may(actor, "programmes.review_judge", [row.region])
    return (
        reviewer
        and selectors.review_by(decision_id, actor.ref) is None
        and selectors.superseded(decision_id) is None
    )


@require_POST
def standing_lift(request: HttpRequest, decision: int, standing: int) -> HttpResponse:
    """Resume the unit; the service asks for another officer than who stopped it."""
    actor, errors = actor_of(request), Errors()
    row, held = selectors.decision(decision), selectors.standing(standing)
    if row is None or held is None or (held.programme, held.unit_id) != (row.programme, row.unit_id):
        raise Http404
    seen_or_404(actor, "officers.standing_lift", held.region)
    with trying(errors):
        services.standing_lift(
            now=timezone.now(), actor=actor, standing_id=standing, case=f"decision:{decision}"
        )
        return redirect("officers:unit", decision)
    return _shown(request, row, errors)


@require_POST
def objection(request: HttpRequest, decision: int) -> HttpResponse:
    """An objection that came on paper or by word of mouth: a case with its clock, and the page to print."""
    actor = actor_of(request)
    row = selectors.decision(decision)
    if row is None:
        raise Http404
    seen_or_404(actor, "officers.objection", row.region)
    case = cases.case_open(
        now=timezone.now(), actor=actor, kind="objection", subject=f"decision:{row.id}", region=row.region,
        programme=row.programme,
    )  # fmt: skip
    return redirect("officers:case_print", case)
