"""Populations for measuring: made once per size, kept in a folder of their own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from salur.core import rules
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.population.layout import Population
from salur.core.rules.commands import SHIPPED, read_catalogue
from salur.core.rules.plan import Plan

UNKNOWN_PERCENT = 5.0
REFERENCE_DATE = date(2026, 9, 30)  # the dates in by_hand.sql and in_polars.py hang on it
FOLDER = Path("var/bench")


def population(families: int, regencies: str, folder: Path) -> Path:
    """The folder of a population of this size, made if it is not there yet."""
    path = folder / f"families-{families}-{regencies.replace(',', '-')}"
    if not (path / "manifest.json").exists():
        generator = Generator(
            read_regencies(regencies), families, 1, read_catalogue(None), REFERENCE_DATE, UNKNOWN_PERCENT
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        generate(generator, path)
    return path


def opened(path: Path, programme: str) -> tuple[Plan, Population]:
    """A shipped rulebook on the reference date of a population."""
    catalogue = read_catalogue(None)
    held = rules.open_population(path, catalogue)
    book = rules.read_rulebook(SHIPPED / f"{programme}.toml", catalogue)
    return rules.plan_on(book, held.reference_date), held


def programmes() -> list[str]:
    """The ids of the shipped rulebooks."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml") if path.name != "facts.toml")
