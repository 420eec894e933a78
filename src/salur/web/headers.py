"""The headers of a page. Closed by default: kept by nobody, read by nobody else, with nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from csp.constants import SELF
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware

SCRIPTED = "salur_scripted"  # on a response whose page has scripts of our own
REQUEST_ID = "X-Request-ID"


def complete(request: HttpRequest, response: HttpResponseBase, request_id: str) -> None:
    """Adds our own to what a page has; Django's middlewares add theirs."""
    response.headers[REQUEST_ID] = request_id
    for name, value in _ours(_has_script(request, response)).items():
        response.headers.setdefault(name, value)


class Whole(ResponseHeaders):
    """All headers of a page that the middlewares of Django do not see, put together without a look at each."""

    _store: dict[str, tuple[str, str]]

    def __init__(self, request: HttpRequest, response: HttpResponse, request_id: str) -> None:
        fixed = _fixed(request.is_secure(), _has_script(request, response))
        self._store = {
            **fixed._store,
            REQUEST_ID.lower(): (REQUEST_ID, request_id),
            "content-length": ("Content-Length", str(len(response.content))),
            **response.headers._store,
        }

    def items(self) -> Any:
        """As they are kept; to look each of them up by its name takes longer than to make them."""
        return self._store.values()


@cache
def _ours(scripts: bool) -> dict[str, str]:
    allowed = {"script-src": [SELF], "connect-src": [SELF]} if scripts else None
    return {
        "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": build_policy(update=allowed),
        "Cache-Control": "no-store",
    }


@cache
def _fixed(secure: bool, scripts: bool) -> ResponseHeaders:
    """Ours, and what Django's middlewares put on any page: asked of them once."""
    request, response = HttpRequest(), HttpResponse()
    if secure and (proxy := settings.SECURE_PROXY_SSL_HEADER):
        request.META[proxy[0]] = proxy[1]
    response.headers = ResponseHeaders(_ours(scripts))
    XFrameOptionsMiddleware(lambda _: response)(request)
    SecurityMiddleware(lambda _: response)(request)
    return response.headers


def _has_script(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A view says so by `views.with_script`; pages of packages are named in the settings."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    return hasattr(response, SCRIPTED) or name.startswith(settings.SALUR_SCRIPTED)
