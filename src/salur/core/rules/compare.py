"""Two rulebooks side by side in the words that people read: what stayed, what was added, removed, changed.

>>> [(piece.text, piece.marked) for piece in marked("deciles 1 to 4", "deciles 1 to 5")[1]]
[('deciles 1 to ', False), ('5', True)]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from salur.core.population.catalogue import Value
from salur.core.rules import nodes
from salur.core.rules.aloud import Words
from salur.core.rules.render import AREAS, WORDS
from salur.core.rules.rulebook import Component, Rulebook

SECTIONS = ("about", "gets", "who", "places", "values", "law")
ALIKE_LEAST = 0.4  # less alike, both sentences are marked whole

Pieces = tuple["Piece", ...]


@dataclass(frozen=True)
class Piece:
    """A part of a sentence; marked where the other side does not say it."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Sentence:
    """One thing that a rulebook says. `key` says which, in both rulebooks; `code`: as the computer applies it."""

    section: str
    key: tuple[str, ...]
    text: str
    code: bool = False


@dataclass(frozen=True)
class Pair:
    """The same thing in both. `kind`: same, added, removed or changed."""

    section: str
    key: tuple[str, ...]
    kind: str
    before: Pieces
    after: Pieces
    code: bool


@dataclass(frozen=True)
class Comparison:
    """Every pair in the order of the newer rulebook; what is gone stands at the end of its section.

    unsaid: criteria that are applied otherwise, by their own rule or a value that they read, while their words stayed.
    """

    pairs: tuple[Pair, ...]
    unsaid: tuple[str, ...]

    @property
    def changed(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.kind != "same")


def compare(old: Rulebook, new: Rulebook, language: str) -> Comparison:
    """What differs between two rulebooks of a programme, in one language."""
    before = {(s.section, *s.key): s for s in said(old, language)}
    pairs: list[Pair] = []
    sides: tuple[Pieces, Pieces]
    for sentence in said(new, language):
        other = before.pop((sentence.section, *sentence.key), None)
        if other is None:
            kind, sides = "added", ((), (Piece(sentence.text, True),))
        elif other.text == sentence.text:
            kind, sides = "same", ((Piece(other.text, False),), (Piece(sentence.text, False),))
        else:
            kind, sides = "changed", marked(other.text, sentence.text)
        pairs.append(Pair(sentence.section, sentence.key, kind, *sides, sentence.code))
    pairs += [Pair(s.section, s.key, "removed", (Piece(s.text, True),), (), s.code) for s in before.values()]
    pairs.sort(key=lambda pair: SECTIONS.index(pair.section))
    return Comparison(tuple(pairs), tuple(_unsaid(old, new)))


def marked(before: str, after: str) -> tuple[Pieces, Pieces]:
    """Both texts in pieces, word by word."""
    words = [re.findall(r"\s+|\w[\w.,]*\w|\w|[^\w\s]", text) for text in (before, after)]
    matcher = SequenceMatcher(None, words[0], words[1], autojunk=False)
    if matcher.ratio() < ALIKE_LEAST:
        return (Piece(before, True),), (Piece(after, True),)
    sides: tuple[list[Piece], list[Piece]] = ([], [])
    for act, *places in matcher.get_opcodes():
        for side, own, (first, last) in zip(sides, words, (places[:2], places[2:]), strict=True):
            if first < last:
                side.append(Piece("".join(own[first:last]), act != "equal"))
    return tuple(sides[0]), tuple(sides[1])


def said(book: Rulebook, language: str) -> Iterator[Sentence]:
    """Everything that a rulebook says, each thing once."""
    words = Words(language)

    def word(key: str, **values: object) -> str:
        return WORDS[key][language == "en"].format(**values)

    def number(value: int | str) -> str:
        return shown(book.parameters[value].values[-1].value) if isinstance(value, str) else shown(value)

    def shown(value: Value) -> str:
        return words.money(value).removeprefix("Rp") if type(value) is int else str(value)

    yield Sentence("about", ("title",), book.title[language])
    if book.about:
        yield Sentence("about", ("about",), book.about[language])
    for component in book.components:
        yield Sentence("gets", ("component", component.id), _component(component, book, words))
        if component.kind != "always":
            rule = f"{word(component.kind)} {_plain(component.condition)}"
            yield Sentence("gets", ("component", component.id, "rule"), rule, code=True)
    if book.slots is not None:
        yield Sentence("gets", ("limit",), word("limit", n=number(book.slots)))
    if book.one_per_member:
        yield Sentence("gets", ("one",), word("one"))
    for criterion in book.criteria:
        key = ("criterion", criterion.id)
        yield Sentence("who", key, criterion.says[language])
        yield Sentence("who", (*key, "rule"), _plain(criterion.require), code=True)
        if criterion.remedy:
            yield Sentence("who", (*key, "remedy"), f"{word('remedy')}: {criterion.remedy[language]}")
        yield Sentence("who", (*key, "basis"), f"{word('basis')}: {book.basis[criterion.basis].title}")
    if book.quota:
        rank = book.catalogue.facts[book.quota.rank].label[language]
        area = AREAS[book.quota.by][language == "en"]
        places = book.quota.places
        for code, many in [("", places)] if isinstance(places, str) else places.items():
            by = f"{area} {code}".strip()
            yield Sentence("places", ("quota", code), word("places", n=number(many), by=by, rank=rank))
    money = {component.amount for component in book.components}
    for parameter in book.parameters.values():
        label = parameter.label[language] if parameter.label else parameter.name
        for dated in parameter.values:
            value = (
                words.money(dated.value)
                if parameter.name in money and type(dated.value) is int
                else shown(dated.value)
            )
            since = f"{word('from').lower()} {words.day(dated.start)}"
            text = f"{label}: {value}, {since} ({book.basis[dated.basis].title})"
            yield Sentence("values", (parameter.name, dated.start.isoformat()), text)
    for basis in book.basis.values():
        checked = (
            word("checked", date=words.day(basis.checked_on)) if basis.checked_on else word("unverified")
        )
        yield Sentence("law", (basis.id,), f"{basis.title} ({checked})")


def _component(component: Component, book: Rulebook, words: Words) -> str:
    """What one gets of it, as the page of the programme says it."""
    parts = [component.title[words.language]]
    if component.amount:
        value = book.parameters[component.amount].values[-1].value
        parts.append(words.money(value) if type(value) is int else str(value))
    elif component.measure:
        parts.append(component.measure[words.language])
    text = ": ".join(parts)
    if component.most is None:
        return text
    most = (
        book.parameters[component.most].values[-1].value
        if isinstance(component.most, str)
        else component.most
    )
    return f"{text}, {WORDS['most'][words.language == 'en'].format(n=most)}"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _unsaid(old: Rulebook, new: Rulebook) -> Iterator[str]:
    values = {
        name
        for name, parameter in new.parameters.items()
        if name in old.parameters
        and [(v.start, v.value) for v in parameter.values]
        != [(v.start, v.value) for v in old.parameters[name].values]
    }
    before = {criterion.id: criterion for criterion in old.criteria}
    for criterion in new.criteria:
        other = before.get(criterion.id)
        if other is None or other.says != criterion.says:
            continue
        read = {node.name for node in nodes.walk(criterion.tree) if isinstance(node, nodes.Parameter)}
        if _plain(other.require) != _plain(criterion.require) or read & values:
            yield criterion.id
