"""Reads the golden cases, `tests/golden/<programme>.toml`: decisions worked out by hand, for a policy officer to check.

A case holds what differs from the file's defaults: `on`, `family`, `members` (absent: nobody knows who they are),
`others = "unknown"` (somebody else may live there), `found`, `person` (1 is the first member) and what to
`expect`. "unknown" stands for a fact that nobody knows, `everything = "unknown"` for all of them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from salur.core.population import catalogue
from salur.core.rules import cases, rulebook
from salur.core.rules.cases import Case
from salur.core.rules.rulebook import Rulebook

FOLDER = Path(__file__).parent
RULEBOOKS = Path(rulebook.__file__).parents[2] / "rulebooks"
CATALOGUE = catalogue.read(RULEBOOKS / "facts.toml")
SHIPPED = {
    path.stem: rulebook.read(path, CATALOGUE)
    for path in sorted(RULEBOOKS.glob("*.toml"))
    if path.name != "facts.toml"
}
_CASE = {"name", "on", "region", "found", "family", "members", "others", "person", "expect"}
_EXPECT = {"outcome", "amount", "amount_most", "failed", "unknown", "counts"}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Result:
    """A decision in the words of the rulebook, as it is expected or as an engine gave it."""

    outcome: str
    amount: int
    amount_most: int
    failed: tuple[str, ...]
    unknown: tuple[str, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Golden:
    """One golden case. `person_id` is None for a programme of families."""

    name: str
    on: date
    case: Case
    person_id: int | None
    expected: Result

    @property
    def unit_id(self) -> int:
        return self.case.family_id if self.person_id is None else self.person_id


def golden(book: Rulebook) -> list[Golden]:
    """The golden cases of a rulebook, in the order of the file."""
    with (FOLDER / f"{book.id}.toml").open("rb") as file:
        data = tomllib.load(file)
    return [_golden(book, data["defaults"], row, number) for number, row in enumerate(data["case"], start=1)]


def result(
    book: Rulebook, outcome: str, amount: int, amount_most: int, failed: int, unknown: int, counts: Mapping[str, int]
) -> Result:  # fmt: skip
    """A decision with masks, in words."""
    ids = book.criterion_ids
    return Result(
        outcome, amount, amount_most, _ids(ids, failed), _ids(ids, unknown),
        {component.id: counts[component.id] for component in book.components},
    )  # fmt: skip


def _ids(ids: tuple[str, ...], mask: int) -> tuple[str, ...]:
    return tuple(id_ for bit, id_ in enumerate(ids) if mask >> bit & 1)


def _golden(book: Rulebook, defaults: dict[str, Any], row: dict[str, Any], number: int) -> Golden:
    name = row["name"]
    assert row.keys() <= _CASE, f"{book.id}, {name}: {row.keys() - _CASE} is not known here"
    assert row.keys() >= {"name", "expect"}, f"{book.id}, {name}: a name and what to expect are needed"
    assert ("person" in row) is (book.unit == "person"), f"{book.id}, {name}: person or not"
    members = row.get("members")
    data: dict[str, Any] = {
        "family_id": number,
        "region": row.get("region", "35.10"),
        "found": row.get("found", True),
        "facts": _facts(defaults["family"], row.get("family", {})),
    }
    if members is not None:
        data["members"] = [
            {"person_id": 100 * number + position, **_facts(defaults["member"], member)}
            for position, member in enumerate(members, start=1)
        ]
        data["members_known"] = row.get("others") != UNKNOWN
    person_id = 100 * number + row["person"] if "person" in row else None
    return Golden(
        name,
        row.get("on", defaults["on"]),
        cases.from_json(data, CATALOGUE),
        person_id,
        _expected(book, row["expect"]),
    )


def _facts(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    own = dict(given)
    facts = {} if own.pop("everything", None) == UNKNOWN else defaults | own
    return {name: _plain(value) for name, value in facts.items() if value != UNKNOWN}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _expected(book: Rulebook, expect: dict[str, Any]) -> Result:
    assert expect.keys() <= _EXPECT, f"{book.id}: {expect.keys() - _EXPECT} cannot be expected"
    counts = {component.id: 0 for component in book.components}
    assert expect.get("counts", {}).keys() <= counts.keys(), f"{book.id}: no such component in {expect}"
    failed, unknown = tuple(expect.get("failed", ())), tuple(expect.get("unknown", ()))
    for ids in (failed, unknown):
        assert set(ids) <= set(book.criterion_ids), f"{book.id}: no such criterion in {ids}"
        assert list(ids) == sorted(ids, key=book.criterion_ids.index), (
            f"{book.id}: {ids} in the order of the file"
        )
    return Result(
        expect["outcome"], expect.get("amount", 0), expect.get("amount_most", 0), failed, unknown,
        counts | expect.get("counts", {}),
    )  # fmt: skip
