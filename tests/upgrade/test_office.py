"""An office that an earlier release left works on after the upgrade: its decisions are read, its guards hold."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from tests.upgrade.conftest import RELEASES, Connected, Place
from tests.upgrade.tables import asked

pytestmark = pytest.mark.parametrize("release", [name for name in RELEASES if name != "0.1.0-regions"])

# What is tried, and the words with which the database refuses it.
REFUSED = {
    "UPDATE journal_event SET actor = 'officer:9'": "never changed or deleted",
    "DELETE FROM journal_seal": "never changed or deleted",
    "DELETE FROM access_readlog": "never changed nor deleted",
    "UPDATE people_correction SET value = '1'": "correction_stays",
    "UPDATE people_correction SET evidence_kind = 'other'": "correction_stays",
    "INSERT INTO people_membership (person_id, family_id, since, region)"
    " SELECT person_id, family_id, since, region FROM people_membership": "membership_periods_overlap",
    "INSERT INTO programmes_duty (cycle_id, officer, duty, since)"
    " SELECT cycle_id, officer, 'decree', since FROM programmes_duty WHERE duty = 'open'": "(?i)unique constraint",
    "UPDATE programmes_decision SET amount = amount + 1": "kept as they are",
    "UPDATE programmes_cycle SET opened_by = 'officer:9'": "what a cycle was opened with stays",
    "UPDATE programmes_decree SET signed_by = ''": "a decree is signed once",
    "UPDATE programmes_rulebookversion SET in_force_from = '2020-01-01'": "a version is approved once",
}


@pytest.fixture
def upgraded(old: Place, connected: Connected, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The office, after the upgrade, behind Django in this process."""
    from django.conf import settings

    old.migrate()
    monkeypatch.setattr(settings, "SALUR_KEYS_FILE", str(old.home / "keys.json"))
    monkeypatch.setattr(settings, "SEALS_FILE", old.home / "journal" / "seals.jsonl")
    with connected(old.url):
        yield old


def told(place: Place) -> dict[str, Any]:
    return dict(json.loads((place.home / "told.json").read_text("ascii")))


def test_guards_hold_and_the_journal_goes_on(upgraded: Place) -> None:
    refusals = (sqlite3.IntegrityError, psycopg.IntegrityError)
    for statement, words in REFUSED.items():
        with asked(upgraded.admin_url) as ask, pytest.raises(refusals, match=words):
            ask(statement)
    verified = upgraded.salur("journal", "verify", "--json")
    answer = json.loads(verified.stdout)
    assert (verified.returncode, answer["seals"], answer["waiting"]) == (0, 1, 1)
    assert upgraded.salur("journal", "seal").returncode == 0
    answer = json.loads(upgraded.salur("journal", "verify", "--json").stdout)
    assert (answer["ok"], answer["seals"], answer["waiting"]) == (True, 2, 0)


def test_a_family_opens_its_old_decision_and_numbers_open_with_the_keys(upgraded: Place) -> None:
    from django.test import Client

    from salur.people import keys, selectors

    known = told(upgraded)
    owner = f"person:{known['person']}"
    assert selectors.find_by_identifier("nik", known["nik"], keys.load(), regions=None) == owner
    with asked(upgraded.admin_url) as ask:
        raw = next(iter(ask("SELECT raw FROM programmes_rulebookversion ORDER BY id")))[0]
    said = {rule["says"]["id"] for rule in tomllib.loads(bytes(raw).decode())["criteria"]}
    for kind, (code, born) in known["opens"].items():
        client, day = Client(), date.fromisoformat(born)
        sent = {"code": code, "born-day": day.day, "born-month": day.month, "born-year": day.year}
        opened = client.post("/mengapa/", sent)
        assert (opened.status_code, opened.headers.get("Location")) == (302, "/keputusan/"), kind
        assert client.get("/keputusan/").status_code == 200
        assert client.get("/keputusan/dilihat/").status_code == 200
        page = client.get("/keputusan/pkh/2026-Q4/")
        assert page.status_code == 200
        assert all(sentence in page.content.decode() for sentence in said), kind
    # Which kind of evidence it was is not known of a correction that is older than the list of kinds.
    assert (
        "Seorang petugas melihat buktinya dan petugas kedua menyetujuinya. Tercatat" in page.content.decode()
    )


def test_pages_answer(upgraded: Place) -> None:
    from allauth.mfa.models import Authenticator
    from django.test import Client
    from tests.officers.site import BACKEND

    from salur.access.models import Officer

    known = told(upgraded)
    with asked(upgraded.admin_url) as ask:
        decision = ask(f"SELECT max(id) FROM programmes_decision WHERE cycle_id = {known['cycle']}")[0][0]
    pages = ["/", "/program/", "/program/pkh/", "/program/pkh/angka.csv", "/mengapa/", "/healthz"]
    for page in pages:
        assert Client().get(page).status_code == 200, page
    office = {
        2: ["", "siklus/", "koreksi/", f"putusan/{decision}/riwayat/"],
        4: ["", f"siklus/{known['cycle']}/", f"siklus/{known['cycle']}/sk/"],
        5: ["", "aturan/", "perkara/", f"perkara/{known['case']}/", "jejak/"],
    }
    for officer, names in office.items():
        who = Officer.objects.get(id=officer)
        Authenticator.objects.get_or_create(user=who, type=Authenticator.Type.TOTP, data={"secret": "x"})
        client = Client()
        client.force_login(who, backend=BACKEND)
        for name in names:
            assert client.get(f"/petugas/{name}").status_code == 200, (officer, name)
