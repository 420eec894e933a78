"""A case: everything that is known of one family when it is decided, as JSON.

`{"family_id": 1, "region": "35.10", "found": true, "facts": {…}, "members": [{"person_id": 1, …}]}`. A fact is
a scalar, or `{"value", "source", "as_of"}`; null or absent is unknown. Members that are absent mean one more
member of whom everything is unknown; `"members_known": false` says the same beside members that are listed.

>>> case = parse('{"family_id": 1, "region": "35.10", "facts": {}, "members": []}', _catalogue())
>>> canonical(case)
'{"facts":{},"family_id":1,"found":true,"members":[],"members_known":true,"region":"35.10"}'
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import compress, repeat
from operator import is_
from pathlib import Path
from typing import Any, NamedTuple

from salur.core.faults import Fault as Wrong
from salur.core.faults import InputError
from salur.core.population.catalogue import INTEGER_MOST, MEMBERS_MOST, Catalogue, Fact, Value

CASE_BYTES_MOST = 1024 * 1024


class Held(NamedTuple):
    """A fact with its own source and date, where they differ from the catalogue's and the reference date."""

    value: Value | None
    source: str | None = None
    as_of: date | None = None


Facts = Mapping[str, "Value | Held | None"]


class Member(NamedTuple):
    """One person of the family."""

    person_id: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one family. `members_known` false: one more member of whom everything is unknown."""

    family_id: int
    region: str
    found: bool
    facts: Facts
    members: tuple[Member, ...]
    members_known: bool = True


def oldest(fact: Fact, on: date) -> date | None:
    """The oldest as-of date at which a value of this fact still counts on a reference date; None: any."""
    if fact.stale_after_days is None:
        return None
    return on - timedelta(days=fact.stale_after_days)


def known(facts: Facts, names: Mapping[str, date | None]) -> dict[str, Value | None]:
    """Plain values of the named facts: None where unknown or older than the date of the name."""
    values: dict[str, Any] = dict(zip(names, map(facts.get, names), strict=True))
    for name in _of_type(Held, values):
        (value, _, as_of), since = values[name], names[name]
        values[name] = None if since and as_of and as_of < since else value
    return values


def read(path: Path, catalogue: Catalogue) -> Case:
    """Read a case from a JSON file. Raises InputError with every fault."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(CASE_BYTES_MOST + 1)
        if len(raw) > CASE_BYTES_MOST:
            raise InputError.at(path, "A case has at most {most} bytes.", most=CASE_BYTES_MOST)
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError.at(path, "There is no such file.") from None
    except UnicodeDecodeError:
        raise InputError.at(path, "The file is not UTF-8 text.") from None
    except OSError as error:
        raise InputError.at(path, "The file cannot be read: {why}.", why=error.strerror) from None
    return parse(text, catalogue, path)


def parse(raw: str, catalogue: Catalogue, path: Path = Path("case")) -> Case:
    """Read a case from JSON text."""

    def refuse_float(text: str) -> Any:
        raise InputError.at(
            path, "{value} is not a whole number; money and counts are whole.", value=text[:40]
        )

    def whole(text: str) -> int:
        if len(text) > 20:
            raise InputError.at(path, "The number {value}… is too large.", value=text[:20])
        return int(text)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            name = next(key for key, _ in pairs if [k for k, _ in pairs].count(key) > 1)
            raise InputError.at(path, "The key {name} is given twice.", name=name)
        return table

    try:
        data = json.loads(raw, parse_float=refuse_float, parse_constant=refuse_float, parse_int=whole,
                          object_pairs_hook=once)  # fmt: skip
    except json.JSONDecodeError as error:
        raise InputError.at(path, "This is not valid JSON: {why}.", error.lineno, why=error.msg) from None
    except RecursionError:
        raise InputError.at(path, "Brackets are nested too deep.") from None
    return from_json(data, catalogue, path)


def from_json(data: Any, catalogue: Catalogue, path: Path = Path("case")) -> Case:
    """Check a case that was read from JSON. Raises InputError with every fault."""
    reader = _Reader(catalogue, path)
    case = reader.case(data)
    if reader.faults:
        raise InputError(reader.faults)
    return case


def stored(raw: str, catalogue: Catalogue) -> Case:
    """A case from the canonical text that was written of a checked one: `parse` without the checks.

    Only for text whose SHA-256 was compared with what was noted when it was written.
    """
    data = json.loads(raw)
    days = catalogue.dates
    members = tuple(
        Member(member.pop("person_id"), _typed(member, days)) for member in data.get("members", ())
    )
    facts = _typed(data["facts"], days)
    return Case(data["family_id"], data["region"], data["found"], facts, members, data["members_known"])


def _typed(facts: dict[str, Any], days: frozenset[str]) -> Facts:
    """The same facts, with dates as dates and those of another source as `Held`."""
    others = _of_type(dict, facts)
    for name in days.intersection(facts).difference(others):
        facts[name] = date.fromisoformat(facts[name])
    for name in others:
        told = facts[name]
        value, as_of = told["value"], told.get("as_of")
        value = date.fromisoformat(value) if name in days else value
        facts[name] = Held(value, told.get("source"), as_of and date.fromisoformat(as_of))
    return facts


def _of_type(kind: type, values: Mapping[str, Any]) -> list[str]:
    """The names of the values that are of a type, found without a step of Python for each."""
    return list(compress(values, map(is_, map(type, values.values()), repeat(kind))))


_KEYS = frozenset({"family_id", "region", "found", "facts", "members", "members_known"})


class _Reader:
    def __init__(self, catalogue: Catalogue, path: Path) -> None:
        self.catalogue = catalogue
        self.path = path
        self.faults: list[Wrong] = []

    def fault(self, template: str, **values: object) -> None:
        self.faults.append(Wrong.of(template, **values).at(self.path))

    def case(self, data: Any) -> Case:
        if not isinstance(data, dict):
            self.fault("A case is a JSON object with family_id, region, facts and members.")
            return Case(0, "", False, {}, ())
        for key in sorted(data.keys() - _KEYS):
            self.fault("{key} is not a key of a case; a fact stands inside facts.", key=key)
        family_id = self.id(data.get("family_id"), "family_id")
        region = data.get("region", "")
        if not isinstance(region, str) or not re.fullmatch(r"[0-9]{2}\.[0-9]{2}", region):
            self.fault("region must be a regency code like 35.10.")
        found, members = data.get("found", True), data.get("members")
        if type(found) is not bool:
            self.fault("found must be true or false.")
        if members is not None and (not isinstance(members, list) or len(members) > MEMBERS_MOST):
            self.fault("members must be a list of at most {most} persons.", most=MEMBERS_MOST)
            members = None
        members_known = data.get("members_known", members is not None)
        if type(members_known) is not bool or (members_known and members is None):
            self.fault(
                "members_known must be false where members are absent, and true or false where they are listed."
            )
        facts = self.facts(data.get("facts", {}), "family", "facts")
        people = tuple(self.member(member) for member in members or ())
        if len({person.person_id for person in people}) < len(people):
            self.fault("Two members have the same person_id.")
        people = tuple(sorted(people, key=lambda person: person.person_id))
        return Case(family_id, str(region), found is True, facts, people, members_known is True)

    def id(self, value: object, name: str) -> int:
        if type(value) is not int or not 0 <= value <= INTEGER_MOST:
            self.fault("{name} must be a whole number from 0.", name=name)
            return 0
        return value

    def member(self, data: Any) -> Member:
        if not isinstance(data, dict):
            self.fault("A member is an object with person_id and facts.")
            return Member(0, {})
        person_id = self.id(data.get("person_id"), "person_id")
        facts = {key: value for key, value in data.items() if key != "person_id"}
        return Member(person_id, self.facts(facts, "person", f"person {person_id}"))

    def facts(self, data: Any, unit: str, where: str) -> Facts:
        if not isinstance(data, dict):
            self.fault("{where} must be an object of facts.", where=where)
            return {}
        facts: dict[str, Value | Held | None] = {}
        for name, given in data.items():
            fact = self.catalogue.facts.get(name)
            if fact is None:
                self.fault("{where}: {name} is not a declared fact.", where=where, name=name)
            elif fact.unit != unit:
                self.fault("{where}: {name} is a fact of a {unit}.", where=where, name=name, unit=fact.unit)
            else:
                facts[name] = self.fact(fact, given, where)
        return facts

    def fact(self, fact: Fact, given: Any, where: str) -> Value | Held | None:
        if not isinstance(given, dict):
            return self.value(fact, given, where)
        for key in sorted(given.keys() - {"value", "source", "as_of"}):
            self.fault("{where}: {key} is not a key of a fact; there are value, source and as_of.",
                       where=where, key=key)  # fmt: skip
        source = given.get("source")
        if source is not None and not (
            isinstance(source, str) and 0 < len(source) <= 100 and source.isprintable()
        ):
            self.fault("{where}: the source of {name} must be a short text.", where=where, name=fact.name)
            source = None
        as_of = given.get("as_of")
        day = _date(as_of)
        if as_of is not None and day is None:
            self.fault(
                "{where}: as_of of {name} must be a date like 2026-01-31.", where=where, name=fact.name
            )
        return Held(self.value(fact, given.get("value"), where), source, day)

    def value(self, fact: Fact, given: Any, where: str) -> Value | None:
        value = _date(given) if fact.type == "date" and given is not None else given
        if given is None or (value is not None and fact.accepts(value)):
            return value
        shown = given if isinstance(given, bool | int) else str(given)[:40]
        self.fault("{where}: {name} is {value}, but must be {expected}.",
                   where=where, name=fact.name, value=shown, expected=fact.expected)  # fmt: skip
        return None


def _date(value: object) -> date | None:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return None  # fromisoformat also reads 2026-W01-1, which would not be the text that is hashed
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def to_json(case: Case) -> dict[str, Any]:
    """The case as JSON data, unknown facts left out; its canonical text is `canonical`."""
    data: dict[str, Any] = {
        "family_id": case.family_id, "region": case.region, "found": case.found, "facts": _plain(case.facts),
        "members_known": case.members_known,
    }  # fmt: skip
    if case.members or case.members_known:
        data["members"] = [{"person_id": m.person_id, **_plain(m.facts)} for m in case.members]
    return data


def _plain(facts: Facts) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for name, value in facts.items():
        if type(value) is Held:
            if value.value is not None:
                held: dict[str, Any] = {"value": _scalar(value.value)}
                if value.source is not None:
                    held["source"] = value.source
                if value.as_of is not None:
                    held["as_of"] = value.as_of.isoformat()
                plain[name] = held
        elif value is not None:
            plain[name] = _scalar(value)  # type: ignore[arg-type]
    return plain


def _scalar(value: Value) -> bool | int | str:
    return value.isoformat() if isinstance(value, date) else value


def canonical(case: Case) -> str:
    """The one text of a case: keys sorted, no blanks, unknown facts left out. Its SHA-256 names the case."""
    return json.dumps(to_json(case), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(case: Case) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical(case).encode()).hexdigest()


def _catalogue() -> Catalogue:
    """An empty catalogue for the example above."""
    return Catalogue({}, {}, "")
