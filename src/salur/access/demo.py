"""Officers of the demonstration: invented people with a passkey made of software. Refused unless SALUR_DEMO=1."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from fido2.utils import websafe_encode

from salur.access import selectors, services
from salur.access.models import Officer
from salur.access.policy import SYSTEM, Actor
from salur.access.signing import rp_id_of
from salur.access.software_key import SoftwareKey

REGENCY = "35.10"


@dataclass(frozen=True)
class Account:
    """Who they are: e-mail address, name, the role and where it holds (empty: the nation)."""

    email: str
    name: str
    role: str
    region: str = REGENCY


ACCOUNTS = (
    Account("wayan@demo.invalid", "Wayan Sudiarta", "cycle_opener"),
    Account("sri@demo.invalid", "Sri", "reviewer"),
    Account("bambang@demo.invalid", "Bambang Hartono", "reviewer"),
    Account("siti@demo.invalid", "Siti Aminah", "decree_signer"),
    Account("maria@demo.invalid", "Maria Simbolon", "people_clerk"),
    Account("yusuf@demo.invalid", "Yusuf", "supervisor", ""),
    Account("ratna@demo.invalid", "Ratna Dewi", "rule_editor", ""),
    Account("made@demo.invalid", "Made Astawa", "rule_editor", ""),
    Account("andi@demo.invalid", "Andi Rahman", "auditor", ""),
)


def seed(email: str) -> bytes:
    """From which the software key of an account is made."""
    return b"salur demo officer " + email.encode()


@transaction.atomic
def prepare(*, now: datetime) -> dict[str, Actor]:
    """Make the accounts that are not there yet; e-mail address → actor with a passkey just used."""
    made = {}
    for account in ACCOUNTS:
        officer = Officer.objects.filter(email=account.email).first()
        if officer is None:
            officer = Officer.objects.create_user(account.email, account.name)
            key = SoftwareKey(seed(account.email), settings.SALUR_ORIGIN)
            creation = {
                "publicKey": {
                    "challenge": websafe_encode(bytes(32)),
                    "rp": {"id": rp_id_of(settings.SALUR_ORIGIN), "name": "Salur"},
                    "user": {"id": websafe_encode(str(officer.id).encode())},
                }
            }
            Authenticator.objects.create(
                user_id=officer.id, type=Authenticator.Type.WEBAUTHN,
                data={"name": "demo", "credential": key.register(creation)},
            )  # fmt: skip
            services.grant_give(
                now=now, actor=SYSTEM, officer=officer.id, role=account.role, region=account.region
            )
        made[account.email] = selectors.actor(officer.id, now=now, passkey_at=now)
    return made
