"""What happens around every request: its language, its headers, its line in the log, and errors that are sentences.

Headers are closed by default: a page may be kept by nobody (`no-store`) unless its view says otherwise by
`salur.web.views.published`. The log holds the route of a page, never its address, its query or what was sent.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, lru_cache

from csp.constants import SELF
from csp.utils import build_policy
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve
from django.utils import translation

from salur.access.policy import Refused, open_to_anyone
from salur.core.faults import InputError
from salur.web import views

Answer = Callable[[HttpRequest], HttpResponseBase]
log = logging.getLogger("salur.requests")
_request_id: ContextVar[str] = ContextVar("request_id", default="")
HEADERS = {
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def current_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    return _request_id.get()


def around(get_response: Answer) -> Answer:
    """The outermost middleware: id, log line, headers, a limit to what is sent."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        given = _request_id.set(secrets.token_hex(8))
        began = time.perf_counter()
        try:
            response = (language(_refused) if _too_large(request) else get_response)(request)
            response.headers["X-Request-ID"] = current_id()
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Content-Security-Policy", _contents(_has_script(request, response)))
            if "Cache-Control" not in response.headers:
                response.headers["Cache-Control"] = "no-store"
            if log.isEnabledFor(logging.INFO):
                route = getattr(request.resolver_match, "route", "") if request.resolver_match else ""
                log.info(
                    "%s /%s %d", request.method, route, response.status_code,
                    extra={"ms": round(1000 * (time.perf_counter() - began), 1)},
                )  # fmt: skip
            return response
        finally:
            _request_id.reset(given)

    return answer


@cache
def _contents(scripts: bool) -> str:
    """What a page may hold, made once from the settings; with scripts of our own static files where it needs them."""
    return build_policy(update={"script-src": [SELF], "connect-src": [SELF]} if scripts else None)


def _has_script(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A view says so by `with_script`; pages of packages are named in the settings."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    return hasattr(response, views.SCRIPTED) or name.startswith(settings.SALUR_SCRIPTED)


def _too_large(request: HttpRequest) -> bool:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    return length > settings.SALUR_BODY_MOST_BYTES


def _refused(request: HttpRequest) -> HttpResponse:
    """What is too large is not read: nothing that looks at the request comes before."""
    request.resolver_match = None
    return views.too_large(request)


def language(get_response: Answer) -> Answer:
    """Indonesian, or English under /en/: from the address alone, so that a page can be linked and kept."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        wanted = "en" if request.path_info == "/en" or request.path_info.startswith("/en/") else "id"
        request.LANGUAGE_CODE = wanted
        if translation.get_language() == wanted:
            response = get_response(request)
        else:
            with translation.override(wanted):
                response = get_response(request)
        response.headers.setdefault("Content-Language", wanted)
        return response

    return answer


def unsigned(get_response: Answer) -> Answer:
    """Pages that ask nobody to sign in (`views.unsigned`) are answered here, before sessions and forms."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        match = None
        if request.method in ("GET", "HEAD"):
            with suppress(Http404):  # told by what comes after
                match = _unsigned(request.path_info, settings.ROOT_URLCONF)
        if match is None:
            return get_response(request)
        request.resolver_match = match
        return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]

    return answer


@lru_cache(maxsize=1024)
def _unsigned(path: str, urls: str) -> ResolverMatch | None:
    match = resolve(path, urls)
    return match if hasattr(match.func, views.UNSIGNED) and open_to_anyone(match.view_name) else None


class Sentences:
    """What is refused becomes a page that says why: 403 for a right, 405 for a method, 422 for anything else."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return views.not_allowed(request, response.headers["Allow"])
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, Refused):
            return views.refused(request, error)
        if isinstance(error, InputError):
            return views.cannot_be_done(request, error)
        return None
