"""Families that no rulebook of a pair can tell apart, put into classes: a class is decided once, not each family.

What two rulebooks read of a family is little: some facts, and the sums over its members (`family_facts`). A million
families fall into some hundred thousand classes, a province of seventeen million into a million.

What is summed over members is taken from the family facts that a decision made. Where the new rulebook asks something
else of members, only that half of it is summed anew, what its criteria ask or what its components ask, and kept for
the next time; families of whose members both rulebooks say the same keep their sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from salur.core.population.layout import Population
from salur.core.rules import engines, family_facts, sql
from salur.core.rules.nodes import Literal
from salur.core.rules.plan import Plan
from salur.core.rules.rows import parquet
from salur.core.rules.simulate.attributes import Attributes
from salur.core.rules.simulate.kept import using

SHARE = 4  # families in a class on average, at least: with fewer it does not pay,
FEW = 1_000_000  # unless the classes are no more than this, which fit in memory
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
        first, *others = plans
        self.inputs = [Input(first, dict.fromkeys(self._words(first), self._sums(first)))]
        for plan in others:
            same = {self._text(half) for half in halves(first)}
            pairs = zip(halves(plan), halves(first), strict=True)
            changed = [pair for pair in pairs if self._words(pair[0]) and self._text(pair[0]) not in same]
            if len(changed) != 1 or family_facts.where(plan, population, facts / "family-facts").is_dir():
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
        """Those that a decision made, or our own."""
        folder = family_facts.where(plan, self.population, where_sums(plan, self.population, self.facts))
        return self.sums.setdefault(folder, Sums(plan, folder, f"w{len(self.sums)}_", near))

    def hold(self, stack: ExitStack) -> None:
        """Keep what is read from being pruned."""
        for folder in self.sums:
            stack.enter_context(using(folder))

    def families(self, province: str, within: str, connection: duckdb.DuckDBPyConnection) -> str | None:
        """Puts the classes of a province into the table `known`: (class, *columns()). Returns SQL of its families:
        (region, packed, true_decile, *columns()). None: there are too many classes.

        within: SQL, which families.
        """
        files: dict[Path, Path] = {}
        for folder, sums in self.sums.items():
            first = next(iter(files.values()), None)
            near = (sums.near, first) if sums.near and first else None
            file = family_facts.prepare(
                sums.plan, self.population, province, folder.parents[1], connection, near
            )
            assert file is not None  # noqa: S101 - only those that ask something of members
            files[folder] = file
        text = self._read(province, self.attributes.file(province, connection), files, within)
        most = max(self.population.files[f"families/{province}.parquet"].rows // SHARE, FEW)
        listed = ", ".join(self.columns())
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE known AS SELECT row_number() OVER () AS class, * "
            f"FROM (SELECT DISTINCT {listed} FROM ({text})) LIMIT {most + 1}"
        )
        ((found,),) = connection.execute("SELECT count(*) FROM known").fetchall()
        return text if found <= most else None

    def columns(self) -> list[str]:
        """What tells the classes apart."""
        facts = {fact.name: None for each in self.inputs for fact in each.plan.facts if not fact.personal}
        words = {f"{sums.prefix}{word}": None for each in self.inputs for word, sums in each.words.items()}
        return [*_FIXED, *(f"f_{name}" for name in facts), *words]

    def _read(self, province: str, attributes: Path, files: dict[Path, Path], within: str) -> str:
        """SQL: the families of a province with what both rulebooks read of them, and their attributes.

        All files have a row for each family in the same order.
        """
        shown = ["f.region", "f.packed", "f.true_decile", *(f"f.{name}" for name in _FIXED)]
        facts: dict[str, None] = {}
        words: dict[Path, dict[str, None]] = {folder: {} for folder in files}
        for each in self.inputs:
            read = sql.fresh(each.plan, self.rows)
            facts |= dict.fromkeys(f"{value} AS f_{name}" for name, value in read.items())
            for word, sums in each.words.items():
                words[sums.folder][word] = None
        rows = f"SELECT * FROM {parquet(self.population.families(province))}"
        rows += f" POSITIONAL JOIN (SELECT packed, true_decile FROM {parquet(attributes)})"
        for folder, file in files.items():
            prefix = self.sums[folder].prefix
            named = ", ".join(f"_{word} AS {prefix}{word}" for word in words[folder])
            rows += f" POSITIONAL JOIN (SELECT {named} FROM {parquet(file)})"
            shown += [f"f.{prefix}{word}" for word in words[folder]]
        return f"SELECT {', '.join([*shown, *facts])} FROM ({rows}) f WHERE {within}"


def where_sums(plan: Plan, population: Population, facts: Path) -> Path:
    """Where `family_facts` keeps the sums of a plan: where a decision made them, else among ours."""
    decided = facts / "family-facts"
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
