"""Grants: by somebody else, within one's region, never two incompatible roles, ended and never deleted."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import combinations

import pytest
from django.db import IntegrityError, connections, transaction
from tests.access.conftest import NOW, make_officer

from salur.access import selectors, services
from salur.access.models import Grant, Invitation
from salur.access.policy import SYSTEM, Actor, Refused, policy
from salur.core.faults import InputError

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("database")


def number(actor: Actor) -> int:
    assert actor.officer_id is not None
    return actor.officer_id


def test_a_supervisor_grants_in_their_region_only() -> None:
    boss, clerk = make_officer(("supervisor", "35")), make_officer()
    services.grant_give(now=NOW, actor=boss, officer=number(clerk), role="reviewer", region="35.10")
    assert selectors.actor(number(clerk), now=NOW).within("35.10.01", ["reviewer"])
    for region in ("36", "36.01", ""):
        with pytest.raises(Refused):
            services.grant_give(
                now=NOW, actor=boss, officer=number(clerk), role="people_clerk", region=region
            )
    with pytest.raises(Refused):
        services.grant_give(now=NOW, actor=clerk, officer=number(boss), role="reviewer", region="35.10")


def test_nobody_grants_to_themselves_nor_to_whom_they_invited() -> None:
    boss = make_officer(("supervisor", ""))
    with pytest.raises(InputError, match="themselves"):
        services.grant_give(now=NOW, actor=boss, officer=number(boss), role="reviewer")
    friend = make_officer()
    Invitation.objects.create(
        officer_id=number(friend), token_digest="0" * 64, made_by_id=number(boss), made_at=NOW,
        expires_at=NOW + HOUR,
    )  # fmt: skip
    with pytest.raises(InputError, match="Whoever invited"):
        services.grant_give(now=NOW, actor=boss, officer=number(friend), role="reviewer")
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(
            officer_id=number(friend), role="reviewer", granted_by_id=number(boss), since=NOW
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.create(officer_id=number(boss), role="reviewer", granted_by_id=number(boss), since=NOW)


@pytest.mark.parametrize(
    "wrong", [{"role": "king"}, {"region": "3510"}, {"region": "35.10.01"}, {"officer": 999}, {"until": NOW}]
)
def test_what_cannot_be_granted_is_refused_in_a_sentence(wrong: dict[str, object]) -> None:
    given = {"officer": number(make_officer()), "role": "reviewer", "region": "35.10"} | wrong
    with pytest.raises(InputError):
        services.grant_give(now=NOW, actor=SYSTEM, **given)  # type: ignore[arg-type]
    assert not Grant.objects.exists()


def test_the_database_refuses_every_incompatible_pair_and_no_other() -> None:
    for first, second in combinations(policy().roles, 2):
        officer = number(make_officer((first, "35.10")))
        bad = any({first, second} <= group for group in policy().incompatible)
        for region in ("35.10", "36.01"):  # in whichever regions
            try:
                with transaction.atomic():
                    Grant.objects.create(officer_id=officer, role=second, region=region, since=NOW + HOUR)
                refused = False
            except IntegrityError:
                refused = True
            assert refused == bad, (first, second)
        if bad:
            with pytest.raises(InputError, match="cannot be held beside"):
                services.grant_give(now=NOW, actor=SYSTEM, officer=officer, role=second, region="36.01")


def test_a_role_may_follow_an_incompatible_one_but_not_overlap_with_it() -> None:
    officer = number(make_officer(("reviewer", "35.10")))
    grant = Grant.objects.get(officer_id=officer)
    services.grant_end(now=NOW + HOUR, actor=SYSTEM, grant=grant.id)
    with pytest.raises(InputError):
        services.grant_give(
            now=NOW + HOUR / 2, actor=SYSTEM, officer=officer, role="decree_signer", until=NOW + 2 * HOUR
        )
    services.grant_give(now=NOW + HOUR, actor=SYSTEM, officer=officer, role="decree_signer")
    with pytest.raises(IntegrityError), transaction.atomic():  # nor may the past be stretched over it
        Grant.objects.filter(id=grant.id).update(until=NOW + 2 * HOUR)


def test_two_supervisors_at_once_cannot_make_an_officer_hold_both() -> None:
    """The second waits for the first and then sees what it did; past the service on purpose."""
    officer = number(make_officer())
    outcome: list[str] = []

    def second() -> None:
        try:
            with transaction.atomic():
                Grant.objects.create(officer_id=officer, role="decree_signer", since=NOW)
            outcome.append("both")
        except IntegrityError:
            outcome.append("refused")
        finally:
            connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        Grant.objects.create(officer_id=officer, role="reviewer", since=NOW)
        thread.start()
        thread.join(0.5)  # time to go wrong
    thread.join()
    assert outcome == ["refused"]


def test_a_grant_counts_from_its_beginning_to_before_its_end() -> None:
    officer = number(make_officer())
    services.grant_give(
        now=NOW, actor=SYSTEM, officer=officer, role="reviewer", region="35.10", until=NOW + HOUR
    )
    held = {at: selectors.actor(officer, now=NOW + at).has(["reviewer"]) for at in (-HOUR, 0 * HOUR, HOUR)}
    assert held == {-HOUR: False, 0 * HOUR: True, HOUR: False}


def test_a_deactivated_officer_is_a_visitor() -> None:
    boss, clerk = make_officer(("supervisor", "")), make_officer(("reviewer", "35.10"))
    with pytest.raises(InputError, match="Somebody else"):
        services.officer_deactivate(now=NOW + HOUR, actor=boss, officer=number(boss))
    services.officer_deactivate(now=NOW + HOUR, actor=boss, officer=number(clerk))
    after = selectors.actor(number(clerk), now=NOW + HOUR)
    assert after.officer_id is None
    assert Grant.objects.get(officer_id=number(clerk)).until == NOW + HOUR
    with pytest.raises(InputError):
        services.grant_give(now=NOW + HOUR, actor=boss, officer=number(clerk), role="reviewer")
