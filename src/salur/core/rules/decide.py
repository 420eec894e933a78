"""A whole population decided, province by province, into a folder of decisions.

    manifest.json                  what was decided from what, the cut-offs of the quota, totals, file hashes
    decisions/<province>.parquet   a row a unit: outcome, masks, money, a count per component
    ranks.parquet                  where there is a quota: each candidate's place in its area
    rulebook.toml facts.toml       what it was decided by
    population.path                where the population was: a convenience, not part of the record

A province is written whole or not at all, so a run that was killed goes on where it stopped and ends in the
same bytes. `work/` and `run.json` are there only until the run has ended.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from salur.core.faults import Fault as Wrong
from salur.core.faults import InputError
from salur.core.population.layout import (
    MANIFEST_BYTES_MOST,
    Population,
    canonical,
    file_entry,
    plain_name,
    verify,
    write_whole,
)
from salur.core.rules import engines, sql
from salur.core.rules.engines import Engine, copy, sentences
from salur.core.rules.evaluate import NOT_FOUND, OUTCOMES, Cutoff
from salur.core.rules.family_facts import prepare
from salur.core.rules.plan import Plan
from salur.core.rules.rows import quoted
from salur.core.rules.rulebook import ID

FIXED = ("unit_id", "family_id", "outcome", "failed", "unknown", "amount", "amount_most")
Progress = Callable[[str, str], None]  # (stage, province) when it is done


@dataclass(frozen=True)
class Decisions:
    """A finished folder of decisions."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def id(self) -> str:
        """SHA-256 of the canonical manifest."""
        return hashlib.sha256(canonical(self.manifest)).hexdigest()

    @property
    def provinces(self) -> list[str]:
        return sorted(self.manifest["rows"])

    def file(self, province: str) -> Path:
        return self.path / "decisions" / f"{province}.parquet"

    @property
    def ranks(self) -> Path:
        return self.path / "ranks.parquet"

    @property
    def cutoffs(self) -> dict[str, Cutoff]:
        """Where the places of each area ended."""
        return {
            area: Cutoff(c["score"], c["unit_id"], c["closed"])
            for area, c in self.manifest["cutoffs"].items()
        }


def count_column(component: str) -> str:
    """The column of a component's count."""
    return f"n_{component}"


def open_decisions(path: Path) -> Decisions:
    """Open a finished folder of decisions. Raises InputError if it is none, is not finished, or was changed."""
    plain_name(path)
    file = path / "manifest.json"
    try:
        if file.stat().st_size > MANIFEST_BYTES_MOST:
            raise InputError.at(file, "The manifest is larger than {most} bytes.", most=MANIFEST_BYTES_MOST)
        manifest = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        if (path / "run.json").exists():
            raise InputError.at(path, "The decisions are not finished; run the same decide again.") from None
        raise InputError.at(path, "There are no decisions in this folder.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError.at(file, "The manifest cannot be read: {why}.", why=error) from None
    if not _is_manifest(manifest):
        raise InputError.at(file, "This is not the manifest of decisions, or it was changed.")
    for name, entry in manifest["files"].items():
        if not (path / name).is_file() or (path / name).stat().st_size != entry["bytes"]:
            raise InputError.at(path / name, "The file is missing or was changed; decide again.")
    return Decisions(path, manifest)


def _is_manifest(data: Any) -> bool:
    """Whether everything that is later read from a manifest, or put into SQL or a path, is what it must be."""
    match data:
        case {
            "format": 1, "programme": str(programme), "rulebook": str(rulebook), "facts": str(facts),
            "population": str(population), "reference_date": str(day), "components": list(components),
            "criteria": list(criteria), "rows": dict(rows), "cutoffs": dict(cutoffs), "files": dict(files),
            "totals": dict(),
        }:  # fmt: skip
            names = [programme, *components, *criteria]
            return (
                all(isinstance(name, str) and ID.fullmatch(name) for name in names)
                and all(re.fullmatch("[0-9a-f]{64}", digest) for digest in (rulebook, facts, population))
                and re.fullmatch(r"\d{4}-\d\d-\d\d", day) is not None
                and all(re.fullmatch("[0-9]{2}", province) and type(n) is int for province, n in rows.items())
                and set(files) <= {f"decisions/{province}.parquet" for province in rows} | {"ranks.parquet"}
                and {f"decisions/{province}.parquet" for province in rows} <= set(files)
                and all(
                    isinstance(entry, dict) and type(entry.get("bytes")) is int for entry in files.values()
                )
                and all(_is_cutoff(area, cutoff) for area, cutoff in cutoffs.items())
            )
    return False


def _is_cutoff(area: str, cutoff: Any) -> bool:
    if not re.fullmatch(r"([0-9]{2}([.][0-9]{2})?)?", area) or not isinstance(cutoff, dict):
        return False
    ends = (cutoff.get("score"), cutoff.get("unit_id"))
    return isinstance(cutoff.get("closed"), bool) and all(end is None or type(end) is int for end in ends)


def decide(
    plan: Plan,
    population: Population,
    out: Path,
    *,
    engine: str = "duckdb",
    postgres_url: str | None = None,
    master: str | None = None,
    progress: Progress | None = None,
    checked: Path | None = None,
    family_facts: Path | None = None,
) -> Decisions:
    """Decide every unit of a population into the folder `out`; goes on where an earlier run stopped.

    master: where Spark runs, like spark://HOST:PORT; None: on this machine.
    checked: a folder that remembers which populations were verified, so that it is done once; None: every time.
    family_facts: a folder that keeps what is summed over members (`family_facts.prepare`), for DuckDB; the decisions
    are the same without.
    Raises InputError for an input that cannot be decided, a folder of another run, or a full disk.
    """
    said = progress or (lambda stage, province: None)
    _needs(plan, population)
    plain_name(out)
    if out.resolve().is_relative_to(population.path.resolve()):
        raise InputError.at(out, "Decisions do not belong inside the population; give another --out.")
    with sentences(out):
        run = {
            "format": 1, "programme": plan.rulebook.id, "rulebook": plan.rulebook.sha256,
            "facts": plan.rulebook.catalogue.sha256, "population": population.id,
            "reference_date": plan.on.isoformat(), "engine": engine, "version": 1,
        }  # fmt: skip
        if (done := _resume(out, run)) is not None:
            return done
        verified(population, plan, checked, said)
        work = out / "work"
        for folder in (work, out / "decisions"):
            folder.mkdir(parents=True, exist_ok=True)
        with closing(engines.engine(engine, work, postgres_url, master)) as worker:
            for province in population.provinces:
                _province(plan, population, province, out, worker, family_facts)
                said("decide", province)
            cutoffs = {} if plan.places is None else _places(plan, population, out, worker)
            if plan.places is not None:
                for province in population.provinces:
                    _with_places(plan, province, out, cutoffs, worker)
                    said("places", province)
            return _finish(plan, population, out, run, cutoffs, worker)


# ---- before ------------------------------------------------------------------------------------------------


def _needs(plan: Plan, population: Population) -> None:
    missing = [fact.name for fact in plan.facts if fact.name not in population.facts]
    if missing:
        raise InputError(
            Wrong.of("The population has no column {name}, which the rulebook {id} reads.",
                     name=name, id=plan.rulebook.id).at(population.path)
            for name in missing
        )  # fmt: skip


def _resume(out: Path, run: dict[str, Any]) -> Decisions | None:
    """Finished decisions of the same run; or None after making the folder ready to go on."""
    mark = out / "run.json"
    if (out / "manifest.json").exists():
        done = open_decisions(out)
        same = {key: done.manifest.get(key) for key in run if key != "engine"}
        if same == {key: value for key, value in run.items() if key != "engine"}:
            _tidy(out)
            return done
        raise InputError.at(out, "The folder holds decisions of something else; give another --out.")
    raw = canonical(run)
    if mark.exists():
        if mark.read_bytes() != raw:
            raise InputError.at(
                out, "The folder holds an unfinished run of something else; give another --out."
            )
    else:
        if out.exists() and any(path.name != "run.json.part" for path in out.iterdir()):
            raise InputError.at(out, "The folder is not empty and holds no decisions; give another --out.")
        out.mkdir(parents=True, exist_ok=True)
        write_whole(mark, raw)
    shutil.rmtree(out / "work" / "spill", ignore_errors=True)
    return None


def verified(population: Population, plan: Plan, checked: Path | None, said: Progress) -> None:
    """Read every row once per population: a decision must not rest on a damaged file."""
    seen: dict[str, Any] = {}
    for province in population.provinces:
        for file in (population.families(province), population.persons(province)):
            status = file.stat()
            seen[f"{file.parent.name}/{file.name}"] = [status.st_size, status.st_mtime_ns]
    raw = canonical({"files": seen, "facts": plan.rulebook.catalogue.sha256})
    mark = checked / population.id if checked is not None else None
    if mark is not None and mark.exists() and mark.read_bytes() == raw:
        return
    faults = verify(population, plan.rulebook.catalogue, progress=lambda province: said("check", province))
    if faults:
        raise InputError(faults)
    if mark is not None:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_whole(mark, raw)


# ---- a province --------------------------------------------------------------------------------------------


def _province(
    plan: Plan, population: Population, province: str, out: Path, worker: Engine, family_facts: Path | None
) -> None:
    """The decisions of a province before places are given, into work/ (or in place where there is no quota)."""
    final = out / "decisions" / f"{province}.parquet"
    decided = out / "work" / f"{province}.parquet"
    if final.exists() or decided.exists():
        return
    part = out / "work" / f"{province}.part"
    columns = sql.columns(plan) if plan.places is not None else _shown(plan, "")
    if family_facts is not None and isinstance(worker, engines.DuckDB):
        facts = prepare(plan, population, province, family_facts, worker.connection)
        worker.decide(plan, population, province, columns, part, facts)
    else:
        worker.decide(plan, population, province, columns, part)
    part.replace(final if plan.places is None else decided)


def _shown(plan: Plan, waits: str) -> list[str]:
    """The columns of the final file, with the units that wait. `waits`: the SQL condition, empty for nobody."""
    zero = dict.fromkeys(("amount", "amount_most", *(f"c{item.index}" for item in plan.items)), "0")
    shown = []
    names = {f"c{item.index}": count_column(item.id) for item in plan.items}
    for column in (*FIXED, *names):
        value = "'waiting'" if column == "outcome" else zero.get(column)
        expression = (
            column if value is None or not waits else f"CASE WHEN {waits} THEN {value} ELSE {column} END"
        )
        if column == "outcome":
            expression = f"CAST({expression} AS ENUM ({', '.join(map(repr, OUTCOMES))}))"
        shown.append(f'{expression} AS "{names.get(column, column)}"')
    return shown


def _final(plan: Plan, decided: Path, final: Path, waits: str, worker: Engine) -> None:
    """The final file from the decisions before places were given."""
    part = final.with_suffix(".part")
    rows = f"read_parquet({quoted(decided)})"
    if waits:
        rows = f"(SELECT *, {waits} AS waits FROM {rows})"
    query = f"SELECT {', '.join(_shown(plan, 'waits' if waits else ''))} FROM {rows}"
    copy(worker.connection, query, part)
    part.replace(final)


# ---- places ------------------------------------------------------------------------------------------------


def _places(plan: Plan, population: Population, out: Path, worker: Engine) -> dict[str, Any]:
    """Rank the candidates of every area; returns where the places ended."""
    places = plan.places
    assert places is not None  # noqa: S101 - asked by the caller
    known = out / "work" / "cutoffs.json"
    if known.exists() and (out / "ranks.parquet").exists():
        return json.loads(known.read_bytes())  # type: ignore[no-any-return]
    work = out / "work"
    area = {"nation": "''", "province": "substr(region, 1, 2)", "regency": "region"}[places.by]
    connection = worker.connection
    areas: list[str] = []
    ranked: list[Path] = []
    # An area lies in one province, so that a province at a time is ranked; the nation is one area.
    for together in [population.provinces] if places.by == "nation" else [[p] for p in population.provinces]:
        decided = ", ".join(quoted(work / f"{province}.parquet") for province in together)
        rows = f"read_parquet([{decided}])"
        areas += [row[0] for row in connection.execute(
            f"SELECT DISTINCT {area} FROM {rows} ORDER BY 1"
        ).fetchall()]  # fmt: skip
        candidates = work / "candidates.parquet"
        copy(connection, f"SELECT unit_id, {area} AS area, score, persons FROM {rows} WHERE outcome = 'eligible' "
             "ORDER BY area, score, unit_id", candidates)  # fmt: skip
        ranked.append(work / f"ranked-{together[0]}.parquet")
        worker.rank(candidates, ranked[-1])
    missing = [name for name in areas if places.of(name) is None]
    if missing:
        raise InputError.at(plan.rulebook.path, "The quota says no places for {areas}.",
                            line=plan.rulebook.quota.line if plan.rulebook.quota else 0,
                            areas=", ".join(missing[:10]))  # fmt: skip
    table = " UNION ALL ".join(
        f"SELECT '{name}' AS area, CAST({places.of(name)} AS BIGINT) AS places" for name in areas
    )
    all_ranked = f"read_parquet([{', '.join(map(quoted, ranked))}])"
    served = connection.execute(f"""
        SELECT p.area, p.places, count(r.unit_id), count(r.unit_id) FILTER (WHERE r.used <= p.places),
            coalesce(max(r.used) FILTER (WHERE r.used <= p.places), 0),
            arg_max(r.score, r.place) FILTER (WHERE r.used <= p.places),
            arg_max(r.unit_id, r.place) FILTER (WHERE r.used <= p.places)
        FROM ({table}) p LEFT JOIN {all_ranked} r ON r.area = p.area GROUP BY p.area, p.places ORDER BY p.area
    """).fetchall()  # fmt: skip
    cutoffs = {
        name: {
            "places": number, "candidates": candidates, "served": count, "used": used,
            "closed": count == 0 and (candidates > 0 or number == 0),
            "score": score if count < candidates or used >= number else None,
            "unit_id": unit_id if count < candidates or used >= number else None,
        }
        for name, number, candidates, count, used, score, unit_id in served
    }  # fmt: skip
    part = out / "ranks.part"
    shown = 'SELECT unit_id, area, score, place AS "rank" FROM'  # each file stands by area and place
    copy(connection, [f"{shown} read_parquet({quoted(path)})" for path in ranked], part)
    part.replace(out / "ranks.parquet")
    write_whole(known, canonical(cutoffs))
    return cutoffs


def _with_places(plan: Plan, province: str, out: Path, cutoffs: Mapping[str, Any], worker: Engine) -> None:
    """The final file of a province: candidates beyond the cut-off wait."""
    final = out / "decisions" / f"{province}.parquet"
    if final.exists():
        return
    assert plan.places is not None  # noqa: S101 - asked by the caller
    area = {"nation": "''", "province": "substr(region, 1, 2)", "regency": "region"}[plan.places.by]
    late = []
    for name, cutoff in cutoffs.items():
        score, unit_id = cutoff["score"], cutoff["unit_id"]
        if name[:2] not in ("", province):
            continue
        if cutoff["closed"]:
            late.append(f"WHEN '{name}' THEN TRUE")
        elif score is not None:
            late.append(f"WHEN '{name}' THEN score > {score} OR (score = {score} AND unit_id > {unit_id})")
    # CASE asks of each row only what is said of its own area.
    waits = f"outcome = 'eligible' AND CASE {area} {' '.join(late)} ELSE FALSE END" if late else ""
    _final(plan, out / "work" / f"{province}.parquet", final, waits, worker)


# ---- after -------------------------------------------------------------------------------------------------


def _finish(
    plan: Plan,
    population: Population,
    out: Path,
    run: dict[str, Any],
    cutoffs: Mapping[str, Any],
    worker: Engine,
) -> Decisions:
    """Write the manifest last: a folder with a manifest is finished."""
    rulebook = plan.rulebook
    files = {
        f"decisions/{province}.parquet": out / "decisions" / f"{province}.parquet"
        for province in population.provinces
    }
    if plan.places is not None:
        files["ranks.parquet"] = out / "ranks.parquet"
    entries = {name: file_entry(path) for name, path in files.items()}
    counted = {
        province: _counted(plan, out / "decisions" / f"{province}.parquet", worker.connection)
        for province in population.provinces
    }
    manifest = {key: value for key, value in run.items() if key != "engine"} | {
        "unit": rulebook.unit,
        "criteria": list(rulebook.criterion_ids),
        "components": [item.id for item in plan.items],
        "prices": [item.price for item in plan.items],
        "cutoffs": dict(cutoffs),
        "rows": {
            province: entries[f"decisions/{province}.parquet"].rows for province in population.provinces
        },
        "totals": _totals(plan, counted.values()),
        "provinces": {province: _totals(plan, [numbers]) for province, numbers in counted.items()},
        "files": {
            name: {"bytes": e.bytes, "rows": e.rows, "sha256": e.sha256} for name, e in entries.items()
        },
    }
    write_whole(out / "rulebook.toml", rulebook.raw)
    write_whole(out / "facts.toml", rulebook.catalogue.raw)
    write_whole(out / "population.path", str(population.path.resolve()).encode())
    write_whole(out / "manifest.json", canonical(manifest))
    _tidy(out)
    return open_decisions(out)


def _tidy(out: Path) -> None:
    """Remove what only an unfinished run needs, also after one that was killed before it could."""
    shutil.rmtree(out / "work", ignore_errors=True)
    (out / "run.json").unlink(missing_ok=True)


Counted = Mapping[
    str, Counter[object]
]  # by outcome: units, sums of columns, and (mask, bit) for each criterion


def _counted(plan: Plan, file: Path, connection: duckdb.DuckDBPyConnection) -> Counted:
    """What the rows of a province come to."""
    rows = f"read_parquet({quoted(file)})"
    bits = range(len(plan.rulebook.criterion_ids))
    sums = ("amount", "amount_most", *(count_column(item.id) for item in plan.items))
    counted: Counted = {outcome: Counter() for outcome in OUTCOMES}
    summed = ", ".join(f'CAST(sum("{name}") AS BIGINT)' for name in sums)
    for outcome, failed, unknown, units, *numbers in connection.execute(
        f"SELECT outcome, failed, unknown, count(*), {summed} FROM {rows} GROUP BY outcome, failed, unknown"
    ).fetchall():
        numbers_of = counted[outcome]
        numbers_of["units"] += units
        numbers_of.update(dict(zip(sums, numbers, strict=True)))
        for name, mask in (("failed", failed), ("unknown", unknown)):
            numbers_of.update({(name, bit): units for bit in bits if mask >> bit & 1})
    return counted


def _totals(plan: Plan, provinces: Iterable[Counted]) -> dict[str, Any]:
    """Units and money per outcome, and how many units fail or wait for each criterion."""
    counted: dict[str, Counter[object]] = {outcome: Counter() for outcome in OUTCOMES}
    for numbers in provinces:
        for outcome in OUTCOMES:
            counted[outcome].update(numbers[outcome])

    def total(key: object, outcomes: Iterable[str] = OUTCOMES) -> int:
        return sum(counted[outcome][key] for outcome in outcomes)

    looked_at = [outcome for outcome in OUTCOMES if outcome != NOT_FOUND]
    return {
        "outcomes": {
            outcome: {name: total(name, (outcome,)) for name in ("units", "amount", "amount_most")}
            for outcome in OUTCOMES
        },
        "criteria": {
            id_: {mask: total((mask, bit), looked_at) for mask in ("failed", "unknown")}
            for bit, id_ in enumerate(plan.rulebook.criterion_ids)
        },
        "components": {item.id: total(count_column(item.id)) for item in plan.items},
    }


def reference_date(decisions: Decisions) -> date:
    """The reference date of decisions."""
    return date.fromisoformat(decisions.manifest["reference_date"])
