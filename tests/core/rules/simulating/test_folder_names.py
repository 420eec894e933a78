"""A folder named as columns are (`region=99.99`) is a folder: what it holds is read as anywhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.core.rules.soak_killed import BOOKS, SALUR, finished


@pytest.fixture
def people(tmp_path: Path) -> Path:
    finished([*SALUR, "population", "generate", "--families", "2000", "--out", str(tmp_path / "people")], {})
    return tmp_path / "people"


def test_folders_named_as_columns_change_nothing(people: Path, tmp_path: Path) -> None:
    there = tmp_path / "region=99.99" / "found=false" / "family_id=7"
    shutil.copytree(people, there / "people")
    told = []
    for population, home in ((people, tmp_path / "plain"), (there / "people", there)):
        cache = {"SALUR_CACHE": str(home / "cache")}
        book, given = str(BOOKS / "pkh.toml"), ["--population", str(population)]
        answers = [finished([*SALUR, "population", "verify", str(population), "--json"], cache)]
        for name, more in (("persons", ["--no-family-facts"]), ("sums", [])):
            out = home / name
            finished([*SALUR, "rules", "decide", book, *given, "--out", str(out), *more], cache)
            answers += [(out / "manifest.json").read_text()]
            answers += [
                finished([*SALUR, "rules", "lines", str(out), "--population", str(population)], cache)
            ]
        sweep = ["--against", "pkh", "--sweep", "highest_decile=3..5", "--json"]
        answers += [finished([*SALUR, "rules", "simulate", book, *given, *sweep], cache)]
        told.append([each.replace(str(home), "").replace(str(population), "") for each in answers])
    assert told[0] == told[1]
