"""`python -m bench nation` (`make bench-nation`): all of Indonesia on this machine, stage by stage.

Each stage is a process of its own, measured by the operating system, and noted in noted.json: stopped, the same
command goes on with the stage that is not yet noted, and a stage goes on with the province that is not yet there (then
its figures are those of the last part alone, and the page says so).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import page
from bench.work import BOOKS

Found = dict[str, Any]
Run = Callable[..., Found]
OUTSIDE, INSIDE = "simulate, change outside aggregates", "simulate, change inside aggregates"
RANKED = """
[parameters.places]
label  = {{ id = "Tempat per kabupaten/kota", en = "Places in each regency" }}
values = [ {{ from = 2025-02-05, value = {places}, basis = "desil-2025" }} ]

[quota]
by     = "regency"
places = "places"
counts = "families"
rank   = "welfare_score"
"""


def ranked(folder: Path, families: int) -> Path:
    """PKH with places in each regency for the poorest, some fewer than could have one: a rulebook with ranks."""
    own = folder / "pkh-ranked.toml"
    places = max(1, families * 6 // 100 // 514)
    own.write_text((BOOKS / "pkh.toml").read_text("utf-8") + RANKED.format(places=places), "utf-8")
    return own


def stages(folder: Path, families: int) -> dict[str, tuple[Any, ...]]:
    """Each stage and its work."""
    people, book = folder / f"all-{families}", ranked(folder, families)
    facts, persons = folder / f"facts-{families}", folder / f"persons-{families}"
    cache = folder / "family-facts"
    return {
        "generate": ("generate", people, families, "all"),
        "verify": ("verify_once", people),
        "family facts": ("prepare", people, book, cache),
        "classes of families": ("classify", people, book, cache),
        "scan of families and family facts": ("scan", people, book, cache),
        "decide from family facts, ranks in each regency": (
            "decide",
            people,
            facts,
            book,
            "duckdb",
            "",
            cache,
        ),
        "statistics by province, noted when deciding": ("statistics", facts),
        "statistics counted anew from the masks": ("counted", facts),
        "scan of families and persons": ("scan", people, book),
        "decide from persons, ranks in each regency": ("decide", people, persons, book),
        "simulate, the first time: attributes of families": ("simulate", people, "highest_decile", 5, folder),
        OUTSIDE: ("simulate", people, "highest_decile", 3, folder),
        INSIDE: ("simulate", people, "elderly_age_least", 65, folder),
    }


def measure(folder: Path, families: int, day: str, run: Run) -> Found:
    """Run what is not noted yet; returns everything noted."""
    folder.mkdir(parents=True, exist_ok=True)
    noted = folder / "noted.json"
    found: Found = json.loads(noted.read_text("utf-8")) if noted.exists() else {}
    if found.get("families") != families:
        found = {"families": families, "stages": {}, "begun": []}
    for name, work in stages(folder, families).items():
        if name in found["stages"]:
            continue
        again = name in found["begun"]
        found["begun"] = [name]
        _note(noted, found | page.machine(day))
        begun = time.monotonic()
        done = run(*work) | {"wall": time.monotonic() - begun, "again": again, "disk": used(folder)}
        found["stages"][name] = done
        _note(noted, found | page.machine(day))
    found["stages"] = {name: found["stages"][name] for name in stages(folder, families)}
    facts, persons = (folder / f"{kind}-{families}" / "manifest.json" for kind in ("facts", "persons"))
    found |= {"same": facts.read_bytes() == persons.read_bytes()} | page.machine(
        day
    )  # with every file's hash
    _note(noted, found)
    return found


def _note(file: Path, found: Found) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1), "utf-8")
    part.replace(file)


def used(folder: Path) -> int:
    """Bytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
