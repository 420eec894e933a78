"""Loading lists of regions: the same twice, a later one, a bad one; on SQLite and on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import pytest

from salur.access.policy import SYSTEM, Actor, Granted, Refused
from salur.core.faults import InputError
from salur.journal.models import Event
from salur.regions import lists, selectors, services
from salur.regions.models import BEGINNING, Region

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
load = partial(services.regions_load, now=NOW, actor=SYSTEM)
load_retired = partial(services.regions_load_retired, now=NOW, actor=SYSTEM)
FIRST, LATER = date(2023, 1, 1), date(2025, 6, 1)
NATION = ["35,Jawa Timur", "35.10,Banyuwangi", "35.10.01,Pesanggaran", "35.10.01.2001,Sarongan", "36,Banten"]


def listed(folder: Path, *rows: str, header: str = "code,name", name: str = "list.csv") -> lists.RegionList:
    file = folder / name
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return lists.read(file, retired="last_seen" in header)


def rows() -> list[tuple[str, str, date, date | None]]:
    return list(
        Region.objects.order_by("code", "valid_from").values_list("code", "name", "valid_from", "valid_to")
    )


def counts(result: services.LoadResult) -> tuple[int, int, int, int, int]:
    return (result.added, result.unchanged, result.renamed, result.retired, result.bad_rows)


def test_the_same_list_twice_changes_nothing(tmp_path: Path) -> None:
    nation = listed(tmp_path, *NATION)
    assert counts(load(listed=nation, valid_from=FIRST)) == (5, 0, 0, 0, 0)
    before = list(Region.objects.values_list())
    assert counts(load(listed=nation, valid_from=FIRST)) == (0, 5, 0, 0, 0)
    assert counts(load(listed=nation, valid_from=LATER)) == (0, 5, 0, 0, 0)
    assert list(Region.objects.values_list()) == before


def test_a_later_list_retires_what_is_gone_and_closes_a_renamed_row(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION), valid_from=FIRST, decree="one")
    later = listed(tmp_path, "35,Jawa Timur", "35.10,Kabupaten Banyuwangi", "36,Banten", "37,Baru")
    result = load(listed=later, valid_from=LATER, decree="two")
    assert counts(result) == (1, 2, 1, 2, 0)
    assert rows() == [
        ("35", "Jawa Timur", FIRST, None),
        ("35.10", "Banyuwangi", FIRST, LATER),
        ("35.10", "Kabupaten Banyuwangi", LATER, None),
        ("35.10.01", "Pesanggaran", FIRST, LATER),
        ("35.10.01.2001", "Sarongan", FIRST, LATER),
        ("36", "Banten", FIRST, None),
        ("37", "Baru", LATER, None),
    ]
    assert Region.objects.get(code="37").decree == "two"


def test_a_list_without_a_date_adds_and_corrects_but_retires_nothing(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION))
    result = load(listed=listed(tmp_path, "35,Jawa Timur", "36,BANTEN", "37,Baru"))
    assert counts(result) == (1, 1, 1, 0, 0)
    assert result.missing == 3
    assert ("36", "BANTEN", BEGINNING, None) in rows()
    assert len(rows()) == 6


def test_a_partial_list_retires_nothing(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION), valid_from=FIRST)
    result = load(listed=listed(tmp_path, "37,Baru"), valid_from=LATER, partial=True)
    assert counts(result) == (1, 0, 0, 0, 0)


def test_a_list_that_would_retire_too_much_is_refused_whole(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION), valid_from=FIRST)
    before = rows()
    with pytest.raises(InputError, match=r"would retire 4 of 5 codes.*--partial"):
        load(listed=listed(tmp_path, "36,Banten", "37,Baru"), valid_from=LATER, retire_most=3)
    assert rows() == before


def test_an_older_list_never_overwrites_a_newer_name(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, "35,Baru"), valid_from=LATER)
    result = load(listed=listed(tmp_path, "35,Lama", "36,Banten"), valid_from=FIRST)
    assert counts(result) == (1, 0, 0, 0, 1)
    assert "list.csv:2: The database holds another name for 35 since 2025-06-01" in str(result.faults[0])
    assert ("35", "Baru", LATER, None) in rows()


def test_a_retired_code_comes_back_only_from_a_day_after_its_end(tmp_path: Path) -> None:
    gone = listed(tmp_path, "91.01,KAB. MERAUKE,2022", header="code,name,last_seen", name="gone.csv")
    assert counts(load_retired(listed=gone)) == (0, 0, 0, 1, 0)
    assert counts(load_retired(listed=gone)) == (0, 1, 0, 0, 0)
    back = listed(tmp_path, "91,Papua", "91.01,Merauke")
    refused = load(listed=back)
    assert counts(refused) == (1, 0, 0, 0, 1)
    assert "was retired on 2023-01-01" in str(refused.faults[0])
    assert counts(load(listed=back, valid_from=LATER)) == (1, 1, 0, 0, 0)


def test_a_code_in_force_cannot_be_loaded_as_retired(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION))
    gone = listed(tmp_path, "36,Banten,2022", header="code,name,last_seen", name="gone.csv")
    result = load_retired(listed=gone)
    assert counts(result) == (0, 0, 0, 0, 1)
    assert "36 is in force" in str(result.faults[0])


def test_bad_rows_wait_and_good_rows_go_on_and_nothing_is_retired(tmp_path: Path) -> None:
    load(listed=listed(tmp_path, *NATION), valid_from=FIRST)
    later = listed(tmp_path, "35,Jawa Timur", "36,", "37,Baru", "38.01,Tanpa induk")
    result = load(listed=later, valid_from=LATER)
    assert counts(result) == (1, 1, 0, 0, 2)
    assert [str(fault) for fault in result.faults] == [
        f"{tmp_path}/list.csv:3: The field name must have 1 to 100 printable characters.",
        f"{tmp_path}/list.csv:5: The parent 38 of 38.01 is neither in this list nor in the database.",
    ]
    assert result.missing == 4
    assert selectors.region_status(code="36", on=LATER) == "in_force"


def test_what_is_shipped_loads_and_its_figures_are_the_official_ones() -> None:
    added = [load(listed=lists.read(path), partial=True).added for path in lists.shipped()]
    assert added == [552, 242]
    assert Region.objects.filter(level=1).count() == 38
    assert Region.objects.filter(level=2).count() == 514
    assert Region.objects.filter(level=4, parent__startswith="35.10").count() == 217


def test_all_91_599_codes_load(shared_data: Path) -> None:
    nation = lists.read(shared_data / "wilayah_id.csv.gz")
    steps: list[tuple[int, int]] = []
    result = load(listed=nation, progress=lambda done, total: steps.append((done, total)))
    assert counts(result) == (91_599, 0, 0, 0, 0)
    assert steps[-1] == (91_599, 91_599)
    assert len(steps) > 10
    assert [Region.objects.filter(level=level).count() for level in (1, 2, 3, 4)] == [38, 514, 7_285, 83_762]
    gone = lists.read(shared_data / "wilayah_lama.csv", retired=True)
    assert counts(load_retired(listed=gone)) == (0, 0, 0, 620, 0)
    assert counts(load(listed=nation)) == (0, 91_599, 0, 0, 0)


def test_many_codes_are_retired_only_when_so_many_are_meant(tmp_path: Path) -> None:
    codes = [f"35.10.01.{number:04}" for number in range(6_000)]
    above = ["35,a", "35.10,b", "35.10.01,c"]
    load(listed=listed(tmp_path, *above, *(f"{c},x" for c in codes)), valid_from=FIRST)
    with pytest.raises(InputError, match="would retire 6000 of 6003"):
        load(listed=listed(tmp_path, *above), valid_from=LATER)
    result = load(listed=listed(tmp_path, *above), valid_from=LATER, retire_most=6_000)
    assert counts(result) == (0, 3, 0, 6_000, 0)
    assert Region.objects.filter(valid_to=LATER).count() == 6_000


def test_a_load_is_one_event_with_counts_and_a_digest(tmp_path: Path) -> None:
    nation = listed(tmp_path, *NATION, "38.01,Tanpa induk")
    load(listed=nation, valid_from=FIRST, decree="Kepmendagri 1")
    load(listed=nation, valid_from=FIRST)  # changes nothing
    load(listed=listed(tmp_path, *NATION[:3], name="later.csv"), valid_from=LATER)
    load_retired(listed=listed(tmp_path, "91.01,X,2022", header="code,name,last_seen"))
    events = [json.loads(event.detail) for event in Event.objects.order_by("id")]
    kinds = [event.kind for event in Event.objects.order_by("id")]
    assert kinds == ["regions.loaded", "regions.loaded", "regions.retired_loaded"]
    told = [(e["added"], e["renamed"], e["retired"], e["bad_rows"], e["codes"]) for e in events]
    assert told == [(5, 0, 0, 1, 6), (0, 0, 2, 0, 3), (0, 0, 1, 0, 1)]
    assert events[0]["valid_from"] == "2023-01-01"
    rows = "".join(f"{row.replace(',', chr(9))}\t\n" for row in sorted([*NATION, "38.01,Tanpa induk"]))
    assert events[0]["digest"] == hashlib.sha256(rows.encode()).hexdigest()
    assert len({event["digest"] for event in events}) == 3


def test_only_our_own_programs_load(tmp_path: Path) -> None:
    officer = Actor("officer:1", (Granted("operator", ""),))
    for act in (services.regions_load, services.regions_load_retired):
        with pytest.raises(Refused):
            act(now=NOW, actor=officer, listed=listed(tmp_path, *NATION))
    assert not Region.objects.exists()
