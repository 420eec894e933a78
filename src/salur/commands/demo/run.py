"""`salur demo`: load the regions, make the people, decide the programmes, show and explain the results.

Every step leaves what it has finished, so that a run that was stopped goes on where it was and a further run
finds all of it there. A run with other arguments, another rulebook or another generator has another folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from salur.commands.demo import office, page, screen
from salur.commands.demo.figures import Programme, districts
from salur.commands.demo.page import Place
from salur.commands.demo.stories import choose
from salur.core import rules
from salur.core.population.commands import REFERENCE_DATE, read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.population.layout import canonical
from salur.core.rules.commands import cache, read_catalogue, shipped_rulebooks

REGENCY = "35.10"
FORMAT = 2  # of the folder
ORDER = ("pkh", "sembako", "pip", "pbi-jkn")  # the best known first


def demo(
    families: Annotated[
        int, typer.Option(min=1, help="How many families; 680000 is the whole regency.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same people.")] = 1,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the folder of this run is made.")] = Path(
        "var/demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Then open the office: pages for families and officers, until Ctrl-C."),
    ] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the pages are served.")] = 8000,
) -> None:
    """Decide the programmes for one real regency (Kabupaten Banyuwangi) and write a page of results.

    Stopped with Ctrl-C, the same command goes on where it was.
    """
    began = time.monotonic()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    catalogue = read_catalogue(None)
    books = sorted(
        shipped_rulebooks(catalogue), key=lambda book: (*(book.id != id_ for id_ in ORDER), book.id)
    )
    generator = Generator(read_regencies(REGENCY), families, seed, catalogue, REFERENCE_DATE.date())
    folder = out / f"{REGENCY}-{families}-{seed}-{_digest(generator, books)}"
    letters: list[office.Letter] = []
    if serve:
        office.settings_of_the_demo(folder, port)
    with _stoppable(), _alone(folder, console):
        place = _regions(console, generator)
        population = _people(console, generator, folder / "population")
        programmes = _decisions(console, books, population, folder)
        pages = _pages(console, place, generator, population, programmes, catalogue, folder)
        if serve:
            letters = office.prepare(console, generator, population, books, folder)
    seconds = time.monotonic() - began
    if as_json:
        typer.echo(json.dumps(_report(folder, population, programmes, pages), ensure_ascii=False))
        return
    screen.show(Console(highlight=False), programmes, place.name)
    answer = Console(highlight=False, soft_wrap=True)
    answer.print(f"\nDone in {seconds:.1f} seconds. The result page, for your browser:", markup=False)
    for path in pages.values():
        answer.print(f"  {path}", markup=False)
    if serve:
        screen.show_office(answer, port, letters)
        office.serve(port)


def _digest(generator: Generator, books: Sequence[rules.Rulebook]) -> str:
    """Eight letters that change with anything the results rest on."""
    basis = [FORMAT, generator.arguments(), {book.id: book.sha256 for book in books}]
    return hashlib.sha256(canonical(basis)).hexdigest()[:8]


@contextmanager
def _stoppable() -> Iterator[None]:
    """Ctrl-C in the middle of a query is Ctrl-C: DuckDB makes a RuntimeError of it."""
    try:
        yield
    except RuntimeError as error:
        if "interrupted" not in str(error).lower():
            raise
        raise KeyboardInterrupt from error


@contextmanager
def _alone(folder: Path, console: Console) -> Iterator[None]:
    """One run at a time in a folder; a second one waits. The lock ends with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print(f"Another `salur demo` works in {folder}; waiting for it to end.", markup=False)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ---- the steps ---------------------------------------------------------------------------------------------


def _regions(console: Console, generator: Generator) -> Place:
    """The shipped regions in the database, and the regency with its districts as the database knows them."""
    from salur.web import setup

    setup()
    from django.core.management import call_command
    from django.utils import timezone

    from salur.access.policy import SYSTEM
    from salur.regions import lists, selectors, services

    call_command("migrate", verbosity=0, interactive=False)
    added = sum(
        services.regions_load(now=timezone.now(), actor=SYSTEM, listed=lists.read(path), partial=True).added
        for path in lists.shipped()
    )
    on = generator.reference_date
    *_, province, regency = selectors.region_path(code=REGENCY, on=on)
    below = list(selectors.region_children(parent=REGENCY, on=on))
    official = generator.regencies[REGENCY]
    news = f"{added:,} regions were added" if added else "every region was there"
    console.print(
        f"Regions: {news}. {regency.name} ({REGENCY}) has {len(below)} districts, {len(official.villages)} "
        f"villages and {official.men + official.women:,} people.",
        markup=False,
    )
    return Place(
        REGENCY, regency.name, province.name, official.men, official.women, {d.code: d.name for d in below}
    )  # fmt: skip


def _people(console: Console, generator: Generator, folder: Path) -> rules.Population:
    with _bar(console) as bar:
        task = bar.add_task("Making the people", total=generator.families)
        population, made = generate(generator, folder, told=lambda n: bar.advance(task, n))
    console.print(
        f"People: {'made' if made else 'there already,'} {population.rows['families']:,} families with "
        f"{population.rows['persons']:,} persons, all synthetic.",
        markup=False,
    )
    return population


def _decisions(
    console: Console, books: Sequence[rules.Rulebook], population: rules.Population, folder: Path
) -> list[Programme]:
    programmes = []
    with _bar(console) as bar:
        task = bar.add_task("Deciding", total=len(books))
        for book in books:
            bar.update(task, description=f"Deciding {book.id}")
            plan = rules.plan_on(book, population.reference_date)
            decided = rules.decide_population(plan, population, folder / book.id, checked=cache() / "checked")
            programmes.append(Programme(rules.Explainer(plan), decided))
            bar.advance(task)
    units = sum(programme.units for programme in programmes)
    console.print(f"Decisions: {units:,} in {len(books)} programmes, each with its reasons.", markup=False)
    return programmes


def _pages(
    console: Console,
    place: Place,
    generator: Generator,
    population: rules.Population,
    programmes: list[Programme],
    catalogue: rules.Catalogue,
    folder: Path,
) -> dict[str, Path]:
    results = page.Results(
        place,
        population,
        generator.families,
        generator.seed,
        programmes,
        districts(population, programmes),
        choose(population, programmes, catalogue),
    )
    pages = page.write(results, folder)
    console.print(f"Page: written in {' and '.join(pages)}.", markup=False)
    return pages


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip


def _report(
    folder: Path, population: rules.Population, programmes: Sequence[Programme], pages: dict[str, Path]
) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "pages": {language: str(path) for language, path in pages.items()},
        "population": {"id": population.id, "rows": dict(population.rows)},
        "programmes": {
            p.book.id: {
                "rulebook": p.book.sha256,
                "decisions": p.decisions.id,
                "units": p.units,
                "money": p.money if p.pays else None,
                **p.decisions.manifest["totals"],
            }
            for p in programmes
        },
    }
