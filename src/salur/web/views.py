"""Pages of the frame itself: errors, health, robots; and how a view says what its page may do.

`published` is for a page about nobody that may be kept by browsers and proxies; without it a page is kept by nobody.
`with_script` opens scripts of our own on the few pages that need them (passkeys).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import connection
from django.db.utils import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_cache_control
from django.views.decorators.http import require_safe

from salur.access.policy import Refused
from salur.core.faults import InputError
from salur.web.headers import SCRIPTED
from salur.web.words import sentences

View = Callable[..., HttpResponseBase]
UNSIGNED = "salur_unsigned"  # on a view
log = logging.getLogger("salur.requests")
_LAST_WORDS = b"""<!doctype html><html lang="id"><meta charset="utf-8"><title>Salur</title>
<h1>Ada kesalahan pada layanan ini</h1><p>Coba lagi beberapa menit lagi. Data Anda tidak berubah.</p>
<p lang="en">Something went wrong here. Try again in a few minutes. Your data is unchanged.</p></html>
"""


def unsigned(view: View) -> View:
    """A page that takes no forms and looks at no session: its way is shorter (`salur.web.short`)."""
    setattr(view, UNSIGNED, True)
    return view


def published(seconds: int) -> Callable[[View], View]:
    """A page about nobody: it may be kept for so long. It must not depend on who asks."""

    def decorate(view: View) -> View:
        @unsigned
        @wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(request, *args, **kwargs)
            if response.status_code == 200:
                patch_cache_control(response, public=True, max_age=seconds)
            return response

        return answer

    return decorate


def with_script(view: View) -> View:
    """Scripts from our own static files, and answers to them from our own pages."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        setattr(response, SCRIPTED, True)
        return response

    return answer


# ---- errors ------------------------------------------------------------------------------------------------


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def too_large(request: HttpRequest) -> HttpResponse:
    """More was sent than is read."""
    return _error(request, 413)


def not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    """The page is there, but not for this method."""
    response = _error(request, 405)
    response.headers["Allow"] = allowed
    return response


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return refused(request, exception) if isinstance(exception, Refused) else _error(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _error(request, 403, form=True)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _error(request, 404)


def too_many(request: HttpRequest, *, retry_after_seconds: int) -> HttpResponse:
    """For a view that limits how often something may be tried."""
    response = _error(request, 429, minutes=-(-retry_after_seconds // 60))
    response.headers["Retry-After"] = str(retry_after_seconds)
    return response


def refused(request: HttpRequest, error: Refused) -> HttpResponse:
    return _error(request, 403, sentences=sentences(error))


def cannot_be_done(request: HttpRequest, error: InputError) -> HttpResponse:
    return _error(request, 422, sentences=sentences(error))


def failed(request: HttpRequest) -> HttpResponse:
    """It asks neither the database nor the session; if even the page cannot be made, plain words in both languages."""
    try:
        return _error(request, 500)
    except Exception:
        log.exception("the error page itself failed")
        return HttpResponse(_LAST_WORDS, status=500)


def _error(request: HttpRequest, status: int, **values: object) -> HttpResponse:
    from salur.web.requests import current_id

    values = {"sentences": [], "form": False, "minutes": 0} | values
    return render(
        request, "error.html", {"status": status, "request_id": current_id(), **values}, status=status,
        using="jinja",
    )  # fmt: skip


# ---- for machines ------------------------------------------------------------------------------------------


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """200 if the database answers, else 503; nothing more is told."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        log.exception("the database does not answer")
        return HttpResponse("unavailable\n", status=503, content_type="text/plain; charset=utf-8")
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


@require_safe
@published(3600)
def robots(request: HttpRequest) -> HttpResponse:
    """A demonstration is no source of facts; elsewhere, what is published may be found."""
    rule = "Disallow: /" if settings.SALUR_DEMO else "Disallow: /petugas/\nDisallow: /en/petugas/"
    return HttpResponse(f"User-agent: *\n{rule}\n", content_type="text/plain; charset=utf-8")
