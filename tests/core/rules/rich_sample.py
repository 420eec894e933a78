"""A fixed sample of rulebooks and families in which every rule of the language shows: for planted faults.

Written by hand, families from `random.Random`: nothing here changes with a version of Hypothesis.
"""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from tests.core.rules.rulebooks_random import LABEL, Dated, Setting, Table, family

PLAIN = {"register": "r", "sensitivity": "ordinary", "label": LABEL}
CATALOGUE: Table = {
    "format": 1,
    "registers": {"r": {"title": LABEL, "owner": LABEL}, "other": {"title": LABEL, "owner": LABEL}},
    "facts": {
        "poor": {"unit": "family", "type": "boolean", **PLAIN},
        "level": {
            "unit": "family",
            "type": "integer",
            "least": 1,
            "most": 10,
            "stale_after_days": 30,
            **PLAIN,
        },
        "score": {"unit": "family", "type": "integer", "least": 0, "most": 4, **PLAIN},
        "rooms": {
            "unit": "family",
            "type": "integer",
            "least": -3,
            "most": 3,
            "stale_after_days": 1,
            **PLAIN,
        },
        "home": {"unit": "family", "type": "category", "values": {"own": LABEL, "rent": LABEL}, **PLAIN},
        "since": {"unit": "family", "type": "date", **PLAIN},
        "pregnant": {"unit": "person", "type": "boolean", "stale_after_days": 280, **PLAIN},
        "works": {"unit": "person", "type": "boolean", **PLAIN},
        "birth": {"unit": "person", "type": "date", **PLAIN},
        "grade": {"unit": "person", "type": "integer", "least": 0, "most": 12, **PLAIN},
        "school": {"unit": "person", "type": "category", "values": {"none": LABEL, "low": LABEL}, **PLAIN},
    },
}


def _parameter(*values: tuple[date, Any]) -> Table:
    return {"values": [{"from": day, "value": value, "basis": "law"} for day, value in values]}


def _book(on: date, unit: str, require: list[str], components: list[Table], **more: Any) -> Table:
    old = date(2000, 1, 1)
    return {
        "format": 1, "id": "sample", "unit": unit, "period": "quarter", "title": LABEL,
        "basis": [{"id": "law", "title": "Law"}],
        "parameters": {
            "high": _parameter((old, 400)),
            "same": _parameter((old, 250)),
            "also": _parameter((old, 250)),
            "low": _parameter((old, 100)),
            "limit": _parameter((old, 2), (on, 6), (on + timedelta(days=1), 9)),
            "old_age": _parameter((old, 60)),
            "places": _parameter((old, 4)),
        },
        "criteria": [
            {"id": f"k{index}", "require": text, "basis": "law", "says": LABEL}
            for index, text in enumerate(require)
        ],
        "components": [
            {"id": f"c{index}", "delivers": "money", **component} for index, component in enumerate(components)
        ],
        **more,
    }  # fmt: skip


def _setting(book: Table, on: date, seed: int, families: int = 60) -> Setting:
    edges = tuple(on - timedelta(days=days) for days in (0, 29, 30, 31, 279, 280, 281))
    dated = {name: Dated("r", on) for name in CATALOGUE["facts"]}
    dated["level"] = Dated("r", on, edges)
    dated["pregnant"] = Dated("r", on, edges)
    dated["rooms"] = Dated("other", on - timedelta(days=1 + seed % 2))  # all rows fresh, or all stale
    dated["school"] = Dated("other", on - timedelta(days=400))
    cases = [family(random.Random(f"{seed} {i}"), i, 0, CATALOGUE, dated, on) for i in range(families)]
    return Setting(CATALOGUE, book, on, dated, cases)


def settings() -> list[Setting]:
    """Every part of the language at least once; the first ones find most faults."""
    today, leap = date(2026, 11, 20), date(2024, 2, 29)
    always: Table = {"amount": "high"}
    language = [
        "not (poor and level <= limit)",
        "poor or not (home == 'own' or level > 5)",
        "any(pregnant)",
        "not any(school == 'low' and poor)",
        "all(works or grade >= 6)",
        "all(works)",
        "poor or all(works)",
        "count(works) >= 2",
        "count(pregnant or poor) == 2",
        "sum(grade) <= 12",
        "sum(grade * 2 - rooms) > 6",
        "min(level, 5) + max(score, rooms, 1) >= 4",
        "any(years(birth) >= old_age)",
        "all(years(birth) < 18 or works)",
        "count(6 <= years(birth) < 18) != 1",
        "any(months(birth) > 6 and months(birth) <= 72)",
        "any(years(birth) == 5)",
        "home in ['rent']",
        "home != 'own'",
        "any(school not in ['low'])",
        "1 < level < 6",
        "level * score - rooms != 3",
        "years(since) <= 1",
        "not (level not in [1, 2, 3])",
        "poor == (score > 2)",
    ]
    each: list[Table] = [
        {"each": "works", "amount": "low"},
        {"each": "pregnant or grade > 3", "amount": "high", "most": 1},
        {"each": "grade <= 5", "amount": "same"},
        {"each": "grade >= 5 or poor", "amount": "also", "most": 2},
        {"when": "poor and any(works)", "amount": "low"},
        {"delivers": "goods", "measure": LABEL, "each": "school == 'low'"},
    ]
    people = ["years(birth) >= 7", "any(pregnant)", "count(years(birth) >= 60) <= 1", "poor or works"]
    excluding = [  # one member alone fails them; most share a condition; more than a word of marks holds
        "not any(works and grade > 3)",
        "not any(works and school == 'low')",
        "not any(grade > 3 and pregnant and works)",
        "not any(works and poor)",
        "not any(pregnant)",
        "all(works or grade >= 1)",
        "not any(works and grade > 3) or poor",
        "not any(works and works)",
        "any(works and years(birth) >= 30)",
        *(f"not any(works and years(birth) == {age})" for age in range(17, 42)),
        "all(grade < 12)",
        "not any(works and months(birth) < 300)",
    ]
    tight: Table = {"components": 3, "one_per_member": True}
    books = [
        (_book(today, "family", language, [always]), today, 0),
        (_book(leap, "family", language, [always]), leap, 1),
        (_book(today, "family", [], each, limits=tight), today, 2),
        (_book(today, "family", ["level != 9"], each, limits={"components": 4}), today, 3),
        (_book(today, "family", ["not (poor and level == 9)"], each, limits={"one_per_member": True},
               quota={"by": "regency", "places": "places", "counts": "persons", "rank": "score"}), today, 4),
        (_book(today, "family", [], [always], quota={
            "by": "province", "places": {"11": 7, "35": 0}, "counts": "families", "rank": "score"}), today, 5),
        (_book(today, "family", [], [each[0]], quota={
            "by": "nation", "places": {"": 9}, "counts": "families", "rank": "rooms"}), today, 6),
        (_book(today, "person", people, [always, {"when": "works", "amount": "low"}], limits={"components": 1}),
         today, 7),
        (_book(today, "family", excluding, [always]), today, 0),
        (_book(today, "person", ["poor or works"], [always], quota={
            "by": "regency", "places": "limit", "counts": "persons", "rank": "grade"}), today, 8),
    ]  # fmt: skip
    return [_setting(book, on, seed) for book, on, seed in books]
