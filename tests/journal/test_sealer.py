"""Events become seals, whatever is killed when; whatever is changed afterwards is found."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connection, connections, transaction

from salur.journal import sealer, selectors, services
from salur.journal.models import Event, Seal
from salur.journal.sealer import Alarm
from salur.journal.verify import Verdict, verify

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 11, 22, 3, 11, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal" / "seals.jsonl"


def act(count: int = 1, subject: str = "cycle:3") -> list[int]:
    with transaction.atomic():
        return [
            services.record(now=NOW, actor="officer:7", kind="tests.done", subject=subject, detail={"n": n})
            for n in range(count)
        ]


def seals(file: Path, *counts: int) -> None:
    for n, count in enumerate(counts):
        act(count)
        assert sealer.seal(now=NOW + timedelta(seconds=n), file=file) == count


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def assert_good(file: Path, *, events: int) -> None:
    verdict = verify(file)
    assert verdict == Verdict(Seal.objects.count(), events, 0)
    in_lines = [leaf for line in lines(file) for leaf in line["leaves"]]
    assert len(in_lines) == len(set(in_lines)) == events == Event.objects.count()


# ---- the good way ----------------------------------------------------------------------------------------


def test_a_seal_holds_what_it_says(file: Path) -> None:
    assert sealer.seal(now=NOW, file=file) == 0
    assert not file.exists()
    seals(file, 3, 1)
    first, second = file.read_bytes().splitlines()
    assert json.loads(second) == {
        "format": 1,
        "seal": 2,
        "prev": hashlib.sha256(first).hexdigest(),
        "at": "2026-11-22T03:11:01.000000Z",
        "first": 4,
        "last": 4,
        "events": 1,
        "leaves": json.loads(second)["leaves"],
    }
    assert list(Event.objects.order_by("id").values_list("sealed_in", flat=True)) == [1, 1, 1, 2]
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert_good(file, events=4)


def test_many_events_become_several_seals(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "EVENTS_MOST", 7)
    seals(file, 23, 7, 1)
    assert [line["events"] for line in lines(file)] == [7, 7, 7, 2, 7, 1]
    assert_good(file, events=31)


def test_the_largest_seal_fits_into_a_line(file: Path) -> None:
    with transaction.atomic():
        Event.objects.bulk_create(
            Event(at=NOW, actor="officer:7", kind="tests.done", detail="{}", salt=os.urandom(16))
            for _ in range(sealer.EVENTS_MOST + 5)
        )
    assert sealer.seal(now=NOW, file=file) == sealer.EVENTS_MOST + 5
    assert max(map(len, file.read_bytes().splitlines())) < sealer.LINE_BYTES_MOST
    seals(file, 1)
    assert [line["events"] for line in lines(file)] == [sealer.EVENTS_MOST, 5, 1]
    assert_good(file, events=sealer.EVENTS_MOST + 6)


@pytest.mark.parametrize("killed", [False, True])
def test_events_that_commit_late_come_into_a_later_seal(file: Path, database: str, killed: bool) -> None:
    """Also when they come between a line that was written and its marks."""
    if database != "postgres":
        pytest.skip("SQLite has one writer at a time: ids commit in their order")
    reserved, go_on = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with transaction.atomic():
                act()
                reserved.set()
                assert go_on.wait(20)
        finally:
            connections.close_all()

    act()
    thread = threading.Thread(target=late)
    thread.start()
    assert reserved.wait(20)
    act(2)
    if killed:
        kill_in("commit", file)
    else:
        assert sealer.seal(now=NOW, file=file) == 3
    go_on.set()
    thread.join()
    assert sealer.seal(now=NOW, file=file) == (4 if killed else 1)
    assert [(line["first"], line["last"], line["events"]) for line in lines(file)] == [(1, 4, 3), (2, 2, 1)]
    assert_good(file, events=4)


def test_writers_and_sealers_at_once_lose_and_double_nothing(file: Path) -> None:
    writing = threading.Barrier(5)
    faults: list[Exception] = []

    def alone(work: Callable[[], object]) -> None:
        try:
            writing.wait(20)
            for _ in range(25):
                work()
        except Exception as error:
            faults.append(error)
        finally:
            connections.close_all()

    def write_one() -> None:
        act(2)

    work: list[Callable[[], object]] = [write_one] * 3 + [lambda: sealer.seal(now=NOW, file=file)] * 2
    threads = [threading.Thread(target=alone, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    sealer.seal(now=NOW, file=file)
    assert_good(file, events=150)


def test_a_sealer_waits_for_the_other(file: Path) -> None:
    act()
    file.parent.mkdir()
    done = threading.Event()

    def wait() -> None:
        sealer.seal(now=NOW, file=file)
        done.set()
        connections.close_all()

    with file.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        thread = threading.Thread(target=wait)
        thread.start()
        assert not done.wait(0.2)
    thread.join()
    assert_good(file, events=1)


# ---- killed at each step ---------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed_at(step: int | str, *, after: bool) -> Iterator[list[str]]:
    """Every call to the disk and to the database is a step; the process ends before or after the given one.

    A write that is cut short writes only half. A name is the first step of that name.
    """
    steps: list[str] = []

    def faulty(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            steps.append(name)
            here = step in (len(steps), name)
            if here and not after:
                if name == "pwrite":
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                if name == "commit":  # else Django commits on its way out
                    connection.connection.close()
                raise Killed(name)
            result = real(*arguments, **named)
            if here:
                raise Killed(name)
            return result

        return call

    def sql(execute: Any, statement: str, *more: Any) -> Any:
        return faulty("sql", execute)(statement, *more)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("pwrite", "fsync", "ftruncate", "open"):
            patch.setattr(os, name, faulty(name, getattr(os, name)))
        patch.setattr(connection, "_commit", faulty("commit", connection._commit))
        with connection.execute_wrapper(sql):
            yield steps


def attempt(step: int | str, file: Path, *, after: bool) -> list[str] | None:
    """Seal and be killed; None if it came through."""
    try:
        with killed_at(step, after=after) as steps:
            sealer.seal(now=NOW, file=file)
    except (Killed, Error):  # an error: Django finds the connection closed
        assert step in (len(steps), steps[-1]), steps
        connection.close()
        return steps
    return None


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("earlier", [0, 2], ids=["a new file", "a third seal"])
def test_killed_at_any_step_the_next_run_goes_on(file: Path, earlier: int, after: bool) -> None:
    seals(file, *([2] * earlier))
    events, seen, step = 2 * earlier, set(), 0
    while True:
        step += 1
        events += len(act(2))
        steps = attempt(step, file, after=after)
        if steps is None:
            break
        seen.add(steps[-1])
        assert verify(file).problem is None
        events += len(act(1))  # one more comes before the next run
        assert sealer.seal(now=NOW, file=file) in {1, 3}
        assert_good(file, events=events)
        if not earlier:  # again from nothing is not possible in one database: the next file is not new
            earlier = 1
    assert seen >= {"pwrite", "fsync", "open", "sql", "commit"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_while_mending_it_is_mended_by_the_run_after(file: Path, after: bool) -> None:
    """A first kill leaves a torn or an unmarked line; a second one comes while that is mended."""
    seals(file, 2)
    events = 2
    for first_kind in ("pwrite", "commit"):
        step = 0
        while True:
            step += 1
            events += len(act(2))
            kill_in(first_kind, file)
            if (steps := attempt(step, file, after=after)) is None:
                break
            assert steps
            sealer.seal(now=NOW, file=file)
            assert_good(file, events=events)
        assert step > 5


def kill_in(kind: str, file: Path) -> None:
    """Be killed in the first write of a line, or before the marks are committed."""
    assert attempt(kind, file, after=False)


@pytest.mark.parametrize("seed", range(3))
def test_any_history_of_kills_ends_well(file: Path, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(60):
        act(draw.randint(0, 3))
        attempt(draw.randint(1, 25), file, after=draw.random() < 0.5)
        assert verify(file).problem is None
    sealer.seal(now=NOW, file=file)
    assert_good(file, events=Event.objects.count())


def test_a_disk_that_fails_marks_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seals(file, 1)
    act()

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        for _ in range(2):  # the second run finds the whole line and still must not trust it
            with pytest.raises(OSError, match="Input/output"):
                sealer.seal(now=NOW, file=file)
            assert selectors.events_unsealed_count() == 1
    sealer.seal(now=NOW, file=file)
    assert_good(file, events=2)


def test_a_killed_process_leaves_its_lock_and_its_line(file: Path, database_url: str) -> None:
    """A real one: SIGKILL between the fsync and the marks."""
    act(3)
    code = (
        "import os, sys, signal, salur.web; salur.web.setup()\n"
        "from datetime import datetime, UTC; from pathlib import Path\n"
        "from salur.journal import sealer, services\n"
        "services.events_mark = lambda **_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sealer.seal(now=datetime.now(UTC), file=Path(sys.argv[1]))\n"
    )
    environment = os.environ | {"SALUR_DATABASE_URL": database_url}
    done = subprocess.run([sys.executable, "-c", code, str(file)], env=environment, check=False)
    assert done.returncode == -9
    assert (len(lines(file)), Seal.objects.count()) == (1, 0)
    assert verify(file) == Verdict(1, 3, 3)
    act(1)
    assert sealer.seal(now=NOW, file=file) == 4
    assert [line["events"] for line in lines(file)] == [3, 1]
    assert_good(file, events=4)


# ---- torn lines and alarms -------------------------------------------------------------------------------


@pytest.mark.parametrize("piece", [b"{", b'{"at":"2026', b"\0" * 700, b'{"at":"20\0\0\0\n'])
@pytest.mark.parametrize("before", [0, 2])
def test_a_piece_that_nothing_relies_on_is_cut_off(file: Path, piece: bytes, before: int) -> None:
    seals(file, *([2] * before))
    file.parent.mkdir(exist_ok=True)
    with file.open("ab") as stream:
        stream.write(piece)
    seals(file, 1)
    assert_good(file, events=2 * before + 1)


def test_a_torn_line_with_marked_events_is_an_alarm(file: Path) -> None:
    seals(file, 2, 2)
    whole = file.read_bytes()
    for cut in (1, 40, len(whole.splitlines()[1])):
        file.write_bytes(whole[:-cut])
        act()
        with pytest.raises(Alarm, match="salur journal verify"):
            sealer.seal(now=NOW, file=file)
        assert file.read_bytes() == whole[:-cut]
        assert "lines at its end are missing" in str(verify(file).problem)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    act()
    for content in (b"Dear diary", b"Dear diary\n", b"a\nb\n", b'{"at":"x"}\n{"at":"y"}\n'):
        file = tmp_path / "notes.txt"
        file.write_bytes(content)
        with pytest.raises(Alarm, match="is damaged, or is not a file of seals"):
            sealer.seal(now=NOW, file=file)
        assert file.read_bytes() == content


def test_another_file_or_an_older_database_is_an_alarm(file: Path, tmp_path: Path) -> None:
    seals(file, 2, 2)
    act()
    with pytest.raises(Alarm, match=r"\(0\) does not fit .* \(2\)"):
        sealer.seal(now=NOW, file=tmp_path / "other.jsonl")
    file.write_bytes(file.read_bytes().replace(b"T03:11:01", b"T03:11:02"))
    with pytest.raises(Alarm, match=r"\(2\) does not fit .* \(2\)"):
        sealer.seal(now=NOW, file=file)


def test_a_line_whose_events_are_gone_is_an_alarm(file: Path) -> None:
    """A database that came back from a backup, older than the last line."""
    seals(file, 2)
    act(2)
    with untriggered():
        kill_in("commit", file)
        Event.objects.filter(sealed_in__isnull=True).order_by("id").last().delete()  # type: ignore[union-attr]
    act()
    with pytest.raises(Alarm, match="holds events that are not in the database"):
        sealer.seal(now=NOW, file=file)
    assert "holds events that are not in the database" in str(verify(file).problem)


# ---- tampering -------------------------------------------------------------------------------------------


@contextmanager
def untriggered() -> Iterator[None]:
    """Somebody with all rights on the database takes the triggers off."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in ("journal_event", "journal_seal"):
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'journal%'")
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {name}")
    yield


OTHER: dict[str, Any] = {
    "at": NOW - timedelta(microseconds=1), "actor": "officer:8", "subject_ref": "cycle:4", "kind": "tests.undone",
    "case": "case:1", "detail": '{"n":7}', "salt": b"\0" * 16, "id": 99, "sealed_in": 3,
}  # fmt: skip


@pytest.mark.parametrize("column", sorted(OTHER))
def test_a_changed_event_is_found(file: Path, column: str) -> None:
    seals(file, 3, 3, 1)
    with untriggered():
        Event.objects.filter(id=5).update(**{column: OTHER[column]})
    verdict = verify(file)
    named = {"id": "Event 99", "sealed_in": "Seal 2 holds 3 events, but the database has 2"}
    assert str(verdict.problem).startswith(named.get(column, "Event 5 is not as it was"))
    assert (verdict.seals, verdict.events) == (0, 0) or verdict.seals < 3


def test_added_deleted_and_unmarked_events_are_found(file: Path) -> None:
    seals(file, 3, 3)
    assert verify(file).problem is None
    ((added,),) = [act()]
    with untriggered(), connection.cursor() as cursor:
        for change, told in (
            (f"UPDATE journal_event SET sealed_in = 2 WHERE id = {added}", f"Event {added} is not as it was"),
            (
                f"UPDATE journal_event SET sealed_in = 9 WHERE id = {added}",
                "is in seal 9, which does not exist",
            ),
            (
                f"UPDATE journal_event SET sealed_in = 0 WHERE id = {added}",
                "is in seal 0, which does not exist",
            ),
            (f"UPDATE journal_event SET sealed_in = NULL WHERE id >= {added}", ""),
            ("UPDATE journal_event SET sealed_in = NULL WHERE id = 4", "Seal 2 holds 3 events"),
            ("DELETE FROM journal_event WHERE id = 1", "Seal 1 holds 3 events, but the database has 2"),
            ("DELETE FROM journal_event", "Seal 1 holds 3 events, but the database has 0"),
        ):
            cursor.execute(change)
            problem = verify(file).problem
            assert told in str(problem) if told else problem is None


def test_any_changed_byte_of_the_file_is_found(file: Path) -> None:
    seals(file, 2, 1, 2)
    whole = file.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        file.write_bytes(changed)
        assert verify(file).problem is not None, position
    file.write_bytes(whole)
    assert verify(file).problem is None


def test_removed_swapped_doubled_and_rewritten_lines_are_found(file: Path) -> None:
    seals(file, 1, 1, 1, 1)
    one, two, three, four = file.read_bytes().splitlines(keepends=True)
    forged = two.replace(b"T03:11:01", b"T03:11:09")
    chained = three.replace(
        hashlib.sha256(two[:-1]).hexdigest().encode(), hashlib.sha256(forged[:-1]).hexdigest().encode()
    )
    for content, told in (
        ([two, three, four], ":1: This should be seal 1, but it is seal 2"),
        ([one, three, four], ":2: This should be seal 2, but it is seal 3"),
        ([one, two, three], "The database knows 4 seals"),
        ([], "The database knows 4 seals"),
        ([one, three, two, four], ":2: This should be seal 2, but it is seal 3"),
        ([one, two, two, three, four], ":3: This should be seal 3, but it is seal 2"),
        ([one, two, three, four, b"\n"], ":5: This is not a seal"),
        ([one, b"\n", two, three, four], ":2: This is not a seal"),
        ([one, forged, three, four], ":3: Seal 3 does not follow from the line before it"),
        ([one, forged, chained], ":2: The database remembers another line as seal 2"),
    ):  # fmt: skip
        file.write_bytes(b"".join(content))
        assert told in str(verify(file).problem)
    file.unlink()
    assert "The database knows 4 seals" in str(verify(file).problem)


def test_a_forged_digest_in_the_database_is_found(file: Path) -> None:
    seals(file, 1, 1)
    with untriggered():
        Seal.objects.filter(number=1).update(sha256="f" * 64)
        assert "remembers another line as seal 1" in str(verify(file).problem)
        Seal.objects.filter(number=1).delete()
        assert "remembers another line as seal 1" in str(verify(file).problem)


def test_a_long_chain_is_verified_in_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from salur.journal import verify as module

    seals(file, *range(1, 8))
    for lines_at_once, events_most in ((1, 10_000), (3, 10_000), (1_000, 5), (1_000, 1)):
        monkeypatch.setattr(module, "LINES_AT_ONCE", lines_at_once)
        monkeypatch.setattr(module, "EVENTS_MOST", events_most)
        assert verify(file) == Verdict(7, 28, 0)
