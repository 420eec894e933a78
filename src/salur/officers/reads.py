"""The read log: what an officer read, and for supervisors and auditors what was read in their regions and by whom."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from salur.access import policy, selectors
from salur.access.models import ReadLog
from salur.officers.pages import Errors, actor_of, may, place, show
from salur.officers.words import about
from salur.web.words import gettext as _
from salur.web.words import language

PAGE_ROWS = 50
_SUBJECT = re.compile(r"(person|family):[0-9]{1,15}")


@require_safe
def reads(request: HttpRequest) -> HttpResponse:
    """What I have read, newest first."""
    return _shown(request, selectors.reads_by(actor_of(request).officer_id or 0), others=False)


@require_safe
def reads_in(request: HttpRequest) -> HttpResponse:
    """What was read in my regions, and by whom."""
    regions = policy.regions(actor_of(request), "officers.reads_in")
    return _shown(request, selectors.reads_in(regions), others=True)


def _shown(request: HttpRequest, found: QuerySet[ReadLog], *, others: bool) -> HttpResponse:
    errors, asked = Errors(), request.GET
    purposes = {name: title[language()] for name, title in policy.policy().purposes.items()}
    if asked.get("purpose") in purposes:
        found = found.filter(purpose=asked["purpose"])
    if (first := _day(request, "from", errors)) is not None:
        found = found.filter(at__gte=_begins(first))
    if (last := _day(request, "to", errors)) is not None:
        found = found.filter(at__lt=_begins(last + timedelta(days=1)))
    match asked.get("only"):
        case "glass":
            found = found.filter(broke_glass=True)
        case "no-case":
            found = found.filter(case="")
    subject = asked.get("subject", "").strip().lower().replace(" ", "")
    if subject.isdigit():
        subject = f"person:{subject}"
    if _SUBJECT.fullmatch(subject):
        found = found.filter(subject=subject)
    elif subject:
        errors.append(("subject", _("Give the number of a person, or family:3.")))
    if asked.get("before", "").isdecimal() and len(asked["before"]) < 19:
        found = found.filter(id__lt=int(asked["before"]))
    rows = [] if errors else list(found[: PAGE_ROWS + 1])
    more = asked.copy()
    if len(rows) > PAGE_ROWS:
        more["before"] = str(rows[PAGE_ROWS - 1].id)
    return show(
        request, "reads", errors=errors, status=422 if errors else 200, asked=asked, wrong=dict(errors), others=others,
        rows=rows[:PAGE_ROWS], more=more.urlencode() if len(rows) > PAGE_ROWS else "",
        places={code: place(code) for code in {row.region for row in rows} if code},
        about=about, purposes=purposes, sees_others=may(actor_of(request), "officers.reads_in"),
        roles={name: title[language()] for name, title in policy.policy().roles.items()},
        filtered=any(asked.get(name) for name in ("purpose", "from", "to", "only", "subject")),
    )  # fmt: skip


def _day(request: HttpRequest, name: str, errors: Errors) -> date | None:
    if not (text := request.GET.get(name, "").strip()):
        return None
    try:
        day = date.fromisoformat(text)
        if 2000 <= day.year <= 2200:
            return day
    except ValueError:
        pass
    errors.append((name, _("Give a whole date, such as 2026-03-31.")))
    return None


def _begins(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
