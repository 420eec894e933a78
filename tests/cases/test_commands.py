"""`salur cases` in a process of its own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cases.people import REVIEWER

from salur.access.policy import SYSTEM
from salur.cases import services

SALUR = str(Path(sys.executable).with_name("salur"))


@pytest.fixture
def environment(database: str, database_url: str, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(tmp_path / "home")}


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [SALUR, "cases", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


def test_list_show_and_escalate(environment: dict[str, str]) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=60)
    late = services.case_open(
        now=long_ago, actor=SYSTEM, kind="objection", subject="decision:9", region="35.10", people=4,
        evidence=["document:4"],
    )  # fmt: skip
    services.case_take(now=long_ago, actor=REVIEWER, case=late)
    services.case_note(now=long_ago, actor=REVIEWER, case=late, text="Ibu Siti datang.")
    other = services.case_open(now=now, actor=SYSTEM, kind="data_breach", subject="breach:1", region="")

    out = run(environment, "list")
    assert f"case:{late}" in out
    assert "overdue  objection  decision:9  35.10  reviewer  taken" in out
    assert "2 cases, 1 overdue, 1 due within three days; 5 people wait." in out
    assert f"case:{other}" in run(environment, "list", "--role", "operator")
    inside = json.loads(run(environment, "list", "--region", "35", "--json"))
    assert ([case["id"] for case in inside["cases"]], inside["active"], inside["next"]) == ([late], 1, "")
    first = json.loads(run(environment, "list", "--limit", "1", "--order", "people", "--json"))
    second = json.loads(run(environment, "list", "--order", "people", "--after", first["next"], "--json"))
    assert [case["id"] for case in first["cases"] + second["cases"]] == [late, other]

    shown = run(environment, "show", str(late))
    assert "Objection: decision:9 in 35.10" in shown
    assert "Undang-Undang Nomor 30 Tahun 2014 Pasal 77" in shown
    assert "(unverified)" in shown
    assert "evidence document:4" in shown
    assert "noted  officer:1" in shown
    assert "Siti" not in shown + run(environment, "show", str(late), "--json")
    history = json.loads(run(environment, "show", str(late), "--json"))["history"]
    assert [entry["what"] for entry in history] == ["opened", "taken", "noted"]

    assert json.loads(run(environment, "escalate", "--json")) == {"escalated": 1}
    assert run(environment, "escalate") == "0 cases escalated.\n"
    assert f"case:{late}" in run(environment, "list", "--role", "supervisor")


def test_what_is_not_there_is_a_sentence(environment: dict[str, str]) -> None:
    assert "There is no case 404." in run(environment, "show", "404", code=3)
    assert "begin with the first one" in run(environment, "list", "--after", "x", code=3)
