"""Random pairs of rulebooks over random families: the engine's simulation equals the plain loop."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

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
from salur.core.rules.cases import from_json
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import parse
from salur.core.rules.simulate import Options, count
from salur.core.rules.simulate import published as publishing


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Setting, Json | None]:
    """A setting, and the rulebook before: another one, one with other parameters or fewer criteria, or none."""
    setting = draw(settings_drawn())
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


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    drawn=pairs(), by_class=st.booleans(), regencies=st.sampled_from([None, None, ["35.10"], ["11", "35.09"]])
)
def test_random_pairs_are_what_a_plain_loop_counts(drawn, by_class, regencies):
    setting, before = drawn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        catalogue = catalogues.parse(salur_toml.parse(toml(setting.catalogue).encode(), Path("facts.toml")))
        population = write_population(folder / "people", catalogue, setting)
        new, old = (
            None
            if book is None
            else plan(
                parse(salur_toml.parse(toml(book).encode(), Path("random.toml")), catalogue), setting.on
            )
            for book in (setting.rulebook, before)
        )
        assert new is not None
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
