"""`salur regions`: load the official lists, look a code up."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from salur.access.policy import SYSTEM
from salur.core.faults import Fault, InputError
from salur.regions import lists, selectors, services
from salur.regions.codes import is_code, level_of
from salur.regions.models import BEGINNING, Region
from salur.regions.services import LoadResult

app = typer.Typer(help="Provinces to villages, and their codes over time.", no_args_is_help=True)
FAULTS_SHOWN_MOST = 20
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
On = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="On that day; today if not given."),
]


@app.command()
def load(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="CSV or CSV.gz with the columns code and name.")
    ] = None,
    shipped: Annotated[
        bool,
        typer.Option(
            "--shipped", help="Load what the product carries: provinces, regencies, the demo regency."
        ),
    ] = False,
    retired: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV of codes that are gone: code, name, last_seen (a year)."),
    ] = None,
    decree: Annotated[str, typer.Option(help="The decree that the list follows.")] = "",
    valid_from: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="The day from which it is in force. Without it, codes are only added and names corrected.",
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="The list is a part of the nation: retire nothing.")
    ] = False,
    retire_most: Annotated[
        int, typer.Option(min=0, metavar="N", help="Refuse a list that would retire more codes than this.")
    ] = services.RETIRE_MOST,
    as_json: Json = False,
) -> None:
    """Load the official list of regions. Loading the same list again changes nothing."""
    if file is None and retired is None and not shipped:
        raise typer.BadParameter("Give a FILE, --shipped or --retired FILE.")
    since = valid_from.date() if valid_from else BEGINNING
    if since < BEGINNING:
        raise typer.BadParameter(f"--valid-from must be {BEGINNING} or later.")
    now = timezone.now()
    results: dict[str, LoadResult] = {}
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def bar(path: Path) -> services.Progress:
            task = bars.add_task(path.name, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        for path in lists.shipped() if shipped else []:
            results[path.name] = services.regions_load(
                now=now,
                actor=SYSTEM,
                listed=lists.read(path),
                decree=decree,
                partial=True,
                progress=bar(path),
            )
        if file is not None:
            results[str(file)] = services.regions_load(
                now=now,
                actor=SYSTEM,
                listed=lists.read(file),
                valid_from=since,
                decree=decree,
                partial=partial,
                retire_most=retire_most,
                progress=bar(file),
            )
        if retired is not None:
            results[str(retired)] = services.regions_load_retired(
                now=now,
                actor=SYSTEM,
                listed=lists.read(retired, retired=True),
                decree=decree,
                progress=bar(retired),
            )
    _report(results, as_json=as_json)


def _report(results: dict[str, LoadResult], *, as_json: bool) -> None:
    counts = ("added", "unchanged", "renamed", "retired", "missing", "bad_rows")
    if as_json:
        typer.echo(json.dumps({name: {c: asdict(r)[c] for c in counts} for name, r in results.items()}))
    else:
        for name, result in results.items():
            typer.echo(
                f"{name}: {result.added:,} added, {result.unchanged:,} unchanged, "
                f"{result.renamed:,} renamed, {result.retired:,} retired."
            )
            if result.missing:
                typer.echo(
                    f"{result.missing:,} codes in force are not in {name} and were left as they are. A "
                    "complete list without bad rows and with --valid-from DATE retires them."
                )
    bad_rows = sum(result.bad_rows for result in results.values())
    if bad_rows:
        faults = [fault for result in results.values() for fault in result.faults][:FAULTS_SHOWN_MOST]
        summary = Fault.of(
            "{bad} bad rows wait; the good ones were loaded. Mend them and load the file again.", bad=bad_rows
        )
        raise InputError([*faults, summary])


@app.command()
def show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="For example 35.10.")],
    on: On = None,
    as_json: Json = False,
) -> None:
    """Show a region: its place, its validity, its names over time."""
    _check_code(code)
    day = _day(on)
    status = selectors.region_status(code=code, on=day)
    path = selectors.region_path(code=code, on=day)
    history = selectors.region_history(code=code)
    if as_json:
        answer = {
            "code": code,
            "level": level_of(code).name.lower(),
            "on": str(day),
            "status": status,
            "path": [{"code": region.code, "name": region.name} for region in path],
            "history": [_as_json(region) for region in history],
        }
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    sentence = {
        selectors.RegionStatus.IN_FORCE: "is in force",
        selectors.RegionStatus.RETIRED: "is retired",
        selectors.RegionStatus.UNKNOWN: "is in none of the loaded lists",
    }[status]
    typer.echo(f"{code} ({level_of(code).title}) {sentence} on {day}.")
    if path:
        typer.echo(" › ".join(region.name for region in path))
    for region in history:
        typer.echo(f"  {region.name}: {_validity(region)}{f'; {region.decree}' if region.decree else ''}")


@app.command("list")
def list_(
    parent: Annotated[
        str, typer.Argument(metavar="[PARENT]", help="A code; without it, the provinces.")
    ] = "",
    on: On = None,
    as_json: Json = False,
) -> None:
    """List the regions directly below a code."""
    if parent:
        _check_code(parent)
    regions = list(selectors.region_children(parent=parent, on=_day(on)))
    if as_json:
        typer.echo(json.dumps([_as_json(region) for region in regions], ensure_ascii=False))
        return
    for region in regions:
        typer.echo(f"{region.code}  {region.name}")
    if not regions:
        typer.echo(
            f"Nothing is loaded below {parent or 'the nation'}. `salur regions load --shipped` loads what "
            "the product carries.",
            err=True,
        )


def _check_code(code: str) -> None:
    if not is_code(code):
        raise typer.BadParameter("A code looks like 35, 35.10, 35.10.01 or 35.10.01.2001.")


def _day(on: datetime | None) -> date:
    return on.date() if on else date.today()  # noqa: DTZ011 - the day where the command runs


def _validity(region: Region) -> str:
    start = "since before the lists" if region.valid_from == BEGINNING else f"from {region.valid_from}"
    return f"{start}, in force" if region.valid_to is None else f"{start} to the day before {region.valid_to}"


def _as_json(region: Region) -> dict[str, str | None]:
    return {
        "code": region.code,
        "name": region.name,
        "valid_from": str(region.valid_from),
        "valid_to": str(region.valid_to) if region.valid_to else None,
        "decree": region.decree,
    }
