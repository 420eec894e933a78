"""A population folder and its identities folder as rows for enrolment, province by province, a batch in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import MANIFEST, Population, open_population
from salur.people.bulk import FamilyRow, PersonRow

_BATCH_ROWS = 65_536
_FAMILY = ("family_id", "region", "village")
_FACTS = ("birth_date", "sex")
_IDENTITY = ("person_id", "name", "nik")


@dataclass(frozen=True)
class Folders:
    """A population and, beside it, who its persons are."""

    population: Population
    identities: Path

    @property
    def digest(self) -> str:
        """Names both folders: SHA-256 over the id of the one and the manifest of the other."""
        manifest = (self.identities / MANIFEST).read_bytes()
        return hashlib.sha256(self.population.id.encode() + manifest).hexdigest()

    def families(self) -> Iterator[FamilyRow]:
        for province in self.population.provinces:
            for id_, region, village in _rows(self.population.families(province), _FAMILY):
                yield FamilyRow(id_, region, village or "")

    def persons(self) -> Iterator[PersonRow]:
        """Raises InputError where the two folders do not go together row by row."""
        asked = ("person_id", "family_id", *(name for name in _FACTS if name in self.population.facts))
        for province in self.population.provinces:
            file = self.identities / f"{province}.parquet"
            known, named = _rows(self.population.persons(province), asked), _rows(file, _IDENTITY)
            try:
                for (id_, family, *facts), (same_id, name, nik) in zip(known, named, strict=True):
                    if id_ != same_id:
                        raise ValueError
                    fact = dict(zip(asked[2:], facts, strict=True))
                    yield PersonRow(
                        id_, family, name or "", fact.get("birth_date"), fact.get("sex") or "", nik or ""
                    )
            except ValueError:
                raise InputError.at(file, "The rows are not those of the population's persons.") from None


def _rows(file: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of a Parquet file, these columns in this order."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(_BATCH_ROWS, columns=list(columns)):
            yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def open_folders(population: Path, identities: Path, catalogue: Catalogue) -> Folders:
    """Raises InputError if they are not a population and its identities."""
    opened = open_population(population, catalogue)
    try:
        manifest = json.loads((identities / MANIFEST).read_bytes())
        fits = manifest["kind"] == "identities" and manifest["population"] == opened.id
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError.at(identities, "This is not a folder of identities.") from None
    if not fits:
        raise InputError.at(identities, "The folder holds the identities of another population.")
    return Folders(opened, identities)
