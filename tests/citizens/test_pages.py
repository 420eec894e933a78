"""A citizen reads the decision: without scripts, by keyboard, on a narrow screen, in both languages; and what is
asked of the database for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests.browser import FIRST_VISIT_BYTES, FIRST_VISIT_REQUESTS, Traffic, faults_of_accessibility
from tests.citizens.conftest import Served
from tests.citizens.reading import read_by_keyboard
from tests.citizens.town import Town

from salur.citizens import claim

PREFIX = {"id": "", "en": "/en"}
both = pytest.mark.parametrize("language", ["id", "en"])


def sent(client: Client, code: str, born: Any) -> Any:
    form = {"code": code, "born-day": born.day, "born-month": born.month, "born-year": born.year}
    return client.post("/en/mengapa/", form)


@contextmanager
def asked() -> Iterator[list[str]]:
    """Every statement that reaches the database, also those that pass by Django's cursor."""
    if connection.vendor == "sqlite":
        found: list[str] = []
        connection.connection.set_trace_callback(found.append)
        yield found
        connection.connection.set_trace_callback(None)
    else:
        with CaptureQueriesContext(connection) as queries:
            found = []
            yield found
        found += [query["sql"] for query in queries]


def read(town: Town, kind: str) -> str:
    client = Client(SERVER_NAME="localhost")
    assert sent(client, *town.opens(kind)).status_code == 302
    return client.get("/en/keputusan/pkh/2026-Q4/").content.decode()


def test_the_page_is_one_query_and_keeps_nothing(town: Town) -> None:
    client = Client(SERVER_NAME="localhost")
    answer = sent(client, *town.opens("eligible"))
    cookie = answer.cookies[claim.NAME]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Strict", 1800)
    client.get("/en/keputusan/pkh/2026-Q4/")
    with asked() as queries:
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
    assert "One officer saw the evidence and a second one agreed." in page
    assert "What this changed: from <strong>Entitled</strong> to <strong>Not entitled now</strong>." in page
    assert "visit" not in page  # what the officer wrote as evidence
    assert "text not yet checked" in page


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
