"""Names and test NIKs of a synthetic population, in a folder of their own: never in the population itself.

manifest.json          {"format":1,"kind":"identities","population":id,"files":{…}}
<province>.parquet     person_id, name, nik, in the order of the population's persons
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import InputError
from salur.core.population.draws import Bits
from salur.core.population.generate import Chunk, Generator, Regency
from salur.core.population.layout import MANIFEST, canonical, write_whole
from salur.core.population.names import Names
from salur.core.population.nik import Serials
from salur.core.population.registers import EPOCH
from salur.core.population.slices import Work, require_space

PERSON_BYTES = 24  # of disk for a name and a NIK, measured, rounded up
GROUP = 262_144  # persons in a row group
SCHEMA = pa.schema([("person_id", pa.int64()), ("name", pa.string()), ("nik", pa.string())])
_STREAM = 1  # tells the bits of identities from those of the people


def write_identities(
    generator: Generator, population_id: str, path: Path, *, told: Callable[[int], None] | None = None
) -> bool:
    """Write the identities of all persons of a generated population; whether there was anything to do.

    Resumable and refused like `generate`. The people are drawn again, so that a birth date or sex that is
    unknown in the population still agrees with the NIK.
    """
    arguments = {"kind": "identities", "population": population_id}
    if (path / MANIFEST).exists():
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest.get("population") != population_id:
            raise InputError.at(path, "The folder holds the identities of another population.")
        return False
    require_space(path, 1_000_000 + generator.families * 4 * PERSON_BYTES)
    work = Work(path, arguments, MANIFEST)
    for province in generator.provinces:
        work.make(province, [f"{province}.parquet"], partial(_write, generator, told))
    files = {name: asdict(entry) for name, entry in work.entries().items()}
    manifest = {"format": 1, **arguments, "files": files, "rows": sum(f["rows"] for f in files.values())}
    write_whole(path / MANIFEST, canonical(manifest))
    work.close()
    return True


def _write(
    generator: Generator, told: Callable[[int], None] | None, province: str, paths: Mapping[str, Path]
) -> None:
    names = Names(province)
    serials: dict[str, Serials] = {}
    waiting: list[pa.Table] = []
    (path,) = paths.values()
    ids = {"person_id": "DELTA_BINARY_PACKED", "nik": "DELTA_BYTE_ARRAY", "name": "PLAIN"}
    with pq.ParquetWriter(
        path, SCHEMA, compression="zstd", use_dictionary=False, column_encoding=ids, store_schema=False
    ) as writer:
        for number, chunk, tables in generator.each(province):
            regency = chunk.regency
            if regency.code not in serials:
                serials = {regency.code: Serials(regency.code, districts(regency))}
            person = tables.persons.column("person_id").to_numpy()
            waiting.append(_identities(generator, names, serials[regency.code], number, chunk, person))
            if sum(len(table) for table in waiting) >= GROUP:
                writer.write_table(pa.concat_tables(waiting), row_group_size=1 << 30)
                waiting.clear()
            if told:
                told(chunk.people.families)
        if waiting:
            writer.write_table(pa.concat_tables(waiting), row_group_size=1 << 30)


def districts(regency: Regency) -> tuple[int, ...]:
    """The district numbers of a regency: those of its known villages, else made up, as many as its people need."""
    if regency.villages:
        return tuple(sorted({int(village[6:8]) for village in regency.villages}))
    return tuple(range(1, 100))


def _identities(
    generator: Generator,
    names: Names,
    serials: Serials,
    number: int,
    chunk: Chunk,
    person: npt.NDArray[np.int64],
) -> pa.Table:
    people, regency = chunk.people, chunk.regency
    bits = Bits(generator.seed, regency.number, number, _STREAM)
    name = names.draw(bits, people)
    row = people.start[person // 10 - chunk.first_family_id] + person % 10
    district = _district(bits, chunk, len(serials.districts))
    day = (generator.reference_date - EPOCH).days - people.age_days[row]
    nik = serials.give(district[people.family[row]], day.astype("datetime64[D]"), people.male[row])
    columns: list[Any] = [pa.array(person), name.take(pa.array(row)), nik]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _district(bits: Bits, chunk: Chunk, n: int) -> npt.NDArray[np.int64]:
    """The position of each family's district: its village's, or one of a dozen where villages are not known."""
    if chunk.village is not None:
        known = districts(chunk.regency)
        places = np.array([known.index(int(v[6:8])) for v in chunk.regency.villages], np.int64)
        return np.asarray(places[chunk.village])
    few = min(n, 12)
    return (bits.draw(chunk.people.families).astype(np.int64) * few) >> 16
