"""`salur rules`: check, explain, decide, render rulebooks, and print decision lines."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from datetime import date, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from salur.core.faults import Fault, InputError
from salur.core.population import catalogue as catalogues
from salur.core.population.catalogue import Catalogue
from salur.core.rules import cases, rulebook
from salur.core.rules.plan import Plan, plan
from salur.core.rules.rulebook import Rulebook

if TYPE_CHECKING:
    from salur.core.rules.decide import Decisions

app = typer.Typer(name="rules", help="Check, explain and run rulebooks.", no_args_is_help=True)
SHIPPED = Path(str(files("salur") / "rulebooks"))
JAKARTA = timezone(timedelta(hours=7))
LANGUAGES = ("id", "en")
ENGINES = ("duckdb", "sqlite", "postgres", "spark", "python")

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A rulebook, or the id of a shipped one like pkh.")
]
FactsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Fact catalogue; the shipped one by default.")
]
On = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Reference date like 2026-11-01."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise typer.BadParameter("choose id or en")
    return value


Language = Annotated[str, typer.Option("--lang", callback=_language, help="id (Indonesian) or en (English).")]


@app.command()
def check(
    rulebooks: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Rulebooks to check.")],
    facts: FactsOption = None,
    on: On = None,
    as_json: Json = False,
) -> None:
    """Read rulebooks and tell every fault at once, with its line."""
    catalogue = read_catalogue(facts)
    faults: list[Fault] = []
    good: list[Plan] = []
    for path in rulebooks:
        try:
            good.append(plan(rulebook.read(shipped(path), catalogue), day(on)))
        except InputError as error:
            faults += error.faults
    if as_json:
        found = [{"file": f.file, "line": f.line, "sentence": f.sentence()} for f in faults]
        typer.echo(
            json.dumps({"rulebooks": [p.rulebook.id for p in good], "faults": found}, ensure_ascii=False)
        )
    else:
        for ready in good:
            book = ready.rulebook
            unverified = sum(basis.checked_on is None for basis in book.basis.values())
            note = f"; {unverified} of {len(book.basis)} sources not yet checked" if unverified else ""
            typer.echo(
                f"{book.id}: {len(book.criteria)} criteria, {len(book.components)} components, "
                f"{len(ready.facts)} facts. In order{note}. Version {book.sha256[:12]}."
            )
    if faults:
        if as_json:
            raise typer.Exit(3)
        raise InputError(faults)


@app.command()
def explain(
    file: File,
    case: Annotated[Path, typer.Option(metavar="FILE", help="The case, as JSON.")],
    person: Annotated[
        int | None, typer.Option(metavar="ID", help="For a person programme: who is decided.")
    ] = None,
    on: On = None,
    lang: Language = "id",
    decisions: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Decisions of the cycle: their cut-off applies to this case."),
    ] = None,
    facts: FactsOption = None,
    as_json: Json = False,
) -> None:
    """Decide one case and say why: first the outcome, then each reason, what to do, and by when."""
    from salur.core.rules.explain import Explainer

    catalogue = read_catalogue(facts)
    book = rulebook.read(shipped(file), catalogue)
    if person is not None and book.unit == "family":
        raise typer.BadParameter("this programme decides families, not persons", param_hint="--person")
    reference, cutoffs = day(on), None
    if decisions is not None:
        from salur.core.rules.decide import open_decisions, reference_date

        opened = open_decisions(decisions)
        reference = on.date() if on else reference_date(opened)
        made_by = (opened.manifest["rulebook"], opened.manifest["facts"], reference_date(opened))
        if made_by != (book.sha256, catalogue.sha256, reference):
            raise InputError.at(
                decisions,
                "These decisions were made by another rulebook or fact catalogue, or for another date.",
            )
        cutoffs = opened.cutoffs
    ready = plan(book, reference)
    explanation = Explainer(ready).explain(cases.read(case, catalogue), person, cutoffs)
    if as_json:
        typer.echo(json.dumps(explanation.to_json(lang), ensure_ascii=False, indent=2))
    else:
        typer.echo(explanation.text(lang), nl=False)


@app.command()
def decide(
    file: File,
    population: Annotated[Path, typer.Option(metavar="DIR", help="The population to decide.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the decisions.")],
    on: On = None,
    engine: Annotated[str, typer.Option(help="One of " + ", ".join(ENGINES) + ".")] = "duckdb",
    master: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where Spark runs, like spark://HOST:7077: all its machines must see DIR and --out under the same "
            "paths. This machine by default.",
        ),
    ] = None,
    family_facts: Annotated[
        bool, typer.Option(help="Sum over members once and keep it in the user's cache (DuckDB).")
    ] = True,
    facts: FactsOption = None,
    as_json: Json = False,
) -> None:
    """Decide everyone in a population. Stopped or killed, the same command goes on and ends in the same bytes."""
    if engine not in ENGINES:
        raise typer.BadParameter(f"choose one of {', '.join(ENGINES)}", param_hint="--engine")
    if master is not None and engine != "spark":
        raise typer.BadParameter("only --engine spark has a master", param_hint="--master")
    from salur.core.population.layout import open_population
    from salur.core.rules.decide import decide as decided
    from salur.core.rules.simulate.kept import deciding, prune

    catalogue = read_catalogue(facts)
    book = rulebook.read(shipped(file), catalogue)
    opened = open_population(population, catalogue)
    ready = plan(book, on.date() if on else opened.reference_date)
    console = Console(stderr=True, highlight=False)
    sums = cache() / "family-facts" if family_facts and engine == "duckdb" else None
    with progress_bar(console) as bar, deciding(ready, opened, sums) if sums else nullcontext():
        stages: dict[str, Any] = {}

        def said(stage: str, province: str) -> None:
            if stage not in stages:
                stages[stage] = bar.add_task(f"{stage} {book.id}", total=len(opened.provinces))
            bar.update(stages[stage], advance=1, description=f"{stage} {book.id} {province}")

        done = decided(
            ready,
            opened,
            out,
            engine=engine,
            postgres_url=postgres_url(),
            master=master,
            progress=said,
            checked=cache() / "checked",
            family_facts=sums,
        )
    prune(cache())
    if as_json:
        typer.echo(
            json.dumps({"id": done.id, "path": str(out), **done.manifest}, ensure_ascii=False, sort_keys=True)
        )
    else:
        Console(highlight=False).print(totals_table(ready, done))


@app.command()
def statistics(
    decisions: Annotated[Path, typer.Argument(metavar="DECISIONS", help="A folder of decisions.")],
    by: Annotated[str, typer.Option(help="nation or province.")] = "nation",
    as_json: Json = False,
) -> None:
    """Units by outcome, and how many fail or wait for each criterion: counted when they were decided."""
    from salur.core.rules.decide import open_decisions

    if by not in ("nation", "province"):
        raise typer.BadParameter("choose nation or province", param_hint="--by")
    manifest = open_decisions(decisions).manifest
    shown = {"nation": manifest["totals"]} if by == "nation" else manifest.get("provinces")
    if shown is None:
        raise InputError.at(
            decisions,
            "These decisions were made before provinces were counted; decide again, or ask by nation.",
        )
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, sort_keys=True))
        return
    for place, totals in shown.items():
        table = Table("", "units", "failed", "unknown", title=f"{manifest['programme']}, {place}",
                      title_justify="left")  # fmt: skip
        for outcome, row in totals["outcomes"].items():
            table.add_row(outcome, f"{row['units']:,}", "", "")
        table.add_section()
        for criterion, row in totals["criteria"].items():
            table.add_row(criterion, "", f"{row['failed']:,}", f"{row['unknown']:,}")
        Console(highlight=False).print(table)


@app.command()
def render(
    file: File,
    lang: Language = "id",
    facts: FactsOption = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here instead of printing.")] = None,
) -> None:
    """The rulebook as a page to read (Markdown): what you get, who, how much over time, and by which law."""
    from salur.core.rules.render import page

    text = page(rulebook.read(shipped(file), read_catalogue(facts)), lang)
    if out is None:
        typer.echo(text, nl=False)
    else:
        try:
            out.write_text(text, "utf-8")
        except OSError as error:
            raise InputError.at(out, "The page cannot be written: {why}.", why=error.strerror) from None


@app.command()
def lines(
    decisions: Annotated[Path, typer.Argument(metavar="DECISIONS", help="A folder of decisions.")],
    population: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Their population; by default where it was when deciding."),
    ] = None,
    facts: FactsOption = None,
) -> None:
    """Print the decision lines: what is compared between engines, logged and signed."""
    from salur.core.population.layout import open_population
    from salur.core.rules.decide import open_decisions
    from salur.core.rules.lines import lines as decision_lines
    from salur.core.rules.lines import where_population

    opened = open_decisions(decisions)
    own = decisions / "facts.toml"
    catalogue = read_catalogue(facts if facts is not None or not own.exists() else own)
    where = population or where_population(opened)
    if where is None:
        raise InputError.at(decisions, "Say where the population is with --population DIR.")
    for line in decision_lines(opened, open_population(where, catalogue), catalogue):
        sys.stdout.write(line + "\n")


# ---- pieces the commands share -----------------------------------------------------------------------------


def read_catalogue(path: Path | None) -> Catalogue:
    """The fact catalogue given, or the one shipped with the product."""
    return catalogues.read(path if path is not None else SHIPPED / "facts.toml")


def shipped(path: Path) -> Path:
    """The path itself, or the shipped rulebook of that id where there is no such file."""
    own = SHIPPED / f"{path}.toml"
    return own if not path.is_file() and path.name == str(path) and own.exists() else path


def shipped_rulebooks(catalogue: Catalogue) -> list[Rulebook]:
    """Every rulebook that comes with the product, by id."""
    return [
        rulebook.read(path, catalogue) for path in sorted(SHIPPED.glob("*.toml")) if path.name != "facts.toml"
    ]


def day(on: datetime | None) -> date:
    """The reference date given, or today in Jakarta."""
    return on.date() if on is not None else datetime.now(JAKARTA).date()


def cache() -> Path:
    """For which populations were verified, and family facts: SALUR_CACHE, or salur in the user's cache folder."""
    own = os.environ.get("SALUR_CACHE")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "salur"


def postgres_url() -> str | None:
    """The database for the engine postgres: SALUR_POSTGRES_URL, or SALUR_DATABASE_URL where it is PostgreSQL."""
    main = os.environ.get("SALUR_DATABASE_URL", "")
    return os.environ.get("SALUR_POSTGRES_URL") or (main if main.startswith("postgres") else None)


def progress_bar(console: Console) -> Progress:
    """Progress on standard error, silent where nobody looks."""
    return Progress(
        TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip


def totals_table(ready: Plan, done: Decisions) -> Table:
    """One screen: units and money by outcome, what is delivered, and what stood in the way."""
    book, totals = ready.rulebook, done.manifest["totals"]
    money = any(item.component.delivers == "money" for item in ready.items)
    table = Table(title=escape(f"{book.title['en']} ({book.id}), {ready.on}"), title_justify="left")
    for name in ("", "units", *(("amount", "amount at most") if money else ("failed", "unknown"))):
        table.add_column(name, justify="right" if name else "left")
    for outcome, row in totals["outcomes"].items():
        amounts = (f"Rp{row['amount']:,}", f"Rp{row['amount_most']:,}") if money else ()
        table.add_row(outcome, f"{row['units']:,}", *amounts)
    table.add_section()
    for item in ready.items:
        table.add_row(escape(f"  {item.component.title['en']}"), f"{totals['components'][item.id]:,}")
    table.add_section()
    words = (" failed", " unknown") if money else ("", "")
    for id_, row in totals["criteria"].items():
        if row["failed"] or row["unknown"]:
            table.add_row(f"  {id_}", "", f"{row['failed']:,}{words[0]}", f"{row['unknown']:,}{words[1]}")
    return table


from salur.core.rules import commands_simulate  # noqa: E402, F401 - adds its command to `app`
