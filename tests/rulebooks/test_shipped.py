"""The rulebooks that are shipped: whole, cited, and in sentences that a village agent can read aloud."""

from __future__ import annotations

import re
from datetime import date

import pytest
from tests.golden.reading import RULEBOOKS, SHIPPED

from salur.core.population.catalogue import Text
from salur.core.rules import nodes
from salur.core.rules.rulebook import Rulebook

SENTENCE = re.compile(r"[A-Z][^.!?]*(?:\([^)]*\)[^.!?]*)*\.")
UNSURE = re.compile(r"belum (?:diperiksa|ditemukan|ada)|anggapan", re.IGNORECASE)
EXCLUSIONS = (
    "no_civil_servant", "no_military", "no_police", "no_public_pensioner", "no_state_company_staff",
    "no_wage_above_minimum", "no_certified_teacher", "no_village_official", "no_company_owner",
)  # fmt: skip
DELIVERED = {
    "pkh": {"money"}, "sembako": {"money"}, "pip": {"money"}, "pbi-jkn": {"service"},
    "digital-talent": {"service", "certificate"},
}  # fmt: skip

every_rulebook = pytest.mark.parametrize("book", SHIPPED.values(), ids=SHIPPED)


def _sentences(book: Rulebook) -> list[tuple[str, Text | None]]:
    told: list[tuple[str, Text | None]] = [(f"{c.id} says", c.says) for c in book.criteria]
    told += [(f"{c.id} remedy", c.remedy) for c in book.criteria]
    return [*told, *((f"{c.id} measure", c.measure) for c in book.components if c.measure)]


def test_five_rulebooks_are_shipped_and_read_without_fault() -> None:
    assert set(SHIPPED) == set(DELIVERED)
    assert {path.stem for path in RULEBOOKS.glob("*.toml")} == {*SHIPPED, "facts"}


@every_rulebook
def test_the_file_is_named_by_its_id(book: Rulebook) -> None:
    assert book.path.stem == book.id


@every_rulebook
def test_it_delivers_what_it_should(book: Rulebook) -> None:
    assert {component.delivers for component in book.components} == DELIVERED[book.id]


@every_rulebook
def test_each_sentence_is_a_full_sentence_in_both_languages(book: Rulebook) -> None:
    for where, text in _sentences(book):
        assert text is not None, f"{book.id}: {where} is missing"
        assert text.id != text.en, where
        for sentence in (text.id, text.en):
            assert SENTENCE.fullmatch(sentence), f"{book.id}, {where}: {sentence}"
            assert len(sentence.split()) >= 4, f"{book.id}, {where}: {sentence}"
            assert len(sentence) <= 220, f"{book.id}, {where}: too long to be read aloud"


@every_rulebook
def test_no_two_criteria_say_the_same(book: Rulebook) -> None:
    for language in ("id", "en"):
        assert len({criterion.says[language] for criterion in book.criteria}) == len(book.criteria)


@every_rulebook
def test_about_says_in_two_sentences_what_you_get_and_who(book: Rulebook) -> None:
    assert book.about is not None
    for language in ("id", "en"):
        told = re.sub(r"(?<=\d)\.(?=\d)", "", book.about[language])  # Rp200.000 is one number
        assert told.endswith(".")
        assert len(re.findall(r"\.(?:\s|$)", told)) == 2, told


@every_rulebook
def test_every_component_and_parameter_has_a_title(book: Rulebook) -> None:
    for component in book.components:
        assert component.title != Text(component.id, component.id), component.id
    for parameter in book.parameters.values():
        assert parameter.label is not None, parameter.name


@every_rulebook
def test_a_sentence_with_a_number_says_the_number_in_force(book: Rulebook) -> None:
    """Who changes a value must change the sentence that tells it."""
    for criterion in book.criteria:
        told = set(re.findall(r"\d+", criterion.says.id))
        assert told == set(re.findall(r"\d+", criterion.says.en)), criterion.id
        read = [node.name for node in nodes.walk(criterion.tree) if isinstance(node, nodes.Parameter)]
        now = {str(book.parameters[name].values[-1].value) for name in read}
        if told:
            assert now <= told, f"{book.id}, {criterion.id}: {now} is in force, the sentence says {told}"
            assert told - now <= {"1"}, criterion.id  # desil 1 sampai …


@every_rulebook
def test_every_value_cites_a_basis(book: Rulebook) -> None:
    for parameter in book.parameters.values():
        for dated in parameter.values:
            assert dated.basis in book.basis, parameter.name


@every_rulebook
def test_what_is_unverified_carries_no_day_of_checking(book: Rulebook) -> None:
    for basis in book.basis.values():
        if UNSURE.search(basis.title):
            assert basis.checked_on is None, basis.id
        assert basis.checked_on is None or basis.checked_on >= date(2026, 1, 1), basis.id


@every_rulebook
def test_a_basis_read_in_the_news_says_so_and_when(book: Rulebook) -> None:
    for basis in book.basis.values():
        if "pemberitaan" in basis.title:
            assert re.search(r"20\d\d-\d\d", basis.title), basis.id


def test_the_laws_that_are_known_are_cited() -> None:
    for id_ in ("pkh", "sembako"):
        assert {"uu-11-2009", "uu-13-2011", "inpres-4-2025", "kepmensos-262-2022"} <= SHIPPED[
            id_
        ].basis.keys()
    assert "permensos-1-2018" in SHIPPED["pkh"].basis


def test_pkh_and_sembako_exclude_the_same_people_in_the_same_words() -> None:
    pkh, sembako = (
        [c for c in SHIPPED[id_].criteria if c.id in EXCLUSIONS] for id_ in ("pkh", "sembako")
    )  # fmt: skip
    assert [criterion.id for criterion in pkh] == list(EXCLUSIONS)
    for one, other in zip(pkh, sembako, strict=True):
        assert (one.require, one.says, one.remedy, one.basis) == (
            other.require, other.says, other.remedy, other.basis,
        )  # fmt: skip
        assert SHIPPED["pkh"].basis[one.basis] == SHIPPED["sembako"].basis[other.basis]


@every_rulebook
def test_nobody_is_decided_by_a_fact_that_is_never_on_record(book: Rulebook) -> None:
    """Absent is unknown: a rulebook that read officer_finding would leave every family without a visit undecided."""
    read = {
        fact.name
        for tree in (*(c.tree for c in book.criteria), *(c.tree for c in book.components if c.tree))
        for fact in nodes.facts(tree)
    }
    assert "officer_finding" not in read
