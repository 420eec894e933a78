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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

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
from salur.core.rules import engines, family_classes, places, sql, totals
from salur.core.rules.engines import Engine, copy, sentences
from salur.core.rules.evaluate import OUTCOMES, Cutoff, noted_cutoffs
from salur.core.rules.family_facts import prepare
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet
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
        return noted_cutoffs(self.manifest["cutoffs"])


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
    family_facts: a folder that keeps what is summed over members, and classes of families (`family_classes.prepare`),
    for DuckDB; the decisions are the same without.
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
            _decide(plan, population, out, worker, family_facts, said)
            return _finish(plan, population, out, run)


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
    facts = plan.rulebook.catalogue.sha256
    mark = checked / population.id if checked is not None else None
    known = {} if mark is None else _verified_before(mark, facts)
    if known | seen == known:
        return
    faults = verify(population, plan.rulebook.catalogue, progress=lambda province: said("check", province))
    if faults:
        raise InputError(faults)
    if mark is not None:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_whole(mark, canonical({"files": seen, "facts": facts}))


def _verified_before(mark: Path, facts: str) -> dict[str, Any]:
    """The files that were verified together by this catalogue, with their sizes and times; of some provinces or all."""
    try:
        match json.loads(mark.read_bytes()):
            case {"files": dict(files), "facts": str(held)} if held == facts:
                return files
    except (OSError, ValueError, RecursionError):
        pass
    return {}


# ---- province by province ----------------------------------------------------------------------------------


class Decided(Protocol):
    """A province that is decided, before places are given."""

    province: str

    def candidates(self) -> Iterator[pa.Table]:
        """Who may have a place: `engines.CANDIDATES`."""

    def write(self, target: Path, cutoffs: Mapping[str, Cutoff]) -> totals.Counted:
        """Write the decisions, candidates beyond the cut-off of their area waiting; returns what they come to."""


def _decide(
    plan: Plan, population: Population, out: Path, worker: Engine, family_facts: Path | None, said: Progress
) -> None:
    """Write the decisions of every province that has none yet, with a note of each, and the ranks."""
    work = out / "work"
    areas = places.areas(plan, population, worker) if plan.places else {}
    left = [  # an earlier release finished a province without a note
        p
        for p in population.provinces
        if not ((out / "decisions" / f"{p}.parquet").exists() and _note(work, p).exists())
    ]
    stages = ("decide", "places") if areas else ("decide",)
    for province in population.provinces:
        for stage in stages if province not in left else ():  # finished by an earlier run
            said(stage, province)

    files: dict[str, family_classes.Files] = {}
    if family_facts is not None and isinstance(worker, engines.DuckDB):
        files = family_classes.prepare(
            plan, population, left, family_facts, worker.connection, partial(said, "classes")
        )

    def decided() -> Iterator[Decided]:
        return _decided(plan, population, left, work, worker, family_facts, files)

    def ranked(name: str, candidates: Iterable[pa.Table]) -> dict[str, Any]:
        return places.rank(plan, areas[name], candidates, name, work, worker)

    def of_the_nation() -> Iterator[pa.Table]:
        for each in decided():
            yield from each.candidates()
            said("decide", each.province)

    ended: dict[str, Any] = {}
    if places.NATION in areas:
        known = work / "nation.json"
        if not known.exists():
            write_whole(known, canonical(ranked(places.NATION, of_the_nation())))
        ended = json.loads(known.read_bytes())
    for each in decided():
        if each.province in areas:
            ended = ranked(each.province, each.candidates())
            said("decide", each.province)
        part = work / f"{each.province}.part"
        note = {"totals": each.write(part, noted_cutoffs(ended)), "cutoffs": ended}
        write_whole(_note(work, each.province), canonical(note))
        part.replace(out / "decisions" / f"{each.province}.parquet")
        (work / f"{each.province}.parquet").unlink(missing_ok=True)
        said(stages[-1], each.province)
    if plan.places:
        places.gather(plan, population, out, worker)


def _note(work: Path, province: str) -> Path:
    """What the decisions of a province come to, and where the places of its areas ended."""
    return work / f"noted-{province}.json"


def _decided(
    plan: Plan,
    population: Population,
    provinces: Sequence[str],
    work: Path,
    worker: Engine,
    family_facts: Path | None,
    files: Mapping[str, family_classes.Files],
) -> Iterator[Decided]:
    """The provinces one after the other: families by class where `files` has them, else each unit by itself."""
    shown = [*_shown(plan, "")[len(engines.IDS) :], *(["persons"] if plan.places else [])]
    classes = family_classes.decided(plan, list(files.values()), shown, worker.connection)
    for province in provinces:
        if province in files:
            yield family_classes.Province(plan, province, files[province].families, next(classes))
        else:
            yield _Units(plan, population, province, work, worker, family_facts)


class _Units:
    """Each unit of a province decided by itself: under a quota into a file in `work`, before places are given."""

    def __init__(
        self,
        plan: Plan,
        population: Population,
        province: str,
        work: Path,
        worker: Engine,
        family_facts: Path | None,
    ) -> None:
        self.plan, self.population, self.province = plan, population, province
        self.worker, self.family_facts = worker, family_facts
        self.file = work / f"{province}.parquet"

    def candidates(self) -> Iterator[pa.Table]:
        assert self.plan.places is not None  # noqa: S101 - asked by the caller
        area = places.AREA[self.plan.places.by]
        query = f"SELECT unit_id, {area} AS area, score, persons FROM {self._rows()}"
        cursor = self.worker.connection.cursor()  # a name of its own: it must outlive what reads from it
        with cursor.sql(f"{query} WHERE outcome = 'eligible'").to_arrow_reader(engines.GROUP) as rows:
            for batch in rows:
                yield pa.Table.from_batches([engines.with_areas(batch)])

    def write(self, target: Path, cutoffs: Mapping[str, Cutoff]) -> totals.Counted:
        connection = self.worker.connection
        if self.plan.places is None:
            self._decide(_shown(self.plan, ""), target)
        else:
            rows, late = self._rows(), places.late(self.plan, self.province, cutoffs)
            if late:
                rows = f"(SELECT *, {late} AS waits FROM {rows})"
            shown = ", ".join(_shown(self.plan, "waits" if late else ""))
            copy(connection, f"SELECT {shown} FROM {rows}", target, decisions=True)
        return totals.counted_in(self.plan, target, connection)

    def _rows(self) -> str:
        if not self.file.exists():
            part = self.file.with_suffix(".part")
            self._decide(sql.columns(self.plan), part)
            part.replace(self.file)
        return parquet(self.file)

    def _decide(self, shown: Sequence[str], target: Path) -> None:
        plan, population, province, worker = self.plan, self.population, self.province, self.worker
        if self.family_facts is not None and isinstance(worker, engines.DuckDB):
            facts = prepare(plan, population, province, self.family_facts, worker.connection)
            worker.decide(plan, population, province, shown, target, facts)
        else:
            worker.decide(plan, population, province, shown, target)


def _shown(plan: Plan, waits: str) -> list[str]:
    """The columns of the final file, with the units that wait. `waits`: the SQL condition, empty for nobody."""
    zero = dict.fromkeys(("amount", "amount_most", *(f"c{item.index}" for item in plan.items)), "0")
    shown = []
    names = {f"c{item.index}": engines.count_column(item.id) for item in plan.items}
    for column in (*FIXED, *names):
        value = "'waiting'" if column == "outcome" else zero.get(column)
        expression = (
            column if value is None or not waits else f"CASE WHEN {waits} THEN {value} ELSE {column} END"
        )
        if column == "outcome":
            expression = f"CAST({expression} AS ENUM ({', '.join(map(repr, OUTCOMES))}))"
        shown.append(f'{expression} AS "{names.get(column, column)}"')
    return shown


# ---- after -------------------------------------------------------------------------------------------------


def _finish(
    plan: Plan,
    population: Population,
    out: Path,
    run: dict[str, Any],
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
    notes = {
        province: json.loads(_note(out / "work", province).read_bytes()) for province in population.provinces
    }
    counted = {province: note["totals"] for province, note in notes.items()}
    manifest = {key: value for key, value in run.items() if key != "engine"} | {
        "unit": rulebook.unit,
        "criteria": list(rulebook.criterion_ids),
        "components": [item.id for item in plan.items],
        "prices": [item.price for item in plan.items],
        "cutoffs": {area: ended for note in notes.values() for area, ended in note["cutoffs"].items()},
        "rows": {
            province: entries[f"decisions/{province}.parquet"].rows for province in population.provinces
        },
        "totals": totals.totals(plan, counted.values()),
        "provinces": {province: totals.totals(plan, [numbers]) for province, numbers in counted.items()},
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


def reference_date(decisions: Decisions) -> date:
    """The reference date of decisions."""
    return date.fromisoformat(decisions.manifest["reference_date"])
