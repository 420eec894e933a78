"""The file of keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from salur.people import keys
from salur.people.protect import KeysError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keys.init(tmp_path / "keys.json", b"k" * 32)
    return tmp_path / "keys.json"


def test_made_once_for_its_owner_alone(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.load(file).versions == (1,)
    before = file.read_bytes()
    with pytest.raises(KeysError, match="There are keys already"):
        keys.init(file, b"x" * 32)
    assert file.read_bytes() == before
    assert [p.name for p in file.parent.iterdir()] == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o601])
def test_refused_if_others_may_touch_it(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(KeysError, match="chmod 600"):
        keys.load(file)


def test_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match="salur people keys init"):
        keys.load(tmp_path / "none.json")


def test_a_new_version_is_added_and_then_made_current(file: Path) -> None:
    first = keys.load(file)
    assert keys.add(file, b"n" * 32).current == 1
    with pytest.raises(KeysError, match="waiting to become current"):
        keys.add(file, b"m" * 32)
    now = keys.make_current(file)
    assert (now.current, now.versions) == (2, (1, 2))
    assert now.index("nik", "1", 1) == first.index("nik", "1")
    assert keys.load(file) == now
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", '{"format": 2, "current": 1, "secrets": {"1": "' + "ab" * 32 + '"}}',
        '{"format": 1, "current": 1, "secrets": {"1": "abcd"}}', '{"format": 1, "current": 1, "secrets": []}',
        '{"format": 1, "current": 1, "secrets": {"1": "' + "zz" * 32 + '"}}',
    ],
)  # fmt: skip
def test_what_is_no_file_of_keys_is_said_without_showing_it(file: Path, text: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(KeysError) as refused:
        keys.load(file)
    assert "not a file of keys" in str(refused.value)
    assert "abab" not in str(refused.value)


def test_the_current_version_must_be_there(file: Path) -> None:
    data = json.loads(file.read_bytes()) | {"current": 3}
    file.write_text(json.dumps(data), "utf-8")
    with pytest.raises(KeysError):
        keys.load(file)
