"""`salur programmes`: what an operator prepares before a cycle is opened, and prints when it is decreed."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone

from salur.access.policy import SYSTEM
from salur.core import rules
from salur.people import keys
from salur.programmes import services

app = typer.Typer(help="Populations that cycles are opened with, and letters.", no_args_is_help=True)


@app.callback()
def programmes() -> None:
    """Populations that cycles are opened with, and letters."""


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


@app.command()
def letters(
    cycle: Annotated[int, typer.Option(help="The number of the cycle, as in the address of its page.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The CSV file to write; a new one.")],
) -> None:
    """Write the families of a decreed cycle with the codes of their letters, for the printer. Destroy it afterwards."""
    written = services.claim_letters_write(
        now=timezone.now(), actor=SYSTEM, keys=keys.load(), cycle_id=cycle, file=out
    )
    typer.echo(f"Wrote {written:,} letters to {out}. Destroy it when they are printed.")
