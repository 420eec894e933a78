"""Statistics by nation and province are those of the rows, counted one by one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.core.rules.test_resume import decided, make
from typer.testing import CliRunner

from salur.core.rules.commands import app


def counted(rows: list[dict[str, Any]], manifest: dict[str, Any]) -> dict[str, Any]:
    """The same as the manifest says, row by row."""
    units: Counter[Any] = Counter()
    for row in rows:
        units[row["outcome"]] += 1
        for money in ("amount", "amount_most"):
            units[row["outcome"], money] += row[money]
        for component in manifest["components"]:
            units[component] += row[f"n_{component}"]
        for bit, criterion in enumerate(manifest["criteria"]):
            for mask in ("failed", "unknown"):
                units[criterion, mask] += row["outcome"] != "not_found" and row[mask] >> bit & 1
    return {
        "outcomes": {
            outcome: {"units": units[outcome], **{m: units[outcome, m] for m in ("amount", "amount_most")}}
            for outcome in ("eligible", "waiting", "needs_data", "not_eligible", "not_found")
        },
        "criteria": {c: {m: units[c, m] for m in ("failed", "unknown")} for c in manifest["criteria"]},
        "components": {component: units[component] for component in manifest["components"]},
    }


@pytest.mark.parametrize("kind", ["plain", "quota"])
def test_statistics_are_those_of_the_rows(kind: str, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    done = decided(make(tmp_path / "made", 300), kind, tmp_path / "out")
    rows = {province: pq.read_table(done.file(province)).to_pylist() for province in done.provinces}
    assert len(rows) > 1
    told = {
        by: CliRunner().invoke(app, ["statistics", str(tmp_path / "out"), "--by", by, "--json"])
        for by in ("nation", "province")
    }
    assert json.loads(told["province"].stdout) == {
        province: counted(own, done.manifest) for province, own in rows.items()
    }
    every = [row for own in rows.values() for row in own]
    assert json.loads(told["nation"].stdout) == {"nation": counted(every, done.manifest)}


def test_statistics_are_shown_as_tables_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    decided(make(tmp_path / "made", 60), "plain", tmp_path / "out")
    shown = CliRunner().invoke(app, ["statistics", str(tmp_path / "out"), "--by", "province"])
    assert shown.exit_code == 0
    assert "not_eligible" in shown.stdout
    assert CliRunner().invoke(app, ["statistics", str(tmp_path / "out"), "--by", "village"]).exit_code == 2
    old = tmp_path / "out" / "manifest.json"
    manifest = json.loads(old.read_bytes())
    del manifest["provinces"]
    old.write_text(json.dumps(manifest))
    assert CliRunner().invoke(app, ["statistics", str(tmp_path / "out")]).exit_code == 0
    refused = CliRunner().invoke(app, ["statistics", str(tmp_path / "out"), "--by", "province"])
    assert "made before provinces were counted" in str(refused.exception)
