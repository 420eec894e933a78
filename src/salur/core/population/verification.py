"""Reads every row of a population and says what is wrong with it, in flat memory at any size.

Three passes over each province: a hash of the bytes; one DuckDB query per file for what a row alone can show
(empty cells, values outside the catalogue); and a walk through the ids for what rows show together (order,
duplicates, persons without a family). Duplicates are looked for in the whole population only where the id
ranges of two regions overlap.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from salur.core.faults import Fault
from salur.core.population.catalogue import MEMBERS_MOST, Catalogue, Fact
from salur.core.population.layout import AS_OF, Population, file_entry

FAULTS_MOST = 20  # per file; the rest is counted
DISTINCT_MOST = 100_000  # texts looked at one by one; a file with more of them is looked at row by row
DUPLICATE_ROWS = 20_000_000  # ids looked at together when duplicates are sought: about 1 GB
_UNREADABLE = (duckdb.Error, pa.ArrowException, OSError)
_ID = {"families": "family_id", "persons": "person_id"}
_KEYS = {"families": ("family_id",), "persons": ("family_id", "person_id")}

OUT_OF_ORDER = (
    "{id} {unit} stands after a greater one; rows must be ordered by region, then family_id, then person_id."
)
TWICE = "{id} {unit} is there twice; keep one of the rows."

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Check:
    """`bad` is SQL that is true on a bad row; `column` holds the value to show.

    `good`, for text: the same as Python over the distinct values of `looks_at`, which takes a tenth of the time.
    """

    column: str
    bad: str
    template: str
    expected: str | Fault = ""
    looks_at: tuple[str, ...] = ()
    good: Callable[..., bool] | None = None


@dataclass(frozen=True)
class _Range:
    """The ids of one region in one file."""

    path: Path
    region: int
    least: int
    most: int


class _Findings:
    """At most FAULTS_MOST faults of one file, and how many more there were."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self.more = 0

    def add(self, template: str, row: int = 0, /, **values: object) -> None:
        if len(self.faults) < FAULTS_MOST:
            self.faults.append(Fault.of(template, **values).at(self.path, row))
        else:
            self.more += 1

    def result(self) -> list[Fault]:
        rest = [Fault.of("And {n} more faults.", n=self.more).at(self.path)] if self.more else []
        return self.faults + rest


def verify(
    population: Population,
    catalogue: Catalogue,
    *,
    provinces: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Fault]:
    """Every fault of the rows of a population (or of some provinces), at most 20 a file; [] if it is sound.

    A fault's line is the row of the file, counted from 1. `progress` is told each file as it begins.
    """
    chosen = population.provinces if provinces is None else tuple(provinces)
    findings: dict[Path, _Findings] = {}
    ranges: dict[str, list[_Range]] = {"families": [], "persons": []}
    ordered = {"families": True, "persons": True}
    with duckdb.connect() as db:
        db.execute("SET threads = 2; SET memory_limit = '1GB'; SET preserve_insertion_order = false")
        for province in chosen:
            for kind in ("families", "persons", "truth"):
                name = f"{kind}/{province}.parquet"
                if name not in population.files:
                    continue
                if progress:
                    progress(name)
                path = population.path / name
                found = findings[path] = _Findings(path)
                try:
                    if file_entry(path) != population.files[name]:
                        found.add("The bytes differ from the manifest's SHA-256: the file was changed.")
                    if kind != "truth":
                        facts = [catalogue.facts[n] for n in population.facts]
                        _check_rows(db, path, _checks(kind, province, facts, population.as_of_columns), found)
                        sound, walked = _walk(path, kind, found)
                        ordered[kind] &= sound
                        ranges[kind] += walked
                except _UNREADABLE as error:
                    why = str(error).splitlines()[0].rstrip(".")
                    found.add("The rows cannot be read: {why}. Make or fetch the file again.", why=why)
            families, persons = population.families(province), population.persons(province)
            try:
                regions = sorted({r.region for r in ranges["persons"] if r.path == persons})
                _check_membership(db, families, persons, regions, findings[persons])
            except _UNREADABLE:
                continue  # already told above
        for kind in ("families", "persons"):
            if not ordered[kind] or _overlap(ranges[kind]):
                try:
                    _check_duplicates(db, kind, sorted({r.path for r in ranges[kind]}), findings)
                except _UNREADABLE:
                    continue
    faults = [fault for found in findings.values() for fault in found.result()]
    return faults + (_strays(population) if provinces is None else [])


def _strays(population: Population) -> list[Fault]:
    wanted = {population.path / name for name in population.files}
    return [
        Fault.of("The file is not in the manifest; remove it.").at(path)
        for kind in ("families", "persons", "truth")
        for path in sorted((population.path / kind).glob("*"))
        if path not in wanted
    ]


# ---- what a row alone can show ---------------------------------------------------------------------------


def _checks(kind: str, province: str, facts: Sequence[Fact], as_of: frozenset[str]) -> Iterator[_Check]:
    never_null = ("family_id", "region", *(
        ("found", "members_known") if kind == "families" else ("person_id",)
    ))  # fmt: skip
    for column in never_null:
        yield _Check(column, f"{column} IS NULL", "{id} {unit}: {column} is empty; it must never be.")
    yield _Check(
        "region",
        f"NOT regexp_matches(region, '^{province}[.][0-9][0-9]$')",
        "{id} {unit}: the region {value} does not belong in this file; expected {expected}.",
        f"a regency code {province}.nn",
        ("region",),
        lambda region: region is None or bool(re.fullmatch(province + "[.][0-9]{2}", region)),
    )
    if kind == "families":
        yield _Check(
            "village",
            "NOT starts_with(village, region || '.')",
            "{id} {unit}: the village {value} is not in the family's region; expected {expected}.",
            "a code that begins with the region's, or nothing",
            ("region", "village"),
            lambda region, village: None in (region, village) or village.startswith(f"{region}."),
        )
    for fact in facts:
        if fact.unit != {"families": "family", "persons": "person"}[kind]:
            continue
        outside = ""
        if fact.type == "integer":
            outside = f'"{fact.name}" NOT BETWEEN {fact.least} AND {fact.most}'
        elif fact.type == "category":
            values = ", ".join(f"'{value}'" for value in fact.values)
            outside = f'"{fact.name}" NOT IN ({values})'
        if outside:
            yield _Check(
                fact.name,
                outside,
                "{id} {unit}: {column} is {value}; expected {expected}. Correct it or leave it empty.",
                fact.expected,
                (fact.name,) if fact.type == "category" else (),
                frozenset((*fact.values, None)).__contains__ if fact.type == "category" else None,
            )
        if fact.name in as_of:
            yield _Check(
                fact.name + AS_OF,
                f'"{fact.name}" IS NOT NULL AND "{fact.name}{AS_OF}" IS NULL',
                "{id} {unit}: {column} is empty beside a known fact; give the date.",
            )


def _check_rows(
    db: duckdb.DuckDBPyConnection, path: Path, checks: Iterator[_Check], found: _Findings
) -> None:
    """One scan counts the bad rows of every check; only then are the first of them fetched."""
    listed = [check for check in checks if not _plainly_good(db, path, check)]
    counts = db.execute(
        "SELECT " + ", ".join(f"count(*) FILTER (WHERE {check.bad})" for check in listed)
        + " FROM read_parquet(?, hive_partitioning = false)",
        [str(path)],
    ).fetchall()[0]  # fmt: skip
    id_ = _ID[path.parent.name]
    for check, n in zip(listed, counts, strict=True):
        if n == 0:
            continue
        rows = db.execute(
            f'SELECT file_row_number, {id_}, CAST("{check.column}" AS VARCHAR) '
            f"FROM read_parquet(?, hive_partitioning = false, file_row_number = true) WHERE {check.bad} "
            f"ORDER BY file_row_number LIMIT {FAULTS_MOST}",
            [str(path)],
        ).fetchall()
        for row, unit, value in rows:
            found.add(
                check.template, row + 1,
                id=id_, unit=unit, column=check.column, value=value, expected=check.expected,
            )  # fmt: skip
        found.more += n - len(rows)


def _plainly_good(db: duckdb.DuckDBPyConnection, path: Path, check: _Check) -> bool:
    if check.good is None:
        return False
    columns = ", ".join(f'"{name}"' for name in check.looks_at)
    found = db.execute(
        f"SELECT DISTINCT {columns} FROM read_parquet(?, hive_partitioning = false) LIMIT {DISTINCT_MOST}",
        [str(path)],
    ).fetchall()
    return len(found) < DISTINCT_MOST and all(check.good(*values) for values in found)


# ---- what rows show together -----------------------------------------------------------------------------


def _walk(path: Path, kind: str, found: _Findings) -> tuple[bool, list[_Range]]:
    """Walk the ids in the order of the file: is it sorted, does an id repeat, which ids has each region."""
    ranges: dict[int, tuple[int, int]] = {}
    sound = True
    row = 0
    last: list[Ints] = []
    with pq.ParquetFile(path) as parquet:
        for batch in parquet.iter_batches(1 << 17, columns=["region", *_KEYS[kind]]):
            columns = [_region_numbers(batch.column("region"))]
            columns += [pc.fill_null(batch.column(n), 0).to_numpy(zero_copy_only=False) for n in _KEYS[kind]]
            ids = columns[-1]
            joined = [np.concatenate(pair) for pair in zip(last, columns, strict=True)] if last else columns
            before, same = np.zeros(len(joined[0]) - 1, bool), np.ones(len(joined[0]) - 1, bool)
            for column in joined:
                before |= same & (column[1:] < column[:-1])
                same &= column[1:] == column[:-1]
            first = row - (1 if last else 0)
            sound &= not before.any()
            for wrong, template in ((before, OUT_OF_ORDER), (same, TWICE)):
                for i in np.flatnonzero(wrong)[:FAULTS_MOST]:
                    found.add(template, int(first + i + 2), id=_ID[kind], unit=int(joined[-1][i + 1]))
                found.more += max(0, int(wrong.sum()) - FAULTS_MOST)
            for region in np.unique(columns[0]):
                mine = ids[columns[0] == region]
                least, most = ranges.get(int(region), (int(mine[0]), int(mine[0])))
                ranges[int(region)] = min(least, int(mine.min())), max(most, int(mine.max()))
            last = [column[-1:] for column in columns]
            row += len(ids)
    return sound, [_Range(path, region, *bounds) for region, bounds in sorted(ranges.items())]


def _region_numbers(column: pa.Array) -> Ints:
    """Region codes as numbers that sort as the codes do: "35.10" becomes 3510; what is no code, -1."""
    encoded = column.dictionary_encode() if not pa.types.is_dictionary(column.type) else column
    codes = [c.replace(".", "") if c else "" for c in encoded.dictionary.to_pylist()]
    numbers = np.array([int(c) if c.isascii() and c.isdigit() else -1 for c in [*codes, ""]], np.int64)
    indices = pc.fill_null(encoded.indices, len(codes)).to_numpy(zero_copy_only=False)
    codes_in_order: Ints = numbers[indices]
    return codes_in_order


def _check_membership(
    db: duckdb.DuckDBPyConnection, families: Path, persons: Path, regions: Sequence[int], found: _Findings
) -> None:
    """Every person's family is there, in the same region, and no family has more members than 64."""
    for number in regions:
        region = f"{number // 100:02}.{number % 100:02}"
        orphans = db.execute(
            f"""SELECT file_row_number, person_id, family_id, count(*) OVER ()
            FROM read_parquet(?, hive_partitioning = false, file_row_number = true) AS person
            WHERE region = ? AND NOT EXISTS (
                SELECT 1 FROM read_parquet(?, hive_partitioning = false) AS f
                WHERE f.region = ? AND f.family_id = person.family_id)
            ORDER BY 1 LIMIT {FAULTS_MOST}""",
            [str(persons), region, str(families), region],
        ).fetchall()
        for row, person, family, _ in orphans:
            found.add(
                "person_id {person} belongs to the family {family}, which is not in region {region}; "
                "add the family or remove the person.",
                row + 1, person=person, family=family, region=region,
            )  # fmt: skip
        found.more += orphans[0][3] - len(orphans) if orphans else 0
        crowded = db.execute(
            """SELECT family_id, count(*) FROM read_parquet(?, hive_partitioning = false) WHERE region = ?
            GROUP BY family_id HAVING count(*) > ? ORDER BY 1 LIMIT 1000""",
            [str(persons), region, MEMBERS_MOST],
        ).fetchall()
        for family, n in crowded:
            found.add(
                "The family {family} has {n} members; at most {most} are read.",
                family=family, n=n, most=MEMBERS_MOST,
            )  # fmt: skip


def _overlap(ranges: list[_Range]) -> bool:
    ordered = sorted(ranges, key=lambda r: r.least)
    return any(after.least <= before.most for before, after in pairwise(ordered))


def _check_duplicates(
    db: duckdb.DuckDBPyConnection, kind: str, paths: list[Path], findings: dict[Path, _Findings]
) -> None:
    """The slow way: count every id of the population, some at a time; told in the last file that has it."""
    id_ = _ID[kind]
    rows = sum(pq.read_metadata(path).num_rows for path in paths)
    parts = max(1, -(-rows // DUPLICATE_ROWS))
    for part in range(parts):
        twice = db.execute(
            f"""SELECT {id_}, count(*), list(DISTINCT filename ORDER BY filename)
            FROM read_parquet(?, hive_partitioning = false, filename = true) WHERE {id_} % {parts} = {part}
            GROUP BY {id_} HAVING count(*) > 1 ORDER BY 1 LIMIT 1000""",
            [[str(path) for path in paths]],
        ).fetchall()
        for unit, n, files in twice:
            found = findings[Path(files[-1])]
            if not any(f.values.get("unit") == unit and f.template == TWICE for f in found.faults):
                found.add(
                    "{id} {unit} is in the population {n} times ({files}); keep one of the rows.",
                    id=id_, unit=unit, n=n, files=", ".join(Path(file).name for file in files),
                )  # fmt: skip
