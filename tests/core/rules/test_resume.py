"""Deciding goes on after being killed and ends in the same bytes; a damaged input or a full disk is a sentence."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tests import postgres
from tests.core.rules import deciding, rich_sample
from tests.core.rules.deciding import ON, REFUSED, digest
from tests.core.rules.rulebooks_random import Json, Setting, Table, toml, write_population

from salur.core.faults import InputError
from salur.core.population import catalogue as catalogues
from salur.core.population.layout import FactSource, open_population, write_manifest
from salur.core.rules.decide import decide, open_decisions
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import read

KINDS = ["plain", "quota"]


def rulebook(kind: str) -> Table:
    """The components of the sample; with a quota by regency, or without."""
    with_quota = rich_sample.settings()[4].rulebook
    return with_quota if kind == "quota" else {k: v for k, v in with_quota.items() if k != "quota"}


def make(folder: Path, families: int) -> Path:
    """A folder with a population of two provinces, its catalogue, and a rulebook of each kind."""
    of = rich_sample._setting(rulebook("quota"), ON, 4, 0)
    cases: list[Json] = []
    for index in range(families):
        case = rich_sample.family(random.Random(index), index, 0, of.catalogue, of.dated, ON)
        case["family_id"] = index * 2 + 1
        for position, member in enumerate(case.get("members", [])):
            member["person_id"] = index * 100 + position
        cases.append(case)
    (folder / "facts.toml").write_text(toml(of.catalogue), "utf-8")
    for kind in KINDS:
        (folder / f"{kind}.toml").write_text(toml(rulebook(kind)), "utf-8")
    catalogue = catalogues.read(folder / "facts.toml")
    write_population(
        folder / "population", catalogue, Setting(of.catalogue, of.rulebook, ON, of.dated, cases)
    )
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("small"), 60)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("large"), 3_000)


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    """The small folder, to be damaged."""
    shutil.copytree(small, tmp_path / "copied")
    return tmp_path / "copied"


def command(folder: Path, kind: str, out: Path, *options: str) -> list[str]:
    return [sys.executable, deciding.__file__, str(folder), str(folder / f"{kind}.toml"), str(out), *options]


def started(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def decided(folder: Path, kind: str, out: Path, **more: Any) -> Any:
    catalogue = catalogues.read(folder / "facts.toml")
    ready = plan(read(folder / f"{kind}.toml", catalogue), more.pop("on", ON))
    return decide(ready, open_population(folder / "population", catalogue), out, **more)


def refused(folder: Path, out: Path, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        decided(folder, "plain", out, **more)
    return str(caught.value)


def test_what_was_verified_is_not_read_again_with_fewer_provinces(copied: Path, tmp_path: Path) -> None:
    catalogue = catalogues.read(copied / "facts.toml")
    ready = plan(read(copied / "plain.toml", catalogue), ON)
    whole = open_population(copied / "population", catalogue)
    checks: set[str] = set()

    def said(stage: str, name: str) -> None:
        checks.update([Path(name).stem] if stage == "check" else [])

    def run(name: str, *provinces: str) -> set[str]:
        checks.clear()
        some = replace(whole, provinces=provinces)
        decide(ready, some, tmp_path / name, checked=copied / "checked", progress=said)
        return set(checks)

    assert run("one", "35") == {"35"}
    assert run("both", "11", "35") == {"11", "35"}  # together they are one more thing to verify
    assert run("one again", "35") == set()
    assert run("both again", "11", "35") == set()
    (copied / "checked" / whole.id).write_bytes(b"[" * 100_000)
    assert run("damaged", "11", "35") == {"11", "35"}
    whole.persons("35").touch()
    assert run("touched", "11") == set()
    assert run("touched too", "35") == {"35"}


# ---- killed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_killed_three_times_at_random_and_run_again_gives_the_same_bytes(
    kind: str, large: Path, tmp_path: Path
) -> None:
    begun = time.monotonic()
    assert started(large, kind, tmp_path / "undisturbed").returncode == 0
    whole = time.monotonic() - begun
    wanted = digest(tmp_path / "undisturbed")
    chance = random.Random(kind)
    killed = 0
    for attempt in range(30):
        out = tmp_path / f"killed{attempt}"
        for _ in range(3):
            process = subprocess.Popen(command(large, kind, out), stderr=subprocess.PIPE)
            time.sleep(whole * chance.uniform(0.3, 1))
            process.kill()
            process.communicate()
            killed += process.returncode == -signal.SIGKILL
        again = started(large, kind, out)
        assert again.returncode == 0, again.stdout + again.stderr
        assert digest(out) == wanted
        if killed >= 3:
            return
    pytest.fail(f"only {killed} runs could be killed in time")


def test_killed_at_every_act_on_a_file_and_run_again_gives_the_same_bytes(
    small: Path, tmp_path: Path
) -> None:
    assert started(small, "quota", tmp_path / "undisturbed").returncode == 0
    wanted = digest(tmp_path / "undisturbed")
    tried = started(small, "quota", tmp_path / "out", "--every")
    *attempts, last = tried.stdout.splitlines()
    assert last == "completed", tried.stderr
    assert len(attempts) > 20
    wrong = [line for line in attempts if line.split()[-2:] != ["0", wanted]]
    assert not wrong, tried.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_of_an_earlier_release_that_noted_no_totals_goes_on(
    kind: str, small: Path, tmp_path: Path
) -> None:
    decided(small, kind, tmp_path / "undisturbed")

    def stop(_stage: str, _province: str) -> None:
        if len(list((tmp_path / "out" / "decisions").glob("*.parquet"))) == 2:  # all of them
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decided(small, kind, tmp_path / "out", progress=stop)
    notes = list((tmp_path / "out" / "work").glob("noted-*.json"))
    assert len(notes) == 2
    for note in notes:
        note.unlink()
    decided(small, kind, tmp_path / "out")
    assert digest(tmp_path / "out") == digest(tmp_path / "undisturbed")


# ---- repeated ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_finished_run_repeated_changes_nothing(kind: str, small: Path, tmp_path: Path) -> None:
    decided(small, kind, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    said: list[str] = []
    decided(small, kind, tmp_path / "out", progress=lambda stage, province: said.append(stage))
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert not said


def test_another_engine_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    for engine in ("duckdb", "python", "sqlite"):
        decided(small, "quota", tmp_path / engine, engine=engine)
    assert len({digest(tmp_path / engine) for engine in ("duckdb", "python", "sqlite")}) == 1


@pytest.mark.parametrize("finished", [True, False])
def test_the_folder_of_another_run_is_refused(
    finished: bool, small: Path, copied: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    if finished:
        decided(small, "plain", out)
    else:
        started(small, "plain", out, "--kill", "5")
        assert (out / "run.json").exists()
    expected = "decisions of something else" if finished else "unfinished run of something else"
    # another rulebook
    with pytest.raises(InputError, match=expected):
        decided(small, "quota", out)
    # another date
    assert expected in refused(small, out, on=date(2026, 11, 21))
    # another population
    sources = {name: FactSource("r", ON) for name in rich_sample.CATALOGUE["facts"]}
    write_manifest(copied / "population", reference_date=ON, facts=sources)
    assert expected in refused(copied, out)
    # and the run itself still goes on
    decided(small, "plain", out)
    decided(small, "plain", tmp_path / "fresh")
    assert digest(out) == digest(tmp_path / "fresh")


def test_a_folder_of_other_things_is_refused(small: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert "not empty" in refused(small, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("mine")
    assert "file" in refused(small, tmp_path / "file")


def test_unfinished_decisions_cannot_be_opened(small: Path, tmp_path: Path) -> None:
    started(small, "plain", tmp_path / "out", "--kill", "5")
    with pytest.raises(InputError, match="not finished"):
        open_decisions(tmp_path / "out")
    with pytest.raises(InputError, match="no decisions"):
        open_decisions(tmp_path)


# ---- a damaged population ------------------------------------------------------------------------------------


def again(folder: Path) -> None:
    """A manifest that fits the files as they are now."""
    catalogue = catalogues.read(folder / "facts.toml")
    sources = open_population_facts(folder)
    write_manifest(folder / "population", reference_date=ON, facts=sources)
    assert catalogue.facts.keys() >= sources.keys()


def open_population_facts(folder: Path) -> dict[str, FactSource]:
    of = rich_sample._setting(rulebook("plain"), ON, 4, 0)
    return {name: FactSource(dated.source, dated.as_of) for name, dated in of.dated.items()}


def changed(folder: Path, file: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = folder / "population" / file
    pq.write_table(change(pq.read_table(path)), path)
    again(folder)


def with_column(table: pa.Table, name: str, change: Callable[[pa.Array], Any]) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, name, change(table.column(name)))


FAMILIES, PERSONS = "families/35.parquet", "persons/35.parquet"
DAMAGES: dict[str, tuple[str, Callable[[pa.Table], pa.Table], str]] = {
    "a missing column": (FAMILIES, lambda t: t.drop_columns(["poor"]), "The column poor is missing."),
    "a missing id": (PERSONS, lambda t: t.drop_columns(["family_id"]), "The column family_id is missing."),
    "a wrong type": (
        FAMILIES,
        lambda t: with_column(t, "score", lambda c: c.cast(pa.string())),
        "The column score is string; expected BIGINT.",
    ),
    "a float": (
        FAMILIES,
        lambda t: with_column(t, "score", lambda c: c.cast(pa.float64())),
        "The column score is double; expected BIGINT.",
    ),
    "a timestamp": (
        PERSONS,
        lambda t: with_column(t, "birth", lambda c: c.cast(pa.timestamp("us"))),
        "The column birth is timestamp[us]; expected DATE.",
    ),
    "an undeclared column": (
        FAMILIES,
        lambda t: t.append_column("religion", pa.array(["x"] * t.num_rows)),
        "The column religion is not declared in the manifest",
    ),
    "a duplicate family": (
        FAMILIES,
        lambda t: pa.concat_tables([t.slice(0, 1), t]),
        "is there twice; keep one of the rows.",
    ),
    "a duplicate person": (PERSONS, lambda t: pa.concat_tables([t.slice(0, 1), t]), "is there twice"),
    "rows out of order": (FAMILIES, lambda t: t.take(pa.array(range(t.num_rows))[::-1]), "rows must be ordered"),
    "a person without family": (
        PERSONS,
        lambda t: with_column(t, "family_id", lambda c: pc.add(c, 1_000_000)),
        "which is not in region",
    ),
    "a value outside the catalogue": (
        FAMILIES,
        lambda t: with_column(t, "level", lambda c: pa.array([11] * t.num_rows, pa.int64())),
        "level is 11; expected a whole number from 1 to 10.",
    ),
    "a category outside the catalogue": (
        FAMILIES,
        lambda t: with_column(t, "home", lambda c: pa.array(["'; DROP TABLE"] * t.num_rows)),
        "home is '; DROP TABLE; expected one of own, rent.",
    ),
    "an empty found": (
        FAMILIES,
        lambda t: with_column(t, "found", lambda c: pa.nulls(t.num_rows, pa.bool_())),
        "found is empty; it must never be.",
    ),
    "a region of another province": (
        FAMILIES,
        lambda t: with_column(t, "region", lambda c: pa.array(["36.01"] * t.num_rows)),
        "the region 36.01 does not belong in this file",
    ),
    "a village": (
        FAMILIES,
        lambda t: with_column(t, "region", lambda c: pa.array(["35.09.01"] * t.num_rows)),
        "the region 35.09.01 does not belong in this file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_population_is_refused_with_a_sentence(damage: str, copied: Path, tmp_path: Path) -> None:
    file, change, sentence = DAMAGES[damage]
    changed(copied, file, change)
    told = refused(copied, tmp_path / "out")
    assert sentence in told
    assert str(copied / "population" / file) in told
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_family_with_too_many_members_is_refused(copied: Path, tmp_path: Path) -> None:
    def crowd(table: pa.Table) -> pa.Table:
        rows = table.slice(0, 1).to_pylist() * 65
        more = [row | {"person_id": 900_000 + index} for index, row in enumerate(rows)]
        order = [("region", "ascending"), ("family_id", "ascending"), ("person_id", "ascending")]
        return pa.concat_tables([table, pa.Table.from_pylist(more, table.schema)]).sort_by(order)

    changed(copied, PERSONS, crowd)
    assert "at most 64 are read" in refused(copied, tmp_path / "out")


@pytest.mark.parametrize("left", [0, 3, 100, -1])
def test_a_truncated_file_is_refused_with_a_sentence(left: int, copied: Path, tmp_path: Path) -> None:
    path = copied / "population" / PERSONS
    raw = path.read_bytes()
    path.write_bytes(raw[:left])
    assert "it is cut off or changed" in refused(copied, tmp_path / "out")
    # also where the manifest was made to fit
    sources = open_population_facts(copied)
    with pytest.raises((InputError, pa.ArrowException)):
        write_manifest(copied / "population", reference_date=ON, facts=sources)


def test_a_changed_byte_is_refused_with_a_sentence(copied: Path, tmp_path: Path) -> None:
    path = copied / "population" / PERSONS
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 1
    path.write_bytes(raw)
    assert "The bytes differ from the manifest" in refused(copied, tmp_path / "out")


def test_a_file_cut_off_after_it_was_verified_is_refused_with_a_sentence(
    copied: Path, tmp_path: Path
) -> None:
    catalogue = catalogues.read(copied / "facts.toml")
    population = open_population(copied / "population", catalogue)
    ready = plan(read(copied / "plain.toml", catalogue), ON)
    decide(ready, population, tmp_path / "first", checked=tmp_path / "checked")
    path = copied / "population" / PERSONS
    path.write_bytes(path.read_bytes()[:-9])
    for engine in ("duckdb", "sqlite", "python"):
        with pytest.raises(InputError, match=r"cannot be read|bytes differ"):
            decide(ready, population, tmp_path / engine, checked=tmp_path / "checked", engine=engine)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"format":1}', b"\xff", b'{"format":1,"programme":3}'])
def test_a_damaged_manifest_of_decisions_is_refused(raw: bytes, small: Path, tmp_path: Path) -> None:
    decided(small, "plain", tmp_path / "out")
    (tmp_path / "out" / "manifest.json").write_bytes(raw)
    with pytest.raises(InputError):
        decided(small, "plain", tmp_path / "out")


# ---- PostgreSQL ----------------------------------------------------------------------------------------------


def test_a_postgresql_that_cannot_be_reached_is_told(small: Path, tmp_path: Path) -> None:
    nowhere = "postgresql://salur@%2Fnowhere/postgres"
    assert "PostgreSQL cannot be reached" in refused(
        small, tmp_path / "out", engine="postgres", postgres_url=nowhere
    )


def test_a_postgresql_without_the_right_to_make_tables_is_told(
    small: Path, tmp_path: Path, postgres_url: str
) -> None:
    for statement in (
        "CREATE DATABASE no_tables", "REVOKE TEMP ON DATABASE no_tables FROM PUBLIC", "CREATE ROLE guest LOGIN",
    ):  # fmt: skip
        postgres.execute(postgres_url, statement)
    url = postgres.beside(postgres_url, "no_tables").replace("salur@", "guest@")
    told = refused(small, tmp_path / "out", engine="postgres", postgres_url=url)
    assert "PostgreSQL cannot go on: permission denied to create temporary tables" in told


def test_a_lost_connection_is_told_and_the_run_goes_on(
    small: Path, tmp_path: Path, postgres_url: str
) -> None:
    postgres.execute(postgres_url, "CREATE DATABASE lost")
    url = postgres.beside(postgres_url, "lost")

    def cut(stage: str, province: str) -> None:
        if (stage, province) == ("decide", "11"):
            postgres.execute(
                postgres_url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lost'"
            )

    told = refused(small, tmp_path / "out", engine="postgres", postgres_url=url, progress=cut)
    assert "PostgreSQL cannot go on" in told
    decided(small, "plain", tmp_path / "out", engine="postgres", postgres_url=url)
    decided(small, "plain", tmp_path / "undisturbed")
    assert digest(tmp_path / "out") == digest(tmp_path / "undisturbed")


# ---- a full disk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["duckdb", "python", "sqlite"])
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    kind: str, engine: str, large: Path, tmp_path: Path
) -> None:
    assert started(large, kind, tmp_path / "undisturbed").returncode == 0
    out = tmp_path / "out"
    full = 0
    for size in (1, 3_000, 20_000):
        run = started(large, kind, out, "--bytes", str(size), "--engine", engine)
        assert run.returncode in (0, REFUSED), run.stderr
        if run.returncode == REFUSED:
            full += 1
            told = (
                "The disk is full." if engine != "sqlite" else "The disk is full.|cannot be read or written"
            )
            assert re.search(told, run.stdout), run.stdout
    assert full >= 2
    done = started(large, kind, out, "--engine", engine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert digest(out) == digest(tmp_path / "undisturbed")
