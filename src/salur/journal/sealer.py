"""Seals: events become lines of an append-only file, each line holding the digest of the one before.

What stands in the file and in the database proves each other: the line holds a digest of every event, the database the
digest of every line. The order is: write the line, fsync, then mark the events in one transaction. A sealer that is
killed anywhere in between leaves at most one line that is not marked yet, or a piece of one; the next run marks the
first and cuts off the second. Any other difference between the two is an alarm, and nothing is sealed until a
person has looked. The public log takes the leaves over later.

Bytes: docs/journal.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from salur.core.faults import InputError
from salur.journal import selectors, services
from salur.journal.canonical import FORMAT, EventRow, canonical, leaf, moment

EVENTS_MOST = 10_000  # in one seal
LINE_BYTES_MOST = 1 << 20
NO_LINE = "0" * 64  # the digest before the first line
_BEGINNING = b'{"at":"'


class Alarm(InputError):  # noqa: N818
    """The seal file and the database contradict each other."""


@dataclass(frozen=True)
class Line:
    """One seal as it stands in the file; `raw` is without its end of line."""

    number: int
    prev: str
    first: int
    last: int
    leaves: tuple[str, ...]
    raw: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def seal(*, now: datetime, file: Path) -> int:
    """Seal every event that waits; returns how many. One sealer at a time: others wait for their turn.

    Raises Alarm if the file and the database contradict each other.
    """
    sealed, count = 0, EVENTS_MOST
    while count >= EVENTS_MOST and selectors.events_unsealed(most=1):
        with _locked(file) as descriptor:
            count = _seal_some(now, file, descriptor)
        sealed += count
    return sealed


def _seal_some(now: datetime, file: Path, descriptor: int) -> int:
    """Bring file and database to the same seal, then add one."""
    last, start, end = _tail(descriptor, file)
    number, sha256 = (last.number, last.sha256) if last else (0, NO_LINE)
    known, known_sha256 = selectors.last_seal() or (0, NO_LINE)
    unmarked = last is not None and known == number - 1 and known_sha256 == last.prev
    if not unmarked and (known, known_sha256) != (number, sha256):
        raise Alarm.of(
            "The last seal in {file} ({number}) does not fit the last one that the database knows ({known}), so "
            "nothing is sealed. Run `salur journal verify`.",
            file=file,
            number=number,
            known=known,
        )
    if end < os.fstat(descriptor).st_size:
        os.ftruncate(descriptor, end)
        os.fsync(descriptor)
    count = 0
    if last and unmarked:
        # It may never have reached the disk: write it again before the database relies on it.
        _write(descriptor, last.raw, start, file)
        count = _mark(last, events_of_line(last, file))
    if events := selectors.events_unsealed(most=EVENTS_MOST):
        line = _line(number + 1, sha256, now, events)
        _write(descriptor, line.raw, end, file)
        count += _mark(line, events)
    return count


def _mark(line: Line, events: Sequence[EventRow]) -> int:
    services.events_mark(ids=[event.id for event in events], seal=line.number, sha256=line.sha256)
    return len(events)


def events_of_line(line: Line, file: Path) -> list[EventRow]:
    """The events of a line that is not marked yet: not all that wait in its range, some may have come later."""
    leaves = set(line.leaves)
    waiting = selectors.events_unsealed_between(line.first, line.last)
    events = [event for event in waiting if leaf(event) in leaves]
    if [leaf(event) for event in events] != list(line.leaves):
        raise Alarm.of(
            "Seal {number} in {file} holds events that are not in the database as they were.",
            number=line.number,
            file=file,
        )
    return events


# ---- the file --------------------------------------------------------------------------------------------


def _line(number: int, prev: str, now: datetime, events: Sequence[EventRow]) -> Line:
    leaves = tuple(leaf(event) for event in events)
    first, last = events[0].id, events[-1].id
    text = canonical(
        {
            "format": FORMAT,
            "seal": number,
            "prev": prev,
            "at": moment(now),
            "first": first,
            "last": last,
            "events": len(leaves),
            "leaves": leaves,
        }
    )
    return Line(number, prev, first, last, leaves, text.encode())


def parse(raw: bytes) -> Line | None:
    """A line without its end; None if it is not a seal, byte for byte as Salur writes it."""
    try:
        match json.loads(raw):
            case {
                "format": 1,
                "seal": int(number),
                "prev": str(prev),
                "at": str(),
                "first": int(first),
                "last": int(last),
                "events": int(count),
                "leaves": list(leaves),
                **rest,
            } as data if not rest and count == len(leaves) > 0 and canonical(data).encode() == raw:
                return Line(number, prev, first, last, tuple(map(str, leaves)), raw)
    except (ValueError, RecursionError):
        pass
    return None


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """The file, made if it is not there, with its lock: two sealers never work at once."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _tail(descriptor: int, file: Path) -> tuple[Line | None, int, int]:
    """The last whole line with its start and end. What comes after the end is a piece of a line.

    Raises Alarm if what is there does not look like a piece of one.
    """
    size = os.fstat(descriptor).st_size
    begin = max(0, size - 2 * LINE_BYTES_MOST)
    data = os.pread(descriptor, size - begin, begin)
    if begin:
        begin, data = begin + data.find(b"\n") + 1, data[data.find(b"\n") + 1 :]
    *lines, piece = data.split(b"\n")
    end = size - len(piece)
    line = parse(lines[-1]) if lines else None
    if lines and line is None and not piece:
        piece = lines.pop()
        end -= len(piece) + 1
        line = parse(lines[-1]) if lines else None
    likely = not piece.strip(b"\0") or piece.startswith(_BEGINNING[: len(piece)])
    if not likely or (end and line is None):
        raise Alarm.of("{file} is damaged, or is not a file of seals; nothing was written to it.", file=file)
    return line, end - len(line.raw) - 1 if line else 0, end


def _write(descriptor: int, raw: bytes, offset: int, file: Path) -> None:
    """Write a line, and come back only when it is on the disk."""
    data = raw + b"\n"
    while data:
        written = os.pwrite(descriptor, data, offset)
        offset, data = offset + written, data[written:]
    os.fsync(descriptor)
    if file.stat().st_size == len(raw) + 1:  # the first line: the names of file and folder must last too
        for folder in (file.parent, file.parent.parent):
            _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
