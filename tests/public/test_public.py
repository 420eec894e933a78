"""What is published identifies nobody, and the file holds exactly the protected table."""

from __future__ import annotations

import csv
import io
from collections import defaultdict

import pytest
from django.test import Client
from tests.citizens.conftest import office, population, settings_keys, town
from tests.citizens.town import Town

from salur.core.disclosure import Cell, protect
from salur.programmes.models import Cycle, Decision
from salur.programmes.selectors import by_district

__all__ = ["office", "population", "settings_keys", "town"]


def test_the_file_is_the_protected_table_and_holds_no_small_group(town: Town) -> None:
    text = Client(SERVER_NAME="localhost").get("/program/pkh/angka.csv").content.decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(int(row["units"]) == 0 or int(row["units"]) >= 10 for row in rows)
    raw: dict[tuple[str, str], Cell] = defaultdict(lambda: Cell(0))
    for figure in by_district(Cycle.objects.get(id=town.cycle)):
        code = figure.district if figure.district.count(".") == 2 else f"{figure.district}.00"
        raw[code, figure.outcome] += Cell(figure.units, figure.amount)
    table = protect(dict(raw))
    expected = [
        ("+".join(row.regions), "+".join(figure.outcomes), figure.people)
        for row in table.rows
        for figure in row.figures
    ]
    assert [(row["regions"], row["outcomes"], int(row["units"])) for row in rows] == expected
    nation = sum(int(row["units"]) for row in rows if row["regions"] == "")
    assert nation == Decision.objects.filter(cycle=town.cycle, superseded_by=None).count()


@pytest.mark.parametrize("path", ["/", "/en/", "/program/", "/program/pkh/", "/en/program/pkh/"])
def test_pages_about_nobody_may_be_kept_and_set_no_cookie(town: Town, path: str) -> None:
    page = Client(SERVER_NAME="localhost").get(path)
    assert page.status_code == 200
    assert "public" in page["Cache-Control"]
    assert not page.cookies
    assert "PKH" in page.content.decode()


def test_a_programme_without_rules_in_force_is_not_found(town: Town) -> None:
    assert Client(SERVER_NAME="localhost").get("/program/nothing/").status_code == 404
    assert Client(SERVER_NAME="localhost").get("/program/nothing/angka.csv").status_code == 404
