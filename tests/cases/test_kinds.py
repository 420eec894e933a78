"""Every kind of case has an owner, a clock and a source that says what it is worth."""

from __future__ import annotations

from salur.access.policy import policy
from salur.cases.kinds import kinds


def test_every_kind_has_an_owner_a_clock_and_a_role_above() -> None:
    roles = set(policy().roles)
    acting = policy().actions["cases.case_take"].roles
    assert len(kinds()) == 9
    for kind in kinds().values():
        assert {kind.owner, kind.escalates_to} <= roles & acting
        assert kind.opened_by <= roles | {"anyone"}
        assert kind.owner != kind.escalates_to
        assert set(kind.title) == {"id", "en"}


def test_only_what_was_read_is_said_to_be_verified() -> None:
    unverified = {kind.basis.id for kind in kinds().values() if kind.basis.checked_on is None}
    assert unverified == {"uu-30-2014-77", "per-9-pb-2018"}
