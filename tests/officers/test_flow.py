"""A whole cycle in a real browser: opened, reviewed and corrected, confirmed, signed, each by another officer."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.browser import faults_of_accessibility
from tests.officers.conftest import Site

PICTURES = os.environ.get("OFFICERS_PICTURES", "")  # a folder, to look at every page


def looked_at(page: Any, name: str, wrong: bool = False) -> None:
    """Nothing that axe finds, in both languages; nothing sticks out at 320 pixels."""
    here = page.url
    for language in ("id", "en"):
        if language == "en":
            if wrong:
                continue
            page.goto(here.replace("/petugas/", "/en/petugas/"))
        assert faults_of_accessibility(page) == [], (name, language)
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, language, width)
            if PICTURES:
                page.screenshot(path=str(Path(PICTURES, f"{name}-{language}-{width}.png")), full_page=True)
    if not wrong:
        page.goto(here)


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until this has the focus."""
    for _press in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(selector)


def test_a_cycle_by_four_officers(site: Site, signed_in: Any) -> None:
    page = signed_in("opener")
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-opener")
    page.goto(site.address + "/petugas/siklus/")
    page.get_by_role("button", name="Buka siklus").click()
    looked_at(page, "open")
    page.get_by_role("button", name="Buka dan putuskan").click()
    looked_at(page, "open-wrong", wrong=True)
    assert page.title().startswith("Kesalahan:")
    page.locator("[name=version]").first.check()
    page.locator("[name=population]").first.check()
    page.locator("[name=period]").fill("2026-Q4")
    page.locator("[name=regions]").first.check()
    page.get_by_role("button", name="Buka dan putuskan").click()
    page.wait_for_url("**/petugas/siklus/1/")
    looked_at(page, "opened")
    site.salur("work", "--once")
    page.reload()
    looked_at(page, "decided")

    page = signed_in("reviewer")
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-reviewer")
    page.goto(site.address + "/petugas/siklus/1/antrean/")
    looked_at(page, "queue")
    tab_to(page, "a[href$='/berikut/']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/petugas/putusan/*/")
    decision = page.url.rstrip("/").rpartition("/")[2]
    assert page.locator(".verdict").count() == 0  # the facts come first
    looked_at(page, "evidence")
    tab_to(page, "[name=judgement]")
    page.keyboard.press("Space")
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdict")
    looked_at(page, "outcome")
    tab_to(page, "a[href*='fact=family'][href*='decile']")
    page.keyboard.press("Enter")
    page.wait_for_url("**/perbaiki/**")
    here = page.url
    looked_at(page, "correct")
    page.goto(here)
    tab_to(page, "[name=value]")
    page.keyboard.type("1")
    tab_to(page, "[name='since-day']")
    page.keyboard.type("1")
    tab_to(page, "[name='since-month']")
    page.keyboard.type("9")
    tab_to(page, "[name='since-year']")
    page.keyboard.type("2026")
    tab_to(page, "[name=evidence]")
    page.keyboard.type("Rumah dikunjungi, lantai tanah")
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#finding")
    looked_at(page, "corrected")
    tab_to(page, "[name=finding]:checked")
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.rstrip("/").rpartition("/")[2] != decision)
    page.goto(f"{site.address}/petugas/putusan/{decision}/andai/")
    looked_at(page, "what-if")
    page.locator("select").first.select_option(index=1)
    page.locator("main button").last.click()
    looked_at(page, "what-if-after", wrong=True)
    page.goto(f"{site.address}/petugas/jejak/")
    looked_at(page, "reads")

    page = signed_in("clerk")
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-clerk")
    page.goto(site.address + "/petugas/koreksi/")
    looked_at(page, "corrections")
    page.locator("main tbody a").first.click()
    looked_at(page, "correction")
    page.get_by_role("button", name="Saya sudah melihat buktinya").click()
    page.wait_for_url("**/petugas/koreksi/")
    site.salur("work", "--once")
    page.goto(f"{site.address}/petugas/putusan/{decision}/riwayat/")
    assert page.locator("main h3").count() == 2  # both decisions
    looked_at(page, "unit")

    page = signed_in("signer")
    page.goto(site.address + "/petugas/siklus/1/sk/")
    looked_at(page, "decree-empty")
    page.locator("[name=number]").fill("188/12/2026")
    page.get_by_role("button", name="Siapkan").click()
    page.wait_for_selector("#sign:not([hidden])")
    looked_at(page, "decree")
    virtual = page.context.new_cdp_session(page)
    virtual.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    made = virtual.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    credential = {
        **site.made["passkey"],
        "isResidentCredential": False,
        "rpId": "localhost",
        "signCount": 100,
    }
    virtual.send(
        "WebAuthn.addCredential", {"authenticatorId": made["authenticatorId"], "credential": credential}
    )
    with page.expect_navigation():
        page.get_by_role("button", name="Tanda tangani dengan kunci sandi").click()
    assert page.locator(".govuk-tag--green").count() == 1
    looked_at(page, "signed")

    page = signed_in("opener")
    page.goto(site.address + "/petugas/siklus/1/")
    looked_at(page, "decreed")
    page.get_by_role("button", name="Tutup siklus").click()
    page.goto(site.address + "/petugas/siklus/")
    assert page.locator(".govuk-tag--grey").inner_text() == "Ditutup"
    looked_at(page, "cycles")


def test_people_cases_and_rulebooks(site: Site, signed_in: Any) -> None:
    page = signed_in("clerk")
    page.goto(site.address + "/petugas/warga/belum-terdata/")
    looked_at(page, "unregistered")
    page.locator("[name=region]").fill("35.10")
    page.locator("main button").first.click()
    page.wait_for_url("**/cetak/")
    case = page.url.rstrip("/").split("/")[-2]
    looked_at(page, "case-print")
    page.goto(site.address + "/petugas/warga/")
    looked_at(page, "people")
    page.locator("[name=purpose][value=service]").check()
    page.locator("[name=case]").fill(case)
    page.locator("main button").first.click()
    page.wait_for_url("**/warga/cari/")
    looked_at(page, "people-search")
    page.goto(f"{site.address}/petugas/warga/{site.made['person']}/")
    assert page.locator("h1").inner_text() == "Warga"  # as the people of this test are called
    looked_at(page, "person")
    page.goto(site.address + "/petugas/perkara/")
    looked_at(page, "cases")
    page.locator("main tbody a").first.click()
    looked_at(page, "case")
    page.get_by_role("button", name="Ambil perkara ini").click()
    looked_at(page, "case-taken")
    page = signed_in("editor")
    page.goto(site.address + "/petugas/aturan/")
    looked_at(page, "rulebooks")
