"""`salur regions` and `salur migrate` in a process of their own, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SALUR = str(Path(sys.executable).with_name("salur"))


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(tmp_path / "home")}


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([SALUR, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_load_show_and_list(environment: dict[str, str]) -> None:
    assert "was up to date" in run(environment, "migrate").stdout
    out = run(environment, "regions", "load", "--shipped").stdout
    assert "regencies.csv: 552 added" in out
    assert "villages_35_10.csv: 242 added" in out
    again = json.loads(run(environment, "regions", "load", "--shipped", "--json").stdout)
    assert [counts["unchanged"] for counts in again.values()] == [552, 242]
    shown = run(environment, "regions", "show", "35.10.01.2001").stdout
    assert "35.10.01.2001 (village) is in force" in shown
    assert "Jawa Timur › Kabupaten Banyuwangi › Pesanggaran › Sarongan" in shown
    answer = json.loads(run(environment, "regions", "show", "35.10", "--on", "2025-01-01", "--json").stdout)
    assert (answer["status"], answer["level"], answer["on"]) == ("in_force", "regency", "2025-01-01")
    unknown = json.loads(run(environment, "regions", "show", "99", "--json").stdout)
    assert unknown["status"] == "unknown"
    assert len(run(environment, "regions", "list").stdout.splitlines()) == 38
    assert len(json.loads(run(environment, "regions", "list", "35.10", "--json").stdout)) == 25


def test_bad_rows_end_with_3_and_good_rows_stay(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("code,name\n35,Jawa Timur\n3,Kurang\n36,\n", encoding="utf-8")
    done = run(environment, "regions", "load", str(file), code=3)
    assert f"{file}: 1 added" in done.stdout
    assert done.stderr.splitlines() == [
        f"{file}:3: The field code must look like 35, 35.10, 35.10.01 or 35.10.01.2001.",
        f"{file}:4: The field name must have 1 to 100 printable characters.",
        "2 bad rows wait; the good ones were loaded. Mend them and load the file again.",
    ]
    assert "Jawa Timur" in run(environment, "regions", "list").stdout


def test_a_very_bad_file_is_told_shortly(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("code,name\n" + "x,y\n" * 5_000, encoding="utf-8")
    lines = run(environment, "regions", "load", str(file), code=3).stderr.splitlines()
    assert len(lines) == 21
    assert "5000 bad rows" in lines[-1]


def test_a_load_that_is_cut_off_leaves_nothing_half_done(environment: dict[str, str], tmp_path: Path) -> None:
    """Killed in the middle of a transaction: as if it had never begun."""
    file = tmp_path / "list.csv"
    rows = ["35,a", "35.10,b", "35.10.01,c", *(f"35.10.01.{n:04},x" for n in range(9_000))]
    file.write_text("code,name\n" + "\n".join(rows), encoding="utf-8")
    code = (
        "import os, salur.web; salur.web.setup()\n"
        "from pathlib import Path\n"
        "from django.utils import timezone\n"
        "from salur.access.policy import SYSTEM\n"
        "from salur.regions import lists, services\n"
        "die = lambda done, total: os._exit(9) if done < total else None\n"
        "services.regions_load(now=timezone.now(), actor=SYSTEM, "
        f"listed=lists.read(Path({str(file)!r})), progress=die)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 9
    assert run(environment, "regions", "list").stdout == ""
    assert "9,003 added" in run(environment, "regions", "load", str(file)).stdout


def test_migrate_prepares_an_empty_database(tmp_path: Path) -> None:
    environment = os.environ | {"SALUR_HOME": str(tmp_path / "fresh")}
    assert "is prepared." in run(environment, "migrate").stdout
    assert "Nothing is loaded" in run(environment, "regions", "list").stderr
