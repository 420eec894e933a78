"""The page of a decision, in the order in which it is read: put together from pieces that are made once and kept.

The pieces are the macros of templates/citizens/decision_pieces.html; a template that called them would cost more than
all else on the page.
"""

from __future__ import annotations

from collections.abc import Iterator

from salur.citizens.told import Page, Unit
from salur.web.pieces import Pieces


def body(page: Page, period: str, say: Pieces) -> str:
    """The content of the page, as HTML."""
    return "".join(_parts(page, period, say))


def _parts(page: Page, period: str, say: Pieces) -> Iterator[str]:
    yield say.over(page.title, page.span, period)
    if page.person:
        yield say.title(page.title)
    for unit in page.units:
        if page.person and unit.member:
            yield say.member(unit.member, unit.born)
        yield from _unit(unit, page, say)
    if page.members:
        yield say.members()
        yield from map(say.line, page.members)
        yield "</ul>"
    yield say.end(page.programme)


def _unit(unit: Unit, page: Page, say: Pieces) -> Iterator[str]:
    person, now = page.person, unit.current
    if now is None:
        yield say.undecreed(person)
        return
    yield say.verdict(now.outcome, now.amount, unit.amount_most, page.title, person, page.once)
    if unit.differences:
        yield say.changed(len(unit.versions), unit.member)
    if now.standing:
        yield say.standing(now.standing, now.standing_since)
    if unit.waits:
        yield say.waits()
    if unit.got:
        yield say.got(unit.got, person)
    for outcome, reasons in unit.reasons:
        yield say.reasons(outcome, person)
        yield from map(say.reason, reasons)
        yield "</ul>"
    yield say.to_do(unit.to_do, unit.until, person)
    yield say.versions(person, unit.member)
    for place, each in enumerate(unit.versions):
        counts = place == 0
        yield say.version(
            each.decided_at, each.outcome, each.amount, each.kind, each.signed_at, each.decree, counts
        )
        if unit.differences:
            yield say.difference(unit.differences[place], each.kind, counts)
        yield "</li>"
    yield "</ol>"
