"""The kinds of evidence for a correction, from `evidence.toml`: what an officer chooses, and what the family reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from salur.core import toml
from salur.core.faults import InputError

FILE = Path(__file__).with_name("evidence.toml")


@dataclass(frozen=True)
class Kind:
    """A row of `evidence.toml`."""

    name: str
    title: Mapping[str, str]  # by language
    says: Mapping[str, str]
    since: date
    until: date | None  # the last day; None: it can be chosen

    def holds(self, on: date) -> bool:
        return self.since <= on and (self.until is None or on <= self.until)


@cache
def kinds() -> dict[str, Kind]:
    """Every kind that ever was, read once."""
    return {
        name: Kind(name, row["title"], row["says"], row["from"], row.get("until"))
        for name, row in toml.read(FILE).data["kinds"].items()
    }


def choices(on: date) -> list[Kind]:
    """What can be chosen on a day."""
    return [kind for kind in kinds().values() if kind.holds(on)]


def check(name: str, on: date) -> None:
    """Raises InputError for what cannot be chosen on a day."""
    if name not in kinds() or not kinds()[name].holds(on):
        raise InputError.of("Choose what was seen: one of {all}.", all=", ".join(k.name for k in choices(on)))
