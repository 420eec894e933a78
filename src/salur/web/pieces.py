"""Busy pages: pieces that are made once for the same values and kept, in a frame that is made once for an address.

A page of the nation's busiest hour is mostly what thousands of other pages hold too: the same sentence about the same
fact, the same frame. `pieces` gives the macros of a template with a memory, `framed` puts a body into a page's frame.
Both keep nothing but what their arguments show.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace

import jinja2
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import engines
from markupsafe import Markup

from salur.web.words import Language

KEPT = 8192  # of each macro and language
_BODY = Markup("\0body\0")
_TYPE = "text/html; charset=utf-8"


class Pieces:
    """The macros of a template. Arguments are positional and hashable; what a macro shows depends on nothing else."""

    def __init__(self, template: jinja2.Template) -> None:
        module = template.module
        for name in dir(module):
            if isinstance(macro := getattr(module, name), jinja2.runtime.Macro):
                setattr(self, name, lru_cache(maxsize=KEPT)(macro))

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        raise AttributeError(f"the template has no macro {name}")


@lru_cache(maxsize=64)
def pieces(template: str, _language: Language) -> Pieces:
    """The macros of a template, kept in the language of the page."""
    return Pieces(_environment().get_template(template))


def framed(
    request: HttpRequest, template: str, body: str, language: Language, /, **values: str
) -> HttpResponse:
    """The page `template` with `body` in the place of its variable of that name.

    Its frame depends on the address, the language and `values`: nothing else of the request reaches it.
    """
    kept = tuple(sorted(values.items()))
    before, after = _frame(template, language, request.path, kept, settings.SALUR_DEMO, settings.ROOT_URLCONF)
    return HttpResponse(b"".join((before, body.encode(), after)), content_type=_TYPE)


@lru_cache(maxsize=1024)
def _frame(
    template: str,
    _language: Language,
    path: str,
    values: tuple[tuple[str, str], ...],
    _demo: bool,
    _urls: str,
) -> tuple[bytes, bytes]:
    address_alone = SimpleNamespace(path=path)
    page = _environment().get_template(template).render(request=address_alone, body=_BODY, **dict(values))
    before, after = page.split(_BODY)
    return before.encode(), after.encode()


def _environment() -> jinja2.Environment:
    return engines["jinja"].env  # type: ignore[attr-defined, no-any-return]
