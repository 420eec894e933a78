"""Names and test NIKs: plausible, unique, no real person's, and never inside the population."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.population.known import TODAY

from salur.core.faults import InputError
from salur.core.population.catalogue import Catalogue
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator
from salur.core.population.identities import write_identities
from salur.core.population.layout import Population, columns_of
from salur.core.population.names import Names
from salur.core.population.nik import Serials


@pytest.fixture(scope="module")
def folder(banyuwangi: Generator, large: Population, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("identities") / "people"
    assert write_identities(banyuwangi, large.id, path) is True
    return path


def test_every_person_has_one_nik_and_one_name(folder: Path, large: Population) -> None:
    persons = pq.read_table(large.persons("35"), columns=["person_id"]).column("person_id")
    table = pq.read_table(folder / "35.parquet")
    assert table.column_names == ["person_id", "name", "nik"]
    assert table.column("person_id").to_pylist() == persons.to_pylist()
    niks = table.column("nik").to_pylist()
    assert len(set(niks)) == len(niks)
    assert all(re.fullmatch(r"3510\d{8}9\d{3}", nik) for nik in niks)
    assert all(
        name and name == name.strip() and "  " not in name for name in table.column("name").to_pylist()
    )


def test_a_nik_agrees_with_birth_date_sex_and_district(folder: Path, large: Population) -> None:
    dates, sexes, districts = duckdb.execute(
        """SELECT count(*) FILTER (WHERE strftime(birth_date, '%m%y') <> nik[9:12]
                OR nik[7:8]::INT % 40 <> day(birth_date)),
            count(*) FILTER (WHERE (nik[7:8]::INT > 40) <> (sex = 'female')),
            count(*) FILTER (WHERE nik[5:6] <> village[7:8])
        FROM read_parquet(?) JOIN read_parquet(?) USING (person_id) JOIN read_parquet(?) USING (family_id)""",
        [str(folder / "35.parquet"), str(large.persons("35")), str(large.families("35"))],
    ).fetchall()[0]
    assert (dates, sexes) == (0, 0)
    assert districts == 0


def test_about_a_fifth_have_one_name(folder: Path) -> None:
    names = pq.read_table(folder / "35.parquet").column("name").to_pylist()
    assert 0.15 < sum(" " not in name for name in names) / len(names) < 0.25


def test_the_same_seed_gives_the_same_identities(
    folder: Path, banyuwangi: Generator, large: Population, tmp_path: Path
) -> None:
    write_identities(banyuwangi, large.id, tmp_path / "again")
    assert (tmp_path / "again/35.parquet").read_bytes() == (folder / "35.parquet").read_bytes()
    assert write_identities(banyuwangi, large.id, folder) is False
    with pytest.raises(InputError, match="another population"):
        write_identities(banyuwangi, "0" * 64, folder)
    assert json.loads((folder / "manifest.json").read_bytes())["population"] == large.id


def test_no_name_and_no_nik_is_in_the_population(
    folder: Path, large: Population, catalogue: Catalogue
) -> None:
    for kind in ("families", "persons", "truth"):
        table = pq.read_table(getattr(large, kind)("35"))
        assert table.column_names == list(columns_of(kind, catalogue.facts, large.as_of_columns))
    identities = pq.read_table(folder / "35.parquet")
    secret = {
        w for name in identities.column("name").unique().to_pylist() for w in name.split() if len(w) > 3
    }
    numbers = identities.column("nik").to_pylist()
    for path in large.path.rglob("*"):
        if path.suffix == ".parquet":
            for column in pq.read_table(path).columns:
                values = {str(v) for v in column.unique().to_pylist()}
                assert not values & secret
                assert not any(re.fullmatch(r"\d{16}", v) for v in values)
        elif path.is_file():
            text = path.read_text()
            assert not any(word in text for word in secret)
            assert not any(nik in text for nik in numbers[:1000])


def test_naming_habits_differ(catalogue: Catalogue, tmp_path: Path) -> None:
    codes = {"51.71": r"^(I|Ni) (Wayan|Made|Nyoman|Ketut|Putu|Kadek|Komang|Gede|Luh) ", "95.01": r"Wenda|Kogoya",
             "12.02": r"Sitorus|Simanjuntak|Ginting", "73.08": r"^Andi "}  # fmt: skip
    generator = Generator(read_regencies(",".join(codes)), 4000, 2, catalogue, TODAY)
    write_identities(generator, "0" * 64, tmp_path / "out")
    for code, pattern in codes.items():
        names = pq.read_table(tmp_path / f"out/{code[:2]}.parquet").column("name").to_pylist()
        share = sum(bool(re.search(pattern, name)) for name in names) / len(names)
        assert share > (0.7 if code == "51.71" else 0.02), (code, share)


def test_every_province_has_its_names() -> None:
    for province in {regency.code[:2] for regency in read_regencies("all")}:
        assert Names(province).peoples


def test_numbers_go_to_the_next_district_when_a_date_is_full() -> None:
    serials = Serials("35.10", (1, 2, 7))
    day, man = np.array(["1990-02-28"] * 1700, "datetime64[D]"), np.ones(1700, bool)
    niks = serials.give(np.zeros(1700, int), day, man).to_pylist()
    assert len(set(niks)) == 1700
    assert (niks[0], niks[999], niks[1000]) == ("3510012802909000", "3510012802909999", "3510022802909000")
    niks += serials.give(np.ones(1300, int), day[:1300], man[:1300]).to_pylist()
    assert len(set(niks)) == 3000
    with pytest.raises(InputError, match="no test NIK left"):
        serials.give(np.zeros(1, int), day[:1], man[:1])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.dates(date(1925, 1, 1), date(2026, 9, 30)), st.booleans(), st.integers(0, 2)), min_size=1
    )
)
def test_a_nik_holds_region_date_and_sex(people: list[tuple[date, bool, int]]) -> None:
    days = np.array([day for day, _, _ in people], "datetime64[D]")
    male, district = np.array([m for _, m, _ in people]), np.array([d for _, _, d in people])
    niks = Serials("11.01", (3, 12, 99)).give(district, days, male).to_pylist()
    assert len(set(niks)) == len(people)
    for nik, (day, man, place) in zip(niks, people, strict=True):
        shown = day.day + (0 if man else 40)
        assert nik[:12] == f"1101{(3, 12, 99)[place]:02}{shown:02}{day:%m%y}"
