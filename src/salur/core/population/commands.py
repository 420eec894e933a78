"""`salur population`: generate, describe and verify populations from the command line."""

from __future__ import annotations

import csv
import json
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from salur.core.faults import InputError
from salur.core.population import catalogue as catalogues
from salur.core.population.catalogue import Catalogue
from salur.core.population.generate import Generator, Regency, generate, needed_bytes
from salur.core.population.layout import open_population, verify
from salur.core.population.slices import size_words

app = typer.Typer(name="population", help="Make, look at and check populations.", no_args_is_help=True)

# Fixed, so that the same command gives the same people on any day.
REFERENCE_DATE = datetime(2026, 9, 30)  # noqa: DTZ001  a date has no time zone
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a population.")]
Facts = Annotated[Path | None, typer.Option(help="Fact catalogue; the shipped one by default.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("generate")
def generate_command(
    families: Annotated[int, typer.Option(min=1, help="How many families.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make; never one that is in use.")],
    regencies: Annotated[
        str, typer.Option(metavar="CODES", help="Codes with commas between (35.10,51), or all.")
    ] = "35.10",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same people.")] = 1,
    reference_date: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day on which facts are true.")
    ] = REFERENCE_DATE,
    unknown: Annotated[
        float | None,
        typer.Option(min=0, max=100, metavar="PERCENT", help="Share of rows in which each fact is unknown."),
    ] = None,
    identities: Annotated[bool, typer.Option(help="Also names and test NIKs, in DIR-identities.")] = False,
    facts: Facts = None,
    as_json: Json = False,
) -> None:
    """Make synthetic families that behave like Indonesia's. Stopped, the same command goes on."""
    generator = Generator(
        read_regencies(regencies), families, seed, _catalogue(facts), reference_date.date(), unknown
    )
    messages = Console(stderr=True, highlight=False, soft_wrap=True)
    messages.print(f"{families} families need about {size_words(needed_bytes(generator))} of disk.")
    with _progress(messages) as bar:
        task = bar.add_task("families", total=families)
        population, made = generate(generator, out, told=lambda n: bar.advance(task, n))
    report: dict[str, Any] = {"id": population.id, "rows": dict(population.rows), "made": made}
    if identities:
        from salur.core.population.identities import write_identities

        with _progress(messages) as bar:
            task = bar.add_task("identities", total=families)
            folder = out.with_name(out.name + "-identities")
            made_too = write_identities(generator, population.id, folder, told=lambda n: bar.advance(task, n))
        report["identities"] = {"folder": folder.name, "made": made_too}
    if as_json:
        _print_json(report)
        return
    done = "Made" if made else "Already there, left as it is:"
    _print(f"{done} {out}: {population.rows['families']} families, {population.rows['persons']} persons.")
    if identities:
        _print(f"{'Made' if made_too else 'Already there, left as it is:'} {folder}: names and test NIKs.")
    _print(f"Population {population.id}")


@app.command("verify")
def verify_command(folder: Folder, facts: Facts = None, as_json: Json = False) -> None:
    """Read every row; a sentence for each fault and exit code 3, or one line."""
    catalogue = _catalogue(facts)
    population = open_population(folder, catalogue)
    with _progress(Console(stderr=True)) as bar:
        task = bar.add_task("files", total=len(population.files))
        faults = verify(population, catalogue, progress=lambda name: bar.advance(task))
    if faults:
        raise InputError(faults)
    rows = population.rows
    if as_json:
        _print_json({"id": population.id, "rows": dict(rows), "faults": []})
    else:
        _print(f"{folder} is sound: {rows['families']} families, {rows['persons']} persons.")


@app.command("describe")
def describe_command(folder: Folder, facts: Facts = None, as_json: Json = False) -> None:
    """Rows, gaps, stale rows, distributions, ages, deciles and regencies."""
    from salur.core.population.describe import describe

    catalogue = _catalogue(facts)
    report = describe(open_population(folder, catalogue), catalogue)
    if as_json:
        _print_json(report)
    else:
        _show(report)


def read_regencies(codes: str) -> list[Regency]:
    """The regencies of "all", or of codes of provinces and regencies with commas between, with the official
    head counts of `salur.regions`. Raises InputError for a code that is not there."""
    data = Path(str(files("salur.regions") / "data"))
    with (data / "regencies.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if len(row["code"]) == 5]
    chosen = {code.strip() for code in codes.split(",") if code.strip()}
    for code in sorted(chosen - {"all"}):
        if not any(row["code"] == code or row["code"][:2] == code for row in rows):
            raise InputError.of(
                "There is no region {code}; give a regency such as 35.10, a province such as 35, or all.",
                code=code,
            )
    result = []
    for row in rows:
        code = row["code"]
        if chosen & {"all", code, code[:2]}:
            villages: tuple[str, ...] = ()
            file = data / f"villages_{code.replace('.', '_')}.csv"
            if file.is_file():
                with file.open(encoding="utf-8", newline="") as stream:
                    villages = tuple(v["code"] for v in csv.DictReader(stream) if len(v["code"]) == 13)
            result.append(Regency(code, int(row["male"]), int(row["female"]), villages))
    return result


def _catalogue(path: Path | None) -> Catalogue:
    return catalogues.read(path or Path(str(files("salur.rulebooks") / "facts.toml")))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, disable=not console.is_terminal,
    )  # fmt: skip


def _print(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(text, markup=False)


def _print_json(report: dict[str, Any]) -> None:
    typer.echo(json.dumps(report, ensure_ascii=False))


def _show(report: dict[str, Any]) -> None:
    console = Console(highlight=False)
    rows, families = report["rows"], report["families"]
    _print(f"Population {report['id']}, reference date {report['reference_date']}")
    mean = "unknown" if families["members_mean"] is None else f"{families['members_mean']:.2f}"
    _print(
        f"{rows['families']} families ({families['found']} found, {families['members_known']} with known "
        f"members), {rows['persons']} persons, {mean} a family"
    )
    table = Table("fact", "source", "unknown", "stale", "distribution of what is known", title="Facts")
    for name, fact in report["facts"].items():
        if "values" in fact:
            spread = ", ".join(f"{value} {share:.1%}" for value, share in fact["values"].items())
        else:
            mean = f", mean {fact['mean']:.0f}" if fact.get("mean") is not None else ""
            spread = f"{fact['least']} to {fact['most']}{mean}"
        stale = f"{fact['stale']:.1%}" if "stale" in fact else ""
        unknown = "" if fact["unknown"] is None else f"{fact['unknown']:.1%}"
        table.add_row(name, fact["source"], unknown, stale, spread)
    console.print(table)
    table = Table("age from", "men", "women", title="Persons by age")
    for group in report["ages"]:
        table.add_row(str(group["from"]), str(group["men"]), str(group["women"]))
    console.print(table)
    table = Table("regency", "families", "persons", title="Regencies")
    for code, n in report["regencies"].items():
        table.add_row(code, str(n["families"]), str(n["persons"]))
    console.print(table)
