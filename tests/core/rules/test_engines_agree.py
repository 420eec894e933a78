"""Python, DuckDB, SQLite, PostgreSQL and the naive reading give the same decision lines on random rulebooks.

`HYPOTHESIS_EXAMPLES=5000 pytest tests/core/rules/test_engines_agree.py` for a longer soak.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import event, given, settings
from tests.core.rules.agreement import Judge
from tests.core.rules.rulebooks_random import Setting, settings_drawn
from tests.core.rules.soak import PROFILE, examples

agreeing = settings(max_examples=examples(40), **PROFILE)


def check(setting: Setting, engines: tuple[str, ...], postgres_url: str | None = None) -> None:
    event(f"unit {setting.rulebook['unit']}, quota {setting.rulebook.get('quota', {}).get('by')}")
    with tempfile.TemporaryDirectory() as folder:
        found = Judge(setting, Path(folder)).differences(engines, postgres_url)
    assert not found, "\n".join(found)


@agreeing
@given(setting=settings_drawn())
def test_python_duckdb_and_sqlite_agree_with_the_naive_reading(setting: Setting) -> None:
    check(setting, ("duckdb", "python", "sqlite"))


def test_postgresql_agrees_with_the_naive_reading(postgres_url: str) -> None:
    @agreeing
    @given(setting=settings_drawn())
    def agrees(setting: Setting) -> None:
        check(setting, ("postgres",), postgres_url)

    agrees()
