"""Pages that are only a file (the result of a demonstration), and the charts of every page.

They have the frame and the stylesheet of all pages. Such a page is HTML alone: it works without JavaScript and asks
nobody else for anything. Words come in both languages from a TOML file beside the code that fills the page; numbers,
money and days are written as its language does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from salur.core import toml
from salur.core.population.catalogue import Text, text
from salur.core.rules.aloud import Words
from salur.web.batik import kawung
from salur.web.pages.charts import tenths

LANGUAGES = ("id", "en")
WEB = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Writer:
    """How one language writes: its sentences by `section.key`, numbers, shares, money and days."""

    language: str
    sentences: Mapping[str, Text]

    def say(self, key: str, **values: object) -> str:
        """A sentence with its values filled in; numbers are written as the language writes them."""
        shown = {name: self.number(v) if type(v) is int else v for name, v in values.items()}
        return self.sentences[key][self.language].format(**shown)

    def number(self, number: int) -> str:
        """
        >>> Writer("id", {}).number(1234567), Writer("en", {}).number(1234567)
        ('1.234.567', '1,234,567')
        """
        shown = f"{number:,}"
        return shown if self.language == "en" else shown.replace(",", ".")

    def share(self, part: int, whole: int) -> str:
        """A part of a whole in per cent, to one place; half a place is rounded up.

        >>> Writer("id", {}).share(1, 8), Writer("en", {}).share(1, 3)
        ('12,5%', '33.3%')
        """
        if whole == 0:
            return "–"
        share = tenths(part, whole)
        mark = "." if self.language == "en" else ","
        return f"{self.number(share // 10)}{mark}{share % 10}%"

    @property
    def words(self) -> Words:
        """Money, days and the values of facts."""
        return Words(self.language)


WRITERS = {
    language: Writer(language, {}) for language in LANGUAGES
}  # without sentences: numbers, money and days


def read_sentences(path: Path) -> dict[str, Text]:
    """The words of a page, `section.key` → both languages. Raises ValueError for one that lacks a language."""
    found: dict[str, Text] = {}
    for section, table in toml.read(path).data.items():
        for key, value in table.items() if isinstance(table, dict) else ():
            pair = text(value)
            if pair is None:
                raise ValueError(f"{path.name}: {section}.{key} needs id and en")
            found[f"{section}.{key}"] = pair
    return found


def render(template: str, writer: Writer, **values: Any) -> str:
    """A page in one language. A name that the template uses and nobody gave is an error, never a gap."""
    return _environment().get_template(template).render(
        stylesheet=stylesheet,
        kawung=kawung,
        t=writer.say,
        number=writer.number,
        share=writer.share,
        money=writer.words.money,
        day=writer.words.day,
        language=writer.language,
        **values,
    )  # fmt: skip


def stylesheet() -> Markup:
    """The stylesheet as text, for a page that is only a file."""
    return Markup((WEB / "static" / "salur.css").read_text("utf-8"))  # noqa: S704  # ours


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, WEB / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
