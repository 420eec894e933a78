"""Reading lists: every bad row is named with file, row and field; a file that is no list is one sentence."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from salur.core.faults import InputError
from salur.regions import lists


def test_each_bad_row_is_named_and_no_value_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    nik = "3510" + "0115" + "0390" + "9001"
    rows = [
        "code,name",
        "35,Jawa Timur",
        f"{nik},Budi",
        "35.1,Kurang",
        "35,Lagi",
        "36,a,b",
        "",
        "36,  ",
        "37,Ada",
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    listed = lists.read(file)
    assert list(listed.rows) == ["35", "37"]
    assert listed.bad_rows == 5
    assert [(fault.line, fault.sentence().split(";")[0][:34]) for fault in listed.faults] == [
        (3, "The field code must look like 35, "),
        (4, "The field code must look like 35, "),
        (5, "The field code repeats the code of"),
        (6, "The row has another number of fiel"),
        (8, "The field name must have 1 to 100 "),
    ]
    assert not any(nik in str(fault) or "Budi" in str(fault) for fault in listed.faults)


def test_a_retired_list_needs_a_year(tmp_path: Path) -> None:
    file = tmp_path / "gone.csv"
    file.write_text("code,name,last_seen\n91.01,A,2022\n91.02,B,lama\n91.03,C,0000\n91.04,D,9999\n")
    listed = lists.read(file, retired=True)
    assert str(listed.rows["91.01"].valid_to) == "2023-01-01"
    assert [fault.line for fault in listed.faults] == [3, 4, 5]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "code, name is missing"),
        ("a.csv", b"code;name\n35;Jawa\n", "The header must have the columns code, name"),
        ("a.csv", b"code,name\n", "no rows"),
        ("a.csv", b"code,name\n35,Jawa \xff\n", "UTF-8"),
        ("a.csv", b'code,name\n35,"Jawa\n', "not a valid CSV"),
        ("a.csv.gz", b"code,name\n35,Jawa\n", "damaged or not gzip"),
        ("a.csv.gz", gzip.compress(b"code,name\n35,Jawa Timur\n" * 99)[:-20], "damaged or not gzip"),
        ("a.csv", None, "no such file"),
    ],
    ids=["empty", "semicolons", "only a header", "not UTF-8", "open quote", "not gzip", "cut off", "missing"],
)
def test_a_file_that_is_no_list_gets_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        lists.read(file)
    assert len(caught.value.faults) == 1


def test_a_file_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes("\ufeffName,CODE,other\r\nJawa Timur,35,x\r\n".encode())
    assert {code: row.name for code, row in lists.read(file).rows.items()} == {"35": "Jawa Timur"}


def test_the_shipped_figures_add_up() -> None:
    """Source: SOURCES.md beside the file; the sums are the published ones."""
    with lists.shipped()[0].open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    for level in (2, 5):
        regions = [row for row in rows if len(row["code"]) == level]
        assert sum(int(row["population"]) for row in regions) == 284_973_643
        assert sum(Decimal(row["area_km2"]) for row in regions) == Decimal("1890179.784")
    assert all(int(row["male"]) + int(row["female"]) == int(row["population"]) for row in rows)
