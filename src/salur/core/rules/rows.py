"""The cases of a population, one family after the other, as a case file would give them.

A fact whose date is the reference date is a plain value; another carries its `as_of`. Rows stream from Parquet,
so memory does not grow with the population.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb

from salur.core.population.catalogue import Catalogue, Fact
from salur.core.population.layout import Population
from salur.core.rules.cases import Case, Facts, Held, Member

BATCH = 20_000


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


def _read(path: Path, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    names = ", ".join(f'"{column}"' for column in columns)
    cursor = connection.execute(f"SELECT {names} FROM read_parquet(?)", [str(path)])
    return chain.from_iterable(iter(lambda: cursor.fetchmany(BATCH), []))
