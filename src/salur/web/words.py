"""Sentences in both languages: English in the code, Indonesian from `salur/locale/id/LC_MESSAGES/salur.po`.

`_("Reasons for {n} families", n=7)` gives the sentence in the language of the page, numbers written as that language
writes them; `html` is the same for a sentence with markup in it, whose values are escaped; `later` is for a sentence
that is written down once and shown in many pages (a choice, a label). In Jinja templates `_` and `html` are always
there. The catalogue is read once; `salur.commands.words` brings it up to date and a test keeps it complete.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from django.utils.translation import get_language
from markupsafe import Markup

from salur.core.faults import InputError

CATALOGUE = Path(__file__).resolve().parents[1] / "locale" / "id" / "LC_MESSAGES" / "salur.po"
WITH_PAGES = ("web", "public", "citizens", "officers")  # rooms whose templates are Jinja2
Language = Literal["en", "id"]
LANGUAGES: tuple[Language, ...] = ("id", "en")


def translations(file: Path = CATALOGUE) -> dict[str, str]:
    """Every template of a catalogue with its translation, which is "" where there is none yet."""
    from babel.messages.pofile import read_po

    with file.open("rb") as stream:
        return {
            str(message.id): str(message.string) for message in read_po(stream, locale="id") if message.id
        }


@cache
def translator(wanted: Language) -> Callable[[str], str]:
    """From an English template to the one to show. A template without a translation stays English."""
    if wanted == "en":
        return str
    known = translations()
    return lambda template: known.get(template) or template


def language() -> Language:
    """The language of the page that is being made."""
    return "en" if get_language() == "en" else "id"


def gettext(template: str, /, **values: object) -> str:
    """The sentence in the language of the page.

    >>> from django.utils.translation import override
    >>> with override("id"):
    ...     gettext("Try again in {n} minutes.", n=1200)
    'Coba lagi 1.200 menit lagi.'
    """
    said = _template(language(), template)
    return said.format(**{name: _shown(value) for name, value in values.items()}) if values else said


def html(template: str, /, **values: object) -> Markup:
    """A sentence with markup of ours in it; values are escaped.

    >>> from django.utils.translation import override
    >>> with override("en"):
    ...     html("Ask <strong>{who}</strong>", who="<Desa>")
    Markup('Ask <strong>&lt;Desa&gt;</strong>')
    """
    return Markup(_template(language(), template)).format(  # noqa: S704  # the template is ours
        **{name: _shown(value) for name, value in values.items()}
    )


def later(template: str, /) -> Any:
    """A text that is translated whenever it is shown."""
    from django.utils.functional import lazy

    return lazy(gettext, str)(template)


def sentences(error: InputError) -> list[str]:
    """What is wrong with an input, a sentence each, in the language of the page."""
    return [fault.sentence(translator(language())) for fault in error.faults]


@lru_cache(maxsize=4096)
def _template(wanted: Language, template: str) -> str:
    return translator(wanted)(template)


def _shown(value: object) -> object:
    if type(value) is int:
        from salur.web.pages import WRITERS

        return WRITERS[language()].number(value)
    return value
