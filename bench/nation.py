"""`python -m bench nation` (`make bench-nation`): all of Indonesia on this machine, stage by stage.

Each stage is a process of its own, measured by the operating system, and noted in nation-FAMILIES.json: stopped, the same
command goes on with the stage that is not yet noted, and each stage goes on inside where it can.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import page
from bench.work import BOOKS

Found = dict[str, Any]
Run = Callable[..., Found]
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
        "statistics by province": ("statistics", facts),
        "scan of families and persons": ("scan", people, book),
        "decide from persons, ranks in each regency": ("decide", people, persons, book),
    }


def measure(given: argparse.Namespace, run: Run) -> Found:
    """Run what is not noted yet; returns everything noted."""
    folder, families = given.folder, given.families
    noted = folder / f"nation-{families}.json"
    found: Found = json.loads(noted.read_text("utf-8")) if noted.exists() else {"stages": {}}
    for name, work in stages(folder, families).items():
        if name in found["stages"]:
            continue
        print(f"{name} …", flush=True)
        found["stages"][name] = run(*work) | {"disk": used(folder)}
        noted.write_text(json.dumps(found | page.machine(given.date), indent=1), "utf-8")
    found |= {"families": families} | page.machine(given.date)
    manifests = [
        (folder / f"{kind}-{families}" / "manifest.json").read_bytes() for kind in ("facts", "persons")
    ]
    found["same"] = manifests[0] == manifests[1]  # they hold the hash of every file
    noted.write_text(json.dumps(found, indent=1), "utf-8")
    return found


def used(folder: Path) -> int:
    """Bytes of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def remove(given: argparse.Namespace) -> None:
    """Remove what the stages made, and keep the figures."""
    for name in ("all", "facts", "persons"):
        shutil.rmtree(given.folder / f"{name}-{given.families}", ignore_errors=True)
    shutil.rmtree(given.folder / "family-facts", ignore_errors=True)
