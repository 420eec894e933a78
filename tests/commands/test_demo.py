"""`salur demo` as a user runs it: from nothing to a page, stopped anywhere, looked at in a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.browser import faults_of_accessibility

from salur.commands.demo.small_cells import Column, protected

SALUR = str(Path(sys.executable).with_name("salur"))
FAMILIES = 2_000
SMALL = 10  # law 11
OUTCOMES = ("eligible", "waiting", "needs_data", "not_eligible", "not_found")
VOID = {"meta", "br", "hr", "img", "input", "link"}
# Interrupts itself, as Ctrl-C does, just before the n-th file is put in its place.
STOPPED = """
import os, signal, sys
left = int(sys.argv.pop(1))
def step(event, _):
    global left
    if event == "os.rename":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(step)
from salur.commands import main
sys.argv[0] = "salur"
main()
"""


def environment(folder: Path) -> dict[str, str]:
    """A database and a memory of its own."""
    return os.environ | {"SALUR_HOME": str(folder / "home"), "SALUR_CACHE": str(folder / "cache")}


def run(folder: Path, *arguments: str, families: int = FAMILIES) -> subprocess.CompletedProcess[str]:
    command = [SALUR, "demo", "--families", str(families), "--out", str(folder / "out"), *arguments]
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


@dataclass(frozen=True)
class Made:
    """A demo that was made."""

    folder: Path
    report: dict[str, Any]

    def html(self, language: str) -> str:
        return Path(self.report["pages"][language]).read_text("utf-8")

    @property
    def bytes(self) -> dict[str, bytes]:
        return {language: Path(path).read_bytes() for language, path in self.report["pages"].items()}


def make(folder: Path, families: int = FAMILIES) -> Made:
    return Made(folder, json.loads(run(folder, "--json", families=families).stdout))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("demo"))


# ---- reading a page ----------------------------------------------------------------------------------------


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list[Element | str] = field(default_factory=list)

    def all(self, tag: str) -> list[Element]:
        found = [self] if self.tag == tag else []
        return found + [e for child in self.children if isinstance(child, Element) for e in child.all(tag)]

    @property
    def text(self) -> str:
        words = "".join(c if isinstance(c, str) else c.text for c in self.children)
        return " ".join(words.split())

    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()


class Tree(HTMLParser):
    """Every element is closed by its own tag, in order; anything else is a fault."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.faults: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{e.tag}> is never closed" for e in self.open[1:]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        if len(element.attributes) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag == tag:
            self.open.pop()
        else:
            self.faults.append(f"</{tag}> closes <{self.open[-1].tag}>")

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def tree(html: str) -> Element:
    read = Tree(html)
    assert read.faults == []
    return read.root


def everything(root: Element) -> list[Element]:
    return [root] + [e for child in root.children if isinstance(child, Element) for e in everything(child)]


def number(cell: Element) -> int | None:
    """The whole number of a cell; None where it is hidden."""
    if any("hidden" in e.classes() for e in everything(cell)):
        return None
    return int(re.sub(r"[.,]|Rp", "", cell.text))


def table(root: Element, caption: str) -> Element:
    return next(t for t in root.all("table") if caption in t.all("caption")[0].text)


def district_columns(root: Element) -> tuple[list[str], list[list[int | None]], list[int | None]]:
    """Headings, the columns of the districts, and the totals."""
    grid = next(t for t in root.all("table") if "grid" in t.classes())
    rows = [[number(cell) for cell in row.all("td")] for row in grid.all("tbody")[0].all("tr")]
    totals = [number(cell) for cell in grid.all("tfoot")[0].all("td")]
    heads = [th.text for th in grid.all("thead")[0].all("th")][1:]
    return heads, [list(column) for column in zip(*rows, strict=True)], totals


both = pytest.mark.parametrize("language", ["id", "en"])


# ---- the page ----------------------------------------------------------------------------------------------


@both
def test_the_page_is_well_formed_html(made: Made, language: str) -> None:
    html = made.html(language)
    assert html.startswith("<!doctype html>")
    root = tree(html)
    assert root.all("html")[0].attributes["lang"] == language
    assert len(root.all("h1")) == len(root.all("main")) == len(root.all("head")[0].all("title")) == 1
    elements = everything(root)
    ids = [e.attributes["id"] for e in elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    for element in elements:
        for reference in (element.attributes.get("aria-labelledby") or "").split():
            assert reference in ids
    levels = [int(e.tag[1]) for e in elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


@both
def test_the_page_asks_nobody_for_anything(made: Made, language: str) -> None:
    root = tree(made.html(language))
    assert not any(root.all(tag) for tag in ("script", "img", "link", "iframe", "object", "form"))
    for element in everything(root):
        assert not {"src", "srcset", "action", "style"} & element.attributes.keys()
        assert not any(name.startswith("on") for name in element.attributes)
        for name in ("href", "xlink:href"):
            assert re.fullmatch(r"#[a-z-]+|index\.html|en\.html", element.attributes.get(name) or "#a")
    assert "://" not in made.html(language)
    style = root.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style


@both
def test_both_languages_lead_to_each_other(made: Made, language: str) -> None:
    other = {"id": "en.html", "en": "index.html"}[language]
    links = [a for a in tree(made.html(language)).all("a") if a.attributes["href"] == other]
    assert len(links) == 1
    assert Path(made.report["pages"][language]).with_name(other).exists()


@both
def test_every_table_has_a_caption_and_its_headings_a_scope(made: Made, language: str) -> None:
    tables = tree(made.html(language)).all("table")
    assert len(tables) == 3 * len(made.report["programmes"]) + 1
    captions = [t.all("caption")[0].text for t in tables]
    assert all(captions)
    assert len(captions) == len(set(captions))
    for each in tables:
        assert {th.attributes.get("scope") for th in each.all("th")} == {"row", "col"}
        assert all(row.all("th") for row in each.all("tr"))


@both
def test_every_chart_says_what_it_shows(made: Made, language: str) -> None:
    charts = [svg for svg in tree(made.html(language)).all("svg") if svg.attributes.get("role") == "img"]
    others = [svg for svg in tree(made.html(language)).all("svg") if svg.attributes.get("role") != "img"]
    assert len(charts) == len(made.report["programmes"]) + 1
    for chart in charts:
        assert chart.all("title")[0].text
        assert chart.all("desc")[0].text
    assert all(svg.attributes["aria-hidden"] == "true" for svg in others)
    tiles = next(svg for svg in charts if "tiles" in svg.classes())
    assert len(tiles.all("g")) == 25
    for tile in tiles.all("g"):
        name = tile.all("title")[0].text.partition(":")[0]
        figure = tile.all("text")[-1].text
        assert "".join(t.text for t in tile.all("text")[:-1]).replace("-", "") == name
        assert "%" in figure or figure in ("ditutup", "hidden")


def test_every_district_has_a_tile_of_its_own(made: Made) -> None:
    from salur.commands.demo.page import tile_places

    places = tile_places()
    assert len({(column, row) for column, row, _ in places.values()}) == len(places)
    families = f"{made.report['folder']}/population/families/35.parquet"
    with duckdb.connect() as db:
        codes = db.execute("SELECT DISTINCT left(village, 8) FROM read_parquet(?)", [families]).fetchall()
    assert places.keys() == {code for (code,) in codes}


@both
def test_the_numbers_are_those_of_the_manifests(made: Made, language: str) -> None:
    root = tree(made.html(language))
    cards = {e.attributes["id"]: e for e in root.all("article") if "id" in e.attributes}
    assert cards.keys() == made.report["programmes"].keys()
    for id_, programme in made.report["programmes"].items():
        manifest = json.loads((Path(made.report["folder"]) / id_ / "manifest.json").read_bytes())
        assert {k: programme[k] for k in ("outcomes", "criteria", "components")} == manifest["totals"]
        outcomes, delivered, obstacles = cards[id_].all("table")
        shown = [number(row.all("td")[0]) for row in outcomes.all("tbody")[0].all("tr")]
        counts = [programme["outcomes"][name]["units"] for name in OUTCOMES]
        seen = [count for count in shown[:-1] if count is not None]
        assert shown[-1] == programme["units"] == sum(counts)
        assert set(seen) <= set(counts)
        assert None in shown or sum(seen) == sum(counts)
        assert not any(0 < count < SMALL for count in seen)
        given = [number(row.all("td")[1]) for row in delivered.all("tbody")[0].all("tr")]
        told = manifest["totals"]["components"]
        small = any(0 < count < SMALL for count in told.values())
        assert given == [None if small else told[name] for name in manifest["components"]]
        rows = [[number(td) for td in row.all("td")] for row in obstacles.all("tbody")[0].all("tr")]
        criteria = manifest["totals"]["criteria"].values()
        hide = lambda n: None if 0 < n < SMALL else n  # noqa: E731
        expected = [[hide(c["failed"]), hide(c["unknown"])] for c in criteria if c["failed"] or c["unknown"]]
        assert sorted(map(str, rows)) == sorted(map(str, expected))
        if programme["money"]:
            sign = "." if language == "id" else ","
            assert f"Rp{programme['money']:,}".replace(",", sign) in cards[id_].text


@both
def test_no_small_number_of_a_district_is_shown_or_can_be_worked_out(made: Made, language: str) -> None:
    heads, columns, totals = district_columns(tree(made.html(language)))
    assert len(heads) == len(columns) == len(totals) == 9
    assert any(None in column for column in columns)
    counts = columns[:7]
    true = district_truth(made)
    for column, total, actual in zip(counts, totals, true, strict=False):
        assert len(column) == 25
        assert all(cell is None or cell >= SMALL for cell in column)
        assert [cell for cell in column if cell is not None] == [
            number for number, cell in zip(actual, column, strict=True) if cell is not None
        ]
        if total is not None and None in column:
            hidden = total - sum(cell for cell in column if cell is not None)
            assert hidden >= SMALL
            assert column.count(None) >= 2
    for money, under in zip(columns[7:], [counts[1:3], counts[3:4]], strict=True):
        for place, amount in enumerate(money):
            assert (amount is None) == any(column[place] is None for column in under)


def district_truth(made: Made) -> list[list[int]]:
    """Families and units entitled in each district, counted by hand."""
    folder = Path(made.report["folder"])
    families = f"'{folder}/population/families/35.parquet'"
    columns = [
        f"SELECT left(village, 8) AS d, count(*) AS n FROM {families} GROUP BY d",
        *(
            f"SELECT left(village, 8) AS d, count(*) FILTER (WHERE outcome = 'eligible') AS n FROM {families} "
            f"JOIN '{folder}/{id_}/decisions/35.parquet' USING (family_id) GROUP BY d"
            for id_ in made.report["programmes"]
        ),
    ]
    with duckdb.connect() as db:
        return [[n for _, n in db.execute(f"{query} ORDER BY d").fetchall()] for query in columns]


@both
def test_five_decisions_are_explained_in_the_words_that_are_read_aloud(made: Made, language: str) -> None:
    stories = [a for a in tree(made.html(language)).all("article") if "story" in a.classes()]
    assert len(stories) == 5
    assert len({story.all("h3")[0].text for story in stories}) == 5
    for text, story in zip(aloud(made, language), stories, strict=True):
        title, verdict, *rest = text.strip().split("\n\n")
        assert title.partition(":")[0] in story.text
        assert verdict.partition(". ")[2] in story.text
        for line in "\n".join(rest).splitlines():
            assert " ".join(line.removeprefix("- ").split()) in story.text
        assert re.search(r"\d{12}", story.text)  # the family's id, and nothing that names anyone


def aloud(made: Made, language: str) -> list[str]:
    from salur.commands.demo.figures import Programme
    from salur.commands.demo.stories import choose
    from salur.core import rules
    from salur.core.rules.commands import SHIPPED

    catalogue = rules.read_catalogue(SHIPPED / "facts.toml")
    folder = Path(made.report["folder"])
    population = rules.open_population(folder / "population", catalogue)
    programmes = []
    for id_ in made.report["programmes"]:
        book = rules.read_rulebook(SHIPPED / f"{id_}.toml", catalogue)
        explainer = rules.Explainer(rules.plan_on(book, population.reference_date))
        programmes.append(Programme(explainer, rules.open_decisions(folder / id_)))
    return [story.explanation.text(language) for story in choose(population, programmes, catalogue)]


@both
def test_the_total_of_the_districts_tells_no_more_than_the_card(made: Made, language: str) -> None:
    root = tree(made.html(language))
    _, _, totals = district_columns(root)
    cards = [e for e in root.all("article") if "id" in e.attributes]
    for card, total in zip(cards, totals[1:], strict=False):
        assert total == number(card.all("tbody")[0].all("td")[0])


@both
def test_it_says_what_was_decided_from_what(made: Made, language: str) -> None:
    text = tree(made.html(language)).text
    assert made.report["population"]["id"] in text
    for programme in made.report["programmes"].values():
        assert programme["rulebook"] in text
        assert programme["decisions"] in text
    assert f"--families {FAMILIES} --seed 1" in text
    assert str(made.folder) not in made.html(language)


@pytest.mark.parametrize("families", [1, 40])
def test_a_tiny_population_tells_nothing_about_anyone(families: int, tmp_path: Path) -> None:
    tiny = make(tmp_path, families)
    for language in ("id", "en"):
        root = tree(tiny.html(language))
        _, columns, totals = district_columns(root)
        assert not any(0 < cell < SMALL for cell in chain(totals, *columns) if cell is not None)
        for column, total in zip(columns, totals, strict=True):
            assert total is not None or set(column) <= {None, 0}
        assert 0 < len([a for a in root.all("article") if "story" in a.classes()]) <= 5


# ---- running it --------------------------------------------------------------------------------------------


def test_it_prints_one_screen_and_where_the_page_is(made: Made) -> None:
    done = run(made.folder)
    assert len(done.stdout.splitlines()) <= 45
    for path in made.report["pages"].values():
        assert path in done.stdout
    for word in ("PKH", "PIP", "PBI-JKN", "Talenta Digital", "Berhak", "Belum berhak", "per triwulan"):
        assert word in done.stdout
    assert all(line.endswith(".") for line in done.stderr.splitlines())


def test_a_second_run_finds_everything_and_changes_nothing(made: Made) -> None:
    before = made.bytes
    data = {p: p.stat().st_mtime_ns for p in Path(made.report["folder"]).rglob("*.parquet")}
    assert len(data) == 3 + len(made.report["programmes"]) + 2
    again = make(made.folder)
    assert again.report == made.report
    assert again.bytes == before
    assert {p: p.stat().st_mtime_ns for p in data} == data


def test_other_arguments_have_another_folder(made: Made) -> None:
    before = made.bytes
    other = json.loads(run(made.folder, "--json", "--seed", "2", families=50).stdout)
    assert other["folder"] != made.report["folder"]
    assert made.bytes == before


@pytest.mark.parametrize("n", [1, 4, 8, 21, 35])
def test_stopped_at_any_file_it_goes_on_to_the_same_page(n: int, made: Made, tmp_path: Path) -> None:
    arguments = ["demo", "--families", str(FAMILIES), "--out", str(tmp_path / "out")]
    stopped = subprocess.run(
        [sys.executable, "-c", STOPPED, str(n), *arguments],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert stopped.returncode == 1, stopped.stderr
    assert stopped.stderr.splitlines()[-1] == "Stopped. Run the same command again to go on."
    assert make(tmp_path).bytes == made.bytes


@pytest.mark.parametrize("step", ["Regions:", "People:", "Decisions:"])
def test_ctrl_c_between_steps_is_no_harm(step: str, made: Made, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [SALUR, "demo", "--families", str(FAMILIES), "--out", str(tmp_path / "out")],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(step):
            process.send_signal(signal.SIGINT)
            break
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert errors.splitlines()[-1] == "Stopped. Run the same command again to go on."
    assert make(tmp_path).bytes == made.bytes


def test_on_postgresql_too(postgres_url: str, made: Made, tmp_path: Path) -> None:
    from tests import postgres

    postgres.execute(postgres_url, "CREATE DATABASE salur_demo")
    url = postgres.beside(postgres_url, "salur_demo")
    done = subprocess.run(
        [SALUR, "demo", "--families", str(FAMILIES), "--out", str(tmp_path / "out"), "--json"],
        env=environment(tmp_path) | {"SALUR_DATABASE_URL": url}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Made(tmp_path, json.loads(done.stdout)).bytes == made.bytes


# ---- protecting small cells --------------------------------------------------------------------------------

cells = st.lists(st.integers(0, 60), min_size=1, max_size=12)


def safe(column: Column, counts: list[int]) -> None:
    """Nothing small is shown, and nothing small is left after subtraction."""
    assert all(cell is None or cell == count for cell, count in zip(column.cells, counts, strict=True))
    hidden = [count for cell, count in zip(column.cells, counts, strict=True) if cell is None]
    if column.total is None:
        assert all(cell is None or cell == 0 for cell in column.cells)
        assert len(counts) == 1 or sum(hidden) < SMALL
    elif hidden:
        assert column.total == sum(counts)
        assert len(hidden) >= 2
        assert sum(hidden) >= SMALL


@given(cells)
def test_a_column_is_safe_with_its_total(counts: list[int]) -> None:
    column = protected(counts)
    assert all(cell is None or cell >= SMALL for cell in column.cells)
    safe(column, counts)


@given(cells)
def test_so_it_is_where_nobody_is_no_secret(counts: list[int]) -> None:
    column = protected(counts, zero_is_small=False)
    assert not any(0 < cell < SMALL for cell in column.cells if cell is not None)
    safe(column, counts)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=12))
def test_those_left_over_are_protected_too(pairs: list[tuple[int, int]]) -> None:
    counts, left = [count for count, _ in pairs], [rest for _, rest in pairs]
    column = protected(counts, [count + rest for count, rest in pairs])
    for cell, rest in zip(column.cells, left, strict=True):
        assert cell is None or (cell >= SMALL and rest >= SMALL)
    hidden = [place for place, cell in enumerate(column.cells) if cell is None]
    if column.total is not None and hidden:
        assert len(hidden) >= 2
        assert sum(counts[place] for place in hidden) >= SMALL
        assert sum(left[place] for place in hidden) >= SMALL


def test_what_is_told_elsewhere_too_is_hidden_last() -> None:
    assert protected([12, 3, 20, 500], keep=0).cells == (12, None, None, 500)
    assert protected([12, 3], keep=0).cells == (None, None)


def test_those_left_over_draw_in_a_sibling() -> None:
    column = protected([20, 95, 40, 300], [22, 100, 90, 700])
    assert column == Column((None, None, None, 300), 455)  # 2 and 5 left over are 7: too few


def test_nothing_is_hidden_without_need() -> None:
    assert protected([10, 25, 400]) == Column((10, 25, 400), 435)


# ---- in a browser ------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_no_fault_of_accessibility(browser: Any, made: Made, language: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, bypass_csp=True)
    page.goto(Path(made.report["pages"][language]).as_uri())
    faults = faults_of_accessibility(page)
    page.close()
    assert faults == []


@both
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_sticks_out_at_the_side(browser: Any, made: Made, language: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(Path(made.report["pages"][language]).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    page.close()
    assert asked == [Path(made.report["pages"][language]).as_uri()]
