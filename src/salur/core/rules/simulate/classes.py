"""Families that no rulebook of a pair can tell apart, put into classes: a class is decided once, not each family.

What two rulebooks read of a family is little: some facts, and the sums over its members (`family_facts`). A million
families fall into some hundred thousand classes, a province of seventeen million into a million.

Those that a decision by the first rulebook keeps (`family_classes`) are taken, and told apart further by what only the
second one reads; where it reads nothing else, no family's facts are looked at again.

What is summed over members is taken from the family facts that a decision made. Where the new rulebook asks something
else of members, only that half of it is summed anew, what its criteria ask or what its components ask, and kept for
the next time; families of whose members both rulebooks say the same keep their sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from salur.core.population.layout import Population
from salur.core.rules import engines, family_classes, family_facts, sql
from salur.core.rules.nodes import Literal
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet
from salur.core.rules.simulate.attributes import Attributes
from salur.core.rules.simulate.kept import using

SHARE = 4  # families in a class on average, at least: with fewer it does not pay,
FEW = 1_000_000  # unless the classes are no more than this, which fit in memory
DECIDED = "family-facts"  # the folder of the cache that decisions read
_FIXED = ("found", "members_known")


@dataclass(frozen=True)
class Sums:
    """Sums over the members of each family: of which plan, in which folder, and how their columns begin in `known`.

    near: the same of the first rulebook, from which few families may differ.
    """

    plan: Plan
    folder: Path
    prefix: str
    near: Plan | None


@dataclass(frozen=True)
class Input:
    """What one rulebook reads of a family: facts, and words of sums by the names that its statement gives them."""

    plan: Plan
    words: dict[str, Sums]

    def source(self) -> sql.Source:
        """The classes as families, for `sql.statement`; stale values are unknown already."""
        facts = [f'f_{fact.name} AS "{fact.name}"' for fact in self.plan.facts if not fact.personal]
        words = [f"{sums.prefix}{word} AS _{word}" for word, sums in self.words.items()]
        shown = ", ".join(["class AS family_id", "'' AS region", *_FIXED, *facts, *words])
        on = {fact.name: self.plan.on for fact in self.plan.facts}
        return sql.Source(f"(SELECT {shown} FROM known)", "persons", on, frozenset(), bool(self.words))


class Classes:
    """The classes of a pair of rulebooks in a population."""

    def __init__(
        self, plans: Sequence[Plan], population: Population, attributes: Attributes, facts: Path
    ) -> None:
        """plans: the one before first."""
        self.population, self.attributes, self.facts = population, attributes, facts
        self.rows = engines.source(population, "families", "persons")
        self.sums: dict[Path, Sums] = {}
        self.kept: dict[str, family_classes.Files] = {}  # of provinces
        first, *others = plans
        self.inputs = [Input(first, dict.fromkeys(self._words(first), self._sums(first)))]
        for plan in others:
            same = {self._text(half) for half in halves(first)}
            pairs = zip(halves(plan), halves(first), strict=True)
            changed = [pair for pair in pairs if self._words(pair[0]) and self._text(pair[0]) not in same]
            if len(changed) != 1 or family_facts.where(plan, population, facts / DECIDED).is_dir():
                changed = [(plan, first)] if changed else []
            words = dict.fromkeys(self._words(plan), self._sums(first))
            for part, near in changed:
                words |= dict.fromkeys(self._words(part), self._sums(part, near))
            self.inputs.append(Input(plan, words))
        self.sums = {sums.folder: sums for each in self.inputs for sums in each.words.values()}

    def _text(self, plan: Plan) -> str:
        summed = sql.sums(plan, self.rows)
        return summed[0] if summed else ""

    def _words(self, plan: Plan) -> tuple[str, ...]:
        summed = sql.sums(plan, self.rows)
        return summed[1] if summed else ()

    def _sums(self, plan: Plan, near: Plan | None = None) -> Sums:
        """Those of the first rulebook stand where decisions keep theirs; others too if they are there, else apart."""
        kept = where_sums(plan, self.population, self.facts) if near else self.facts / DECIDED
        folder = family_facts.where(plan, self.population, kept)
        return self.sums.setdefault(folder, Sums(plan, folder, f"w{len(self.sums)}_", near))

    def hold(self, stack: ExitStack) -> None:
        """Keep what is read from being pruned."""
        for folder in self.sums:
            stack.enter_context(using(folder))

    def keep(
        self,
        provinces: Sequence[str],
        connection: duckdb.DuckDBPyConnection,
        progress: Callable[[str], None],
        stack: ExitStack,
        *,
        make: bool,
    ) -> None:
        """Find and hold the classes that decisions by the first rulebook read; make: those that are not there."""
        plan, folder = self.inputs[0].plan, self.facts / DECIDED
        own = family_classes.where(plan, self.population, folder)
        if not (make or own.is_dir()):
            return
        stack.enter_context(using(own))
        if make:
            self.kept = family_classes.prepare(plan, self.population, provinces, folder, connection, progress)
        else:
            self.kept = family_classes.at_hand(plan, self.population, provinces, folder)

    def families(self, province: str, within: str, connection: duckdb.DuckDBPyConnection) -> str | None:
        """Puts the classes of a province into the table `known`: (class, *columns()), numbered from 0. Returns SQL of
        its families: (region, packed, true_decile, class). None: there are too many classes.

        within: SQL, which families.
        """
        kept = self.kept.get(province)
        held = self._held() if kept else {}
        known = parquet(kept.classes, numbered=True) if kept else ""
        columns = ", ".join(f"c.{value} AS {name}" for name, value in held.items())
        rest = [name for name in self.columns() if name not in held]
        files = self._files(province, connection) if rest else {}
        keys = ["_kept", *rest] if kept else rest
        text = self._read(province, self.attributes.file(province, connection), kept, files, keys, within)
        if not rest:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE known AS SELECT c.file_row_number AS class, {columns} FROM {known} c"
            ).fetchall()
            return f"SELECT region, packed, true_decile, _kept AS class FROM ({text})"
        most = max(self.population.files[f"families/{province}.parquet"].rows // SHARE, FEW)
        found = f"(SELECT DISTINCT {', '.join(keys)} FROM ({text})) k"
        if kept:
            found = f"(SELECT k.*, {columns} FROM {found} JOIN {known} c ON c.file_row_number = k._kept)"
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE known AS "
            f"SELECT row_number() OVER () - 1 AS class, * FROM {found} LIMIT {most + 1}"
        ).fetchall()
        ((classes,),) = connection.execute("SELECT count(*) FROM known").fetchall()
        if classes > most:
            return None
        same = " AND ".join(f"k.{name} IS NOT DISTINCT FROM f.{name}" for name in keys)
        return f"SELECT f.region, f.packed, f.true_decile, k.class FROM ({text}) f JOIN known k ON {same}"

    def columns(self) -> list[str]:
        """What tells the classes apart."""
        facts = {fact.name: None for each in self.inputs for fact in each.plan.facts if not fact.personal}
        words = {f"{sums.prefix}{word}": None for each in self.inputs for word, sums in each.words.items()}
        return [*_FIXED, *(f"f_{name}" for name in facts), *words]

    def _held(self) -> dict[str, str]:
        """The columns that the kept classes hold, each with its name there."""
        first = self.inputs[0]
        return (
            {name: name for name in _FIXED}
            | {f"f_{fact.name}": f'"{fact.name}"' for fact in first.plan.facts if not fact.personal}
            | {f"{sums.prefix}{word}": f"_{word}" for word, sums in first.words.items()}
        )

    def _files(self, province: str, connection: duckdb.DuckDBPyConnection) -> dict[Path, Path]:
        """The sums over members, by their folder."""
        files: dict[Path, Path] = {}
        for folder, sums in self.sums.items():
            first = next(iter(files.values()), None)
            near = (sums.near, first) if sums.near and first else None
            file = family_facts.prepare(
                sums.plan, self.population, province, folder.parents[1], connection, near
            )
            assert file is not None  # noqa: S101 - only those that ask something of members
            files[folder] = file
        return files

    def _read(
        self,
        province: str,
        attributes: Path,
        kept: family_classes.Files | None,
        files: dict[Path, Path],
        keys: Sequence[str],
        within: str,
    ) -> str:
        """SQL: the families of a province with what both rulebooks read of them, and their attributes.

        All files have a row for each family in the same order. Names that begin with _ are ours: no fact's does.
        """
        facts: dict[str, str] = {}
        for each in self.inputs:
            facts |= {f"f_{name}": value for name, value in sql.fresh(each.plan, self.rows).items()}
        rows = f"SELECT * FROM {parquet(self.population.families(province))}"
        rows += f" POSITIONAL JOIN (SELECT packed AS _packed, true_decile AS _true_decile FROM {parquet(attributes)})"
        if kept:
            rows += f" POSITIONAL JOIN (SELECT class AS _kept FROM {parquet(kept.families)})"
        for folder, file in files.items():
            prefix = self.sums[folder].prefix
            named = [f"_{name.removeprefix(prefix)} AS {name}" for name in keys if name.startswith(prefix)]
            if named:
                rows += f" POSITIONAL JOIN (SELECT {', '.join(named)} FROM {parquet(file)})"
        shown = [f"{facts.get(name, f'f.{name}')} AS {name}" for name in keys]
        ours = "f.region, f._packed AS packed, f._true_decile AS true_decile"
        return f"SELECT {ours}, {', '.join(shown)} FROM ({rows}) f WHERE {within}"


def read_alike(plans: Sequence[Plan], population: Population) -> bool:
    """Whether each fact is the same value for all rulebooks that read it: one may take for stale what another counts,
    where their catalogues differ. Only then can they share classes."""
    rows = engines.source(population, "families", "persons")
    seen: dict[tuple[str, bool], str] = {}
    return all(
        seen.setdefault((name, personal), value) == value
        for plan in plans
        for personal in (False, True)
        for name, value in sql.fresh(plan, rows, personal=personal).items()
    )


def where_sums(plan: Plan, population: Population, facts: Path) -> Path:
    """Where `family_facts` keeps the sums of a plan: where decisions read them, if they are there, else among ours."""
    decided = facts / DECIDED
    return decided if family_facts.where(plan, population, decided).is_dir() else facts / "members"


def halves(plan: Plan) -> tuple[Plan, Plan]:
    """What a plan asks of members in its criteria, and in its components: two plans whose sums stand side by side.

    A criterion or component that asks nothing keeps its place, so that each word is made as in the whole.
    """
    met = Literal(value=True)
    criteria = replace(plan, items=tuple(item for item in plan.items if item.kind != "each"))
    components = replace(
        plan,
        criteria=(met,) * len(plan.criteria),
        items=tuple(replace(item, tree=met) if item.kind == "when" else item for item in plan.items),
    )
    return criteria, components
