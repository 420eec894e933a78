"""The decree of a cycle: prepared, read with its list and totals, and signed with a passkey."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from salur.access import demo, signing, software_key
from salur.access import selectors as access
from salur.access.models import Officer
from salur.access.policy import Actor
from salur.core.faults import InputError
from salur.officers.cycles import title_of
from salur.officers.pages import Errors, actor_of, may, officer_names, place, seen_cycle, show, trying
from salur.programmes import decrees, selectors, services
from salur.programmes.models import Cycle, Decree
from salur.web.views import with_script
from salur.web.words import gettext as _

FILES = {
    "daftar": ("list_path", "lines", "text/plain; charset=utf-8"),
    "pdf": ("pdf_path", "pdf", "application/pdf"),
}


def demo_key(officer: Officer) -> software_key.SoftwareKey | None:
    """The passkey made of software of a demonstration's account, if that is the passkey that this officer has.

    Its counter is the clock, so that it never falls back.
    """
    if not software_key.allowed():
        return None
    key = software_key.SoftwareKey(
        demo.seed(officer.email), settings.SALUR_ORIGIN, counter=int(timezone.now().timestamp())
    )
    known = any(passkey.credential_id == key.credential_id for passkey in access.passkeys(officer.pk))
    return key if known else None


@with_script
@require_http_methods(["GET", "POST"])
def decree(request: HttpRequest, cycle: int) -> HttpResponseBase:
    """What is signed: units, money, digest, list and PDF. POST prepares it, or prepares it again."""
    actor, errors = actor_of(request), Errors()
    found = seen_cycle(actor, "officers.decree", selectors.cycle(cycle))
    if request.method == "POST":
        number = request.POST.get("number", "").strip()
        if not number:
            errors.append(("number", _("Give the number of the decree.")))
        else:
            with trying(errors, "number"):
                services.decree_prepare(
                    now=timezone.now(), actor=actor, cycle_id=cycle, number=number,
                    folder=settings.DECREES_FOLDER / f"cycle-{cycle}",
                )  # fmt: skip
                return redirect("officers:decree", cycle)
    return _shown(request, found, errors)


def _shown(request: HttpRequest, found: Cycle, errors: Errors) -> HttpResponse:
    actor = actor_of(request)
    made = selectors.decree(found.id)
    duty = dict(selectors.duties(found.id)).get(actor.ref, "")
    signs = (
        made is not None and not made.signed_by and found.state == Cycle.State.DECIDED and duty in ("", "decree")
        and may(actor, "programmes.decree_sign", found.regions)
    )  # fmt: skip
    options = None
    demo = False
    if signs and made is not None and isinstance(request.user, Officer):
        demo = demo_key(request.user) is not None
        passkeys = access.passkeys(request.user.pk)
        if passkeys and not demo:
            options = signing.begin(
                digest=bytes(made.digest), credentials=passkeys, origin=settings.SALUR_ORIGIN
            )
    totals = decrees.totals(found) if found.state == Cycle.State.DECIDED else None
    return show(
        request, "decree", errors=errors, status=422 if errors else 200, cycle=found, title=title_of(found),
        decree=made, digest=bytes(made.digest).hex() if made else "", signs=signs, options=options, demo_signs=demo,
        names=officer_names([made.signed_by] if made else []), duty=duty, totals=totals, place=place,
        prepares=found.state == Cycle.State.DECIDED and may(actor, "programmes.decree_prepare", found.regions),
        waiting=sum(row.units - row.reviewed for row in selectors.queue_counts(found)),
    )  # fmt: skip


@require_safe
def decree_file(request: HttpRequest, cycle: int, kind: str) -> FileResponse:
    """The list, or the PDF with the list inside."""
    seen_cycle(actor_of(request), "officers.decree_file", selectors.cycle(cycle))
    made = selectors.decree(cycle)
    if made is None or kind not in FILES:
        raise Http404
    field, ending, type_ = FILES[kind]
    path = Path(getattr(made, field))
    if not path.is_file():
        raise Http404
    return FileResponse(
        path.open("rb"), as_attachment=True, filename=f"salur-cycle-{cycle}.{ending}", content_type=type_
    )


@with_script
@require_POST
def decree_sign(request: HttpRequest, cycle: int) -> HttpResponseBase:
    """Sign what the page showed. The passkey's answer is itself the use of the passkey that signing asks for:
    `decree_sign` refuses, and undoes everything, unless it signs exactly this digest."""
    actor, errors = actor_of(request), Errors()
    found = seen_cycle(actor, "officers.decree_sign", selectors.cycle(cycle))
    made = selectors.decree(cycle)
    if made is None or not isinstance(request.user, Officer):
        raise Http404
    with trying(errors):
        digest, response = _answer(request, made, request.user)
        now = timezone.now()
        fresh = Actor(actor.ref, actor.grants, passkey_at=now)
        services.decree_sign(now=now, actor=fresh, cycle_id=cycle, digest=digest, response=response)
        return redirect("officers:decree", cycle)
    return _shown(request, found, errors)


def _answer(request: HttpRequest, made: Decree, officer: Officer) -> tuple[bytes, dict[str, object]]:
    """The digest that the page showed, and the passkey's answer to it."""
    try:
        digest = bytes.fromhex(request.POST.get("digest", ""))
        if "demo" not in request.POST:
            response = json.loads(request.POST.get("response", ""))
            if not isinstance(response, dict):
                raise ValueError
            return digest, response
    except ValueError:
        raise InputError.of("The passkey's answer cannot be read; try again.") from None
    if (key := demo_key(officer)) is None or len(digest) != signing.DIGEST_BYTES:
        raise InputError.of("This account has no passkey of the demonstration.")
    passkeys = access.passkeys(officer.pk)
    return digest, key.sign(signing.begin(digest=digest, credentials=passkeys, origin=settings.SALUR_ORIGIN))
