"""`salur doctor`: what is configured, reachable, missing; each line a sentence that says what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from salur.core.faults import InputError

PYTHON_LEAST = (3, 11)
DISK_FREE_LEAST_MB = 1_000


@dataclass(frozen=True)
class Finding:
    """`state` is ok, missing (an optional part) or broken (something needed)."""

    part: str
    state: str
    sentence: str


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False) -> None:
    """Say what is configured, reachable, missing. Exit code 1 if something that is needed is broken."""
    findings = list(examine())
    broken = [finding for finding in findings if finding.state == "broken"]
    if as_json:
        typer.echo(json.dumps({"ok": not broken, "findings": [asdict(f) for f in findings]}))
    else:
        console = Console(highlight=False, soft_wrap=True)
        marks = {"ok": "[green]ok     [/]", "missing": "[yellow]missing[/]", "broken": "[red]broken [/]"}
        for finding in findings:
            console.print(marks[finding.state], end=" ")
            console.print(f"{finding.part}: {finding.sentence}", markup=False)
        if not broken:
            console.print("Everything that is needed is there.")
    raise typer.Exit(1 if broken else 0)


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a newcomer would mend them."""
    yield _python()
    yield from _packages()
    yield _home()
    yield from _database()
    yield _disk()
    yield from _shipped()
    yield _postgres_server()
    for part, programs, use in (
        ("Chromium", ("chromium", "google-chrome"), "the tests of pages in a browser"),
        ("Java", ("java",), "deciding with Apache Spark"),
        ("Node", ("node",), "building styles"),
    ):
        yield _program(part, programs, use)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON_LEAST:
        return Finding("Python", "ok", f"{found}.")
    return Finding("Python", "broken", f"{found} is too old; install 3.11 or newer.")


def _packages() -> Iterator[Finding]:
    """What pyproject.toml asks for; a package of an extra is only missing."""
    absent: dict[bool, list[str]] = {True: [], False: []}
    requirements = metadata.requires("salur") or []
    for line in requirements:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            absent["extra ==" not in line].append(name)
    needed, extra = absent[True], absent[False]
    if needed:
        yield Finding("Packages", "broken", f"{', '.join(needed)} not installed; run `make test`.")
    else:
        yield Finding("Packages", "ok", "all that are needed are installed.")
    if extra:
        yield Finding(
            "Optional packages", "missing", f"{', '.join(extra)}; docs/dependencies.md says what each is for."
        )


def _home() -> Finding:
    from salur.web import home

    try:
        home.prepare()
        with tempfile.TemporaryFile(dir=home.path()):
            pass
    except InputError as error:
        return Finding("Own folder", "broken", str(error))
    except OSError as error:
        return Finding(
            "Own folder", "broken", f"{home.path()} is not writable ({error.strerror}); set SALUR_HOME."
        )
    return Finding("Own folder", "ok", f"{home.path()} is writable (SALUR_HOME).")


def _database() -> Iterator[Finding]:
    try:
        from salur.web import setup

        setup()
        from django.db import connection
        from django.db.migrations.executor import MigrationExecutor

        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except Exception as error:
        why = " ".join(str(error).split())
        yield Finding(
            "Database",
            "broken",
            f"it cannot be reached ({why}); see SALUR_DATABASE_URL in docs/how-to/engineer.md.",
        )
        return
    from salur.access.rows import bypassed

    place, superuser = f"{connection.vendor}, {connection.settings_dict['NAME']}", bypassed()
    connection.close()
    yield Finding("Database", "ok", f"{place} is reachable.")
    if superuser:
        yield Finding(
            "Row-level security",
            "missing",
            "connected as a superuser, whom row-level security does not bind; see docs/access.md.",
        )
    if waiting:
        yield Finding("Tables", "missing", "not up to date; run `salur migrate`.")
    else:
        yield Finding("Tables", "ok", "up to date.")


def _disk() -> Finding:
    free_mb = shutil.disk_usage(Path.cwd()).free // 1_000_000
    if free_mb >= DISK_FREE_LEAST_MB:
        return Finding("Disk", "ok", f"{free_mb:,} MB are free here.")
    return Finding(
        "Disk", "broken", f"only {free_mb:,} MB are free here; make room for {DISK_FREE_LEAST_MB:,} MB."
    )


def _shipped() -> Iterator[Finding]:
    """The data files that came with the product."""
    root = Path(str(resources.files("salur")))
    for part, pattern in (("Rulebooks", "rulebooks/*.toml"), ("Region lists", "regions/data/*.csv")):
        files = sorted(root.glob(pattern))
        unread = [file.name for file in files if not os.access(file, os.R_OK)]
        if files and not unread:
            yield Finding(part, "ok", f"{len(files)} files are readable: {', '.join(f.name for f in files)}.")
        else:
            names = ", ".join(unread) or pattern
            yield Finding(part, "broken", f"{names} cannot be read in {root}; install Salur again.")


def _postgres_server() -> Finding:
    folders = [*Path("/usr/lib/postgresql").glob("*/bin")]
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    if any((folder / "initdb").exists() for folder in folders):
        return Finding("PostgreSQL server", "ok", "its programs are installed, for tests on a real database.")
    return Finding(
        "PostgreSQL server", "missing", "only its tests need it; on Debian `apt-get install postgresql`."
    )


def _program(part: str, programs: tuple[str, ...], use: str) -> Finding:
    found = next((path for program in programs if (path := shutil.which(program))), None)
    if found is None:
        return Finding(part, "missing", f"not installed; only {use} needs it.")
    return Finding(part, "ok", f"{_version(found)}, for {use}.")


def _version(program: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - a program found on the path, no input of a user
            [program, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return program
    return (answer.stdout or answer.stderr).strip().partition("\n")[0].strip() or program
