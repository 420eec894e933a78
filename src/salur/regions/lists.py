"""Lists of regions as CSV or CSV.gz: read line by line; a bad row is named and waits, good rows go on.

Two kinds: the list in force (`code,name`) and the list of codes that are gone (`code,name,last_seen`, the
last year whose list carried the code). Other columns are ignored. A fault never repeats a value: the file may
be the wrong one and full of people.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from importlib import resources
from pathlib import Path

from salur.core.faults import Fault, InputError
from salur.regions.codes import is_code
from salur.regions.models import BEGINNING, NAME_LENGTH_MOST

ROWS_MOST = 1_000_000  # the nation has 91,599
FAULTS_KEPT_MOST = 1_000
YEAR_MOST = 9998


@dataclass(frozen=True)
class Row:
    """`valid_to` is exclusive; None in a list in force."""

    name: str
    line: int
    valid_to: date | None = None


@dataclass
class RegionList:
    """The good rows by code, in the order of the file, and what is wrong with the bad ones."""

    file: str
    rows: dict[str, Row] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    bad_rows: int = 0

    def refuse(self, line: int, template: str, **values: object) -> None:
        self.bad_rows += 1
        if len(self.faults) < FAULTS_KEPT_MOST:
            self.faults.append(Fault.of(template, **values).at(self.file, line))


def shipped() -> list[Path]:
    """The lists that the product carries: provinces, regencies, and the demo regency down to its villages."""
    folder = Path(str(resources.files("salur.regions"))) / "data"
    return [folder / "regencies.csv", folder / "villages_35_10.csv"]


def read(path: Path, *, retired: bool = False) -> RegionList:
    """Read a list. Raises InputError if the file as a whole cannot be used."""
    wanted = ("code", "name", "last_seen") if retired else ("code", "name")
    listed = RegionList(file=str(path))
    try:
        for line, record in _records(path, wanted):
            _take(listed, line, record, retired=retired)
    except FileNotFoundError:
        raise InputError.at(path, "There is no such file.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InputError.at(path, "The file is damaged or not gzip; fetch it again.") from None
    except UnicodeDecodeError:
        raise InputError.at(path, "The file is not UTF-8 text; save it as UTF-8.") from None
    except csv.Error as error:
        raise InputError.at(path, "This is not a valid CSV file: {why}.", why=error) from None
    except (IsADirectoryError, PermissionError) as error:
        raise InputError.at(path, "The file cannot be read: {why}.", why=error.strerror) from None
    if not listed.rows and not listed.bad_rows:
        raise InputError.at(path, "The file has no rows below its header.")
    return listed


def _records(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, list[str] | None]]:
    """Line number and the wanted fields of every row that is not empty; None for a row of another length."""
    packed = path.suffix == ".gz"
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if packed
        else path.open(encoding="utf-8-sig", newline="")
    ) as text:
        reader = csv.reader(text, strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in wanted if name not in header]:
            raise InputError.at(
                path,
                "The header must have the columns {wanted}; {missing} is missing.",
                1,
                wanted=", ".join(wanted),
                missing=", ".join(missing),
            )
        places = [header.index(name) for name in wanted]
        for count, record in enumerate(reader, start=1):
            if count > ROWS_MOST:
                raise InputError.at(path, "The file has more than {most} rows.", most=f"{ROWS_MOST:,}")
            if not record:
                continue
            fits = len(record) == len(header)
            yield reader.line_num, [record[place].strip() for place in places] if fits else None


def _take(listed: RegionList, line: int, record: list[str] | None, *, retired: bool) -> None:
    if record is None:
        listed.refuse(line, "The row has another number of fields than the header.")
        return
    code, name = record[0], record[1]
    if not is_code(code):
        listed.refuse(
            line,
            "The field code must look like 35, 35.10, 35.10.01 or 35.10.01.2001.",
        )
    elif not name or len(name) > NAME_LENGTH_MOST or not name.isprintable():
        listed.refuse(
            line, "The field name must have 1 to {most} printable characters.", most=NAME_LENGTH_MOST
        )
    elif code in listed.rows:
        listed.refuse(
            line,
            "The field code repeats the code of line {first}; a code stands once in a list.",
            first=listed.rows[code].line,
        )
    elif not retired:
        listed.rows[code] = Row(name, line)
    elif not (
        record[2].isascii() and record[2].isdecimal() and BEGINNING.year <= int(record[2]) <= YEAR_MOST
    ):
        listed.refuse(line, "The field last_seen must be a year such as 2022.")
    else:
        listed.rows[code] = Row(name, line, valid_to=date(int(record[2]) + 1, 1, 1))
