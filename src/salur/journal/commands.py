"""`salur journal`: seal, verify, show, jobs; and `salur work`, which runs all day."""

from __future__ import annotations

import json
import logging
import os
import signal
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from django.conf import settings
from rich.console import Console
from rich.table import Table

from salur.access.policy import SYSTEM
from salur.journal import canonical, sealer, selectors, services
from salur.journal import verify as verifying
from salur.journal import work as working

app = typer.Typer(help="Events and their seals, and the jobs that wait.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
SealFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The file of seals; in SALUR_HOME by default.")
]


def _now() -> datetime:
    return datetime.now(UTC)


def _seals(file: Path | None) -> Path:
    return file or Path(settings.SEALS_FILE)


@app.command()
def seal(file: SealFile = None) -> None:
    """Seal the events that wait. `salur work` does so each second."""
    count = sealer.seal(now=_now(), file=_seals(file))
    typer.echo(f"{count:,} events sealed in {_seals(file)}.")


@app.command()
def verify(file: SealFile = None, as_json: Json = False) -> None:
    """Recompute every seal and every event from the database. Exit code 1 at the first difference."""
    verdict = verifying.verify(_seals(file))
    problem = str(verdict.problem) if verdict.problem else ""
    if as_json:
        typer.echo(json.dumps(asdict(verdict) | {"ok": not problem, "problem": problem}))
    elif problem:
        typer.echo(problem, err=True)
    else:
        typer.echo(
            f"{verdict.seals:,} seals and {verdict.events:,} events are as they were sealed; "
            f"{verdict.waiting:,} events wait for the next seal."
        )
    raise typer.Exit(1 if problem else 0)


@app.command()
def show(
    subject: Annotated[str, typer.Option(metavar="REF", help="For example cycle:3.")] = "",
    case: Annotated[str, typer.Option(metavar="REF", help="For example case:5.")] = "",
    as_json: Json = False,
) -> None:
    """The events of a subject or of a case, oldest first."""
    if bool(subject) == bool(case):
        raise typer.BadParameter("Give --subject or --case.")
    events = selectors.events_of(subject) if subject else selectors.events_of_case(case)
    if as_json:
        rows = [
            asdict(event) | {"at": canonical.moment(event.at), "leaf": canonical.leaf(event)}
            for event in events
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("id", "at", "actor", "subject", "kind", "case", "detail", "seal")
    for event in events:
        sealed = "" if event.sealed_in is None else str(event.sealed_in)
        at = f"{event.at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            str(event.id), at, event.actor, event.subject, event.kind, event.case, event.text, sealed
        )
    Console(highlight=False).print(table)


@app.command("jobs")
def jobs_command(
    dead: Annotated[bool, typer.Option("--dead", help="Those that were given up.")] = False,
    retry: Annotated[int | None, typer.Option(metavar="ID", help="Begin a dead job again.")] = None,
    as_json: Json = False,
) -> None:
    """The jobs that wait or run, or those that were given up."""
    if retry is not None:
        services.job_retry(now=_now(), actor=SYSTEM, job=retry)
        typer.echo(f"Job {retry} is ready to be run again.")
        return
    rows = selectors.jobs(states=["dead"] if dead else ["ready", "running"])
    counts = selectors.job_counts()
    if as_json:
        typer.echo(json.dumps({"counts": counts, "jobs": [asdict(row) for row in rows]}, default=str))
        return
    table = Table("id", "kind", "state", "attempts", "next at", "last error")
    for row in rows:
        at = f"{row.next_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(str(row.id), row.kind, row.state, str(row.attempts), at, row.last_error)
    Console(highlight=False).print(table)
    typer.echo(", ".join(f"{count:,} {state}" for state, count in counts.items()))


def work(
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is due.")] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=working.WORKERS_MOST, help="How many jobs run at once.")
    ] = 1,
    file: SealFile = None,
    seal: Annotated[
        bool, typer.Option("--seal/--no-seal", help="Seal the journal; one machine does it.")
    ] = True,
) -> None:
    """Seal the journal each second and run the jobs that are due. Stops after the current job on SIGTERM and Ctrl-C."""
    if "SALUR_LOG_LEVEL" not in os.environ:
        working.log.setLevel(logging.INFO)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    working.discover()
    working.work(
        workers=workers,
        once=once,
        seals=_seals(file) if seal else None,
        clock=_now,
        asked_to_stop=lambda: bool(asked),
    )
