"""A citizen reads the decision: without scripts, by keyboard, on a narrow screen, in both languages; and what is
asked of the database for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from tests.browser import FIRST_VISIT_BYTES, FIRST_VISIT_REQUESTS, Traffic, faults_of_accessibility
from tests.citizens.conftest import Served
from tests.citizens.reading import read_by_keyboard
from tests.citizens.town import Town, build
from tests.programmes.conftest import SUPERVISOR, Office, officer
from tests.programmes.test_cycle import prepare, sign

from salur.citizens import claim
from salur.people import services as people
from salur.people.models import Correction
from salur.programmes import selectors, services
from salur.programmes.models import Decision

PREFIX = {"id": "", "en": "/en"}
both = pytest.mark.parametrize("language", ["id", "en"])


def sent(client: Client, code: str, born: Any) -> Any:
    form = {"code": code, "born-day": born.day, "born-month": born.month, "born-year": born.year}
    return client.post("/en/mengapa/", form)


@contextmanager
def asked(tmp_path: Path) -> Iterator[list[str]]:
    """Every round trip to the database, as SQLite runs it or libpq sends it, whoever asks."""
    found: list[str] = []
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        connection.connection.set_trace_callback(found.append)
        yield found
        connection.connection.set_trace_callback(None)
        return
    libpq, file = connection.connection.pgconn, tmp_path / "sent"
    with file.open("w") as traced:
        libpq.trace(traced.fileno())
        yield found
        libpq.untrace()
    found += [line for line in file.read_text().splitlines() if re.search(r"\tF\t\d+\t(Query|Sync)", line)]


def read(town: Town, kind: str) -> str:
    client = Client(SERVER_NAME="localhost")
    assert sent(client, *town.opens(kind)).status_code == 302
    return client.get("/en/keputusan/pkh/2026-Q4/").content.decode()


def test_the_page_is_one_query_and_keeps_nothing(town: Town, tmp_path: Path) -> None:
    client = Client(SERVER_NAME="localhost")
    answer = sent(client, *town.opens("eligible"))
    cookie = answer.cookies[claim.NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", 1800)
    client.get("/en/keputusan/pkh/2026-Q4/")
    with asked(tmp_path) as queries:
        page = client.get("/en/keputusan/pkh/2026-Q4/")
    assert (
        len([query for query in queries if "salur.regions" not in query]) == 1
    )  # that one is the second wall
    assert page["Cache-Control"] == "no-store"
    assert (page["X-Frame-Options"], page["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert not page.cookies
    assert client.get("/en/keputusan/pkh/2026-Q4/", headers={"host": "elsewhere.example"}).status_code == 400
    assert client.get("/en/keputusan/pkh/2026-Q9/").status_code == 404
    assert client.post("/en/keputusan/pkh/2026-Q4/").status_code == 405
    client.post("/en/keputusan/keluar/")
    assert client.get("/en/keputusan/pkh/2026-Q4/").status_code == 302


def test_both_versions_stand_there_with_their_cause(town: Town) -> None:
    page = read(town, "changed")
    assert page.index("Your family is not entitled to") < page.index("Changed because data were corrected.")
    assert "Decided with all families of the list." in page
    assert "Welfare decile: before <strong>" in page
    assert "</strong>, now <strong>9</strong>." in page
    assert "An officer saw the family card; a second one agreed. On record since" in page
    assert "What this changed: from <strong>Entitled</strong> to <strong>Not entitled now</strong>." in page
    assert "visit" not in page  # what the officer wrote as evidence
    assert "text not yet checked" in page


def standing(town: Town, unit: Decision, kind: str = "suspended") -> int:
    return services.standing_set(
        now=town.office.now, actor=SUPERVISOR, programme="pkh", unit_id=unit.unit_id, region=unit.region, kind=kind,
        cause="investigation", since=unit.decided_at.date(),
    )  # fmt: skip


def resumed(town: Town, held: int) -> None:
    services.standing_lift(now=town.office.now, actor=officer(7, "supervisor"), standing_id=held)


def due(unit: Decision) -> int:
    on = unit.decided_at + timedelta(days=1)
    return selectors.money_due(unit.programme, unit.period, unit.unit_id, on)


def told(town: Town, unit: Decision, listed: bool, stopped: bool) -> None:
    """That page and list of decisions say what is due, and why nothing is."""
    client = Client(SERVER_NAME="localhost")
    code, born = town.opens("eligible")
    assert sent(client, code, born).status_code == 302
    page = client.get("/en/keputusan/pkh/2026-Q4/").content.decode()
    entries = client.get("/en/keputusan/").content.decode()
    money = f"{unit.amount:,}"
    pays = listed and not stopped
    assert (due(unit) == unit.amount) == pays
    assert ("You receive" in page, "It is not paid now." in page) == (pays, not pays)
    assert (money in entries) == pays
    assert ("What you receive" in page, "What was worked out" in page) == (pays, not pays)
    assert ("Nothing is paid for this period until a supplement" in page) == (not listed)
    assert listed or "Not on the list of decree" in page
    assert ("There is nothing to do now." in page, "Ask at the village office why" in page) == (
        pays,
        not pays,
    )
    assert ("This is the one that counts." in page) == listed
    assert ("Payment is suspended since" in page) == stopped


def test_who_was_stopped_when_the_decree_was_signed_reads_that_nothing_is_paid(
    office: Office, settings_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALUR_DEMO", "1")
    town = build(office, decreed=False)
    unit = Decision.objects.get(family_id=town.families["eligible"])
    held = standing(town, unit)
    prepare(office, town.cycle)
    sign(office, town.cycle)
    told(town, unit, listed=False, stopped=True)
    resumed(town, held)
    told(town, unit, listed=False, stopped=False)
    assert selectors.unlisted([unit]) == {unit.id}
    supplement = office.decided(supplement=True)
    prepare(office, supplement)
    sign(office, supplement)
    told(town, unit, listed=True, stopped=False)
    again = office.decided(
        supplement=True
    )  # a later list does not name it: what was decreed before it counts
    held = standing(town, unit)
    prepare(office, again)
    sign(office, again)
    resumed(town, held)
    assert due(unit) == unit.amount
    page = read(town, "eligible")
    assert "You receive" in page
    assert page.count("Not on the list of decree") == 2
    assert page.count("This is the one that counts.") == 1


def test_who_is_stopped_after_the_decree_reads_it_until_it_is_resumed(town: Town) -> None:
    unit = Decision.objects.get(family_id=town.families["eligible"])
    told(town, unit, listed=True, stopped=False)
    held = standing(town, unit)
    told(town, unit, listed=True, stopped=True)
    resumed(town, held)
    told(town, unit, listed=True, stopped=False)
    assert selectors.unlisted([unit]) == set()


def test_what_was_corrected_before_a_list_that_does_not_name_it_does_not_count(
    office: Office, settings_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not entitled at first, entitled after a correction, stopped at the signature: the first version was replaced."""
    monkeypatch.setenv("SALUR_DEMO", "1")
    town = build(office, decreed=False)
    first = Decision.objects.get(family_id=town.families["changed"], superseded_by__isnull=True)
    people.correction_withdraw(
        actor=officer(6, "people_clerk"), now=office.now, correction_id=Correction.objects.get().id
    )
    standing(town, first)
    prepare(office, town.cycle)
    sign(office, town.cycle)
    page = read(town, "changed")
    assert "Your family is entitled to" in page
    assert "This is the one that counts." not in page
    assert page.count("A later version took its place.") == 2


def test_a_correction_that_was_taken_back_names_no_evidence(
    office: Office, settings_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALUR_DEMO", "1")
    town = build(office, decreed=False)
    clerk, made = officer(6, "people_clerk"), Correction.objects.get().id
    people.correction_withdraw(actor=clerk, now=office.now, correction_id=made)
    prepare(office, town.cycle)
    sign(office, town.cycle)
    page = read(town, "changed")
    assert page.index("A correction of before was taken back.") < page.index(
        "An officer saw the family card;"
    )


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("eligible", "is entitled to"),
        ("needs_data", "This is not a refusal."),
        ("not_eligible", "not entitled"),
    ],
)
def test_the_outcome_comes_first_in_one_sentence(town: Town, kind: str, words: str) -> None:
    page = read(town, kind)
    heading = page[page.index("<h1") : page.index("</h1>")]
    assert words in heading
    assert page.count("<h1") == 1


def test_unknown_code_and_wrong_date_give_the_same_page(town: Town) -> None:
    code, born = town.opens("eligible")
    other = town.codes[town.families["eligible"]][::-1]
    one, two = (
        sent(Client(SERVER_NAME="localhost"), code, born + timedelta(days=1)),
        sent(Client(SERVER_NAME="localhost"), other, born),
    )
    assert (one.status_code, two.status_code) == (422, 422)
    bodies = [
        page.content.decode().replace(typed, "CODE").split("csrfmiddlewaretoken")[0]
        for page, typed in ((one, code), (two, other))
    ]
    assert bodies[0] == bodies[1]
    for _ in range(3):
        sent(Client(SERVER_NAME="localhost"), other, born)
    late = sent(Client(SERVER_NAME="localhost"), code, born)
    assert (late.status_code, int(late["Retry-After"]) > 3000) == (429, True)


def test_a_cookie_that_was_changed_opens_nothing(town: Town) -> None:
    client = Client(SERVER_NAME="localhost")
    sent(client, *town.opens("eligible"))
    family = str(town.families["eligible"])
    client.cookies[claim.NAME] = client.cookies[claim.NAME].value.replace(
        family, str(town.families["changed"])
    )
    assert client.get("/keputusan/").status_code == 302


def enter(page: Any, served: Served, language: str, kind: str) -> None:
    _, code, born = served.opens[kind]
    read_by_keyboard(page, served.address + PREFIX[language], code, born)


@both
def test_a_citizen_reads_the_decision_by_keyboard_without_scripts_on_a_narrow_screen(
    browser: Any, served: Served, language: str
) -> None:
    context = browser.new_context(viewport={"width": 320, "height": 800}, java_script_enabled=False)
    page = context.new_page()
    enter(page, served, language, "changed")
    words = {"id": "Diubah karena koreksi data.", "en": "Changed because data were corrected."}
    assert page.get_by_text(words[language]).is_visible()
    sticking_out = [
        box for box in (e.bounding_box() for e in page.locator("main *:visible").all())
        if box and box["x"] + box["width"] > 320.5
    ]  # fmt: skip
    assert sticking_out == []
    context.close()


@both
def test_axe_finds_no_fault(browser: Any, served: Served, language: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    page = context.new_page()
    enter(page, served, language, "not_eligible")
    assert faults_of_accessibility(page) == []
    for path in ("/", "/program/", "/program/pkh/", "/mengapa/", "/keputusan/", "/keputusan/dilihat/"):
        page.goto(served.address + PREFIX[language] + path)
        assert faults_of_accessibility(page) == [], path
    context.close()


def test_the_first_visit_is_small(browser: Any, served: Served) -> None:
    context = browser.new_context()
    first = context.new_page()
    enter(first, served, "id", "eligible")
    session = context.new_cdp_session(first)
    session.send("Network.clearBrowserCache")
    page = context.new_page()
    traffic = Traffic(page)
    page.goto(served.address + "/keputusan/pkh/2026-Q4/", wait_until="networkidle")
    assert len(traffic.urls) <= FIRST_VISIT_REQUESTS
    assert 10_000 < traffic.bytes <= FIRST_VISIT_BYTES
    context.close()
