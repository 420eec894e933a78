"""The officers of the demonstration come the way of every officer: invited, with a key that the journal knows."""

from __future__ import annotations

import hashlib
import json

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from tests.access.conftest import NOW

from salur.access import demo, selectors, services
from salur.access.models import Invitation, Officer
from salur.access.policy import SYSTEM, Refused
from salur.access.software_key import SoftwareKey
from salur.core.faults import InputError
from salur.journal.models import Event

pytestmark = pytest.mark.usefixtures("database")


def test_each_account_has_its_key_and_its_events_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUR_DEMO", "1")
    made = demo.prepare(now=NOW)
    events = Event.objects.count()
    assert demo.prepare(now=NOW).keys() == made.keys() == {account.email for account in demo.ACCOUNTS}
    assert Event.objects.count() == events
    assert not Invitation.objects.filter(used_at__isnull=True).exists()
    for account in demo.ACCOUNTS:
        officer = Officer.objects.get(email=account.email)
        key = SoftwareKey(demo.seed(account.email), settings.SALUR_ORIGIN)
        assert [each.credential_id for each in selectors.passkeys(officer.id)] == [key.credential_id]
        kinds = Event.objects.filter(subject_ref=f"officer:{officer.id}").order_by("id")
        assert [event.kind for event in kinds] == [
            "access.officer_invited", "access.invitation_used", "access.factor_added", "access.grant_given",
        ]  # fmt: skip
        detail = json.loads(kinds[2].detail)
        assert detail["credential"] == hashlib.sha256(key.credential_id).hexdigest()
        assert len(detail["key"]) == 64


def test_a_key_of_software_is_refused_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUR_DEMO", "")
    officer = Officer.objects.create_user("sri@example.go.id", "Sri")
    with pytest.raises(InputError, match="only in the demonstration"):
        services.software_passkey_add(now=NOW, actor=SYSTEM, officer=officer.id, seed=b"x")
    operator = selectors.actor(officer.id, now=NOW)
    with pytest.raises(Refused):
        services.software_passkey_add(now=NOW, actor=operator, officer=officer.id, seed=b"x")
    assert not Authenticator.objects.exists()
