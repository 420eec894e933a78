"""Two rulebooks decided over the same population and compared unit by unit, counted inside the engine.

What comes out is small and exact: `Cells`. Without a quota both statements run side by side over some regencies at a
time, so that memory does not grow with the population, and nothing but counts is written. A quota needs the ranks of
whole areas: then such a side is decided by `decide` into `work` and its files are compared. Each province's counts are
written whole or not at all, so that a run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from salur.core.faults import InputError
from salur.core.population.layout import (
    MANIFEST,
    Population,
    canonical,
    open_population,
    plain_name,
    write_manifest,
    write_whole,
)
from salur.core.population.slices import require_space
from salur.core.rules import engines, nodes, sql
from salur.core.rules.decide import Progress, count_column, decide, verified
from salur.core.rules.engines import copy, sentences
from salur.core.rules.evaluate import ELIGIBLE, WAITING
from salur.core.rules.plan import Plan
from salur.core.rules.rows import quoted
from salur.core.rules.simulate import moves
from salur.core.rules.simulate.attributes import BREAKDOWNS, Attributes, missing, unpacked
from salur.core.rules.simulate.classes import Classes
from salur.core.rules.simulate.moves import Move

UNITS_AT_ONCE = 1_500_000  # families compared at once: some 200 MB
DECISION_BYTES = 60  # of disk for a unit decided twice, with what is written in between
WELFARE = frozenset(("decile", "welfare_score"))  # the facts that the truth corrects
PART = "00"  # the file of a sample: families of all provinces
POOR = 4  # families of the deciles 1 to this are poor in truth


@dataclass
class Cell:
    """Units, and the rupiah a period that they get by the old rulebook and by the new."""

    units: int = 0
    before: int = 0
    after: int = 0

    def add(self, units: int, before: int, after: int) -> None:
        self.units += units
        self.before += before
        self.after += after


@dataclass(frozen=True)
class Reasons:
    """What moved a unit: criteria whose answer changed, components of which it gets more or less, or the places."""

    criteria: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    places: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Each with what it is: criterion:ID, component:ID, places."""
        listed = [f"criterion:{name}" for name in self.criteria] + [f"component:{n}" for n in self.components]
        return (*listed, "places") if self.places else tuple(listed)


@dataclass(frozen=True)
class Truth:
    """For one side: poor in truth; and a target, which is poor and fails nothing but what the truth corrects."""

    poor: bool = False
    target_before: bool = False
    target_after: bool = False


@dataclass
class Cells:
    """Exact counts, not to be published as they are. Each table holds every unit once."""

    moves: dict[tuple[Move, Reasons, Truth], Cell] = field(default_factory=lambda: defaultdict(Cell))
    regions: dict[tuple[str, str], Cell] = field(default_factory=lambda: defaultdict(Cell))  # (regency, kind)
    broken: dict[str, dict[tuple[int, str], Cell]] = field(default_factory=dict)  # breakdown: (value, kind)
    times: int = 1  # how often each unit counts, where this is a sample
    missing: dict[str, list[str]] = field(default_factory=dict)  # breakdowns that lack these facts

    @property
    def units(self) -> int:
        return sum(cell.units for cell in self.moves.values())


def count(
    new: Plan,
    old: Plan | None,
    population: Population,
    work: Path,
    *,
    regencies: Sequence[str] | None = None,
    sample: tuple[int, int] | None = None,
    facts: Path | None = None,
    truth: Path | None = None,
    poor: int = POOR,
    checked: Path | None = None,
    progress: Progress | None = None,
    by_class: bool = True,
) -> Cells:
    """The exact numbers of a simulation. Goes on where an earlier run in `work` stopped.

    by_class: decide classes of families where that is quicker (`classes`); the numbers are the same without.
    Raises InputError for plans or a population that cannot be compared, a folder of another run, or a full disk.
    """
    said = progress or (lambda stage, province: None)
    _comparable(new, old, population, poor)
    plain_name(work)
    if work.resolve().is_relative_to(population.path.resolve()):
        raise InputError.at(work, "A simulation does not belong inside the population; give another folder.")
    facts = facts or work / "facts"
    with sentences(work):
        chosen = _chosen(population, regencies)
        run = {
            "format": 1, "population": population.id, "new": _version(new), "old": old and _version(old),
            "regencies": sorted(regencies) if regencies is not None else None, "sample": sample, "poor": poor,
            "truth": _seen(truth, population),
        }  # fmt: skip
        _begin(work, canonical(run))
        times = 1
        if sample is not None:
            times = sample[1]
            population = sampled(population, sample, facts, truth, new, checked, said)
            new, old = _fewer_places(new, times), old and _fewer_places(old, times)
            truth = population.path / "truth" if truth is not None else None
            chosen = {PART: {region: n for regions in chosen.values() for region, n in regions.items()}}
        counted = _Count(
            new, old, population, work, facts, truth, poor, chosen, checked, said, by_class
        ).cells()
        counted.times = times
        return counted


# ---- before --------------------------------------------------------------------------------------------------


def _comparable(new: Plan, old: Plan | None, population: Population, poor: int) -> None:
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


def _version(plan: Plan) -> list[str]:
    """What settles the decisions of a plan."""
    return [plan.rulebook.sha256, plan.rulebook.catalogue.sha256, plan.on.isoformat()]


def _seen(truth: Path | None, population: Population) -> list[list[object]] | None:
    """The truth as it lies there: another one makes another run."""
    if truth is None:
        return None
    files = [truth / f"{province}.parquet" for province in population.provinces]
    return [[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.exists()]


def _begin(work: Path, raw: bytes) -> None:
    """Make the folder ready, or refuse one that holds something else."""
    mark = work / "run.json"
    if mark.exists():
        if mark.read_bytes() != raw:
            raise InputError.at(work, "The folder holds a simulation of something else; give another folder.")
    else:
        if work.exists() and any(path.name != "run.json.part" for path in work.iterdir()):
            raise InputError.at(work, "The folder is not empty and holds no simulation; give another folder.")
        work.mkdir(parents=True, exist_ok=True)
        write_whole(mark, raw)
    (work / "cells").mkdir(exist_ok=True)
    shutil.rmtree(work / "spill", ignore_errors=True)


def _chosen(population: Population, regencies: Sequence[str] | None) -> dict[str, dict[str, int]]:
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
                f"read_parquet({quoted(population.families(province))}) GROUP BY region ORDER BY region"
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


# ---- a part of the population --------------------------------------------------------------------------------


def in_part(n: int, of: int, family_id: str = "family_id") -> str:
    """SQL: whether a family is in the n-th of so many parts. Two steps of a multiplier scatter neighbouring ids."""
    step = f"((({family_id}) % 1000000007) * 48271 % 2147483647)"
    return f"(({step} * 69621 % 2147483647) % {of} = {n - 1})"


def sampled(
    population: Population,
    sample: tuple[int, int],
    folder: Path,
    truth: Path | None,
    plan: Plan,
    checked: Path | None,
    said: Progress,
) -> Population:
    """A part of a population as a small one of its own, all in one file, kept in the cache for later runs."""
    n, of = sample
    if not 1 <= n <= of <= 1_000_000:
        raise InputError.of("A sample is the n-th of some parts, like 1 of 100; not {n} of {of}.", n=n, of=of)
    path = folder / "samples" / _digest([population.id, n, of, _seen(truth, population)])
    if not (path / MANIFEST).exists():
        verified(population, plan, checked, said)
        shutil.rmtree(path, ignore_errors=True)  # of a run that was stopped
        kinds = {"families": population.families, "persons": population.persons}
        if truth is not None:
            kinds["truth"] = lambda province: truth / f"{province}.parquet"
        with closing(engines.connect(path)) as connection:
            for kind, file in kinds.items():
                (path / kind).mkdir(parents=True, exist_ok=True)
                files = ", ".join(quoted(file(province)) for province in population.provinces)
                rows = f"SELECT * FROM read_parquet([{files}]) WHERE {in_part(n, of)}"
                copy(connection, rows, path / kind / f"{PART}.parquet")
                said("sample", kind)
        write_manifest(path, reference_date=population.reference_date, facts=population.facts)
    return open_population(path, plan.rulebook.catalogue)


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def _fewer_places(plan: Plan, times: int) -> Plan:
    """Places for a part of the candidates, rounded to the nearest."""
    if (places := plan.places) is None:
        return plan

    def part(number: int) -> int:
        return (2 * number + times) // (2 * times)

    table = None if places.table is None else {area: part(number) for area, number in places.table.items()}
    return replace(plan, places=replace(places, places=part(places.places), table=table))


# ---- counting ------------------------------------------------------------------------------------------------


class _Count:
    """One simulation at work."""

    def __init__(
        self,
        new: Plan,
        old: Plan | None,
        population: Population,
        work: Path,
        facts: Path,
        truth: Path | None,
        poor: int,
        chosen: Mapping[str, Mapping[str, int]],
        checked: Path | None,
        said: Progress,
        by_class: bool,
    ) -> None:
        self.new, self.old, self.population, self.work, self.facts = new, old, population, work, facts
        self.poor, self.chosen, self.checked, self.said = poor, chosen, checked, said
        self.catalogue = new.rulebook.catalogue
        self.attributes = Attributes(population, self.catalogue, new.on, facts, truth)
        plans = [new] if old is None else [new, old]
        self.classes: Classes | None = None  # persons read dates: there are nearly as many classes as persons
        if by_class and new.rulebook.unit == "family" and not any(plan.places for plan in plans):
            self.classes = Classes(plans, population, self.attributes, facts)

    def cells(self) -> Cells:
        sides = {"after": self.new} if self.old is None else {"before": self.old, "after": self.new}
        if PART in self.chosen:
            pass  # verified as a whole, and small: ranks are taken as it is compared
        elif any(plan.places for plan in sides.values()):
            rows = sum(
                entry.rows for name, entry in self.population.files.items() if name.startswith("persons/")
            )
            require_space(
                self.work, rows * DECISION_BYTES // (1 if self.new.rulebook.unit == "person" else 3)
            )
        elif any(not self._file(province).exists() for province in self.chosen):
            verified(self.population, self.new, self.checked, self.said)
        for name, plan in sides.items():
            if plan.places and PART not in self.chosen:
                self._decide(name, plan)
        with closing(engines.connect(self.work)) as connection:
            for province, regencies in self.chosen.items():
                if not self._file(province).exists():
                    self._province(province, regencies, connection)
                self.said("compare", province)
            for name in sides:  # decided only to be compared
                shutil.rmtree(self.work / name, ignore_errors=True)
            return self._read(connection)

    def _file(self, province: str) -> Path:
        return self.work / "cells" / f"{province}.parquet"

    def _decide(self, name: str, plan: Plan) -> None:
        """All of the areas in which somebody is compared, with ranks."""
        assert plan.places is not None  # noqa: S101 - asked by the caller
        if all(self._file(province).exists() for province in self.chosen):
            return
        needed = self.population.provinces if plan.places.by == "nation" else tuple(self.chosen)
        decide(
            plan, replace(self.population, provinces=needed), self.work / name, checked=self.checked,
            family_facts=self.facts / "family-facts",
            progress=lambda stage, province: self.said(f"{stage} {name}", province),
        )  # fmt: skip

    # ---- a province ----

    def _province(
        self, province: str, regencies: Mapping[str, int], connection: duckdb.DuckDBPyConnection
    ) -> None:
        found = self.classes and self.classes.files(province, connection)
        if found:
            queries = [self._by_class(*found, list(regencies), connection)]
        else:
            attributes = self.attributes.file(province, connection)
            groups = [list(regencies)] if province == PART else _together(regencies)
            queries = [self._by_unit(province, group, attributes) for group in groups]
        for index, query in enumerate(queries):
            verb = "INSERT INTO cells" if index else "CREATE OR REPLACE TEMP TABLE cells AS"
            connection.execute(f"{verb} {query}")
        part = self._file(province).with_suffix(".part")
        keys = "region, packed, kind, move, r1, r2, truth"
        sums = ", ".join(f"CAST(sum({name}) AS DECIMAL(38, 0)) AS {name}" for name in ("units", "o", "n"))
        copy(connection, f"SELECT {keys}, {sums} FROM cells GROUP BY ALL ORDER BY ALL", part)
        part.replace(self._file(province))

    def _by_unit(self, province: str, regencies: Sequence[str], attributes: Path) -> str:
        """SQL: the counts of some regencies of a province, each unit decided by both rulebooks."""
        within = f"region IN ({', '.join(map(quoted, regencies))})"
        after = self._side("after", self.new, province, within)
        before = None if self.old is None else self._side("before", self.old, province, within)
        families = f"(SELECT * FROM read_parquet({quoted(attributes)}) WHERE {within})"
        return self._counts(
            f"({self._compared(after, before)}) c JOIN {families} a ON a.family_id = c.family_id"
        )

    def _by_class(
        self, known: Path, families: Path, regencies: Sequence[str], connection: duckdb.DuckDBPyConnection
    ) -> str:
        """SQL: the same, each class decided by both rulebooks."""
        assert self.classes is not None  # noqa: S101 - asked by the caller
        sides = []
        for each in self.classes.inputs:
            rows = sql.statement(each.plan, each.source(f"read_parquet({quoted(known)})"), sql.DUCKDB)
            sides.append(_coded(f"({rows})", [f"c{item.index}" for item in each.plan.items]))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE compared AS {self._compared(*sides)}")
        within = f"region IN ({', '.join(map(quoted, regencies))})"
        rows = f"(SELECT * FROM read_parquet({quoted(families)}) WHERE {within})"
        return self._counts(f"compared c JOIN {rows} a ON a.class = c.unit_id")

    def _counts(self, joined: str) -> str:
        """SQL: the three tables of cells, from what was compared (c) and the attributes (a)."""
        truth = f"CASE WHEN a.true_decile BETWEEN 1 AND {self.poor} THEN 4 + c.targets ELSE 0 END"
        return f"""
            SELECT region, packed, kind, move, r1, r2, truth, count(*) AS units, sum(o) AS o, sum(n) AS n
            FROM (SELECT a.region, a.packed, c.kind, c.move, c.r1, c.r2, {truth} AS truth, c.o, c.n FROM {joined})
            GROUP BY GROUPING SETS ((move, r1, r2, truth), (region, kind), (packed, kind))"""

    def _compared(self, after: str, before: str | None = None) -> str:
        """SQL: each unit with its move, the rupiah before (o) and after (n), what moved it (r1, r2), and whether it
        fails nothing but what the truth corrects (targets: 2 before, 1 after)."""
        if before is not None:
            joined = f"({before}) o JOIN ({after}) n ON n.unit_id = o.unit_id"
        else:
            none = moves.OUTCOMES.index(moves.NO_RULEBOOK)
            nothing = f"SELECT {none} AS outcome, 0 AS failed, 0 AS unknown, 0 AS amount"
            joined = f"({nothing}) o CROSS JOIN ({after}) n"
        criteria, dropped = self._criteria()
        more, gone = self._components()
        both = f"(o.outcome = {_ELIGIBLE} AND n.outcome = {_ELIGIBLE})"
        sign = (
            f"CASE WHEN n.amount > o.amount THEN {moves.MORE} WHEN n.amount < o.amount THEN {moves.LESS} "
            f"WHEN ({more}) <> 0 OR ({gone}) <> 0 THEN {moves.OTHER} ELSE {moves.SAME} END"
        )
        move = moves.packed("o.outcome", "n.outcome", f"CASE WHEN {both} THEN {sign} ELSE 0 END")
        targets = [
            f"CASE WHEN ({side}.failed & {_others(plan)}) = 0 THEN {bit} ELSE 0 END"
            for side, plan, bit in (("o", self.old, 2), ("n", self.new, 1))
            if plan is not None
        ]
        why = [
            f"CAST(CASE WHEN {both} THEN {components} WHEN o.outcome <> n.outcome THEN {others} ELSE 0 END AS BIGINT)"
            for components, others in ((more, criteria), (gone, dropped))
        ]
        rows = f"""
            SELECT n.unit_id, n.family_id, o.amount AS o, n.amount AS n, CAST({move} AS SMALLINT) AS move,
                {why[0]} AS r1, {why[1]} AS r2, CAST({" + ".join(targets)} AS TINYINT) AS targets
            FROM {joined}"""
        return f"SELECT *, {moves.kind('move')} AS kind FROM ({rows})"

    def _side(self, name: str, plan: Plan, province: str, within: str) -> str:
        """SQL: unit_id, family_id, outcome as a code, failed, unknown, amount, c0 …"""
        counts = [f"c{item.index}" for item in plan.items]
        if plan.places and province != PART:
            rows = f"read_parquet({quoted(self.work / name / 'decisions' / f'{province}.parquet')})"
            counts = [f'"{count_column(item.id)}" AS c{item.index}' for item in plan.items]
        elif plan.places:
            rows = _ranked(f"({sql.statement(plan, self._source(province, 'TRUE'), sql.DUCKDB)})", plan)
        else:
            rows = f"({sql.statement(plan, self._source(province, within), sql.DUCKDB)})"
        return _coded(rows, counts)

    def _source(self, province: str, within: str) -> sql.Source:
        """Where the statements read the families and persons of some regencies."""
        files = (self.population.families(province), self.population.persons(province))
        tables = [f"(SELECT * FROM read_parquet({quoted(file)}) WHERE {within})" for file in files]
        return engines.source(self.population, *tables)

    # ---- why ----

    def _criteria(self) -> tuple[str, str]:
        """SQL: bits of the new criteria whose answer changed, and of old ones that stood in the way and are gone."""
        if self.old is None:
            return "0", "0"
        now, then = self.new.rulebook.criterion_ids, self.old.rulebook.criterion_ids
        offsets: dict[int, int] = {}
        gone = 0
        for index, name in enumerate(then):
            if name in now:
                shift = now.index(name) - index
                offsets[shift] = offsets.get(shift, 0) | 1 << index
            else:
                gone |= 1 << index

        def moved(mask: str) -> str:
            parts = [
                f"((o.{mask} & {bits}) {'<<' if shift >= 0 else '>>'} {abs(shift)})"
                for shift, bits in offsets.items()
            ]
            return "(" + (" | ".join(parts) or "0") + ")"

        changed = " | ".join(
            f"xor(n.{mask}, CAST({moved(mask)} AS BIGINT))" for mask in ("failed", "unknown")
        )
        return f"({changed})", f"((o.failed | o.unknown) & {gone})"

    def _components(self) -> tuple[str, str]:
        """SQL: bits of the new components of which a unit gets more or less, and of the old ones that it loses."""
        if self.old is None:
            return "0", "0"
        then = {item.id: item for item in self.old.items}
        changed, gone = [], []
        for item in self.new.items:
            before = then.pop(item.id, None)
            if before is None:
                differs = f"n.c{item.index} > 0"
            elif (before.price, before.component.delivers) == (item.price, item.component.delivers):
                differs = f"n.c{item.index} <> o.c{before.index}"
            else:
                differs = f"n.c{item.index} + o.c{before.index} > 0"
            changed.append(f"CASE WHEN {differs} THEN {1 << item.index} ELSE 0 END")
        gone = [f"CASE WHEN o.c{item.index} > 0 THEN {1 << item.index} ELSE 0 END" for item in then.values()]
        return "(" + (" + ".join(changed) or "0") + ")", "(" + (" + ".join(gone) or "0") + ")"

    def _reasons(self, move: Move, r1: int, r2: int) -> Reasons:
        """The words of the engine as names."""
        if self.old is None or move.kind in ("same", "unchanged"):
            return Reasons()
        if move.before == move.after == ELIGIBLE:
            words = ((self.new.items, r1), (self.old.items, r2))
            return Reasons(
                components=tuple(item.id for items, word in words for item in items if word >> item.index & 1)
            )
        ids = ((self.new.rulebook.criterion_ids, r1), (self.old.rulebook.criterion_ids, r2))
        names = tuple(name for listed, word in ids for bit, name in enumerate(listed) if word >> bit & 1)
        return Reasons(criteria=names, places={move.before, move.after} == {ELIGIBLE, WAITING})

    # ---- the sum of all provinces ----

    def _read(self, connection: duckdb.DuckDBPyConnection) -> Cells:
        files = ", ".join(quoted(self._file(province)) for province in self.chosen)
        found = Cells()
        possible = [breakdown.name for breakdown in self.attributes.possible]
        found.broken = {name: defaultdict(Cell) for name in possible}
        found.missing = {
            b.name: missing(b, self.population, self.catalogue) for b in BREAKDOWNS if b.name not in possible
        }
        cursor = connection.execute(
            "SELECT region, packed, kind, move, r1, r2, truth, sum(units), sum(o), sum(n) "
            f"FROM read_parquet([{files}]) GROUP BY ALL ORDER BY ALL"
        )
        for region, packed, kind, number, r1, r2, truth, *sums in cursor.fetchall():
            numbers = [int(n) for n in sums]
            if region is not None:
                found.regions[region, moves.KINDS[kind]].add(*numbers)
            elif packed is not None:
                values = unpacked(packed)
                for name in possible:
                    found.broken[name][values[name], moves.KINDS[kind]].add(*numbers)
            else:
                move = Move.of(number)
                flags = Truth(truth >= 4, bool(truth & 2), bool(truth & 1))
                found.moves[move, self._reasons(move, r1, r2), flags].add(*numbers)
        return found


_ELIGIBLE = moves.OUTCOMES.index(ELIGIBLE)


def _coded(rows: str, counts: Sequence[str]) -> str:
    """SQL: decisions with their outcomes as codes."""
    shown = f"unit_id, family_id, {moves.code('outcome')} AS outcome, failed, unknown, amount"
    return f"SELECT {', '.join([shown, *counts])} FROM {rows}"


def _ranked(rows: str, plan: Plan) -> str:
    """SQL: decisions of whole areas, where those outside the places wait."""
    assert plan.places is not None  # noqa: S101 - asked by the caller
    area = {"nation": "''", "province": "substr(region, 1, 2)", "regency": "region"}[plan.places.by]
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


def _others(plan: Plan) -> int:
    """The bits of the criteria that say nothing of welfare."""
    trees = [(1 << bit, [tree]) for bit, tree in enumerate(plan.criteria)]
    trees.append((1 << len(plan.criteria), [item.tree for item in plan.items if item.tree is not None]))
    return sum(
        bit
        for bit, nodes_ in trees
        if not any(fact.name in WELFARE for n in nodes_ for fact in nodes.facts(n))
    )


def _together(regencies: Mapping[str, int]) -> Iterator[list[str]]:
    """Regencies in groups that are compared at once."""
    group: list[str] = []
    families = 0
    for region, number in regencies.items():
        if group and families + number > UNITS_AT_ONCE:
            yield group
            group, families = [], 0
        group.append(region)
        families += number
    yield group
