"""Two rulebooks side by side: what differs is marked, what stayed is not, and words that no longer fit are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from salur.core import rules, toml
from salur.core.rules.compare import Comparison, compare, said
from salur.core.rules.rulebook import parse

BOOKS = Path(__file__).parents[3] / "src" / "salur" / "rulebooks"
CATALOGUE = rules.read_catalogue(BOOKS / "facts.toml")
PKH = (BOOKS / "pkh.toml").read_text("utf-8")
HIGHEST = 'value = 4, basis = "desil-2025"'


def book(text: str) -> rules.Rulebook:
    return parse(toml.parse(text.encode(), Path("pkh.toml")), CATALOGUE)


def changed(text: str, language: str = "en") -> Comparison:
    assert text != PKH
    return compare(book(PKH), book(text), language)


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("name", ["pkh", "sembako", "pip", "pbi-jkn", "digital-talent"])
def test_a_rulebook_beside_itself_differs_nowhere_and_everything_it_says_has_a_key_of_its_own(
    name: str, language: str
) -> None:
    own = rules.read_rulebook(BOOKS / f"{name}.toml", CATALOGUE)
    sentences = list(said(own, language))
    assert len({(s.section, s.key) for s in sentences}) == len(sentences)
    assert {s.key[1] for s in sentences if s.key[0] == "criterion"} == {c.id for c in own.criteria}
    found = compare(own, own, language)
    assert len(found.pairs) == len(sentences)
    assert (found.changed, found.unsaid) == ((), ())


def test_a_changed_value_is_marked_alone_and_the_sentence_that_stayed_is_named() -> None:
    found = changed(PKH.replace(HIGHEST, HIGHEST.replace("4", "5", 1)))
    assert [(pair.section, pair.kind) for pair in found.changed] == [("values", "changed")]
    (pair,) = found.changed
    assert [piece.text for piece in pair.before if piece.marked] == ["4"]
    assert [piece.text for piece in pair.after if piece.marked] == ["5"]
    assert found.unsaid == ("poorest_deciles",)  # it still says "deciles 1 to 4"


def test_words_that_were_changed_with_the_value_are_not_named() -> None:
    text = PKH.replace(HIGHEST, HIGHEST.replace("4", "5", 1)).replace("deciles 1 to 4.", "deciles 1 to 5.")
    found = changed(text)
    assert {pair.section for pair in found.changed} == {"values", "who"}
    assert found.unsaid == ()


def test_a_rule_that_is_applied_otherwise_is_shown_as_code() -> None:
    found = changed(PKH.replace('"decile <= highest_decile"', '"decile < highest_decile"'))
    assert [(pair.kind, pair.code) for pair in found.changed] == [("changed", True)]
    assert found.unsaid == ("poorest_deciles",)


def test_what_was_added_stands_on_the_right_and_what_is_gone_on_the_left() -> None:
    value = '{ from = 2027-01-01, value = 6, basis = "desil-2025" },\n]'
    more = changed(
        PKH.replace(']\nlabel = { id = "Desil tertinggi', f'  {value}\nlabel = {{ id = "Desil tertinggi')
    )
    (pair,) = more.changed
    assert (pair.kind, pair.before, pair.after[0].marked) == ("added", (), True)
    assert "6, from 1 January 2027" in pair.after[0].text
    less = compare(
        book(
            PKH.replace(']\nlabel = { id = "Desil tertinggi', f'  {value}\nlabel = {{ id = "Desil tertinggi')
        ),
        book(PKH),
        "en",
    )
    (pair,) = less.changed
    assert (pair.kind, pair.after, pair.before[0].marked) == ("removed", (), True)


def test_sentences_with_little_in_common_are_marked_whole() -> None:
    found = changed(PKH.replace("The family is in deciles 1 to 4.", "Nobody earns a wage."))
    (pair,) = found.changed
    assert [piece.marked for piece in (*pair.before, *pair.after)] == [True, True]
