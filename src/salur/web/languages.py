"""The language of a page: Indonesian, or English under /en/."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from salur.web.words import Language

Answer = Callable[[HttpRequest], HttpResponseBase]


def of_address(path: str) -> Language:
    return "en" if path == "/en" or path.startswith("/en/") else "id"


def by_address(get_response: Answer) -> Answer:
    """From the address alone, so that a page can be linked and kept."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        request.LANGUAGE_CODE = wanted = of_address(request.path_info)
        if translation.get_language() == wanted:
            response = get_response(request)
        else:
            with translation.override(wanted):
                response = get_response(request)
        response.headers.setdefault("Content-Language", wanted)
        return response

    return answer
