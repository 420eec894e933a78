"""`salur population`: what it prints, and sentences instead of tracebacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salur.core.faults import InputError
from salur.core.population.commands import app, read_regencies

runner = CliRunner()


def run(*arguments: str) -> str:
    result = runner.invoke(app, list(arguments), catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_generate_verify_and_describe(tmp_path: Path) -> None:
    out = tmp_path / "people"
    arguments = ("generate", "--regencies", "35.10", "--families", "500", "--out", str(out), "--identities")
    made = json.loads(run(*arguments, "--json"))
    assert made["rows"]["families"] == 500
    assert (made["made"], made["identities"]) == (True, {"folder": "people-identities", "made": True})
    again = json.loads(run(*arguments, "--json"))
    assert again == made | {"made": False, "identities": {"folder": "people-identities", "made": False}}
    assert "left as it is" in run(*arguments)
    assert "is sound: 500 families" in run("verify", str(out))
    report = json.loads(run("describe", str(out), "--json"))
    assert report["id"] == made["id"]
    assert report["regencies"] == {"35.10": made["rows"]}
    assert abs(sum(report["facts"]["decile"]["values"].values()) - 1) < 1e-9
    assert report["facts"]["birth_date"]["least"] < report["facts"]["birth_date"]["most"]
    assert "stale" in report["facts"]["pregnant"]
    assert sum(group["men"] + group["women"] for group in report["ages"]) <= made["rows"]["persons"]
    shown = run("describe", str(out))
    assert "500 families" in shown
    assert "Persons by age" in shown


def test_another_reference_date_and_rate_are_other_people(tmp_path: Path) -> None:
    ids = set()
    for i, more in enumerate(([], ["--reference-date", "2025-01-31"], ["--unknown", "3"], ["--seed", "2"])):
        out = str(tmp_path / str(i))
        ids.add(json.loads(run("generate", "--families", "50", "--out", out, "--json", *more))["id"])
    assert len(ids) == 4


def test_faults_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no region 99"):
        run("generate", "--regencies", "35.10,99", "--families", "5", "--out", str(tmp_path / "x"))
    with pytest.raises(InputError, match="There is no such folder"):
        run("verify", str(tmp_path / "nowhere"))
    run("generate", "--families", "50", "--out", str(tmp_path / "x"))
    file = tmp_path / "x/families/35.parquet"
    raw = bytearray(file.read_bytes())
    raw[50] ^= 255
    file.write_bytes(raw)
    with pytest.raises(InputError, match=r"families/35\.parquet"):
        run("verify", str(tmp_path / "x"))


def test_bad_usage_is_exit_code_2() -> None:
    assert runner.invoke(app, ["generate", "--families", "0", "--out", "x"]).exit_code == 2
    assert runner.invoke(app, ["generate", "--families", "1"]).exit_code == 2


def test_regions_are_chosen_by_code() -> None:
    assert len(read_regencies("all")) == 514
    assert len(read_regencies("35, 35.10")) == 38
    (banyuwangi,) = read_regencies("35.10")
    assert len(banyuwangi.villages) == 217
    assert banyuwangi.men + banyuwangi.women == 1_791_789
