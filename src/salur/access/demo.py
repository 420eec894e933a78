"""Officers of the demonstration: invented people with a passkey made of software. Refused unless SALUR_DEMO=1."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from salur.access import selectors, services
from salur.access.policy import SYSTEM, Actor

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
        officer = selectors.officer_by_email(account.email)
        if officer is None:
            token = hashlib.sha256(seed(account.email)).digest()  # used up at once
            id_ = services.officer_invite(
                now=now, actor=SYSTEM, email=account.email, name=account.name, token=token
            )
            services.invitation_use(now=now, token=token, password=None)
            services.software_passkey_add(now=now, actor=SYSTEM, officer=id_, seed=seed(account.email))
            services.grant_give(now=now, actor=SYSTEM, officer=id_, role=account.role, region=account.region)
        else:
            id_ = officer.id
        made[account.email] = selectors.actor(id_, now=now, passkey_at=now)
    return made
