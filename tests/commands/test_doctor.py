"""`salur doctor`: a sentence a part; only what is needed makes it fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SALUR = str(Path(sys.executable).with_name("salur"))


def doctor(code: int, **environment: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [SALUR, "doctor", "--json"], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] == (code == 0)
    return {finding["part"]: finding for finding in answer["findings"]}


def test_a_prepared_database_is_found_well(database_url: str, tmp_path: Path) -> None:
    found = doctor(0, SALUR_DATABASE_URL=database_url, SALUR_HOME=str(tmp_path / "home"))
    for part in (
        "Python",
        "Packages",
        "Own folder",
        "Database",
        "Tables",
        "Disk",
        "Rulebooks",
        "Region lists",
    ):
        assert found[part]["state"] == "ok", found[part]


def test_a_fresh_machine_is_told_to_migrate(tmp_path: Path) -> None:
    found = doctor(0, SALUR_HOME=str(tmp_path / "new"))
    assert found["Tables"]["state"] == "missing"
    assert "salur migrate" in found["Tables"]["sentence"]


def test_optional_programs_that_are_missing_do_not_fail(tmp_path: Path) -> None:
    found = doctor(0, SALUR_HOME=str(tmp_path), PATH=str(tmp_path))
    assert {found[part]["state"] for part in ("Chromium", "Java", "Node")} == {"missing"}


def test_a_database_out_of_reach_fails_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://salur:verysecret@127.0.0.1:1/none"
    found = doctor(1, SALUR_HOME=str(tmp_path), SALUR_DATABASE_URL=url)
    assert found["Database"]["state"] == "broken"
    assert "verysecret" not in json.dumps(found)


def test_a_folder_that_cannot_be_used_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = doctor(1, SALUR_HOME=str(tmp_path / "file"))
    assert found["Own folder"]["state"] == "broken"
    assert "SALUR_HOME" in found["Own folder"]["sentence"]


def test_for_people_it_is_sentences() -> None:
    done = subprocess.run([SALUR, "doctor"], capture_output=True, text=True, check=True)
    assert all(line.endswith(".") for line in done.stdout.splitlines())
