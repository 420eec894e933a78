"""People: who looks for somebody says first why and for which case; each record that is shown is logged.

No name and no number is ever in an address: searches are posted, and the purpose stands in the session.
"""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from salur.access import policy, rows
from salur.access import selectors as reads_of_access
from salur.access import services as access
from salur.cases import selectors as cases
from salur.cases import services as case_services
from salur.officers import words
from salur.officers.cycles import title_of
from salur.officers.pages import Errors, actor_of, covered, day_from, may, place, show, trying
from salur.officers.units import must_not_see_yet
from salur.people import keys, selectors
from salur.people.models import Person
from salur.people.protect import KeysError
from salur.programmes import selectors as programmes
from salur.web.words import gettext as _
from salur.web.words import language

SHOWN_MOST = 10  # each is a look that is logged; who finds more says more of whom they look for
WHY = "officers.why"
_CASE = re.compile(r"([a-z]*)[ :]*([0-9]{1,15})")
_SPOKEN = {"": "case", "perkara": "case", "putusan": "decision", "keputusan": "decision", "siklus": "cycle"}


def _why(request: HttpRequest) -> tuple[str, str] | None:
    why: dict[str, Any] = request.session.get(WHY, {})
    return (why["purpose"], why["case"]) if why else None


@require_http_methods(["GET", "POST"])
def people(request: HttpRequest) -> HttpResponse:
    """Purpose and case."""
    errors, sent = Errors(), request.POST
    purposes = {name: title[language()] for name, title in policy.policy().purposes.items()}
    if request.method == "POST":
        case = _case(sent.get("case", ""))
        if sent.get("purpose", "") not in purposes:
            errors.append(("purpose", _("Choose why you look for somebody.")))
        if not case:
            errors.append(("case", _("Give the number of the case, or the word decision and its number.")))
        elif not _exists(case):
            errors.append(("case", _("There is no such case, decision or cycle.")))
        if not errors:
            request.session[WHY] = {"purpose": sent["purpose"], "case": case}
            return redirect("officers:people_search")
    return show(
        request, "people", errors=errors, status=422 if errors else 200, purposes=list(purposes.items()),
        purpose=sent.get("purpose", ""), case=sent.get("case", ""), wrong=dict(errors),
        opens=may(actor_of(request), "officers.unregistered"),
    )  # fmt: skip


def _exists(case: str) -> bool:
    """Whether a reference that the officer typed names something of ours; any other number is not kept."""
    kind, _colon, number = case.partition(":")
    find = {"case": cases.case, "decision": programmes.decision, "cycle": programmes.cycle}[kind]
    return find(int(number)) is not None


def _case(typed: str) -> str:
    """What somebody typed as a reference; empty if it is none.

    >>> [_case(typed) for typed in ("9", " Keputusan 12", "decision:12", "Siklus 3", "case 5", "Budi", "family 7")]
    ['case:9', 'decision:12', 'decision:12', 'cycle:3', 'case:5', '', '']
    """
    found = _CASE.fullmatch(typed.strip().lower())
    kind = _SPOKEN.get(found[1], found[1]) if found else ""
    return f"{kind}:{found[2]}" if found and kind in _SPOKEN.values() else ""


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
def people_search(request: HttpRequest) -> HttpResponse:
    """By NIK, or by the beginning of a name in a regency."""
    actor, errors, sent = actor_of(request), Errors(), request.POST
    if (why := _why(request)) is None:
        return redirect("officers:people")
    regions = policy.regions(actor, "officers.people_search")
    found: list[Person] | None = None
    if request.method == "POST":
        nik, name, region = (sent.get(key, "").strip() for key in ("nik", "name", "region"))
        born = None
        if any(sent.get(f"born-{part}") for part in ("day", "month", "year")):
            born = day_from(request, "born", errors)
        if nik:
            with trying(errors, "nik"):
                found = _by_nik(nik, regions)
        elif not name:
            errors.append(("nik", _("Give a NIK, or a name and a regency.")))
        elif not covered(regions, region) or not region:
            errors.append(("region", _("Give a regency of yours, such as 35.10.")))
        elif not errors:
            with trying(errors, "name"):
                found = selectors.search(name=name, region=region, birth_date=born, regions=regions)
    many = found is not None and len(found) > SHOWN_MOST
    if found and not many:
        for person in found:
            _log(actor, person, why)
    return show(
        request, "people_search", errors=errors, status=422 if errors else 200, why=_told(why),
        found=[] if many or not found else [(person, place(person.village or person.region)) for person in found],
        searched=found is not None, many=many, sent=sent, wrong=dict(errors),
        regions=[code for code in regions or () if len(code) == 5],
    )  # fmt: skip


def _by_nik(nik: str, regions: tuple[str, ...] | None) -> list[Person]:
    owner = selectors.find_by_identifier("nik", nik, keys.load(), regions=regions)
    person = selectors.person(int(owner.partition(":")[2]), regions=regions) if owner else None
    return [person] if person else []


def _log(actor: policy.Actor, person: Person, why: tuple[str, str]) -> None:
    access.read_log(
        now=timezone.now(), actor=actor, subject=f"person:{person.id}", purpose=why[0], case=why[1],
        region=person.region,
    )  # fmt: skip


def _told(why: tuple[str, str]) -> tuple[str, str]:
    return policy.policy().purposes[why[0]][language()], words.about(why[1])


@require_safe
def person(request: HttpRequest, person: int) -> HttpResponse:
    """One person: family, decisions, corrections, numbers behind a mask, who looked and why."""
    actor = actor_of(request)
    with rows.limited_to(actor, "officers.person", f"person:{person}"):  # glass broken for them alone counts
        return _person(request, actor, person)


def _person(request: HttpRequest, actor: policy.Actor, person: int) -> HttpResponse:
    if (why := _why(request)) is None:
        return redirect("officers:people")
    regions = policy.regions(actor, "officers.person", f"person:{person}")
    row = selectors.person(person, regions=regions)
    if row is None:
        raise Http404
    _log(actor, row, why)
    today: date = timezone.localdate()
    family = selectors.family_of(row.id, today, regions=regions)
    members = selectors.family_members(family, today, regions=regions) if family else []
    members = [each for each in members if _may_read(actor, each)]
    for member in members:
        if member.id != row.id:
            _log(actor, member, why)
    try:
        numbers = selectors.numbers_masked(f"person:{row.id}", keys.load(), regions=regions)
    except KeysError:
        numbers = {}
    subjects = [f"person:{row.id}", *([f"family:{family}"] if family else [])]
    decisions = [
        d for d in (programmes.decisions_of_family(family) if family else []) if covered(regions, d.region)
    ]
    return show(
        request, "person", person=row, place=place(row.village or row.region), family=family, members=members,
        numbers=numbers, why=_told(why), words=words,
        decisions=[(d, title_of(d.cycle), must_not_see_yet(actor, d.id)) for d in decisions],
        corrections=[c for subject in subjects for c in selectors.corrections_ever(subject, regions=regions)],
        cases=[c for subject in subjects for c in cases.of_subject(subject)],
        looks=reads_of_access.reads_of(f"person:{row.id}")[:20],
        purposes={name: title[language()] for name, title in policy.policy().purposes.items()},
        roles={name: title[language()] for name, title in policy.policy().roles.items()},
    )  # fmt: skip


def _may_read(actor: policy.Actor, person: Person) -> bool:
    """Not so for the family of a person for whom alone the glass was broken."""
    return covered(policy.regions(actor, "access.read_log", f"person:{person.id}"), person.region)


# ---- somebody in no register -----------------------------------------------------------------------------------


@require_http_methods(["GET", "POST"])
def unregistered(request: HttpRequest) -> HttpResponse:
    """Open a case for somebody whom no register knows. The name stays on the paper that they take with them."""
    actor, now, errors, sent = actor_of(request), timezone.now(), Errors(), request.POST
    if request.method == "POST":
        region, persons = sent.get("region", "").strip(), sent.get("people", "1").strip()
        if not re.fullmatch(r"[0-9]{2}\.[0-9]{2}", region) or not covered(
            policy.regions(actor, "officers.unregistered"), region
        ):
            errors.append(("region", _("Give a regency of yours, such as 35.10.")))
        if not re.fullmatch(r"[1-9][0-9]?", persons):
            errors.append(("people", _("Give the number of people, from 1 to 99.")))
        if not errors:
            with trying(errors):
                case = case_services.case_open(
                    now=now, actor=actor, kind="unregistered", subject=f"unregistered:{secrets.token_hex(6)}",
                    region=region, people=int(persons),
                )  # fmt: skip
                return redirect("officers:case_print", case)
    return show(
        request, "unregistered", errors=errors, status=422 if errors else 200, sent=sent, wrong=dict(errors),
    )  # fmt: skip
