"""TOML files with line numbers: the data format of rulebooks, fact catalogues and status words.

`tomllib` reads the values; the small scanner here finds the line on which each key or table stands, because
a fault must be told with its line. Not for writing TOML.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from salur.core.faults import InputError

FILE_BYTES_MOST = 64 * 1024
NESTING_MOST = 16  # tables and arrays inside each other; far above what any format here needs
DOTS_MOST = 64  # in one line outside strings: the parts of a key

Path_ = tuple[str | int, ...]
_HEADER = re.compile(r"^\s*(\[\[?)([^\[\]#]+)\]\]?\s*(?:#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"\n]*"))*)\s*="""
)
# Strings and comments. A string that is never closed is not TOML; it ends somewhere here, so that looking for its
# end again from each quote does not take time without end.
_NOT_CODE = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)'
    r"|'''.*?(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\[^\n])*+"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*",
    re.DOTALL,
)


@dataclass(frozen=True)
class Document:
    """A parsed TOML file: its data, its bytes, and the line of each table and key."""

    path: Path
    data: dict[str, Any]
    raw: bytes
    lines: dict[Path_, int] = field(repr=False)

    def line(self, *path: str | int) -> int:
        """The line of a key, or of the nearest table above it; 0 if nothing of it is there."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0


def read(path: Path) -> Document:
    """Read a TOML file. Raises InputError if it is missing, over 64 KB, not UTF-8, or not TOML."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MOST + 1)
    except FileNotFoundError:
        raise InputError.at(path, "There is no such file.") from None
    except OSError as error:
        raise InputError.at(path, "The file cannot be read: {why}.", why=error.strerror) from None
    if len(raw) > FILE_BYTES_MOST:
        raise InputError.at(path, "The file has more than {most} bytes.", most=FILE_BYTES_MOST)
    return parse(raw, path)


def parse(raw: bytes, path: Path) -> Document:
    """Parse the bytes of a TOML file; `path` is named in faults."""
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError.at(path, "The file is not UTF-8 text; save it as UTF-8.", line) from None
    bare = _NOT_CODE.sub(lambda m: "\n" * m.group().count("\n"), text)
    for number, line_ in enumerate(bare.split("\n"), start=1):
        if line_.count(".") > DOTS_MOST:
            raise InputError.at(path, "A key here has more than {most} parts.", number, most=DOTS_MOST)
    depth = 0
    for position, character in enumerate(bare):
        depth += (character in "[{") - (character in "]}")
        if depth > NESTING_MOST:
            line = bare.count("\n", 0, position) + 1
            raise InputError.at(path, "Brackets are nested more than {most} deep.", line, most=NESTING_MOST)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = re.search(r"\(at line (\d+), column \d+\)", message)
        line = int(found.group(1)) if found else text.count("\n") + 1
        why = re.sub(r"\s*\(at .*\)$", "", message)
        raise InputError.at(path, "This is not valid TOML: {why}.", line, why=why) from None
    except (RecursionError, ValueError) as error:  # a number of 5,000 digits, a key of 1,000 dots
        raise InputError.at(path, "This is not valid TOML: {why}.", why=error) from None
    return Document(path, data, raw, _lines(text))


def _lines(text: str) -> dict[Path_, int]:
    """Where each table header and each key at the start of a line stands."""
    lines: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    table: Path_ = ()
    hidden = _inside_strings(text)
    for number, line in enumerate(text.split("\n"), start=1):
        if number in hidden:
            continue
        if header := _HEADER.match(line):
            names = _names(header.group(2))
            table = _resolve(names, counts)
            if header.group(1) == "[[":
                index = counts.get(table, 0)
                counts[table] = index + 1
                lines.setdefault(table, number)
                table = (*table, index)
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            names = _names(key.group(1))
            for length in range(1, len(names) + 1):
                lines.setdefault((*table, *names[:length]), number)
    return lines


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _resolve(names: tuple[str, ...], counts: dict[Path_, int]) -> Path_:
    """`[criteria.says]` after `[[criteria]]` belongs to the latest element of that array."""
    path: Path_ = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if path in counts and position < len(names) - 1:
            path = (*path, counts[path] - 1)
    return path


def _inside_strings(text: str) -> set[int]:
    """Lines that begin inside a string of several lines: no key stands there."""
    hidden: set[int] = set()
    for match in _NOT_CODE.finditer(text):
        first = text.count("\n", 0, match.start()) + 1
        hidden.update(range(first + 1, first + 1 + match.group().count("\n")))
    return hidden
