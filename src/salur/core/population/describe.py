"""What a population looks like, in figures: gaps, stale rows, distributions, ages, deciles, regencies.

Totals of the whole population for those who made it: small groups are not protected here, so nothing of this
may be published as it is.
"""

from __future__ import annotations

from typing import Any

import duckdb

from salur.core.population.catalogue import Catalogue, Fact
from salur.core.population.layout import AS_OF, Population

Report = dict[str, Any]
VALUES_MOST = 24  # distinct integers that are still listed one by one


def describe(population: Population, catalogue: Catalogue) -> Report:
    """A report ready for JSON: id, reference_date, rows, facts, members, ages, regencies. Shares are 0 to 1.

    A fact is unknown where it is NULL (also in families not found), stale where its date is older than the
    catalogue allows on the reference date.
    """
    with duckdb.connect() as db:
        db.execute("SET threads = 2; SET memory_limit = '1GB'")
        for kind in ("families", "persons"):
            paths = [str(getattr(population, kind)(province)) for province in population.provinces]
            db.read_parquet(paths, hive_partitioning=False).create_view(kind)
        facts = [catalogue.facts[name] for name in catalogue.facts if name in population.facts]
        return {
            "id": population.id,
            "reference_date": population.reference_date.isoformat(),
            "rows": dict(population.rows),
            "families": _families(db),
            "facts": {fact.name: _fact(db, population, fact) for fact in facts},
            "ages": _ages(db, population),
            "regencies": _regencies(db),
            "generator": population.generator,
        }


def _families(db: duckdb.DuckDBPyConnection) -> Report:
    found, known = db.sql(
        "SELECT count(*) FILTER (WHERE found), count(*) FILTER (WHERE members_known) FROM families"
    ).fetchall()[0]
    persons = db.sql("SELECT count(*) FROM persons").fetchall()[0][0]
    return {"found": found, "members_known": known, "members_mean": persons / known if known else None}


def _fact(db: duckdb.DuckDBPyConnection, population: Population, fact: Fact) -> Report:
    table = "families" if fact.unit == "family" else "persons"
    rows, known = db.sql(f'SELECT count(*), count("{fact.name}") FROM {table}').fetchall()[0]
    report: Report = {
        "unit": fact.unit,
        "source": population.facts[fact.name].source,
        "unknown": 1 - known / rows if rows else None,
    }
    if fact.stale_after_days is not None and fact.name in population.as_of_columns:
        stale = db.execute(
            f'SELECT count(*) FROM {table} WHERE "{fact.name}" IS NOT NULL AND "{fact.name}{AS_OF}" < ?::DATE - ?',
            [population.reference_date, fact.stale_after_days],
        ).fetchall()[0][0]
        report["stale"] = stale / known if known else 0.0
    column = f'"{fact.name}"'
    if fact.type == "date":
        least, most = db.sql(
            f"SELECT min({column})::VARCHAR, max({column})::VARCHAR FROM {table}"
        ).fetchall()[0]
        return report | {"least": least, "most": most}
    if fact.type == "integer":
        distinct, least, mean, most = db.sql(
            f"SELECT approx_count_distinct({column}), min({column}), avg({column}), max({column}) FROM {table}"
        ).fetchall()[0]
        if distinct > VALUES_MOST:
            return report | {"least": least, "mean": mean, "most": most}
    report["values"] = _values(db, table, fact.name, known)
    return report


def _values(db: duckdb.DuckDBPyConnection, table: str, name: str, known: int) -> dict[str, float]:
    counts = db.sql(
        f'SELECT CAST("{name}" AS VARCHAR), count(*) FROM {table} WHERE "{name}" IS NOT NULL '
        f'GROUP BY "{name}" ORDER BY "{name}"'
    ).fetchall()
    return {value: n / known for value, n in counts}


def _ages(db: duckdb.DuckDBPyConnection, population: Population) -> list[Report]:
    """Persons by five years of age and sex, where both are known; the last group is 75 and over."""
    if not {"birth_date", "sex"} <= population.facts.keys():
        return []
    groups = db.execute(
        """SELECT least(datesub('year', birth_date, ?::DATE) // 5, 15) AS five,
            count(*) FILTER (WHERE sex = 'male'), count(*) FILTER (WHERE sex = 'female')
        FROM persons WHERE birth_date IS NOT NULL AND sex IS NOT NULL GROUP BY five ORDER BY five""",
        [population.reference_date],
    ).fetchall()
    return [{"from": int(five) * 5, "men": men, "women": women} for five, men, women in groups]


def _regencies(db: duckdb.DuckDBPyConnection) -> dict[str, Report]:
    persons = dict(db.sql("SELECT region, count(*) FROM persons GROUP BY region").fetchall())
    families = db.sql("SELECT region, count(*) FROM families GROUP BY region ORDER BY region").fetchall()
    return {region: {"families": n, "persons": persons.get(region, 0)} for region, n in families}
