"""`salur people`: keys, enrolment of a population, rotation of keys, export by name."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from salur.access import selectors as selectors_of_access
from salur.access.policy import SYSTEM
from salur.core.faults import Fault, InputError
from salur.core.population import catalogue as catalogues
from salur.people import keys as key_file
from salur.people import selectors, services
from salur.people.folders import open_folders
from salur.people.protect import SECRET_BYTES

app = typer.Typer(help="Persons and families: keys, enrolment, export.", no_args_is_help=True)
keys_app = typer.Typer(help="The keys of the protected numbers.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@keys_app.command("init")
def init() -> None:
    """Make the first key. Once; then copy the file to a safe place outside the backups of the database."""
    key_file.init(key_file.path(), secrets.token_bytes(SECRET_BYTES))
    typer.echo(
        f"Made {key_file.path()}. Keep a copy apart from the database: without it no number can be read."
    )


@keys_app.command("add")
def add() -> None:
    """Add a version that does not seal yet. Where several machines work, copy the file to all of them next."""
    keys = key_file.add(key_file.path(), secrets.token_bytes(SECRET_BYTES))
    typer.echo(
        f"Added version {keys.versions[-1]}. Copy {key_file.path()} to every machine, then rotate-keys."
    )


@keys_app.command("show")
def show() -> None:
    """Which versions there are; never the keys themselves."""
    keys = key_file.load()
    typer.echo(f"{key_file.path()}: versions {', '.join(map(str, keys.versions))}; current {keys.current}.")


@app.command("rotate-keys")
def rotate_keys(as_json: Json = False) -> None:
    """Make the newest version current (a fresh one, unless one waits or a rotation was stopped) and seal anew.

    Stopped at any moment, the same command goes on. Meanwhile every number is found.
    """
    file, keys = key_file.path(), key_file.load()
    if keys.current == keys.versions[-1] and not selectors.numbers_under_other_keys(keys):
        key_file.add(file, secrets.token_bytes(SECRET_BYTES))
    keys = key_file.make_current(file)
    with _bar("numbers") as progress:
        rows = services.keys_rotate(actor=SYSTEM, now=timezone.now(), keys=keys, progress=progress)
    if as_json:
        typer.echo(json.dumps({"version": keys.current, "rows": rows}))
    else:
        typer.echo(f"Sealed {rows:,} numbers under version {keys.current}. Copy {file} to your safe place.")


@app.command("enrol")
def enrol(
    population: Annotated[Path, typer.Option(metavar="DIR", help="The folder of a population.")],
    identities: Annotated[Path, typer.Option(metavar="DIR", help="The folder of its names and NIKs.")],
    as_json: Json = False,
) -> None:
    """Take the families and persons of a population with their ids. Who is known is left as they are."""
    catalogue = catalogues.read(Path(str(files("salur.rulebooks") / "facts.toml")))
    folders = open_folders(population, identities, catalogue)
    with _bar("persons") as progress:
        result = services.enrol(
            actor=SYSTEM,
            now=timezone.now(),
            keys=key_file.load(),
            families=folders.families(),
            persons=folders.persons(),
            since=folders.population.reference_date,
            source=folders.digest,
            total=folders.population.rows["persons"],
            progress=progress,
        )
    counts = ("families", "persons", "known", "elsewhere", "bad_rows")
    if as_json:
        typer.echo(json.dumps({name: getattr(result, name) for name in counts}))
    else:
        typer.echo(
            f"Enrolled {result.families:,} families and {result.persons:,} persons; {result.known:,} were known."
        )
        if result.elsewhere:
            typer.echo(f"{result.elsewhere:,} of them are in another family here and were left there.")
    if result.bad_rows:
        summary = Fault.of(
            "{bad} rows cannot be used as they are; the good ones were enrolled. Mend them and enrol again.",
            bad=result.bad_rows,
        )
        raise InputError([*result.faults, summary])


@app.command("export")
def export(
    purpose: Annotated[str, typer.Option(help="For what, as named in access.toml: audit, service …")],
    case: Annotated[str, typer.Option(metavar="CASE", help="The case that asks for it, like case:5.")],
    officer: Annotated[int, typer.Option(help="Whose copy it is: the number of the officer.")],
    region: Annotated[str, typer.Option(metavar="CODE", help="The regency, like 35.10.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The CSV file to write; a new one.")],
    as_json: Json = False,
) -> None:
    """Write names and masked NIKs of a regency's people, if the officer may. Every row says whose copy it is."""
    now = timezone.now()
    result = services.export_by_name(
        actor=selectors_of_access.actor(officer, now=now),
        now=now,
        keys=key_file.load(),
        purpose=purpose,
        case=case,
        region=region,
        file=out,
        mark=secrets.token_bytes(services.MARK_BYTES),
    )
    if as_json:
        typer.echo(json.dumps({"persons": result.persons, "sha256": result.sha256}))
    else:
        typer.echo(f"Wrote {result.persons:,} persons to {out}. Keep it only as long as the case needs it.")


@contextmanager
def _bar(what: str) -> Iterator[services.Progress]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
