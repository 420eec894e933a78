"""Pages about nobody: the first page, the programmes with their rules in words, and figures that identify no one."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from markupsafe import Markup

from salur.core.disclosure import Row
from salur.core.rules import Rulebook
from salur.core.rules.aloud import Words
from salur.core.rules.rulebook import Basis, Component, Parameter
from salur.programmes import books, periods
from salur.programmes.selectors import version_in_force, versions
from salur.public import figures as published_figures
from salur.public.figures import Published
from salur.web.pages import charts
from salur.web.views import published
from salur.web.words import gettext as _
from salur.web.words import language

KEPT_SECONDS = 300
ORDER = ("eligible", "waiting", "needs_data", "not_found", "not_eligible")


@require_safe
@published(KEPT_SECONDS)
def home(request: HttpRequest) -> HttpResponse:
    """What Salur is, and where to go."""
    return render(request, "public/home.html", {"programmes": _programmes()})


@require_safe
@published(KEPT_SECONDS)
def programmes(request: HttpRequest) -> HttpResponse:
    return render(request, "public/programmes.html", {"programmes": _programmes()})


@require_safe
@published(KEPT_SECONDS)
def programme(request: HttpRequest, programme: str) -> HttpResponse:
    """What you get, who, how much, the law, the rules in words, the figures of the last cycle."""
    book = _book(programme)
    last = published_figures.last(programme)
    page = {
        "book": book, "rules": _rules(book), "last": last, "rows": [], "head": [], "bar": "", "tiles": "",
        "span": None,
    }  # fmt: skip
    if last and last.table.rows:
        page |= _shown(last)
        page["span"] = periods.span(last.period, book.period)
    return render(request, "public/programme.html", page)


@require_safe
@published(KEPT_SECONDS)
def figures(request: HttpRequest, programme: str) -> HttpResponse:
    """Exactly the protected table: a line for each row and group of outcomes. Money that is withheld is empty."""
    _book(programme)
    last = published_figures.last(programme)
    if last is None:
        raise Http404
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("regions", "outcomes", "units", "rupiah"))
    for row in last.table.rows:
        for figure in row.figures:
            money = "" if figure.rupiah is None else figure.rupiah
            writer.writerow(("+".join(row.regions), "+".join(figure.outcomes), figure.people, money))
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{programme}-{last.period}.csv"'
    return response


# ---- rulebooks ---------------------------------------------------------------------------------------------


def _programmes() -> list[Rulebook]:
    """The rulebook in force of each programme, in the order of their titles."""
    today = timezone.localdate()
    names = sorted({version.programme for version in versions() if version.approved_by})
    ids = [id_ for name in names if (id_ := version_in_force(name, today)) is not None]
    said = language()
    return sorted((books.rulebook(id_) for id_ in ids), key=lambda book: book.title[said])


def _book(programme: str) -> Rulebook:
    id_ = version_in_force(programme, timezone.localdate())
    if id_ is None:
        raise Http404
    return books.rulebook(id_)


@dataclass(frozen=True)
class Rules:
    """A rulebook as a page shows it, in the language of the page."""

    gets: list[dict[str, Any]]
    limits: list[str]
    conditions: list[dict[str, Any]]
    values: list[list[object]]
    laws: list[dict[str, Any]]


def _rules(book: Rulebook) -> Rules:
    said, words, today = language(), Words(language()), timezone.localdate()
    gets = [
        {"title": component.title[said], "amount": _amount(book, component, words, today),
         "measure": component.measure[said] if component.measure else "",
         "most": _number(book, component.most, today) if component.most is not None else None}
        for component in book.components
    ]  # fmt: skip
    limits = []
    if book.slots is not None:
        slots = _number(book, book.slots, today)
        limits.append(_("At most {n} of these for one family.", n=slots) if book.unit == "family"
                      else _("At most {n} of these for one person.", n=slots))  # fmt: skip
    if book.one_per_member:
        limits.append(_("One of these for each member: the one that is worth most."))
    conditions = [
        {"says": criterion.says[said], "law": _law(book.basis[criterion.basis]),
         "remedy": criterion.remedy[said] if criterion.remedy else "", "rule": criterion.require}
        for criterion in book.criteria
    ]  # fmt: skip
    values = [row for parameter in book.parameters.values() for row in _values(book, parameter, words)]
    laws = [
        {"title": basis.title, "link": basis.link, "state": _state(basis)} for basis in book.basis.values()
    ]
    return Rules(gets, limits, conditions, values, laws)


def _amount(book: Rulebook, component: Component, words: Words, on: date) -> str:
    if component.amount is None:
        return ""
    held = book.parameters[component.amount].at(on)
    return words.money(held.value) if held and isinstance(held.value, int) else ""


def _number(book: Rulebook, number: int | str, on: date) -> int:
    if isinstance(number, str):
        held = book.parameters[number].at(on) or book.parameters[number].values[0]
        return int(str(held.value))
    return number


def _values(book: Rulebook, parameter: Parameter, words: Words) -> list[list[object]]:
    label = parameter.label[words.language] if parameter.label else parameter.name.replace("_", " ")
    money = parameter.name in {component.amount for component in book.components}
    return [
        [label, words.day(dated.start), _value(dated.value, money, words), _law(book.basis[dated.basis])]
        for dated in parameter.values
    ]


def _value(value: object, money: bool, words: Words) -> str:
    if isinstance(value, bool):
        return words.say("fact", "yes" if value else "no")
    if isinstance(value, date):
        return words.day(value)
    if isinstance(value, int):
        return words.money(value) if money else words.money(value).removeprefix("Rp")
    return str(value)


def _law(basis: Basis) -> str:
    return f"{basis.title} ({_state(basis)})"


def _state(basis: Basis) -> str:
    if basis.checked_on is None:
        return _("text not yet checked")
    return _("checked on {day}", day=Words(language()).day(basis.checked_on))


# ---- figures -----------------------------------------------------------------------------------------------


def _word(outcomes: tuple[str, ...]) -> str:
    words = {
        "eligible": _("Entitled"), "waiting": _("On the waiting list"), "needs_data": _("Data are missing"),
        "not_eligible": _("Not entitled now"), "not_found": _("Not found"),
    }  # fmt: skip
    return " + ".join(words[outcome] for outcome in sorted(outcomes, key=ORDER.index))


def _place(row: Row, on: date) -> str:
    if row.regions == ("",):
        return _("All")
    shown = [published_figures.name(code, on) or _("District not known") for code in row.regions]
    return " + ".join(shown)


def _shown(last: Published) -> dict[str, Any]:
    """The table with its bar and its tiles."""
    rows, on = last.rows_for_a_page(), last.reference_date
    groups = sorted(last.outcomes, key=lambda group: min(map(ORDER.index, group)))
    groups = [group for group in groups if any(f.outcomes == group for row in rows for f in row.figures)]
    words = Words(language())
    table = []
    for row in rows:
        held = {figure.outcomes: figure for figure in row.figures}
        table.append(
            [_place(row, on), words.money(row.people).removeprefix("Rp"),
             *(words.money(held[g].people).removeprefix("Rp") if g in held else "–" for g in groups),
             words.money(row.rupiah) if row.rupiah is not None else "–"]
        )  # fmt: skip
    whole = rows[0]
    bar = charts.stacked_bar(
        "outcomes", _("How the decisions came out"),
        ", ".join(f"{_word(f.outcomes)}: {words.money(f.people).removeprefix('Rp')}" for f in whole.figures),
        [(f"outcome-{min(f.outcomes, key=ORDER.index)}", f.people)
         for f in sorted(whole.figures, key=lambda f: min(map(ORDER.index, f.outcomes)))],
    )  # fmt: skip
    head = [_("Place"), _("Decided"), *map(_word, groups), _("Money")]
    return {"rows": table[1:], "total": table[0], "head": head, "bar": bar, "tiles": _tiles(rows[1:], on)}


def _tiles(rows: list[Row], on: date) -> Markup | str:
    """A square a place, by the share that is entitled; none where that share may not be told."""
    places = [
        (
            _place(row, on).split(" + "),
            next((f.people for f in row.figures if f.outcomes == ("eligible",)), None),
            row.people,
        )
        for row in rows
    ]
    return charts.share_map(
        "places",
        _("Entitled, of a hundred decided, by place"),
        _("The same figures stand in the table below."),
        places,
    )
