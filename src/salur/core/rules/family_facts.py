"""Family facts: what a rulebook needs of the members of each family, summed once and kept for the next time.

    <folder>/<population id>/<SHA-256 of the text>/<province>.parquet   a row a family, in the population's order
    <folder>/<population id>/<SHA-256 of the text>/<province>.json      written last: bytes, rows and SHA-256 of it

The text is the SELECT that sums them (`sql.sums`), so that rulebooks, versions and sweeps that ask the same of members
share one set. It is a cache: all of it may be deleted at any time, and a file that is cut off, changed or foreign is
noticed and made again. Persons outnumber families three to one, so that deciding is several times quicker with it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import duckdb
import pyarrow as pa

from salur.core.population.layout import Population, canonical, file_entry, write_whole
from salur.core.rules import engines, sql
from salur.core.rules.plan import Plan

FORMAT = 2  # it changes when the same text would be kept otherwise


def prepare(
    plan: Plan, population: Population, province: str, folder: Path, connection: duckdb.DuckDBPyConnection
) -> Path | None:
    """The family facts of a province, made if they are not there whole.

    None: the rulebook needs nothing of members, or decides persons, whose rows are read in any case.
    Raises InputError if they cannot be kept. Several processes may ask at once: one makes them, the others wait.
    """
    if plan.rulebook.unit == "person" or sql.sums(plan, _placeholders(population)) is None:
        return None
    own = where(plan, population, folder)
    file = own / f"{province}.parquet"
    with engines.sentences(folder):
        own.mkdir(parents=True, exist_ok=True)
        with alone(own / f"{province}.lock"):
            if not _is_whole(population, province, own):
                _make(plan, population, province, own, connection)
    return file


def where(plan: Plan, population: Population, folder: Path) -> Path:
    """The folder of the family facts that a plan needs of a population."""
    summed = sql.sums(plan, _placeholders(population))
    text = summed[0] if summed else ""
    key = hashlib.sha256(f"{FORMAT} {text}".encode()).hexdigest()
    return folder / population.id / key


def _placeholders(population: Population) -> sql.Source:
    return engines.source(population, "families", "persons")


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One process at a time; the lock of a process that is killed is free."""
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _is_whole(population: Population, province: str, own: Path) -> bool:
    file = own / f"{province}.parquet"
    try:
        noted = json.loads(_note(file).read_bytes())
        found = asdict(file_entry(file))
    except (OSError, ValueError, RecursionError, pa.ArrowException):
        return False
    return bool(noted == found and found["rows"] == population.files[f"families/{province}.parquet"].rows)


def _make(
    plan: Plan, population: Population, province: str, own: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    file = own / f"{province}.parquet"
    _note(file).unlink(missing_ok=True)
    queries = []
    for rows in engines.slices(connection, population, province):
        summed = sql.sums(plan, rows)
        assert summed is not None  # noqa: S101 - asked by the caller
        text, words = summed
        shown = ", ".join(f"{word} AS _{word}" for word in words)
        queries.append(
            f"SELECT {shown} FROM (SELECT f.region, f.family_id, a.* EXCLUDE (family_id) FROM {rows.families} f "
            f"LEFT JOIN ({text}) a ON a.family_id = f.family_id ORDER BY f.region, f.family_id)"
        )
    part = own / f"{province}.part"
    engines.copy(connection, queries, part)
    part.replace(file)
    write_note(file)


def write_note(file: Path) -> None:
    """Note the bytes, rows and SHA-256 of family facts that are whole."""
    write_whole(_note(file), canonical(asdict(file_entry(file))))


def _note(file: Path) -> Path:
    return file.with_suffix(".json")
