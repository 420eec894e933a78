"""The fact catalogue (`facts.toml`): every fact a rulebook may read, and which register answers for it.

Fixed format: DESIGN section 6, written out in docs/rulebook.md. A fact that nobody may decide by (religion,
ethnicity, name, politics …) is refused here, so that no rulebook can reach it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from salur.core import toml
from salur.core.faults import Fault, InputError

Unit = Literal["family", "person"]
Type = Literal["boolean", "integer", "date", "category"]
Value = bool | int | str | date

INTEGER_MOST = 2**53  # beyond it a JSON reader may round
MEMBERS_MOST = 64
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Words that no fact may carry in its name: nobody is decided by what these say (English, Indonesian).
FORBIDDEN = frozenset((
    "religion", "religious", "faith", "agama", "kepercayaan", "ethnicity", "ethnic", "tribe", "suku", "ras",
    "race", "nationality", "kebangsaan", "name", "names", "nama", "politics", "political", "party",
    "politik", "partai", "vote", "pilihan",
))  # fmt: skip
RESERVED = frozenset((
    "family_id", "person_id", "unit_id", "region", "village", "found", "members_known", "members", "and",
    "or", "not", "in", "is", "if", "else", "for", "lambda", "true", "false", "none", "null", "any", "all",
    "count", "sum", "min", "max", "years", "months", "select", "from", "where", "case", "when", "then",
    "end", "order", "group", "by", "as", "on", "join", "union", "table", "file_row_number",
))  # fmt: skip


@dataclass(frozen=True)
class Text:
    """A sentence or label in the two languages of the product."""

    id: str
    en: str

    def __getitem__(self, language: str) -> str:
        return self.en if language == "en" else self.id


@dataclass(frozen=True)
class Register:
    """Where facts come from; `owner` is who can repair them."""

    id: str
    title: Text
    owner: Text


@dataclass(frozen=True)
class Fact:
    """One fact. `values` (categories) in the order of the file; `least` and `most` bound integers."""

    name: str
    unit: Unit
    type: Type
    register: Register
    label: Text
    sensitivity: str
    least: int = 0
    most: int = 0
    values: tuple[str, ...] = ()
    value_labels: Mapping[str, Text] | None = None
    stale_after_days: int | None = None

    def accepts(self, value: object) -> bool:
        """Whether a known value is one that the catalogue allows for this fact."""
        if self.type == "boolean":
            return isinstance(value, bool)
        if self.type == "integer":
            return type(value) is int and self.least <= value <= self.most
        if self.type == "date":
            return type(value) is date
        return value in self.values

    @property
    def expected(self) -> Fault:
        """What a value must be, as a phrase for an error."""
        if self.type == "integer":
            return Fault.of("a whole number from {least} to {most}", least=self.least, most=self.most)
        if self.type == "category":
            return Fault.of("one of {values}", values=", ".join(self.values))
        return Fault.of("a date like 2020-12-31") if self.type == "date" else Fault.of("true or false")


@dataclass(frozen=True)
class Catalogue:
    """All facts by name, in the order of the file."""

    facts: Mapping[str, Fact]
    registers: Mapping[str, Register]
    sha256: str
    raw: bytes = b""

    def of(self, unit: Unit) -> tuple[Fact, ...]:
        return tuple(fact for fact in self.facts.values() if fact.unit == unit)

    @cached_property
    def dates(self) -> frozenset[str]:
        """The names of the facts that are dates."""
        return frozenset(fact.name for fact in self.facts.values() if fact.type == "date")


def read(path: Path) -> Catalogue:
    """Read a fact catalogue. Raises InputError with every fault found."""
    return parse(toml.read(path))


def parse(document: toml.Document) -> Catalogue:
    """The catalogue in a TOML document."""
    import hashlib

    faults: list[Fault] = []
    data = document.data

    def fault(template: str, *path: str | int, **values: object) -> None:
        faults.append(Fault.of(template, **values).at(document.path, document.line(*path)))

    if data.get("format") != 1:
        fault("The first line must say format = 1.", "format")
    for key in data.keys() - {"format", "registers", "facts"}:
        fault("{key} is not a key of a fact catalogue.", key, key=key)
    registers = {}
    for name, table in _tables(data, "registers", fault):
        title, owner = (text(table.get(key)) for key in ("title", "owner"))
        if title is None or owner is None:
            fault(
                "The register {name} needs a title and an owner, each with id and en.",
                "registers",
                name,
                name=name,
            )
        else:
            registers[name] = Register(name, title, owner)
    facts = {}
    for name, table in _tables(data, "facts", fault):
        fact = _fact(name, table, registers, fault)
        if fact is not None:
            facts[name] = fact
    if faults:
        raise InputError(sorted(faults, key=lambda f: f.line))
    return Catalogue(facts, registers, hashlib.sha256(document.raw).hexdigest(), document.raw)


def text(value: object) -> Text | None:
    """A pair of sentences `{ id = "…", en = "…" }`, or None if it is not one."""
    match value:
        case {"id": str(id_), "en": str(en), **rest} if is_text(id_) and is_text(en) and not rest:
            return Text(" ".join(id_.split()), " ".join(en.split()))
    return None


def is_text(value: str) -> bool:
    """Whether a text says something and holds nothing that steers a screen or turns its direction.

    >>> is_text("Keluarga"), is_text(" "), is_text("a\\x1b[2J"), is_text("a\\u202eb")
    (True, False, False, False)
    """
    return bool(value.strip()) and all(c.isprintable() or c in "\n\t" for c in value)


def _tables(data: dict[str, Any], key: str, fault: Any) -> list[tuple[str, dict[str, Any]]]:
    section = data.get(key)
    if not isinstance(section, dict) or not section:
        fault("The catalogue needs at least one [{key}.NAME] table.", key, key=key)
        return []
    good = [(name, table) for name, table in section.items() if isinstance(table, dict)]
    for name in section.keys() - {name for name, _ in good}:
        fault("{key}.{name} must be a table.", key, name, key=key, name=name)
    return good


_KEYS = frozenset(
    ["unit", "type", "register", "label", "sensitivity", "least", "most", "values", "stale_after_days"]
)


def _fact(name: str, table: dict[str, Any], registers: Mapping[str, Register], fault: Any) -> Fact | None:
    problems = 0

    def wrong(template: str, *path: str | int, **values: object) -> None:
        nonlocal problems
        problems += 1
        fault(template, "facts", name, *path, name=name, **values)

    if not NAME.fullmatch(name) or name in RESERVED or "__" in name:
        wrong("{name} cannot be a fact's name: use lower-case letters, digits and _, and no reserved word.")
    if FORBIDDEN & set(name.split("_")):
        wrong("{name} is a forbidden fact: nobody may be decided by religion, ethnicity, name or politics.")
    for key in table.keys() - _KEYS:
        wrong("{key} is not a key of a fact.", key, key=key)
    unit, type_ = table.get("unit"), table.get("type")
    if unit not in ("family", "person"):
        wrong('The fact {name} needs unit = "family" or "person".', "unit")
    if type_ not in ("boolean", "integer", "date", "category"):
        wrong('The fact {name} needs type = "boolean", "integer", "date" or "category".', "type")
    register = registers.get(str(table.get("register")))
    if register is None:
        wrong("The fact {name} names no declared register.", "register")
    label = text(table.get("label"))
    if label is None:
        wrong("The fact {name} needs a label with id and en.", "label")
    if table.get("sensitivity") not in ("ordinary", "specific"):
        wrong('The fact {name} needs sensitivity = "ordinary" or "specific".', "sensitivity")
    least, most = table.get("least", 0), table.get("most", 0)
    if type_ == "integer":
        bounded = (
            isinstance(least, int)
            and isinstance(most, int)
            and -INTEGER_MOST <= least <= most <= INTEGER_MOST
        )
        if not bounded or bool in (type(least), type(most)) or "least" not in table or "most" not in table:
            wrong("The integer fact {name} needs least and most, whole numbers with least <= most.", "least")
    elif "least" in table or "most" in table:
        wrong("Only an integer fact has least and most.", "least")
    labels: dict[str, Text] = {}
    if type_ == "category":
        values = table.get("values")
        for value, label_ in values.items() if isinstance(values, dict) else ():
            if (pair := text(label_)) is None or not re.fullmatch(r"[a-z0-9_]{1,63}", value):
                wrong(
                    "The value {value} of {name} needs a plain key and a label with id and en.",
                    "values",
                    value=value,
                )
            else:
                labels[value] = pair
        if not values:
            wrong("The category {name} needs its [facts.{name}.values].", "values")
    elif "values" in table:
        wrong("Only a category has values.", "values")
    stale = table.get("stale_after_days")
    if stale is not None and not (type(stale) is int and 0 < stale <= 36_500):
        wrong("stale_after_days must be a whole number of days from 1 to 36500.", "stale_after_days")
    if problems or register is None or label is None:
        return None
    return Fact(
        name, unit, type_, register, label, str(table["sensitivity"]),  # type: ignore[arg-type]
        least, most, tuple(labels), labels or None, stale,
    )  # fmt: skip
