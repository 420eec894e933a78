"""`salur rules simulate`: what it prints in both languages, JSON and CSV, and what it says of bad input."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SALUR = Path(sys.executable).with_name("salur")
BOOKS = Path(__file__).parents[4] / "src" / "salur" / "rulebooks"
PKH = (BOOKS / "pkh.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A population of 4,000 families and another of 500, a new rulebook, and a cache that the tests share."""
    folder = tmp_path_factory.mktemp("home")
    for name, families in (("people", 4_000), ("others", 500)):
        made = salur(
            "population",
            "generate",
            "--families",
            families,
            "--unknown",
            2,
            "--out",
            folder / name,
            home=folder,
        )
        assert made.returncode == 0, made.stderr
    (folder / "new.toml").write_text(PKH.replace("2025-02-05, value = 4", "2025-02-05, value = 3"))
    for name, text, other in (
        ("newer", '"format":1', '"format":2'),
        ("renamed", '"decile":{', '"decile2":{'),
    ):
        shutil.copytree(folder / "others", folder / name)
        manifest = folder / name / "manifest.json"
        assert text in manifest.read_text("utf-8")
        manifest.write_text(manifest.read_text("utf-8").replace(text, other), "utf-8")
    done = simulate(folder, "new.toml", "--work", "work-of-people")
    assert done.returncode == 0, done.stderr
    return folder


def salur(*arguments, home, language="en", **options):
    environment = os.environ | {"SALUR_CACHE": str(home / "cache"), "COLUMNS": "110", "SALUR_LANG": language}
    return subprocess.run(
        [SALUR, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=home,
        check=False,
        **options,
    )


def simulate(home, *arguments, **options):
    over = () if "--population" in arguments else ("--population", "people")
    done = salur("rules", "simulate", *arguments, *over, home=home, **options)
    assert "Traceback" not in done.stderr
    return done


def test_one_screen_tells_whom_it_moves_why_and_what_it_costs(home):
    said = simulate(home, "new.toml", "--against", "pkh", "--ceiling", 1_000)
    assert said.returncode == 0, said.stderr
    for words in (
        "Family Hope Programme (PKH)", "highest_decile: 4 → 3 (poorest_deciles)", "cease to receive",
        "because of poorest_deciles", "a quarter", "over the ceiling", "from ↓ to →", "decile",
        "exclusion error", "inclusion error",
    ):  # fmt: skip
        assert words in said.stdout
    assert len(said.stdout.splitlines()) < 60
    said = simulate(home, "new.toml", "--against", "pkh", "--by", "region", language="id_ID.UTF-8")
    for words in (
        "Program Keluarga Harapan",
        "berhenti menerima",
        "karena poorest_deciles",
        "setriwulan",
        "daerah",
        "35.10",
        "salah sasaran",
    ):
        assert words in said.stdout
    assert "cease" not in said.stdout


def test_json_and_csv_hold_every_published_line(home):
    done = simulate(home, "new.toml", "--against", "pkh", "--csv", "out.csv", "--json", "--ceiling", 10**9)
    told = json.loads(done.stdout)
    assert {"format", "programme", "before", "after", "kinds", "moves", "reasons", "tables", "changes", "errors_after",
            "over_ceiling", "missing", "times", "sample"} <= told.keys()  # fmt: skip
    assert told["changes"] == [
        {
            "kind": "parameter",
            "name": "highest_decile",
            "before": "4",
            "after": "3",
            "touches": ["criterion:poorest_deciles"],
        }
    ]
    assert told["tables"].keys() == {
        "decile",
        "residence",
        "size",
        "head_sex",
        "head_age",
        "disability",
        "region",
    }
    assert told["after"]["cost_a_year"] == 4 * told["after"]["cost"] > 0
    assert told["over_ceiling"] == told["after"]["cost_a_year"] - 10**9
    rows = list(csv.DictReader(io.StringIO((home / "out.csv").read_text("utf-8"))))
    kinds = {row["what"]: int(row["units"]) for row in rows if row["table"] == "kinds"}
    assert kinds == {"+".join(line["names"]): line["units"] for line in told["kinds"]}
    lines = sum(len(row["lines"]) for table in told["tables"].values() for row in table)
    assert len([row for row in rows if row["table"] in told["tables"]]) == lines > 40
    assert not any(row["family_id"] for row in rows if "family_id" in row)


def test_a_sweep_tells_the_frontier(home):
    done = simulate(home, "pkh", "--against", "pkh", "--sweep", "highest_decile=1..6", "--json")
    points = json.loads(done.stdout)["points"]
    assert [point["value"] for point in points] == [1, 2, 3, 4, 5, 6]
    shown = [point["simulation"] for point in points if point["simulation"]]
    costs = [one["after"]["cost"] for one in shown]
    assert len(costs) >= 5
    assert costs == sorted(costs)
    missed = [one["errors_after"]["exclusion"] for one in shown if one["errors_after"]]
    assert missed == sorted(missed, reverse=True)
    one = simulate(home, "new.toml", "--against", "pkh", "--json")
    assert json.loads(one.stdout)["kinds"] == points[2]["simulation"]["kinds"]
    said = simulate(home, "pkh", "--sweep", "highest_decile=2,4", "--csv", "sweep.csv", "--ceiling", 5)
    assert said.returncode == 0, said.stderr
    assert [line.split()[0] for line in said.stdout.splitlines() if line.strip()[:1] in ("2", "4")] == [
        "2",
        "4",
    ]
    assert {row["value"] for row in csv.DictReader((home / "sweep.csv").read_text("utf-8").splitlines())} == {
        "2",
        "4",
    }


def test_another_truth_at_the_same_place_makes_another_run(home):
    shutil.copytree(home / "people" / "truth", home / "truth")
    arguments = ("new.toml", "--truth", "truth", "--json")
    first = simulate(home, *arguments)
    for file in (home / "truth").iterdir():
        os.utime(file, (1, 1))
    again = simulate(home, *arguments)
    assert (again.returncode, again.stdout) == (0, first.stdout), again.stderr


def test_a_sample_is_an_estimate_of_the_whole(home):
    whole, part = (
        json.loads(simulate(home, "new.toml", "--against", "pkh", "--json", *more).stdout)
        for more in ((), ("--sample", 4))
    )
    assert (part["sample"], part["times"]) == ([1, 4], 4)
    assert 0.8 < part["after"]["cost"] * 4 / whole["after"]["cost"] < 1.2
    assert (
        "Estimated from a sample: part 1 of 4"
        in simulate(home, "new.toml", "--against", "pkh", "--sample", 4).stdout
    )


BAD = {
    "another programme": (
        ("new.toml", "--against", "sembako"),
        "compare two rulebooks of one programme",
        "satu program",
    ),
    "no such regency": (
        ("new.toml", "--against", "pkh", "--regency", "99.99"),
        "no family in 99.99",
        "99.99",
    ),
    "no regency": (("new.toml", "--regency", ","), "No regency is chosen", "kabupaten"),
    "no number": (("pkh", "--sweep", "highest_decile=a..b"), "in whole numbers", "bilangan bulat"),
    "no name": (("pkh", "--sweep", "=1..3"), "written like highest_decile=1..6", "ditulis seperti"),
    "a fraction": (("pkh", "--sweep", "highest_decile=1.5..3"), "in whole numbers", "bilangan bulat"),
    "a work folder of another population": (
        ("new.toml", "--population", "others", "--work", "work-of-people"),
        "a simulation of something else",
        "simulasi dari hal lain",
    ),
    "a population of another version": (
        ("new.toml", "--population", "newer"),
        'an object with "format":1',
        '"format":1',
    ),
    "a population of other facts": (
        ("new.toml", "--population", "renamed"),
        "not declared in the manifest",
        "tidak disebut dalam manifes",
    ),
    "csv on a full disk": (
        ("new.toml", "--csv", "/dev/full"),
        "cannot be written: No space",
        "tidak dapat ditulis",
    ),
    "no range": (("pkh", "--sweep", "highest_decile=6..1"), "goes upwards", "naik"),
    "too many": (("pkh", "--sweep", "highest_decile=1..9999"), "at most 50", "50"),
    "no parameter": (("pkh", "--sweep", "decile=1..3"), "no parameter decile", "decile"),
    "out of bounds": (("pkh", "--sweep", "elderly_amount=-1"), "must", "harus"),
    "truth of others": (("new.toml", "--truth", "others/truth"), "not of this population", "populasi"),
    "no truth": (("new.toml", "--truth", "others/families"), "true_decile", "true_decile"),
    "no truth at all": (("new.toml", "--truth", "nowhere"), "no truth of this province", "provinsi"),
    "who is poor": (("new.toml", "--poor", "11"), "from 1 to 10", "1 sampai 10"),
    "not a folder of ours": (("new.toml", "--work", "others"), "holds no simulation", "simulasi"),
    "inside the population": (("new.toml", "--work", "people/work"), "inside the population", "populasi"),
    "csv nowhere": (("new.toml", "--csv", "nowhere/out.csv"), "cannot be written", "tidak dapat ditulis"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_sentence_in_both_languages(home, name):
    arguments, english, indonesian = BAD[name]
    for language, words in (("en", english), ("id", indonesian)):
        done = simulate(home, *arguments, language=language)
        assert done.returncode == 3, done.stdout
        assert words in done.stderr
        assert done.stdout == ""


def test_a_parameter_that_is_no_number_is_not_swept(home):
    which = '[parameters.which]\nvalues = [ { from = 2020-01-01, value = "male", basis = "desil-2025" } ]\n\n'
    before = "[parameters.highest_decile]"
    book = PKH.replace(before, which + before).replace("sex == 'female'", "sex != which")
    (home / "words.toml").write_text(book)
    done = simulate(home, "words.toml", "--sweep", "which=1..2")
    assert done.returncode == 3
    assert "words.toml:" in done.stderr
    assert "which is not a whole number and cannot be swept" in done.stderr


def test_a_population_without_a_fact_says_which_breakdown_it_cannot_give(home):
    import pyarrow.parquet as pq

    from salur.core import rules
    from salur.core.population.layout import open_population, write_manifest

    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    shutil.copytree(home / "people", home / "poorer")
    opened = open_population(home / "poorer", catalogue)
    for file in (home / "poorer").glob("persons/*.parquet"):
        table = pq.read_table(file)
        pq.write_table(table.drop_columns([n for n in table.schema.names if n.startswith("relation")]), file)
    facts = {name: held for name, held in opened.facts.items() if name != "relation"}
    write_manifest(home / "poorer", reference_date=opened.reference_date, facts=facts)
    done = salur("rules", "simulate", "new.toml", "--population", "poorer", "--json", home=home)
    assert json.loads(done.stdout)["missing"] == {"head_sex": ["relation"], "head_age": ["relation"]}
    done = salur("rules", "simulate", "new.toml", "--population", "poorer", home=home)
    assert "Not possible by age of the head: the population has no relation." in done.stdout


def test_a_full_disk_is_told_and_the_same_command_goes_on(home):
    def small() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))

    arguments = ("new.toml", "--against", "pkh", "--work", "full", "--poor", 2)
    shutil.rmtree(home / "cache" / "attributes")
    done = simulate(home, *arguments, preexec_fn=small)
    assert done.returncode == 3
    assert "The disk is full" in done.stderr
    again = simulate(home, *arguments)
    assert again.returncode == 0, again.stderr
    assert again.stdout == simulate(home, "new.toml", "--against", "pkh", "--poor", 2).stdout
