"""A generator that is killed anywhere goes on where it was, and what it makes is the same to the byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.core.population.known import FACTS, TODAY

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate
from salur.core.population.layout import open_population
from salur.core.population.slices import require_space

CODES, FAMILIES = "34.71,35.73", 3000
# Kills itself just before the n-th rename, or when the n-th group of rows has been written.
KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from salur.core.population import catalogue
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate

what, left, out, codes, families, day, facts = sys.argv[1:]
left = int(left)

def step(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

if what == "rename":
    sys.addaudithook(lambda event, _: step() if event == "os.rename" else None)
generator = Generator(
    read_regencies(codes), int(families), 5, catalogue.read(Path(facts)), date.fromisoformat(day)
)
generate(generator, Path(out), told=step if what == "rows" else None)
"""


@pytest.fixture(scope="module")
def generator(catalogue: Catalogue) -> Generator:
    return Generator(read_regencies(CODES), FAMILIES, 5, catalogue, TODAY)


@pytest.fixture(scope="module")
def whole(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("whole") / "population"
    generate(generator, path)
    return contents(path)


def contents(path: Path) -> dict[str, bytes]:
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


def killed(what: str, n: int, out: Path) -> bool:
    arguments = [what, str(n), str(out), CODES, str(FAMILIES), TODAY.isoformat(), str(FACTS)]
    ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert ended.returncode in (0, -signal.SIGKILL)
    return ended.returncode != 0


def test_killed_before_each_rename_it_goes_on_to_the_same_bytes(
    generator: Generator, whole: dict[str, bytes], catalogue: Catalogue, tmp_path: Path
) -> None:
    n = 1
    while killed("rename", n, out := tmp_path / str(n)):
        with pytest.raises(InputError, match=r"not finished|not a population"):
            open_population(out, catalogue)
        _, made = generate(generator, out)
        assert made
        assert contents(out) == whole
        n += 1
    assert n == 11  # the work file, 2 provinces of 3 files with the work file after each, the manifest
    assert contents(out) == whole


def test_killed_while_rows_are_written_it_goes_on_to_the_same_bytes(
    generator: Generator, whole: dict[str, bytes], tmp_path: Path
) -> None:
    for n in (1, 2):
        out = tmp_path / str(n)
        assert killed("rows", n, out)
        parts = list(out.rglob("*.part"))
        assert len(parts) == 3
        generate(generator, out)
        assert contents(out) == whole


def test_a_finished_slice_is_not_made_again_but_a_damaged_one_is(
    generator: Generator, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert killed("rename", 6, out)  # the first province is finished
    first = out / "families/34.parquet"
    before = first.stat().st_mtime_ns
    generate(generator, out)
    assert first.stat().st_mtime_ns == before

    out = tmp_path / "damaged"
    assert killed("rename", 6, out)
    others = out / "persons/34.parquet"
    others.write_bytes(others.read_bytes()[:-1] + b"x")
    generate(generator, out)
    assert contents(out) == whole


def test_a_finished_population_is_left_as_it_is(generator: Generator, tmp_path: Path) -> None:
    generate(generator, tmp_path / "out")
    before = contents(tmp_path / "out")
    assert generate(generator, tmp_path / "out")[1] is False
    assert contents(tmp_path / "out") == before


def test_a_folder_of_other_arguments_is_refused(
    generator: Generator, catalogue: Catalogue, tmp_path: Path
) -> None:
    other = Generator(read_regencies(CODES), FAMILIES + 1, 5, catalogue, TODAY)
    out = tmp_path / "out"
    assert killed("rename", 6, out)
    with pytest.raises(InputError, match=r"begun with other arguments \(families\)"):
        generate(other, out)
    generate(generator, out)
    with pytest.raises(InputError, match="never changed"):
        generate(other, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(InputError, match="not empty"):
        generate(generator, tmp_path / "mine")


def test_a_damaged_work_file_is_told(generator: Generator, tmp_path: Path) -> None:
    for raw in (b"{", b"[]", json.dumps({"arguments": {}, "slices": {"35": {"x": {"y": 1}}}}).encode()):
        (tmp_path / "work.json").write_bytes(raw)
        with pytest.raises(InputError, match="damaged"):
            generate(generator, tmp_path)


def test_a_full_disk_is_a_sentence(generator: Generator, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert killed("rename", 2, out)
    part = out / "persons/34.parquet.part"
    part.unlink()
    part.symlink_to("/dev/full")  # the system's own full disk
    with pytest.raises(InputError, match="The disk is full"):
        generate(generator, out)
    part.unlink()
    generate(generator, out)
    assert contents(out) == whole


def test_too_small_a_disk_is_said_before_anything_is_written(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make room or choose another folder"):
        require_space(tmp_path, 10**18)
    with pytest.raises(InputError, match="TB of disk"):
        require_space(tmp_path / "not" / "yet", 10**15)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
