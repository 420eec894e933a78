"""Breaking the glass: an officer opens a region, or one person in it, to their own reading for an hour, and others
see at once that it was done and why. A case makes sure that somebody looks at it afterwards."""

from __future__ import annotations

import re
from itertools import islice

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from salur.access import policy, rows, selectors, services
from salur.access.models import BrokenGlass
from salur.access.policy import SYSTEM
from salur.cases import selectors as cases
from salur.cases import services as case_services
from salur.officers.pages import Errors, actor_of, may, place, seen_or_404, show, trying
from salur.web.words import gettext as _

SHOWN_MOST = 50
KIND = "break_glass_review"


@require_http_methods(["GET", "POST"])
def glass(request: HttpRequest) -> HttpResponse:
    """What is open to me and until when; for supervisors and auditors what others opened. POST breaks the glass."""
    actor, now, errors, sent = actor_of(request), timezone.now(), Errors(), request.POST
    if request.method == "POST":
        region, person = sent.get("region", "").strip(), sent.get("person", "").strip()
        if not region or not policy.is_region(region):
            errors.append(("region", _("Give the code of a regency (35.10) or of a province (35).")))
        if not re.fullmatch(r"[0-9]{0,15}", person):
            errors.append(
                ("person", _("Give the number of the person as it stands on their page, or nothing."))
            )
        if sent.get("understood") != "yes":
            errors.append(("understood", _("Say that you know what will happen.")))
        if not errors:
            with trying(errors, "reason"), transaction.atomic():
                broken = services.glass_break(
                    now=now, actor=actor, region=region, reason=sent.get("reason", ""),
                    subject=f"person:{person}" if person else "",
                )  # fmt: skip
                with rows.limited_to(SYSTEM, "cases.case_open"):
                    case_services.case_open(
                        now=now, actor=SYSTEM, kind=KIND, subject=f"glass:{broken}", region=region
                    )
                return redirect("officers:glass")
    mine = list(selectors.glass_open(actor.officer_id or 0, now))
    reviews = may(actor, "access.glass_review")
    broken_here = (
        selectors.glass_broken(policy.regions(actor, "access.glass_review")) if reviews else iter(())
    )
    return show(
        request, "glass", errors=errors, status=422 if errors else 200, sent=sent, wrong=dict(errors), now=now,
        mine=mine, breaks=may(actor, "access.glass_break"), reviews=reviews, place=place,
        broken=[(row, _notice_of(row, actor)) for row in islice(broken_here, SHOWN_MOST)], hours=services.GLASS_HOURS,
    )  # fmt: skip


def _notice_of(row: BrokenGlass, actor: policy.Actor) -> int:
    """The id of this supervisor's notice that they have not seen; 0 if there is none."""
    unseen = (n.id for n in row.notices.all() if n.supervisor_id == actor.officer_id and n.seen_at is None)
    return next(unseen, 0)


@require_POST
def glass_review(request: HttpRequest, glass: int) -> HttpResponse:
    """Another officer says whether it was justified; the case about it is done."""
    actor, now = actor_of(request), timezone.now()
    row = selectors.glass(glass)
    if row is None:
        raise Http404
    seen_or_404(actor, "officers.glass_review", row.region)
    with transaction.atomic():
        services.glass_review(
            now=now, actor=actor, glass=row.id, justified=request.POST.get("justified") == "yes"
        )
        for case in cases.of_subject(f"glass:{row.id}"):
            if case.closed_at is None:
                case_services.case_close(now=now, actor=SYSTEM, case=case.id, outcome="reviewed")
    return redirect("officers:glass")
