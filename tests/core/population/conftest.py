"""Small real populations, made once and copied for tests that break them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.core.population.known import FACTS, TODAY

from salur.core.population import catalogue as catalogues
from salur.core.population.catalogue import Catalogue
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.population.layout import Population


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return catalogues.read(FACTS)


@pytest.fixture(scope="session")
def banyuwangi(catalogue: Catalogue) -> Generator:
    """40,000 families of one regency: three chunks, villages known."""
    return Generator(read_regencies("35.10"), 40_000, 7, catalogue, TODAY)


@pytest.fixture(scope="session")
def large(
    banyuwangi: Generator, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Population:
    return generate(banyuwangi, tmp_path_factory.mktemp("large") / "population")[0]


@pytest.fixture(scope="session")
def _two_provinces(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "population"
    generate(Generator(read_regencies("35.10,35.73,51.71"), 600, 3, catalogue, TODAY), path)
    return path


@pytest.fixture
def small(_two_provinces: Path, tmp_path: Path) -> Path:
    """600 families in three regencies of two provinces, free to be broken."""
    return Path(shutil.copytree(_two_provinces, tmp_path / "small"))


@pytest.fixture(scope="session")
def make(catalogue: Catalogue) -> Callable[..., Population]:
    """Make a population of some regencies in a folder."""

    def _make(
        path: Path, codes: str, families: int, seed: int = 7, unknown: float | None = None
    ) -> Population:
        generator = Generator(read_regencies(codes), families, seed, catalogue, TODAY, unknown)
        return generate(generator, path)[0]

    return _make
