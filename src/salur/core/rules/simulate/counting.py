"""Two rulebooks decided over the same population and compared unit by unit, counted inside the engine.

Without a quota both statements run side by side, over classes of families where that is quicker (`classes`), else over
some regencies at a time, so that memory does not grow with the population; nothing but counts is written. A quota needs
the ranks of whole areas: then such a side is decided by `decide` into `work` and its files are compared. Each
province's counts are written whole or not at all, so that a run goes on where it stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb

from salur.core.population.layout import Population
from salur.core.population.slices import require_space
from salur.core.rules import engines, sql
from salur.core.rules.decide import Progress, decide, verified
from salur.core.rules.engines import copy, count_column, sentences
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet, quoted
from salur.core.rules.simulate import before, cells
from salur.core.rules.simulate.attributes import BREAKDOWNS, Attributes, missing
from salur.core.rules.simulate.cells import Cells
from salur.core.rules.simulate.classes import Classes, read_alike, where_sums
from salur.core.rules.simulate.compared import Pair, coded
from salur.core.rules.simulate.kept import deciding, prune, using
from salur.core.rules.simulate.options import Options
from salur.core.rules.simulate.samples import PART, fewer_places, ranked, sampled
from salur.core.rules.simulate.tally import Tally

UNITS_AT_ONCE = 1_500_000  # families compared at once: some 200 MB
DECISION_BYTES = 60  # of disk for a unit decided twice, with what is written in between
PROVINCES_AT_ONCE = 2  # so that a processor does not wait while rows are written
MEMORY_MOST = "600MB"  # of the engine, for all of them together


def count(
    new: Plan,
    old: Plan | None,
    population: Population,
    work: Path,
    options: Options = Options(),  # noqa: B008 - it is frozen
    *,
    by_class: bool = True,
) -> Cells:
    """The exact numbers of a simulation. Goes on where an earlier run in `work` stopped.

    by_class: decide classes of families where that is quicker; the numbers are the same without.
    Raises InputError for plans or a population that cannot be compared, a folder of another run, or a full disk.
    """
    before.comparable(new, old, population, options.poor)
    before.outside(work, population)
    facts = options.facts or work / "facts"
    with sentences(work):
        chosen = before.chosen(population, options.regencies)
        run = before.run_of(new, old, population, options)
        before.refuse_others(work, run)
        with using(work, alone=True), ExitStack() as held:
            before.begin(work, run)
            counted = _counted(new, old, population, work, facts, chosen, options, held, by_class=by_class)
        prune(facts)
    return counted


def _counted(
    new: Plan,
    old: Plan | None,
    population: Population,
    work: Path,
    facts: Path,
    chosen: dict[str, dict[str, int]],
    options: Options,
    held: ExitStack,
    *,
    by_class: bool,
) -> Cells:
    if options.sample is None:
        return _Count(new, old, population, work, facts, chosen, options, held, by_class).cells()
    times = options.sample[1]
    part = sampled(population, options, facts, new, held)
    options = replace(options, truth=part.path / "truth" if options.truth is not None else None)
    chosen = {PART: {region: n for regions in chosen.values() for region, n in regions.items()}}
    new, old = fewer_places(new, times), old and fewer_places(old, times)
    counted = _Count(new, old, part, work, facts, chosen, options, held, by_class).cells()
    counted.times = times
    return counted


class _Count:
    """One simulation at work."""

    def __init__(
        self,
        new: Plan,
        old: Plan | None,
        population: Population,
        work: Path,
        facts: Path,
        chosen: Mapping[str, Mapping[str, int]],
        options: Options,
        held: ExitStack,
        by_class: bool,
    ) -> None:
        self.new, self.old, self.population, self.work, self.facts = new, old, population, work, facts
        self.chosen, self.options, self.held = chosen, options, held
        self.said: Progress = options.progress or (lambda stage, province: None)
        self.pair = Pair(new, old, options.poor)
        catalogue = new.rulebook.catalogue
        self.attributes = Attributes(population, catalogue, new.on, facts, options.truth)
        held.enter_context(using(self.attributes.folder))
        self.missing = {b.name: lacks for b in BREAKDOWNS if (lacks := missing(b, population, catalogue))}
        plans = [new] if old is None else [old, new]
        self.classes: Classes | None = None  # persons read dates: there are nearly as many classes as persons
        alone = new.rulebook.unit == "person" or any(plan.places for plan in plans)
        if by_class and not alone and read_alike(plans, population):
            self.classes = Classes(plans, population, self.attributes, facts)
            self.classes.hold(held)

    def cells(self) -> Cells:
        sides = {"after": self.new} if self.old is None else {"before": self.old, "after": self.new}
        waiting = [province for province in self.chosen if not self._file(province).exists()]
        if PART in self.chosen:
            pass  # verified as a whole, and small: ranks are taken as it is compared
        elif any(plan.places for plan in sides.values()):
            rows = sum(
                entry.rows for name, entry in self.population.files.items() if name.startswith("persons/")
            )
            require_space(
                self.work, rows * DECISION_BYTES // (1 if self.new.rulebook.unit == "person" else 3)
            )
        elif waiting:
            verified(self.population, self.new, self.options.checked, self.said)
        for name, plan in sides.items():
            if plan.places and PART not in self.chosen and waiting:
                self._decide(name, plan)
        with closing(engines.connect(self.work)) as connection:
            connection.execute(f"SET memory_limit = '{MEMORY_MOST}'").fetchall()
            if self.classes and PART not in self.chosen and waiting:
                told, every = partial(self.said, "classes"), self.options.regencies is None
                self.classes.keep(waiting, connection, told, self.held, make=every)
            self._provinces(waiting, connection)
            for name in sides:  # decided only to be compared
                shutil.rmtree(self.work / name, ignore_errors=True)
            breakdowns = [b.name for b in BREAKDOWNS if b.name not in self.missing]
            files = [self._file(province) for province in self.chosen]
            found = cells.read(files, self.new, self.old, breakdowns, connection)
        found.missing = self.missing
        return found

    def _file(self, province: str) -> Path:
        return self.work / "cells" / f"{province}.parquet"

    def _decide(self, name: str, plan: Plan) -> None:
        """All of the areas in which somebody is compared, with ranks."""
        assert plan.places is not None  # noqa: S101 - asked by the caller
        needed = self.population.provinces if plan.places.by == "nation" else tuple(self.chosen)
        sums = where_sums(plan, self.population, self.facts)
        self.held.enter_context(deciding(plan, self.population, sums))
        decide(
            plan, replace(self.population, provinces=needed), self.work / name, checked=self.options.checked,
            family_facts=sums,
            progress=lambda stage, province: self.said(f"{stage} {name}", province),
        )  # fmt: skip

    # ---- provinces ----

    def _provinces(self, waiting: Sequence[str], connection: duckdb.DuckDBPyConnection) -> None:
        """Count the provinces that are not counted yet, some at a time, the largest first."""
        for province in self.chosen:
            if province not in waiting:
                self.said("compare", province)
        order = sorted(waiting, key=lambda province: -sum(self.chosen[province].values()))
        own = {province: connection.cursor() for province in order}
        with ThreadPoolExecutor(PROVINCES_AT_ONCE) as pool:
            works = {
                pool.submit(self._province, province, self.chosen[province], own[province]): province
                for province in order
            }
            try:
                for done in as_completed(works):
                    done.result()
                    self.said("compare", works[done])
            except BaseException:  # also Ctrl-C: nothing may go on behind it
                pool.shutdown(wait=False, cancel_futures=True)
                while running := [work for work in works if not work.done()]:
                    for work in running:
                        with suppress(duckdb.ConnectionException):  # it is done by now
                            own[works[work]].interrupt()
                    wait(running, timeout=0.1)
                raise

    def _province(
        self, province: str, regencies: Mapping[str, int], connection: duckdb.DuckDBPyConnection
    ) -> None:
        with closing(connection):
            if not self._by_class(province, regencies, connection):
                attributes = self.attributes.file(province, connection)
                groups = [list(regencies)] if province == PART else _together(regencies)
                queries = [self._by_unit(province, group, attributes) for group in groups]
                for index, query in enumerate(queries):
                    verb = "INSERT INTO cells" if index else "CREATE OR REPLACE TEMP TABLE cells AS"
                    connection.execute(f"{verb} {query}").fetchall()
            part = self._file(province).with_suffix(".part")
            sums = ", ".join(f"CAST(sum({name}) AS DECIMAL(38, 0)) AS {name}" for name in cells.SUMS)
            copy(
                connection,
                f"SELECT {', '.join(cells.KEYS)}, {sums} FROM cells GROUP BY ALL ORDER BY ALL",
                part,
            )
            part.replace(self._file(province))

    def _by_class(
        self, province: str, regencies: Mapping[str, int], connection: duckdb.DuckDBPyConnection
    ) -> bool:
        """Puts the counts of a province into `cells`, each class of families decided by both rulebooks. False: there
        are too many classes."""
        if self.classes is None:
            return False
        within = "TRUE" if self.options.regencies is None else _within(list(regencies))
        families = self.classes.families(province, within, connection)
        if families is None:
            return False
        sides = [
            coded(
                f"({sql.statement(each.plan, each.source(), sql.DUCKDB)})",
                [f"c{item.index}" for item in each.plan.items],
            )
            for each in reversed(self.classes.inputs)
        ]
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE compared AS {self.pair.compared(*sides)}"
        ).fetchall()
        classes = connection.sql("SELECT unit_id, kind, o, n FROM compared ORDER BY unit_id").to_arrow_table()
        names = sorted(regencies)
        tally = Tally(classes, names, self.options.poor, sum(regencies.values()))
        place = f"enum_code(CAST(region AS ENUM({', '.join(map(quoted, names))})))"
        rows = connection.sql(f"SELECT {place} AS region, packed, true_decile, class FROM ({families})")
        with rows.to_arrow_reader(engines.GROUP) as reader:
            for batch in reader:
                tally.add(batch)
        tally.cells(connection)
        return True

    def _by_unit(self, province: str, regencies: Sequence[str], attributes: Path) -> str:
        """SQL: the counts of some regencies of a province, each unit decided by both rulebooks."""
        within = _within(regencies)
        after = self._side("after", self.new, province, within)
        earlier = None if self.old is None else self._side("before", self.old, province, within)
        families = f"(SELECT * FROM {parquet(attributes)} WHERE {within})"
        return self.pair.counts(
            f"({self.pair.compared(after, earlier)}) c JOIN {families} a ON a.family_id = c.family_id"
        )

    def _side(self, name: str, plan: Plan, province: str, within: str) -> str:
        """SQL: unit_id, family_id, outcome as a code, failed, unknown, amount, c0 …"""
        counts = [f"c{item.index}" for item in plan.items]
        if plan.places and province != PART:
            rows = parquet(self.work / name / "decisions" / f"{province}.parquet")
            counts = [f'"{count_column(item.id)}" AS c{item.index}' for item in plan.items]
        elif plan.places:
            rows = ranked(f"({sql.statement(plan, self._source(province, 'TRUE'), sql.DUCKDB)})", plan)
        else:
            rows = f"({sql.statement(plan, self._source(province, within), sql.DUCKDB)})"
        return coded(rows, counts)

    def _source(self, province: str, within: str) -> sql.Source:
        """Where the statements read the families and persons of some regencies."""
        files = (self.population.families(province), self.population.persons(province))
        tables = [f"(SELECT * FROM {parquet(file)} WHERE {within})" for file in files]
        return engines.source(self.population, *tables)


def _within(regencies: Sequence[str]) -> str:
    return f"region IN ({', '.join(map(quoted, regencies))})"


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
