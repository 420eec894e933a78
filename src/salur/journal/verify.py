"""Recomputes the chain of seals and every leaf from the database, and tells the first difference in a sentence."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from salur.core.faults import Fault, InputError
from salur.journal import selectors
from salur.journal.canonical import EventRow, leaf
from salur.journal.sealer import EVENTS_MOST, LINE_BYTES_MOST, NO_LINE, Alarm, Line, events_of_line, parse

LINES_AT_ONCE = 1_000


@dataclass(frozen=True)
class Verdict:
    """What was compared up to the first difference, `problem`. `waiting` events have no seal yet."""

    seals: int
    events: int
    waiting: int
    problem: Fault | None = None


class Differs(InputError):  # noqa: N818
    """The first difference between the seal file and the database."""


def verify(file: Path) -> Verdict:
    """Compare file and database. Changes nothing; acts and seals go on meanwhile.

    A last line whose events are not marked yet, or a piece of one, is no difference: the next seal mends it.
    """
    size, known = _measure(file)
    seals = events = 0
    problem = None
    try:
        for lines in _batches(_lines(file, size)):
            _compare(lines, known, file)
            seals += len(lines)
            events += sum(len(line.leaves) for line in lines)
        if seals < known:
            raise Differs.of(
                "The database knows {known} seals, but {file} has {number}: lines at its end are missing.",
                known=known,
                file=file,
                number=seals,
            )
        if stray := selectors.event_beyond_seals(known):
            raise Differs.of(
                "Event {event} says that it is in seal {seal}, which does not exist.",
                event=stray.id,
                seal=stray.sealed_in,
            )
    except (Differs, Alarm) as error:
        problem = error.faults[0]
    return Verdict(seals, events, selectors.events_unsealed_count(), problem)


def _measure(file: Path) -> tuple[int, int]:
    """How long the file is and how many seals the database knows, at a moment when no sealer works."""
    try:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            known, _ = selectors.last_seal() or (0, NO_LINE)
            return stream.seek(0, 2), known
    except FileNotFoundError:
        known, _ = selectors.last_seal() or (0, NO_LINE)
        return 0, known


def _lines(file: Path, size: int) -> Iterator[Line]:
    """The whole lines, each of which must follow the one before."""
    if not size:
        return
    number, previous = 0, NO_LINE
    with file.open("rb") as stream:
        while stream.tell() < size:
            raw = stream.readline(LINE_BYTES_MOST)
            number += 1
            if not raw.endswith(b"\n") and stream.tell() >= size:
                return
            line = parse(raw.removesuffix(b"\n"))
            if line is None:
                raise Differs.at(
                    file, "This is not a seal as Salur writes it; it was changed or damaged.", number
                )
            if line.number != number:
                raise Differs.at(
                    file,
                    "This should be seal {number}, but it is seal {found}: lines were removed, added or swapped.",
                    number,
                    number=number,
                    found=line.number,
                )
            if line.prev != previous:
                raise Differs.at(
                    file, "Seal {number} does not follow from the line before it.", number, number=number
                )
            yield line
            previous = line.sha256


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """Lines with about as many events as fit into memory well."""
    batch: list[Line] = []
    events = 0
    for line in lines:
        batch.append(line)
        events += len(line.leaves)
        if len(batch) == LINES_AT_ONCE or events >= EVENTS_MOST:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch


def _compare(lines: Sequence[Line], known: int, file: Path) -> None:
    """Whether the database says the same about these lines and their events."""
    first, last = lines[0].number, lines[-1].number
    digests = selectors.digests_of_seals(first, last)
    found = groupby(selectors.events_of_seals(first, last), key=lambda event: event.sealed_in)
    events = {number: list(rows) for number, rows in found}
    for line in lines:
        if line.number == known + 1:
            events_of_line(line, file)
        elif digests.get(line.number) != line.sha256:
            raise Differs.at(
                file,
                "The database remembers another line as seal {number}; one of the two was changed.",
                line.number,
                number=line.number,
            )
        else:
            _compare_events(line, events.get(line.number, []), file)


def _compare_events(line: Line, events: Sequence[EventRow], file: Path) -> None:
    sealed = set(line.leaves)
    leaves = [leaf(event) for event in events]
    for event, digest in zip(events, leaves, strict=True):
        if digest not in sealed:
            raise Differs.of(
                "Event {event} is not as it was when seal {number} was made: it was changed, or added later.",
                event=event.id,
                number=line.number,
            )
    if len(leaves) < len(line.leaves):
        raise Differs.of(
            "Seal {number} holds {count} events, but the database has {left} of them: events were deleted.",
            number=line.number,
            count=len(line.leaves),
            left=len(leaves),
        )
    if tuple(leaves) != line.leaves or (events[0].id, events[-1].id) != (line.first, line.last):
        raise Differs.at(file, "Seal {number} does not fit its own events.", line.number, number=line.number)
