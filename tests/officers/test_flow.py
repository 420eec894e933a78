"""A whole cycle in a real browser, by the keyboard alone, on both databases: one officer opens it, another reviews and
corrects a fact, a second one confirms, a third signs; then the family reads the changed decision and both versions."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from tests.browser import press, tab_to, tick, write, write_day
from tests.citizens.reading import read_by_keyboard
from tests.officers.conftest import Site
from tests.officers.looking import looked_at, with_passkey, without_scripts


def test_from_the_opening_of_a_cycle_to_the_family(
    site: Site, signed_in: Any, browser: Any, tmp_path: Path
) -> None:
    cycle = opened(site, without_scripts(signed_in("opener")))
    case = site.ask("near", cycle)
    reviewed(site, without_scripts(signed_in("reviewer")), cycle, case["decision"])
    confirmed(site, without_scripts(signed_in("clerk")), case["decision"])
    signed(site, signed_in("signer"), cycle)
    site.salur("work", "--once")
    letters = tmp_path / "letters.csv"
    site.salur("programmes", "claim-letters", cycle, str(letters))
    with letters.open() as rows:
        codes = {row["family_id"]: row["code"] for row in csv.DictReader(rows)}
    read(site, browser, codes[str(case["family"])], case["born"])
    closed(site, without_scripts(signed_in("opener")), cycle)


def opened(site: Site, page: Any) -> str:
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-opener")
    press(page, "nav a[href='/petugas/siklus/']")
    press(page, "a[href='/petugas/siklus/buka/']")
    page.wait_for_url("**/buka/")
    looked_at(page, "open")
    press(page, "main button")
    page.wait_for_selector(".govuk-error-summary")
    assert page.title().startswith("Kesalahan:")
    looked_at(page, "open-wrong", wrong=True)
    pkh = page.locator("label", has_text="PKH").get_attribute("for")
    tab_to(page, "[name=version]")
    while page.evaluate("document.activeElement.id") != pkh:
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    write(page, "[name=period]", "2026-Q4")
    tick(page, "[name=population]")
    tick(page, "[name=regions]")
    press(page, "main button")
    cycle: str = page.url.rstrip("/").rpartition("/")[2]
    looked_at(page, "opened")
    site.salur("work", "--once")
    page.reload()
    looked_at(page, "decided")
    return cycle


def reviewed(site: Site, page: Any, cycle: str, decision: int) -> None:
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-reviewer")
    press(page, f"main a[href='/petugas/siklus/{cycle}/antrean/']")
    page.wait_for_url("**/antrean/")
    looked_at(page, "queue")
    press(page, "a[href$='/berikut/']")
    page.wait_for_url("**/petugas/putusan/*/")
    assert page.locator(".verdict").count() == 0  # the facts come first
    looked_at(page, "evidence")
    page.goto(f"{site.address}/petugas/putusan/{decision}/")
    tick(page, "[name=judgement]")
    press(page, "main button")
    page.wait_for_selector(".verdict")
    looked_at(page, "outcome")
    press(page, "a[href*='fact=family'][href*='decile']")
    page.wait_for_url("**/perbaiki/**")
    looked_at(page, "correct")
    write(page, "[name=value]", "1")
    write_day(page, "since", "2026-09-01")
    tab_to(page, "[name=kind]")
    page.keyboard.press("k")  # Kunjungan ke rumah
    page.keyboard.press("u")
    write(page, "[name=evidence]", "Rumah dikunjungi, lantai tanah")
    press(page, "main button")
    page.wait_for_selector("#finding")
    looked_at(page, "corrected")
    press(page, "#finding button")
    page.wait_for_url(lambda url: not url.endswith(f"/{decision}/"))
    page.goto(f"{site.address}/petugas/putusan/{decision}/andai/")
    looked_at(page, "what-if")
    tab_to(page, "main select")
    page.keyboard.press("ArrowDown")
    press(page, "main button")
    page.wait_for_selector("main [role=status]")
    looked_at(page, "what-if-after", wrong=True)
    page.goto(f"{site.address}/petugas/jejak/")
    looked_at(page, "reads")


def confirmed(site: Site, page: Any, decision: int) -> None:
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-clerk")
    press(page, "main a[href='/petugas/koreksi/']")
    page.wait_for_url("**/koreksi/")
    looked_at(page, "corrections")
    press(page, "main tbody a")
    page.wait_for_url("**/koreksi/*/")
    looked_at(page, "correction")
    press(page, "main button:not([name=withdraw])")
    page.wait_for_url("**/petugas/koreksi/")
    site.salur("work", "--once")
    page.goto(f"{site.address}/petugas/putusan/{decision}/riwayat/")
    assert page.locator("main h3").count() == 2  # both decisions
    assert "correction" not in page.locator("main").inner_text()
    looked_at(page, "unit")


def signed(site: Site, page: Any, cycle: str) -> None:
    with_passkey(page, site.made["passkeys"]["signer"])
    page.goto(f"{site.address}/petugas/siklus/{cycle}/sk/")
    looked_at(page, "decree-empty")
    write(page, "[name=number]", "188/12/2026")
    press(page, "main button")
    page.wait_for_selector("#sign:not([hidden])")
    looked_at(page, "decree")
    page.wait_for_selector("#sign:not([hidden])")
    press(page, "#sign button")
    assert page.locator(".govuk-tag--green").count() == 1
    looked_at(page, "signed")


def read(site: Site, browser: Any, code: str, born: str) -> None:
    """Without scripts, on a narrow screen, in both languages."""
    said = {
        "": ["berhak menerima", "koreksi data", "Petugas berkunjung ke rumah",
             "semula 5, sekarang 1.",
             "dari Belum berhak menjadi Berhak.", "Belum berhak.", "Waktu itu belum terpenuhi"],
        "/en": ["is entitled to", "data were corrected", "An officer visited the home",
                "before 5, now 1.",
                "from Not entitled now to Entitled.", "Not entitled now.", "At that time not met"],
    }  # fmt: skip
    for prefix, words in said.items():
        context = browser.new_context(viewport={"width": 320, "height": 800}, bypass_csp=True)
        page = without_scripts(context.new_page())
        read_by_keyboard(page, site.address + prefix, code, born)
        assert words[0] in page.locator("h1").inner_text()
        press(page, "a[href='#versions']")
        versions = page.locator("ol.history > li")
        assert versions.count() == 2
        for text in words[1:5]:
            assert text in versions.first.inner_text()
        for text in words[5:]:
            assert text in versions.last.inner_text()
        assert "lantai tanah" not in page.content()  # what the officer wrote stays in the office
        looked_at(page, f"citizen-changed{prefix.replace('/', '-')}", wrong=True)
        context.close()


def closed(site: Site, page: Any, cycle: str) -> None:
    page.goto(f"{site.address}/petugas/siklus/{cycle}/")
    looked_at(page, "decreed")
    press(page, "form[action$='/tutup/'] button")
    page.wait_for_selector("form[action$='/tutup/']", state="detached")
    page.goto(site.address + "/petugas/siklus/")
    assert page.locator(".govuk-tag--grey").inner_text() == "Ditutup"
    looked_at(page, "cycles")
