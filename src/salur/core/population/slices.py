"""Making a large folder slice by slice (a province each), so that a stop costs one slice and nothing is half done.

While the folder is being made it holds `work.json`: the arguments and every finished slice with the size and
hash of its files. Files are written as `.part` and renamed when whole. A folder made with other arguments is
refused. When all slices are there, the caller writes its manifest and the work file goes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from salur.core.faults import InputError
from salur.core.population.layout import FileEntry, canonical, file_entry, write_whole

WORK = "work.json"
Writer = Callable[[str, Mapping[str, Path]], None]


def free_space(path: Path) -> int:
    """Bytes free where a folder is or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def require_space(path: Path, needed: int) -> None:
    """Raises InputError if the disk has not the room."""
    free = free_space(path)
    if free < needed:
        raise InputError.at(
            path,
            "This needs about {needed} of disk and {free} are free; make room or choose another folder.",
            needed=size_words(needed),
            free=size_words(free),
        )


def size_words(n: int) -> str:
    """
    >>> size_words(1_500_000)
    '1.5 MB'
    """
    size, unit = float(n), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


@contextmanager
def full_disk_is_a_sentence(path: Path) -> Iterator[None]:
    """Turns "no space left on device" into an InputError; what is finished stays."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError.at(
            path, "The disk is full. Make room and run the same command again: finished provinces are kept."
        ) from None


class Work:
    """The slices of a folder that is being made. Raises InputError if the folder belongs to something else."""

    def __init__(self, path: Path, arguments: Mapping[str, Any], manifest: str) -> None:
        self.path, self.arguments = path, dict(arguments)
        self.files: dict[str, dict[str, FileEntry]] = {}
        if (path / manifest).exists():
            raise InputError.at(path, "The folder is already finished; choose another one.")
        with full_disk_is_a_sentence(path):
            path.mkdir(parents=True, exist_ok=True)
            if (path / WORK).exists():
                self._resume()
            elif any(p.name != f"{WORK}.part" for p in path.iterdir()):
                raise InputError.at(path, "The folder is not empty; choose another one.")
            else:
                self._save()

    def make(self, name: str, files: Sequence[str], write: Writer) -> bool:
        """Make one slice with its files unless it is finished; whether there was anything to do."""
        if name in self.files:
            return False
        with full_disk_is_a_sentence(self.path):
            parts = {}
            for file in files:
                target = self.path / file
                target.parent.mkdir(exist_ok=True)
                parts[file] = target.with_name(target.name + ".part")
            write(name, parts)
            entries = {}
            for file, part in parts.items():
                _flush(part)
                entries[file] = file_entry(part)
                part.replace(self.path / file)
            self.files[name] = entries
            self._save()
        return True

    def entries(self) -> dict[str, FileEntry]:
        """All files of the finished slices."""
        return {file: entry for entries in self.files.values() for file, entry in entries.items()}

    def close(self) -> None:
        """The manifest stands: the work file goes."""
        with suppress(FileNotFoundError):
            (self.path / WORK).unlink()

    def _save(self) -> None:
        slices = {name: {file: asdict(e) for file, e in files.items()} for name, files in self.files.items()}
        write_whole(self.path / WORK, canonical({"arguments": self.arguments, "slices": slices}))

    def _resume(self) -> None:
        file = self.path / WORK
        try:
            work = json.loads(file.read_bytes())
            arguments, slices = work["arguments"], work["slices"]
            finished = {
                name: {f: FileEntry(**entry) for f, entry in files.items()} for name, files in slices.items()
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError.at(
                file, "The work file is damaged; remove the folder and start again."
            ) from None
        if canonical(arguments) != canonical(self.arguments):
            changed = sorted(
                k for k in {*arguments, *self.arguments} if arguments.get(k) != self.arguments.get(k)
            )
            raise InputError.at(
                self.path,
                "The folder was begun with other arguments ({changed}); give the same ones or another folder.",
                changed=", ".join(changed),
            )
        self.files = {
            name: files
            for name, files in finished.items()
            if all(_whole(self.path / f, entry) for f, entry in files.items())
        }


def _whole(path: Path, entry: FileEntry) -> bool:
    try:
        if path.stat().st_size != entry.bytes:
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == entry.sha256
    except OSError:
        return False


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
