"""What is looked at before a simulation begins: can these be compared, in this folder, and where."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb

from salur.core.faults import InputError
from salur.core.population.layout import Population, canonical, plain_name, write_whole
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet
from salur.core.rules.simulate.kept import LOCK
from salur.core.rules.simulate.options import Options


def comparable(new: Plan, old: Plan | None, population: Population, poor: int) -> None:
    if not 1 <= poor <= 10:
        raise InputError.of("Who is poor must be a decile from 1 to 10, not {poor}.", poor=poor)
    for plan in (new, old):
        for fact in plan.facts if plan is not None else ():
            if fact.name not in population.facts:
                raise InputError.at(
                    population.path,
                    "The population has no column {name}, which the rulebook {id} reads.",
                    name=fact.name,
                    id=new.rulebook.id,
                )
    if old is None:
        return
    book, before = new.rulebook, old.rulebook
    if book.id != before.id:
        raise InputError.at(
            book.path,
            "This is the programme {new} and the other is {old}: compare two rulebooks of one programme.",
            new=book.id,
            old=before.id,
        )
    if book.unit != before.unit:
        raise InputError.at(book.path, "One rulebook decides families and the other persons: their units cannot be "
                            "compared.")  # fmt: skip
    if new.on != old.on:
        raise InputError.at(book.path, "Both rulebooks must be planned for the same day, not {new} and {old}.",
                            new=new.on, old=old.on)  # fmt: skip


def outside(work: Path, population: Population) -> None:
    """The folder of a run has a plain name and does not lie in the population."""
    plain_name(work)
    if work.resolve().is_relative_to(population.path.resolve()):
        raise InputError.at(work, "A simulation does not belong inside the population; give another folder.")


def run_of(new: Plan, old: Plan | None, population: Population, options: Options) -> bytes:
    """What settles the numbers of a run."""
    regencies = None if options.regencies is None else sorted(options.regencies)
    return canonical({
        "format": 1, "population": population.id, "new": _version(new), "old": old and _version(old),
        "regencies": regencies, "sample": options.sample, "poor": options.poor,
        "truth": truth_seen(options.truth, population),
    })  # fmt: skip


def _version(plan: Plan) -> list[str]:
    """What settles the decisions of a plan."""
    return [plan.rulebook.sha256, plan.rulebook.catalogue.sha256, plan.on.isoformat()]


def truth_seen(truth: Path | None, population: Population) -> list[list[object]] | None:
    """The truth as it lies there: another one makes another run."""
    if truth is None:
        return None
    files = [truth / f"{province}.parquet" for province in population.provinces]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.exists()]


def refuse_others(work: Path, raw: bytes) -> None:
    """Refuse a folder that holds something else."""
    there = {path.name for path in work.iterdir()} if work.exists() else set()
    try:
        held = (work / "run.json").read_bytes()
    except FileNotFoundError:
        if there - {LOCK, "run.json.part"}:
            raise InputError.at(
                work, "The folder is not empty and holds no simulation; give another folder."
            ) from None
        return
    if held != raw:
        raise InputError.at(work, "The folder holds a simulation of something else; give another folder.")


def begin(work: Path, raw: bytes) -> None:
    """Make the folder ready; nobody else is at it."""
    refuse_others(work, raw)
    write_whole(work / "run.json", raw)
    (work / "cells").mkdir(exist_ok=True)
    shutil.rmtree(work / "spill", ignore_errors=True)


def chosen(population: Population, regencies: Sequence[str] | None) -> dict[str, dict[str, int]]:
    """The families of each regency that is compared, by province. A code of a province stands for its regencies."""
    wanted = None if regencies is None else set(regencies)
    found: dict[str, dict[str, int]] = {}
    seen: set[str] = set()
    with closing(duckdb.connect()) as connection:
        for province in population.provinces:
            if wanted is not None and not any(code[:2] == province for code in wanted):
                continue
            rows = connection.execute(
                "SELECT region, count(*) FROM "
                f"{parquet(population.families(province))} GROUP BY region ORDER BY region"
            ).fetchall()
            mine = {
                region: families
                for region, families in rows
                if wanted is None or region in wanted or province in wanted
            }
            seen |= {*mine, *([province] if mine else [])}
            if mine:
                found[province] = mine
    if nobody := sorted((wanted or set()) - seen):
        raise InputError.at(population.path, "The population has no family in {regencies}.",
                            regencies=", ".join(nobody[:10]))  # fmt: skip
    if not found:
        raise InputError.at(population.path, "The population has no family.")
    return found
