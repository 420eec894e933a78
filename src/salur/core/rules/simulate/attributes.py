"""What the breakdowns need of each family, made once for a population: a row a family, in a cache.

Values as the registers hold them, also where a decision would take them for stale. The head is the member whose
relation says so (the first of several). Disability: somebody has it; nobody; or it is not known of somebody.
A file that is missing, cut off or of other rows is made again; the folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import prod
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import Population
from salur.core.rules import engines
from salur.core.rules.engines import copy
from salur.core.rules.family_facts import alone
from salur.core.rules.nodes import shift_years
from salur.core.rules.rows import parquet

UNKNOWN = 0
SIZE_MOST = 7  # and more
AGES_FROM = (0, 25, 35, 45, 60, 70)  # bands of the head's age in completed years


@dataclass(frozen=True)
class Breakdown:
    """A way to break down: the facts that it needs with their types, and how many values it has (0: unknown)."""

    name: str
    facts: Mapping[str, str]
    values: int


BREAKDOWNS = (
    Breakdown("decile", {"decile": "integer"}, 10),
    Breakdown("residence", {"urban": "boolean"}, 2),  # 1 urban, 2 rural
    Breakdown("size", {}, SIZE_MOST),
    Breakdown("head_sex", {"relation": "category", "sex": "category"}, 2),  # 1 female, 2 male
    Breakdown("head_age", {"relation": "category", "birth_date": "date"}, len(AGES_FROM)),
    Breakdown("disability", {"severe_disability": "boolean"}, 2),  # 1 somebody, 2 nobody
)

PACKED_MOST = prod(breakdown.values + 1 for breakdown in BREAKDOWNS) - 1  # the largest packed value


def missing(breakdown: Breakdown, population: Population, catalogue: Catalogue) -> list[str]:
    """The facts that a population lacks for a breakdown."""
    return [
        name
        for name, type_ in breakdown.facts.items()
        if name not in population.facts or catalogue.facts[name].type != type_
    ]


def unpacked(number: int) -> dict[str, int]:
    """The value of each breakdown from the packed column.

    >>> unpacked(0)["decile"], unpacked(1)["disability"], unpacked(3 * 7 * 3 * 8 * 3)["decile"]
    (0, 1, 1)
    """
    values = {}
    for breakdown in reversed(BREAKDOWNS):
        number, values[breakdown.name] = divmod(number, breakdown.values + 1)
    return values


class Attributes:
    """The files of one population on one day: family_id, region, packed, true_decile (0 where there is no truth)."""

    def __init__(
        self, population: Population, catalogue: Catalogue, on: date, folder: Path, truth: Path | None
    ) -> None:
        self.population, self.on, self.truth = population, on, truth
        self.possible = [b for b in BREAKDOWNS if not missing(b, population, catalogue)]
        seed = f"{population.id}\n{self._query('PROVINCE', 'families', 'persons')}\n{self._truth_seen()}"
        self.folder = folder / "attributes" / hashlib.sha256(seed.encode()).hexdigest()[:32]

    def file(self, province: str, connection: duckdb.DuckDBPyConnection) -> Path:
        """The file of a province, made where it is not there."""
        path = self.folder / f"{province}.parquet"
        rows = self.population.files[f"families/{province}.parquet"].rows
        if not is_whole(path, rows):
            self.folder.mkdir(parents=True, exist_ok=True)
            with alone(path.with_suffix(".lock")):
                if not is_whole(path, rows):  # it was not made while we waited
                    self._make(province, connection, path, rows)
        return path

    def _make(self, province: str, connection: duckdb.DuckDBPyConnection, path: Path, rows: int) -> None:
        part = path.with_suffix(".part")
        slices = engines.slices(connection, self.population, province)
        copy(connection, [self._query(province, source.families, source.persons) for source in slices], part)
        if not is_whole(part, rows):
            raise InputError.at(self.population.families(province), "A family occurs more than once here.")
        if (
            self.truth is not None
            and connection.execute(f"SELECT 1 FROM {parquet(part)} WHERE true_decile = 0 LIMIT 1").fetchall()
        ):
            raise InputError.at(
                self.truth / f"{province}.parquet",
                "This truth is not of this population: it has other families.",
            )
        part.replace(path)

    def _query(self, province: str, families: str, persons: str) -> str:
        """SQL of the rows of a province, or of a slice of it, in the order of the population."""
        can = {breakdown.name for breakdown in self.possible}
        size = "CASE WHEN f.members_known AND p.n > 0 THEN p.n END"
        if "family_size" in self.population.facts:
            size = f"COALESCE(f.family_size, {size})"
        oldest = " ".join(
            f"WHEN p.head_birth > DATE '{shift_years(self.on, -years)}' THEN {index}"
            for index, years in enumerate(AGES_FROM[1:], start=1)
        )
        values = {
            "decile": "CASE WHEN f.decile BETWEEN 1 AND 10 THEN f.decile END",
            "residence": "CASE WHEN f.urban THEN 1 WHEN NOT f.urban THEN 2 END",
            "size": f"CASE WHEN {size} > {SIZE_MOST} THEN {SIZE_MOST} ELSE {size} END",
            "head_sex": "CASE p.head_sex WHEN 'female' THEN 1 WHEN 'male' THEN 2 END",
            "head_age": f"CASE WHEN p.head_birth IS NULL THEN NULL {oldest} ELSE {len(AGES_FROM)} END",
            "disability": "CASE WHEN p.disabled THEN 1 WHEN f.members_known AND p.all_known THEN 2 END",
        }
        members = ["count(*) AS n"]
        if "head_sex" in can:
            members.append(
                "arg_min(sex, person_id) FILTER (WHERE relation = 'head' AND sex IS NOT NULL) AS head_sex"
            )
        if "head_age" in can:
            known = "relation = 'head' AND birth_date IS NOT NULL"
            members.append(f"arg_min(birth_date, person_id) FILTER (WHERE {known}) AS head_birth")
        if "disability" in can:
            members.append(
                "bool_or(severe_disability) AS disabled, bool_and(severe_disability IS NOT NULL) AS all_known"
            )
        number = "0"
        for breakdown in BREAKDOWNS:
            value = values[breakdown.name] if breakdown.name in can else "0"
            number = f"({number}) * {breakdown.values + 1} + COALESCE({value}, {UNKNOWN})"
        join, true_decile = "", "0"
        if self.truth is not None:
            file = parquet(self.truth / f"{province}.parquet")
            join = f"LEFT JOIN {file} t ON t.family_id = f.family_id"
            true_decile = "COALESCE(t.true_decile, 0)"
        return (
            f"SELECT f.family_id, f.region, CAST({number} AS INTEGER) AS packed, "
            f"CAST({true_decile} AS TINYINT) AS true_decile "
            f"FROM {families} f LEFT JOIN (SELECT family_id, {', '.join(members)} "
            f"FROM {persons} p GROUP BY family_id) p ON p.family_id = f.family_id {join} ORDER BY f.region, f.family_id"
        )

    def _truth_seen(self) -> list[tuple[str, int, int]]:
        """The files of the truth, so that another truth makes other attributes."""
        if self.truth is None:
            return []
        found = []
        for province in self.population.provinces:
            file = self.truth / f"{province}.parquet"
            try:
                status = file.stat()
                rows = pq.read_metadata(file).num_rows
                names = pq.read_schema(file).names
            except (OSError, pa.ArrowException):
                raise InputError.at(file, "There is no truth of this province that can be read.") from None
            if not {"family_id", "true_decile"} <= set(names):
                raise InputError.at(file, "The truth needs the columns family_id and true_decile.")
            if rows != self.population.files[f"families/{province}.parquet"].rows:
                raise InputError.at(file, "This truth is not of this population: it has other families.")
            found.append((province, status.st_size, status.st_mtime_ns))
        return found


def is_whole(path: Path, rows: int | None = None) -> bool:
    """Whether a file of the cache can be read and has so many rows."""
    try:
        found = int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException):
        return False
    return rows is None or found == rows
