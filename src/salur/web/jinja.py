"""The Jinja2 environment of the pages: sentences, numbers, addresses and what the frame asks for.

Functions in every template: `_` and `html` (salur.web.words), `url(name, …)`, `static(file)`. Filters, each in the
language of the page: `number`, `rupiah`, `share(whole)`, `day`, `moment`. A name that a template uses and nobody gave
is an error, never a gap.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Any

import jinja2
from django.apps import apps
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import override

from salur.web.batik import kawung
from salur.web.pages import WRITERS, Writer
from salur.web.words import LANGUAGES, gettext, html, language

HOME = {"id": "/", "en": "/en/"}
ZONES = {7 * 3600: "WIB", 8 * 3600: "WITA", 9 * 3600: "WIT"}


def environment(**options: Any) -> jinja2.Environment:
    """Called by Django with the options of its settings."""
    options |= {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    options["optimized"] = (
        False  # else `{{ 5 | number }}` is computed once, in the language of the first reader
    )
    made = jinja2.Environment(**options)  # noqa: S701  # Django sets autoescape among the options
    made.globals.update(
        _=gettext,
        html=html,
        url=url,
        static=lru_cache(maxsize=64)(static),  # names do not change while we run
        kawung=kawung,
        page_language=language,
        home=lambda: HOME[language()],
        other_languages=other_languages,
        navigation=navigation,
        demo=lambda: settings.SALUR_DEMO,
    )
    made.filters.update(
        number=lambda number: _writer().number(number),
        rupiah=lambda amount: _writer().words.money(amount),
        share=lambda part, whole: _writer().share(part, whole),
        day=day,
        moment=moment,
    )
    return made


def _writer() -> Writer:
    return WRITERS[language()]


def day(value: date) -> str:
    """A day in words; of a moment, the day that it was in Jakarta."""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return _writer().words.day(value)


def moment(value: datetime) -> str:
    """Day and time, with its zone: 3 November 2026, 09.15 WIB."""
    here = timezone.localtime(value)
    offset = here.utcoffset()
    zone = ZONES.get(int(offset.total_seconds()) if offset else 0, "UTC")
    mark = ":" if language() == "en" else "."
    return f"{day(here)}, {here:%H}{mark}{here:%M} {zone}"


def url(name: str, *args: object, **kwargs: object) -> str:
    """The address of a named page, in the language of the page."""
    return _url(settings.ROOT_URLCONF, language(), name, args, tuple(sorted(kwargs.items())))


@lru_cache(maxsize=1024)
def _url(_urls: str, _language: str, name: str, args: tuple[Any, ...], kwargs: tuple[Any, ...]) -> str:
    return reverse(name, args=args, kwargs=dict(kwargs))


def other_languages(request: HttpRequest | None) -> list[tuple[str, str]]:
    """Language and address of the same page in each other language, without what came after `?`."""
    if request is None:
        return [(code, HOME[code]) for code in LANGUAGES if code != language()]
    bare = request.path.removeprefix("/en") or "/"
    return [(code, "/en" + bare if code == "en" else bare) for code in LANGUAGES if code != language()]


def navigation() -> list[tuple[str, str]]:
    """The entries of the menu, which the faces name in `navigation` of their AppConfig: (place, url name, words)."""
    return list(_navigation(settings.ROOT_URLCONF, language()))


@lru_cache(maxsize=16)
def _navigation(_urls: str, wanted: str) -> tuple[tuple[str, str], ...]:
    found = []
    for config in apps.get_app_configs():
        for place, name, words in getattr(config, "navigation", ()):
            try:
                with override(wanted):
                    found.append((place, str(words), reverse(name)))
            except NoReverseMatch:
                continue
    return tuple((words, address) for _, words, address in sorted(found))
