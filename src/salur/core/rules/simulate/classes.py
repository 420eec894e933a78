"""Families that no rulebook of a pair can tell apart, put into classes: a class is decided once, not each family.

What two rulebooks read of a family is little: some facts, and the sums over its members (`family_facts`). A million
families fall into some hundred thousand classes. For each province the cache keeps what the classes are, and for each
family its class beside its attributes; a change that asks nothing new of members finds them there, and so does each
step of a sweep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from salur.core.population.layout import Population
from salur.core.rules import engines, family_facts, sql
from salur.core.rules.engines import copy
from salur.core.rules.plan import Plan
from salur.core.rules.rows import quoted
from salur.core.rules.simulate.attributes import Attributes, is_whole

SHARE = 4  # families in a class on average, at least: with fewer it does not pay,
FEW = 1_000_000  # unless the classes are no more than this, which fit in memory
_FIXED = ("found", "members_known")


@dataclass(frozen=True)
class Input:
    """What one rulebook reads of a family: columns of the classes, and which of them are sums over members."""

    plan: Plan
    prefix: str  # of its sums; the same where both rulebooks ask the same of members
    words: tuple[str, ...]

    def source(self, rows: str) -> sql.Source:
        """The classes of a table as families, for `sql.statement`; stale values are unknown already."""
        facts = [f'"{fact.name}"' for fact in self.plan.facts if not fact.personal]
        words = [f"{self.prefix}{word} AS _{word}" for word in self.words]
        shown = ", ".join(["class AS family_id", "'' AS region", *_FIXED, *facts, *words])
        on = {fact.name: self.plan.on for fact in self.plan.facts}
        return sql.Source(f"(SELECT {shown} FROM {rows})", "persons", on, frozenset(), bool(self.words))


class Classes:
    """The classes of a pair of rulebooks in a population."""

    def __init__(
        self, plans: list[Plan], population: Population, attributes: Attributes, facts: Path
    ) -> None:
        self.population, self.attributes, self.facts = population, attributes, facts / "family-facts"
        self.inputs: list[Input] = []
        self.sums: dict[
            Path, tuple[str, Plan, tuple[str, ...]]
        ] = {}  # by folder: the prefix, and who asks for it
        for plan in plans:
            summed = sql.sums(plan, engines.source(population, "families", "persons"))
            words = summed[1] if summed else ()
            own = family_facts.where(plan, population, self.facts)
            prefix = f"w{len(self.sums)}_"
            if words:
                prefix = self.sums.setdefault(own, (prefix, plan, words))[0]
            self.inputs.append(Input(plan, prefix, words))
        seed = f"{attributes.folder.name}\n{self._read('PROVINCE', Path(), {own: own for own in self.sums})}"
        self.folder = facts / "classes" / hashlib.sha256(seed.encode()).hexdigest()[:32]

    def files(self, province: str, connection: duckdb.DuckDBPyConnection) -> tuple[Path, Path] | None:
        """What the classes of a province are, and (region, packed, true_decile, class) of each family. None: there are
        too many classes."""
        known, families = (self.folder / f"{province}{ending}.parquet" for ending in ("-classes", ""))
        rows = self.population.files[f"families/{province}.parquet"].rows
        if not is_whole(known) or not is_whole(families, rows):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make(province, connection, known, families)
        return None if pq.read_metadata(known).num_rows > max(rows // SHARE, FEW) else (known, families)

    def _make(
        self, province: str, connection: duckdb.DuckDBPyConnection, known: Path, families: Path
    ) -> None:
        sums = {
            own: family_facts.prepare(plan, self.population, province, self.facts, connection)
            for own, (_, plan, _) in self.sums.items()
        }
        attributes = self.attributes.file(province, connection)
        text = self._read(province, attributes, {own: path for own, path in sums.items() if path is not None})
        rows = self.population.files[f"families/{province}.parquet"].rows
        names = self._columns()
        part, other = known.with_suffix(".part"), families.with_suffix(".part")
        listed = ", ".join(names)
        copy(
            connection,
            f"SELECT row_number() OVER () AS class, {listed} FROM (SELECT DISTINCT {listed} FROM ({text})) "
            f"LIMIT {max(rows // SHARE, FEW) + 1}",
            part,
        )
        same = " AND ".join(f"c.{name} IS NOT DISTINCT FROM f.{name}" for name in names)
        copy(
            connection,
            "SELECT f.region, f.packed, f.true_decile, COALESCE(c.class, 0) AS class "
            f"FROM ({text}) f LEFT JOIN read_parquet({quoted(part)}) c ON {same}",
            other,
        )
        other.replace(families)
        part.replace(known)

    def _columns(self) -> list[str]:
        facts = {fact.name: None for each in self.inputs for fact in each.plan.facts if not fact.personal}
        words = [f"{prefix}{word}" for prefix, _, words in self.sums.values() for word in words]
        return [*_FIXED, *(f'"{name}"' for name in facts), *words]

    def _read(self, province: str, attributes: Path, sums: dict[Path, Path]) -> str:
        """SQL: the families of a province with what both rulebooks read of them, and their attributes.

        All files have a row for each family in the same order.
        """
        shown = ["f.region", "f.packed", "f.true_decile", *(f"f.{name}" for name in _FIXED)]
        source = engines.source(self.population, "families", "persons")
        facts: dict[str, None] = {}
        for each in self.inputs:
            read = sql.facts_of_families(each.plan, source)
            facts |= dict.fromkeys(f'{value} AS "{name}"' for name, value in read.items())
        rows = f"SELECT * FROM read_parquet({quoted(self.population.families(province))})"
        rows += f" POSITIONAL JOIN (SELECT packed, true_decile FROM read_parquet({quoted(attributes)}))"
        for own, path in sums.items():
            prefix, _, words = self.sums[own]
            named = ", ".join(f"_{word} AS {prefix}{word}" for word in words)
            rows += f" POSITIONAL JOIN (SELECT {named} FROM read_parquet({quoted(path)}))"
            shown += [f"f.{prefix}{word}" for word in words]
        return f"SELECT {', '.join([*shown, *facts])} FROM ({rows}) f"
