"""The kinds of cases, from `kinds.toml`: who owns them, who may open them, until when they must be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from salur.cases.clock import Span
from salur.core import toml
from salur.core.faults import InputError

FILE = Path(__file__).with_name("kinds.toml")


@dataclass(frozen=True)
class Basis:
    """Where a clock comes from; `checked_on` is None for what nobody has read in the source itself."""

    id: str
    title: Mapping[str, str]  # by language
    source: str
    checked_on: date | None


@dataclass(frozen=True)
class Kind:
    """A row of `kinds.toml`. `escalates_after` counts from the opening, as `clock` does."""

    name: str
    title: Mapping[str, str]  # by language
    owner: str
    opened_by: frozenset[str]
    clock: Span
    escalates_to: str
    escalates_after: Span
    basis: Basis


@cache
def kinds() -> dict[str, Kind]:
    """`kinds.toml`, read once."""
    table = toml.read(FILE).data
    bases = {
        row["id"]: Basis(row["id"], row["title"], row.get("source", ""), row.get("checked_on"))
        for row in table["basis"]
    }
    return {
        name: Kind(
            name,
            row["title"],
            row["owner"],
            frozenset(row["opened_by"]),
            Span(**row["clock"]),
            row["escalation"]["to"],
            Span(**row["escalation"]["after"]),
            bases[row["basis"]],
        )
        for name, row in table["kinds"].items()
    }


def kind(name: str) -> Kind:
    """Raises InputError for a kind that `kinds.toml` does not have."""
    try:
        return kinds()[name]
    except KeyError:
        raise InputError.of("There is no kind of case called {name}.", name=name) from None
