"""Ceilings (pagu): how much each programme may spend, what signed decrees reserve of it, what is left, since when."""

from __future__ import annotations

import re
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from salur.access import policy
from salur.access.policy import lies_in
from salur.officers.cycles import title_of
from salur.officers.pages import Errors, actor_of, covered, day_from, may, officer_names, place, show, trying
from salur.programmes import books, periods, selectors, services
from salur.programmes.models import Budget
from salur.web.words import gettext as _
from salur.web.words import language


def _concerns(regions: tuple[str, ...] | None, code: str) -> bool:
    """A ceiling concerns whoever works in its region, above it or below it.

    >>> _concerns(("35.10",), ""), _concerns(("35.10",), "35"), _concerns(("35",), "35.10"), _concerns(("36",), "35")
    (True, True, True, False)
    """
    return covered(regions, code) or any(lies_in(held, code) for held in regions or ())


def _names() -> dict[str, str]:
    """Every programme that has a rulebook, by its name."""
    return {row.programme: books.rulebook(row.id).title[language()] for row in reversed(selectors.versions())}


def where(code: str) -> str:
    return place(code) if code else "Indonesia"


@require_safe
def ceilings(request: HttpRequest) -> HttpResponse:
    """Every ceiling in force that concerns the officer."""
    actor = actor_of(request)
    regions, names = policy.regions(actor, "officers.ceilings"), _names()
    rows = [
        (row, names.get(row.programme, row.programme), where(row.region))
        for row in selectors.ceilings()
        if _concerns(regions, row.region)
    ]
    return show(request, "ceilings", rows=rows, sets=may(actor, "officers.ceiling_set"))


def _ceiling(actor: policy.Actor, budget: int, action: str) -> Budget:
    row = selectors.ceiling(budget)
    if row is None or not _concerns(policy.regions(actor, action), row.region):
        raise Http404
    return row


@require_safe
def ceiling(request: HttpRequest, ceiling: int) -> HttpResponse:
    """One ceiling: what is left, which decrees reserved it, and every document that set or changed it."""
    actor = actor_of(request)
    row = _ceiling(actor, ceiling, "officers.ceiling")
    history = selectors.ceiling_history(row)
    decrees = [
        (decree, title_of(decree.cycle))
        for decree in selectors.decrees_of(row.programme, row.period)
        if any(lies_in(code, row.region) for code in decree.cycle.regions)
    ]
    return show(
        request, "ceiling", row=row, name=_names().get(row.programme, row.programme), where=where(row.region),
        history=history, decrees=decrees, names=officer_names(each.set_by for each in history),
        sets=may(actor, "programmes.ceiling_set", [row.region]),
    )  # fmt: skip


@require_http_methods(["GET", "POST"])
def ceiling_set(request: HttpRequest) -> HttpResponse:
    """A ceiling with the document that it comes from; `?pagu=` takes programme, period and region from another."""
    actor, errors = actor_of(request), Errors()
    sent: dict[str, Any] = {}
    if request.method == "POST":
        sent = request.POST.dict()
        if _set(request, actor, errors):
            return redirect("officers:ceilings")
    elif request.GET.get("pagu", "").isdecimal():
        row = _ceiling(actor, int(request.GET["pagu"]), "officers.ceiling_set")
        sent = {"programme": row.programme, "period": row.period, "region": row.region}
    return show(
        request, "ceiling_set", errors=errors, status=422 if errors else 200, sent=sent, wrong=dict(errors),
        programmes=sorted(_names().items(), key=lambda pair: pair[1]),
        examples=", ".join(sorted(set(periods.EXAMPLES.values()))),
    )  # fmt: skip


def _set(request: HttpRequest, actor: policy.Actor, errors: Errors) -> bool:
    sent = {name: request.POST.get(name, "").strip() for name in ("programme", "period", "region", "basis")}
    amount = re.sub(r"^rp|[\s.,]", "", request.POST.get("amount", "").strip().lower())
    if sent["programme"] not in _names():
        errors.append(("programme", _("Choose a programme.")))
    if not re.fullmatch(r"[0-9]{1,18}", amount):
        errors.append(("amount", _("Give the amount in whole rupiah, such as 2.500.000.000.")))
    if not sent["basis"]:
        errors.append(("basis", _("Name the document that sets it.")))
    since = day_from(request, "since", errors)
    if errors or since is None:
        return False
    with trying(errors, "amount"):
        services.ceiling_set(now=timezone.now(), actor=actor, amount=int(amount), since=since, **sent)
        return True
    return False
