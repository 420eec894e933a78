"""The only code that writes regions. A list is taken as a whole, in one transaction.

A list with a date says what is in force from that day: names that changed get a new row, codes that are gone
are closed. A list without a date can only add codes and correct names, because nothing says when a change
began. Loading the same list again changes nothing. A load that changed something is one event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from django.db import connection, transaction

from salur.access.policy import Actor, require
from salur.core.faults import Fault, InputError
from salur.journal.services import record
from salur.regions.codes import level_of, parent_of
from salur.regions.lists import RegionList
from salur.regions.models import BEGINNING, Region

BATCH_ROWS = 5_000
RETIRE_MOST = 5_000  # a list of a part of the nation, loaded by mistake as the whole, stops here
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass
class LoadResult:
    """Counts of codes. `missing`: in force, not in this list, and left in force."""

    added: int = 0
    unchanged: int = 0
    renamed: int = 0
    retired: int = 0
    missing: int = 0
    faults: list[Fault] = field(default_factory=list)
    bad_rows: int = 0


@dataclass(frozen=True)
class _Current:
    id: int
    name: str
    valid_from: date


@transaction.atomic
def regions_load(
    *,
    now: datetime,
    actor: Actor,
    listed: RegionList,
    valid_from: date = BEGINNING,
    decree: str = "",
    partial: bool = False,
    retire_most: int = RETIRE_MOST,
    progress: Progress | None = None,
) -> LoadResult:
    """Take a list in force from `valid_from` on; `partial` says that it is not the whole nation.

    Nothing is retired by a partial list, by one without a date, or by one with a bad row (the row may be the
    very code that seems to be gone). Raises InputError if more than `retire_most` codes would be retired.
    """
    require(actor, "regions.regions_load", now=now)
    _lock()
    current = {
        code: _Current(row_id, name, since)
        for row_id, code, name, since in Region.objects.filter(valid_to__isnull=True).values_list(
            "id", "code", "name", "valid_from"
        )
    }
    ended = _ends()
    result = LoadResult(faults=list(listed.faults), bad_rows=listed.bad_rows)
    fresh: list[Region] = []
    corrected: list[Region] = []
    closed: list[int] = []

    def refuse(line: int, template: str, **values: object) -> None:
        result.bad_rows += 1
        result.faults.append(Fault.of(template, **values).at(listed.file, line))

    for code, row in listed.rows.items():
        held = current.get(code)
        if held is not None and held.name == row.name:
            result.unchanged += 1
        elif held is not None and held.valid_from > valid_from:
            refuse(
                row.line,
                "The database holds another name for {code} since {since}; load lists in the order of their "
                "dates (--valid-from).",
                code=code,
                since=held.valid_from,
            )
        elif held is not None and held.valid_from == valid_from:
            corrected.append(Region(id=held.id, name=row.name, decree=decree))
            result.renamed += 1
        elif held is not None:
            closed.append(held.id)
            fresh.append(_region(code, row.name, valid_from, decree))
            result.renamed += 1
        elif (parent := parent_of(code)) and parent not in listed.rows and parent not in current:
            refuse(
                row.line,
                "The parent {parent} of {code} is neither in this list nor in the database.",
                parent=parent,
                code=code,
            )
        elif ended.get(code, BEGINNING) > valid_from:
            refuse(
                row.line,
                "The code {code} was retired on {end}; to bring it back, give a --valid-from not before.",
                code=code,
                end=ended[code],
            )
        else:
            fresh.append(_region(code, row.name, valid_from, decree))
            result.added += 1

    gone = {code: held for code, held in current.items() if code not in listed.rows}
    if partial or valid_from == BEGINNING or result.bad_rows:
        result.missing = 0 if partial else len(gone)
    else:
        ending = [held.id for held in gone.values() if held.valid_from < valid_from]
        if len(ending) > retire_most:
            raise InputError.at(
                listed.file,
                "This list would retire {count} of {all} codes. If it is a part of the nation, add "
                "--partial; if so many are meant, add --retire-most {count}.",
                count=len(ending),
                all=len(current),
            )
        closed += ending
        result.retired, result.missing = len(ending), len(gone) - len(ending)
    _write(fresh, corrected, closed, valid_from, progress)
    _loaded(now, actor, "regions.loaded", listed, result, valid_from)
    return result


@transaction.atomic
def regions_load_retired(
    *, now: datetime, actor: Actor, listed: RegionList, decree: str = "", progress: Progress | None = None
) -> LoadResult:
    """Take a list of codes that are gone. What the database knows already is left as it is.

    The day on which a code ended is rarely known; the list says the last year that carried it, and the code
    is held to be valid to the end of that year.
    """
    require(actor, "regions.regions_load_retired", now=now)
    _lock()
    in_force = set(Region.objects.filter(valid_to__isnull=True).values_list("code", flat=True))
    ended = _ends()
    result = LoadResult(faults=list(listed.faults), bad_rows=listed.bad_rows)
    fresh: list[Region] = []
    for code, row in listed.rows.items():
        if code in in_force:
            result.bad_rows += 1
            result.faults.append(
                Fault.of(
                    "The code {code} is in force; it cannot be in a list of retired codes.", code=code
                ).at(listed.file, row.line)
            )
        elif code in ended:
            result.unchanged += 1
        else:
            fresh.append(_region(code, row.name, BEGINNING, decree, row.valid_to))
            result.retired += 1
    _write(fresh, [], [], BEGINNING, progress)
    _loaded(now, actor, "regions.retired_loaded", listed, result, BEGINNING)
    return result


def _loaded(
    now: datetime, actor: Actor, kind: str, listed: RegionList, result: LoadResult, since: date
) -> None:
    """One event for a load that changed something: counts, and a digest of the rows that were taken."""
    if not result.added + result.renamed + result.retired:
        return
    digest = hashlib.sha256()
    for code, row in sorted(listed.rows.items()):
        digest.update(f"{code}\t{row.name}\t{row.valid_to or ''}\n".encode())
    detail = {
        "added": result.added, "renamed": result.renamed, "retired": result.retired, "bad_rows": result.bad_rows,
        "codes": len(listed.rows), "valid_from": since.isoformat(), "digest": digest.hexdigest(),
    }  # fmt: skip
    record(now=now, actor=actor.ref, kind=kind, detail=detail)


def _region(code: str, name: str, valid_from: date, decree: str, valid_to: date | None = None) -> Region:
    return Region(
        code=code,
        level=level_of(code),
        name=name,
        parent=parent_of(code),
        valid_from=valid_from,
        valid_to=valid_to,
        decree=decree,
    )


def _ends() -> dict[str, date]:
    """When each code that was ever closed was closed last."""
    closed = (
        Region.objects.filter(valid_to__isnull=False).order_by("valid_to").values_list("code", "valid_to")
    )
    return {code: valid_to for code, valid_to in closed if valid_to is not None}


def _lock() -> None:
    """One load at a time. SQLite takes its lock when the transaction begins."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE regions_region IN SHARE ROW EXCLUSIVE MODE")


def _write(
    fresh: list[Region],
    corrected: list[Region],
    closed: list[int],
    valid_to: date,
    progress: Progress | None,
) -> None:
    """Closes first: a code is in force once."""
    total, done = len(fresh) + len(corrected) + len(closed), 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(done, total)

    for ids in _batches(closed):
        Region.objects.filter(id__in=ids).update(valid_to=valid_to)
        advance(len(ids))
    for regions in _batches(corrected):
        Region.objects.bulk_update(regions, ["name", "decree"])
        advance(len(regions))
    for regions in _batches(fresh):
        Region.objects.bulk_create(regions)
        advance(len(regions))


def _batches(items: list[T]) -> Iterable[list[T]]:
    return (items[start : start + BATCH_ROWS] for start in range(0, len(items), BATCH_ROWS))
