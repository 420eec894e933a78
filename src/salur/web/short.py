"""The short way of pages that ask nobody to sign in (`views.unsigned`): past sessions, forms, files and doors.

Each layer of middleware costs a busy page some five microseconds, and what they would add to such a page never changes
(`headers.Whole`). Whatever is out of the ordinary, and
whatever goes wrong, goes the long way, where errors become sentences.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch, resolve
from django.utils import translation

from salur.access.policy import open_to_anyone
from salur.access.rows import closed_request
from salur.web import headers, views
from salur.web.languages import by_address, of_address

TRIED = "salur.short"  # in the environment of a request that the short way has left to the long one


def answer(request: HttpRequest, request_id: str) -> HttpResponse | None:
    """The page with all its headers; None: it goes the long way."""
    sent = request.META
    if request.method not in ("GET", "HEAD") or sent.get("CONTENT_LENGTH") or TRIED in sent:
        return None
    match = None
    with suppress(Http404, DisallowedHost):
        request.get_host()  # refuses names that are not ours
        match = _unsigned(request.path_info, settings.ROOT_URLCONF)
    if match is None or (settings.SECURE_SSL_REDIRECT and not request.is_secure()):
        return None
    request.resolver_match = match
    try:
        response = _page(request)
    except Exception:  # it is told there
        return None
    if response.status_code >= 400 or not isinstance(response, HttpResponse):
        return None
    response.headers = headers.Whole(request, response, request_id)
    return response


@by_address
def _page(request: HttpRequest) -> HttpResponseBase:
    match: Any = request.resolver_match
    with closed_request():
        return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]


@lru_cache(maxsize=1024)
def _unsigned(path: str, urls: str) -> ResolverMatch | None:
    with translation.override(of_address(path)):  # addresses are those of a language
        match = resolve(path, urls)
    return match if hasattr(match.func, views.UNSIGNED) and open_to_anyone(match.view_name) else None
