"""The office of a test: one regency, officers with a session each, and everything that a cycle needs.

python -m tests.officers.site prepare FOLDER      prepares SALUR_HOME and prints the sessions as JSON
python -m tests.officers.site near CYCLE          a decision that a lower decile turns, and how its family opens it
python -m tests.officers.site first PROGRAMME     the first decision of the latest cycle of a programme
"""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import date
from pathlib import Path

import salur.web

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
OFFICERS = {
    "opener": ("Ani Lestari", "cycle_opener", "35.10"),
    "reviewer": ("Budi Santoso", "reviewer", "35.10"),
    "clerk": ("Citra Dewi", "people_clerk", "35.10"),
    "signer": ("Dedi Pranata", "decree_signer", "35.10"),
    "supervisor": ("Eka Putri", "supervisor", ""),
    "auditor": ("Fajar Hidayat", "auditor", ""),
    "editor": ("Gita Sari", "rule_editor", ""),
    "editor2": ("Indra Wibowo", "rule_editor", ""),
    "clerk2": ("Joko Susilo", "people_clerk", "35.10"),
    "elsewhere": ("Hadi Wijaya", "reviewer", "35.11"),
}


NIK = "3510014105800001"


def staff() -> dict[str, int]:
    """The officers, each with one role and a second factor; their ids."""
    from allauth.mfa.models import Authenticator
    from django.utils import timezone

    from salur.access import services
    from salur.access.models import Officer
    from salur.access.policy import SYSTEM

    ids = {}
    for key, (name, role, region) in OFFICERS.items():
        officer = Officer.objects.create_user(f"{key}@example.go.id", name)
        services.grant_give(now=timezone.now(), actor=SYSTEM, officer=officer.id, role=role, region=region)
        Authenticator.objects.create(user=officer, type=Authenticator.Type.TOTP, data={"secret": "x"})
        ids[key] = officer.id
    return ids


def passkey(officer: int, origin: str, seed: bytes) -> dict[str, str]:
    """Register a passkey for an officer; its private half, for Chromium's virtual authenticator."""
    from allauth.mfa.models import Authenticator
    from cryptography.hazmat.primitives import serialization
    from tests.access.test_signing import creation

    from salur.access.software_key import SoftwareKey

    key = SoftwareKey(seed, origin)
    Authenticator.objects.create(
        user_id=officer, type=Authenticator.Type.WEBAUTHN,
        data={"name": "key", "credential": key.register(creation())},
    )  # fmt: skip
    private = key._key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "credentialId": base64.b64encode(key.credential_id).decode(),
        "privateKey": base64.b64encode(private).decode(),
    }


def a_person() -> int:
    from salur.people.models import Person

    return Person.objects.earliest("id").id


def prepare(folder: Path) -> dict[str, object]:
    from django.test import Client
    from tests.programmes.conftest import BOOKS, REFERENCE_DATE, REGENCY, SUPERVISOR, Office
    from tests.programmes.test_cycle import enrol

    from salur.access import policy
    from salur.access.models import Officer
    from salur.access.policy import SYSTEM
    from salur.core import rules
    from salur.core.population.commands import read_regencies
    from salur.core.population.generate import Generator, generate
    from salur.people import keys
    from salur.people import services as people
    from salur.programmes import services

    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    population = folder / "population"
    generate(Generator(read_regencies(REGENCY), 400, 7, catalogue, REFERENCE_DATE.date(), 10.0), population)
    office = Office(rules.open_population(population, catalogue), folder)
    ids = staff()
    version = office.version("pkh")
    office.version("digital-talent")
    services.rulebook_add(
        now=office.now, actor=policy.Actor(f"officer:{ids['editor']}", (policy.Granted("rule_editor", ""),)),
        raw=(BOOKS / "pip.toml").read_bytes(), facts_raw=(BOOKS / "facts.toml").read_bytes(),
        in_force_from=date(2026, 1, 1),
    )  # fmt: skip
    for programme, period in (
        ("pkh", "2026-Q4"),
        ("pkh", "2027-Q1"),
        ("pkh", "2027-Q2"),
        ("digital-talent", "2026"),
    ):
        services.ceiling_set(
            now=office.now, actor=SUPERVISOR, programme=programme, period=period, amount=10**12,
            since=date(2026, 1, 1), basis="DIPA 2026",
        )  # fmt: skip
    services.population_add(now=office.now, actor=SYSTEM, population=office.population)
    enrol(office)
    people.identifier_set(
        actor=SYSTEM, now=office.now, keys=keys.load(), owner=f"person:{a_person()}", kind="nik", number=NIK
    )
    sessions = {}
    for key, id_ in ids.items():
        client = Client()
        client.force_login(Officer.objects.get(id=id_), backend=BACKEND)
        sessions[key] = client.cookies["salur"].value
    keys_of = {
        who: passkey(ids[who], os.environ["SALUR_ORIGIN"], f"the passkey of {who}".encode())
        for who in ("signer", "editor2")
    }
    return {"sessions": sessions, "passkeys": keys_of, "version": version, "ids": ids, "person": a_person()}


def near(cycle: int) -> dict[str, object]:
    """A family that is near the cut and not entitled, but would be with decile 1, and an adult's birth date."""
    from salur.people.overlay import Corrected
    from salur.people.selectors import birth_dates_of
    from salur.programmes import selectors
    from salur.programmes.models import Decision

    for row in Decision.objects.filter(cycle=cycle, outcome="not_eligible", queue=2).order_by("id"):
        today = row.cycle.reference_date
        lower = Corrected("family", row.family_id, "decile", 1, today, 0, "dtsen", today)
        adults = birth_dates_of([row.family_id], today, born_by=date(2000, 1, 1), regions=None)
        born = adults.get(row.family_id)
        if born and selectors.explanation(row, [lower]).decision.outcome == "eligible":
            return {"decision": row.id, "family": row.family_id, "born": min(born).isoformat()}
    raise LookupError


def first(programme: str) -> dict[str, object]:
    from salur.programmes.models import Decision

    row = Decision.objects.filter(programme=programme).order_by("-cycle_id", "id")[0]
    return {"decision": row.id, "cycle": row.cycle_id, "outcome": row.outcome}


if __name__ == "__main__":
    salur.web.setup()
    what, given = sys.argv[1:]
    answer = {
        "prepare": lambda: prepare(Path(given)), "near": lambda: near(int(given)), "first": lambda: first(given),
    }[what]()  # fmt: skip
    sys.stdout.write(json.dumps(answer))
