"""What happens around every request: its id, its headers, its line in the log, and errors that are sentences.

The log holds the route of a page, never its address, its query or what was sent.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase

from salur.access.policy import Refused
from salur.core.faults import InputError
from salur.web import headers, short, views
from salur.web.languages import Answer, by_address

log = logging.getLogger("salur.requests")
Response = TypeVar("Response", bound=HttpResponseBase | None)
_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    return _request_id.get()


def around(get_response: Answer) -> Answer:
    """The outermost middleware: id, log line, headers, a limit to what is sent."""

    def answer(request: HttpRequest, request_id: str) -> HttpResponseBase:
        if (response := short.answer(request, request_id)) is not None:
            return response
        complete = (_too_large if _is_too_large(request) else get_response)(request)
        headers.complete(request, complete, request_id)
        return complete

    return lambda request: _logged(request, answer)


def briefly(request: HttpRequest) -> HttpResponse | None:
    """The page, where it can go the short way."""
    return _logged(request, short.answer)


def _logged(request: HttpRequest, answer: Callable[[HttpRequest, str], Response]) -> Response:
    request_id = secrets.token_hex(8)
    given = _request_id.set(request_id)
    began = time.perf_counter()
    try:
        response = answer(request, request_id)
        if response is not None and log.isEnabledFor(logging.INFO):
            route = getattr(request.resolver_match, "route", "") if request.resolver_match else ""
            log.info(
                "%s /%s %d", request.method, route, response.status_code,
                extra={"ms": round(1000 * (time.perf_counter() - began), 1)},
            )  # fmt: skip
        return response
    finally:
        _request_id.reset(given)


def _is_too_large(request: HttpRequest) -> bool:
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    return length > settings.SALUR_BODY_MOST_BYTES


@by_address
def _too_large(request: HttpRequest) -> HttpResponse:
    """What is too large is not read: nothing that looks at the request comes before."""
    request.resolver_match = None
    return views.too_large(request)


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
