"""What is stored is what was decided: every line, with the case it rests on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.programmes.conftest import REGENCY, Office

from salur.access.policy import SYSTEM
from salur.core import rules
from salur.core.faults import InputError
from salur.programmes import bodies, books, services
from salur.programmes.models import Cycle, Decision, FamilyCase
from salur.programmes.services import cycles


def stored_lines(cycle_id: int) -> list[str]:
    from salur.core.rules.lines import text

    cycle = Cycle.objects.get(id=cycle_id)
    plan = books.plan(cycle.version_id, cycle.reference_date)
    head = (cycle.programme, plan.rulebook.sha256, plan.on.isoformat())
    return [
        text(head, (d.unit_id, d.outcome, d.failed, d.unknown, d.amount, d.amount_most), d.counts, d.rank,
             bytes(d.case.sha256).hex())
        for d in Decision.objects.filter(cycle=cycle, superseded_by__isnull=True).select_related("case").order_by("id")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("programme", "period"), [("pkh", "2026-Q4"), ("digital-talent", "2026"), ("pbi-jkn", "2026-11")]
)
def test_what_is_stored_are_the_decision_lines(office: Office, programme: str, period: str) -> None:
    cycle = office.decided(programme, period)
    folder = rules.open_decisions(office.folder / f"cycle-{cycle}")
    catalogue = rules.read_catalogue(folder.path / "facts.toml")
    assert stored_lines(cycle) == list(rules.decision_lines(folder, office.population, catalogue))


def test_each_decision_stands_beside_its_whole_case(office: Office) -> None:
    office.decided()
    for row in FamilyCase.objects.all()[:50]:
        text = bodies.unpacked(row.body)
        assert hashlib.sha256(text.encode()).digest() == bytes(row.sha256)


def test_a_case_is_stored_once_for_all_programmes(office: Office) -> None:
    office.decided()
    families = FamilyCase.objects.count()
    office.decided("sembako", "2026-Q4")
    assert FamilyCase.objects.count() == families == 400
    assert Decision.objects.filter(programme="sembako").count() == 400


@pytest.mark.parametrize("stored", [1, 3])
def test_a_load_that_was_cut_off_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch, stored: int
) -> None:
    whole = stored_lines(office.decided("sembako"))
    monkeypatch.setattr(cycles, "CHUNK", 97)
    cycle, work = office.opened(), office.folder / "cut"
    store, calls = cycles.store, 0

    def cut(**arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls > stored:
            raise KeyboardInterrupt
        store(**arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cycles, "store", cut)
    with pytest.raises(KeyboardInterrupt):
        services.cycle_decide(now=office.now, actor=SYSTEM, cycle_id=cycle, work=work)
    assert Decision.objects.filter(cycle=cycle).count() == stored * 97
    assert Cycle.objects.get(id=cycle).state == Cycle.State.OPENED
    monkeypatch.setattr(cycles, "store", store)
    services.cycle_decide(now=office.now, actor=SYSTEM, cycle_id=cycle, work=work)
    assert Decision.objects.filter(cycle=cycle).count() == len(whole) == 400
    assert len(set(Decision.objects.filter(cycle=cycle).values_list("unit_id", flat=True))) == 400


def test_another_population_than_the_one_it_was_opened_with_is_refused(
    office: Office, tmp_path: Path
) -> None:
    cycle = office.opened()
    row = Cycle.objects.get(id=cycle).population
    from salur.core.population.commands import REFERENCE_DATE, read_regencies
    from salur.core.population.generate import Generator
    from salur.core.population.generate import generate as make

    catalogue = books.catalogue(Cycle.objects.get(id=cycle).version_id)
    make(Generator(read_regencies(REGENCY), 20, 8, catalogue, REFERENCE_DATE.date(), 0.0), tmp_path / "other")
    row.path = str(tmp_path / "other")
    row.save()
    with pytest.raises(InputError, match="another population"):
        services.cycle_decide(now=office.now, actor=SYSTEM, cycle_id=cycle, work=tmp_path / "w")
