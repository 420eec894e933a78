"""What decisions and simulations keep for the next one, how processes share it, and how it never grows for ever.

    family-facts/<population>/<key>   sums over members, and classes of families: what decisions read, and simulations
                                      of the rulebook that they compare with
    attributes/<key>   what breakdowns need of each family                     (`attributes`)
    members/<population>/<key>   the same of the new rulebook, where no decision has made it   (`classes`)
    samples/<key>      parts of populations                                    (`samples`)
    simulate/<key>     what was counted, so that the same command is answered  (`salur rules simulate`)

Each folder holds a `lock`: its time says when it was used last, and while a process uses the folder it holds the lock.
When one is done and all of them are together larger than MOST, those that nobody uses go, the longest unused first. All
of it may be deleted at any time.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from salur.core.population.layout import Population
from salur.core.rules import engines, family_classes, family_facts
from salur.core.rules.plan import Plan

LOCK = "lock"
MOST = 5_000_000_000  # bytes
TRIES = 100
KINDS = (
    "family-facts/*/*",
    "attributes/*",
    "members/*/*",
    "samples/*",
    "simulate/*",
    "classes/*",
)  # the last: of earlier versions


@contextmanager
def using(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Hold a folder, made if it is not there: with others who only use it, or alone. Waits; the hold of a process that
    is killed ends with it."""
    while True:
        with _lock(folder) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            if not _is_still(folder, stream.fileno()):  # it went while we waited
                continue
            os.utime(stream.fileno())
            yield
            return


def _lock(folder: Path) -> BinaryIO:
    left = TRIES
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return (folder / LOCK).open("ab")
        except (FileExistsError, FileNotFoundError):  # it was there, and went; it was made, and went
            left -= 1
            if not left:
                raise


@contextmanager
def deciding(plan: Plan, population: Population, folder: Path) -> Iterator[None]:
    """Hold what deciding by a plan keeps in a folder of sums and classes; none is made of persons.

    Raises InputError if it cannot be kept.
    """
    kinds = (family_facts, family_classes) if plan.rulebook.unit == "family" else ()
    with ExitStack() as held:
        with engines.sentences(folder):
            for kind in kinds:
                held.enter_context(using(kind.where(plan, population, folder)))
        yield


def _is_still(folder: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat((folder / LOCK).stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def prune(cache: Path, most: int | None = None) -> None:
    """Delete what was not used for the longest time and is not in use, until the rest is small enough."""
    found = [folder for kind in KINDS for folder in cache.glob(kind) if folder.is_dir()]
    sizes = {folder: _bytes(folder) for folder in found}
    left = sum(sizes.values())
    for folder in sorted(found, key=_used):
        if left <= (MOST if most is None else most):
            return
        if _deleted(folder):
            left -= sizes[folder]


def _deleted(folder: Path) -> bool:
    """Whether nobody uses a folder, and it is gone."""
    try:
        with (folder / LOCK).open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(folder, stream.fileno()):
                gone = folder.with_name(f"{folder.name}.gone")
                folder.rename(gone)  # at once, so that nobody finds half of it
                shutil.rmtree(gone, ignore_errors=True)
            return True
    except OSError:  # in use, or another process deletes it
        return False


def _used(folder: Path) -> float:
    try:
        return (folder / LOCK).stat().st_mtime
    except OSError:
        return 0.0


def _bytes(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):  # which passes over folders that go meanwhile
        for name in names:
            with suppress(OSError):
                total += Path(where, name).stat().st_size
    return total
