"""Random pairs of rulebooks over random families: the engine's simulation equals the plain loop."""

from __future__ import annotations

import copy
import random
import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.core.rules.rulebooks_random import (
    Json,
    Setting,
    rulebooks,
    settings_drawn,
    toml,
    write_population,
)
from tests.core.rules.simulating import judge, naive

from salur.core import toml as salur_toml
from salur.core.population import catalogue as catalogues
from salur.core.population.layout import Population
from salur.core.rules import engines, family_facts, nodes, sql
from salur.core.rules.cases import from_json
from salur.core.rules.nodes import Node
from salur.core.rules.plan import Plan, plan
from salur.core.rules.rulebook import parse
from salur.core.rules.simulate import Options, classes, count
from salur.core.rules.simulate import published as publishing


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Setting, Json | None, Json]:
    """A setting, the rulebook before (another one, one with other parameters or fewer criteria, or none), and the
    catalogue before: the same, or one by which values are stale sooner or later."""
    setting = draw(settings_drawn())
    catalogue: Any = copy.deepcopy(setting.catalogue)
    if draw(st.sampled_from([False, False, True])):
        for fact in catalogue["facts"].values():
            if "stale_after_days" in fact:
                fact["stale_after_days"] = draw(st.sampled_from([1, 30, 370]))
    return *draw(rulebooks_before(setting)), catalogue


@st.composite
def rulebooks_before(draw: st.DrawFn, setting: Setting) -> tuple[Setting, Json | None]:
    how = draw(st.sampled_from(["another", "parameters", "parameters", "fewer", "none", "no quota"]))
    before: Any = copy.deepcopy(setting.rulebook)
    if how == "none":
        return setting, None
    if how == "another":
        other = draw(rulebooks(setting.catalogue, setting.on))
        if other["unit"] == setting.rulebook["unit"]:
            return setting, other
    if how in ("parameters", "another"):
        for name, table in before["parameters"].items():
            for row in table["values"]:
                if type(row["value"]) is int and draw(st.booleans()):
                    ages = name in ("age_param", "most_param")
                    row["value"] = draw(st.sampled_from([1, 2, 3] if ages else [0, 1, 2, 100, 250]))
    if how == "fewer":
        for part in ("criteria", "components"):
            some = [entry for entry in before[part] if draw(st.booleans())]
            before[part] = some or before[part][:1]
    if how == "no quota":
        before.pop("quota", None)
    return setting, before


def opened(
    folder: Path,
    setting: Setting,
    book: Json,
    before: Json | None = None,
    catalogue_before: Json | None = None,
) -> tuple[Population, Plan, Plan | None]:
    def catalogue_of(table: Json) -> catalogues.Catalogue:
        return catalogues.parse(salur_toml.parse(toml(table).encode(), Path("facts.toml")))

    def planned(book: Json, catalogue: catalogues.Catalogue) -> Plan:
        return plan(parse(salur_toml.parse(toml(book).encode(), Path("random.toml")), catalogue), setting.on)

    catalogue = catalogue_of(setting.catalogue)
    population = write_population(folder / "people", catalogue, setting)
    old = before and planned(before, catalogue_of(catalogue_before or setting.catalogue))
    return population, planned(book, catalogue), old


@contextmanager
def however_many_differ():
    """Sums are taken from those of the first rulebook also where most families of a few differ."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family_facts, "SHARE", 1)
        yield


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    drawn=pairs(), by_class=st.booleans(), regencies=st.sampled_from([None, None, ["35.10"], ["11", "35.09"]])
)
def test_random_pairs_are_what_a_plain_loop_counts(drawn, by_class, regencies):
    setting, before, catalogue_before = drawn
    with tempfile.TemporaryDirectory() as name, however_many_differ():
        folder = Path(name)
        population, new, old = opened(folder, setting, setting.rulebook, before, catalogue_before)
        event(f"catalogues: {1 if catalogue_before == setting.catalogue else 2}")
        catalogue = new.rulebook.catalogue
        cases = [
            from_json(case, catalogue)
            for case in sorted(setting.cases, key=lambda case: (case["region"], case["family_id"]))
        ]
        here = {case.region for case in cases} | {case.region[:2] for case in cases}
        chosen = None if regencies is None else [code for code in regencies if code in here] or None
        if not cases:
            return
        cells = count(
            new, old, population, folder / "work", Options(regencies=chosen, checked=folder / "checked"),
            by_class=by_class,
        )  # fmt: skip
        assert "size" in cells.broken
        told = naive.simulate(cases, new, old, regencies=chosen, breakdowns=list(cells.broken))
        assert judge.differences(cells, told) == []
        assert judge.untrue(publishing.published(cells, new, old, population), told) == []
        kinds = {move.kind for move, _, _ in cells.moves}
        event(f"kinds: {len(kinds)}")


def disturbed(ready: Plan, rng: random.Random) -> Plan:
    """The plan with other tests: some constants, comparisons and words between them are others."""

    def change(node: Node) -> Node:
        if rng.random() < 0.7:
            return node
        match node:
            case nodes.Compare("<=" | ">=" | "<" | ">" as op, left, right):
                return nodes.Compare({"<=": "<", ">=": ">", "<": "<=", ">": ">="}[op], left, right)
            case nodes.Compare(op, left, right):
                return nodes.Compare(nodes.OPPOSITE[op], left, right)
            case nodes.Literal(date() as day):
                return nodes.Literal(nodes.shift_years(day, rng.choice([-1, 1])))
            case nodes.And(parts):
                return nodes.Or(parts)
            case nodes.Or(parts):
                return nodes.And(parts)
        return node

    return replace(
        ready,
        criteria=tuple(nodes.rebuild(tree, change) for tree in ready.criteria),
        items=tuple(
            replace(item, tree=item.tree and nodes.rebuild(item.tree, change)) for item in ready.items
        ),
    )


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(setting=settings_drawn(), seed=st.integers(0, 2**32))
def test_sums_taken_from_another_rulebook_are_those_of_all_members(setting, seed):
    """Byte by byte, for rulebooks and halves of them; those that differ in more than tests are summed whole."""
    with tempfile.TemporaryDirectory() as name, however_many_differ(), closing(duckdb.connect()) as engine:
        folder = Path(name)
        population, old, _ = opened(folder, setting, setting.rulebook)
        new = disturbed(old, random.Random(seed))
        pairs_ = [(new, old), *zip(classes.halves(new), classes.halves(old), strict=True)]
        for number, (part, near) in enumerate(pairs_):
            touched = sql.touched(near, part, engines.source(population, "families", "persons"))
            event(f"sums are taken: {touched is not None}")
            for province in population.provinces:
                first = family_facts.prepare(old, population, province, folder / "first", engine)
                made = [
                    family_facts.prepare(
                        part, population, province, folder / f"{number} {known is None}", engine, known
                    )
                    for known in (None, first and (near, first))
                ]
                assert len({path and path.read_bytes() for path in made}) == 1
