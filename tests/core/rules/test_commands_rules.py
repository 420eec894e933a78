"""`salur rules` on the command line: what it prints, and how it ends."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SALUR = Path(sys.executable).with_name("salur")
BOOKS = Path(__file__).parents[3] / "src" / "salur" / "rulebooks"
SEMBAKO = (BOOKS / "sembako.toml").read_text("utf-8")
RULE = "decile <= highest_decile"


def salur(*arguments, home):
    environment = os.environ | {"SALUR_CACHE": str(home / "cache"), "COLUMNS": "120"}
    return subprocess.run(
        [SALUR, *map(str, arguments)], capture_output=True, text=True, env=environment, cwd=home, check=False
    )


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    made = salur("population", "generate", "--families", 400, "--out", home / "people", home=home)
    assert made.returncode == 0, made.stderr
    return home / "people"


@pytest.fixture
def case(tmp_path):
    path = tmp_path / "case.json"
    path.write_text('{"family_id": 1, "region": "35.10", "facts": {"decile": 7}, "members": []}')
    return path


def test_check_tells_every_fault_at_once_with_its_line(tmp_path):
    text = SEMBAKO.replace(RULE, "desile <= 4").replace("format = 1", "format = 2")
    (tmp_path / "bad.toml").write_text(text)
    done = salur("rules", "check", "bad.toml", home=tmp_path)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "desile" in row)
    assert done.returncode == 3
    assert (
        f"bad.toml:{line}: desile is neither a declared fact nor a parameter. Did you mean decile?"
        in done.stderr
    )
    assert "bad.toml:" in done.stderr.replace(f"bad.toml:{line}", "")
    assert "Traceback" not in done.stderr


def test_check_accepts_every_shipped_rulebook_by_its_id(tmp_path):
    done = salur("rules", "check", "pkh", "sembako", "pbi-jkn", "pip", "digital-talent", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 5


def test_check_as_json_lists_the_faults(tmp_path):
    (tmp_path / "bad.toml").write_text(SEMBAKO.replace(RULE, "decile.real <= 4"))
    done = salur("rules", "check", "bad.toml", "--json", home=tmp_path)
    assert done.returncode == 3
    assert json.loads(done.stdout)["faults"][0]["sentence"].startswith("A name has no parts here")


def test_explain_speaks_indonesian_first_and_english_when_asked(tmp_path, case):
    said = salur("rules", "explain", "sembako", "--case", case, "--on", "2026-11-01", home=tmp_path)
    assert "BELUM BERHAK" in said.stdout
    said = salur(
        "rules", "explain", "sembako", "--case", case, "--on", "2026-11-01", "--lang", "en", home=tmp_path
    )
    assert "NOT ENTITLED NOW" in said.stdout


def test_explain_as_json_has_the_fixed_keys(tmp_path, case):
    done = salur("rules", "explain", "sembako", "--case", case, "--on", "2026-11-01", "--json", home=tmp_path)
    told = json.loads(done.stdout)
    assert {"outcome", "amount", "amount_most", "criteria", "components", "would_change"} <= told.keys()
    assert {"id", "outcome", "says", "remedy", "owner", "basis", "facts"} <= told["criteria"][0].keys()
    assert {"id", "count", "most", "members", "amount"} <= told["components"][0].keys()
    assert {"criterion", "fact", "value", "needed"} <= told["would_change"][0].keys()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["rules", "explain", "sembako"], 2),
        (["rules", "explain", "sembako", "--case", "case.json", "--lang", "fr"], 2),
        (["rules", "explain", "sembako", "--case", "case.json", "--on", "tomorrow"], 2),
        (["rules", "explain", "sembako", "--case", "none.json"], 3),
        (["rules", "explain", "none.toml", "--case", "case.json"], 3),
        (["rules", "explain", "pip", "--case", "case.json"], 3),
        (["rules", "explain", "sembako", "--case", "case.json", "--on", "1990-01-01"], 3),
        (["rules", "decide", "sembako", "--population", "none", "--out", "x"], 3),
        (["rules", "decide", "sembako", "--population", "none", "--out", "x", "--engine", "oracle"], 2),
        (["rules", "lines", "none"], 3),
        (["rules", "nothing"], 2),
    ],
)
def test_bad_input_ends_with_a_sentence_and_the_right_code(tmp_path, case, arguments, code):
    done = salur(*arguments, home=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_decide_and_lines_are_the_same_every_time(tmp_path, population):
    for out in ("one", "two"):
        done = salur(
            "rules", "decide", "pkh", "--population", population, "--out", out, "--json", home=tmp_path
        )
        assert done.returncode == 0, done.stderr
        totals = json.loads(done.stdout)["totals"]["outcomes"]
        assert sum(row["units"] for row in totals.values()) == 400
    one, two = (salur("rules", "lines", out, home=tmp_path).stdout for out in ("one", "two"))
    assert one == two
    assert len(one.splitlines()) == 400
    assert all(line.startswith("decision/v1|pkh|") and line.count("|") == 12 for line in one.splitlines())


def test_a_case_of_the_population_is_explained_as_it_was_decided(tmp_path, population):
    done = salur(
        "rules", "decide", "digital-talent", "--population", population, "--out", "out", home=tmp_path
    )
    assert done.returncode == 0, done.stderr
    again = salur(
        "rules", "decide", "digital-talent", "--population", population, "--out", "out", home=tmp_path
    )
    assert again.stdout == done.stdout


def test_lines_say_which_population_they_need(tmp_path, population):
    salur("rules", "decide", "pkh", "--population", population, "--out", "out", home=tmp_path)
    shutil.copytree(population, tmp_path / "moved")
    (tmp_path / "out" / "population.path").unlink()
    lost = salur("rules", "lines", "out", home=tmp_path)
    assert (lost.returncode, "--population" in lost.stderr) == (3, True)
    assert salur("rules", "lines", "out", "--population", "moved", home=tmp_path).returncode == 0


def test_render_shows_every_criterion_and_what_is_unverified(tmp_path):
    page = salur("rules", "render", "pkh", "--lang", "en", home=tmp_path).stdout
    assert page.startswith("# ")
    assert "unverified" in page
    assert page.count("Rule: `") == 10
