"""Synthetic families and persons that behave like Indonesia's, for tests, benchmarks and demonstrations.

They follow `data/profile.toml` and the official head counts by regency given by the caller. The same
arguments give the same bytes; each chunk of a regency is settled by (seed, regency, number of the chunk), so
that a regency with n families is the same alone or with others. Memory does not grow with the population.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from salur.core.faults import InputError
from salur.core.population import profile as profiles
from salur.core.population.catalogue import Catalogue
from salur.core.population.draws import NORMAL, Bits
from salur.core.population.homes import HomeModel, Homes
from salur.core.population.households import HouseholdModel, Households
from salur.core.population.layout import (
    MANIFEST,
    FactSource,
    Population,
    canonical,
    open_population,
    parquet_writer,
    write_manifest,
)
from salur.core.population.lives import LifeModel
from salur.core.population.registers import Place, Registers, Tables
from salur.core.population.slices import WORK, Work, require_space

VERSION = 1  # of the generator: it changes when the same arguments would give other bytes
CHUNK = 16_384  # families drawn together
GROUP = 122_880  # families in a row group
FAMILY_BYTES = 45  # of disk for a family and its members; 28 to 31 measured from 0.7 to 2 M families
FAMILIES_MOST = 99_999_999  # in one regency, so that ids stay unique
KINDS = ("families", "persons", "truth")
_Drawn = TypeVar("_Drawn")
_IDS = ("family_id", "person_id", "true_welfare", "welfare_score")


@dataclass(frozen=True)
class Regency:
    """A regency or city: its code ("35.10"), its official men and women, its villages where they are known."""

    code: str
    men: int
    women: int
    villages: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return int(self.code.replace(".", ""))


@dataclass(frozen=True)
class Chunk:
    """Some families of a regency: the people as they are, before any register saw them."""

    regency: Regency
    first_family_id: int
    village: npt.NDArray[np.int32] | None  # position in the regency's villages, by family
    people: Households
    homes: Homes


class Generator:
    """The models made ready for one set of arguments.

    `families` are shared out over the regencies by official population. `unknown_percent` replaces the
    profile's rate for every fact. Raises InputError for arguments that make no sense.
    """

    def __init__(
        self,
        regencies: Sequence[Regency],
        families: int,
        seed: int,
        catalogue: Catalogue,
        reference_date: date,
        unknown_percent: float | None = None,
    ) -> None:
        if not regencies:
            raise InputError.of("No regency is chosen.")
        if families < 1 or not 0 <= seed < 2**63:
            raise InputError.of("families must be at least 1, and seed from 0 to 2^63 - 1.")
        if unknown_percent is not None and not 0 <= unknown_percent <= 100:
            raise InputError.of("unknown must be a percentage from 0 to 100.")
        self.profile = profiles.shipped()
        self.regencies = {r.code: r for r in sorted(regencies, key=lambda r: r.code)}
        self.shares = _share_out(list(self.regencies.values()), families)
        self.families, self.seed = families, seed
        self.catalogue, self.reference_date, self.unknown_percent = catalogue, reference_date, unknown_percent
        self.households = HouseholdModel(self.profile)
        self.homes = HomeModel(self.profile)
        self.lives = LifeModel(self.profile)
        self.registers = Registers(
            self.profile, catalogue, self.homes, self.lives, reference_date, unknown_percent
        )
        self._villages = {code: _village_table(r.villages) for code, r in self.regencies.items()}

    @property
    def provinces(self) -> tuple[str, ...]:
        """The provinces with at least one family."""
        return tuple(sorted({code[:2] for code, n in self.shares.items() if n}))

    def arguments(self) -> dict[str, Any]:
        """What settles the bytes; kept in the manifest."""
        regions = [[r.code, r.men, r.women, *r.villages] for r in self.regencies.values()]
        return {
            "name": "salur-synthetic",
            "version": VERSION,
            "seed": self.seed,
            "families": self.families,
            "regencies": list(self.regencies) if len(self.regencies) < 40 else len(self.regencies),
            "regions_sha256": hashlib.sha256(canonical(regions)).hexdigest(),
            "profile_sha256": hashlib.sha256(canonical(self.profile)).hexdigest(),
            "catalogue_sha256": self.catalogue.sha256,
            "reference_date": self.reference_date.isoformat(),
            "unknown_percent": self.unknown_percent,
        }

    def chunks(self, province: str) -> list[tuple[Regency, int, int]]:
        """The chunks of a province in order: regency, number, families."""
        return [
            (regency, number, min(CHUNK, n - number * CHUNK))
            for code, regency in self.regencies.items()
            if code[:2] == province and (n := self.shares[code])
            for number in range(-(-n // CHUNK))
        ]

    def people(self, regency: Regency, number: int, n: int) -> tuple[Bits, Chunk]:
        """Draw the people of a chunk; the bits go on to their lives and registers."""
        bits = Bits(self.seed, regency.number, number)
        men_share = regency.men / max(regency.men + regency.women, 1)
        people = self.households.draw(bits, n, men_share)
        village = None
        urban = np.full(n, self.homes.urban_share(regency.code), np.float32)
        if regency.villages:
            village = self._villages[regency.code][bits.draw(n)]
            shares = [self.homes.village_urban(regency.code, v) for v in regency.villages]
            urban = np.array(shares, np.float32)[village]
        homes = self.homes.draw(bits, regency.code, people.size, urban)
        first = regency.number * (FAMILIES_MOST + 1) + number * CHUNK + 1
        return bits, Chunk(regency, first, village, people, homes)

    def draw(
        self, regency: Regency, number: int, n: int, regions: list[str], villages: list[str]
    ) -> tuple[Chunk, Tables]:
        """A chunk as it is, and as the registers know it. `regions`, `villages`: of the province, in order."""
        bits, chunk = self.people(regency, number, n)
        lives = self.lives.draw(bits, chunk.people, chunk.homes, self.reference_date)
        village = chunk.village
        if village is not None:
            places = {code: i for i, code in enumerate(villages)}
            village = np.array([places[v] for v in regency.villages], np.int32)[village]
        place = Place(
            pa.array(regions), regions.index(regency.code), pa.array(villages, pa.string()), village
        )
        rows = self.registers.tables(bits, chunk.first_family_id, place, chunk.people, chunk.homes, lives)
        return chunk, rows

    def each(self, province: str) -> Iterator[tuple[int, Chunk, Tables]]:
        """The chunks of a province in their order, with their number in the regency."""
        plan = self.chunks(province)
        regions = sorted({regency.code for regency, _, _ in plan})
        villages = sorted({v for regency, _, _ in plan for v in regency.villages})

        def draw(step: tuple[Regency, int, int]) -> tuple[Chunk, Tables]:
            regency, number, n = step
            return self.draw(regency, number, n, regions, villages)

        drawn = _in_order(draw, plan)
        for (_, number, _), (chunk, tables) in zip(plan, drawn, strict=True):
            yield number, chunk, tables

    def write(
        self, province: str, paths: Mapping[str, Path], told: Callable[[int], None] | None = None
    ) -> None:
        """Write the three files of a province; `told` hears how many families were written."""
        with ExitStack() as stack:
            writers = {
                kind: stack.enter_context(parquet_writer(path, self.registers.schemas[kind], _IDS))
                for kind, path in zip(KINDS, paths.values(), strict=True)
            }
            waiting: list[Tables] = []
            for _, _, tables in self.each(province):
                waiting.append(tables)
                if sum(len(t.families) for t in waiting) >= GROUP:
                    _write_group(writers, waiting, told)
            if waiting:
                _write_group(writers, waiting, told)


def generate(
    generator: Generator,
    path: Path,
    *,
    told: Callable[[int], None] | None = None,
) -> tuple[Population, bool]:
    """Make the population, or go on where a stopped run left off; a finished one with the same arguments is
    left as it is. Returns it and whether anything was made.

    Raises InputError if the folder was made otherwise, or the disk has not the room.
    """
    arguments = generator.arguments()
    if (path / MANIFEST).exists():
        population = open_population(path, generator.catalogue)
        if canonical(population.generator) != canonical(arguments):
            raise InputError.at(
                path, "The folder holds another population; it is never changed. Choose another folder."
            )
        (path / WORK).unlink(missing_ok=True)  # left by a stop just after the manifest
        return population, False
    require_space(path, needed_bytes(generator))
    work = Work(path, arguments, MANIFEST)
    for province in generator.provinces:
        files = [f"{kind}/{province}.parquet" for kind in KINDS]
        if not work.make(province, files, lambda name, paths: generator.write(name, paths, told)) and told:
            told(sum(n for _, _, n in generator.chunks(province)))
    facts = {
        name: FactSource(fact.register.id, generator.reference_date)
        for name, fact in generator.registers.facts.items()
    }
    write_manifest(
        path,
        reference_date=generator.reference_date,
        facts=facts,
        files=work.entries(),
        generator=arguments,
    )
    work.close()
    return open_population(path, generator.catalogue), True


def needed_bytes(generator: Generator) -> int:
    """About how much disk the population takes."""
    return 1_000_000 + generator.families * FAMILY_BYTES


def _share_out(regencies: list[Regency], families: int) -> dict[str, int]:
    """Families by regency in proportion to its people; what is left goes to the largest remainders."""
    people = [r.men + r.women for r in regencies]
    total = sum(people)
    if total <= 0:
        raise InputError.of("The chosen regencies have no people.")
    shares = [families * p // total for p in people]
    remainders = sorted(range(len(people)), key=lambda i: (-(families * people[i] % total), i))
    for i in remainders[: families - sum(shares)]:
        shares[i] += 1
    if max(shares) > FAMILIES_MOST:
        raise InputError.of("A regency can have at most {most} families.", most=FAMILIES_MOST)
    return {r.code: n for r, n in zip(regencies, shares, strict=True)}


def _village_table(villages: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """65,536 places shared out over the villages: unequal sizes (log-normal), settled by their codes alone."""
    if not villages:
        return np.zeros(0, np.int32)
    draws = [int.from_bytes(hashlib.sha256(f"size {v}".encode()).digest()[:2], "big") for v in villages]
    weights = np.exp(0.55 * NORMAL[draws].astype(np.float64))
    bounds = np.rint(weights.cumsum() / weights.sum() * 65536)
    return np.searchsorted(bounds, np.arange(65536), side="right").astype(np.int32)


def _in_order(draw: Callable[[Any], _Drawn], plan: Sequence[Any]) -> Iterator[_Drawn]:
    """Draw chunks in two threads, a few ahead, and give them back in their order."""
    with ThreadPoolExecutor(2) as threads:
        ahead: deque[Future[_Drawn]] = deque()
        try:
            for item in plan:
                ahead.append(threads.submit(draw, item))
                if len(ahead) > 3:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


def _write_group(
    writers: Mapping[str, pq.ParquetWriter], waiting: list[Tables], told: Callable[[int], None] | None
) -> None:
    for kind, writer in writers.items():
        table = pa.concat_tables([getattr(tables, kind) for tables in waiting]).unify_dictionaries()
        writer.write_table(table, row_group_size=max(len(table), 1))
    if told:
        told(sum(len(tables.families) for tables in waiting))
    waiting.clear()
