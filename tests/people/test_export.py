"""The export by name: by whom, for what, and marked."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.people.people import CLERK, ELSEWHERE, KEYS, NOW, SUPERVISOR, TODAY

from salur.access.policy import SYSTEM, Refused
from salur.core.faults import InputError
from salur.people import keys as key_file
from salur.people import services
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.exported import Export

NIK = "3510014105809001"
MARK = bytes(range(8))


@pytest.fixture(autouse=True)
def _people(database: str) -> None:
    services.enrol(
        actor=SYSTEM, now=NOW, keys=KEYS, families=[FamilyRow(1, "35.10"), FamilyRow(2, "35.11")],
        persons=[
            PersonRow(1, 1, "Sutini", nik=NIK), PersonRow(2, 1, "=cmd()"), PersonRow(3, 2, "Elsewhere"),
            PersonRow(4, 1, "Died"),
        ],
        since=TODAY, source="",
    )  # fmt: skip
    services.person_died(actor=CLERK, now=NOW, person_id=4, on=TODAY, evidence="Letter")


def export(file: Path, **more: Any) -> Export:
    given: dict[str, Any] = {
        "actor": SUPERVISOR, "now": NOW, "keys": KEYS, "purpose": "service", "case": "case:5", "region": "35.10",
        "file": file, "mark": MARK,
    }  # fmt: skip
    return services.export_by_name(**given | more)


def events() -> list[dict[str, Any]]:
    from salur.journal.models import Event

    return [
        {"actor": event.actor, "case": event.case, **json.loads(event.detail)}
        for event in Event.objects.filter(kind="people.exported_by_name")
    ]


def test_names_masked_numbers_and_a_mark_in_every_row(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    result = export(file)
    lines = file.read_text("utf-8").splitlines()
    assert lines[0].startswith("# Salur: personal data. Copy officer:3 0001020304050607 of 2026-09-30")
    rows = list(csv.DictReader(lines[1:]))
    assert [(row["person"], row["name"], row["nik"]) for row in rows] == [
        ("1", "Sutini", "3510********9001"), ("2", "'=cmd()", ""),
    ]  # fmt: skip
    assert {row["copy"] for row in rows} == {"officer:3 0001020304050607"}
    assert file.stat().st_mode & 0o777 == 0o600
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert result == Export(2, digest)
    assert events() == [
        {"actor": "officer:3", "case": "case:5", "mark": MARK.hex(), "persons": 2, "purpose": "service",
         "region": "35.10", "sha256": digest}
    ]  # fmt: skip
    with pytest.raises(InputError, match="already"):
        export(file)


@pytest.mark.parametrize(
    "wrong",
    [{"actor": CLERK}, {"actor": ELSEWHERE}, {"purpose": "curiosity"}, {"case": ""}, {"case": "because"}],
)
def test_refused_without_role_purpose_or_case(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((Refused, InputError)):
        export(tmp_path / "out.csv", **wrong)
    assert list(tmp_path.glob("out*")) == []
    assert events() == []


def test_where_it_cannot_be_written_nothing_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        export(tmp_path / "none" / "out.csv")
    assert events() == []


def test_the_command(database_url: str, tmp_path: Path) -> None:
    from salur.access.models import Grant, Officer

    officers = [Officer.objects.create_user(f"{n}@example.id", "Ketut") for n in range(2)]
    Grant.objects.create(
        officer=officers[0], role="supervisor", region="35", since=datetime(2026, 1, 1, tzinfo=UTC)
    )
    home = tmp_path / "home"
    environment = os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(home)}
    environment["SALUR_KEYS_FILE"] = str(tmp_path / "keys")
    key_file.init(tmp_path / "keys", KEYS.secrets[1])

    def run(officer: Officer, out: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                Path(sys.executable).with_name("salur"), "people", "export", "--purpose", "audit", "--case", "case:5",
                "--officer", str(officer.id), "--region", "35.10", "--out", str(out), "--json",
            ],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = run(officers[1], tmp_path / "out.csv")
    assert (refused.returncode, refused.stderr) == (3, "You have no right to do this here.\n")
    assert list(tmp_path.glob("out*")) == []
    done = json.loads(run(officers[0], tmp_path / "out.csv").stdout)
    assert done == {"persons": 2, "sha256": hashlib.sha256((tmp_path / "out.csv").read_bytes()).hexdigest()}
    assert f"officer:{officers[0].id}" in (tmp_path / "out.csv").read_text("utf-8")
