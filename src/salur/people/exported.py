"""The file of an export by name: a line that says whose copy it is, and the same mark in every row."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db.models import OuterRef, Subquery

from salur.core.faults import InputError
from salur.people.models import Identifier, Person, place
from salur.people.protect import Keys, masked

COLUMNS = ("person", "name", "nik", "birth_date", "village", "copy")
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet would run what begins so


@dataclass(frozen=True)
class Export:
    """What was written."""

    persons: int
    sha256: str


@contextmanager
def being_written(file: Path) -> Iterator[Path]:
    """A private file beside, which takes the name when all went well and is gone otherwise."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    if file.exists():
        raise InputError.at(file, "There is such a file already; choose another name.")
    try:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise InputError.at(file, "The file cannot be written: {why}.", why=error.strerror) from None
        yield part
        os.link(part, file)
    except FileExistsError:
        raise InputError.at(file, "There is such a file already; choose another name.") from None
    finally:
        part.unlink(missing_ok=True)


def write(
    part: Path,
    keys: Keys,
    officer: str,
    now: datetime,
    purpose: str,
    case: str,
    region: str,
    mark: str,
) -> Export:
    """Everyone alive in a region, in the order of their ids."""
    nik = Identifier.objects.filter(person=OuterRef("pk"), kind="nik").values("sealed")
    people = Person.objects.filter(region=region, died_on__isnull=True).order_by("id")
    rows = people.annotate(nik=Subquery(nik)).values_list("id", "name", "birth_date", "village", "nik")
    copy, count = f"{officer} {mark}", 0
    with part.open("w", encoding="utf-8", newline="") as stream:
        stream.write(
            f"# Salur: personal data. Copy {copy} of {now.isoformat()}, {purpose}, {case}, {region}\n"
        )
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for id_, name, birth_date, village, sealed in rows.iterator(chunk_size=2_000):
            shown = masked(keys.open(bytes(sealed), place("nik", f"person:{id_}"))) if sealed else ""
            safe = f"'{name}" if name.startswith(_FORMULA) else name
            writer.writerow((id_, safe, shown, birth_date or "", village, copy))
            count += 1
        stream.flush()
        os.fsync(stream.fileno())
    with part.open("rb") as written:
        return Export(count, hashlib.file_digest(written, "sha256").hexdigest())
