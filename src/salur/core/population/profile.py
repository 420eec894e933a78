"""The profile of Indonesia that the generator follows: `data/profile.toml`, every table with its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from salur.core import toml
from salur.core.faults import InputError

Profile = dict[str, Any]


def read(path: Path | None = None) -> Profile:
    """Read a profile (the shipped one by default). Raises InputError if a table has no source."""
    path = path or Path(str(files("salur.core.population") / "data" / "profile.toml"))
    document = toml.read(path)
    for name, table in document.data.items():
        if name != "format" and not table.get("source"):
            raise InputError.at(path, "The table {name} needs its source.", document.line(name), name=name)
    return document.data


@cache
def shipped() -> Profile:
    """The profile that comes with the package."""
    return read()
