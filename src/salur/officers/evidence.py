"""The facts that a decision rests on, side by side with their sources and dates, and its reasons in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from salur.core.population.catalogue import Fact, Value
from salur.core.rules import Explanation
from salur.core.rules.aloud import Words
from salur.core.rules.changes import FAMILY, Key
from salur.core.rules.explain import Reason, UsedFact
from salur.web.words import gettext as _
from salur.web.words import language


@dataclass(frozen=True)
class Line:
    """One fact of a family or a member as a page shows it. `known` false: there is no value that counts."""

    subject: str  # "family:3", "person:12"
    fact: Fact
    label: str
    value: str
    source: str
    as_of: date | None
    known: bool
    stale: bool
    raw: Value | None

    @property
    def name(self) -> str:
        """The name of a form's field for this fact."""
        return f"{self.subject}.{self.fact.name}"


@dataclass(frozen=True)
class Group:
    """The facts of the family, or of one member."""

    title: str
    subject: str
    lines: tuple[Line, ...]


def groups(explanation: Explanation, names: Mapping[int, str]) -> list[Group]:
    """What the rulebook reads of the family and of each member; `names`: of the members, by person id."""
    facts = [fact.name for fact in explanation.plan.facts]
    declared = explanation.plan.rulebook.catalogue.facts
    family = [(FAMILY, name) for name in facts if declared[name].unit == "family"]
    own = [name for name in facts if declared[name].unit == "person"]
    found = [Group(_("Family"), f"family:{explanation.case.family_id}", _lines(explanation, family))]
    for position, member in enumerate(explanation.case.members):
        found.append(
            Group(
                names.get(member.person_id) or _("Member {n}", n=position + 1),
                f"person:{member.person_id}",
                _lines(explanation, [(position, name) for name in own]),
            )
        )
    return found


def _lines(explanation: Explanation, keys: list[Key]) -> tuple[Line, ...]:
    return tuple(line(explanation, explanation.used(key)) for key in keys)


def line(explanation: Explanation, used: UsedFact) -> Line:
    """A used fact in the language of the page."""
    words = Words(language())
    registers = explanation.plan.rulebook.catalogue.registers
    known = used.value is not None
    return Line(
        f"person:{used.person_id}" if used.fact.unit == "person" else f"family:{explanation.case.family_id}",
        used.fact,
        used.fact.label[language()],
        words.value(used.fact, used.value) if known else _("not known"),
        registers[used.source].title[language()] if used.source in registers else used.source,
        used.as_of,
        known,
        used.stale,
        used.value,
    )


@dataclass(frozen=True)
class Said:
    """A reason in words: whether the condition holds (None: not known), the facts that decide it, and the law."""

    holds: bool | None
    says: str
    lines: tuple[Line, ...]
    basis: str


def reasons(explanation: Explanation) -> list[Said]:
    """Every criterion; those that fail first, then those that are not known."""
    order = {False: 0, None: 1, True: 2}
    return [
        _said(explanation, reason) for reason in sorted(explanation.reasons, key=lambda r: order[r.outcome])
    ]


def _said(explanation: Explanation, reason: Reason) -> Said:
    basis = reason.criterion.basis
    keys = [(change.place, change.fact) for change in reason.changes] or list(reason.asks)
    return Said(
        reason.outcome,
        reason.criterion.says[language()],
        _lines(explanation, keys),
        explanation.plan.rulebook.basis[basis].title if basis else "",
    )


def value_from(fact: Fact, text: str) -> Value | None:
    """What a form sent for a fact; empty: not known. Raises ValueError for what is no value of it."""
    text = text.strip()
    if not text:
        return None
    value: Value = text
    if fact.type == "boolean":
        value = {"true": True, "false": False}[text] if text in ("true", "false") else text
    elif fact.type == "integer":
        value = int(text)
    elif fact.type == "date":
        value = date.fromisoformat(text)
    if not fact.accepts(value):
        raise ValueError(text)
    return value


def choices(fact: Fact) -> list[tuple[str, str]]:
    """What a form offers for a fact of few values; empty for numbers and dates."""
    words = Words(language())
    if fact.type == "boolean":
        return [("true", words.value(fact, True)), ("false", words.value(fact, False))]
    return [(value, words.value(fact, value)) for value in fact.values]


def sent_text(value: Value | None) -> str:
    """A value as a form's field holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
