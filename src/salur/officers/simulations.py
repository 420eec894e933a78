"""What a simulation says, as a page shows it: who moves and why, what it costs, where. In the language of the page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from salur.core.rules import Rulebook
from salur.core.rules.simulate.published import Line, Row, Side, Simulation
from salur.core.rules.simulate.screen import Words
from salur.officers import words as officers_words
from salur.programmes import drafts
from salur.regions.selectors import region_children
from salur.web.pages import charts
from salur.web.words import gettext as _
from salur.web.words import language

OUTCOMES = ("eligible", "waiting", "needs_data", "not_eligible", "not_found")
STILL = {"same", "unchanged"}
COLOURS = {
    "gains": "gain", "more": "gain", "other": "outcome-waiting", "same": "outcome-waiting", "less": "loss",
    "loses": "loss", "to_waiting": "outcome-needs_data", "to_needs_data": "outcome-needs_data",
    "settled": "outcome-not_found", "unchanged": "outcome-not_eligible",
}  # fmt: skip
REASONS_MOST = 5  # of a kind
PLACES_MOST = 120  # of a map and its table; the CSV has all


@dataclass(frozen=True)
class Breakdown:
    """A table of a page."""

    id: str
    title: str
    head: list[str]
    rows: list[list[str]]
    chart: Markup | str


@dataclass(frozen=True)
class Shown:
    """A simulation in the words of the page. `moved`: whether anybody is moved at all."""

    headline: list[tuple[str, str, str]]
    outcomes_before: Markup | str
    outcomes_after: Markup | str
    outcomes: list[list[object]]
    movement: Markup
    kinds: list[list[object]]
    reasons: list[tuple[str, list[tuple[str, str]]]]
    ceilings: list[dict[str, Any]]
    breakdowns: list[Breakdown]
    map: Markup | str
    rounded: str
    moved: bool


def shown(found: Simulation, new: Rulebook, old: Rulebook) -> Shown:
    return _Page(found, new, old).shown()


class _Page:
    def __init__(self, found: Simulation, new: Rulebook, old: Rulebook) -> None:
        self.found, self.words = found, Words(language())
        self.said = _said(old) | _said(new)
        self.places = _Places(date.fromisoformat(found.reference_date))

    def shown(self) -> Shown:
        found = self.found
        before, after = found.before, found.after
        assert before is not None  # noqa: S101 - a draft is compared with a version
        moved = [line for line in found.kinds if not set(line.names) <= STILL]
        return Shown(
            headline=self.headline(before, after),
            outcomes_before=self.bar("before", _("Now"), before),
            outcomes_after=self.bar("after", _("With the draft"), after),
            outcomes=self.outcomes(before, after),
            movement=self.movement(),
            kinds=[self.kind(line) for line in found.kinds],
            reasons=self.reasons(),
            ceilings=self.ceilings(),
            breakdowns=[self.breakdown(name) for name in found.tables],
            map=self.map(),
            rounded=self.money(after.rounded) if after.rounded > 1 else "",
            moved=bool(moved),
        )

    def number(self, units: int | None) -> str:
        return self.words.number(None if units is None else units * self.found.times)

    def money(self, rupiah: int | None, *, signed: bool = False) -> str:
        return self.words.rupiah(rupiah, signed).replace(
            "-Rp", "\u2212\u2060Rp"
        )  # a minus that stays with it

    def cost(self, rupiah: int | None, *, signed: bool = False) -> str:
        return self.money(None if rupiah is None else rupiah * self.found.times, signed=signed)

    def kinds(self, names: Iterable[str]) -> str:
        text = self.words.kinds(names)
        return text[:1].upper() + text[1:]

    def headline(self, before: Side, after: Side) -> list[tuple[str, str, str]]:
        """Who begins, who ceases, and the cost."""
        alone = {line.names[0]: line.units for line in self.found.kinds if len(line.names) == 1}
        together = {name for line in self.found.kinds if len(line.names) > 1 for name in line.names}
        people = self.words(self.found.unit)
        told = [
            (
                self.words("hidden") if kind in together else self.number(alone.get(kind, 0)),
                f"{people} {self.words(kind)}",
                tone,
            )
            for kind, tone in (("gains", "money"), ("loses", "late"))
        ]
        known = before.cost is not None and after.cost is not None
        more = (after.cost or 0) - (before.cost or 0) if known else None
        period = self.words(self.found.period)
        cost = _("{after} {period}, now {before}", after=self.cost(after.cost), period=period,
                 before=self.cost(before.cost))  # fmt: skip
        return [*told, (self.cost(more, signed=True), cost, "asked")]

    def bar(self, id_: str, title: str, side: Side) -> Markup | str:
        parts = [(o, side.outcomes[o]) for o in OUTCOMES]
        known = [(outcome, units) for outcome, units in parts if units is not None]
        if len(known) < len(parts) or not sum(units for _, units in known):
            return ""
        told = ", ".join(f"{officers_words.OUTCOMES[o]}: {self.number(units)}" for o, units in known if units)
        return charts.stacked_bar(
            f"outcomes-{id_}", title, told, [(f"outcome-{o}", units) for o, units in known]
        )

    def outcomes(self, before: Side, after: Side) -> list[list[object]]:
        rows: list[list[object]] = []
        for outcome in OUTCOMES:
            then, now = before.outcomes[outcome], after.outcomes[outcome]
            if then == now == 0:
                continue
            more = None if then is None or now is None else now - then
            sign = "+" if more and more > 0 else ""
            name = charts.swatch(f"outcome-{outcome}") + str(officers_words.OUTCOMES[outcome])
            rows.append([name, self.number(then), self.number(now), sign + self.number(more)])
        return rows

    def movement(self) -> Markup:
        told = ", ".join(f"{self.kinds(line.names)}: {self.number(line.units)}" for line in self.found.kinds)
        parts = [(COLOURS[line.names[0]], line.units) for line in self.found.kinds]
        return charts.stacked_bar("movement", _("Who moves"), told, parts)

    def kind(self, line: Line) -> list[object]:
        return [
            charts.swatch(COLOURS[line.names[0]]) + self.kinds(line.names),
            self.number(line.units),
            self.cost(line.before),
            self.cost(line.after),
        ]

    def reasons(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Of each kind of movement the largest reasons, in the sentences of the rulebooks."""
        by_kind: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for reason in self.found.reasons:
            told = [self.reason(one) for one in reason.sets if one]
            if told and len(by_kind[reason.kind]) < REASONS_MOST:
                text = f" {self.words('or')} ".join(told[:2]) + (" …" if len(told) > 2 else "")
                by_kind[reason.kind].append((self.number(reason.units), text))
        return [(self.kinds([kind]), told) for kind, told in by_kind.items() if told]

    def reason(self, names: Sequence[str]) -> str:
        return f" {self.words('and')} ".join(self.said.get(name) or self.words(name.partition(":")[2] or name)
                                            for name in names)  # fmt: skip

    def ceilings(self) -> list[dict[str, Any]]:
        return [
            {
                "period": row.ceiling.period, "where": self.places.name(row.ceiling.region),
                "amount": row.ceiling.amount, "before": self.money(row.before), "after": self.money(row.after),
                "spent": row.after, "over": row.left is not None and row.left < 0,
                "left": self.money(None if row.left is None else abs(row.left)),
            }
            for row in drafts.against_ceilings(self.found)
        ]  # fmt: skip

    # ---- breakdowns ----

    def rows(self, name: str) -> list[Row]:
        """The whole, and below it the finest level that a page can show."""
        rows = self.found.tables[name].rows
        if name != "region":
            return list(rows)
        levels: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            levels[len(row.values[0])].append(row)
        below = [level for length, level in sorted(levels.items()) if length and len(level) <= PLACES_MOST]
        return levels[0] + (below[-1] if below else [])

    def breakdown(self, name: str) -> Breakdown:
        rows = self.rows(name)
        columns = max((tuple(line.names for line in row.lines) for row in rows[:1]), default=())
        for row in rows[1:]:
            if len(row.lines) < len(columns):
                columns = tuple(line.names for line in row.lines)
        columns = tuple(names for names in columns if not set(names) <= STILL)
        told = []
        for row in rows:
            cells = [self.values(name, row.values)]
            for names in columns:
                inside = [line.units for line in row.lines if set(line.names) <= set(names)]
                cells.append(self.number(sum(inside)) if inside else "–")
            told.append([*cells, self.number(sum(line.units for line in row.lines))])
        title = self.words(name)
        head = [title[:1].upper() + title[1:], *map(self.kinds, columns), _("All")]
        return Breakdown(name, head[0], head, told, "" if name == "region" else self.sides(name, rows[1:]))

    def sides(self, name: str, rows: list[Row]) -> Markup | str:
        drawn = []
        for row in rows:
            alone = {line.names[0]: line.units for line in row.lines if len(line.names) == 1}
            mixed = {n for line in row.lines if len(line.names) > 1 for n in line.names}
            if mixed & {"gains", "loses"}:
                return ""
            loses, gains = alone.get("loses", 0), alone.get("gains", 0)
            label = self.values(name, row.values)
            says = f"{label}: {self.number(gains)} {self.words('gains')}, {self.number(loses)} {self.words('loses')}"
            drawn.append((label if len(label) < 17 else label[:15] + "…", loses, gains, says))
        if not any(left or right for _, left, right, _ in drawn):
            return ""
        title = _("Ceases to receive (left), begins to receive (right)")
        return charts.two_sided(f"by-{name}", title, "; ".join(says for *_, says in drawn), drawn)

    def map(self) -> Markup | str:
        """A square a place by the share that moves."""
        places = []
        for row in self.rows("region")[1:]:
            whole = sum(line.units for line in row.lines)
            mixed = any(set(line.names) & STILL and not set(line.names) <= STILL for line in row.lines)
            part = sum(line.units for line in row.lines if not set(line.names) <= STILL)
            places.append(([self.places.name(code) for code in row.values], None if mixed else part, whole))
        return charts.share_map(
            "places",
            _("Moved, of a hundred, by place"),
            _("The same figures stand in the table of places below."),
            places,
        )

    def values(self, table: str, codes: Sequence[str]) -> str:
        if table == "region" and codes != ("",):
            names = [self.places.name(code) for code in codes]
            return ", ".join(names) if len(names) < 4 else f"{names[0]} + {len(names) - 1}"
        text = self.words.values(table, codes)
        return text[:1].upper() + text[1:]


class _Places:
    """Names of regions, a query for each region above them."""

    def __init__(self, on: date) -> None:
        self.on = on
        self.known: dict[str, dict[str, str]] = {}

    def name(self, code: str) -> str:
        if not code:
            return "Indonesia"
        above = code.rpartition(".")[0]
        if above not in self.known:
            self.known[above] = {row.code: row.name for row in region_children(parent=above, on=self.on)}
        return self.known[above].get(code, code)


def _said(book: Rulebook) -> dict[str, str]:
    """The sentences of a rulebook by the name that a simulation gives them."""
    named = {f"criterion:{c.id}": c.says[language()].rstrip(".") for c in book.criteria}
    return named | {f"component:{c.id}": c.title[language()] for c in book.components}
