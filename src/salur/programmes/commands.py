"""`salur programmes`: what an operator prepares before a cycle is opened, and the letters after it."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from salur.access.policy import SYSTEM
from salur.core import rules
from salur.core.faults import InputError
from salur.people import keys as key_file
from salur.programmes import services

app = typer.Typer(help="Populations of cycles, and the letters of families.", no_args_is_help=True)


@app.callback()
def programmes() -> None:
    """Populations of cycles, and the letters of families."""


@app.command()
def population(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of `salur population make`.")],
    facts: Annotated[
        Path | None, typer.Option(help="The fact catalogue; without it the shipped one.")
    ] = None,
) -> None:
    """Register a population, so that officers can open cycles with it. Leave the folder where it is."""
    shipped = Path(str(files("salur") / "rulebooks" / "facts.toml"))
    opened = rules.open_population(path, rules.read_catalogue(facts or shipped))
    services.population_add(now=timezone.now(), actor=SYSTEM, population=opened)
    typer.echo(f"{opened.id}  {opened.reference_date}")


@app.command("claim-letters")
def claim_letters(
    cycle: Annotated[int, typer.Argument(metavar="CYCLE", help="The number of a cycle that is decided.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file to write; a new one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Give the families of a cycle their claim codes and write family ids and codes for the printer of the letters.

    Repeated, every family keeps its code. Whoever holds the file can read decisions: destroy it once it is printed.
    """
    now, keys = timezone.now(), key_file.load()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage)
            bars.update(tasks[stage], completed=done, total=of)

        services.claim_codes_issue(now=now, actor=SYSTEM, keys=keys, cycle_id=cycle, progress=told)
        letters = services.claim_letters_write(
            now=now, actor=SYSTEM, keys=keys, cycle_id=cycle, file=file, progress=told
        )
    if as_json:
        typer.echo(json.dumps({"letters": letters}))
    else:
        typer.echo(f"Wrote {letters:,} codes to {file}. Destroy it once the letters are printed.")


@app.command("revoke-codes")
def revoke_codes(
    family: Annotated[int | None, typer.Option(help="The id of the family whose letter was lost.")] = None,
    region: Annotated[str, typer.Option(help="The regency in which the family lives or lived.")] = "",
    key_version: Annotated[int | None, typer.Option(help="The version of the keys that leaked.")] = None,
) -> None:
    """Let the codes of a family, or of a version of the keys, open nothing any more; `claim-letters` gives new ones."""
    now = timezone.now()
    if family is not None and key_version is None:
        count = services.claim_codes_revoke(now=now, actor=SYSTEM, family_id=family, region=region)
    elif key_version is not None and family is None:
        count = services.claim_codes_revoke_all(now=now, actor=SYSTEM, key_version=key_version)
    else:
        raise InputError.of("Name a family or a version of the keys.")
    typer.echo(f"Revoked {count:,}.")
