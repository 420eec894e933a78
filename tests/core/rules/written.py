"""Writes cases as a population folder, so that a test can decide the same families one by one and in batch."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import FactSource, Population, columns_of, open_population, write_manifest
from salur.core.rules.cases import Case, Held


def write_population(
    path: Path, catalogue: Catalogue, cases: Sequence[Case], on: date, as_of: dict[str, date] | None = None
) -> Population:
    """A population of these cases. A fact that is Held in some case gets its `__as_of` column."""
    held = {
        name
        for case in cases
        for facts in (case.facts, *(member.facts for member in case.members))
        for name, value in facts.items()
        if isinstance(value, Held) and value.as_of is not None
    }
    for kind in ("families", "persons"):
        (path / kind).mkdir(parents=True)
    dates = {name: (as_of or {}).get(name, on) for name in held}
    provinces = sorted({case.region[:2] for case in cases})
    for province in provinces:
        mine = sorted((c for c in cases if c.region[:2] == province), key=lambda c: (c.region, c.family_id))
        families = [
            {"family_id": c.family_id, "region": c.region, "village": None, "found": c.found,
             "members_known": c.members_known, **_columns(c.facts, dates)}
            for c in mine
        ]  # fmt: skip
        persons = [
            {
                "person_id": m.person_id,
                "family_id": c.family_id,
                "region": c.region,
                **_columns(m.facts, dates),
            }
            for c in mine
            for m in sorted(c.members, key=lambda m: m.person_id)
        ]
        for kind, rows in (("families", families), ("persons", persons)):
            schema = pa.schema(list(columns_of(kind, catalogue.facts, frozenset(held)).items()))
            pq.write_table(pa.Table.from_pylist(rows, schema=schema), path / kind / f"{province}.parquet")
    given = as_of or {}
    sources = {f.name: FactSource(f.register.id, given.get(f.name, on)) for f in catalogue.facts.values()}
    write_manifest(path, reference_date=on, facts=sources)
    return open_population(path, catalogue)


def _columns(facts: Any, dates: dict[str, date]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in facts.items():
        plain, as_of = (value.value, value.as_of) if isinstance(value, Held) else (value, None)
        row[name] = plain
        if name in dates:
            row[f"{name}__as_of"] = None if plain is None else as_of or dates[name]
    return row
