"""The benchmarks run, and what they measure is the same work. No figure is asserted."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_small_run_writes_the_page_and_compares_the_same_rows(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    report = tmp_path / "benchmarks.md"
    small = [
        "--families",
        "3000",
        "--runs",
        "1",
        "--folder",
        str(tmp_path / "bench"),
        "--report",
        str(report),
    ]
    agreed = subprocess.run([sys.executable, "-m", "bench", "agree", *small], cwd=ROOT, check=False)
    assert agreed.returncode == 0
    done = subprocess.run([sys.executable, "-m", "bench", *small], cwd=ROOT, check=False)
    assert done.returncode == 0
    cycle = [sys.executable, "-m", "bench", "cycle", "--corrected", "2000", *small]
    assert subprocess.run(cycle, cwd=ROOT, check=False).returncode == 0
    text = report.read_text("utf-8")
    assert len(re.findall(r"\| 1,000 \| 0 \| 0 \| 1,000 \|", text)) == 2
    assert "; 0 differ." in text
    assert "## Engines agree" in text
    head, rows = table(text, "## The busiest page")
    for row in rows:
        said = ", ".join(f"{value} {name}" for name, value in zip(head[1:], row[1:], strict=True))
        record_property(f"Why this decision, ms of CPU, {row[0]}", said)
    assert {row[0] for row in rows} == {"SQLite", "PostgreSQL"}


def table(text: str, heading: str) -> tuple[list[str], list[list[str]]]:
    """The first table under a heading: its head and rows."""
    lines = [line for line in text.split(heading)[1].split("\n## ")[0].splitlines() if line.startswith("| ")]
    head, _, *rows = ([cell.strip() for cell in line.strip("| ").split("|")] for line in lines)
    return head, rows


def test_the_nation_goes_on_after_a_stop_with_the_stage_that_is_missing(tmp_path: Path) -> None:
    folder, report = tmp_path / "nation", tmp_path / "benchmarks.md"
    command = [sys.executable, "-m", "bench", "nation", "--families", "3000", "--folder", str(folder)]
    command += ["--report", str(report)]
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert next(line for line in first.stdout if "verify" in line)
    first.kill()
    first.communicate()
    noted = json.loads((folder / "nation" / "noted.json").read_bytes())["stages"]
    assert "generate" in noted
    again = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert again.returncode == 0
    assert "generate …" not in again.stdout
    finished = json.loads((folder / "nation" / "noted.json").read_bytes())
    assert finished["stages"]["generate"] == noted["generate"]
    assert finished["same"]
    assert "## The nation: 3,000 families" in report.read_text("utf-8")
