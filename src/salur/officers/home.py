"""An officer's first page (what waits, until when), the queues of cases, and the approval of rulebooks."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from salur.access import policy
from salur.access import selectors as access
from salur.access import services as access_services
from salur.cases import kinds, selectors, services
from salur.cases.models import Case
from salur.officers import words
from salur.officers.cycles import title_of
from salur.officers.pages import (
    Errors,
    actor_of,
    covered,
    may,
    officer_names,
    place,
    seen_or_404,
    show,
    trying,
)
from salur.people import selectors as people
from salur.programmes import books, drafts, periods
from salur.programmes import selectors as programmes
from salur.programmes import services as programme_services
from salur.programmes.models import Cycle, RulebookVersion
from salur.web.words import gettext as _
from salur.web.words import language


def _queue(actor: policy.Actor) -> tuple[list[str], tuple[str, ...] | None]:
    """The roles of an officer and where they hold: whose cases wait for them."""
    return sorted({grant.role for grant in actor.grants}), policy.regions(actor, "officers.cases")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    actor, now = actor_of(request), timezone.now()
    roles, regions = _queue(actor)
    works = may(actor, "officers.cases")
    counts = selectors.counts(roles=roles, regions=regions, now=now) if works else None
    soonest = selectors.queue(roles=roles, regions=regions, limit=5).cases if works else []
    cycles = [
        cycle
        for cycle in programmes.cycles().filter(
            state__in=[Cycle.State.OPENED, Cycle.State.DECIDED, Cycle.State.DECREED]
        )
        if any(covered(policy.regions(actor, "officers.cycles"), code) for code in cycle.regions)
    ][:20]
    waiting = []
    to_sign = []
    for cycle in cycles:
        mine = dict(programmes.duties(cycle.id)).get(actor.ref, "")
        reviews = cycle.state == Cycle.State.DECIDED and mine in ("", "review")
        if reviews and may(actor, "programmes.review_judge"):
            left = sum(row.units - row.reviewed for row in programmes.queue_counts(cycle))
            if left:
                waiting.append((cycle, title_of(cycle), left))
        decree = programmes.decree(cycle.id)
        signs = decree is not None and not decree.signed_by and mine in ("", "decree")
        if signs and may(actor, "programmes.decree_sign", cycle.regions):
            to_sign.append((cycle, title_of(cycle), decree))
    theirs = people.corrections_waiting(regions=policy.regions(actor, "officers.corrections"))
    corrections = theirs.exclude(made_by=actor.ref).count()
    versions = _to_approve(actor)
    notices = (
        list(access.glass_notices(actor.officer_id or 0)) if may(actor, "access.glass_notice_see") else []
    )
    return show(
        request, "home", counts=counts, cases=[(case, _kind(case)) for case in soonest], now=now, reviews=waiting,
        to_sign=to_sign, corrections=corrections, versions=len(versions), notices=notices, place=place,
        cycles=[(cycle, title_of(cycle)) for cycle in cycles], words=words, more=_more(actor),
        roles=[
            (policy.policy().roles[grant.role][language()], place(grant.region) if grant.region else "Indonesia")
            for grant in actor.grants
        ],
    )  # fmt: skip


def _more(actor: policy.Actor) -> list[tuple[str, str]]:
    """Pages that are needed too seldom for the menu."""
    pages = ((_("Ceilings"), "officers:ceilings"), (_("Emergency access"), "officers:glass"))
    return [(text, reverse(name)) for text, name in pages if may(actor, name.replace(":", "."))]


@require_POST
def notice(request: HttpRequest, notice: int) -> HttpResponse:
    """The supervisor has seen that glass was broken."""
    access_services.glass_notice_see(now=timezone.now(), actor=actor_of(request), notice=notice)
    return redirect("officers:home")


# ---- cases -----------------------------------------------------------------------------------------------------


def _kind(case: Case) -> str:
    return kinds.kind(case.kind).title[language()]


@require_safe
def cases(request: HttpRequest) -> HttpResponse:
    """What waits for my roles in my regions."""
    actor, now = actor_of(request), timezone.now()
    roles, regions = _queue(actor)
    page = selectors.queue(roles=roles, regions=regions, after=request.GET.get("after", ""))
    return show(
        request, "cases", next=page.next, now=now, actor_id=actor.officer_id,
        rows=[(case, _kind(case), place(case.region) if case.region else "–") for case in page.cases],
        counts=selectors.counts(roles=roles, regions=regions, now=now),
    )  # fmt: skip


def _case(request: HttpRequest, case_id: int, action: str) -> Case:
    case = selectors.case(case_id)
    if case is None:
        raise Http404
    seen_or_404(actor_of(request), action, case.region)
    return case


@require_http_methods(["GET", "POST"])
def case(request: HttpRequest, case: int) -> HttpResponse:
    """One case with its history: take it, write something down, give it back, close it."""
    actor, now, errors, sent = actor_of(request), timezone.now(), Errors(), request.POST
    row = _case(request, case, "officers.case")
    if request.method == "POST":
        with trying(errors, "text"):
            text = sent.get("text", "").strip()
            match sent.get("do", ""):
                case "take":
                    services.case_take(now=now, actor=actor, case=row.id)
                case "release":
                    services.case_release(now=now, actor=actor, case=row.id, text=text)
                case "close":
                    services.case_close(now=now, actor=actor, case=row.id, outcome="settled", text=text)
                case _other:
                    services.case_note(now=now, actor=actor, case=row.id, text=text)
            return redirect("officers:case", row.id)
    history = selectors.history(row.id)
    subject, _colon, number = row.subject.partition(":")
    return show(
        request, "case", errors=errors, status=422 if errors else 200, case=row, kind=_kind(row), now=now,
        place=place(row.region) if row.region else "–", history=history[::-1], about=words.about,
        names=officer_names([entry.actor for entry in history]), mine=row.officer_id == actor.officer_id,
        decision=int(number) if subject == "decision" and number.isdigit() else 0,
        done={"opened": _("Opened"), "taken": _("Taken"), "released": _("Given back"), "noted": _("Note"),
              "done": _("Closed"), "withdrawn": _("Withdrawn"), "escalated": _("Shown to the next office as well")},
    )  # fmt: skip


def _basis(basis: kinds.Basis) -> str:
    title = basis.title[language()]
    return title if basis.checked_on else _("{law} (text not yet checked)", law=title)


@require_safe
def case_print(request: HttpRequest, case: int) -> HttpResponse:
    """The sheet that a citizen takes home: what was opened, why, until when, and what comes next."""
    row = _case(request, case, "officers.case_print")
    return show(
        request, "case_print", case=row, kind=_kind(row), place=place(row.region) if row.region else "–",
        basis=_basis(kinds.kind(row.kind).basis), now=timezone.now(),
    )  # fmt: skip


# ---- rulebooks -------------------------------------------------------------------------------------------------


def _to_approve(actor: policy.Actor) -> list[RulebookVersion]:
    if not may(actor, "programmes.rulebook_approve"):
        return []
    return [row for row in programmes.versions() if not row.approved_by and row.added_by != actor.ref]


@require_http_methods(["GET", "POST"])
def rulebooks(request: HttpRequest) -> HttpResponse:
    """Every version with who added and who approved it; POST approves one, after a passkey."""
    actor, errors = actor_of(request), Errors()
    if request.method == "POST" and request.POST.get("version", "").isdecimal():
        with trying(errors):
            programme_services.rulebook_approve(
                now=timezone.now(), actor=actor, version_id=int(request.POST["version"])
            )
            return redirect("officers:rulebooks")
    rows = list(programmes.versions())
    return show(
        request, "rulebooks", errors=errors, status=422 if errors else 200,
        rows=[(row, books.rulebook(row.id).title[language()], books.rulebook(row.id).period) for row in rows],
        names=officer_names([ref for row in rows for ref in (row.added_by, row.approved_by)]),
        mine={row.id for row in _to_approve(actor)}, drafts=drafts.drafts_of(row.id for row in rows),
        examples=periods.EXAMPLES,
    )  # fmt: skip
