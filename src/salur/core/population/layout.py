"""The population folder: an immutable snapshot of families and persons, known by the hash of its manifest.

Fixed format: DESIGN section 7, written out in docs/population.md.

    manifest.json                canonical JSON; its SHA-256 is the population's id
    families/<province>.parquet  family_id, region, village, found, members_known, one column per family fact
    persons/<province>.parquet   person_id, family_id, region, one column per person fact
    truth/<province>.parquet     only in synthetic populations: what no register knows (never a fact)

Beside a fact may stand `<fact>__as_of`, a date, where the date differs by row. NULL means unknown. No name,
identity number or account number is ever in a population. This module reads footers only; `verify`
reads rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import Fault, InputError
from salur.core.population.catalogue import Catalogue, Fact, Type

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_BYTES_MOST = 1 << 20
AS_OF = "__as_of"
FAMILY_COLUMNS = {
    "family_id": pa.int64(),
    "region": pa.string(),
    "village": pa.string(),
    "found": pa.bool_(),
    "members_known": pa.bool_(),
}
PERSON_COLUMNS = {"person_id": pa.int64(), "family_id": pa.int64(), "region": pa.string()}
TRUTH_COLUMNS = {"family_id": pa.int64(), "true_welfare": pa.int64(), "true_decile": pa.int64()}
TYPES: Mapping[Type, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "date": pa.date32(),
    "category": pa.string(),
}
_FILE = re.compile(r"(families|persons|truth)/([0-9]{2})\.parquet")
_SQL_NAMES = {pa.bool_(): "BOOLEAN", pa.int64(): "BIGINT", pa.date32(): "DATE", pa.string(): "VARCHAR"}


@dataclass(frozen=True)
class FactSource:
    """Where a fact comes from (a register id of the catalogue) and the date on which it was true."""

    source: str
    as_of: date


@dataclass(frozen=True)
class FileEntry:
    """What the manifest says of one file."""

    bytes: int
    rows: int
    sha256: str


@dataclass(frozen=True)
class Population:
    """An opened population. `facts` are those present as columns, `provinces` sorted codes, `rows` counts
    of families and persons, `as_of_columns` the facts that carry a date of their own in each row."""

    path: Path
    id: str
    reference_date: date
    facts: Mapping[str, FactSource]
    provinces: tuple[str, ...]
    rows: Mapping[str, int]
    as_of_columns: frozenset[str]
    files: Mapping[str, FileEntry]
    generator: Mapping[str, Any] | None = None

    def families(self, province: str) -> Path:
        """The families of a province, ordered by region and family_id."""
        return self.path / "families" / f"{province}.parquet"

    def persons(self, province: str) -> Path:
        """The persons of a province, ordered by region, family_id and person_id."""
        return self.path / "persons" / f"{province}.parquet"

    def truth(self, province: str) -> Path:
        """The hidden welfare of a synthetic province; there is no such file in a real population."""
        return self.path / "truth" / f"{province}.parquet"


def open_population(path: Path, catalogue: Catalogue) -> Population:
    """Open a population after a light look: the manifest is sane, each of its files is there with its size,
    a readable footer and the right columns. Rows are not read: that is `verify`.

    Raises InputError with every fault found.
    """
    plain_name(path)
    raw = _manifest_bytes(path)
    population, faults = _parse(path, raw, catalogue)
    if population is not None:
        columns: dict[str, frozenset[str]] = {}
        for name, entry in population.files.items():
            faults += _file_faults(population, name, entry, catalogue, columns)
        as_of = columns.get("families", frozenset()) | columns.get("persons", frozenset())
        if not faults:
            return replace(population, as_of_columns=as_of)
    raise InputError(faults)


def plain_name(path: Path) -> None:
    """Refuse a folder whose name an engine would read as a pattern for several files. Raises InputError."""
    if set("*?[") & set(str(path)):
        raise InputError.at(path, "The name of a folder must not hold * ? or [; choose another name.")


def verify(
    population: Population,
    catalogue: Catalogue,
    *,
    provinces: Sequence[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Fault]:
    """Read every row and return what is wrong, at most 20 faults a file. See `verification`."""
    from salur.core.population import verification  # DuckDB is loaded only by those who verify

    return verification.verify(population, catalogue, provinces=provinces, progress=progress)


def write_manifest(
    path: Path,
    *,
    reference_date: date,
    facts: Mapping[str, FactSource],
    files: Mapping[str, FileEntry] | None = None,
    generator: Mapping[str, Any] | None = None,
) -> str:
    """Write manifest.json as the last act of making a population, whole or not at all; returns the id.

    `files` by name ("families/35.parquet"); if None, the files of the folder are read and hashed.
    """
    if files is None:
        found = sorted(p for kind in ("families", "persons", "truth") for p in path.glob(f"{kind}/*.parquet"))
        files = {f"{p.parent.name}/{p.name}": file_entry(p) for p in found}
    rows = {
        kind: sum(entry.rows for name, entry in files.items() if name.startswith(f"{kind}/"))
        for kind in ("families", "persons")
    }
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "reference_date": reference_date.isoformat(),
        "facts": {name: {"source": f.source, "as_of": f.as_of.isoformat()} for name, f in facts.items()},
        "rows": rows,
        "files": {name: asdict(entry) for name, entry in files.items()},
    }
    if generator is not None:
        manifest["generator"] = dict(generator)
    raw = canonical(manifest)
    write_whole(path / MANIFEST, raw)
    return hashlib.sha256(raw).hexdigest()


def parquet_writer(path: Path, schema: pa.Schema, ascending: Collection[str]) -> pq.ParquetWriter:
    """A writer whose bytes repeat. `ascending`: columns that are near their neighbours, where they are numbers."""
    numbers = {field.name for field in schema if pa.types.is_integer(field.type)}  # a fact may have any name
    ids = {name: "DELTA_BINARY_PACKED" for name in schema.names if name in numbers.intersection(ascending)}
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in schema.names if name not in ids],
        column_encoding=ids,
        store_schema=False,
    )


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no blanks, UTF-8: the same value always has the same bytes.

    >>> canonical({"b": 1, "a": "é"}).decode()
    '{"a":"é","b":1}'
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def write_whole(path: Path, raw: bytes) -> None:
    """Write a file so that it is either not there or whole, also after a power cut."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def file_entry(path: Path) -> FileEntry:
    """Measure a Parquet file: bytes, rows (from its footer), SHA-256."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileEntry(path.stat().st_size, pq.read_metadata(path).num_rows, digest)


def columns_of(kind: str, facts: Mapping[str, Fact], as_of: frozenset[str]) -> dict[str, pa.DataType]:
    """The columns of a file in their order: its own, then each fact with its date beside it if it has one."""
    columns = dict({"families": FAMILY_COLUMNS, "persons": PERSON_COLUMNS, "truth": TRUTH_COLUMNS}[kind])
    for fact in facts.values():
        if kind == {"family": "families", "person": "persons"}[fact.unit]:
            columns[fact.name] = TYPES[fact.type]
            if fact.name in as_of:
                columns[fact.name + AS_OF] = pa.date32()
    return columns


# ---- the manifest ----------------------------------------------------------------------------------------


def _manifest_bytes(path: Path) -> bytes:
    file = path / MANIFEST
    if not path.is_dir():
        raise InputError.at(path, "There is no such folder; give the folder of a population.")
    try:
        if file.stat().st_size > MANIFEST_BYTES_MOST:
            raise InputError.at(
                file, "The manifest is larger than {most} bytes.", most=str(MANIFEST_BYTES_MOST)
            )
        return file.read_bytes()
    except FileNotFoundError:
        if any((path / kind).is_dir() for kind in ("families", "persons")):
            raise InputError.at(
                path,
                "The population is not finished: it has no manifest.json. Run what makes it again to go on.",
            ) from None
        raise InputError.at(path, "This is not a population: it has no manifest.json.") from None
    except OSError as error:
        raise InputError.at(file, "The manifest cannot be read: {why}.", why=error.strerror) from None


def _parse(path: Path, raw: bytes, catalogue: Catalogue) -> tuple[Population | None, list[Fault]]:
    file = path / MANIFEST
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return None, [Fault.of("This is not valid JSON: {why}.", why=error).at(file)]
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return None, [Fault.of('The manifest must be an object with "format":{n}.', n=FORMAT).at(file)]
    faults: list[Fault] = []

    def fault(template: str, **values: object) -> None:
        faults.append(Fault.of(template, **values).at(file))

    for key in sorted(data.keys() - {"format", "reference_date", "facts", "rows", "files", "generator"}):
        fault("{key} is not a key of a manifest.", key=key)
    try:
        as_written = canonical(data) == raw
    except ValueError:
        as_written = False
    if not as_written:
        fault("The manifest is not in canonical form (sorted keys, no blanks): it was edited; make it again.")
    reference_date = _date(data.get("reference_date"))
    if reference_date is None:
        fault("reference_date must be a date like 2026-01-31.")
    facts = dict(_facts(data.get("facts"), catalogue, fault))
    files = dict(_files(data.get("files"), fault))
    provinces = {kind: set[str]() for kind in ("families", "persons", "truth")}
    for name in files:
        provinces[name.split("/")[0]].add(name[-10:-8])
    for code in sorted(provinces["families"] ^ provinces["persons"]):
        fault("Province {code} needs both families/{code}.parquet and persons/{code}.parquet.", code=code)
    for code in sorted(provinces["truth"] - provinces["families"]):
        fault("truth/{code}.parquet has no families beside it.", code=code)
    if not files:
        fault("The manifest names no file.")
    rows = data.get("rows")
    counted = {
        kind: sum(e.rows for n, e in files.items() if n.startswith(kind)) for kind in ("families", "persons")
    }
    if rows != counted or any(type(n) is not int for n in rows.values()):
        fault("rows must be the sums of the files' rows, {expected}.", expected=canonical(counted).decode())
    generator = data.get("generator")
    if generator is not None and not isinstance(generator, dict):
        fault("generator must be an object.")
        generator = None
    population = Population(
        path, hashlib.sha256(raw).hexdigest(), reference_date or date.min, facts,
        tuple(sorted(provinces["families"])), counted, frozenset(), files, generator,
    )  # fmt: skip
    return population, faults


def _facts(
    value: object, catalogue: Catalogue, fault: Callable[..., None]
) -> Iterator[tuple[str, FactSource]]:
    if not isinstance(value, dict):
        fault("facts must be an object of facts with their source and as_of.")
        return
    for name, entry in value.items():
        if name not in catalogue.facts:
            fault("The fact {name} is not declared in the fact catalogue.", name=name)
            continue
        as_of = _date(entry.get("as_of")) if isinstance(entry, dict) else None
        source = entry.get("source") if isinstance(entry, dict) else None
        if as_of is None or set(entry) != {"source", "as_of"}:
            fault("The fact {name} needs a source and an as_of date, and nothing else.", name=name)
        elif not isinstance(source, str) or source not in catalogue.registers:
            fault("The source of {name} is not a register of the fact catalogue: {source}.",
                  name=name, source=source)  # fmt: skip
        else:
            yield name, FactSource(source, as_of)


def _files(value: object, fault: Callable[..., None]) -> Iterator[tuple[str, FileEntry]]:
    if not isinstance(value, dict):
        fault("files must be an object of file names with their bytes, rows and sha256.")
        return
    for name, entry in value.items():
        if not _FILE.fullmatch(name):
            fault("{name} is not a file of a population (families/35.parquet).", name=name)
            continue
        match entry:
            case {"bytes": int(size), "rows": int(rows), "sha256": str(sha256), **rest} if (
                not rest
                and type(size) is type(rows) is int
                and size >= 0
                and rows >= 0
                and re.fullmatch("[0-9a-f]{64}", sha256)
            ):
                yield name, FileEntry(size, rows, sha256)
            case _:
                fault("The entry of {name} must hold bytes, rows and sha256.", name=name)


def _date(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


# ---- the files -------------------------------------------------------------------------------------------


def _file_faults(
    population: Population,
    name: str,
    entry: FileEntry,
    catalogue: Catalogue,
    as_of_seen: dict[str, frozenset[str]],
) -> list[Fault]:
    """Faults of size, footer and columns. The first file of a kind settles which facts carry `__as_of`."""
    path = population.path / name
    try:
        size = path.stat().st_size
    except OSError:
        return [
            Fault.of("The file is missing: the population is incomplete; make or fetch it again.").at(path)
        ]
    if size != entry.bytes:
        return [
            Fault.of(
                "The file has {size} bytes and the manifest says {bytes}: it is cut off or changed; "
                "make or fetch it again.",
                size=size,
                bytes=entry.bytes,
            ).at(path)
        ]
    try:
        with pq.ParquetFile(path) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        return [Fault.of("This is not a readable Parquet file: {why}.", why=why).at(path)]
    faults = []
    if rows != entry.rows:
        faults.append(
            Fault.of("The file has {n} rows and the manifest says {rows}.", n=rows, rows=entry.rows).at(path)
        )
    kind = name.split("/")[0]
    facts = {n: catalogue.facts[n] for n in population.facts}
    as_of = frozenset(n for n in facts if n + AS_OF in schema.names)
    wanted = columns_of(kind, facts, as_of_seen.setdefault(kind, as_of))
    for column, type_ in wanted.items():
        if (count := schema.names.count(column)) != 1:
            what = Fault.of("missing") if count == 0 else Fault.of("there twice")
            faults.append(Fault.of("The column {column} is {what}.", column=column, what=what).at(path))
        elif _plain(schema.field(column).type) != type_:
            faults.append(
                Fault.of(
                    "The column {column} is {found}; expected {type}.",
                    column=column,
                    found=schema.field(column).type,
                    type=_SQL_NAMES[type_],
                ).at(path)
            )
    faults += [
        Fault.of(
            "The column {column} is not declared in the manifest and does not belong here.", column=n
        ).at(path)
        for n in dict.fromkeys(schema.names)
        if n not in wanted
    ]
    return faults


def _plain(type_: pa.DataType) -> pa.DataType:
    """Text is text, however Arrow holds it in memory."""
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    return pa.string() if pa.types.is_large_string(type_) or pa.types.is_string_view(type_) else type_
