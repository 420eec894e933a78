"""The office of a test: one regency, five officers with a session each, and everything that a cycle needs.

python -m tests.officers.site FOLDER        prepares SALUR_HOME and prints the sessions as JSON
"""

from __future__ import annotations

import base64
import json
import os
import sys
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
    "elsewhere": ("Hadi Wijaya", "reviewer", "35.11"),
}


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

    from salur.access.models import Officer
    from salur.access.policy import SYSTEM
    from salur.core import rules
    from salur.core.population.commands import read_regencies
    from salur.core.population.generate import Generator, generate
    from salur.programmes import services

    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    population = folder / "population"
    generate(Generator(read_regencies(REGENCY), 400, 7, catalogue, REFERENCE_DATE.date(), 10.0), population)
    office = Office(rules.open_population(population, catalogue), folder)
    ids = staff()
    version = office.version("pkh")
    from datetime import date

    services.ceiling_set(
        now=office.now, actor=SUPERVISOR, programme="pkh", period="2026-Q4", amount=10**12, since=date(2026, 1, 1),
        basis="DIPA 2026",
    )  # fmt: skip
    services.population_add(now=office.now, actor=SYSTEM, population=office.population)
    enrol(office)
    sessions = {}
    for key, id_ in ids.items():
        client = Client()
        client.force_login(Officer.objects.get(id=id_), backend=BACKEND)
        sessions[key] = client.cookies["salur"].value
    key = passkey(ids["signer"], os.environ["SALUR_ORIGIN"], b"a passkey of the test")
    return {"sessions": sessions, "passkey": key, "version": version, "ids": ids, "person": a_person()}


if __name__ == "__main__":
    salur.web.setup()
    sys.stdout.write(json.dumps(prepare(Path(sys.argv[1]))))
