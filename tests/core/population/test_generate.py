"""Synthetic people: the same for the same seed, and shaped as the country is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salur.core.faults import InputError
from salur.core.population import profile
from salur.core.population.catalogue import Catalogue
from salur.core.population.commands import read_regencies
from salur.core.population.draws import along
from salur.core.population.generate import Generator, Regency, _share_out
from salur.core.population.layout import Population, open_population, verify

Make = Callable[..., Population]


def one(population: Population, sql: str) -> tuple[float, ...]:
    db = duckdb.connect()
    for kind in ("families", "persons", "truth"):
        db.read_parquet([str(getattr(population, kind)(p)) for p in population.provinces]).create_view(kind)
    row: tuple[float, ...] = db.sql(sql).fetchall()[0]
    return row


def test_it_is_sound(large: Population, catalogue: Catalogue) -> None:
    assert verify(large, catalogue) == []


def test_the_same_arguments_give_the_same_bytes(make: Make, large: Population, tmp_path: Path) -> None:
    again = make(tmp_path / "again", "35.10", 40_000)
    assert again.id == large.id
    assert make(tmp_path / "other", "35.10", 40_000, seed=8).id != large.id


def test_a_regency_is_the_same_alone_or_with_others(make: Make, tmp_path: Path) -> None:
    both = make(tmp_path / "both", "35.10,35.73", 900)
    n = int(one(both, "SELECT count(*) FROM families WHERE region = '35.73'")[0])
    alone = make(tmp_path / "alone", "35.73", n)
    for kind in ("families", "persons"):
        left = duckdb.sql(f"FROM '{getattr(both, kind)('35')}' WHERE region = '35.73'").fetchall()
        assert left == duckdb.sql(f"FROM '{getattr(alone, kind)('35')}'").fetchall()


def test_a_chunk_does_not_depend_on_the_others(make: Make, large: Population, tmp_path: Path) -> None:
    fewer = make(tmp_path / "fewer", "35.10", 2 * 16_384)
    for kind in ("families", "persons"):
        rows = duckdb.sql(f"FROM '{getattr(fewer, kind)('35')}'").fetchall()
        assert rows == duckdb.sql(f"FROM '{getattr(large, kind)('35')}' LIMIT {len(rows)}").fetchall()


def test_regencies_have_their_official_shares(make: Make, tmp_path: Path) -> None:
    population = make(tmp_path / "east", "35", 20_000)
    regencies = read_regencies("35")
    people = sum(r.men + r.women for r in regencies)
    counts = dict(
        duckdb.sql(f"SELECT region, count(*) FROM '{population.families('35')}' GROUP BY 1").fetchall()
    )
    assert sum(counts.values()) == 20_000
    for r in regencies:
        assert abs(counts[r.code] - 20_000 * (r.men + r.women) / people) < 1


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1), st.integers(1, 10**6))
def test_every_family_is_shared_out_once(people: list[tuple[int, int]], families: int) -> None:
    regencies = [Regency(f"11.{i:02}", men, women) for i, (men, women) in enumerate(people)]
    if sum(map(sum, people)) == 0:
        with pytest.raises(InputError):
            _share_out(regencies, families)
    else:
        shares = _share_out(regencies, families)
        assert sum(shares.values()) == families
        assert all(n == 0 for code, n in shares.items() if sum(people[int(code[3:])]) == 0)


@given(st.lists(st.floats(0.001, 1.0), min_size=2, max_size=9), st.floats(-0.9, 0.9, allow_subnormal=False))
def test_spreading_over_deciles_keeps_the_national_share(shares: list[float], correlation: float) -> None:
    rows = along(shares, correlation)
    assert np.allclose(rows.sum(axis=1), 1)
    assert np.allclose(rows.mean(axis=0), np.array(shares) / sum(shares), atol=0.01)


def test_men_and_women_have_their_official_shares(large: Population) -> None:
    (r,) = read_regencies("35.10")
    share, n = one(large, "SELECT avg((sex = 'male')::INT), count(sex) FROM persons")
    assert abs(share - r.men / (r.men + r.women)) < 4 * (0.25 / n) ** 0.5 + 0.004


def test_ages_follow_the_census(large: Population) -> None:
    wanted = np.array(profile.shipped()["ages"]["thousands"], float)
    rows = duckdb.execute(
        "SELECT least(datesub('year', birth_date, ?::DATE) // 5, 15) AS g, count(*) FROM read_parquet(?) "
        "WHERE birth_date IS NOT NULL GROUP BY g ORDER BY g",
        [large.reference_date, str(large.persons("35"))],
    ).fetchall()
    got = np.array([n for _, n in rows], float)
    assert np.abs(got / got.sum() - wanted / wanted.sum()).max() < 0.011


def test_families_are_coherent(large: Population) -> None:
    sizes, mean, largest = one(
        large,
        """SELECT count(*) FILTER (WHERE family_size <> n), avg(n), max(n) FROM families
        JOIN (SELECT family_id, count(*) AS n FROM persons GROUP BY 1) USING (family_id)""",
    )
    assert sizes == 0
    assert 2.95 < mean < 3.25
    assert largest <= 10
    heads, spouses, same_sex, young = one(
        large,
        """SELECT max(heads), max(spouses), count(*) FILTER (WHERE same), count(*) FILTER (WHERE young) FROM (
            SELECT family_id, count(*) FILTER (WHERE relation = 'head') AS heads,
                count(*) FILTER (WHERE relation = 'spouse') AS spouses,
                max(sex) FILTER (WHERE relation = 'head') = max(sex) FILTER (WHERE relation = 'spouse') AS same,
                min(birth_date) FILTER (WHERE relation = 'child')
                    < min(birth_date) FILTER (WHERE relation IN ('head', 'spouse')) + INTERVAL 14 YEAR AS young
            FROM persons GROUP BY family_id)""",
    )
    assert (heads, spouses, same_sex) == (1, 1, 0)
    assert young == 0


def test_people_do_what_their_age_allows(large: Population) -> None:
    age = f"datesub('year', birth_date, DATE '{large.reference_date}')"
    wrong = one(
        large,
        f"""SELECT count(*) FILTER (WHERE pregnant AND (sex = 'male' OR {age} NOT BETWEEN 15 AND 50)),
            count(*) FILTER (WHERE occupation <> 'none' AND {age} < 15),
            count(*) FILTER (WHERE school_level = 'primary' AND {age} NOT BETWEEN 6 AND 14),
            count(*) FILTER (WHERE final_class AND school_level = 'none'),
            count(*) FILTER (WHERE education = 'higher' AND {age} < 22),
            count(*) FILTER (WHERE public_pensioner AND {age} < 58),
            count(*) FILTER (WHERE occupation <> 'none' AND work_status <> 'working')
        FROM persons""",
    )
    assert wrong == (0,) * 7
    (attending,) = one(
        large, f"SELECT avg((school_level <> 'none')::INT) FROM persons WHERE {age} BETWEEN 7 AND 12"
    )
    assert 0.975 < attending < 0.998


def test_public_servants_are_in_three_to_four_families_of_a_hundred(large: Population) -> None:
    (share,) = one(
        large,
        """SELECT count(DISTINCT family_id) FILTER (WHERE occupation IN
            ('civil_servant', 'military', 'police', 'state_company')) / count(DISTINCT family_id) FROM persons""",
    )
    assert 0.03 < share < 0.045


def test_gaps_are_as_declared(large: Population, catalogue: Catalogue, make: Make, tmp_path: Path) -> None:
    rates = profile.shipped()["registers"]["unknown"]
    assert set(rates) == set(catalogue.facts)
    override = make(tmp_path / "gaps", "35.10", 20_000, unknown=12.5)
    for name, fact in catalogue.facts.items():
        table = "families WHERE members_known" if fact.unit == "family" else "persons"
        for population, rate in ((large, rates[name]), (override, 12.5)):
            n, missing = one(population, f'SELECT count(*), count(*) - count("{name}") FROM {table}')
            p = rate / 100
            assert abs(missing / n - p) < 4.5 * (p * (1 - p) / n) ** 0.5 + 1e-4, name


def test_some_families_are_not_found_and_some_have_unknown_members(large: Population) -> None:
    lost, facts, rows, unknown = one(
        large,
        """SELECT count(*) FILTER (WHERE NOT found) / count(*),
            count(decile) FILTER (WHERE NOT found) + count(urban) FILTER (WHERE NOT found)
                + count(*) FILTER (WHERE NOT found AND members_known),
            (SELECT count(*) FROM persons JOIN families USING (family_id) WHERE NOT members_known),
            count(*) FILTER (WHERE found AND NOT members_known) / count(*) FROM families""",
    )
    assert (facts, rows) == (0, 0)
    assert 0.003 < lost < 0.007
    assert 0.003 < unknown < 0.007


def test_some_rows_are_stale(large: Population, catalogue: Catalogue) -> None:
    for name in ("decile", "welfare_score", "pregnant", "school_level"):
        fact = catalogue.facts[name]
        table = "families" if fact.unit == "family" else "persons"
        stale, none = one(
            large,
            f"""SELECT avg(({name}__as_of < DATE '{large.reference_date}' - {fact.stale_after_days})::INT),
                count(*) FILTER (WHERE ({name} IS NULL) <> ({name}__as_of IS NULL)) FROM {table}""",
        )
        assert 0.01 < stale < 0.05
        assert none == 0


def test_deciles_hold_a_tenth_of_the_country_each(make: Make, tmp_path: Path) -> None:
    population = make(tmp_path / "country", "all", 30_000)
    for column, table in (("decile", "families"), ("true_decile", "truth")):
        for decile in range(1, 11):
            (share,) = one(population, f"SELECT avg(({column} = {decile})::INT) FROM {table}")
            assert 0.085 < share < 0.115, (column, decile)
    assert len(population.provinces) == 38


def test_the_hidden_welfare_is_apart_and_shows_through(large: Population, catalogue: Catalogue) -> None:
    assert not any("true" in name for name in large.facts)
    (correlation, toilet) = one(
        large,
        """SELECT corr(welfare_score, true_welfare),
            avg(own_toilet::INT) FILTER (WHERE true_decile = 10)
                - avg(own_toilet::INT) FILTER (WHERE true_decile = 1)
        FROM families JOIN truth USING (family_id)""",
    )
    assert 0.7 < correlation < 0.85
    assert toilet > 0.2


def test_villages_are_known_in_banyuwangi_and_nothing_is_invented_elsewhere(
    large: Population, small: Path, catalogue: Catalogue
) -> None:
    villages, missing = one(large, "SELECT count(DISTINCT village), count(*) - count(village) FROM families")
    assert (villages, missing) == (217, 0)
    (known,) = one(
        open_population(small, catalogue), "SELECT count(village) FROM families WHERE region <> '35.10'"
    )
    assert known == 0


def test_arguments_that_make_no_sense_are_refused(catalogue: Catalogue, large: Population) -> None:
    regencies, day = read_regencies("35.10"), large.reference_date
    for bad in (
        lambda: Generator([], 1, 1, catalogue, day),
        lambda: Generator(regencies, 0, 1, catalogue, day),
        lambda: Generator(regencies, 1, -1, catalogue, day),
        lambda: Generator(regencies, 1, 1, catalogue, day, 101),
        lambda: Generator(regencies, 10**9, 1, catalogue, day),
        lambda: Generator([Regency("35.10", 0, 0)], 1, 1, catalogue, day),
    ):
        with pytest.raises(InputError):
            bad()
