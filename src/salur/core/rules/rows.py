"""The cases of a population, one family after the other, as a case file would give them.

A fact whose date is the reference date is a plain value; another carries its `as_of`. Rows stream from Parquet,
so memory does not grow with the population. `cases` gives them as objects; `texts` gives their canonical texts, which
DuckDB writes many times quicker (a test compares the two).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from salur.core.population.catalogue import Catalogue, Fact
from salur.core.population.layout import Population
from salur.core.rules.cases import Case, Facts, Held, Member

BATCH = 20_000
SLICE = 20_000  # families whose texts are in memory at once


def cases(population: Population, catalogue: Catalogue, province: str, on: date) -> Iterator[Case]:
    """Every family of a province with its members, in the order of the files."""
    family = _Columns(population, catalogue.of("family"), on)
    person = _Columns(population, catalogue.of("person"), on)
    families = _read(
        population.families(province), ["family_id", "region", "found", "members_known", *family.names]
    )
    persons = _read(population.persons(province), ["person_id", "family_id", *person.names])
    nobody = (None, None)
    waiting: Any = next(persons, nobody)
    for row in families:
        members = []
        while waiting[1] == row[0]:
            members.append(Member(waiting[0], person.facts(waiting[2:])))
            waiting = next(persons, nobody)
        yield Case(row[0], row[1], row[2], family.facts(row[4:]), tuple(members), row[3])


class _Columns:
    """Which columns hold which fact, and how old it is."""

    def __init__(self, population: Population, facts: tuple[Fact, ...], on: date) -> None:
        self.names: list[str] = []
        self.fixed: list[tuple[str, int, date | None, str | None, int]] = []
        for fact in facts:
            held = population.facts.get(fact.name)
            if held is None:
                continue
            position = len(self.names)
            self.names.append(fact.name)
            dated = -1
            if fact.name in population.as_of_columns:
                dated = len(self.names)
                self.names.append(f"{fact.name}__as_of")
            as_of = None if held.as_of == on else held.as_of
            source = None if held.source == fact.register.id else held.source
            self.fixed.append((fact.name, position, as_of, source, dated))
        self.on = on
        self.types = {fact.name: fact.type for fact in facts}

    def facts(self, row: tuple[Any, ...]) -> Facts:
        facts: dict[str, Any] = {}
        for name, position, as_of, source, dated in self.fixed:
            value = row[position]
            if value is None:
                continue
            if dated >= 0 and row[dated] is not None:
                as_of = None if row[dated] == self.on else row[dated]
            facts[name] = value if as_of is None and source is None else Held(value, source, as_of)
        return facts

    def text(self, row: str, more: dict[str, str]) -> str:
        """SQL for the facts of a row as the inside of a JSON object: keys sorted, unknown facts left out."""
        parts = {name: f"""concat('"{name}":', {value})""" for name, value in more.items()}
        for name, _, as_of, source, dated in self.fixed:
            value = _json(self.types[name], f'{row}."{name}"')
            day = "''" if as_of is None else f"""'"as_of":"{as_of}",'"""
            origin = "''" if source is None else quoted(f'"source":{json.dumps(source, ensure_ascii=False)},')
            if dated >= 0:
                own = f'{row}."{name}__as_of"'
                day = (
                    f"CASE WHEN {own} IS NULL THEN {day} WHEN {own} = DATE '{self.on}' THEN '' "
                    f"""ELSE concat('"as_of":"', {own}, '",') END"""
                )
            held = f"""concat('{{', {day}, {origin}, '"value":', {value}, '}}')"""
            if source is None and dated >= 0:
                value = f"CASE WHEN ({day}) = '' THEN {value} ELSE {held} END"
            elif source is not None or as_of is not None:
                value = held
            parts[name] = f"""CASE WHEN {row}."{name}" IS NOT NULL THEN concat('"{name}":', {value}) END"""
        return f"concat_ws(',', {', '.join(parts[name] for name in sorted(parts))})" if parts else "''"


def texts(
    population: Population,
    catalogue: Catalogue,
    province: str,
    on: date,
    *,
    regions: Collection[str] | None = None,
    beside: Sequence[str] = (),
) -> Iterator[tuple[Any, ...]]:
    """(family_id, region, canonical text of the case, *columns of the family named by `beside`), in the same order.

    `regions`: only these regencies.
    """
    wanted = "" if regions is None else f"AND region IN ({', '.join(map(quoted, sorted(regions)))})"
    family = _Columns(population, catalogue.of("family"), on).text("f", {})
    member = _Columns(population, catalogue.of("person"), on).text("p", {"person_id": "p.person_id"})
    shown = "".join(f', f."{name}"' for name in beside)
    families, persons = (str(path) for path in (population.families(province), population.persons(province)))
    connection = duckdb.connect(config={"threads": 1})
    for start in range(0, population.files[f"families/{province}.parquet"].rows, SLICE):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE slice AS SELECT * FROM "
            "read_parquet($families, hive_partitioning = false, file_row_number = true) "
            f"WHERE file_row_number >= {start} AND file_row_number < {start + SLICE} {wanted}",
            {"families": families},
        )
        least, most = connection.execute("SELECT min(family_id), max(family_id) FROM slice").fetchall()[0]
        if least is None:
            continue
        yield from connection.execute(
            f"""
            SELECT f.family_id, f.region,
                concat('{{"facts":{{', {family}, '}},"family_id":', f.family_id, ',"found":', f.found,
                    CASE WHEN m.texts IS NOT NULL OR f.members_known
                        THEN concat(',"members":[', m.texts, ']') ELSE '' END,
                    ',"members_known":', f.members_known, ',"region":"', f.region, '"}}'){shown}
            FROM slice f LEFT JOIN (
                SELECT p.family_id, string_agg(concat('{{', {member}, '}}'), ',' ORDER BY p.person_id) AS texts
                FROM read_parquet($persons, hive_partitioning = false) p SEMI JOIN slice s ON s.family_id = p.family_id
                WHERE p.family_id BETWEEN {least} AND {most} GROUP BY p.family_id
            ) m ON m.family_id = f.family_id
            ORDER BY f.file_row_number
            """,
            {"persons": persons},
        ).fetchall()
    connection.close()


def _json(type_: str, value: str) -> str:
    """SQL for a value as JSON; declared values of a category are plain words."""
    return (
        f"CAST({value} AS VARCHAR)" if type_ in ("boolean", "integer") else f"""concat('"', {value}, '"')"""
    )


def quoted(text: object) -> str:
    """A text or path as an SQL string."""
    return "'" + str(text).replace("'", "''") + "'"


def parquet(*files: object, numbered: bool = False) -> str:
    """The rows of files as SQL for DuckDB; numbered: with `file_row_number`. A folder named `a=b` is no column."""
    more = ", file_row_number = true" if numbered else ""
    return f"read_parquet([{', '.join(map(quoted, files))}], hive_partitioning = false{more})"


def _read(path: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    names = ", ".join(f'"{column}"' for column in columns)
    cursor = connection.execute(
        f"SELECT {names} FROM read_parquet(?, hive_partitioning = false)", [str(path)]
    )
    return chain.from_iterable(iter(lambda: cursor.fetchmany(BATCH), []))
