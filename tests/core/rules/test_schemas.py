"""The JSON Schemas for editors accept what ships, and refuse what the checker refuses where they can see it."""

import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from salur.core import rules

ROOT = Path(__file__).parents[3]
BOOKS = ROOT / "src" / "salur" / "rulebooks"
CATALOGUE = rules.read_catalogue(BOOKS / "facts.toml")


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def plain(value: Any) -> Any:
    """TOML data as JSON data: dates as text."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def accepted(path: Path, name: str = "rulebook") -> bool:
    return validator(name).is_valid(plain(tomllib.loads(path.read_text("utf-8"))))


@pytest.mark.parametrize("path", sorted(BOOKS.glob("*.toml")), ids=lambda path: path.stem)
def test_what_ships_is_valid(path: Path) -> None:
    assert accepted(path, "facts" if path.stem == "facts" else "rulebook")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format = 1", "format = 2"),
        ('unit = "family"', 'unit = "village"'),
        ('period = "quarter"', 'period = "week"'),
        ("one_per_member = true", "one_per_member = 1"),
        ("one_per_member = true", "one_a_member = true"),
        ("[limits]\n", "[limits]\nslots = 3\n"),
        ("\nsays ", "\nsaid "),
        ('delivers = "money"', 'delivers = "gold"'),
        ("\namount ", "\nmeasure "),
        ('components = "components_most"', "components = 0"),
    ],
)
def test_schema_and_checker_refuse_the_same(tmp_path: Path, old: str, new: str) -> None:
    text = re.sub(r" +=", " =", (BOOKS / "pkh.toml").read_text("utf-8"))
    assert old in text, old
    (tmp_path / "pkh.toml").write_text(text.replace(old, new, 1), "utf-8")
    assert not accepted(tmp_path / "pkh.toml")
    with pytest.raises(rules.InputError):
        rules.read_rulebook(tmp_path / "pkh.toml", CATALOGUE)
