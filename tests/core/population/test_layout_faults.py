"""A damaged or wrong population is told in sentences that name the file, never taken for a good one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.layout import (
    FactSource,
    canonical,
    file_entry,
    open_population,
    verify,
    write_manifest,
)

FAMILIES, PERSONS = "families/35.parquet", "persons/35.parquet"
Edit = Callable[[pa.Table], pa.Table]


def change(path: Path, name: str, edit: Edit, catalogue: Catalogue) -> None:
    """Rewrite a file and the manifest's entry for it, as someone who makes populations wrongly would."""
    population = open_population(path, catalogue)
    pq.write_table(edit(pq.read_table(path / name)), path / name)
    files = dict(population.files) | {name: file_entry(path / name)}
    write_manifest(path, reference_date=population.reference_date, facts=population.facts, files=files)


def open_faults(path: Path, catalogue: Catalogue) -> str:
    with pytest.raises(InputError) as caught:
        open_population(path, catalogue)
    return str(caught.value)


def row_faults(path: Path, catalogue: Catalogue) -> str:
    return "\n".join(map(str, verify(open_population(path, catalogue), catalogue)))


def put(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table.column(column).to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))


def test_a_sound_population_opens_and_verifies(small: Path, catalogue: Catalogue) -> None:
    population = open_population(small, catalogue)
    assert population.id == hashlib.sha256((small / "manifest.json").read_bytes()).hexdigest()
    assert population.provinces == ("35", "51")
    assert population.rows["families"] == 600
    assert population.facts["decile"] == FactSource("dtsen", population.reference_date)
    assert {"decile", "welfare_score", "pregnant", "school_level"} <= population.as_of_columns
    assert set(population.facts) == set(catalogue.facts)
    assert verify(population, catalogue) == []


def test_the_manifest_is_canonical_and_holds_no_clock_path_or_host(small: Path) -> None:
    raw = (small / "manifest.json").read_bytes()
    assert raw == canonical(json.loads(raw))
    assert str(small).encode() not in raw


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("village", None, "missing"),
        ("decile", None, "column decile is missing"),
        ("decile", pa.int32(), "column decile is int32; expected BIGINT"),
        ("found", pa.string(), "column found is string; expected BOOLEAN"),
        ("welfare_score__as_of", pa.string(), "expected DATE"),
    ],
)
def test_a_missing_or_mistyped_column_is_found_on_opening(
    small: Path, catalogue: Catalogue, column: str, value: pa.DataType | None, said: str
) -> None:
    def edit(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(column)
        if value is None:
            return table.drop_columns([column])
        return table.set_column(place, column, table.column(column).cast(value))

    change(small, FAMILIES, edit, catalogue)
    faults = open_faults(small, catalogue)
    assert said in faults
    assert FAMILIES in faults


def test_an_undeclared_column_such_as_a_name_is_refused(small: Path, catalogue: Catalogue) -> None:
    change(small, PERSONS, lambda t: t.append_column("name", pa.array(["x"] * len(t))), catalogue)
    assert "The column name is not declared" in open_faults(small, catalogue)


def test_truncated_missing_and_garbled_files_are_each_told(small: Path, catalogue: Catalogue) -> None:
    whole = (small / FAMILIES).read_bytes()
    (small / FAMILIES).write_bytes(whole[:-100])
    (small / "persons/51.parquet").unlink()
    faults = open_faults(small, catalogue)
    assert "it is cut off or changed" in faults
    assert "persons/51.parquet: The file is missing: the population is incomplete" in faults
    (small / FAMILIES).write_bytes(whole[:-100] + bytes(100))
    assert f"{FAMILIES}: This is not a readable Parquet file" in open_faults(small, catalogue)


def test_a_folder_without_a_manifest_is_said_to_be_unfinished(small: Path, catalogue: Catalogue) -> None:
    (small / "manifest.json").unlink()
    assert "not finished" in open_faults(small, catalogue)
    assert "There is no such folder" in open_faults(small / "nowhere", catalogue)
    (small / "empty").mkdir()
    assert "This is not a population" in open_faults(small / "empty", catalogue)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "must be an object"),
        (b'{"format":2}', "must be an object"),
        (b'{"format":1}', "facts must be an object"),
        (b'{"format": 1}', "canonical"),
        (b'{"files":{"../../etc/passwd":{}},"format":1}', "is not a file of a population"),
        (b'{"files":{"families/35.parquet":{"bytes":-1,"rows":true,"sha256":"x"}},"format":1}', "must hold"),
        (b'{"facts":{"religion":{}},"format":1}', "religion is not declared"),
        (b'{"facts":{"decile":{"as_of":"2026-02-30","source":"dtsen"}},"format":1}', "as_of"),
        (b'{"facts":{"decile":{"as_of":"2026-02-28","source":"gossip"}},"format":1}', "not a register"),
        (b"\xff\xfe", "not valid JSON"),
    ],
)
def test_a_broken_manifest_is_told(small: Path, catalogue: Catalogue, raw: bytes, said: str) -> None:
    (small / "manifest.json").write_bytes(raw)
    assert said in open_faults(small, catalogue)


def swap(table: pa.Table) -> pa.Table:
    return table.take([1, 0, *range(2, len(table))])


@pytest.mark.parametrize(
    ("name", "edit", "said"),
    [
        (FAMILIES, lambda t: pa.concat_tables([t.slice(0, 1), t]), "family_id 351000000001 is there twice"),
        (PERSONS, lambda t: pa.concat_tables([t.slice(0, 1), t]), "is there twice"),
        (FAMILIES, swap, "must be ordered by region"),
        (PERSONS, swap, "must be ordered by region"),
        (FAMILIES, lambda t: t.slice(1), "belongs to the family 351000000001, which is not in region 35.10"),
        (FAMILIES, lambda t: put(t, "decile", 5, 11), "decile is 11; expected a whole number from 1 to 10"),
        (FAMILIES, lambda t: put(t, "welfare_score", 0, -1), "welfare_score is -1"),
        (FAMILIES, lambda t: put(t, "floor", 3, "gold"), "floor is gold; expected one of ceramic, cement"),
        (PERSONS, lambda t: put(t, "sex", 3, ""), "sex is ; expected one of female, male"),
        (FAMILIES, lambda t: put(t, "found", 2, None), "found is empty"),
        (FAMILIES, lambda t: put(t, "members_known", 2, None), "members_known is empty"),
        (PERSONS, lambda t: put(t, "family_id", 2, None), "family_id is empty"),
        (FAMILIES, lambda t: put(t, "region", 0, "34.01"), "the region 34.01 does not belong in this file"),
        (FAMILIES, lambda t: put(t, "village", 0, "35.11.01.2001"), "is not in the family's region"),
        (PERSONS, lambda t: put(t, "region", 0, "35.73"), "which is not in region 35.73"),
        (
            PERSONS,
            lambda t: t.set_column(
                t.schema.get_field_index("pregnant__as_of"), "pregnant__as_of", pa.nulls(len(t), pa.date32())
            ),
            "pregnant__as_of is empty beside a known fact",
        ),
    ],
)
def test_each_planted_fault_is_found_by_verify(
    small: Path, catalogue: Catalogue, name: str, edit: Edit, said: str
) -> None:
    change(small, name, edit, catalogue)
    faults = row_faults(small, catalogue)
    assert said in faults
    assert str(small / (PERSONS if "belongs" in said else name)) in faults


def test_an_id_in_two_provinces_is_found_with_both_files(small: Path, catalogue: Catalogue) -> None:
    families = pq.read_table(small / FAMILIES)
    id_ = families.column("family_id")[0].as_py()
    change(small, "families/51.parquet", lambda t: put(t, "family_id", 0, id_), catalogue)
    assert f"family_id {id_} is in the population 2 times (35.parquet, 51.parquet)" in row_faults(
        small, catalogue
    )


def test_a_person_twice_in_one_file_far_apart_is_found(small: Path, catalogue: Catalogue) -> None:
    person = pq.read_table(small / PERSONS).column("person_id")[0].as_py()
    change(small, PERSONS, lambda t: put(t, "person_id", len(t) - 1, person), catalogue)
    assert f"person_id {person} is in the population 2 times" in row_faults(small, catalogue)


def test_more_than_64_members_are_found(small: Path, catalogue: Catalogue) -> None:
    def crowd(table: pa.Table) -> pa.Table:
        many = pa.concat_tables([table.slice(0, 1)] * 66).set_column(
            0, "person_id", pa.array(range(1, 67), pa.int64())
        )
        return pa.concat_tables([many, table])

    change(small, PERSONS, crowd, catalogue)
    assert "members; at most 64 are read" in row_faults(small, catalogue)


def test_one_changed_byte_is_found(small: Path, catalogue: Catalogue) -> None:
    raw = bytearray((small / PERSONS).read_bytes())
    raw[len(raw) // 3] ^= 1
    (small / PERSONS).write_bytes(raw)
    assert "the file was changed" in row_faults(small, catalogue)


def test_a_stray_file_is_found(small: Path, catalogue: Catalogue) -> None:
    (small / "families/36.parquet").write_bytes(b"")
    assert "not in the manifest" in row_faults(small, catalogue)


def test_twenty_faults_a_file_then_a_count(small: Path, catalogue: Catalogue) -> None:
    bad = pa.scalar(99, pa.int64())
    change(
        small,
        FAMILIES,
        lambda t: t.set_column(
            t.schema.get_field_index("decile"), "decile", pc.if_else(t.column("found"), bad, None)
        ),
        catalogue,
    )
    population = open_population(small, catalogue)
    found = duckdb.sql(f"SELECT count(*) FROM '{small / FAMILIES}' WHERE found").fetchall()[0][0]
    faults = [str(f) for f in verify(population, catalogue) if f.file.endswith(FAMILIES)]
    assert len(faults) == 21
    without_date = int(faults[-1].split("And ")[1].split()[0]) + 20 - found
    assert 0 <= without_date < found / 10  # those that had no decile before have no date either


def test_every_fault_is_told_at_once(small: Path, catalogue: Catalogue) -> None:
    change(small, FAMILIES, lambda t: t.drop_columns(["decile", "urban"]), catalogue)
    faults = open_faults(small, catalogue)
    assert "decile" in faults
    assert "urban" in faults
