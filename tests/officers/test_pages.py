"""What officers do beside the way of a cycle, by the keyboard alone and on both databases: people and cases, stopping
and resuming one unit, an objection on paper, cancelling, rulebooks, a person programme, a supplement."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.browser import press, tab_to, tick, write, write_day
from tests.officers.conftest import Site
from tests.officers.looking import looked_at, with_passkey, without_scripts
from tests.officers.site import NIK


def open_cycle(site: Site, page: Any, programme: str, period: str, *, supplement: bool = False) -> int:
    """Open a cycle of a programme and have it decided; its number."""
    page.goto(site.address + "/petugas/siklus/buka/")
    wanted = page.locator("label", has_text=programme).get_attribute("for")
    tab_to(page, "[name=version]")
    while page.evaluate("document.activeElement.id") != wanted:
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    write(page, "[name=period]", period)
    tick(page, "[name=population]")
    tick(page, "[name=regions]")
    if supplement:
        tick(page, "[name=supplement]")
    press(page, "main button")
    assert page.locator(".govuk-error-summary").count() == 0, page.locator("main").inner_text()
    site.salur("work", "--once")
    return int(page.url.rstrip("/").rpartition("/")[2])


def opened_case(site: Site, page: Any) -> str:
    """A case of somebody in no register; its number."""
    page.goto(site.address + "/petugas/warga/belum-terdata/")
    write(page, "[name=region]", "35.10")
    press(page, "main button")
    number: str = page.url.split("/perkara/")[1].split("/")[0]
    return number


def test_people_are_found_by_nik_after_purpose_and_case(site: Site, signed_in: Any) -> None:
    page = without_scripts(signed_in("clerk"))
    page.goto(site.address + "/petugas/warga/cari/")
    assert page.url.endswith("/petugas/warga/")  # purpose and case first
    looked_at(page, "people")
    press(page, "main button")
    assert page.locator(".govuk-error-summary li").count() == 2
    looked_at(page, "people-wrong", wrong=True)
    case = opened_case(site, page)
    page.goto(site.address + "/petugas/warga/")
    tick(page, "[name=purpose]")
    write(page, "[name=case]", f"perkara {case}")
    press(page, "main button")
    page.wait_for_url("**/warga/cari/")
    assert f"Perkara {case}" in page.locator("main").inner_text()
    looked_at(page, "people-search")
    write(page, "[name=nik]", NIK[:-1] + "2")
    press(page, "main button")
    assert page.locator("main ul a").count() == 0
    write(page, "[name=nik]", NIK)
    press(page, "main button")
    assert NIK not in page.content()
    looked_at(page, "people-found", wrong=True)
    press(page, "main ul a")
    assert page.url.endswith(f"/petugas/warga/{site.made['person']}/")
    assert NIK not in page.content()
    looked_at(page, "person")
    page.goto(f"{site.address}/petugas/jejak/")
    assert f"Perkara {case}" in page.locator("main table").inner_text()


def test_somebody_in_no_register_goes_home_with_a_reason_and_a_deadline(site: Site, signed_in: Any) -> None:
    page = without_scripts(signed_in("clerk"))
    page.goto(site.address + "/petugas/warga/")
    press(page, "a[href$='/belum-terdata/']")
    looked_at(page, "unregistered")
    write(page, "[name=region]", "35.11")
    press(page, "main button")
    assert page.locator(".govuk-error-message").count() == 1  # not this officer's regency
    write(page, "[name=region]", "35.10")
    write(page, "[name=people]", "4")
    press(page, "main button")
    page.wait_for_url("**/cetak/")
    sheet = page.locator("main").inner_text()
    assert "bukan penolakan" in sheet
    assert "2026" in page.locator(".until").inner_text()
    looked_at(page, "case-print")
    page.goto(site.address + "/petugas/perkara/")
    looked_at(page, "cases")
    press(page, "main tbody a")
    looked_at(page, "case")
    press(page, "button[value=take]")
    assert page.locator("button[value=close]").count() == 1
    looked_at(page, "case-taken")
    write(page, "[name=text]", "Kantor desa ditanya")
    press(page, "button[value=note]")
    assert "Kantor desa ditanya" in page.locator("main").inner_text()
    press(page, "button[value=release]")
    assert page.locator("button[value=take]").count() == 1


def test_a_rulebook_is_approved_by_a_second_person_with_a_passkey(site: Site, signed_in: Any) -> None:
    page = without_scripts(signed_in("editor"))  # who added it
    page.goto(site.address + "/petugas/aturan/")
    looked_at(page, "rulebooks")
    assert page.locator("main button").count() == 0
    page = signed_in("editor2")
    with_passkey(page, site.made["passkeys"]["editor2"])
    page.goto(site.address + "/petugas/")
    press(page, "main a[href='/petugas/aturan/']")
    press(page, "main button")
    assert "/petugas/aturan/" not in page.url.partition("?")[0]  # the passkey is asked for
    looked_at(page, "passkey-asked", wrong=True)
    press(page, "main button")
    page.wait_for_url("**/petugas/aturan/")
    looked_at(page, "rulebooks-second")
    press(page, "main button")
    assert page.locator("main button").count() == 0
    assert "Indra Wibowo" in page.locator("main").inner_text()


def test_one_unit_is_stopped_and_suspended_and_resumed_by_another(site: Site, signed_in: Any) -> None:
    cycle = open_cycle(site, without_scripts(signed_in("opener")), "PKH", "2027-Q1")
    decision = site.ask("first", "pkh")["decision"]
    clerk, other = without_scripts(signed_in("clerk")), without_scripts(signed_in("clerk2"))
    for kind, tag in (("stopped", "Dihentikan"), ("suspended", "Ditunda")):
        clerk.goto(f"{site.address}/petugas/putusan/{decision}/riwayat/")
        tick(clerk, "summary")
        press(clerk, "details button")
        assert clerk.locator(".govuk-error-summary li").count() == 2
        looked_at(clerk, "unit-wrong", wrong=True)
        tab_to(clerk, "[name=kind]")
        if kind == "suspended":
            clerk.keyboard.press("ArrowDown")
        clerk.keyboard.press("Space")
        tab_to(clerk, "[name=cause]")
        clerk.keyboard.press("ArrowDown")
        write_day(clerk, "since", "2026-11-01")
        press(clerk, "details button")
        assert clerk.locator(".govuk-tag--red", has_text=tag).count() == 1
        assert clerk.locator("form[action*='/lanjutkan/']").count() == 0  # not by the same officer
        looked_at(clerk, f"unit-{kind}")
        other.goto(clerk.url)
        press(other, "form[action*='/lanjutkan/'] button")
        assert other.locator(".govuk-tag--red").count() == 0
        assert "Joko Susilo" in other.locator("main").inner_text()
    cancelled(site, signed_in, cycle)


def cancelled(site: Site, signed_in: Any, cycle: int) -> None:
    page = without_scripts(signed_in("opener"))
    page.goto(f"{site.address}/petugas/siklus/{cycle}/")
    tick(page, "summary")
    write(page, "[name=reason]", "salah")
    press(page, "details button")
    assert page.locator(".govuk-error-summary").count() == 1  # a reason is longer
    assert page.locator("[name=reason]").input_value() == "salah"
    looked_at(page, "cancel-wrong", wrong=True)
    write(page, "[name=reason]", "Populasi yang salah dipilih")
    press(page, "details button")
    assert page.locator("main .govuk-tag--red").inner_text() == "Dibatalkan"
    looked_at(page, "cancelled")


def test_an_objection_on_paper_is_a_case_with_a_sheet(site: Site, signed_in: Any) -> None:
    open_cycle(site, without_scripts(signed_in("opener")), "PKH", "2027-Q2")
    decision = site.ask("first", "pkh")["decision"]
    page = without_scripts(signed_in("clerk"))
    page.goto(f"{site.address}/petugas/putusan/{decision}/riwayat/")
    press(page, "form[action$='/sanggah/'] button")
    page.wait_for_url("**/cetak/")
    assert "Sanggahan Anda sudah dicatat" in page.locator("main").inner_text()
    looked_at(page, "objection")
    press(page, ".govuk-back-link")
    assert f"Keputusan {decision}" in page.locator("main").inner_text()
    looked_at(page, "objection-case")


def test_a_person_programme_is_decreed_downloaded_and_supplemented(site: Site, signed_in: Any) -> None:
    opener = without_scripts(signed_in("opener"))
    cycle = open_cycle(site, opener, "Digital", "2026")
    opener.reload()
    looked_at(opener, "person-programme")
    signer = signed_in("signer")
    with_passkey(signer, site.made["passkeys"]["signer"])
    page = signer
    page.goto(f"{site.address}/petugas/siklus/{cycle}/sk/")
    write(page, "[name=number]", "77/2026")
    press(page, "main button")
    page.wait_for_selector("#sign:not([hidden])")
    files = {}
    for kind in ("pdf", "daftar"):
        tab_to(page, f"a[href$='/sk/{kind}/']")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        files[kind] = download.value.path().read_bytes()
    assert files["pdf"].startswith(b"%PDF-")
    assert b"pdfaid" in files["pdf"]  # PDF/A says so in its metadata
    units = int(page.locator(".figure-value").first.inner_text().replace(".", ""))
    assert files["daftar"].count(b"\n") == units > 0
    press(page, "#sign button")
    assert page.locator(".govuk-tag--green").count() == 1
    again = page.context.request.get(f"{site.address}/petugas/siklus/{cycle}/sk/daftar/")
    assert hashlib.sha256(again.body()).digest() == hashlib.sha256(files["daftar"]).digest()
    site.salur("work", "--once")
    supplement = open_cycle(site, opener, "Digital", "2026", supplement=True)
    assert supplement > cycle
    opener.reload()
    assert "tambahan 1" in opener.locator("h1").inner_text().lower()
    looked_at(opener, "supplement")
    clerk = without_scripts(signed_in("clerk"))
    decision = site.ask("first", "digital-talent")["decision"]
    clerk.goto(f"{site.address}/petugas/putusan/{decision}/riwayat/")
    assert clerk.locator("main h3").count() == 2  # that of the cycle, and that of its supplement
    looked_at(clerk, "unit-person")
