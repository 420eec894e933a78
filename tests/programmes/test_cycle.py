"""A whole cycle: opened, decided, reviewed, corrected, decided again, decreed by another, and closed."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from tests.access.test_signing import ORIGIN, creation, registered
from tests.programmes.conftest import (
    BOOKS,
    NOW,
    OPENER,
    REGENCY,
    REVIEWERS,
    SIGNER,
    SUPERVISOR,
    Office,
    officer,
)
from tests.programmes.test_load import stored_lines

from salur.access import signing
from salur.access.models import Officer
from salur.access.policy import SYSTEM, Actor, Refused
from salur.access.software_key import SoftwareKey
from salur.core import rules
from salur.core.faults import InputError
from salur.core.population.commands import REFERENCE_DATE, read_regencies
from salur.core.population.generate import Generator
from salur.core.population.generate import generate as make
from salur.journal.models import Event, Job
from salur.people import services as people
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.protect import Keys
from salur.programmes import books, selectors, services
from salur.programmes.models import Budget, Cycle, Decision, Decree, Review, RulebookVersion

KEYS = Keys(1, {1: bytes(32)})


@pytest.fixture(autouse=True)
def demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUR_DEMO", "1")


@pytest.fixture
def staffed(office: Office) -> Office:
    """The office with its officers, the signer's passkey, and the people of the population."""
    officers()
    enrol(office)
    return office


def officers() -> None:
    """Those of an office, with the passkey of the one who signs."""
    from allauth.mfa.models import Authenticator

    for actor in (OPENER, *REVIEWERS, SIGNER, SUPERVISOR):
        Officer.objects.create(id=actor.officer_id, email=f"{actor.officer_id}@example.go.id", name="Sri")
    Authenticator.objects.create(
        user_id=SIGNER.officer_id, type=Authenticator.Type.WEBAUTHN,
        data={"name": "key", "credential": SoftwareKey(b"signer", ORIGIN).register(creation())},
    )  # fmt: skip


def enrol(office: Office) -> None:
    """Everybody of the population, without names: what membership needs."""
    import duckdb

    rows = duckdb.connect()
    families = rows.execute(
        f"SELECT family_id, region, coalesce(village, '') FROM '{office.population.families('35')}'"
    ).fetchall()
    persons = rows.execute(
        f"SELECT person_id, family_id, birth_date, sex FROM '{office.population.persons('35')}'"
    ).fetchall()
    people.enrol(
        actor=SYSTEM, now=office.now, keys=KEYS, source="0" * 64, since=office.population.reference_date,
        families=[FamilyRow(*row) for row in families],
        persons=[PersonRow(id_, family, "Warga", birth, sex or "") for id_, family, birth, sex in persons],
    )  # fmt: skip


def correct(
    office: Office, subject: str, fact: str, value: Any, *, by: tuple[Actor, Actor] = REVIEWERS
) -> int:
    """A correction by two officers."""
    catalogue = books.catalogue(RulebookVersion.objects.latest("id").id)
    made = people.correction_make(
        actor=by[0], now=office.now, catalogue=catalogue, subject=subject, fact=fact, value=value,
        valid_from=office.population.reference_date, source=next(iter(catalogue.registers)),
        evidence_kind="family_card", evidence="visit",
    )  # fmt: skip
    people.correction_confirm(actor=by[1], now=office.now, correction_id=made)
    return made


def sign(office: Office, cycle: int, actor: Actor = SIGNER) -> None:
    digest = bytes(Decree.objects.get(cycle_id=cycle).digest)
    key = SoftwareKey(b"signer", ORIGIN, counter=int(office.now.timestamp()))
    options = signing.begin(digest=digest, credentials=[registered(key)], origin=ORIGIN)
    services.decree_sign(
        now=office.now, actor=actor, cycle_id=cycle, digest=digest, response=key.sign(options)
    )


def prepare(office: Office, cycle: int) -> Decree:
    services.decree_prepare(
        now=office.now, actor=SIGNER, cycle_id=cycle, number=f"SK {cycle}", folder=office.folder / "decrees"
    )
    return Decree.objects.get(cycle_id=cycle)


def test_a_cycle_from_opening_to_close(staffed: Office) -> None:
    office = staffed
    cycle_id = office.decided()
    cycle = Cycle.objects.get(id=cycle_id)
    waiting = selectors.queue(cycle, reviewer=REVIEWERS[0].ref)[0]
    assert waiting.outcome == "needs_data"
    review = services.review_judge(
        now=office.now, actor=REVIEWERS[0], decision_id=waiting.id, judgement="entitled"
    )
    made = correct(office, f"family:{waiting.family_id}", "decile", 1)
    services.review_find(
        now=office.now, actor=REVIEWERS[0], review_id=review, finding="corrects", correction_ids=[made]
    )
    assert services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id) == 1
    first, second = selectors.history("pkh", "2026-Q4", waiting.unit_id)
    assert (second.n, second.supersedes_id, second.cause) == (2, first.id, f"correction:{made}")
    decree = prepare(office, cycle_id)
    assert hashlib.sha256(decree.statement.encode()).digest() == bytes(decree.digest)
    listed = Path(decree.list_path).read_bytes()
    assert hashlib.sha256(listed).hexdigest() == json.loads(decree.statement)["list"]
    assert decree.units == listed.count(b"\n") > 0
    sign(office, cycle_id)
    decree.refresh_from_db()
    signing.verify_signature(decree.signature, bytes(decree.digest), origin=ORIGIN)
    assert Budget.objects.get().reserved == decree.amount > 0
    assert json.loads(Job.objects.get(kind="programmes.claim_codes").payload) == {"cycle": cycle_id}
    services.cycle_close(now=office.now, actor=SUPERVISOR, cycle_id=cycle_id)
    assert Cycle.objects.get(id=cycle_id).state == Cycle.State.CLOSED
    kinds = list(
        Event.objects.filter(subject_ref=f"cycle:{cycle_id}").order_by("id").values_list("kind", flat=True)
    )
    assert kinds == [
        "programmes.cycle_opened", "programmes.cycle_decided", "programmes.decided_again",
        "programmes.decree_prepared", "programmes.decree_signed", "programmes.cycle_closed",
    ]  # fmt: skip


@pytest.mark.parametrize(("programme", "period"), [("pkh", "2026-Q4"), ("digital-talent", "2026")])
def test_deciding_again_changes_those_units_and_no_other(
    staffed: Office, programme: str, period: str
) -> None:
    office, rng = staffed, random.Random(5)
    cycle_id = office.decided(programme, period)
    before = dict(Decision.objects.filter(cycle=cycle_id).values_list("unit_id", "id"))
    families = rng.sample(sorted(set(Decision.objects.values_list("family_id", flat=True))), 60)
    for family_id in families:
        correct(office, f"family:{family_id}", "decile", rng.randint(1, 10))
    new = services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id)
    standing = Decision.objects.filter(cycle=cycle_id, superseded_by__isnull=True)
    changed = {d.family_id for d in standing if before[d.unit_id] != d.id}
    assert changed <= set(families)
    assert new == standing.exclude(supersedes=None).count() > 0
    assert services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id) == 0
    # Deciding everything anew, from the population and the corrections, gives the same lines.
    lines = sorted(stored_lines(cycle_id))
    services.cycle_cancel(now=office.now, actor=OPENER, cycle_id=cycle_id, reason="to be decided anew")
    if programme == "pkh":  # ranks belong to the first run
        again = office.decided(programme, "2026-Q3")
        assert sorted(stored_lines(again)) == lines


def test_a_withdrawn_correction_brings_the_first_outcome_back(staffed: Office) -> None:
    office = staffed
    cycle_id = office.decided()
    unit = Decision.objects.filter(cycle=cycle_id, outcome="eligible").first()
    assert unit is not None
    made = correct(office, f"family:{unit.family_id}", "decile", 9)
    services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id)
    third = officer(6, "supervisor", "people_clerk", region="")
    people.correction_withdraw(actor=third, now=office.now, correction_id=made)
    services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id, families=[unit.family_id])
    outcomes = [d.outcome for d in selectors.history("pkh", "2026-Q4", unit.unit_id)]
    assert outcomes == ["eligible", "not_eligible", "eligible"]


def test_two_reviewers_who_disagree_are_recorded(staffed: Office) -> None:
    office = staffed
    cycle = Cycle.objects.get(id=office.decided())
    decision = selectors.queue(cycle, reviewer=REVIEWERS[0].ref)[0]
    for reviewer, finding in zip(REVIEWERS, ("doubts", "confirms"), strict=True):
        review = services.review_judge(
            now=office.now, actor=reviewer, decision_id=decision.id, judgement="unsure"
        )
        told = services.review_find(now=office.now, actor=reviewer, review_id=review, finding=finding)
    assert told
    assert [d.id for d in selectors.disagreements(cycle)] == [decision.id]


def test_evidence_comes_before_the_outcome(staffed: Office) -> None:
    cycle = Cycle.objects.get(id=staffed.decided())
    decision = selectors.queue(cycle, reviewer=REVIEWERS[0].ref)[0]
    review = services.review_judge(
        now=staffed.now, actor=REVIEWERS[0], decision_id=decision.id, judgement="unsure"
    )
    services.review_judge(now=staffed.now, actor=REVIEWERS[0], decision_id=decision.id, judgement="entitled")
    assert Review.objects.get(id=review).judgement == "unsure"


def test_a_decree_that_was_prepared_before_something_changed_is_not_signed(staffed: Office) -> None:
    office = staffed
    cycle_id = office.decided()
    unit = Decision.objects.filter(cycle=cycle_id, outcome="eligible").first()
    assert unit is not None
    prepare(office, cycle_id)
    correct(office, f"family:{unit.family_id}", "decile", 9)
    services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id)
    with pytest.raises(InputError, match="prepare it again"):
        sign(office, cycle_id)
    prepare(office, cycle_id)
    services.standing_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", unit_id=_eligible(cycle_id).unit_id, region="35.10",
        kind="stopped", cause="death", since=NOW.date(),
    )  # fmt: skip
    with pytest.raises(InputError, match="prepare it again"):
        sign(office, cycle_id)


def _eligible(cycle_id: int) -> Decision:
    return Decision.objects.filter(cycle=cycle_id, outcome="eligible", superseded_by__isnull=True)[0]


def test_a_decree_cannot_spend_more_than_a_ceiling(staffed: Office) -> None:
    office = staffed
    cycle_id = office.decided()
    decree = prepare(office, cycle_id)
    services.ceiling_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", period="2026-Q4", region="35.10",
        amount=decree.amount - 1, since=NOW.date(), basis="DPA 2026",
    )  # fmt: skip
    with pytest.raises(InputError, match="leaves"):
        sign(office, cycle_id)
    assert Cycle.objects.get(id=cycle_id).state == Cycle.State.DECIDED
    assert not Budget.objects.exclude(reserved=0).exists()


def test_a_cycle_in_which_nobody_is_eligible_is_decreed_so_that_families_can_read_why(
    staffed: Office,
) -> None:
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    folder = staffed.folder / "one family"
    make(Generator(read_regencies(REGENCY), 1, 1, catalogue, REFERENCE_DATE.date()), folder)
    office = Office(rules.open_population(folder, catalogue), staffed.folder)
    cycle_id = office.decided()
    decree = prepare(office, cycle_id)
    assert (decree.units, Path(decree.list_path).read_bytes()) == (0, b"")
    sign(office, cycle_id)
    assert Cycle.objects.get(id=cycle_id).state == Cycle.State.DECREED


def test_a_number_and_a_ceiling_of_a_day_are_used_once(staffed: Office) -> None:
    office = staffed
    first, second = office.decided("sembako"), office.decided()
    prepare(office, first)
    with pytest.raises(InputError, match="has this number"):
        services.decree_prepare(
            now=office.now,
            actor=SIGNER,
            cycle_id=second,
            number=f"SK {first}",
            folder=office.folder / "decrees",
        )
    with pytest.raises(InputError, match="on that day already"):
        services.ceiling_set(
            now=office.now, actor=SUPERVISOR, programme="pkh", period="2026-Q4", amount=1, since=date(2026, 1, 1),
            basis="DIPA 2026",
        )  # fmt: skip


def test_a_stopped_unit_is_due_nothing_until_another_officer_resumes_it(staffed: Office) -> None:
    office = staffed
    cycle_id = office.decided()
    prepare(office, cycle_id)
    sign(office, cycle_id)
    unit = _eligible(cycle_id)
    on = NOW + timedelta(days=1)
    assert selectors.money_due("pkh", "2026-Q4", unit.unit_id, on) == unit.amount
    stopped = services.standing_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", unit_id=unit.unit_id, region="35.10",
        kind="suspended", cause="investigation", since=NOW.date(),
    )  # fmt: skip
    assert selectors.money_due("pkh", "2026-Q4", unit.unit_id, on) == 0
    with pytest.raises(InputError, match="somebody else"):
        services.standing_lift(now=office.now, actor=SUPERVISOR, standing_id=stopped)
    services.standing_lift(now=office.now, actor=officer(7, "supervisor"), standing_id=stopped)
    assert selectors.money_due("pkh", "2026-Q4", unit.unit_id, on) == unit.amount


def test_a_supplement_continues_the_line_of_decisions(staffed: Office) -> None:
    office = staffed
    first = office.decided()
    with pytest.raises(InputError, match="not decreed yet"):
        office.opened(supplement=True)
    prepare(office, first)
    sign(office, first)
    with pytest.raises(InputError, match="supplement"):
        office.opened()
    unit = _eligible(first)
    correct(office, f"family:{unit.family_id}", "decile", 9)
    second = office.decided(supplement=True)
    later = Decision.objects.get(cycle=second, unit_id=unit.unit_id)
    assert (later.n, later.supersedes_id, later.outcome) == (2, unit.id, "not_eligible")


@pytest.mark.parametrize("actor", [REVIEWERS[0], SIGNER, officer(8, "cycle_opener", region="35.09")])
def test_who_has_no_right_is_refused(office: Office, actor: Actor) -> None:
    with pytest.raises(Refused), transaction.atomic():
        services.cycle_open(
            now=office.now, actor=actor, version_id=office.version("sembako"), period="2026-Q4",
            regions=["35.10"], population=office.population,
        )  # fmt: skip
