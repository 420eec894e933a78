"""Every look at a person's record is logged for ever; broken glass opens reading for an hour and is seen by others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from tests.access.conftest import NOW, make_officer

from salur.access import policy, selectors, services
from salur.access.models import BrokenGlass, ReadLog
from salur.access.policy import Actor, Refused
from salur.core.faults import InputError
from salur.journal.models import Event

HOUR = timedelta(hours=1)
REASON = "The office of 36.01 is flooded; families wait at our door."
pytestmark = pytest.mark.usefixtures("database")


def read(actor: Actor, region: str = "35.10", **more: object) -> int:
    given: dict[str, object] = {"subject": "person:12", "purpose": "review", "case": "case:5"}
    return services.read_log(now=NOW, actor=actor, region=region, **given | more)  # type: ignore[arg-type]


def test_a_person_sees_when_which_office_and_why_and_never_who() -> None:
    actor = make_officer(("reviewer", "35"), ("people_clerk", "36"))
    read(actor)
    (look,) = selectors.reads_of("person:12")
    assert look == selectors.Look(NOW, "reviewer", "review", "35.10", broke_glass=False)
    assert selectors.reads_of("person:13") == []
    assert [row.subject for row in selectors.reads_by(actor.officer_id or 0)] == ["person:12"]
    event = Event.objects.get(kind="access.record_read")
    assert (event.actor, event.subject_ref, event.case) == (actor.ref, "person:12", "case:5")


def test_reading_needs_a_region_and_a_purpose() -> None:
    actor = make_officer(("reviewer", "35.10"))
    with pytest.raises(Refused):
        read(actor, "36.01")
    with pytest.raises(InputError, match="purpose"):
        read(actor, purpose="curiosity")
    with pytest.raises(Refused):
        read(Actor("visitor"))
    assert not ReadLog.objects.exists()


def test_a_look_without_a_case_is_an_alarm() -> None:
    actor = make_officer(("reviewer", "35.10"))
    read(actor)
    alone = read(actor, case="")
    assert [row.id for row in selectors.reads_without_case(NOW)] == [alone]
    assert not selectors.reads_without_case(NOW + HOUR).exists()


def test_the_read_log_is_never_changed_nor_deleted() -> None:
    row = read(make_officer(("reviewer", "35.10")))
    for change in (
        lambda: ReadLog.objects.update(purpose="audit"),
        lambda: ReadLog.objects.filter(id=row).delete(),
        lambda: ReadLog.objects.raw("DELETE FROM access_readlog RETURNING id")[0],
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
    assert ReadLog.objects.get().purpose == "review"


# ---- broken glass ------------------------------------------------------------------------------------------


def broken(actor: Actor, **more: str) -> Actor:
    services.glass_break(now=NOW, actor=actor, **{"region": "36.01", "reason": REASON} | more)
    return selectors.actor(actor.officer_id or 0, now=NOW)


def test_broken_glass_opens_reading_for_an_hour_and_nothing_else() -> None:
    clerk = make_officer(("people_clerk", "35.10"))
    opened = broken(clerk)
    read(opened, "36.01", purpose="service")
    assert ReadLog.objects.get().broke_glass
    assert selectors.reads_of("person:12")[0].role == "people_clerk"
    assert policy.regions(opened, "access.read_log") == ("35.10", "36.01")
    with pytest.raises(Refused):
        read(opened, "36.02")
    for action in (a for a in policy.policy().actions.values() if "people_clerk" in a.roles and not a.glass):
        if action.scope == "region":
            with pytest.raises(Refused):
                policy.require(opened, action.name, "36.01")
    after = selectors.actor(opened.officer_id or 0, now=NOW + HOUR)
    with pytest.raises(Refused):
        read(after, "36.01", purpose="service")
    read(opened, "35.10")
    assert not ReadLog.objects.latest("id").broke_glass  # one's own region needs none


def test_broken_glass_for_one_subject_opens_that_subject() -> None:
    opened = broken(make_officer(("people_clerk", "35.10")), subject="person:12")
    read(opened, "36.01")
    with pytest.raises(Refused):
        read(opened, "36.01", subject="person:13")
    assert policy.regions(opened, "access.read_log") == ("35.10",)
    assert policy.regions(opened, "access.read_log", "person:12") == ("35.10", "36.01")


def test_whoever_may_not_read_at_all_breaks_no_glass() -> None:
    with pytest.raises(Refused):
        broken(make_officer(("operator", "")))


@pytest.mark.parametrize(
    "wrong", [{"reason": "x" * 19}, {"reason": "  a  " * 9}, {"region": ""}, {"region": "3"}]
)
def test_glass_is_broken_with_a_reason_for_a_region(wrong: dict[str, str]) -> None:
    with pytest.raises(InputError):
        broken(make_officer(("people_clerk", "35.10")), **wrong)
    assert not BrokenGlass.objects.exists()


def test_every_supervisor_of_the_region_gets_a_notice() -> None:
    bosses = [make_officer(("supervisor", region)) for region in ("", "36", "36.01", "36.02", "35")]
    breaker = make_officer(("supervisor", "36.01"))
    broken(breaker)
    noticed = [selectors.glass_notices(boss.officer_id or 0).count() for boss in (*bosses, breaker)]
    assert noticed == [1, 1, 1, 0, 0, 0]
    notice = selectors.glass_notices(bosses[0].officer_id or 0).get()
    with pytest.raises(InputError):
        services.glass_notice_see(now=NOW, actor=bosses[1], notice=notice.id)
    services.glass_notice_see(now=NOW, actor=bosses[0], notice=notice.id)
    assert not selectors.glass_notices(bosses[0].officer_id or 0).exists()
    event = Event.objects.get(kind="access.glass_broken")
    assert "flooded" not in event.detail


def test_it_is_reviewed_once_by_another_officer() -> None:
    breaker, boss = make_officer(("supervisor", "36")), make_officer(("supervisor", "36"))
    broken(breaker)
    glass = BrokenGlass.objects.get()
    with pytest.raises(InputError, match="Another officer"):
        services.glass_review(now=NOW, actor=breaker, glass=glass.id, justified=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        BrokenGlass.objects.update(reviewed_by_id=breaker.officer_id, reviewed_at=NOW, justified=True)
    services.glass_review(now=NOW, actor=boss, glass=glass.id, justified=False)
    with pytest.raises(InputError):
        services.glass_review(now=NOW, actor=boss, glass=glass.id, justified=True)
    for change in (
        lambda: BrokenGlass.objects.update(justified=True),
        lambda: BrokenGlass.objects.update(reason="x" * 30),
        lambda: BrokenGlass.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()
