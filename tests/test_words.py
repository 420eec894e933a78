"""Every error is told in Indonesian too: the catalogue is complete, and the command line speaks it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest

from salur.commands import words
from salur.core.faults import Fault

SALUR = Path(sys.executable).with_name("salur")
TEMPLATES = sorted(words.templates())
KNOWN = words.translations()
HINT = "run `python -m salur.commands.words`, then translate what is empty in salur.po"


def placeholders(template: str) -> set[tuple[str, str | None, str | None]]:
    """The names in braces, with how each is to be shown."""
    return {(name, spec, how) for _, name, spec, how in Formatter().parse(template) if name is not None}


def salur(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    languages = ("SALUR_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    inherited = {name: value for name, value in os.environ.items() if name not in languages}
    return subprocess.run(
        [str(SALUR), *map(str, arguments)],
        env=inherited | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


# ---- the catalogue ---------------------------------------------------------------------------------------


def test_every_sentence_has_a_translation() -> None:
    assert [template for template in TEMPLATES if not KNOWN.get(template)] == [], HINT


def test_no_sentence_is_kept_that_the_code_no_longer_says() -> None:
    assert sorted(KNOWN.keys() - set(TEMPLATES)) == [], HINT


def test_a_translation_has_the_placeholders_of_its_template() -> None:
    assert {t: s for t, s in KNOWN.items() if s and placeholders(t) != placeholders(s)} == {}


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_sentence_can_be_filled_in(language: words.Language) -> None:
    translate = words.translator(language)
    for template in TEMPLATES:
        values = {name: 7 for name, _, _ in placeholders(template)}
        said = Fault.of(template, **values).at("a.toml", 3).text(translate)
        assert said.startswith("a.toml:3: ")
        assert said.count("7") >= len(values)


def test_indonesian_differs_from_english() -> None:
    """A word alone may be the same in both."""
    assert [t for t in TEMPLATES if KNOWN.get(t) == t and " " in t] == []


# ---- how templates are found -----------------------------------------------------------------------------

READER = """
from salur.core.faults import Fault as Wrong, InputError

LATE = "{n} came late."

class Refused(Exception):
    def __init__(self, template, **values): ...

class Reader:
    def fault(self, where, template, **values):
        self.faults.append(Wrong.of(template, **values).at(self.path, 3))

    def read(self, catalogue, seen):
        self.fault(("a", "b"), "The first half, "
                   "and the second.")
        self.fault((), "Yes." if seen else "No.")
        seen.add("not a sentence of ours")
        for n, template in ((1, LATE), (2, "{n} is missing.")):
            self.fault((), template, n=n)
        raise InputError.at(catalogue.of("family"), "Nothing here.") from Refused("Never.")
"""


def package(folder: Path, code: str) -> Path:
    """A package with the faults of Salur and one more file."""
    core = folder / "salur" / "core"
    core.mkdir(parents=True)
    (core / "faults.py").write_text((words.PACKAGE / "core" / "faults.py").read_text("utf-8"), "utf-8")
    (folder / "salur" / "reader.py").write_text(code, "utf-8")
    return folder / "salur"


def test_templates_are_found_however_they_are_handed_over(tmp_path: Path) -> None:
    found = words.templates(package(tmp_path, READER))
    assert sorted(found) == [
        "Never.", "No.", "Nothing here.", "The first half, and the second.", "Yes.", "{n} came late.",
        "{n} is missing.",
    ]  # fmt: skip
    assert set().union(*found.values()) == {"src/salur/reader.py"}


@pytest.mark.parametrize("bad", ['f"{x} is bad."', '"bad " + x', "x", "SENTENCES[x]"])
def test_a_template_that_could_not_be_translated_is_refused(tmp_path: Path, bad: str) -> None:
    code = f"from salur.core.faults import Fault\n\ndef check(x):\n    return Fault.of({bad})\n"
    with pytest.raises(ValueError, match=r"reader\.py:4: a template must be a plain text"):
        words.templates(package(tmp_path, code))


def test_a_page_template_is_not_a_sentence(tmp_path: Path) -> None:
    code = "def render(template, **values): ...\n\nrender('page one.html')\ntemplate = render(f'{2}.html')\n"
    assert words.templates(package(tmp_path / "alone", code)) == {}
    beside = "from salur.core.faults import Fault\ntemplate = pages.get_template('page one.html')\n"
    assert words.templates(package(tmp_path / "beside", beside)) == {}


def test_an_update_adds_drops_and_keeps(tmp_path: Path) -> None:
    code = "from salur.core.faults import Fault\nFault.of('Old {n}.')\n"
    source, file = package(tmp_path, code), tmp_path / "salur.po"
    assert words.update(file, source) == ["Old {n}."]
    file.write_text(file.read_text("utf-8").replace('msgstr ""\n\n', 'msgstr "Lama {n}."\n\n'), "utf-8")
    assert words.translations(file) == {"Old {n}.": "Lama {n}."}

    (source / "reader.py").write_text(code + "Fault.of('New.')\n", "utf-8")
    assert words.update(file, source) == ["New."]
    assert words.translations(file) == {"Old {n}.": "Lama {n}.", "New.": ""}
    before = file.read_bytes()
    words.update(file, source)
    assert file.read_bytes() == before

    (source / "reader.py").write_text("from salur.core.faults import Fault\nFault.of('New.')\n", "utf-8")
    words.update(file, source)
    assert words.translations(file) == {"New.": ""}


# ---- the language ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "id_ID.UTF-8"}, "id"),
        ({"LANG": "id"}, "id"),
        ({"LANG": "ido.UTF-8"}, "en"),
        ({"LC_MESSAGES": "id_ID", "LANG": "en_GB"}, "id"),
        ({"LC_ALL": "C", "LC_MESSAGES": "id_ID", "LANG": "id_ID"}, "en"),
        ({"LC_ALL": "", "LANG": "id_ID"}, "id"),
        ({"SALUR_LANG": "en", "LC_ALL": "id_ID"}, "en"),
        ({"SALUR_LANG": "id", "LC_ALL": "en_GB"}, "id"),
    ],
)
def test_the_language_is_the_one_asked_for(environment: dict[str, str], expected: str) -> None:
    assert words.language(environment) == expected


def test_english_reads_no_catalogue() -> None:
    code = (
        "import sys; from salur.commands.words import translator\n"
        "assert translator()('x') == 'x' and 'babel' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"SALUR_LANG": "en"}, check=True)


@pytest.mark.parametrize("environment", [{"SALUR_LANG": "id"}, {"LC_ALL": "id_ID.UTF-8"}])
def test_a_bad_rulebook_is_told_in_indonesian(tmp_path: Path, environment: dict[str, str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('format = 1\nid = "a"\nlimits = 3\n', "utf-8")
    done = salur("rules", "check", bad, **environment)
    assert done.returncode == 3
    assert f"{bad}:3: Batas ditulis sebagai tabel [limits].\n" in done.stderr
    assert 'title harus ditulis dalam dua bahasa: { id = "…", en = "…" }.' in done.stderr
    assert f"{bad}:3: Limits are written as a [limits] table.\n" in salur("rules", "check", bad).stderr


def test_what_no_command_foresaw_is_told_in_indonesian_too(tmp_path: Path) -> None:
    done = salur("regions", "list", SALUR_HOME=str(tmp_path), SALUR_LANG="id")
    assert done.returncode == 1
    assert done.stderr.startswith("Basis data belum disiapkan (")
    assert done.stderr.endswith("Jalankan `salur migrate`.\n")
