"""The JSON Schemas and the checker say the same of many rulebooks: random good ones, and the refused ones."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.rules.rulebooks_random import DAYS, catalogues, rulebooks, toml
from tests.core.rules.soak import PROFILE, examples
from tests.core.rules.test_refused import BOOK, BOOKS, CATALOGUES, FACTS

from salur.core import toml as salur_toml
from salur.core.population import catalogue as checked_catalogue
from salur.core.population.catalogue import FORBIDDEN, RESERVED
from salur.core.rules import rulebook

DOCS = Path("docs")
# What needs another place of the file, the catalogue or TOML's own types: a schema cannot see it.
UNSEEN = {
    "a date as text", "a float", "an unknown basis", "values of mixed types", "two values from one day",
    "a parameter with a fact's name", "a negative amount", "an amount of nothing", "each without a member",
    "rank by a category", "places of nothing", "a negative place parameter", "the amount of a unit",
    "crossed bounds", "float bounds", "register",
}  # fmt: skip


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((DOCS / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def as_json(value: Any) -> Any:
    """TOML data as JSON data: a date is text."""
    if isinstance(value, dict):
        return {key: as_json(held) for key, held in value.items()}
    if isinstance(value, list):
        return [as_json(held) for held in value]
    return value.isoformat() if isinstance(value, date) else value


VALIDATORS = {name: validator(name) for name in ("rulebook", "facts")}


@settings(max_examples=examples(100), **PROFILE)
@given(data=st.data())
def test_random_good_rulebooks_are_valid(data: st.DataObject) -> None:
    catalogue = data.draw(catalogues())
    book = data.draw(rulebooks(catalogue, data.draw(st.sampled_from(DAYS))))
    for name, table in (("rulebook", book), ("facts", catalogue)):
        read_back = tomllib.loads(toml(table))
        assert not list(VALIDATORS[name].iter_errors(as_json(read_back)))
    facts = checked_catalogue.parse(salur_toml.parse(toml(catalogue).encode(), Path("facts.toml")))
    rulebook.parse(salur_toml.parse(toml(book).encode(), Path("random.toml")), facts)


@pytest.mark.parametrize(
    ("schema", "good", "table"),
    [("rulebook", BOOK, BOOKS), ("facts", FACTS, CATALOGUES)],
    ids=["rulebook", "facts"],
)
def test_what_the_checker_refuses_the_schema_refuses_where_it_can_see_it(
    schema: str, good: str, table: dict[str, tuple[str, ...]]
) -> None:
    assert VALIDATORS[schema].is_valid(as_json(tomllib.loads(good)))
    for name, (old, new, *_) in table.items():
        if name == "hexadecimal beyond 2^53":
            continue  # the validator itself cannot print it
        try:
            data = tomllib.loads(good.replace(old, new))
        except ValueError:
            continue  # not TOML
        assert VALIDATORS[schema].is_valid(as_json(data)) == (name in UNSEEN), name


def test_the_schema_knows_every_word_that_no_fact_may_bear() -> None:
    facts = tomllib.loads(FACTS)
    for word in sorted(FORBIDDEN | RESERVED | {f"head_{word}" for word in FORBIDDEN}):
        named = facts | {"facts": {word: facts["facts"]["level"]}}
        assert not VALIDATORS["facts"].is_valid(named), word
