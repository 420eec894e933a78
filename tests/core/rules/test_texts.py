"""The canonical texts that DuckDB writes are those that Python writes, for any population."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.core.rules.rulebooks_random import Setting, settings_drawn, toml, write_population

from salur.core import rules
from salur.core.rules import cases, rows


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(settings_drawn(), st.integers(-2, 2), st.integers(1, 7))
def test_texts_are_the_canonical_texts_of_the_cases(setting: Setting, days: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "SLICE", size)
        facts = Path(folder, "facts.toml")
        facts.write_text(toml(setting.catalogue), "utf-8")
        catalogue = rules.read_catalogue(facts)
        population = write_population(Path(folder, "population"), catalogue, setting)
        on = setting.on + timedelta(days=days)
        for province in population.provinces:
            wanted = [
                (case.family_id, case.region, cases.canonical(case))
                for case in rows.cases(population, catalogue, province, on)
            ]
            assert [row[:3] for row in rows.texts(population, catalogue, province, on)] == wanted
            for _, _, text in wanted:
                assert cases.stored(text, catalogue) == cases.parse(text, catalogue)
            regions = {region for _, region, _ in wanted[:1]}
            some = rows.texts(population, catalogue, province, on, regions=regions, beside=["village"])
            assert [row[:3] for row in some] == [row for row in wanted if row[1] in regions]
