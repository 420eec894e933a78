"""A part of a population, as a small population of its own: for an estimate in a moment."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from salur.core.faults import InputError
from salur.core.population.layout import MANIFEST, Population, canonical, open_population, write_manifest
from salur.core.rules import engines
from salur.core.rules.decide import Progress, verified
from salur.core.rules.engines import copy
from salur.core.rules.family_facts import alone
from salur.core.rules.places import AREA
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet, quoted
from salur.core.rules.simulate.before import truth_seen
from salur.core.rules.simulate.kept import using
from salur.core.rules.simulate.options import Options

PART = "00"  # the file of a sample: families of all provinces


def in_part(n: int, of: int, family_id: str = "family_id") -> str:
    """SQL: whether a family is in the n-th of so many parts. Two steps of a multiplier scatter neighbouring ids."""
    step = f"((({family_id}) % 1000000007) * 48271 % 2147483647)"
    return f"(({step} * 69621 % 2147483647) % {of} = {n - 1})"


def sampled(
    population: Population, options: Options, folder: Path, plan: Plan, held: ExitStack
) -> Population:
    """A part of a population as a small one of its own, all in one file, kept in the cache for later runs."""
    assert options.sample is not None  # noqa: S101 - asked by the caller
    n, of = options.sample
    if not 1 <= n <= of <= 1_000_000:
        raise InputError.of("A sample is the n-th of some parts, like 1 of 100; not {n} of {of}.", n=n, of=of)
    path = folder / "samples" / _digest([population.id, n, of, truth_seen(options.truth, population)])
    held.enter_context(using(path))
    with alone(path / "making.lock"):
        if not (path / MANIFEST).exists():
            _make(population, options, path, in_part(n, of), plan)
    return open_population(path, plan.rulebook.catalogue)


def _make(population: Population, options: Options, path: Path, chosen: str, plan: Plan) -> None:
    said: Progress = options.progress or (lambda stage, province: None)
    verified(population, plan, options.checked, said)
    kinds = {"families": population.families, "persons": population.persons}
    if (truth := options.truth) is not None:
        kinds["truth"] = lambda province: truth / f"{province}.parquet"
    with closing(engines.connect(path)) as connection:
        for kind, file in kinds.items():
            (path / kind).mkdir(exist_ok=True)
            files = parquet(*map(file, population.provinces))
            rows = f"SELECT * FROM {files} WHERE {chosen}"
            copy(connection, rows, path / kind / f"{PART}.parquet")
            said("sample", kind)
    write_manifest(path, reference_date=population.reference_date, facts=population.facts)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def fewer_places(plan: Plan, times: int) -> Plan:
    """Places for a part of the candidates, rounded to the nearest."""
    if (places := plan.places) is None:
        return plan

    def part(number: int) -> int:
        return (2 * number + times) // (2 * times)

    table = None if places.table is None else {area: part(number) for area, number in places.table.items()}
    return replace(plan, places=replace(places, places=part(places.places), table=table))


def ranked(rows: str, plan: Plan) -> str:
    """SQL: decisions of whole areas, where those outside the places wait."""
    assert plan.places is not None  # noqa: S101 - asked by the caller
    area = AREA[plan.places.by]
    places = str(plan.places.places)
    if plan.places.table is not None:
        listed = " ".join(f"WHEN {quoted(code)} THEN {n}" for code, n in plan.places.table.items())
        places = f"CASE {area} {listed} ELSE 0 END"
    nothing = ", ".join(
        f"CASE WHEN waits THEN 0 ELSE {column} END AS {column}"
        for column in ("amount", *(f"c{item.index}" for item in plan.items))
    )
    window = f"PARTITION BY {area}, outcome = 'eligible' ORDER BY score, unit_id ROWS UNBOUNDED PRECEDING"
    waits = f"outcome = 'eligible' AND sum(persons) OVER ({window}) > {places}"
    return (
        "(SELECT unit_id, family_id, failed, unknown, CASE WHEN waits THEN 'waiting' ELSE outcome END AS outcome, "
        f"{nothing} FROM (SELECT *, {waits} AS waits FROM {rows}))"
    )
