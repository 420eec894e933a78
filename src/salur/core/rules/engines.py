"""Engines that decide a slice of a population: DuckDB, SQLite, PostgreSQL, Spark, and Python case by case.

The databases and Spark run the same SQL text (`sql.statement`); Python runs the evaluator. All give the same
decisions: a test compares a million families. DuckDB reads and writes the Parquet files for every engine.
"""

from __future__ import annotations

import errno
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import InputError
from salur.core.population.layout import Population, parquet_writer
from salur.core.rules import sql
from salur.core.rules.evaluate import Evaluator
from salur.core.rules.plan import Plan
from salur.core.rules.rows import cases, parquet, quoted

NAMES = ("duckdb", "sqlite", "postgres", "spark", "python")
MEMORY_MOST = "1GB"
CANDIDATES_AT_ONCE = 2_000_000  # of which places are sorted in memory: some 150 MB
FAMILIES_AT_ONCE = (
    1_000_000  # of which rows are grouped, joined and sorted together: memory does not grow beyond
)
GROUP = 122_880  # rows in a row group
IDS = ("unit_id", "family_id")
NEAR = (
    *IDS,
    "score",
    "_score",
    "rank",
    "place",
    "used",
)  # numbers that are near their neighbours, or never twice
COUNT = "n_"  # before the name of a component: the column of its count
BATCH = 20_000
# Ranks within an area: the n-th, and how many places are taken with this unit.
RANKS = """SELECT unit_id, area, score,
 CAST(ROW_NUMBER() OVER (PARTITION BY area ORDER BY score, unit_id) AS BIGINT) AS place,
 CAST(SUM(persons) OVER (PARTITION BY area ORDER BY score, unit_id ROWS UNBOUNDED PRECEDING) AS BIGINT) AS used
 FROM {candidates} c"""


def _of_units(*columns: str) -> pa.Schema:
    area = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([(name, area if name == "area" else pa.int64()) for name in columns])


CANDIDATES = _of_units("unit_id", "area", "score", "persons")
RANKED = _of_units("unit_id", "area", "score", "place", "used")


class Engine(Protocol):
    """Decides one province, and ranks the candidates of all."""

    name: str
    connection: duckdb.DuckDBPyConnection  # reads and writes the Parquet files, whatever the engine

    def decide(
        self, plan: Plan, population: Population, province: str, shown: Sequence[str], target: Path
    ) -> None:
        """Write a row for every unit of a province, in the order of the population.

        shown: SQL made of the columns `sql.columns(plan)`; without a quota those of finished decisions.
        """

    def ranked(self, candidates: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        """CANDIDATES of some areas as RANKED, by area and place."""

    def close(self) -> None:
        """Give back connections."""


def engine(name: str, work: Path, postgres_url: str | None = None, master: str | None = None) -> Engine:
    """The engine of a name. `work` is a folder for what does not fit in memory."""
    if name == "duckdb":
        return DuckDB(work)
    if name == "sqlite":
        return SQLite(work)
    if name == "python":
        return Python(work)
    if name == "spark":
        from salur.core.rules.spark import LOCAL, Spark

        return Spark(work, master or LOCAL)
    if name == "postgres":
        if not postgres_url:
            raise InputError.of(
                "The engine postgres needs SALUR_POSTGRES_URL, like postgresql://user@host/name."
            )
        return Postgres(work, postgres_url)
    raise InputError.of("There is no engine {name}; there are {all}.", name=name, all=", ".join(NAMES))


def connect(work: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB that spills into `work` instead of growing.

    It never answers from the statistics of a file instead of reading it, nor reads a large province once for each of
    several ranges of its families (family facts of 17 million cost 53 CPU seconds so, and 20 without), and draws no bar
    into what we print.
    """
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY_MOST,
            "temp_directory": str(work / "spill"),
            "disabled_optimizers": "statistics_propagation,partitioned_execution",
        }
    )
    for name in ("enable_progress_bar", "enable_external_file_cache"):
        connection.execute(f"SET {name} = false").fetchall()
    return connection


def count_column(component: str) -> str:
    """The column of a component's count."""
    return f"{COUNT}{component}"


def copy(
    connection: duckdb.DuckDBPyConnection,
    queries: str | Sequence[str],
    target: Path,
    *,
    decisions: bool = False,
    writer: Callable[[Path, pa.Schema], pq.ParquetWriter] | None = None,
) -> None:
    """Write the rows of queries, one after the other, to a Parquet file. `decisions`: as `decisions_writer` does.

    The queries order their rows. The same rows give the same bytes, however many queries and threads gave them.
    """
    texts = [queries] if isinstance(queries, str) else queries
    batches = _batches(connection, texts)
    schema = next(batches).schema
    make = decisions_writer if decisions else writer or partial(parquet_writer, ascending=NEAR)
    with make(target, schema) as file:
        for group in _groups(batches, schema):
            file.write_table(pa.Table.from_arrays(group.columns, schema=file.schema), row_group_size=GROUP)


def decisions_writer(target: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of finished decisions, whose bytes repeat: no column has a NULL, and only ids are looked for.

    Writing is the greatest part of deciding. Counts, nearly all of them 0, are written quickest as they are.
    """
    counts = [name for name in schema.names if name.startswith(COUNT)]
    return pq.ParquetWriter(
        target,
        pa.schema([field.with_nullable(False) for field in schema]),
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name not in {*IDS, *counts}],
        column_encoding=dict.fromkeys(IDS, "DELTA_BINARY_PACKED"),
        write_statistics=list(IDS),
        store_schema=False,
    )


def _batches(connection: duckdb.DuckDBPyConnection, texts: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """The rows of queries as they come, after an empty batch that tells the columns."""
    for text in texts:
        with connection.sql(text).to_arrow_reader(GROUP) as reader:
            yield pa.RecordBatch.from_pylist([], reader.schema)
            yield from reader


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of GROUP rows, the last of the rest."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= GROUP:
            table = pa.Table.from_batches(waiting, schema)
            yield table.slice(0, GROUP).combine_chunks()
            waiting = table.slice(GROUP).to_batches()
            rows -= GROUP
    if rows:
        yield pa.Table.from_batches(waiting, schema).combine_chunks()


def source(
    population: Population, families: str, persons: str, *, family_facts: Path | None = None
) -> sql.Source:
    """Where the rows of a population are, for `sql.statement`; family facts (DuckDB only) in place of persons."""
    as_of = {name: held.as_of for name, held in population.facts.items()}
    if family_facts is not None:  # a row for each family, in the same order
        families = f"(SELECT * FROM {families} POSITIONAL JOIN {parquet(family_facts)})"
    return sql.Source(families, persons, as_of, population.as_of_columns, family_facts is not None)


def ranges(
    connection: duckdb.DuckDBPyConnection, population: Population, province: str
) -> list[tuple[str, str]]:
    """The first and last regency of each slice of a province, of about FAMILIES_AT_ONCE families, in their order.

    At least one slice, also of a province without families.
    """
    found: list[tuple[str, str]] = []
    together = FAMILIES_AT_ONCE
    for region, families in connection.execute(
        f"SELECT region, count(*) FROM {tables(population, province)[0]} GROUP BY region ORDER BY region"
    ).fetchall():
        if together + families > FAMILIES_AT_ONCE:
            found.append((region, region))
            together = 0
        together += families
        found[-1] = (found[-1][0], region)
    return found or [("", "")]


def slices(connection: duckdb.DuckDBPyConnection, population: Population, province: str) -> list[sql.Source]:
    """The rows of a province in slices of whole regencies, of about FAMILIES_AT_ONCE families, in their order."""
    files = tables(population, province)
    if population.files[f"families/{province}.parquet"].rows <= FAMILIES_AT_ONCE:
        return [source(population, *files)]
    return [
        source(
            population,
            *(f"(SELECT * FROM {file} WHERE region BETWEEN '{first}' AND '{last}')" for file in files),
        )
        for first, last in ranges(connection, population, province)
    ]


def tables(population: Population, province: str) -> tuple[str, str]:
    """Families and persons of a province, for DuckDB."""
    families, persons = (parquet(path) for path in _files(population, province))
    return families, persons


@contextmanager
def sentences(out: Path) -> Iterator[None]:
    """What an engine or the operating system says of an input or a full disk, as a sentence."""
    try:
        yield
    except (RuntimeError, duckdb.InterruptException) as error:
        if "interrupted" in str(error).lower():  # how DuckDB tells of Ctrl-C
            raise KeyboardInterrupt from None
        raise
    except (duckdb.Error, pa.ArrowException, sqlite3.OperationalError, OSError) as error:
        text = str(error)
        if "INTERRUPT Error" in text:  # the same, through Arrow
            raise KeyboardInterrupt from None
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) or any(
            words in text
            for words in ("No space left", "File too large", "Disk quota", "could not write", "disk is full")
        ):
            raise InputError.at(
                out, "The disk is full. What is finished is kept: make room and run the same command again."
            ) from None
        if not isinstance(error, OSError):
            raise InputError.at(out, "The files cannot be read or written: {why}.",
                                why=text.strip().splitlines()[0].rstrip(".")) from error  # fmt: skip
        raise InputError.at(out, "The files cannot be read or written: {why}.",
                            why=error.strerror or text) from error  # fmt: skip


class DuckDB:
    """Reads and writes Parquet directly; the default."""

    name = "duckdb"

    def __init__(self, work: Path) -> None:
        self.work = work
        self.connection = connect(work)

    def decide(
        self,
        plan: Plan,
        population: Population,
        province: str,
        shown: Sequence[str],
        target: Path,
        family_facts: Path | None = None,
    ) -> None:
        if family_facts is None:
            sources = slices(self.connection, population, province)
        else:
            sources = [source(population, *tables(population, province), family_facts=family_facts)]
        # Rows of families and of their facts stand side by side: nothing takes them out of their order.
        texts = [sql.statement(plan, each, sql.DUCKDB, ordered=family_facts is None) for each in sources]
        queries = [f"SELECT {', '.join(shown)} FROM ({text})" for text in texts]
        copy(self.connection, queries, target, decisions=plan.places is None)

    def ranked(self, candidates: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        """Sorted here where they fit in memory, else by the database, which spills."""
        left, tables, rows = iter(candidates), [CANDIDATES.empty_table()], 0
        while rows <= CANDIDATES_AT_ONCE and (table := next(left, None)) is not None:
            tables.append(table)
            rows += table.num_rows
        if rows <= CANDIDATES_AT_ONCE:
            yield from _placed(_in_order(pa.concat_tables(tables)))
            if rows > 4 * GROUP:
                pa.default_memory_pool().release_unused()  # what comes next needs it
        else:
            yield from through_files(self._sort, chain(tables, left), self.work)

    def _sort(self, candidates: Path, target: Path) -> None:
        query = f"SELECT * FROM {parquet(candidates)} ORDER BY area, score, unit_id"
        cursor = self.connection.cursor()
        with cursor.sql(query).to_arrow_reader(GROUP) as rows, parquet_writer(target, RANKED, NEAR) as writer:
            for batch in _placed(with_areas(batch) for batch in rows):
                writer.write_batch(batch)

    def close(self) -> None:
        self.connection.close()


def through_files(
    rank: Callable[[Path, Path], None], candidates: Iterable[pa.Table], work: Path
) -> Iterator[pa.RecordBatch]:
    """What is ranked by reading CANDIDATES from a file and writing RANKED to another."""
    file, target = work / "candidates.parquet", work / "ranked.parquet"
    with pq.ParquetWriter(file, CANDIDATES, compression="none", use_dictionary=["area"]) as writer:
        for table in candidates:
            writer.write_table(table)
    rank(file, target)
    file.unlink()
    with pq.ParquetFile(target, read_dictionary=["area"]) as ranked:
        yield from ranked.iter_batches(GROUP)
    target.unlink()


def with_areas(candidates: pa.RecordBatch) -> pa.RecordBatch:
    """CANDIDATES, of rows in which each area stands as a text."""
    unit, area, score, persons = candidates.columns
    return pa.record_batch([unit, area.dictionary_encode(), score, persons], schema=CANDIDATES)


def runs(areas: pa.DictionaryArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Neighbours of the same area: the area of each run and where it begins."""
    codes, names = areas.indices.to_numpy(), areas.dictionary.to_pylist()
    begins = np.flatnonzero(np.diff(codes, prepend=-1))
    return [names[code] for code in codes[begins]], begins


def _in_order(candidates: pa.Table) -> Iterator[pa.RecordBatch]:
    """CANDIDATES by area, score and unit. Arrow's own sorting takes longer, and long to import."""
    unit, score, persons = (candidates[name].to_numpy() for name in ("unit_id", "score", "persons"))
    areas = candidates.unify_dictionaries()["area"].combine_chunks()
    names, codes = np.unique(np.array(areas.dictionary.to_pylist(), str), return_inverse=True)
    area = codes[areas.indices.to_numpy()].astype(np.int32)
    order, shown = np.lexsort((unit, score, area.astype(np.int16))), pa.array(names.tolist(), pa.string())
    for first in range(0, len(order), GROUP):
        rows = order[first : first + GROUP]
        own = pa.DictionaryArray.from_arrays(area[rows], shown)
        yield pa.record_batch([unit[rows], own, score[rows], persons[rows]], schema=CANDIDATES)


def _placed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """What RANKS says, in one pass over candidates by area, score and unit; windows would sort them twice."""
    last, place_before, used_before = None, 0, 0
    for batch in batches:
        areas, begins = runs(batch["area"])
        sizes = np.diff(begins, append=batch.num_rows)
        persons = batch["persons"].to_numpy()
        used = np.cumsum(persons)
        used -= np.repeat(used[begins] - persons[begins], sizes)
        place = np.arange(1, batch.num_rows + 1) - np.repeat(begins, sizes)
        if areas[:1] == [last]:  # the area goes on
            place[: sizes[0]] += place_before
            used[: sizes[0]] += used_before
        last, place_before, used_before = areas[-1], place[-1], used[-1]
        columns = [batch["unit_id"], batch["area"], batch["score"], pa.array(place), pa.array(used)]
        yield pa.RecordBatch.from_arrays(columns, schema=RANKED)


class _Rows(ABC):
    """An engine whose rows come to Python: they are written in the order of the population."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.connection = connect(work)

    def write(
        self,
        rows: Iterable[tuple[Any, ...]],
        schema: Mapping[str, pa.DataType],
        query: str,
        target: Path,
        *,
        decisions: bool = False,
    ) -> None:
        loose = target.with_suffix(".loose")
        arrow = pa.schema(list(schema.items()))
        stream = iter(rows)
        with pq.ParquetWriter(loose, arrow) as writer:
            while batch := list(islice(stream, BATCH)):
                columns = [list(column) for column in zip(*batch, strict=True)]
                writer.write_batch(pa.record_batch(columns, schema=arrow))
        copy(self.connection, query.format(rows=parquet(loose)), target, decisions=decisions)
        loose.unlink()

    def read(self, path: Path, columns: str = "*") -> Iterator[tuple[Any, ...]]:
        cursor = self.connection.cursor().execute(f"SELECT {columns} FROM {parquet(path)}")
        while batch := cursor.fetchmany(BATCH):
            yield from batch

    def write_decisions(
        self, rows: Iterable[tuple[Any, ...]], plan: Plan, shown: Sequence[str], target: Path
    ) -> None:
        text = {"region", "outcome"}
        schema = {name: pa.string() if name in text else pa.int64() for name in sql.columns(plan)}
        query = f"SELECT {', '.join(shown)} FROM {{rows}} ORDER BY {sql.order(plan)}"
        self.write(rows, schema, query, target, decisions=plan.places is None)

    def ranked(self, candidates: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
        return through_files(self.rank, candidates, self.work)

    @abstractmethod
    def rank(self, candidates: Path, target: Path) -> None:
        """Write RANKED of a file of CANDIDATES, by area and place."""

    def write_ranks(self, rows: Iterable[tuple[Any, ...]], target: Path) -> None:
        self.write(
            rows,
            dict(zip(RANKED.names, RANKED.types, strict=True)),
            "SELECT * FROM {rows} ORDER BY area, place",
            target,
        )

    def close(self) -> None:
        self.connection.close()


class _BitOr:
    """The aggregate that SQLite lacks."""

    def __init__(self) -> None:
        self.bits = 0

    def step(self, bits: int) -> None:
        self.bits |= bits

    def finalize(self) -> int:
        return self.bits


class SQLite(_Rows):
    """The same SQL on SQLite, loaded from Parquet into a file that is thrown away."""

    name = "sqlite"
    dialect = sql.SQLITE

    def decide(
        self, plan: Plan, population: Population, province: str, shown: Sequence[str], target: Path
    ) -> None:
        file = self.work / "slice.sqlite"
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.create_aggregate("BIT_OR", 1, _BitOr)
            database.execute("PRAGMA journal_mode = OFF")
            database.execute("PRAGMA synchronous = OFF")
            for table, path in zip(("families", "persons"), _files(population, province), strict=True):
                columns = needed(plan, population, table)
                database.execute(f"CREATE TABLE {table} ({', '.join(self._declared(columns))})")
                marks = ", ".join("?" * len(columns))
                values = ", ".join(
                    f'CAST("{name}" AS VARCHAR)' if type_ == "DATE" else f'"{name}"'
                    for name, type_ in columns.items()
                )
                database.execute("BEGIN")
                database.executemany(f"INSERT INTO {table} VALUES ({marks})", self.read(path, values))
                database.execute("COMMIT")
            text = sql.statement(plan, source(population, "families", "persons"), self.dialect)
            rows = database.execute(f"SELECT {', '.join(sql.columns(plan))} FROM ({text})")
            self.write_decisions(rows, plan, shown, target)
        file.unlink()

    def rank(self, candidates: Path, target: Path) -> None:
        with closing(sqlite3.connect("", isolation_level=None)) as database:
            database.execute(
                "CREATE TABLE candidates (unit_id BIGINT, area TEXT, score BIGINT, persons BIGINT)"
            )
            database.execute("BEGIN")
            database.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?)", self.read(candidates))
            database.execute("COMMIT")
            self.write_ranks(database.execute(RANKS.format(candidates="candidates")), target)

    def _declared(self, columns: Mapping[str, str]) -> list[str]:
        types = {"DATE": "TEXT", "VARCHAR": "TEXT"}
        return [f'"{name}" {types.get(type_, type_)}' for name, type_ in columns.items()]


class Postgres(_Rows):
    """The same SQL on PostgreSQL, loaded from Parquet into temporary tables."""

    name = "postgres"
    dialect = sql.POSTGRES

    def __init__(self, work: Path, url: str) -> None:
        super().__init__(work)
        try:
            import psycopg
        except ImportError:
            raise InputError.of("The engine postgres needs psycopg: pip install 'salur[postgres]'.") from None
        try:
            self.database = psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError as error:
            why = str(error).strip().splitlines()[-1] if str(error).strip() else "no answer"
            raise InputError.of("PostgreSQL cannot be reached: {why}.", why=why) from None

    def decide(
        self, plan: Plan, population: Population, province: str, shown: Sequence[str], target: Path
    ) -> None:
        with self.told(), self.database.transaction(force_rollback=True):
            for table, path in zip(("families", "persons"), _files(population, province), strict=True):
                self.load(table, needed(plan, population, table), path)
            text = sql.statement(plan, source(population, "families", "persons"), self.dialect)
            rows = self.stream(f"SELECT {', '.join(sql.columns(plan))} FROM ({text}) d")
            self.write_decisions(rows, plan, shown, target)

    def rank(self, candidates: Path, target: Path) -> None:
        columns = {"unit_id": "BIGINT", "area": "VARCHAR", "score": "BIGINT", "persons": "BIGINT"}
        with self.told(), self.database.transaction(force_rollback=True):
            self.load("candidates", columns, candidates)
            self.write_ranks(self.stream(RANKS.format(candidates="candidates")), target)

    @contextmanager
    def told(self) -> Iterator[None]:
        """What the server refuses or cannot do (a lost connection, a full disk, no right), as a sentence."""
        import psycopg

        try:
            yield
        except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
            raise InputError.of("PostgreSQL cannot go on: {why}. Run the same command again when it can.",
                                why=str(error).strip().splitlines()[0].rstrip(".")) from error  # fmt: skip

    def close(self) -> None:
        self.database.close()
        super().close()

    def stream(self, text: str) -> Iterator[tuple[Any, ...]]:
        with self.database.cursor(name="decisions") as cursor:
            cursor.itersize = BATCH
            yield from cursor.execute(text.encode())

    def load(self, table: str, columns: Mapping[str, str], path: Path) -> None:
        declared = ", ".join(f'"{name}" {type_}' for name, type_ in columns.items())
        file = self.work / f"{table}.csv"
        names = ", ".join(f'"{name}"' for name in columns)
        self.connection.execute(
            f"COPY (SELECT {names} FROM {parquet(path)}) TO {quoted(file)} (FORMAT csv, HEADER false)"
        ).fetchall()
        with self.database.cursor() as cursor:
            cursor.execute(f"CREATE TEMP TABLE {table} ({declared}) ON COMMIT DROP".encode())
            with (
                cursor.copy(f"COPY {table} FROM STDIN (FORMAT csv)".encode()) as into,
                file.open("rb") as stream,
            ):
                while block := stream.read(1 << 20):
                    into.write(block)
            cursor.execute(f"ANALYZE {table}".encode())
        file.unlink()


class Python(_Rows):
    """Every case one by one, as the citizen's page decides it."""

    name = "python"

    def decide(
        self, plan: Plan, population: Population, province: str, shown: Sequence[str], target: Path
    ) -> None:
        evaluator = Evaluator(plan)

        def rows() -> Iterator[tuple[Any, ...]]:
            for case in cases(population, plan.rulebook.catalogue, province, plan.on):
                who = [member.person_id for member in case.members] if evaluator.person else [None]
                for person_id in who:
                    d = evaluator.decide(case, person_id)
                    rank = (d.score, d.persons) if plan.places else ()
                    yield (d.unit_id, d.family_id, case.region, d.outcome, d.failed, d.unknown, d.amount,
                           d.amount_most, *d.counts, *rank)  # fmt: skip

        self.write_decisions(rows(), plan, shown, target)

    def rank(self, candidates: Path, target: Path) -> None:
        def rows() -> Iterator[tuple[Any, ...]]:
            area, place, used = None, 0, 0
            for unit_id, own_area, score, persons in sorted(
                self.read(candidates), key=lambda r: (r[1], r[2], r[0])
            ):
                if own_area != area:
                    area, place, used = own_area, 0, 0
                place, used = place + 1, used + persons
                yield unit_id, area, score, place, used

        self.write_ranks(rows(), target)


def needed(plan: Plan, population: Population, table: str) -> dict[str, str]:
    """The columns that a plan reads from a table, with their SQL types."""
    columns = {"family_id": "BIGINT"}
    columns |= (
        {"person_id": "BIGINT"} if table == "persons"
        else {"region": "VARCHAR", "found": "BOOLEAN", "members_known": "BOOLEAN"}
    )  # fmt: skip
    for fact in plan.facts:
        if fact.personal is (table == "persons"):
            columns[fact.name] = sql.POSTGRES.types[fact.type]
            if fact.name in population.as_of_columns:
                columns[f"{fact.name}__as_of"] = "DATE"
    return columns


def _files(population: Population, province: str) -> tuple[Path, Path]:
    return population.families(province), population.persons(province)
