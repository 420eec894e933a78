"""The result page, one file for each language. It holds no clock and no path: the same results, the same bytes.

Everything on it is published, so every number of people passes `small_cells` first.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from salur.commands.demo.figures import District, Programme
from salur.commands.demo.small_cells import Column, protected, shown
from salur.commands.demo.stories import Story
from salur.core import rules
from salur.core.population.layout import write_whole
from salur.core.rules.aloud import Words
from salur.core.rules.changes import FAMILY
from salur.core.rules.evaluate import OUTCOMES
from salur.web.pages import LANGUAGES, Writer, charts, read_sentences, render

FILES = {"id": "index.html", "en": "en.html"}
MAPPED = "pkh"  # the programme on the map


@dataclass(frozen=True)
class Place:
    """The regency of the demo with its official figures; `names` of its districts by code."""

    code: str
    name: str
    province: str
    men: int
    women: int
    names: Mapping[str, str]


@dataclass(frozen=True)
class Results:
    """All that the page tells."""

    place: Place
    population: rules.Population
    families: int
    seed: int
    programmes: Sequence[Programme]
    districts: Sequence[District]
    stories: Sequence[Story]


def write(results: Results, folder: Path) -> dict[str, Path]:
    """Write both files, each whole or not at all; returns them by language."""
    sentences = read_sentences(Path(__file__).with_name("words.toml"))
    written = {}
    for language in LANGUAGES:
        html = _Page(results, Writer(language, sentences)).html()
        written[language] = folder / FILES[language]
        write_whole(written[language], html.encode())
    return written


# ---- what the template is given ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A row of a table: its heading, its cells in order (None is hidden), and the class of its mark."""

    head: str
    cells: tuple[str | None, ...]
    mark: str = ""


@dataclass(frozen=True)
class Card:
    """One programme."""

    id: str
    title: str
    short: str
    about: str
    chips: tuple[str, ...]
    unit: str
    eligible: int | None
    units: int
    money: str | None
    money_most: str | None
    period: str
    bar: Markup
    outcomes: tuple[Row, ...]
    delivered: tuple[Row, ...]
    obstacles: tuple[Row, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A paragraph of an explanation: lines, then a list whose entries have a line and lines below it, then lines."""

    lines: tuple[str, ...]
    entries: tuple[tuple[str, ...], ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """One story as it is laid out. `met` are the conditions that hold: of least interest, shown last."""

    kind: str
    programme: str
    family: tuple[str, ...]
    members: tuple[tuple[str, str, bool], ...]  # words, id, whether it is they who are decided
    family_after: str
    mark: str
    verdict: str
    sentence: str
    blocks: tuple[Block, ...]
    met: Block | None


class _Page:
    def __init__(self, results: Results, writer: Writer) -> None:
        self.results, self.writer, self.language = results, writer, writer.language

    def html(self) -> str:
        results, place = self.results, self.results.place
        columns, rows, total = self.table
        return render(
            "demo.html",
            self.writer,
            place=place,
            families=results.population.rows["families"],
            persons=results.population.rows["persons"],
            decided=sum(programme.units for programme in results.programmes),
            asked=self.asked.total,
            budgets=self.budgets(),
            cards=[self.card(programme) for programme in results.programmes],
            map=self.map(),
            legend=self.legend(),
            mapped=self.title(self.mapped),
            columns=columns,
            rows=rows,
            total=total,
            districts=len(results.districts),
            stories=[self.story(story) for story in results.stories],
            on=results.programmes[0].plan.on,
            population=results.population.id,
            seed=results.seed,
            requested=results.families,
            versions=[(p.book.id, self.title(p), p.book.sha256, p.decisions.id) for p in results.programmes],
            version=version("salur"),
            files=FILES,
        )

    # ---- programmes ----

    def title(self, programme: Programme) -> str:
        return programme.book.title[self.language]

    def short(self, programme: Programme) -> str:
        """What people call it: what stands in brackets in its title, else the title."""
        title = self.title(programme)
        return title.partition("(")[2].rstrip(")") if title.endswith(")") else title

    def budgets(self) -> list[tuple[str, str, list[str]]]:
        """Money that is certain, by period: amount, period, programmes. Money of few people is left out."""
        by_period: dict[str, list[Programme]] = {}
        for programme in self.results.programmes:
            if programme.pays and shown(programme.outcomes["eligible"]):
                by_period.setdefault(programme.book.period, []).append(programme)
        return [
            (self.money(sum(p.money for p in group)), period, [self.short(p) for p in group])
            for period, group in by_period.items()
        ]

    def card(self, programme: Programme) -> Card:
        say, book = self.writer.say, programme.book
        paid = programme.pays and self.outcomes(programme)["eligible"] is not None
        most = say("programmes.money_most", amount=self.money(programme.money_most))
        return Card(
            id=book.id,
            title=self.title(programme),
            short=self.short(programme),
            about=book.about[self.language] if book.about else "",
            chips=(say(f"unit.decided_{book.unit}"), say(f"period.{book.period}")),
            unit=say(f"unit.{book.unit}"),
            eligible=self.outcomes(programme)["eligible"],
            units=programme.units,
            money=self.money(programme.money) if paid else None,
            money_most=most if paid and programme.money_most > programme.money else None,
            period=say(f"period.{book.period}"),
            bar=self.bar(programme),
            outcomes=self.outcome_rows(programme),
            delivered=self.delivered(programme),
            obstacles=tuple(
                Row(o.says[self.language], (self.cell(shown(o.failed)), self.cell(shown(o.unknown))))
                for o in programme.obstacles
            ),
            notes=tuple(self.notes(programme)),
        )

    @staticmethod
    def outcomes(programme: Programme) -> dict[str, int | None]:
        """Units by outcome as they may be shown, without what cannot come about."""
        never = {"waiting"} if programme.plan.places is None else set()
        never |= {"not_found"} if programme.book.unit == "person" else set()
        counts = {n: programme.outcomes[n] for n in OUTCOMES if programme.outcomes[n] or n not in never}
        column = protected(list(counts.values()), zero_is_small=False, keep=list(counts).index("eligible"))
        return dict(zip(counts, column.cells, strict=True))

    def bar(self, programme: Programme) -> Markup:
        counts = self.outcomes(programme)
        parts = [(f"outcome-{name}", count) for name, count in counts.items() if count is not None]
        parts.append(("outcome-hidden", programme.units - sum(count for _, count in parts)))
        return charts.stacked_bar(
            f"bar-{programme.book.id}",
            self.writer.say("programmes.bar_title", programme=self.title(programme)),
            self.writer.say("programmes.bar_description", units=programme.units),
            parts,
        )

    def outcome_rows(self, programme: Programme) -> tuple[Row, ...]:
        rows = []
        for name, count in self.outcomes(programme).items():
            share = None if count is None else self.writer.share(count, programme.units)
            rows.append(Row(self.writer.say(f"outcome.{name}"), (self.cell(count), share), f"outcome-{name}"))
        whole = self.writer.share(programme.units, programme.units)
        return (*rows, Row(self.writer.say("programmes.total"), (self.cell(programme.units), whole)))

    def delivered(self, programme: Programme) -> tuple[Row, ...]:
        """With the money and the prices a single hidden number could be worked out: then all are hidden."""
        rows = []
        closed = self.outcomes(programme)["eligible"] is None or any(
            shown(count) is None for _, count in programme.delivered
        )
        for item, count in programme.delivered:
            component = item.component
            each = self.money(item.price)
            if component.delivers != "money":
                each = component.measure[self.language] if component.measure else ""
            rows.append(Row(component.title[self.language], (each, None if closed else self.cell(count))))
        return tuple(rows)

    def notes(self, programme: Programme) -> list[str]:
        notes, say, places = [], self.writer.say, programme.plan.places
        for area, cutoff in programme.decisions.manifest["cutoffs"].items() if places else ():
            if area == "":
                notes.append(say("programmes.quota_nation", places=cutoff["places"]))
                continue
            name = self.results.place.name if area == self.results.place.code else area
            served = self.outcomes(programme)
            told = served["eligible"] is not None and served["waiting"] is not None
            candidates = self.cell(cutoff["candidates"]) if told else say("districts.hidden")
            notes.append(
                say("programmes.quota_other", area=name, places=cutoff["places"], candidates=candidates)
                + " "
                + say("programmes.quota_sample")
            )
        bases = programme.book.basis.values()
        if unchecked := sum(basis.checked_on is None for basis in bases):
            notes.append(say("programmes.unverified", unchecked=unchecked, all=len(bases)))
        return notes

    # ---- districts ----

    @cached_property
    def families(self) -> Column:
        return protected([district.families for district in self.results.districts])

    @cached_property
    def asked(self) -> Column:
        return self.column(lambda district: district.asked, "family")

    def column(self, count: Callable[[District], int], unit: str) -> Column:
        """Families are shown with the size of their district, so that those left over are protected too."""
        districts = self.results.districts
        bases = [district.families for district in districts] if unit == "family" else None
        return protected([count(district) for district in districts], bases)

    @cached_property
    def eligible(self) -> dict[str, Column]:
        """A column for each programme; all of it hidden where the number of the whole regency is."""
        return {
            p.book.id: self.column(_eligible(p.book.id), p.book.unit)
            if self.outcomes(p)["eligible"] is not None
            else Column((None,) * len(self.results.districts), None)
            for p in self.results.programmes
        }

    def money_column(self, programmes: Sequence[Programme]) -> Column:
        """Money is hidden wherever the number behind it is: with the price it would tell the number."""
        columns = [self.eligible[p.book.id] for p in programmes]
        sums = [sum(d.money[p.book.id] for p in programmes) for d in self.results.districts]
        open_ = [all(column.cells[i] is not None for column in columns) for i in range(len(sums))]
        whole = all(column.total is not None for column in columns)
        return Column(
            tuple(money if seen else None for money, seen in zip(sums, open_, strict=True)),
            sum(sums) if whole else None,
        )

    @cached_property
    def table(self) -> tuple[list[str], list[Row], Row]:
        """Headings, a row for each district, and the totals."""
        say, programmes = self.writer.say, self.results.programmes
        columns = [(say("districts.families"), self.families)]
        columns += [
            (say("districts.eligible", programme=self.short(p), unit=say(f"unit.{p.book.unit}")),
             self.eligible[p.book.id])
            for p in programmes
        ]  # fmt: skip
        columns.append((say("districts.asked"), self.asked))
        for period in dict.fromkeys(p.book.period for p in programmes if p.pays):
            paying = [p for p in programmes if p.pays and p.book.period == period]
            names = " + ".join(map(self.short, paying))
            head = say("districts.money", period=say(f"period.{period}"), programmes=names)
            columns.append((head, self.money_column(paying)))
        rows = [
            Row(self.name(district.code), tuple(self.cell(column.cells[i]) for _, column in columns))
            for i, district in enumerate(self.results.districts)
        ]
        total = Row(say("districts.total"), tuple(self.cell(column.total) for _, column in columns))
        return [head for head, _ in columns], rows, total

    def name(self, code: str) -> str:
        return self.results.place.names.get(code, code or self.writer.say("districts.unknown"))

    # ---- the map ----

    @cached_property
    def mapped(self) -> Programme:
        """The programme on the map."""
        programmes = self.results.programmes
        return next((p for p in programmes if p.book.id == MAPPED), programmes[0])

    @cached_property
    def shares(self) -> dict[str, tuple[int, int]]:
        """Families entitled and families, of the districts where both are shown."""
        entitled = self.eligible[self.mapped.book.id].cells
        return {
            district.code: (count, whole)
            for district, count, whole in zip(
                self.results.districts, entitled, self.families.cells, strict=True
            )
            if count is not None and whole is not None
        }

    @cached_property
    def bounds(self) -> list[int]:
        return charts.shades(list(self.shares.values()))

    def map(self) -> Markup:
        say = self.writer.say
        tiles = []
        for code, (column, row, cut) in tile_places().items():
            name = self.name(code)
            known = self.shares.get(code)
            if known is None:
                figure, shade, says = say("districts.hidden"), None, say("districts.tile_hidden", name=name)
            else:
                figure = self.writer.share(*known)
                shade = charts.shade_of(*known, self.bounds)
                says = say("districts.tile", name=name, share=figure, eligible=known[0], families=known[1])
            lines = (name[:cut] + "-", name[cut:]) if 0 < cut < len(name) else (name,)
            tiles.append(charts.Tile(column, row, lines, figure, shade, says))
        description = say("districts.map_nothing")
        if self.shares:
            ordered = sorted(
                self.shares, key=lambda code: (self.shares[code][0] / self.shares[code][1], code)
            )
            low, high = ordered[0], ordered[-1]
            description = say(
                "districts.map_description",
                least=self.writer.share(*self.shares[low]), least_name=self.name(low),
                most=self.writer.share(*self.shares[high]), most_name=self.name(high),
            )  # fmt: skip
        title = say("districts.map_title", programme=self.title(self.mapped))
        return charts.tile_map("map", title, description, tiles)

    def legend(self) -> list[tuple[str, str]]:
        """Class and range of every shade in use."""
        bounds, say = self.bounds, self.writer.say
        step = bounds[1] - bounds[0] if len(bounds) > 1 else 1
        legend = [
            (f"shade-{n}", say("districts.range", least=least, below=least + step))
            for n, least in enumerate(bounds)
        ]
        if len(self.shares) < len(tile_places()):
            legend.append(("shade-none", say("districts.range_hidden")))
        return legend

    # ---- stories ----

    def story(self, story: Story) -> Told:
        explanation = story.explanation
        _, verdict, *blocks = map(_block, explanation.text(self.language).strip().split("\n\n"))
        mark, _, sentence = verdict.lines[0].partition(". ")
        heading = Words(self.language).say("head", "met")
        met = blocks.pop() if blocks and blocks[-1].lines == (heading,) else None
        return Told(
            kind=self.writer.say(f"kind.{story.kind}"),
            programme=self.title(story.programme),
            family=tuple(self.family(story)),
            members=tuple(self.member(story, place) for place in range(len(explanation.case.members))),
            family_after=self.family_after(story),
            mark=explanation.decision.outcome,
            verdict=mark.capitalize(),
            sentence=sentence,
            blocks=tuple(blocks),
            met=met,
        )

    def family(self, story: Story) -> list[str]:
        say, case = self.writer.say, story.explanation.case
        lines = [say("stories.family_id", id=str(case.family_id), district=self.name(story.district))]
        if not case.found:
            return [*lines, say("stories.absent")]
        decile = story.explanation.used((FAMILY, "decile"))
        if decile.value is None:
            return [*lines, say("stories.decile_unknown")]
        told = str(decile.value)
        return [
            *lines,
            say("stories.decile", decile=say("stories.stale", what=told) if decile.stale else told),
        ]

    def family_after(self, story: Story) -> str:
        case = story.explanation.case
        if not case.found:
            return ""
        if not case.members:
            return self.writer.say("stories.no_members")
        return "" if case.members_known else self.writer.say("stories.more_members")

    def member(self, story: Story, place: int) -> tuple[str, str, bool]:
        """One person in words: what the rules look at, and no name."""
        say, explanation = self.writer.say, story.explanation
        words, catalogue = Words(self.language), explanation.plan.rulebook.catalogue.facts
        person = explanation.case.members[place]

        def told(name: str, template: str = "", silent: tuple[object, ...] = (None, "none")) -> str:
            used = explanation.used((place, name))
            if used.value in silent:
                return ""
            shown = words.value(used.fact, used.value)
            shown = say(template, value=shown) if template else shown
            return say("stories.stale", what=shown) if used.stale else shown

        born = explanation.used((place, "birth_date")).value
        parts = [
            told("sex") or say("stories.sex_unknown"),
            self.age(born if isinstance(born, date) else None, explanation.plan.on),
            told("relation"),
            told("school_level", "stories.school")
            or told("occupation")
            or told("work_status", silent=(None, "none", "student")),
        ]
        for name in ("pregnant", "severe_disability", "certified_teacher", "village_official"):
            if explanation.used((place, name)).value is True:
                label = catalogue[name].label[self.language]
                parts.append(label[:1].lower() + label[1:])
        described = ", ".join(part for part in parts if part)
        decided = story.person_id == person.person_id
        return (
            described[:1].upper() + described[1:],
            say("stories.person_id", id=str(person.person_id)),
            decided,
        )

    def age(self, born: date | None, on: date) -> str:
        if born is None:
            return self.writer.say("stories.age_unknown")
        months = (on.year - born.year) * 12 + on.month - born.month - (on.day < born.day)
        if months < 24:
            return self.writer.say("stories.months", n=max(months, 0))
        return self.writer.say("stories.years", n=months // 12)

    # ---- small pieces ----

    def money(self, rupiah: int) -> str:
        return self.writer.words.money(rupiah)

    def cell(self, number: int | None) -> str | None:
        return None if number is None else self.writer.number(number)


def tile_places() -> dict[str, tuple[int, int, int]]:
    """Column, row and place of the hyphen of every district of the tile map, by code."""
    text = (files("salur.regions") / "data" / "tiles.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {
        row["code"]: (int(row["column"]), int(row["row"]), int(row["break"])) for row in csv.DictReader(lines)
    }


def _eligible(programme: str) -> Callable[[District], int]:
    return lambda district: district.eligible[programme]


def _block(paragraph: str) -> Block:
    """A paragraph of an explanation taken apart: `- ` begins an entry, two blanks go on with it."""
    lines: list[str] = []
    entries: list[list[str]] = []
    after: list[str] = []
    for line in paragraph.splitlines():
        if line.startswith("- "):
            entries.append([line[2:]])
        elif line.startswith("  ") and entries:
            entries[-1].append(line.strip())
        else:
            (after if entries else lines).append(line)
    return Block(tuple(lines), tuple(map(tuple, entries)), tuple(after))
