"""Bad rulebooks, catalogues and cases: each told in a sentence with its line, all of a file at once, in time.

The last part mutates good files at random: nothing but an InputError may come of it, within a second.
"""

# ruff: noqa: E501 - one bad file a line reads best as a table

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.rules.soak import PROFILE, examples

from salur.core import toml
from salur.core.faults import InputError
from salur.core.population import catalogue as catalogues
from salur.core.population.catalogue import Catalogue
from salur.core.rules import cases, plan, rulebook

SHIPPED = Path("src/salur/rulebooks")
SECONDS_MOST = 1.0
BOOK = """\
format = 1
id = "sample"
unit = "family"
period = "quarter"
title = { id = "Contoh", en = "Sample" }

[[basis]]
id = "law"
title = "Law"

[parameters.limit]
values = [ { from = 2020-01-01, value = 4, basis = "law" } ]

[parameters.price]
values = [ { from = 2020-01-01, value = 100, basis = "law" } ]

[[criteria]]
id = "first"
require = "decile <= limit"
basis = "law"
says = { id = "Desil.", en = "Decile." }

[[components]]
id = "aid"
each = "pregnant"
delivers = "money"
amount = "price"
most = 2

[limits]
components = 4
one_per_member = true

[quota]
by = "regency"
places = "limit"
counts = "families"
rank = "welfare_score"
"""
CASE = """\
{"family_id": 7, "region": "35.10", "found": true,
 "facts": {"decile": 3, "tenure": {"value": "owned", "source": "office", "as_of": "2026-10-01"}},
 "members": [{"person_id": 1, "birth_date": "1990-05-17", "pregnant": null}, {"person_id": 2, "sex": "male"}]}
"""


@cache
def catalogue() -> Catalogue:
    return catalogues.read(SHIPPED / "facts.toml")


def check(text: str | bytes) -> rulebook.Rulebook:
    raw = text.encode() if isinstance(text, str) else text
    return rulebook.parse(toml.parse(raw, Path("sample.toml")), catalogue())


def seconds(read: Callable[[], object]) -> float:
    """How long it takes, at best of two: the machine may be busy with something else."""
    taken = []
    for _ in range(2):
        begun = time.process_time()
        with suppress(InputError):
            read()
        taken.append(time.process_time() - begun)
        if taken[-1] < SECONDS_MOST:
            break
    return min(taken)


def told(text: str | bytes) -> str:
    """The refusal of a rulebook, in time."""
    with pytest.raises(InputError) as caught:
        check(text)
    assert seconds(lambda: check(text)) < SECONDS_MOST
    str(caught.value).encode()  # it can be printed
    return str(caught.value)


def line_of(text: str, words: str) -> int:
    return next(n for n, line in enumerate(text.split("\n"), start=1) if words in line)


def with_require(expression: str) -> str:
    return BOOK.replace('"decile <= limit"', json.dumps(expression))


def test_the_sample_is_good() -> None:
    assert check(BOOK).id == "sample"
    cases.parse(CASE, catalogue())


# ---- expressions ---------------------------------------------------------------------------------------------

BRACKETS = 20_000
EXPRESSIONS = {
    "": "must be one condition",
    "  ": "must be one condition",
    "decile <=": "cannot be read near",
    "decile = 4": "cannot be read near",
    "decile <= 4; True": "cannot be read near",
    "(decile <= 4": "cannot be read near",
    "decile <= 4)": "A bracket is closed that was never opened.",
    "decile <= 4) or (urban": "A bracket is closed that was never opened.",
    "urban, urban": "must be one condition",
    "decil <= 4": "decil is neither a declared fact nor a parameter. Did you mean decile?",
    "unheard_of": "unheard_of is neither a declared fact nor a parameter.",
    "religion == 'x'": "religion is a forbidden fact: nobody may be decided by it.",
    "any(nama == 'x')": "nama is a forbidden fact",
    "not suku": "suku is a forbidden fact",
    "party": "party is a forbidden fact",
    "open('/etc/passwd')": "There is no function open here",
    "__import__('os').system('ls')": "A call like this is not part of the rule language.",
    "decile.bit_length() > 1": "A call like this is not part of the rule language.",
    "decile.real > 1": "A name has no parts here",
    "urban.__class__": "A name has no parts here",
    "[urban for x in [1]]": "A comprehension is not part of the rule language.",
    "any(pregnant for x in [1])": "A comprehension is not part of the rule language.",
    "lambda: urban": "lambda is not part of the rule language.",
    "urban if urban else urban": "if … else is not part of the rule language.",
    "(x := urban)": "An assignment is not part of the rule language.",
    "yield urban": "yield is not part of the rule language.",
    "decile[0] == 1": "An index is not part of the rule language.",
    "f'{decile}' == tenure": "is not part of the rule language.",
    "decile is None": "'is' is not part of the rule language.",
    "decile is not None": "'is not' is not part of the rule language.",
    "decile == None": "an unknown is never tested for",
    "decile <= 4.5": "4.5 is not a whole number; money and counts are whole.",
    "decile <= 1e3": "1000.0 is not a whole number; money and counts are whole.",
    "decile / 2 == 1": "Only + - * are allowed between numbers, not /.",
    "decile // 2 == 1": "Only + - * are allowed between numbers, not //.",
    "decile % 2 == 1": "Only + - * are allowed between numbers, not %.",
    "decile ** 2 == 1": "Only + - * are allowed between numbers, not **.",
    "~decile == 1": "is not part of the rule language.",
    "urban & urban": "Only + - * are allowed",
    "b'a' == tenure": "is not part of the rule language",
    "... == decile": "is not part of the rule language",
    "1j == decile": "is not part of the rule language",
    "decile": "The expression is a whole number, but must be a yes-or-no condition.",
    "tenure": "but must be a yes-or-no condition.",
    "decile and urban": "decile is a whole number, but must be a yes-or-no condition here.",
    "not decile": "decile is a whole number, but must be a yes-or-no condition here.",
    "urban + 1 == 2": "urban is a yes-or-no condition, but must be a whole number here.",
    "decile == 'four'": "they cannot be compared",
    "decile == urban": "they cannot be compared",
    "tenure == 4": "they cannot be compared",
    "tenure < 'owned'": "tenure has no order: only == and != compare it.",
    "urban < True": "urban has no order",
    "tenure == 'castle'": "castle is not a value of this fact; it has free, official, owned, rented.",
    'tenure == "owned\'; DROP TABLE families; --"': "is not a value of this fact",
    "tenure in [\"owned' OR '1'='1\"]": "is not a value of this fact",
    "tenure == 'owned\\x00'": "is not plain text",
    "tenure == '\\ud800'": "is not plain text",
    "tenure == '\\x1b[2J'": "is not plain text",
    "tenure in []": "After 'in' stands a list of constants",
    "tenure in ('owned', 'rented')": "After 'in' stands a list of constants",
    "decile in [limit]": "The list after 'in' holds constants only, not limit.",
    "decile in [1, 'two']": "'two' is a category, but decile is a whole number.",
    "decile in [1, True]": "True is a yes-or-no condition, but decile is a whole number.",
    "'owned' == 'owned'": "Two constants are compared",
    "pregnant": "pregnant is a fact of a person: a family programme reads it inside any, all, count or sum.",
    "years(birth_date) > 3": "birth_date is a fact of a person",
    "any(urban)": "any() reads no fact of a member",
    "count(decile <= 4) > 0": "count() reads no fact of a member",
    "any(any(pregnant))": "any() cannot stand inside another look at the members.",
    "any(count(pregnant) > 1 and pregnant)": "count() cannot stand inside another look at the members.",
    "any()": "any() takes one condition or number.",
    "any(pregnant, pregnant)": "any() takes one condition or number.",
    "any(*pregnant)": "is not part of the rule language",
    "count(x=pregnant) > 1": "takes its condition or numbers without names",
    "count(pregnant)": "The expression is a whole number, but must be a yes-or-no condition.",
    "sum(pregnant) > 1": "pregnant is a yes-or-no condition, but must be a whole number here.",
    "any(decile)": "but must be a yes-or-no condition here.",
    "min(decile) > 1": "min() takes two numbers or more.",
    "max(decile, urban) > 1": "urban is a yes-or-no condition, but must be a whole number here.",
    "any(years(birth_date))": "years() must be compared with a number or a parameter.",
    "any(years(birth_date) + 1 > 3)": "years() must be compared with a number or a parameter.",
    "any(years(birth_date) > decile)": "years() is compared with a whole number or a parameter only.",
    "any(years(birth_date) > 201)": "years() is compared with at most 200.",
    "any(months(birth_date) > 2401)": "months() is compared with at most 2400.",
    "any(years(pregnant) > 3)": "pregnant is a yes-or-no condition, but must be a date here.",
    "any(years() > 3)": "years() takes one date.",
    "any(birth_date > '2020-01-01')": "they cannot be compared",
    "decile == 9007199254740993": "The number 9007199254740993 is beyond 2^53.",
    "decile == " + "9" * 3_000: "is beyond 2^53.",
    "decile == 0x" + "f" * 3_900: "is beyond 2^53.",
    "welfare_score * welfare_score * welfare_score == 1": "A number here could pass 2^53 (1000000000000000000)",
    "9007199254740992 + decile > 0": "A number here could pass 2^53",
    "-9007199254740992 - decile > 0": "A number here could pass 2^53",
    "(" * BRACKETS + "urban" + ")" * BRACKETS: "nested more than 50 deep",
    "[" * BRACKETS: "nested more than 50 deep",
    "(" * 51 + "urban" + ")" * 51: "nested more than 50 deep",
    "not " * 60 + "urban": "nested more than 50 deep",
    "not " * 990 + "urban": "nested more than 50 deep",
    "-" * 3_000 + "decile > 1": "nested more than 50 deep",
    "decile" + " + decile" * 400 + " > 1": "nested more than 50 deep",
    "urban" + " and urban" * 400: "has 4005 characters; at most 4000",
    "urban\x00": "cannot be read near",
}


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda text: text[:40])
def test_a_bad_expression_is_refused_with_its_line(expression: str) -> None:
    text = with_require(expression)
    sentence = told(text)
    assert EXPRESSIONS[expression] in sentence
    assert sentence.startswith(f"sample.toml:{line_of(text, 'require')}: ")


def test_chains_inside_chains_are_refused_before_they_grow() -> None:
    expression = "urban"
    for _ in range(45):
        expression = f"urban == ({expression}) == urban"
    assert "The expression has more than 2000 nodes." in told(with_require(expression))


def test_the_limits_themselves_are_allowed() -> None:
    check(with_require("(" * 49 + "urban" + ")" * 49))
    check(with_require("not " * 49 + "urban"))
    check(with_require("urban" + " and urban" * 390))
    check(with_require("decile < 9007199254740992"))
    check(with_require("welfare_score * welfare_score < 9007199254740992"))


# ---- rulebooks -----------------------------------------------------------------------------------------------

CRITERION = '[[criteria]]\nid = "k{}"\nrequire = "urban"\nbasis = "law"\nsays = {{ id = "-", en = "-" }}\n'
# what is replaced, by what, the sentence, the words of the line on which it is told ("" for the file)
BOOKS: dict[str, tuple[str, str, str, str]] = {
    "format": ("format = 1", "format = 2", "The first line must say format = 1.", "format"),
    "format true": ("format = 1", "format = true", "The first line must say format = 1.", "format"),
    "no id": ('id = "sample"\n', "", "An id is needed", ""),
    "a bad id": ('id = "sample"', 'id = "Sample 1"', "An id is needed", "Sample"),
    "a path as id": ('id = "sample"', 'id = "../sample"', "An id is needed", "../sample"),
    "unit": ('unit = "family"', 'unit = "house"', "unit must be one of family, person.", "house"),
    "period": ('"quarter"', '"week"', "period must be one of", "week"),
    "one language": (', en = "Sample"', "", "title must be given in both languages", "title"),
    "three languages": (', en = "Sample"', ', en = "S", fr = "S"', "title must be given in both", "title"),
    "an unknown key": ("[[basis]]", 'colour = "red"\n[[basis]]', "colour is not a key of a rulebook here", "colour"),
    "an unknown key in a table": ("most = 2", "moist = 2", "moist is not a key of a rulebook here", "moist"),
    "an undated parameter": (
        'values = [ { from = 2020-01-01, value = 4, basis = "law" } ]', "value = 4",
        "The parameter limit is undated", "parameters.limit"),
    "a value without a date": ("{ from = 2020-01-01, value = 4", "{ value = 4", "A value of limit is undated", "value = 4"),
    "a date and time": ("from = 2020-01-01, value = 4", "from = 2020-01-01T00:00:00, value = 4", "is undated", "T00"),
    "a date as text": ("from = 2020-01-01, value = 4", 'from = "2020-01-01", value = 4', "is undated", '"2020'),
    "a float": ("value = 4,", "value = 4.0,", "A value of limit must be a whole number", "4.0"),
    "nan": ("value = 4,", "value = nan,", "A value of limit must be a whole number", "nan"),
    "an infinite": ("value = 4,", "value = inf,", "A value of limit must be a whole number", "inf"),
    "beyond 2^53": ("value = 4,", "value = 9007199254740993,", "A value of limit is beyond 2^53.", "9007"),
    "hexadecimal beyond 2^53": ("value = 4,", f"value = 0x{'f' * 9_000},", "A value of limit is beyond 2^53.", "0xfff"),
    "a value without basis": (', value = 4, basis = "law"', ", value = 4", "A value of limit has no basis", "value = 4"),
    "an unknown basis": ('value = 4, basis = "law"', 'value = 4, basis = "rumour"', "There is no [[basis]] with the id rumour.", "rumour"),
    "values of mixed types": (
        "[ { from = 2020-01-01, value = 4,", '[ { from = 2019-01-01, value = true, basis = "law" }, { from = 2020-01-01, value = 4,',
        "The values of limit are of different types.", "parameters.limit"),
    "two values from one day": (
        "[ { from = 2020-01-01, value = 4,", '[ { from = 2020-01-01, value = 5, basis = "law" }, { from = 2020-01-01, value = 4,',
        "The parameter limit has two values from the same day.", "parameters.limit"),
    "a parameter with a fact's name": ("[parameters.limit]", "[parameters.urban]", "urban cannot be a parameter's name", "urban"),
    "a criterion without basis": ('basis = "law"\nsays', "says", "The criterion first has no basis", "[[criteria]]"),
    "a criterion without sentence": ('says = { id = "Desil.", en = "Decile." }\n', "", "says must be given in both languages", "[[criteria]]"),
    "a criterion without condition": ('require = "decile <= limit"\n', "", "require must be an expression in quotes.", "[[criteria]]"),
    "a built-in id": ('id = "first"', 'id = "some_component"', "some_component is the id of a built-in criterion.", "some_component"),
    "an id that is a list": ('id = "first"', 'id = ["first"]', "An id is needed", '["first"]'),
    "a negative amount": (
        'value = 100, basis', "value = -100, basis", "price is -100, but amount must be 0 or more.", 'amount = "price"'),
    "an amount in clear": ('amount = "price"', "amount = 100", "amount must name a parameter in whole rupiah.", "amount = 100"),
    "an amount of nothing": ('amount = "price"', 'amount = "prize"', "amount must name a parameter that is a whole number; prize is none.", "prize"),
    "no amount": ('amount = "price"\n', "", "amount must name a parameter in whole rupiah.", "[[components]]"),
    "most 0": ("most = 2", "most = 0", "most must be a whole number of 1 or more, or a parameter.", "most = 0"),
    "each and when": ('each = "pregnant"', 'each = "pregnant"\nwhen = "urban"', "has both each and when; choose one.", "[[components]]"),
    "each without a member": ('each = "pregnant"', 'each = "urban"', "each reads no fact of a member", "each"),
    "delivers": ('delivers = "money"', 'delivers = "love"', "delivers must be one of money, goods", "love"),
    "goods with an amount": ('delivers = "money"', 'delivers = "goods"', "Only money has an amount", "amount"),
    "one_per_member": ("one_per_member = true", "one_per_member = 1", "one_per_member must be true or false.", "one_per"),
    "no slots": ("components = 4", "components = 0", "components must be a whole number of 1 or more", "components = 0"),
    "by": ('by = "regency"', 'by = "village"', "by must be one of nation, province, regency.", "village"),
    "rank by a category": ('rank = "welfare_score"', 'rank = "tenure"', "rank must name a whole-number fact of the unit.", "tenure"),
    "rank by a list": ('rank = "welfare_score"', "rank = [1]", "rank must name a whole-number fact of the unit.", "rank"),
    "places of nothing": ('places = "limit"', 'places = "limits"', "places must name a parameter", '"limits"'),
    "places without table": ('places = "limit"', "places = 3", "places must name a parameter or be a table", "places = 3"),
    "places for a province": ('places = "limit"', 'places = { 35 = 3 }', "places needs a whole number for a regency code; 35 is none.", "35 = 3"),
    "places for words": ('places = "limit"', "places = { \"it's5\" = 3 }", "it's5 is none", "it's5"),
    "negative places": ('places = "limit"', 'places = { "35.10" = -3 }', "35.10 is none", "-3"),
    "a negative place parameter": ("value = 4,", "value = -4,", "limit is -4, but places must be 0 or more.", 'places = "limit"'),
    "no components": ('[[components]]\nid = "aid"\neach = "pregnant"\ndelivers = "money"\namount = "price"\nmost = 2\n', "",
                      "The programme delivers nothing", ""),
    "criteria as a table": ("[[criteria]]", "[criteria]", "criteria must be written as [[criteria]] tables.", "[criteria]"),
    "limits as an array": ("[limits]", "[[limits]]", "Limits are written as a [limits] table.", "[[limits]]"),
    "a link": ('title = "Law"', 'title = "Law"\nlink = "javascript:alert(1)"', "A link starts with https://.", "link"),
    "checked_on": ('title = "Law"', 'title = "Law"\nchecked_on = "today"', "checked_on must be a date like 2026-11-20.", "checked_on"),
    "the amount of a unit": ("value = 100, basis", "value = 900719925474099, basis", "The amount of one unit could pass 2^53 rupiah.", "[[components]]"),
    "not closed": ('title = "Law"', 'title = "Law', "This is not valid TOML", 'title = "Law'),
    "twice the same key": ('unit = "family"', 'unit = "family"\nunit = "person"', "This is not valid TOML", "person"),
    "a number of 5,000 digits": ("value = 4,", f"value = {'4' * 5_000},", "This is not valid TOML", ""),
    "a date that is none": ("from = 2020-01-01, value = 4", "from = 2020-02-30, value = 4", "This is not valid TOML", "02-30"),
    "a control character": ('title = "Law"', 'title = "Law\x07"', "This is not valid TOML", "Law"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOOKS)
def test_a_bad_rulebook_is_refused_with_its_line(name: str) -> None:
    old, new, sentence, words = BOOKS[name]
    assert BOOK.count(old) == 1, "the replaced text must be there once"
    text = BOOK.replace(old, new)
    lines = [line for line in told(text).split("\n") if sentence in line]
    assert lines, told(text)
    place = f"sample.toml:{line_of(text, words)}: " if words else "sample.toml"
    assert lines[0].startswith(place)


def test_every_fault_of_a_file_is_told_at_once_in_its_order() -> None:
    text = (
        BOOK.replace("value = 4,", "value = 4.5,")
        .replace('basis = "law"\nsays', "says")
        .replace("most = 2", "most = 0")
        .replace("welfare_score", "tenure")
        .replace("one_per_member = true", "one_per_member = 3")
    )
    lines = told(text).split("\n")
    assert len(lines) >= 5
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)


def test_duplicate_ids_are_told() -> None:
    text = BOOK + "\n" + CRITERION.format("x") + "\n" + CRITERION.format("x")
    assert "The id kx is used twice." in told(text)


def test_sixty_criteria_are_allowed_and_no_more() -> None:
    many = [CRITERION.format(index) for index in range(60)]
    check(BOOK + "\n" + "\n".join(many[:59]))
    assert "There are 61 criteria; at most 60." in told(BOOK + "\n" + "\n".join(many))


def test_two_thousand_nodes_are_allowed_and_no_more() -> None:
    big = CRITERION.replace('"urban"', '"' + "urban" + " and urban" * 390 + '"')
    check(BOOK + "\n" + "\n".join(big.format(index) for index in range(5)))
    text = BOOK + "\n" + "\n".join(big.format(index) for index in range(6))
    assert "nodes; at most 2000." in told(text)


def test_more_than_64_kb_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.toml"
    path.write_text(BOOK + "#" * 70_000, "utf-8")
    with pytest.raises(InputError, match="more than 65536 bytes"):
        rulebook.read(path, catalogue())


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    for read in (
        lambda p: rulebook.read(p, catalogue()),
        catalogues.read,
        lambda p: cases.read(p, catalogue()),
    ):
        with pytest.raises(InputError, match="There is no such file"):
            read(tmp_path / "none.toml")
        with pytest.raises(InputError, match="cannot be read"):
            read(tmp_path)
        (tmp_path / "latin.toml").write_bytes(b'title = "caf\xe9"')
        with pytest.raises(InputError, match="not UTF-8"):
            read(tmp_path / "latin.toml")


def test_a_file_name_that_is_no_text_can_be_told(tmp_path: Path) -> None:
    path = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\x1b[2J.toml"))
    with pytest.raises(InputError) as caught:
        rulebook.read(path, catalogue())
    assert "\x1b" not in str(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 20_000 + "]" * 20_000,
        "x = " + "[" * 20_000,
        "x = " + "{ a = " * 9_000,
        "a" + ".a" * 31_000 + " = 1\n",
        "[a" + ".a" * 31_000 + "]\n",
        "x = [\n[" + " " * 60_000 + "\n],\n]\n",
        '"\\' * 30_000,
        'x = """' + '\\"""' * 15_000,
        "'" * 60_000,
        "\n" * 60_000,
        "=" * 60_000,
        "[[criteria]]\n" * 4_500,
        '[[criteria]]\nrequire = "decilee"\n' * 1_800,
        '[[criteria]]\nrequire = "urban' + " == urban" * 350 + '"\n',
        "[parameters]\n" + "".join(f"p{i} = 1\n" for i in range(6_000)),
    ],
    ids=lambda text: text[:20].strip(),
)
def test_texts_made_to_take_long_are_refused_in_time(text: str) -> None:
    told(text)


def test_many_expressions_that_grow_are_refused_in_time() -> None:
    expression = "urban"
    for _ in range(8):
        expression = f"urban == ({expression}) == urban"
    many = "\n".join(CRITERION.format(index).replace('"urban"', f'"{expression}"') for index in range(59))
    assert "nodes; at most 2000" in told(BOOK + "\n" + many)


# ---- on a day ------------------------------------------------------------------------------------------------


def test_a_parameter_that_is_not_in_force_yet_is_told_with_its_line() -> None:
    with pytest.raises(InputError) as caught:
        plan.plan(check(BOOK), date(2019, 12, 31))
    first, second = str(caught.value).split("\n")
    assert first == (
        f"sample.toml:{line_of(BOOK, 'parameters.limit')}: The parameter limit has no value in force on "
        "2019-12-31; its first is from 2020-01-01."
    )
    assert "price" in second
    plan.plan(check(BOOK), date(2020, 1, 1))


@pytest.mark.parametrize("on", [date.min, date(1899, 12, 31), date(2201, 1, 1), date.max])
def test_a_reference_date_outside_the_calendar_of_ages_is_refused(on: date) -> None:
    with pytest.raises(InputError, match=r"outside 1900-01-01 to 2200-12-31|no value in force"):
        plan.plan(check(BOOK), on)


@pytest.mark.parametrize("on", [date(1900, 1, 1), date(2200, 12, 31), date(2000, 2, 29)])
def test_every_age_that_is_allowed_stays_in_the_calendar(on: date) -> None:
    text = BOOK.replace("2020-01-01", "1900-01-01")
    for unit, most in (("years", 200), ("months", 2_400)):
        for bound in (-most, most):
            for op in ("<", "<=", "==", "!=", ">", ">="):
                require = json.dumps(f"any({unit}(birth_date) {op} {bound})")
                plan.plan(check(text.replace('"decile <= limit"', require)), on)


# ---- catalogues ----------------------------------------------------------------------------------------------

FACTS = """\
format = 1
[registers.r]
title = { id = "R", en = "R" }
owner = { id = "O", en = "O" }
[facts.level]
unit = "family"
type = "integer"
least = 1
most = 10
register = "r"
sensitivity = "ordinary"
label = { id = "T", en = "L" }
[facts.home]
unit = "person"
type = "category"
register = "r"
sensitivity = "ordinary"
label = { id = "R", en = "H" }
[facts.home.values]
own = { id = "M", en = "O" }
"""
CATALOGUES: dict[str, tuple[str, str, str]] = {
    "format": ("format = 1", "format = 3", "The first line must say format = 1."),
    "a forbidden fact": ("facts.level]", "facts.religion]", "religion is a forbidden fact"),
    "a forbidden word": ("facts.level]", "facts.suku_bangsa]", "suku_bangsa is a forbidden fact"),
    "a reserved name": ("facts.level]", "facts.family_id]", "family_id cannot be a fact's name"),
    "a word of SQL": ("facts.level]", "facts.select]", "select cannot be a fact's name"),
    "the name of a date": ("facts.level]", "facts.level__as_of]", "level__as_of cannot be a fact's name"),
    "a name with a quote": ("facts.level]", "facts.'a\"b']", "cannot be a fact's name"),
    "a capital": ("facts.level]", "facts.Level]", "Level cannot be a fact's name"),
    "unit": ('unit = "family"', 'unit = "house"', 'needs unit = "family" or "person"'),
    "type": ('type = "integer"', 'type = "float"', 'needs type = "boolean", "integer", "date" or "category"'),
    "no bounds": ("least = 1\n", "", "needs least and most"),
    "crossed bounds": ("least = 1\n", "least = 11\n", "needs least and most"),
    "float bounds": ("least = 1\n", "least = 1.0\n", "needs least and most"),
    "bounds beyond 2^53": ("most = 10", "most = 9007199254740993", "needs least and most"),
    "bounds of a category": ('type = "category"', 'type = "category"\nleast = 1', "Only an integer fact has least"),
    "register": ('most = 10\nregister = "r"', 'most = 10\nregister = "x"', "names no declared register"),
    "sensitivity": ('most = 10\nregister = "r"\nsensitivity = "ordinary"', 'most = 10\nregister = "r"', "needs sensitivity"),
    "label": ('label = { id = "T", en = "L" }', 'label = "L"', "needs a label with id and en"),
    "no values": ('[facts.home.values]\nown = { id = "M", en = "O" }\n', "", "needs its [facts.home.values]"),
    "a value with a quote": ('own = { id = "M", en = "O" }', "\"o'wn\" = { id = \"M\", en = \"O\" }", "needs a plain key"),
    "values of a number": ("most = 10", "most = 10\nvalues = { a = 1 }", "Only a category has values."),
    "staleness": ("most = 10", "most = 10\nstale_after_days = 0", "stale_after_days must be a whole number of days"),
    "a key": ("most = 10", "most = 10\nweight = 3", "weight is not a key of a fact."),
    "a section": ("[registers.r]", "[colours]\n[registers.r]", "colours is not a key of a fact catalogue."),
}  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUES)
def test_a_bad_catalogue_is_refused_with_its_line(name: str) -> None:
    old, new, sentence = CATALOGUES[name]
    assert FACTS.count(old) == 1
    with pytest.raises(InputError) as caught:
        catalogues.parse(toml.parse(FACTS.replace(old, new).encode(), Path("facts.toml")))
    lines = [line for line in str(caught.value).split("\n") if sentence in line]
    assert lines, str(caught.value)
    assert lines[0].startswith("facts.toml:")


def test_the_sample_catalogue_is_good() -> None:
    catalogues.parse(toml.parse(FACTS.encode(), Path("facts.toml")))


# ---- cases ---------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[str, str, str]] = {
    "no JSON": (CASE, "{", "This is not valid JSON"),
    "nothing": (CASE, "", "This is not valid JSON"),
    "a list": (CASE, "[]", "A case is a JSON object"),
    "null": (CASE, "null", "A case is a JSON object"),
    "nested": (CASE, "[" * 100_000, "too deep"),
    "nested in a fact": ('"decile": 3', '"decile": ' + "[" * 90_000 + "]" * 90_000, "too deep"),
    "a key": ('"found": true', '"found": true, "lost": 1', "lost is not a key of a case"),
    "a key twice": ('"decile": 3', '"decile": 3, "decile": 4', "The key decile is given twice."),
    "found": ('"found": true', '"found": 1', "found must be true or false."),
    "family_id": ('"family_id": 7', '"family_id": "7"', "family_id must be a whole number from 0."),
    "family_id true": ('"family_id": 7', '"family_id": true', "family_id must be a whole number from 0."),
    "a negative family_id": ('"family_id": 7', '"family_id": -7', "family_id must be a whole number from 0."),
    "no family_id": ('"family_id": 7, ', "", "family_id must be a whole number from 0."),
    "region": ('"35.10"', '"Banyuwangi"', "region must be a regency code like 35.10."),
    "a district": ('"35.10"', '"35.10.01"', "region must be a regency code like 35.10."),
    "a region as a number": ('"35.10"', "35.10", "35.10 is not a whole number"),
    "no region": ('"region": "35.10", ', "", "region must be a regency code like 35.10."),
    "a lone surrogate": ('"35.10"', '"\\ud800"', "region must be a regency code like 35.10."),
    "a float": ('"decile": 3', '"decile": 3.0', "3.0 is not a whole number"),
    "an exponent": ('"decile": 3', '"decile": 3e2', "3e2 is not a whole number"),
    "NaN": ('"decile": 3', '"decile": NaN', "NaN is not a whole number"),
    "Infinity": ('"decile": 3', '"decile": -Infinity', "-Infinity is not a whole number"),
    "a huge number": ('"decile": 3', '"decile": ' + "9" * 5_000, "is too large"),
    "outside its bounds": ('"decile": 3', '"decile": 11', "decile is 11, but must be a whole number from 1 to 10."),
    "a truth as a number": ('"decile": 3', '"decile": true', "decile is True, but must be a whole number"),
    "a number as a truth": ('"pregnant": null', '"pregnant": 1', "pregnant is 1, but must be true or false."),
    "a list as a fact": ('"decile": 3', '"decile": [3]', "decile is [3], but must be a whole number"),
    "a category": ('"owned"', '"castle"', "tenure is castle, but must be one of owned, rented, free, official."),
    "an unknown fact": ('"decile": 3', '"deciles": 3', "deciles is not a declared fact."),
    "a fact of a person": ('"decile": 3', '"pregnant": true', "pregnant is a fact of a person."),
    "a fact of a family": ('"sex": "male"', '"decile": 3', "decile is a fact of a family."),
    "a date": ('"1990-05-17"', '"1990-02-30"', "birth_date is 1990-02-30, but must be a date like 2020-12-31."),
    "a week": ('"1990-05-17"', '"1990-W05-1"', "birth_date is 1990-W05-1, but must be a date"),
    "a short date": ('"1990-05-17"', '"19900517"', "birth_date is 19900517, but must be a date"),
    "an Arabic digit": ('"1990-05-17"', '"199\u0660-05-17"', "but must be a date"),
    "as_of": ('"2026-10-01"', '"yesterday"', "as_of of tenure must be a date like 2026-01-31."),
    "source": ('"office"', '""', "the source of tenure must be a short text."),
    "a source with a surrogate": ('"office"', '"\\udfff"', "the source of tenure must be a short text."),
    "a long source": ('"office"', json.dumps("x" * 101), "the source of tenure must be a short text."),
    "a key of a fact": ('"as_of"', '"asof"', "asof is not a key of a fact; there are value, source and as_of."),
    "members as an object": ('[{"person_id": 1, ', '{"person_id": 1, ', "This is not valid JSON"),
    "a member": ('{"person_id": 2, "sex": "male"}', "2", "A member is an object with person_id and facts."),
    "person_id": ('"person_id": 2', '"person_id": 1.5', "1.5 is not a whole number"),
    "no person_id": ('"person_id": 2, ', "", "person_id must be a whole number from 0."),
    "a person twice": ('"person_id": 2', '"person_id": 1', "Two members have the same person_id."),
    "members_known": ('"found": true', '"found": true, "members_known": 1', "members_known must be"),
    "a fact's name with control characters": ('"decile": 3', '"\\u001b[2J\\ud800": 3', "\\x1b[2J\\ud800 is not a declared fact."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_bad_case_is_refused_with_a_sentence(name: str) -> None:
    old, new, sentence = CASES[name]
    assert CASE.count(old) == 1
    with pytest.raises(InputError) as caught:
        cases.parse(CASE.replace(old, new), catalogue(), Path("case.json"))
    assert sentence in str(caught.value)
    str(caught.value).encode()


def test_members_known_without_members_is_refused() -> None:
    with pytest.raises(InputError, match="members_known must be false where members are absent"):
        cases.parse('{"family_id": 1, "region": "35.10", "members_known": true}', catalogue())
    known = cases.parse('{"family_id": 1, "region": "35.10", "members_known": false}', catalogue())
    assert not known.members_known


def test_more_members_than_64_are_refused() -> None:
    members = [{"person_id": index} for index in range(65)]
    data: dict[str, Any] = {"family_id": 1, "region": "35.10", "members": members}
    with pytest.raises(InputError, match="members must be a list of at most 64 persons"):
        cases.from_json(data, catalogue())
    cases.from_json(data | {"members": members[:64]}, catalogue())


def test_every_fault_of_a_case_is_told_at_once() -> None:
    text = CASE.replace('"decile": 3', '"decile": 11').replace('"male"', '"m"').replace("35.10", "35")
    with pytest.raises(InputError) as caught:
        cases.parse(text, catalogue())
    assert len(caught.value.faults) == 3


def test_a_case_larger_than_a_megabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_text(CASE + " " * (1 << 20), "utf-8")
    with pytest.raises(InputError, match="at most 1048576 bytes"):
        cases.read(path, catalogue())


# ---- anything at all -----------------------------------------------------------------------------------------

fuzzing = settings(max_examples=examples(300), **PROFILE)
WORDS = [
    "any(", "all(", "count(", "sum(", "min(", "max(", "years(", "months(", ")", "(", "[", "]", ",", " and ", " or ",
    "not ", " in ", " not in ", " is ", "==", "!=", "<", "<=", ">", ">=", "=", "+", "-", "*", "/", "**", "decile",
    "urban", "tenure", "welfare_score", "pregnant", "birth_date", "limit", "price", "religion", "'owned'", "True", "None",
    "0", "1", "9007199254740992", "1.5", "0xff", "lambda", "if", "else", "for", ".", ":", "\n", "#", "\\", "'", '"', "{",
    "}", "\x00", "é", "\u202e", "await ", "yield ", "*", ":=", "f'", "b'", "__class__", "@", "~", "^", "0" * 50, "((((((((",
]  # fmt: skip
PIECES = [
    "[[criteria]]", "[criteria]", "[quota]", "[[basis]]", "[limits]", "[parameters.x]", '"""', "'''", '"', "'", "\n", "=",
    "id = ", "{", "}", "[", "]", ",", "2020-01-01", "1.5", "nan", "true", "-1", "9" * 30, "0x" + "f" * 30, "#", "\\",
    "\t", "\x00", "\ud7ff", "é", '"any(pregnant)"', "[]", "{}", "{ id = 1 }", "values = [ {} ]", "10:00:00", ".", "a.b.c", "\r",
]  # fmt: skip
SPLIT = [
    '"', "{", "}", "[", "]", ",", ":", "null", "true", "1.5", "1e999", "-0", "NaN", "9" * 30, '"\\ud800"', '"value"',
    '"as_of"', '"2026-02-30"', '"person_id"', '"members"', '"members_known"', "\\", "\x00", "[" * 50, "é", " ",
]  # fmt: skip


def in_time(read: Callable[[], object]) -> None:
    def shown() -> None:
        try:
            read()
        except InputError as error:
            str(error).encode()
            raise

    assert seconds(shown) < SECONDS_MOST


@st.composite
def mutated(draw: st.DrawFn, text: str, pieces: list[str]) -> str:
    """The text with some parts cut, doubled, or replaced by pieces or by any characters."""
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 20, 100])))
        new = draw(
            st.one_of(
                st.sampled_from(pieces),
                st.just(""),
                st.just(text[start:end] * 2),
                st.text(max_size=5),
                st.sampled_from(pieces).map(lambda piece: piece * 200),
            )
        )
        text = text[:start] + new + text[end:]
    return text


@fuzzing
@given(words=st.lists(st.sampled_from(WORDS), max_size=30), each=st.booleans())
def test_any_words_as_an_expression_give_a_sentence_or_a_rulebook(words: list[str], each: bool) -> None:
    old = '"pregnant"' if each else '"decile <= limit"'
    in_time(lambda: check(BOOK.replace(old, json.dumps("".join(words), ensure_ascii=False))))


@fuzzing
@given(text=mutated(BOOK, PIECES))
def test_a_mutated_rulebook_gives_a_sentence_or_a_rulebook(text: str) -> None:
    in_time(lambda: plan.plan(check(text.encode("utf-8", "surrogatepass")), date(2026, 11, 20)))


@fuzzing
@given(text=mutated(FACTS, PIECES))
def test_a_mutated_catalogue_gives_a_sentence_or_a_catalogue(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    in_time(lambda: catalogues.parse(toml.parse(raw, Path("facts.toml"))))


@fuzzing
@given(raw=st.binary(max_size=300))
def test_any_bytes_give_a_sentence(raw: bytes) -> None:
    in_time(lambda: check(raw))


@fuzzing
@given(text=mutated(CASE, SPLIT))
def test_a_mutated_case_gives_a_sentence_or_a_case(text: str) -> None:
    in_time(lambda: cases.sha256(cases.parse(text, catalogue())))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@fuzzing
@given(
    key=st.sampled_from(["family_id", "region", "found", "facts", "members", "members_known", "x"]),
    fact=st.sampled_from(["decile", "tenure", "urban", "birth_date", "pregnant", "sex"]),
    thing=ANYTHING,
    held=st.booleans(),
)
def test_anything_in_any_place_of_a_case_gives_a_sentence_or_a_case(
    key: str, fact: str, thing: object, held: bool
) -> None:
    data: dict[str, Any] = json.loads(CASE)
    given: object = {"value": thing, "source": thing, "as_of": thing} if held else thing
    for place in (
        data | {key: thing},
        data | {"facts": {fact: given}},
        data | {"members": [{"person_id": 1, fact: given}]},
    ):
        in_time(lambda place=place: cases.sha256(cases.from_json(place, catalogue())))  # type: ignore[misc]
