"""Decide and simulate on the command line, killed three times at random, go on and end in the same bytes."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from tests.core.rules.soak_killed import BOOKS, SALUR, finished, killed, soaked


def test_decide_with_places_killed_three_times_is_the_same_by_diff(tmp_path: Path) -> None:
    assert soaked(tmp_path, 40_000, None, kills=3, seed=5) == 0
    assert (tmp_path / "killed" / "ranks.parquet").exists()


@pytest.mark.parametrize("change", ["highest_decile=3", "elderly_age_least=65"])
def test_simulate_killed_three_times_answers_the_same(change: str, tmp_path: Path) -> None:
    people = tmp_path / "people"
    made = [
        "population",
        "generate",
        "--families",
        "40000",
        "--regencies",
        "11,35,36,51",
        "--out",
        str(people),
    ]
    finished([*SALUR, *made], {})
    words = ["rules", "simulate", str(BOOKS / "pkh.toml"), "--against", "pkh", "--population", str(people)]
    command = [*SALUR, *words, "--sweep", change, "--json", "--csv", str(tmp_path / "out.csv")]

    def own(name: str) -> dict[str, str]:
        return {"SALUR_CACHE": str(tmp_path / name)}

    begun = time.monotonic()
    wanted = finished(command, own("undisturbed"))
    whole = time.monotonic() - begun
    table = (tmp_path / "out.csv").read_bytes()
    (tmp_path / "out.csv").unlink()
    killed(command, own("killed"), whole, 3, random.Random(change), [tmp_path / "killed"])
    assert not (tmp_path / "out.csv").exists()
    assert finished(command, own("killed")) == wanted
    assert (tmp_path / "out.csv").read_bytes() == table
