"""`salur rules simulate`: the effect of a rulebook before it is decided."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from salur.core.faults import InputError
from salur.core.rules import rulebook
from salur.core.rules.commands import (
    FactsOption,
    File,
    Json,
    On,
    app,
    cache,
    progress_bar,
    read_catalogue,
    shipped,
)
from salur.core.rules.plan import plan

_LANGUAGES = ("SALUR_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@app.command()
def simulate(
    file: File,
    population: Annotated[Path, typer.Option(metavar="DIR", help="The population to compare over.")],
    against: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="The rulebook in force; without it, what the new one costs."),
    ] = None,
    regency: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Only these regencies or provinces, like 35.10,36."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=1..6", help="A parameter of the rulebook with many values: 1..6 or 1,3,5."
        ),
    ] = None,
    sample: Annotated[int | None, typer.Option(metavar="N", help="Estimate from one in N families.")] = None,
    truth: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of true deciles; by default the population's own."),
    ] = None,
    poor: Annotated[int, typer.Option(metavar="N", help="Who is poor in truth: deciles 1 to N.")] = 4,
    ceiling: Annotated[
        int | None, typer.Option(metavar="RUPIAH", min=0, help="What it may cost a year.")
    ] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="The breakdown to show.")] = "decile",
    on: On = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every published number here.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where a run that was stopped goes on; by default in the cache."),
    ] = None,
    facts: FactsOption = None,
    as_json: Json = False,
) -> None:
    """Who gains, loses, waits, and what it costs: a new rulebook against the one in force. Nothing is decided by it."""
    from salur.core.population.layout import canonical, open_population
    from salur.core.rules import simulate as simulating
    from salur.core.rules.simulate import screen
    from salur.core.rules.simulate.attributes import BREAKDOWNS
    from salur.core.rules.simulate.before import truth_seen
    from salur.core.rules.simulate.sweeps import read_sweep

    if by not in (names := [*(b.name for b in BREAKDOWNS), "region"]):
        raise typer.BadParameter(f"choose one of {', '.join(names)}", param_hint="--by")
    if sample is not None and not 1 <= sample <= 1_000_000:
        raise typer.BadParameter("from 1 to 1000000", param_hint="--sample")
    catalogue = read_catalogue(facts)
    opened = open_population(population, catalogue)
    day = on.date() if on else opened.reference_date
    new = plan(rulebook.read(shipped(file), catalogue), day)
    old = None if against is None else plan(rulebook.read(shipped(against), catalogue), day)
    swept = None if sweep is None else read_sweep(sweep)
    if truth is None and all(f"truth/{province}.parquet" in opened.files for province in opened.provinces):
        truth = opened.path / "truth"
    codes = (
        None
        if regency is None
        else [code.strip() for part in regency for code in part.split(",") if code.strip()]
    )
    if codes == []:
        raise InputError.of("No regency is chosen.")
    if work is None:
        versions = [new.rulebook.sha256, old and old.rulebook.sha256, catalogue.sha256, opened.id, str(day)]
        asked = [codes, sample, poor, swept, truth_seen(truth, opened)]
        work = cache() / "simulate" / hashlib.sha256(canonical([versions, asked])).hexdigest()[:32]
    console = Console(stderr=True, highlight=False)
    with progress_bar(console) as bar:
        stages: dict[str, Any] = {}

        def said(stage: str, province: str) -> None:
            if stage not in stages:
                stages[stage] = bar.add_task(stage, total=len(opened.provinces))
            bar.update(stages[stage], advance=1, description=f"{stage} {province}")

        options = simulating.Options(
            codes,
            None if sample is None else (1, sample),
            cache(),
            truth,
            poor,
            ceiling,
            cache() / "checked",
            said,
        )
        found: simulating.Simulation | simulating.Sweep
        if swept is None:
            found = simulating.simulate(new, old, opened, work, options)
            listed = [("", "", found)]
        else:
            name, values = swept
            found = simulating.sweep(new, old, opened, work, options, parameter=name, values=values)
            listed = [(name, str(p.value), p.simulation) for p in found.points if p.simulation is not None]
    if csv is not None:
        try:
            csv.write_text(screen.csv_text(listed), "utf-8")
        except OSError as error:
            raise InputError.at(csv, "The file cannot be written: {why}.", why=error.strerror) from None
    if as_json:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, sort_keys=True))
    elif isinstance(found, simulating.Sweep):
        screen.show_sweep(Console(highlight=False), found, _language())
    else:
        screen.show(Console(highlight=False), found, _language(), by)


def _language() -> str:
    """SALUR_LANG if it is set, otherwise the system's; English if neither is Indonesian."""
    wanted = next((os.environ[name] for name in _LANGUAGES if os.environ.get(name)), "")
    return "id" if wanted.lower() == "id" or wanted.lower().startswith(("id_", "id.", "id-")) else "en"
