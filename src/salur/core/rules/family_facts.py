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
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salur.core.population.layout import Population, canonical, file_entry, parquet_writer, write_whole
from salur.core.rules import engines, sql
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet

FORMAT = 2  # it changes when the same text would be kept otherwise
SHARE = 4  # of so many families one may be touched: more would not fit in memory
Near = tuple[Plan, Path]  # another plan, and a file that holds its family facts


def prepare(
    plan: Plan,
    population: Population,
    province: str,
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    near: Near | None = None,
) -> Path | None:
    """The family facts of a province, made if they are not there whole.

    near: only families that may differ from it (`sql.touched`) are summed; the bytes are the same.
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
                _make(plan, population, province, own, connection, near)
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
    plan: Plan,
    population: Population,
    province: str,
    own: Path,
    connection: duckdb.DuckDBPyConnection,
    near: Near | None,
) -> None:
    file = own / f"{province}.parquet"
    part = own / f"{province}.part"
    _note(file).unlink(missing_ok=True)
    touched = None if near is None else _touched(plan, near[0], population, province, connection)
    if near is None or touched is None:
        _sum(plan, population, province, part, connection)
    else:
        _write(touched, near[1], part)
    part.replace(file)
    write_note(file)


def _sum(
    plan: Plan, population: Population, province: str, part: Path, connection: duckdb.DuckDBPyConnection
) -> None:
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
    engines.copy(connection, queries, part)


def _touched(
    plan: Plan, near: Plan, population: Population, province: str, connection: duckdb.DuckDBPyConnection
) -> pa.Table | None:
    """The family facts of the families that are touched, each with its row in the population's order.

    None: they are too many, or the plans are not near.
    """
    source = engines.source(population, *engines.tables(population, province))
    ids = sql.touched(near, plan, source)
    if ids is None:
        return None
    connection.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {ids}").fetchall()
    ((found,),) = connection.execute("SELECT count(*) FROM touched").fetchall()
    if found * SHARE > population.files[f"families/{province}.parquet"].rows:
        return None
    persons = f"(SELECT * FROM {source.persons} WHERE family_id IN (SELECT family_id FROM touched))"
    summed = sql.sums(plan, replace(source, persons=persons))
    assert summed is not None  # noqa: S101 - asked by the caller
    text, words = summed
    shown = ", ".join(f"a.{word} AS _{word}" for word in words)
    families = parquet(population.families(province), numbered=True)
    return connection.sql(
        f"SELECT f.file_row_number AS row, {shown} FROM {families} f "
        f"JOIN ({text}) a ON a.family_id = f.family_id ORDER BY row"
    ).to_arrow_table()


def _write(touched: pa.Table, near: Path, target: Path) -> None:
    """Write the family facts of a near plan, with those of the families that are touched in their place."""
    rows, words = touched["row"].to_numpy(), touched.drop_columns("row").combine_chunks()
    begin = 0
    with pq.ParquetFile(near) as file, parquet_writer(target, words.schema, engines.NEAR) as writer:
        for index in range(file.num_row_groups):
            group = file.read_row_group(index, words.schema.names, use_threads=False).combine_chunks()
            end = begin + group.num_rows
            first, last = np.searchsorted(rows, (begin, end))
            here = np.zeros(group.num_rows, np.bool_)
            here[rows[first:last] - begin] = True
            mask, begin = pa.array(here), end
            columns = [
                pc.replace_with_mask(
                    group[name], mask, words[name].slice(first, last - first).combine_chunks()
                )
                for name in words.schema.names
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=words.schema))


def write_note(file: Path) -> None:
    """Note the bytes, rows and SHA-256 of family facts that are whole."""
    write_whole(_note(file), canonical(asdict(file_entry(file))))


def _note(file: Path) -> Path:
    return file.with_suffix(".json")
