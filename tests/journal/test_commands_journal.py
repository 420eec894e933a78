"""`salur journal` in a process of its own, and the page that shows how to verify by hand."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from salur.journal import selectors, services
from salur.journal.canonical import leaf, moment
from salur.journal.models import Event

pytestmark = pytest.mark.usefixtures("database")
SALUR = str(Path(sys.executable).with_name("salur"))
PAGE = Path(__file__).resolve().parents[2] / "docs" / "journal.md"
NOW = datetime(2026, 11, 22, 3, 11, 0, 5, tzinfo=UTC)


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(tmp_path / "home")}


def run(environment: dict[str, str], *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([SALUR, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def act(count: int) -> None:
    with transaction.atomic():
        for n in range(count):
            services.record(
                now=NOW,
                actor="officer:7",
                kind="tests.done",
                subject="cycle:3",
                case="case:5",
                detail={"é": n},
            )


def test_seal_verify_and_show(environment: dict[str, str], tmp_path: Path) -> None:
    act(2)
    file = tmp_path / "home" / "journal" / "seals.jsonl"
    assert run(environment, "journal", "seal").stdout == f"2 events sealed in {file}.\n"
    act(1)
    assert run(environment, "journal", "verify").stdout == (
        "1 seals and 2 events are as they were sealed; 1 events wait for the next seal.\n"
    )
    answer = json.loads(run(environment, "journal", "verify", "--json").stdout)
    assert answer == {"ok": True, "seals": 1, "events": 2, "waiting": 1, "problem": ""}
    shown = json.loads(run(environment, "journal", "show", "--case", "case:5", "--json").stdout)
    assert [(row["id"], row["sealed_in"], row["at"]) for row in shown] == [
        (1, 1, "2026-11-22T03:11:00.000005Z"), (2, 1, "2026-11-22T03:11:00.000005Z"),
        (3, None, "2026-11-22T03:11:00.000005Z"),
    ]  # fmt: skip
    assert [row["leaf"] for row in shown[:2]] == json.loads(file.read_text())["leaves"]
    assert "tests.done" in run(environment, "journal", "show", "--subject", "cycle:3").stdout
    run(environment, "journal", "show", code=2)

    file.write_bytes(file.read_bytes().replace(b'"at":"2', b'"at":"3'))
    told = run(environment, "journal", "verify", code=1).stderr
    assert told == f"{file}:1: The database remembers another line as seal 1; one of the two was changed.\n"
    assert json.loads(run(environment, "journal", "verify", "--json", code=1).stdout)["ok"] is False
    assert "nothing is sealed" in run(environment, "journal", "seal", code=3).stderr
    run(environment, "journal", "verify", "--file", str(tmp_path / "none"), code=1)


def test_jobs_are_listed_and_begun_again(environment: dict[str, str]) -> None:
    for key in ("", "a"):
        services.enqueue(now=NOW, kind="tests.act", payload={"n": 4_711}, key=key)
    (job,) = services.jobs_claim(now=NOW, kinds=["tests.act"], most=1, leased_until=NOW.replace(hour=4))
    services.job_fail(now=NOW, job=job, error="InputError: Nothing there.", again_at=None)
    listed = run(environment, "journal", "jobs").stdout
    assert "1 ready, 0 running, 0 done, 1 dead" in listed
    answer = json.loads(run(environment, "journal", "jobs", "--dead", "--json").stdout)
    assert [(row["id"], row["last_error"]) for row in answer["jobs"]] == [
        (job.id, "InputError: Nothing there.")
    ]
    assert "4711" not in listed + json.dumps(answer)
    run(environment, "journal", "jobs", "--retry", str(job.id))
    assert (
        "There is no dead job" in run(environment, "journal", "jobs", "--retry", str(job.id), code=3).stderr
    )
    assert "2 ready, 0 running, 0 done, 0 dead" in run(environment, "journal", "jobs", "--dead").stdout


def test_work_once_seals(environment: dict[str, str]) -> None:
    act(1)
    run(environment, "work", "--once", "--workers", "2")
    assert "1 seals and 1 events" in run(environment, "journal", "verify").stdout


def by_hand() -> dict[str, Any]:
    """The functions that the page shows."""
    names: dict[str, Any] = {}
    for example in doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8")):
        exec(example.source, names)  # noqa: S102
    return names


def test_what_the_page_shows_finds_what_verify_finds(environment: dict[str, str], tmp_path: Path) -> None:
    for count in (3, 1, 2):
        act(count)
        run(environment, "journal", "seal")
    lines = (tmp_path / "home" / "journal" / "seals.jsonl").read_bytes().splitlines()
    rows = json.loads(run(environment, "journal", "show", "--subject", "cycle:3", "--json").stdout)
    check = by_hand()["check"]
    assert check(lines, rows) == "3 seals, 6 events: all as sealed"
    assert check(lines, [*rows[:4], rows[4] | {"actor": "officer:8"}, rows[5]]) == "seal 3 differs"
    assert check(lines, rows[1:]) == "seal 1 differs"
    assert check([lines[0], lines[2]], rows) == "seal 2 differs"
    assert check([lines[0].replace(b'"at":"2', b'"at":"3'), *lines[1:]], rows) == "seal 2 differs"


def test_the_page_and_the_code_compute_the_same_leaf() -> None:
    act(1)
    (event,) = selectors.events_of("cycle:3")
    row = {**vars(event), "at": moment(event.at)}
    assert by_hand()["leaf"](row) == leaf(event)
    assert bytes(Event.objects.get().salt).hex() == event.salt
