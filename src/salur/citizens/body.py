"""The page of a decision, in the order in which it is read: put together from pieces that are made once and kept.

The pieces are the macros of templates/citizens/decision_pieces.html; a template that called them would cost more than
all else on the page.
"""

from __future__ import annotations

from functools import lru_cache

from markupsafe import escape

from salur.citizens.told import Page, Told, Unit
from salur.web.pieces import KEPT, Pieces


def body(page: Page, period: str, say: Pieces) -> str:
    """The content of the page, as HTML."""
    out: list[str] = [say.over(page.title, page.span, period)]
    if page.person:
        out.append(say.title(page.title))
    for unit in page.units:
        if page.person and unit.member:
            out.append(say.member(unit.member, unit.born))
        out += _unit(unit, page, say)
    if page.members:
        out.append(say.members())
        out += [f"<li>{escape(line)}</li>" for line in page.members]  # no two families have the same
        out.append("</ul>")
    out.append(say.end(page.programme))
    return "".join(out)


_safe = lru_cache(maxsize=KEPT)(escape)  # sentences that many reasons hold


@lru_cache(maxsize=KEPT)
def _reason(told: Told) -> str:
    """A condition, its facts, what would be needed, the law. Not a macro: many families have one that is new."""
    needed = (f"<strong>{_safe(need)}</strong>" for need in told.needed)
    law = (f"{_safe(told.law)}.",) if told.law else ()
    details = (*map(_safe, told.facts), *needed, *law)
    return "".join(
        (
            f"<li>{_safe(' '.join(told.says))}",
            *(f'<span class="detail">{detail}</span>' for detail in details),
            "</li>",
        )
    )


def _unit(unit: Unit, page: Page, say: Pieces) -> list[str]:
    person, now = page.person, unit.current
    if now is None:
        return [say.undecreed(person)]
    pays = now.listed and not now.standing
    out: list[str] = [
        say.verdict(now.outcome, now.amount, unit.amount_most, page.title, person, page.once, pays)
    ]
    if unit.differences:
        out.append(say.changed(len(unit.versions), unit.member))
    if now.standing:
        out.append(say.standing(now.standing, now.standing_since))
    if not now.listed:
        out.append(say.unlisted(now.signed_at, now.decree))
    if unit.waits:
        out.append(say.waits())
    if unit.got:
        out.append(say.got(unit.got, person, pays))
    for outcome, reasons in unit.reasons:
        out.append(say.reasons(outcome, person))
        out += map(_reason, reasons)
        out.append("</ul>")
    out.append(say.to_do(unit.to_do, unit.until, person, pays))
    out.append(say.versions(person, unit.member))
    for place, each in enumerate(unit.versions):
        last = place == 0 or unit.versions[place - 1].decree != each.decree  # of its decree
        counts = each is now and each.listed
        out.append(
            say.version(
                each.decided_at, each.outcome, each.amount, each.kind, each.signed_at, each.decree, counts,
                last and not each.listed,
            )
        )  # fmt: skip
        if unit.differences:
            out.append(say.difference(unit.differences[place], each.kind, each is now))
        out.append("</li>")
    out.append("</ol>")
    return out
