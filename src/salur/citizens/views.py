"""Why this decision? By a claim code and a birth date, without an account: see `programmes.claims`, `told`.

The page of a decision is the busiest of all: one query, one template, no session, nobody signed in.
"""

from __future__ import annotations

import ipaddress
from datetime import date

from allauth.account.adapter import get_adapter
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from salur.access.policy import SYSTEM, VISITOR, policy
from salur.access.rows import limited_to
from salur.access.selectors import reads_of
from salur.citizens import claim, told
from salur.citizens.body import body
from salur.people import keys
from salur.people.protect import KeysError
from salur.people.selectors import family_members
from salur.programmes import claims, services
from salur.programmes.selectors import FamilyDecision, family_decisions, that_counts
from salur.web import pieces, views
from salur.web.languages import of_address
from salur.web.views import unsigned
from salur.web.words import gettext as _
from salur.web.words import language


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The form, and the try. What cannot be a code or a date is told before anything is tried, whoever asks."""
    sent = request.POST
    values = {
        name: sent.get(name, "").strip()[:40] for name in ("code", "born-day", "born-month", "born-year")
    }
    wrong = {"code": "", "born": ""}
    status = 200
    if request.method == "POST":
        code, born = claims.plain(values["code"]), _day(values)
        if code is None:
            wrong["code"] = _("Write the twelve letters and digits of the code on your letter.")
        if born is None:
            wrong["born"] = _("Write day, month and year of birth, such as 31 3 1980.")
        if code and born:
            found = _try(request, code, born)
            if found.wait_seconds:
                return views.too_many(request, retry_after_seconds=found.wait_seconds)
            if found.family_id is not None:
                response = redirect("citizens:decisions")
                claim.begin(response, found.family_id)
                return response
            wrong["code"] = _("This code and this birth date do not open a decision. Check both.")
        status = 422
    fields = {"code": "code", "born": "born-day"}
    errors = [(fields[name], sentence) for name, sentence in wrong.items() if sentence]
    page = {"errors": errors, "wrong": wrong, "values": values, "tries": claims.TRIES_MOST}
    return render(request, "citizens/ask.html", page, status=status)


def _day(values: dict[str, str]) -> date | None:
    try:
        return date(*(int(values[f"born-{part}"]) for part in ("year", "month", "day")))
    except (ValueError, OverflowError):  # a longer number than any year
        return None


def _try(request: HttpRequest, code: str, born: date) -> services.Claim:
    try:
        held = keys.load()
    except KeysError as error:  # names a file of this machine: for the log, not for the page
        raise RuntimeError(str(error)) from error
    return services.claim_open(
        now=timezone.now(), actor=VISITOR, keys=held, code=code, birth_date=born, source=_source(request)
    )


def _source(request: HttpRequest) -> str:
    """The address that asks; of IPv6 the network, for one home has many addresses there."""
    address = ipaddress.ip_address(get_adapter().get_client_ip(request))
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


@unsigned
@require_safe
def decisions(request: HttpRequest) -> HttpResponse:
    """Every programme and period of the family, the newest first."""
    if (family_id := claim.family_of(request)) is None:
        return redirect("citizens:ask")
    found: dict[tuple[str, str], list[FamilyDecision]] = {}
    for row in family_decisions(family_id):
        found.setdefault((row.programme, row.period), []).append(row)
    said = language()
    entries = [
        {"title": told.title(rows[0], said), "span": told.span(rows[0]), "programme": programme, "period": period,
         "newest": _newest(rows)}
        for (programme, period), rows in found.items()
    ]  # fmt: skip
    return render(request, "citizens/decisions.html", {"entries": entries})


def _newest(rows: list[FamilyDecision]) -> list[FamilyDecision]:
    """Of each unit the decision that counts, else the newest decreed one; none: all of them wait."""
    units: dict[int, list[FamilyDecision]] = {}
    for row in rows:
        if row.decreed:
            units.setdefault(row.unit_id, []).append(row)
    return [that_counts(versions) or versions[0] for versions in units.values()]


@unsigned
@require_safe
def decision(request: HttpRequest, programme: str, period: str) -> HttpResponse:
    """Why this decision."""
    if (family_id := claim.family_of(request)) is None:
        return redirect("citizens:ask")
    rows = family_decisions(family_id, programme, period)
    if not rows:
        raise Http404
    said = of_address(request.path_info)
    page = told.page(rows, said)
    content = body(page, period, pieces.pieces("citizens/decision_pieces.html", said))
    return pieces.framed(request, "citizens/decision.html", content, said, title=page.title)


@require_safe
def reads(request: HttpRequest) -> HttpResponse:
    """Who looked at the family's data: when, which office, why."""
    if (family_id := claim.family_of(request)) is None:
        return redirect("citizens:ask")
    said, known = language(), policy()
    with limited_to(SYSTEM, "citizens.reads"):
        members = family_members(family_id, timezone.localdate(), regions=None)
    subjects = [f"family:{family_id}", *(f"person:{person.id}" for person in members)]
    found = sorted((look for subject in subjects for look in reads_of(subject)), key=lambda look: look.at)
    looks = [
        {"at": look.at, "office": known.roles.get(look.role, {}).get(said, look.role),
         "purpose": known.purposes.get(look.purpose, {}).get(said, look.purpose), "glass": look.broke_glass}
        for look in reversed(found)
    ]  # fmt: skip
    return render(request, "citizens/reads.html", {"looks": looks})


@csrf_exempt  # it only ends what the browser holds, and spares the busy page a token
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    response = redirect("citizens:ask")
    claim.end(response)
    return response
