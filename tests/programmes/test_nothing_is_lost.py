"""Corrections that arrive at an awkward moment, money that could be counted twice or not at all, files of a decree."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from tests.programmes.conftest import NOW, OPENER, REVIEWERS, SIGNER, SUPERVISOR, Office, officer
from tests.programmes.test_cycle import correct, demo, prepare, sign, staffed  # noqa: F401
from tests.programmes.test_load import stored_lines

from salur.access import rows
from salur.access.policy import SYSTEM
from salur.core.faults import InputError
from salur.journal.models import Job
from salur.people import services as people
from salur.people.models import Correction, Membership
from salur.programmes import books, jobs, selectors, services
from salur.programmes.models import Budget, Cycle, Decision, Decree, Duty, RulebookVersion
from salur.programmes.services import reviews

PERIOD, TODAY = "2026-Q4", NOW.date()
ANYWHERE = officer(6, "people_clerk", region=""), officer(7, "people_clerk", region="")


@pytest.fixture
def office(staffed: Office) -> Office:  # noqa: F811
    return staffed


def eligible(cycle_id: int, skipped: int = 0) -> Decision:
    found = Decision.objects.filter(cycle=cycle_id, outcome="eligible", superseded_by__isnull=True)
    return found.order_by("unit_id")[skipped]


def standing(unit_id: int) -> Decision:
    return selectors.history("pkh", PERIOD, unit_id)[-1]


def decided_again(office: Office, cycle_id: int, families: list[int] | None = None) -> int:
    return services.decide_again(now=office.now, actor=SYSTEM, cycle_id=cycle_id, families=families)


def ceiling(office: Office, amount: int, region: str = "", day: int = 1) -> None:
    services.ceiling_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", period=PERIOD, region=region, amount=amount,
        since=date(2026, 1, day), basis="DIPA 2026",
    )  # fmt: skip


def stop(office: Office, unit: Decision, since: date = TODAY) -> int:
    return services.standing_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", unit_id=unit.unit_id, region="35.10",
        kind="suspended", cause="investigation", since=since,
    )  # fmt: skip


# ---- corrections ---------------------------------------------------------------------------------------------


def test_a_decree_holds_every_correction_that_was_confirmed_before_it(office: Office) -> None:
    cycle_id = office.decided()
    unit, other = eligible(cycle_id), eligible(cycle_id, 1)
    correct(office, f"family:{unit.family_id}", "decile", 9)  # the worker has not come to it yet
    decree = prepare(office, cycle_id)
    assert standing(unit.unit_id).outcome == "not_eligible"
    assert decree.units == Decision.objects.filter(
        cycle=cycle_id, outcome="eligible", superseded_by__isnull=True
    ).count()  # fmt: skip
    correct(office, f"family:{other.family_id}", "decile", 9)
    with pytest.raises(InputError, match="prepare it again"):
        sign(office, cycle_id)
    prepare(office, cycle_id)
    sign(office, cycle_id)
    assert selectors.money_due("pkh", PERIOD, other.unit_id, NOW + timedelta(days=1)) == 0


def test_a_decree_holds_what_was_taken_back_before_it(office: Office) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    made = correct(office, f"family:{unit.family_id}", "decile", 9)
    decided_again(office, cycle_id)
    people.correction_withdraw(actor=ANYWHERE[0], now=office.now, correction_id=made)
    prepare(office, cycle_id)
    assert standing(unit.unit_id).outcome == "eligible"


def test_a_correction_confirmed_while_a_cycle_is_decided_is_not_lost(office: Office) -> None:
    first = office.decided()
    unit = eligible(first)
    services.cycle_cancel(now=office.now, actor=OPENER, cycle_id=first, reason="to be decided anew")
    cycle_id = office.opened(period="2026-Q3")
    made: list[int] = []

    def confirmed_meanwhile(stage: str, _done: int, _of: int) -> None:
        if stage == "store" and not made:
            made.append(correct(office, f"family:{unit.family_id}", "decile", 9))

    services.cycle_decide(
        now=office.now,
        actor=SYSTEM,
        cycle_id=cycle_id,
        work=office.folder / "again",
        progress=confirmed_meanwhile,
    )
    assert made
    assert selectors.history("pkh", "2026-Q3", unit.unit_id)[-1].outcome == "not_eligible"


def test_deciding_again_never_goes_back_behind_a_correction_of_meanwhile(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    cycle_id = office.decided()
    families = sorted({eligible(cycle_id, n).family_id for n in range(2)})
    for family_id in families:
        correct(office, f"family:{family_id}", "decile", 8)
    monkeypatch.setattr(reviews, "CHUNK", 1)
    done: list[int] = []

    def another_worker(_stage: str, _done: int, _of: int) -> None:
        if not done:
            done.append(correct(office, f"family:{families[1]}", "decile", 2))
            decided_again(office, cycle_id, [families[1]])

    services.decide_again(
        now=office.now, actor=SYSTEM, cycle_id=cycle_id, families=families, progress=another_worker
    )
    last = Decision.objects.get(cycle=cycle_id, family_id=families[1], superseded_by__isnull=True)
    assert (last.outcome, str(done[0]) in last.cause) == ("eligible", True)


def member_of(decision: Decision) -> tuple[int, str, bool]:
    """A member of a decided family whom no correction touched: the id, and a boolean fact of theirs turned round."""
    explanation = selectors.explanation(Decision.objects.select_related("cycle", "case").get(id=decision.id))
    declared = explanation.plan.rulebook.catalogue.facts
    for member in explanation.case.members:
        for name, held in member.facts.items():
            if declared[name].type == "boolean":
                return member.person_id, name, not getattr(held, "value", held)
    raise AssertionError("no member of this family has such a fact")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_correction_of_somebody_who_moved_away_counts_where_they_were_decided(
    office: Office, when: str
) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    person, fact, value = member_of(unit)
    subject = f"person:{person}"
    if when == "before":
        correct(office, subject, fact, value)
        decided_again(office, cycle_id)
        assert "correction" in standing(unit.unit_id).cause
    elsewhere = people.family_add(actor=SYSTEM, now=office.now, region="36.71")
    moved_on = Membership.objects.get(person=person).since + timedelta(days=1)
    people.membership_end(actor=SYSTEM, now=office.now, person_id=person, until=moved_on)
    people.membership_begin(
        actor=SYSTEM, now=office.now, person_id=person, family_id=elsewhere, since=moved_on
    )
    if when == "after":
        correct(office, subject, fact, value, by=ANYWHERE)
        assert decided_again(office, cycle_id) == 1
    else:
        correct(office, f"family:{unit.family_id}", "decile", 1)
        decided_again(office, cycle_id, [unit.family_id])
    case = selectors.explanation(standing(unit.unit_id)).case
    held = next(member for member in case.members if member.person_id == person).facts[fact]
    assert getattr(held, "value", held) is value


def test_a_correction_counts_until_the_day_on_which_another_replaces_it(office: Office) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    first = correct(office, f"family:{unit.family_id}", "decile", 9)
    catalogue = books.catalogue(RulebookVersion.objects.latest("id").id)
    later = people.correction_make(
        actor=REVIEWERS[0], now=office.now, catalogue=catalogue, subject=f"family:{unit.family_id}", fact="decile",
        value=3, valid_from=office.population.reference_date + timedelta(days=30), source="dtsen",
        evidence_kind="home_visit", evidence="visit", replaces=first,
    )  # fmt: skip
    people.correction_confirm(actor=REVIEWERS[1], now=office.now, correction_id=later)
    decided_again(office, cycle_id)
    assert standing(unit.unit_id).outcome == "not_eligible"  # on the reference date the first one holds


def test_who_corrected_a_family_of_a_cycle_does_not_sign_it(office: Office) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    both = officer(4, "decree_signer", "people_clerk")  # roles that go together
    correct(office, f"family:{unit.family_id}", "decile", 9, by=(REVIEWERS[0], both))
    prepare(office, cycle_id)
    with pytest.raises(InputError, match="Who corrected"):
        sign(office, cycle_id, both)
    with pytest.raises(InputError, match="Who corrected"):
        sign(office, cycle_id)  # nor after the role of a clerk has ended
    # The database does not take their signature either, whatever the service does.
    Duty.objects.create(cycle_id=cycle_id, officer=both.ref, duty="decree", since=office.now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decree.objects.filter(cycle_id=cycle_id).update(
            signed_by=both.ref, signed_at=office.now, signature={"made": "up"}
        )


def test_who_took_a_correction_back_alone_does_not_sign_either(office: Office) -> None:
    cycle_id = office.decided()
    made = correct(office, f"family:{eligible(cycle_id).family_id}", "decile", 9)
    both = officer(4, "decree_signer", "people_clerk")
    people.correction_withdraw(actor=both, now=office.now, correction_id=made)
    prepare(office, cycle_id)
    with pytest.raises(InputError, match="Who corrected"):
        sign(office, cycle_id, both)


# ---- an opener who is also a clerk ---------------------------------------------------------------------------

OPENER_AND_CLERK = officer(1, "cycle_opener", "people_clerk")  # roles that go together
OWN = "Who opened a cycle leaves it to others"


def proposed(office: Office, subject: str, valid_from: date | None = None) -> int:
    catalogue = books.catalogue(RulebookVersion.objects.latest("id").id)
    fact = "decile" if subject.startswith("family") else "pregnant"
    return people.correction_make(
        actor=REVIEWERS[0], now=office.now, catalogue=catalogue, subject=subject, fact=fact,
        value=9 if fact == "decile" else None, valid_from=valid_from or office.population.reference_date,
        source=next(iter(catalogue.registers)), evidence_kind="home_visit", evidence="visit",
    )  # fmt: skip


def unconfirmed_by_hand(correction_id: int) -> bool:
    """Whether the database refuses the opener's confirmation, past the services."""
    try:
        with transaction.atomic():
            Correction.objects.filter(id=correction_id).update(
                confirmed_by=OPENER_AND_CLERK.ref, confirmed_at=NOW
            )
            transaction.set_rollback(True)
    except IntegrityError:
        return True
    return False


@pytest.mark.parametrize("kind", ["family", "person"])
def test_who_opened_a_cycle_does_not_confirm_what_changes_it(office: Office, kind: str) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    member = Membership.objects.filter(family_id=unit.family_id).earliest("id").person_id
    subject = f"family:{unit.family_id}" if kind == "family" else f"person:{member}"
    made, later = proposed(office, subject), proposed(office, subject, TODAY + timedelta(days=400))
    with rows.limited_to(OPENER_AND_CLERK, "people.correction_confirm"):
        with pytest.raises(InputError, match=OWN):
            people.correction_confirm(actor=OPENER_AND_CLERK, now=office.now, correction_id=made)
        people.correction_confirm(
            actor=OPENER_AND_CLERK, now=office.now, correction_id=later
        )  # not of this cycle
    assert unconfirmed_by_hand(made)
    people.correction_confirm(actor=REVIEWERS[1], now=office.now, correction_id=made)
    with pytest.raises(InputError, match=OWN):
        people.correction_withdraw(actor=OPENER_AND_CLERK, now=office.now, correction_id=made)
    prepare(office, cycle_id)
    sign(office, cycle_id)
    people.correction_withdraw(
        actor=OPENER_AND_CLERK, now=office.now, correction_id=made
    )  # for the next cycle


def test_nor_before_it_is_decided_nor_in_any_other_way(office: Office) -> None:
    known = office.decided("sembako")
    services.cycle_cancel(now=office.now, actor=OPENER, cycle_id=known, reason="to be decided anew")
    subject = f"family:{Decision.objects.filter(cycle=known).earliest('id').family_id}"
    assert not unconfirmed_by_hand(proposed(office, subject))  # nothing of theirs is under way
    office.opened()
    made = proposed(office, subject)
    assert unconfirmed_by_hand(made)
    with pytest.raises(InputError, match=OWN):
        people.correction_confirm(actor=OPENER_AND_CLERK, now=office.now, correction_id=made)
    people.correction_withdraw(actor=OPENER_AND_CLERK, now=office.now, correction_id=made)  # it never counted


# ---- cycles of one period ------------------------------------------------------------------------------------


def test_a_period_whose_cycle_was_cancelled_after_deciding_is_decided_anew(office: Office) -> None:
    first = office.decided()
    lines = sorted(stored_lines(first))
    services.cycle_cancel(now=office.now, actor=OPENER, cycle_id=first, reason="the wrong ceiling")
    second = office.decided()
    assert sorted(stored_lines(second)) == lines
    later = Decision.objects.filter(cycle=second)
    assert set(later.values_list("n", flat=True)) == {2}
    prepare(office, second)
    sign(office, second)
    unit = eligible(second)
    assert selectors.money_due("pkh", PERIOD, unit.unit_id, NOW + timedelta(days=1)) == unit.amount


def test_a_supplement_leaves_the_figures_of_the_cycle_before_it(office: Office) -> None:
    first = office.decided()
    prepare(office, first)
    sign(office, first)
    before = selectors.outcomes(Cycle.objects.get(id=first))
    assert sum(row.units for row in before) > 0
    office.decided(supplement=True)
    assert selectors.outcomes(Cycle.objects.get(id=first)) == before


# ---- money ---------------------------------------------------------------------------------------------------


def test_a_supplement_reserves_only_what_it_adds(office: Office) -> None:
    first = office.decided()
    signed = prepare(office, first).amount
    sign(office, first)
    ceiling(office, signed, day=2)  # nothing is left
    less = eligible(first)
    correct(office, f"family:{less.family_id}", "decile", 9)
    second = office.decided(supplement=True)
    prepare(office, second)
    sign(office, second)
    assert Budget.objects.get().reserved == signed
    assert selectors.money_due("pkh", PERIOD, less.unit_id, NOW + timedelta(days=1)) == 0
    more = Decision.objects.filter(cycle=second, outcome="not_eligible").exclude(unit_id=less.unit_id)
    for decision in more.order_by("unit_id")[:20]:
        correct(office, f"family:{decision.family_id}", "decile", 1)
    third = office.decided(supplement=True)
    prepare(office, third)
    with pytest.raises(InputError, match="leaves 0 rupiah"):
        sign(office, third)
    ceiling(office, 2 * signed, day=3)
    sign(office, third)
    added = sum(
        d.amount
        for d in Decision.objects.filter(cycle=third, outcome="eligible")
        if Decision.objects.get(cycle=first, unit_id=d.unit_id).outcome != "eligible"
    )
    assert Budget.objects.get().reserved == signed + added > signed


def test_a_ceiling_of_a_region_that_comes_late_counts_what_is_signed_already(office: Office) -> None:
    cycle_id = office.decided()
    signed = prepare(office, cycle_id).amount
    sign(office, cycle_id)
    with pytest.raises(InputError, match="reserved more"):
        ceiling(office, signed - 1, "35.10")
    ceiling(office, signed, "35")
    ceiling(office, 5, "36")
    assert dict(Budget.objects.values_list("region", "reserved")) == {"": signed, "35": signed, "36": 0}


def test_money_without_a_ceiling_is_not_signed(office: Office) -> None:
    ceiling(office, 10**12, "36")
    with pytest.raises(InputError, match="ceiling"):
        services.cycle_open(
            now=office.now, actor=OPENER, version_id=office.version("pkh"), period=PERIOD, regions=["35.10"],
            population=office.population,
        )  # fmt: skip


def test_a_unit_that_no_decree_lists_is_due_nothing(office: Office) -> None:
    cycle_id = office.decided()
    unit = eligible(cycle_id)
    stopped = stop(office, unit)
    decree = prepare(office, cycle_id)
    assert f'"unit":{unit.unit_id},' not in Path(decree.list_path).read_text().replace(" ", "")
    sign(office, cycle_id)
    on = datetime(2026, 12, 1, tzinfo=UTC)
    services.standing_lift(now=office.now, actor=officer(7, "supervisor"), standing_id=stopped)
    assert selectors.money_due("pkh", PERIOD, unit.unit_id, on) == 0
    supplement = office.decided(supplement=True)
    prepare(office, supplement)
    sign(office, supplement)
    assert selectors.money_due("pkh", PERIOD, unit.unit_id, on) == unit.amount


def test_a_unit_is_stopped_from_midnight_in_jakarta(office: Office) -> None:
    cycle_id = office.decided()
    prepare(office, cycle_id)
    sign(office, cycle_id)
    unit = eligible(cycle_id)
    with pytest.raises(InputError, match="today or an earlier"):
        stop(office, unit, TODAY + timedelta(days=1))
    stop(office, unit)
    last, first = datetime(2026, 11, 20, 16, 59, tzinfo=UTC), datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    assert selectors.money_due("pkh", PERIOD, unit.unit_id, last) == unit.amount
    assert selectors.money_due("pkh", PERIOD, unit.unit_id, first) == 0


# ---- the files of a decree -----------------------------------------------------------------------------------


def test_a_decree_that_is_refused_leaves_the_files_of_the_one_before(office: Office) -> None:
    other = office.decided("sembako")
    services.decree_prepare(
        now=office.now, actor=SIGNER, cycle_id=other, number="SK 7", folder=office.folder / "decrees"
    )
    cycle_id = office.decided()
    decree = prepare(office, cycle_id)
    before = [Path(path).read_bytes() for path in (decree.list_path, decree.pdf_path)]
    with pytest.raises(InputError, match="has this number"):
        services.decree_prepare(
            now=office.now, actor=SIGNER, cycle_id=cycle_id, number="SK 7", folder=office.folder / "decrees"
        )
    decree = Decree.objects.get(cycle_id=cycle_id)
    assert [Path(path).read_bytes() for path in (decree.list_path, decree.pdf_path)] == before
    assert json.loads(decree.statement)["list"] == hashlib.sha256(before[0]).hexdigest()


def decree_files(office: Office) -> set[str]:
    return {file.name for file in (office.folder / "decrees").iterdir()}


def clear(office: Office, cycle_id: int) -> None:
    """What the worker does."""
    jobs.decree_files({"cycle": cycle_id}, now=office.now)


def test_files_of_a_decree_that_were_replaced_are_removed(office: Office) -> None:
    cycle_id, other = office.decided(), office.decided("sembako")
    folder = office.folder / "decrees"
    mine = {Path(path).name for path in (prepare(office, other).list_path, prepare(office, other).pdf_path)}
    prepare(office, cycle_id)
    made = {}
    for number, unit in enumerate((eligible(cycle_id), eligible(cycle_id, 1)), start=1):
        correct(office, f"family:{unit.family_id}", "decile", 9)
        decree = prepare(office, cycle_id)
        made = {Path(decree.list_path).name, Path(decree.pdf_path).name}
        assert len(decree_files(office) - mine) == 2 * (number + 1)
    assert Job.objects.filter(kind="programmes.decree_files").count() == 5
    (folder / f"cycle-{cycle_id}.77.part").write_bytes(b"killed while it was written")
    for file in sorted(decree_files(office) - mine - made)[:2]:  # killed in the middle of removing
        (folder / file).unlink()
    (folder / "README").write_bytes(b"somebody else's")
    for _ in range(2):
        clear(office, cycle_id)
        assert decree_files(office) == mine | made | {"README"}
    sign(office, cycle_id)
    clear(office, cycle_id)
    decree.refresh_from_db()
    assert hashlib.sha256(Path(decree.list_path).read_bytes()).hexdigest() in decree.statement
    assert decree_files(office) == mine | made | {"README"}


def test_a_preparation_that_was_undone_costs_no_file_of_the_one_that_counts(office: Office) -> None:
    cycle_id = office.decided()
    decree = prepare(office, cycle_id)
    kept = decree_files(office)
    correct(office, f"family:{eligible(cycle_id).family_id}", "decile", 9)
    with transaction.atomic():
        prepare(office, cycle_id)
        transaction.set_rollback(True)  # killed before it was committed
    assert len(decree_files(office)) == 4
    clear(office, cycle_id)
    assert decree_files(office) == kept
    assert Path(decree.pdf_path).is_file()
    clear(office, office.opened("sembako"))  # nothing is prepared there


@pytest.mark.parametrize("number", ["S" * 81, "", "SK\x001", "SK\n2"])
def test_a_number_that_cannot_be_kept_is_told(office: Office, number: str) -> None:
    cycle_id = office.decided()
    with pytest.raises(InputError, match="1 to 80"):
        services.decree_prepare(
            now=office.now, actor=SIGNER, cycle_id=cycle_id, number=number, folder=office.folder / "decrees"
        )
