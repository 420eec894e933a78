"""The kinds of evidence: a list with dates, in both languages, of which nothing that was chosen once is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from salur.people import evidence
from salur.people.models import Correction


def test_every_kind_is_told_whole_in_both_languages() -> None:
    most = Correction._meta.get_field("evidence_kind").max_length or 0
    for kind in evidence.kinds().values():
        assert set(kind.title) == set(kind.says) == {"id", "en"}
        assert all(said.endswith(".") for said in kind.says.values())
        assert kind.says["en"].endswith("; a second one agreed.")
        assert kind.says["id"].endswith("; petugas kedua setuju.")
        assert len(kind.name) <= most
    assert len({kind.says["en"] for kind in evidence.kinds().values()}) == len(evidence.kinds()) == 10


def test_a_kind_can_be_chosen_from_its_first_day_to_its_last() -> None:
    kind = replace(evidence.kinds()["other"], since=date(2026, 2, 1), until=date(2026, 2, 28))
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 1)]
    assert [kind.holds(day) for day in days] == [False, True, True, False]
    assert evidence.choices(date(2025, 12, 31)) == []
    assert len(evidence.choices(date(2026, 11, 22))) == 10
