"""Families that a rulebook cannot tell apart, decided once for all of them.

What a rulebook reads of a family is little: some facts, and the sums over its members (`family_facts`). Ten million
families fall into some hundred thousand classes. The cache keeps, for each province,

    <folder>/<population id>/<SHA-256 of the text>/<province>-classes.parquet   what each class is, the commonest first
    <folder>/<population id>/<SHA-256 of the text>/<province>.parquet           family_id, region, class (its row there)
                                                                                and _score, in the population's order
    <folder>/<population id>/<SHA-256 of the text>/<province>.json              written last: what the files must be

The text is the SELECT of all that the rulebook reads. What ranks families under a quota, and nothing else, stands in
`_score`: only whether it is known makes a class. Like all of the cache it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.population.catalogue import INTEGER_MOST
from salur.core.population.layout import Population, canonical, file_entry, write_whole
from salur.core.rules import engines, family_facts, nodes, sql, totals
from salur.core.rules.evaluate import ELIGIBLE, OUTCOMES, WAITING, Cutoff
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet

FORMAT = 2  # it changes when the same text would be kept otherwise
MOST = 2_000_000  # classes of a province: more do not fit in memory
Numbers = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Files:
    """The classes of a province, and the families with their classes."""

    classes: Path
    families: Path


# ---- the cache ---------------------------------------------------------------------------------------------


def prepare(
    plan: Plan,
    population: Population,
    provinces: Iterable[str],
    folder: Path,
    connection: duckdb.DuckDBPyConnection,
    progress: Callable[[str], None] = lambda province: None,
) -> dict[str, Files]:
    """The classes of provinces, made where they are not there whole.

    Not of those with too many classes, nor for a rulebook that decides persons. Raises InputError if they cannot be
    kept. Several processes may ask at once: one makes them, the others wait.
    """
    if plan.rulebook.unit == "person":
        return {}
    own, files = _files(plan, population, provinces, folder)
    with engines.sentences(folder):
        own.mkdir(parents=True, exist_ok=True)
        for province, each in files.items():
            with family_facts.alone(own / f"{province}.lock"):
                if not _is_whole(population, province, each):
                    _make(plan, population, province, folder, each, connection)
            progress(province)
        return {province: each for province, each in files.items() if each.families.exists()}


def at_hand(plan: Plan, population: Population, provinces: Iterable[str], folder: Path) -> dict[str, Files]:
    """The classes of those provinces where they are there whole; none is made."""
    files = _files(plan, population, provinces, folder)[1]
    return {
        province: each
        for province, each in files.items()
        if each.families.exists() and _is_whole(population, province, each)
    }


def _files(
    plan: Plan, population: Population, provinces: Iterable[str], folder: Path
) -> tuple[Path, dict[str, Files]]:
    own = where(plan, population, folder)
    return own, {p: Files(own / f"{p}-classes.parquet", own / f"{p}.parquet") for p in provinces}


def where(plan: Plan, population: Population, folder: Path) -> Path:
    """The folder of the classes that a plan needs of a population."""
    text = _rows(plan, engines.source(population, "families", "persons"))
    summed = family_facts.where(plan, population, folder).name
    return folder / population.id / hashlib.sha256(f"classes {FORMAT} {summed} {text}".encode()).hexdigest()


def _only_ranks(plan: Plan) -> str | None:
    """The fact that ranks families and decides nothing else."""
    if plan.places is None:
        return None
    trees = [*plan.criteria, *(item.tree for item in plan.items if item.tree is not None)]
    rank = plan.places.rank
    return None if any(rank in nodes.facts(tree) for tree in trees) else rank.name


def _columns(plan: Plan, source: sql.Source) -> dict[str, str]:
    """What the rulebook reads of a family: the columns of the classes, each with its SQL."""
    facts = sql.fresh(plan, source)
    if (name := _only_ranks(plan)) is not None:
        facts[name] = f"CASE WHEN ({facts[name]}) IS NOT NULL THEN 0 END"
    summed = sql.sums(plan, source)
    return (
        {name: f"f.{name}" for name in ("found", "members_known")}
        | {f'"{name}"': value for name, value in facts.items()}
        | {f"_{word}": f"f._{word}" for word in (summed[1] if summed else ())}
    )


def _rows(plan: Plan, source: sql.Source) -> str:
    """SQL: each family with all that the rulebook reads of it."""
    score = ""
    if plan.places is not None:
        score = f", CAST(COALESCE({sql.fresh(plan, source)[plan.places.rank.name]}, 0) AS BIGINT) AS _score"
    shown = ", ".join(f"{value} AS {name}" for name, value in _columns(plan, source).items())
    return f"SELECT f.family_id, f.region, {shown}{score} FROM {source.families} f"


def _is_whole(population: Population, province: str, files: Files) -> bool:
    try:
        noted = json.loads(_note(files).read_bytes())
        if noted == {}:  # too many classes
            return not files.families.exists()
        found = _entries(files)
    except (OSError, ValueError, RecursionError, pa.ArrowException):
        return False
    rows = population.files[f"families/{province}.parquet"].rows
    return bool(noted == found and found["families"]["rows"] == rows)


def _entries(files: Files) -> dict[str, Any]:
    return {"classes": asdict(file_entry(files.classes)), "families": asdict(file_entry(files.families))}


def _note(files: Files) -> Path:
    return files.families.with_suffix(".json")


def _make(
    plan: Plan,
    population: Population,
    province: str,
    folder: Path,
    files: Files,
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for path in (_note(files), files.classes, files.families):
        path.unlink(missing_ok=True)
    summed = family_facts.prepare(plan, population, province, folder, connection)
    source = engines.source(population, *engines.tables(population, province), family_facts=summed)
    rows, columns = _rows(plan, source), list(_columns(plan, source))
    named = ", ".join(columns)
    known = files.classes.with_suffix(".part")
    engines.copy(
        connection,
        f"SELECT {named} FROM (SELECT {named}, count(*) AS _families FROM ({rows}) GROUP BY {named}) "
        f"ORDER BY _families DESC, {named} LIMIT {MOST + 1}",
        known,
    )
    if pq.read_metadata(known).num_rows > MOST:
        known.unlink()
        write_whole(_note(files), canonical({}))
        return
    same = " AND ".join(f"c.{name} IS NOT DISTINCT FROM r.{name}" for name in columns)
    score = "" if plan.places is None else ", r._score"
    part = files.families.with_suffix(".part")
    engines.copy(
        connection,
        [
            f"SELECT r.family_id, r.region, CAST(c.file_row_number AS INTEGER) AS class{score} "
            f"FROM (SELECT * FROM ({rows}) WHERE region BETWEEN '{first}' AND '{last}') r "
            f"JOIN {parquet(known, numbered=True)} c ON {same} "
            "ORDER BY r.region, r.family_id"
            for first, last in engines.ranges(connection, population, province)
        ],
        part,
        writer=_families_writer,
    )
    known.replace(files.classes)
    part.replace(files.families)
    write_note(files)


def _families_writer(target: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of what is read in every run: as quickly as can be, with some more bytes."""
    return pq.ParquetWriter(
        target,
        pa.schema([field.with_nullable(False) for field in schema]),
        compression="none",
        use_dictionary=["region"],
        column_encoding={name: "DELTA_BINARY_PACKED" for name in schema.names if name in engines.NEAR},
        store_schema=False,
    )


def write_note(files: Files) -> None:
    """Note the bytes, rows and SHA-256 of classes that are whole."""
    write_whole(_note(files), canonical(_entries(files)))


# ---- decided -----------------------------------------------------------------------------------------------


def decided(
    plan: Plan, files: Sequence[Files], shown: Sequence[str], connection: duckdb.DuckDBPyConnection
) -> Iterator[dict[str, _Column]]:
    """For each of the files the columns `shown`, made of `sql.columns(plan)`: a value a class; and one more, of who
    waits: nothing but 0, whatever the class."""
    known = parquet(*(each.classes for each in files), numbered=True)
    classes = f"(SELECT file_row_number AS family_id, '' AS region, * EXCLUDE (file_row_number) FROM {known})"
    on = {fact.name: plan.on for fact in plan.facts}  # stale values are unknown already
    text = sql.statement(plan, sql.Source(classes, "persons", on, frozenset(), summed=True))
    query = f"SELECT unit_id AS class, {', '.join(shown)} FROM ({text})"
    cursor = connection.cursor()  # a name of its own: it must outlive what reads from it
    with cursor.sql(query).to_arrow_reader(engines.GROUP) as reader:
        waiting, left = _waiting(reader.schema), _waiting(reader.schema).slice(1)
        rooms = {name: np.empty(engines.GROUP, np.int64) for name in ("narrow", *reader.schema.names)}
        for each in files:
            rows, have = pq.read_metadata(each.classes).num_rows, 0
            columns = {
                name: _Column(waiting[name], rooms["narrow"], rooms[name])
                for name in reader.schema.names
                if name != "class"
            }
            while have < rows:
                batch = left if left.num_rows else reader.read_next_batch()
                batch, left = batch.slice(0, rows - have), batch.slice(rows - have)
                numbers = np.arange(have, have := have + batch.num_rows)
                assert np.array_equal(batch["class"].to_numpy(), numbers)  # noqa: S101 - as the files stand
                for name, column in columns.items():
                    column.add(batch[name])
            for name, column in columns.items():
                column.add(waiting[name])
            yield columns


def _waiting(schema: pa.Schema) -> pa.RecordBatch:
    def value(field: pa.Field) -> pa.Array:
        if field.name != "outcome":
            return pa.array([0], field.type)
        code = pa.array([OUTCOMES.index(WAITING)], field.type.index_type)
        return pa.DictionaryArray.from_arrays(code, pa.array(OUTCOMES))

    return pa.record_batch([value(field) for field in schema], schema)


class Province:
    """The families of a province, each decided as its class is.

    `columns`: of `decided`, those of a file of decisions, without ids; under a quota also `persons`.
    """

    def __init__(self, plan: Plan, province: str, families: Path, columns: dict[str, _Column]) -> None:
        self.plan, self.province, self.families = plan, province, families
        self.columns = {name: column for name, column in columns.items() if name != "persons"}
        self.persons = columns["persons"].values if plan.places else None
        self.eligible = columns["outcome"].values == OUTCOMES.index(ELIGIBLE)
        self.groups: list[_Candidates] = []

    def candidates(self) -> Iterator[pa.Table]:
        """`engines.CANDIDATES`, and what `write` must know of them noted."""
        assert self.plan.places is not None  # noqa: S101 - asked by the caller
        assert self.persons is not None  # noqa: S101
        self.groups = []
        for rows in self._rows("family_id", "region", "class", "_score"):
            classes = rows["class"].to_numpy().astype(np.intp)
            found, regions = np.flatnonzero(self.eligible[classes]), _whole(rows["region"])
            areas = [self.plan.places.area(region) for region in regions.dictionary.to_pylist()]
            area, score = regions.indices.to_numpy()[found], rows["_score"].to_numpy()[found]
            self.groups.append(
                _Candidates(found.astype(np.int32), areas, area.astype(np.int16), _narrow(score))
            )
            columns = [
                rows["family_id"].to_numpy()[found],
                pa.DictionaryArray.from_arrays(area, pa.array(areas, pa.string())),
                score,
                self.persons[classes[found]].astype(np.int64),
            ]
            yield pa.table(columns, schema=engines.CANDIDATES)

    def write(self, target: Path, cutoffs: Mapping[str, Cutoff]) -> totals.Counted:
        """Write the decisions; returns what they come to."""
        if cutoffs and not self.groups:
            for _ in self.candidates():  # they were ranked before
                pass
        units = np.zeros(len(self.eligible), np.int64)
        shown = [(name, column.type) for name, column in self.columns.items()]
        schema = pa.schema([*((name, pa.int64()) for name in engines.IDS), *shown])
        with engines.decisions_writer(target, schema) as writer:
            for group, rows in enumerate(self._rows("family_id", "class")):
                classes = rows["class"].to_numpy().astype(np.intp)
                if cutoffs:
                    late = self.groups[group].late(rows["family_id"].to_numpy(), cutoffs)
                    classes[late] = len(self.eligible) - 1  # the class of who waits
                units += np.bincount(classes, minlength=len(units))
                arrays = [rows["family_id"]] * 2 + [column.of(classes) for column in self.columns.values()]
                writer.write_table(pa.Table.from_arrays(arrays, schema=writer.schema))
        return totals.counted(
            self.plan, units, {name: column.values for name, column in self.columns.items()}
        )

    def _rows(self, *columns: str) -> Iterator[pa.Table]:
        """The families, a group of rows at a time."""
        with pq.ParquetFile(self.families, read_dictionary=["region"]) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns, use_threads=False)


@dataclass(frozen=True)
class _Candidates:
    """Those of a group of rows."""

    found: npt.NDArray[np.int32]  # where in the group each stands
    areas: Sequence[str]
    area: npt.NDArray[np.int16]  # of each, its place in `areas`
    score: npt.NDArray[Any]

    def late(self, units: npt.NDArray[np.int64], cutoffs: Mapping[str, Cutoff]) -> npt.NDArray[np.int32]:
        """Where those beyond the cut-off of their area stand, in a group of these units."""
        last = [cutoffs[area] for area in self.areas]
        closed = np.array([cutoff.closed for cutoff in last])[self.area]
        last_score, last_unit = (
            np.array([INTEGER_MOST + 1 if value is None else value for value in values])[self.area]
            for values in ([cutoff.score for cutoff in last], [cutoff.unit_id for cutoff in last])
        )
        tied = (self.score == last_score) & (units[self.found] > last_unit)
        late: npt.NDArray[np.bool_] = closed | (self.score > last_score) | tied
        return self.found[late]


def _narrow(numbers: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """The same whole numbers in as few bytes as they need."""
    bounds = int(numbers.min(initial=0)), int(numbers.max(initial=0))
    kind = np.result_type(*map(np.min_scalar_type, bounds))
    return numbers.astype(kind if kind.kind != "f" else np.int64)  # a float holds no large number exactly


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column of a group of rows: nothing is copied where it is in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


class _Column:
    """A column of the classes, given to families in the same memory again and again.

    Its values are kept in as few bytes as they need, so that they stay near the processor.
    """

    def __init__(self, like: pa.Array, *rooms: npt.NDArray[np.int64]) -> None:
        self.type, self.rooms = like.type, rooms
        self.dictionary = like.dictionary if pa.types.is_dictionary(like.type) else None
        self._parts: list[npt.NDArray[Any]] = []

    def add(self, values: pa.Array) -> None:
        """The values of more classes, none below 0."""
        known = (values if self.dictionary is None else values.indices).to_numpy()
        self._parts.append(_narrow(known))

    @cached_property
    def values(self) -> npt.NDArray[Any]:
        """Of every class."""
        values, self._parts = np.concatenate(self._parts), []
        return values

    def of(self, classes: Numbers) -> pa.Array:
        """The values of families, until the next are asked for."""
        wide = self.type if self.dictionary is None else self.type.index_type
        narrow, found = (
            room.view(type_)[: len(classes)]
            for room, type_ in zip(self.rooms, (self.values.dtype, wide.to_pandas_dtype()), strict=True)
        )
        np.take(self.values, classes, out=narrow, mode="clip")  # the quickest: every class is there
        found[:] = narrow
        array = pa.array(found)
        return array if self.dictionary is None else pa.DictionaryArray.from_arrays(array, self.dictionary)
