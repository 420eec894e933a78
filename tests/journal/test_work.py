"""`salur work` with many workers on real connections, and with workers that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.db.backends.signals import connection_created
from django.db.models import QuerySet

from salur.journal import jobs, services, work
from salur.journal.jobs import Retry, handler
from salur.journal.models import Event, Job
from salur.journal.verify import Verdict, verify

pytestmark = pytest.mark.usefixtures("database")
JOBS = 1_000
# What a process of its own runs: handlers as a room would write them, then the command.
PROGRAM = """
import os, signal, sys, time
import salur.web; salur.web.setup()
from salur.journal import jobs, services
{handlers}
from salur.commands import main
sys.argv = ["salur", *sys.argv[1:]]
main()
"""
ACT = """
@jobs.handler("tests.act", retry=jobs.Retry(base_seconds=1))
def act(payload, *, now):
    services.record(now=now, actor="system", kind="tests.acted", detail=payload)
"""


def clock() -> datetime:
    return datetime.now(UTC)


def start(handlers: str, database_url: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(handlers=handlers), *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def enqueue(count: int) -> None:
    with transaction.atomic():
        for n in range(count):
            services.enqueue(now=clock(), kind="tests.act", payload={"n": n})


def own() -> QuerySet[Job]:
    """Without what rooms do by the clock."""
    return Job.objects.filter(kind__startswith="tests.")


def acts() -> list[int]:
    details = Event.objects.filter(kind="tests.acted").values_list("detail", flat=True)
    return sorted(json.loads(text)["n"] for text in details)


def act(payload: dict[str, Any], *, now: datetime) -> None:
    services.record(now=now, actor="system", kind="tests.acted", detail=payload)


def test_a_thousand_jobs_are_done_once_each_by_threads_and_processes(
    database_url: str, tmp_path: Path
) -> None:
    enqueue(JOBS)
    processes = [
        start(ACT, database_url, tmp_path, "work", "--once", "--no-seal", "--workers", "2") for _ in range(2)
    ]
    threads = Counter[int]()

    @handler("tests.act", retry=Retry(base_seconds=1))
    def counted(payload: dict[str, Any], *, now: datetime) -> None:
        threads[threading.get_ident()] += 1
        act(payload, now=now)

    while not acts() and any(process.poll() is None for process in processes):
        time.sleep(0.01)  # they have begun: now all go on together
    work.work(workers=3, once=True, seals=None, clock=clock, asked_to_stop=lambda: False)
    lines = []
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        lines += [line for line in map(json.loads, err.splitlines()) if line["kind"] == "tests.act"]
    assert acts() == list(range(JOBS))
    assert own().filter(state="done", attempts=1).count() == JOBS
    assert all(line["message"] == "done" and "n" not in line for line in lines)
    assert len(lines) + sum(threads.values()) == JOBS


def test_a_worker_killed_in_the_middle_of_a_job_does_it_after_all(database_url: str, tmp_path: Path) -> None:
    enqueue(3)
    dies = """
@jobs.handler("tests.act")
def act(payload, *, now):
    services.record(now=now, actor="system", kind="tests.acted", detail=payload)
    if payload["n"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    process = start(dies, database_url, tmp_path, "work", "--once", "--no-seal")
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert acts() == [0]
    handler("tests.act")(act)
    work.work(workers=2, once=True, seals=None, clock=clock, asked_to_stop=lambda: False)
    assert acts() == [0]  # the lease still holds
    later = clock() + timedelta(seconds=61)
    work.work(workers=2, once=True, seals=None, clock=lambda: later, asked_to_stop=lambda: False)
    assert acts() == [0, 1, 2]
    assert list(own().order_by("id").values_list("attempts", flat=True)) == [1, 2, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_after_the_current_job(
    database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    enqueue(4)
    slow = """
@jobs.handler("tests.act")
def act(payload, *, now):
    services.record(now=now, actor="system", kind="tests.acted", detail=payload)
    sys.stdout.write("begun\\n"); sys.stdout.flush()
    sys.stdin.readline()
"""
    environment = os.environ | {"SALUR_DATABASE_URL": database_url, "SALUR_HOME": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(handlers=slow), "work", "--no-seal"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)  # it notices within a second, and waits for its job
        _, err = process.communicate("go on\n", timeout=30)
        assert process.returncode == 0, err
    assert acts() == [0]
    assert list(own().order_by("id").values_list("state", flat=True)) == ["done", *["ready"] * 3]
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["done"]


def test_it_seals_plans_and_runs(tmp_path: Path) -> None:
    seals = tmp_path / "seals.jsonl"
    enqueue(3)

    @jobs.every(3_600)("tests.act")
    def act_each_hour(payload: dict[str, Any], *, now: datetime) -> None:
        act(payload or {"n": 99}, now=now)

    work.work(workers=2, once=True, seals=seals, clock=clock, asked_to_stop=lambda: False)
    assert acts() == [0, 1, 2, 99]
    assert verify(seals) == Verdict(1, 4, 0)


def test_what_fails_beside_the_jobs_does_not_stop_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged seal file and a database that is away for a moment: told once, tried again."""
    monkeypatch.setattr(work, "TICK_SECONDS", 0.05)
    seals = tmp_path / "seals.jsonl"
    seals.write_text("Dear diary\n")
    enqueue(2)
    handler("tests.act")(act)
    faults = 3

    def away(execute: Any, statement: str, *more: Any) -> Any:
        nonlocal faults
        if "WITH due" in statement and faults:
            faults -= 1
            raise OperationalError("server closed the connection unexpectedly")
        return execute(statement, *more)

    def install(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(away)

    connection_created.connect(install)
    work.work(workers=1, once=False, seals=seals, clock=clock, asked_to_stop=lambda: len(acts()) == 2)
    connection_created.disconnect(install)
    assert acts() == [0, 1]
    told = [line.__dict__["error"] for line in caplog.records if line.levelname == "ERROR"]
    assert sum("is not a file of seals" in error for error in told) == 1
    assert sum("OperationalError" in error for error in told) == 3
    assert seals.read_text() == "Dear diary\n"


def test_a_worker_that_breaks_ends_the_program() -> None:
    enqueue(1)

    @handler("tests.act")
    def breaks(payload: dict[str, Any], *, now: datetime) -> None:
        raise SystemExit(7)

    with pytest.raises(SystemExit):
        work.work(workers=2, once=False, seals=None, clock=clock, asked_to_stop=lambda: False)
