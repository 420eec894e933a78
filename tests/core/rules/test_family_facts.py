"""Deciding from family facts gives the same lines and bytes as from persons; the cache mends itself."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from tests.core.rules import rich_sample
from tests.core.rules.agreement import Judge
from tests.core.rules.deciding import ON, REFUSED, digest
from tests.core.rules.rulebooks_random import Setting, settings_drawn
from tests.core.rules.soak import PROFILE, examples
from tests.core.rules.test_resume import command, make, started

from salur.core.population import catalogue as catalogues
from salur.core.population.layout import Population, open_population, write_manifest
from salur.core.rules import engines, family_classes, family_facts, sql
from salur.core.rules.decide import decide
from salur.core.rules.plan import Plan, plan
from salur.core.rules.rows import parquet
from salur.core.rules.rulebook import read

Patch = pytest.MonkeyPatch


def ways(judge: Judge) -> list[str]:
    """Decided from persons, from family facts that are made and that are there, and in slices: what differs."""
    ready, once, most = judge.plan(), engines.FAMILIES_AT_ONCE, family_classes.MOST
    sorted_ = engines.CANDIDATES_AT_ONCE
    digests = {}
    try:
        for name, at_once, cache in (
            ("persons", once, None), ("made", once, "cache"), ("kept", once, "cache"),
            ("slices", 3, None), ("made in slices", 3, "slices"), ("too many classes", once, "many"),
        ):  # fmt: skip
            engines.FAMILIES_AT_ONCE = engines.CANDIDATES_AT_ONCE = at_once
            family_classes.MOST = 1 if cache == "many" else most
            out = judge.folder / f"{name}{next(judge.numbers)}"
            decide(ready, judge.population, out, checked=judge.folder / "checked",
                   family_facts=judge.folder / cache if cache else None)  # fmt: skip
            digests[name] = (out / "manifest.json").read_bytes()  # with the hash of every file
    finally:
        engines.FAMILIES_AT_ONCE, engines.CANDIDATES_AT_ONCE, family_classes.MOST = once, sorted_, most
    return [name for name, found in digests.items() if found != digests["persons"]]


@settings(max_examples=examples(15), **PROFILE)
@given(setting=settings_drawn())
def test_with_and_without_family_facts_the_bytes_are_the_same(setting: Setting) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert ways(Judge(setting, Path(folder))) == []


@pytest.mark.parametrize("index", range(len(rich_sample.settings())))
def test_the_rich_sample_is_decided_alike(index: int, tmp_path: Path) -> None:
    assert ways(Judge(rich_sample.settings()[index], tmp_path)) == []


@pytest.mark.parametrize("empty", [["11"], ["35"], ["11", "35"]])
@pytest.mark.parametrize("kind", ["plain", "quota"])
def test_a_province_without_families_is_decided(
    kind: str, empty: list[str], folder: Path, tmp_path: Path
) -> None:
    _, population = opened(folder)
    assert set(empty) <= set(population.provinces)
    for province in empty:
        for file in (population.families(province), population.persons(province)):
            pq.write_table(pq.read_table(file).slice(0, 0), file)
    write_manifest(population.path, reference_date=population.reference_date, facts=population.facts)
    for cache in (None, tmp_path / "cache"):
        decide(*opened(folder, kind), tmp_path / f"with {cache is not None}", family_facts=cache)
    assert digest(tmp_path / "with True") == digest(tmp_path / "with False")


def test_facts_of_any_type_may_be_named_as_our_own_columns(tmp_path: Path) -> None:
    """Columns of ours are encoded as numbers near each other; a rulebook's fact of that name may be anything."""
    file = tmp_path / "classes.parquet"
    values = ["true", "'a'", "DATE '2026-01-31'", "NULL::BOOLEAN", "-7"]
    for turn in range(len(values)):
        drawn = zip(engines.NEAR, [*values[turn:], *values[:turn], *values], strict=False)
        query = f"SELECT {', '.join(f'{value} AS {name}' for name, value in drawn)}"
        with closing(engines.connect(tmp_path)) as connection:
            engines.copy(connection, query, file)
            assert connection.sql(f"FROM {parquet(file)}").fetchall() == connection.sql(query).fetchall()


# ---- faults that must be seen --------------------------------------------------------------------------------


def _written(change: Callable[[str], str]) -> Callable[[Patch], None]:
    """A fault in the queries whose rows are written."""

    def plant(patch: Patch) -> None:
        original = engines.copy

        def copy(connection: Any, queries: Any, target: Path, **more: Any) -> None:
            texts = [queries] if isinstance(queries, str) else queries
            original(connection, [change(text) for text in texts], target, **more)

        patch.setattr(engines, "copy", copy)

    return plant


def _no_member_counts_as_one(patch: Patch) -> None:
    original = sql._Writer.count
    patch.setattr(sql._Writer, "count", lambda self, name, item: original(self, name, item).replace(
        ", 0) >>", ", 1) >>" if self.source.summed else ", 0) >>"))  # fmt: skip


PLANTED = {
    "rows in another order": _written(
        lambda text: text.replace("f.region, f.family_id)", "f.family_id DESC)")
    ),
    "families without members left out": _written(
        lambda text: re.sub("LEFT JOIN (.* ORDER BY f.region, f.family_id)", r"JOIN \1", text)
    ),
    "no member counts as one": _no_member_counts_as_one,
    "families of the last class in the first": _written(
        lambda text: text.replace("CAST(c.file_row_number AS INTEGER)", "CAST(0 AS INTEGER)")
    ),
    "families with their classes in another order": _written(
        lambda text: text.replace("ORDER BY r.region, r.family_id", "ORDER BY r.family_id DESC")
    ),
    "nobody waits": lambda patch: patch.setattr(
        family_classes._Candidates, "late", lambda self, units, cutoffs: self.found[:0]
    ),
    "families with unknown facts in no class": _written(
        lambda text: text.replace("IS NOT DISTINCT FROM", "=")
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_seen(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    PLANTED[name](monkeypatch)
    for index, setting in enumerate(rich_sample.settings()):
        try:
            if ways(Judge(setting, tmp_path / str(index))):
                return
        except Exception:  # an engine may refuse the planted text: that is seen too
            return
    pytest.fail("nobody saw it")


@pytest.mark.parametrize("cached", [False, True])
def test_large_sums_are_exact(cached: bool, folder: Path, tmp_path: Path) -> None:
    ready, population = opened(folder)
    price = 2**50 + 1  # beyond 32 bits, where numpy would add up floats
    dear = replace(ready, items=tuple(replace(item, price=price) for item in ready.items))
    made = decide(dear, population, tmp_path / "out", family_facts=tmp_path / "cache" if cached else None)
    amounts = [
        amount
        for p in population.provinces
        for amount in pq.read_table(made.file(p), columns=["amount"])["amount"].to_pylist()
    ]
    assert sum(amounts) > 2**53
    assert made.manifest["totals"]["outcomes"]["eligible"]["amount"] == sum(amounts)


# ---- the cache -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    return make(tmp_path / "made", 60)


def opened(folder: Path, kind: str = "plain") -> tuple[Plan, Population]:
    catalogue = catalogues.read(folder / "facts.toml")
    return plan(read(folder / f"{kind}.toml", catalogue), ON), open_population(
        folder / "population", catalogue
    )


def decided(folder: Path, out: Path, cache: Path | None) -> str:
    decide(*opened(folder), out, checked=folder / "checked", family_facts=cache)
    return digest(out)


def without_a_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def with_a_changed_byte(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 1
    path.write_bytes(raw)


def of_other_families(path: Path) -> None:
    table = pq.read_table(path)
    pq.write_table(table.take(list(range(table.num_rows))[::-1]), path)


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "cut off": (".parquet", without_a_byte),
    "empty": (".parquet", lambda path: path.write_bytes(b"")),
    "changed": (".parquet", with_a_changed_byte),
    "foreign": (".parquet", of_other_families),
    "gone": (".parquet", lambda path: path.unlink()),
    "the note cut off": (".json", without_a_byte),
    "the note gone": (".json", lambda path: path.unlink()),
    "the note foreign": (".json", lambda path: path.write_bytes(b"[" * 100_000)),
    "both half written": (".json", lambda path: path.rename(path.with_suffix(".json.part"))),
}


@pytest.mark.parametrize("all_of_it", [True, False])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_noticed_and_made_again(
    damage: str, all_of_it: bool, folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    wanted = decided(folder, tmp_path / "first", cache)
    assert wanted == decided(folder, tmp_path / "without", None)
    files = {path: path.read_bytes() for path in cache.rglob("*") if path.suffix in (".parquet", ".json")}
    # sums, with their note; classes and families with theirs
    assert len(files) == (2 + 3) * len(opened(folder)[1].provinces)
    ready, population = opened(folder)
    sums = family_facts.where(ready, population, cache)
    columns = {name for path in sums.glob("*.parquet") for name in pq.read_schema(path).names}
    assert all(name.startswith("_") for name in columns)  # as no fact of families can be named
    ending, harm = DAMAGES[damage]
    for path in files:
        if path.suffix == ending and (all_of_it or path.parent != sums):
            harm(path)
    assert decided(folder, tmp_path / "again", cache) == wanted
    assert {path: path.read_bytes() for path in files} == files


def test_family_facts_of_too_few_rows_are_made_again(folder: Path, tmp_path: Path) -> None:
    """Though the note fits them: rows stand side by side with those of families, so none may be missing."""
    cache = tmp_path / "cache"
    wanted = decided(folder, tmp_path / "first", cache)
    ready, population = opened(folder)
    sums, classes = (each.where(ready, population, cache) for each in (family_facts, family_classes))
    for path in sums.glob("*.parquet"):
        pq.write_table(pq.read_table(path).slice(1), path)
        family_facts.write_note(path)
    for province in population.provinces:
        files = family_classes.Files(classes / f"{province}-classes.parquet", classes / f"{province}.parquet")
        pq.write_table(pq.read_table(files.families).slice(1), files.families)
        family_classes.write_note(files)
    assert decided(folder, tmp_path / "again", cache) == wanted


@pytest.mark.parametrize("kind", ["plain", "quota"])
def test_classes_that_are_kept_are_used(kind: str, folder: Path, tmp_path: Path) -> None:
    """Neither families nor their members are decided again: with other classes, decisions are others."""
    ready, population = opened(folder, kind)
    decide(ready, population, tmp_path / "first", checked=folder / "checked", family_facts=tmp_path / "cache")
    classes = family_classes.where(ready, population, tmp_path / "cache")
    for province in population.provinces:
        files = family_classes.Files(classes / f"{province}-classes.parquet", classes / f"{province}.parquet")
        known = pq.read_table(files.classes)
        nobody = known.set_column(known.column_names.index("found"), "found", [[False] * known.num_rows])
        pq.write_table(nobody, files.classes)
        family_classes.write_note(files)
    again = decide(
        ready, population, tmp_path / "again", checked=folder / "checked", family_facts=tmp_path / "cache"
    )
    assert again.manifest["totals"]["outcomes"]["not_found"]["units"] == population.rows["families"]


def test_what_is_kept_is_used(folder: Path, tmp_path: Path) -> None:
    """Persons are not read again: they could be gone."""
    cache = tmp_path / "cache"
    ready, population = opened(folder)
    wanted = decided(folder, tmp_path / "first", cache)
    worker = engines.DuckDB(tmp_path)
    for province in population.provinces:
        population.persons(province).rename(tmp_path / f"{province}.persons")
        facts = family_facts.prepare(ready, population, province, cache, worker.connection)
        worker.decide(ready, population, province, ["unit_id", "outcome"], tmp_path / "out", facts)
        assert (
            pq.read_table(tmp_path / "out").to_pylist()
            == pq.read_table(
                tmp_path / "first" / "decisions" / f"{province}.parquet", columns=["unit_id", "outcome"]
            ).to_pylist()
        )
    assert wanted


def test_other_questions_of_members_another_day_or_population_do_not_share(
    folder: Path, tmp_path: Path
) -> None:
    ready, population = opened(folder)
    later = replace(ready, one_per_member=not ready.one_per_member)
    other = plan(ready.rulebook, ON.replace(year=ON.year - 3))
    elsewhere = replace(population, id="0" * 64)
    folders = [
        family_facts.where(ready, population, tmp_path), family_facts.where(later, population, tmp_path),
        family_facts.where(other, population, tmp_path), family_facts.where(ready, elsewhere, tmp_path),
    ]  # fmt: skip
    assert len(set(folders)) == 4
    ranked = opened(folder, "quota")[0]
    folders = [
        family_classes.where(ready, population, tmp_path), family_classes.where(later, population, tmp_path),
        family_classes.where(other, population, tmp_path), family_classes.where(ready, elsewhere, tmp_path),
        family_classes.where(ranked, population, tmp_path),
    ]  # fmt: skip
    assert len(set(folders)) == 5


def test_a_changed_price_asks_nothing_else_of_members(folder: Path, tmp_path: Path) -> None:
    ready, population = opened(folder)
    dearer = replace(ready, items=tuple(replace(item, price=item.price * 2) for item in ready.items))
    for each in (family_facts, family_classes):
        assert each.where(ready, population, tmp_path) == each.where(dearer, population, tmp_path)


def test_killed_at_every_act_on_a_file_also_of_the_cache(folder: Path, tmp_path: Path) -> None:
    assert started(folder, "quota", tmp_path / "undisturbed").returncode == 0
    tried = started(folder, "quota", tmp_path / "out", "--every", "--facts", str(tmp_path / "cache"))
    *attempts, last = tried.stdout.splitlines()
    assert last == "completed", tried.stderr
    assert len(attempts) > 25
    wanted = digest(tmp_path / "undisturbed")
    assert not [line for line in attempts if line.split()[-2:] != ["0", wanted]], tried.stderr


@pytest.mark.parametrize("killed", [False, True])
def test_two_at_once_make_it(killed: bool, folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    wanted = decided(folder, tmp_path / "wanted", None)
    options = ["--facts", str(cache)]
    first = subprocess.Popen(
        command(folder, "plain", tmp_path / "a", *options, *(["--kill", "9"] if killed else []))
    )
    second = started(folder, "plain", tmp_path / "b", *options)
    assert (first.wait() != 0) is killed
    assert second.returncode == 0, second.stderr
    assert digest(tmp_path / "b") == wanted
    assert started(folder, "plain", tmp_path / "a", *options).returncode == 0
    assert digest(tmp_path / "a") == wanted


def test_a_full_disk_of_the_cache_is_told(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    large, cache = make(tmp_path / "large", 3_000), tmp_path / "cache"
    wanted = decided(large, tmp_path / "wanted", None)
    run = started(large, "plain", tmp_path / "out", "--facts", str(cache), "--bytes", "2000")
    assert run.returncode == REFUSED, run.stderr
    assert "The disk is full." in run.stdout
    assert str(cache) in run.stdout
    assert decided(large, tmp_path / "out", cache) == wanted


def test_a_cache_that_cannot_be_made_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    run = started(folder, "plain", tmp_path / "out", "--facts", str(tmp_path / "cache"))
    assert run.returncode == REFUSED
    assert "cannot be read or written" in run.stdout


def test_persons_and_rulebooks_that_ask_nothing_of_members_need_none(folder: Path, tmp_path: Path) -> None:
    ready, population = opened(folder)
    worker = engines.DuckDB(tmp_path)
    nothing = replace(ready, criteria=(), items=(), places=None)
    assert (
        family_facts.prepare(nothing, population, population.provinces[0], tmp_path, worker.connection)
        is None
    )
    assert sql.sums(nothing, engines.source(population, "families", "persons")) is None
