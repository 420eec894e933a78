"""The pages of drafts: written, checked, compared, simulated and put in force. By requests on both databases, and once
through by the keyboard alone in a browser without scripts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from tests.browser import press, tab_to, write_day
from tests.officers.conftest import Site
from tests.officers.looking import looked_at, with_passkey, without_scripts
from tests.officers.site import BACKEND, staff
from tests.programmes.conftest import NOW, Office, population  # noqa: F401
from tests.programmes.test_drafts import HIGHEST, NEW

from salur.access.models import Officer
from salur.access.policy import SYSTEM
from salur.core import rules
from salur.programmes import drafts, services
from salur.programmes.models import Draft, DraftRevision, DraftRun, RulebookVersion

Enter = Callable[[str], Client]


@pytest.fixture
def enter(
    as_office: Callable[[], None], population: rules.Population, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,  # noqa: F811
) -> Enter:  # fmt: skip
    """Clients signed in as officers, with PKH in force and a population registered."""
    as_office()
    for name in ("SIMULATIONS_FOLDER", "DECISIONS_FOLDER"):
        monkeypatch.setattr(settings, name, tmp_path / name.lower())
    office = Office(population, tmp_path)
    services.population_add(now=NOW, actor=SYSTEM, population=population)
    office.version("pkh")
    ids = staff()

    def client(who: str) -> Client:
        made = Client(SERVER_NAME="localhost")
        made.force_login(Officer.objects.get(id=ids[who]), backend=BACKEND)
        return made

    return client


def address(more: str = "") -> str:
    return f"/en/petugas/aturan/rancangan/{Draft.objects.latest('id').id}/{more}"


def begin(client: Client) -> None:
    version = RulebookVersion.objects.get(programme="pkh").id
    assert client.post("/en/petugas/aturan/rancangan/", {"version": version}).status_code == 302


def text_of(n: int | None = None) -> str:
    found = drafts.revision(Draft.objects.latest("id"), n)
    assert found is not None
    return drafts.text(found)


def raised(decile: int) -> str:
    return text_of(1).replace(HIGHEST, HIGHEST.replace("4", str(decile), 1))


def save(client: Client, text: str, seen: int) -> Any:
    return client.post(address(), {"text": text, "seen": str(seen)})


def told(answer: Any) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def work() -> None:
    for run in DraftRun.objects.filter(state="waiting"):
        services.draft_run(now=timezone.now(), actor=SYSTEM, run_id=run.id, attempt=run.attempt)


def test_each_save_is_checked_and_told_in_words(enter: Enter) -> None:
    editor = enter("editor")
    begin(editor)
    assert "Nothing yet" in told(editor.get(address()))
    assert save(editor, raised(10), 1).status_code == 302
    page = editor.get(address())
    assert "<del>4</del>" in page.content.decode()
    assert "<ins>10</ins>" in page.content.decode()
    assert "The family is in deciles 1 to 4." in told(page)  # words that stayed
    assert (
        save(editor, raised(10).replace('"decile <= highest_decile"', '"decile <= <b>"'), 2).status_code
        == 302
    )
    page = editor.get(address())
    line = next(n for n, row in enumerate(text_of().split("\n"), 1) if "<b>" in row)
    assert f"Line {line}" in told(page)
    assert "<b>" not in page.content.decode()  # what was written is shown as text
    assert "Put it in force" not in told(page)


def test_who_saves_on_top_of_something_else_is_shown_it_and_keeps_the_own_text(enter: Enter) -> None:
    editor, other = enter("editor"), enter("editor2")
    begin(editor)
    save(other, raised(6), 1)
    answer = save(editor, raised(9), 1)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Saved meanwhile by Indra Wibowo" in page
    assert re.search(r"<ins>[^<]*value = 6", page)
    assert "value = 9" in page.split("<textarea")[1]  # nothing written is lost
    assert DraftRevision.objects.count() == 2
    assert 'name="seen" value="2"' in page  # the next save is on top of what was shown
    assert save(editor, raised(9), 2).status_code == 302
    assert "value = 9" in text_of(3)


def test_the_sample_is_told_by_the_worker_first_and_by_the_page_from_then_on(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "SAMPLE", 2)
    editor = enter("editor")
    begin(editor)
    assert "for the first time" in told(editor.get(address()))
    work()
    save(editor, raised(10), 1)
    assert [run.state for run in DraftRun.objects.order_by("id")] == ["done", "done"]
    page = told(editor.get(address()))
    assert "families begin to receive" in page
    assert "each family of the sample stands for 2" in page
    beside = editor.get(address("banding/"))
    assert "every number is an estimate" in told(beside)


def test_everybody_is_simulated_with_progress_can_be_cancelled_and_is_told(enter: Enter) -> None:
    editor = enter("editor")
    begin(editor)
    save(editor, raised(10), 1)
    DraftRun.objects.all().delete()
    page = address("banding/")
    assert editor.post(page).status_code == 302
    going = editor.get(page)
    assert (going.headers["Refresh"], "Everybody is being simulated" in told(going)) == ("4", True)
    assert "Refresh" not in editor.get(page + "?diam=1").headers
    editor.post(page, {"do": "cancel"})
    assert DraftRun.objects.get().state == "cancelled"
    assert "Refresh" not in editor.get(page).headers
    editor.post(page)
    work()
    run = DraftRun.objects.get()
    found = drafts.simulation(run)
    assert found is not None
    units = {line.names: line.units for line in found.kinds}
    answer = editor.get(page)
    assert f"{units['gains',]:,} families begin to receive" in told(answer)
    assert "The family is in deciles 1 to 4" in told(answer)  # why
    assert 'aria-labelledby="movement-title' in answer.content.decode()
    table = list(csv.DictReader(io.StringIO(editor.get(address("banding.csv")).content.decode())))
    kinds = {tuple(row["what"].split("+")): int(row["units"]) for row in table if row["table"] == "kinds"}
    assert kinds == units


def test_what_is_shown_is_what_may_be_published(enter: Enter) -> None:
    """Each number of the page is one of the protected result, or a sum of them."""
    editor = enter("editor")
    begin(editor)
    save(editor, raised(5), 1)
    DraftRun.objects.all().delete()
    editor.post(address("banding/"))
    work()
    found = drafts.simulation(DraftRun.objects.get())
    assert found is not None
    assert any(len(line.names) > 1 for line in found.kinds)  # few families: something is put together
    page = told(editor.get(address("banding/")))
    assert "withheld" in page
    assert not re.search(r"\b[1-9] families", page)


def test_values_that_begin_later_are_not_shown_as_if_they_changed_nothing(enter: Enter) -> None:
    editor = enter("editor")
    begin(editor)
    later = raised(4).replace(f"{{ from = 2025-02-05, {HIGHEST} }},", f"{{ from = 2025-02-05, {HIGHEST} }}, "
                              f"{{ from = 2027-01-01, {HIGHEST.replace('4', '7', 1)} }},")  # fmt: skip
    assert later != text_of(1)
    save(editor, later, 1)
    assert "Highest decile entitled" in told(editor.get(address("banding/")))
    DraftRun.objects.update(sample=1)
    work()
    assert "A value begins after the day of this population" in told(editor.get(address("banding/")))


def test_who_may_not_write_reads_and_a_draft_that_has_ended_cannot_be_changed(enter: Enter) -> None:
    editor, auditor = enter("editor"), enter("auditor")
    begin(editor)
    page = told(auditor.get(address()))
    assert "Save and check" not in page
    assert "Drop" not in page
    assert auditor.post(address(), {"text": "x", "seen": "1"}).status_code == 403
    assert auditor.get(address("ajukan/")).status_code == 403
    assert enter("reviewer").get(address()).status_code == 403
    assert editor.post(address(), {"do": "drop"}).status_code == 302
    assert save(editor, raised(5), 1).status_code == 422
    assert DraftRevision.objects.count() == 1
    for path in ("../999999/", "../999999/banding/", "banding/?revisi=99", "banding.csv?populasi=9"):
        assert editor.get(address(path)).status_code in (404, 404), path


def choose(page: Any, name: str) -> None:
    tab_to(page, f"[name={name}]")


def test_a_draft_is_written_compared_simulated_and_put_in_force_by_the_keyboard(
    site: Site, signed_in: Any
) -> None:
    page = without_scripts(signed_in("editor"))
    page.goto(site.address + "/petugas/aturan/")
    looked_at(page, "rulebooks")
    press(page, "a[href$='/rancangan/']")
    choose(page, "version")
    page.keyboard.type("Program Keluarga")
    press(page, "main form button")
    site.salur("work", "--once")
    page.goto(page.url)
    looked_at(page, "draft-begun")
    text = page.input_value("[name=text]")
    tab_to(page, "[name=text]")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text.replace('unit   = "family"', 'unit   = "house"'))
    press(page, "#writing button")
    assert page.locator(".faults li").count() >= 1
    looked_at(page, "draft-faults")
    tab_to(page, "[name=text]")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text.replace(HIGHEST, HIGHEST.replace("4", "10", 1)))
    press(page, "#writing button")
    assert page.locator(".faults").count() == 0
    looked_at(page, "draft")
    here = page.url.split("#")[0]
    press(page, "a[href$='/banding/']")
    press(page, "main form[method=post] button")
    assert page.locator("progress").count() >= 1
    page.goto(page.url.split("#")[0] + "&diam=1")  # at rest, so that it is looked at in peace
    looked_at(page, "draft-going")
    site.salur("work", "--once")
    page.goto(here + "banding/")
    assert page.locator("svg.bar").count() >= 1
    looked_at(page, "draft-compared")
    press(page, "a[href$='/ajukan/']")
    press(page, "main form button")
    assert page.locator(".govuk-error-summary").count() == 1
    looked_at(page, "draft-submit-wrong", wrong=True)
    write_day(page, "since", "2027-01-01")
    press(page, "main form button")
    assert page.url.endswith("/aturan/program/pkh/")
    looked_at(page, "rulebook-history")

    other = signed_in("editor2")
    with_passkey(other, site.made["passkeys"]["editor2"])
    other.goto(site.address + "/petugas/aturan/")
    card = other.locator("section.card", has_text="1 Januari 2027")
    assert card.locator("a[href$='/banding/']").count() == 1
    card.locator("button").click()
    if "/aturan/" not in other.url:  # the passkey first
        other.locator("main button").first.click()
        other.wait_for_url("**/aturan/**")
        other.locator("section.card", has_text="1 Januari 2027").locator("button").click()
    other.goto(site.address + "/petugas/aturan/program/pkh/")
    assert "Indra Wibowo" in other.locator("main").inner_text()


def test_a_new_programme_is_begun_from_a_pasted_text_or_a_file(enter: Enter) -> None:
    rule, rule2 = enter("editor"), enter("editor2")
    begin_at = "/en/petugas/aturan/rancangan/"
    answer = rule.post(begin_at, {"do": "new", "text": "format = 1"})
    assert (answer.status_code, "names its programme by a line" in told(answer)) == (422, True)
    assert rule.post(begin_at, {"do": "new", "text": 'format = 1\nid = "kelas-desa"'}).status_code == 302
    page = told(rule.get(address()))
    assert "Faults:" in page
    assert "Put it in force" not in page
    assert save(rule, NEW, 1).status_code == 302
    page = told(rule.get(address()))
    assert "A new programme: there is no version to compare and simulate it with." in page
    assert "Put it in force" in page
    assert rule.get(address("banding/")).status_code == 404
    assert "kelas-desa" in told(rule2.get(address()))
    assert rule.get(address("ajukan/")).status_code == 200
    since = {"since-day": "1", "since-month": "1", "since-year": "2026", "seen": "2"}
    assert rule.post(address("ajukan/"), since).status_code == 302
    for where in ("/en/petugas/aturan/", "/en/petugas/aturan/program/kelas-desa/"):
        assert (
            f'href="/en/petugas/aturan/rancangan/{Draft.objects.latest("id").id}/"'
            in rule.get(where).content.decode()
        )
    other = NEW.replace("kelas-desa", "kelas-kota")
    file = SimpleUploadedFile("kelas-kota.toml", other.encode())
    assert rule.post(begin_at, {"do": "new", "text": "", "file": file}).status_code == 302
    assert text_of() == other
    broken = SimpleUploadedFile("kelas.toml", b"\xff\xfe")
    answer = rule.post(begin_at, {"do": "new", "text": "", "file": broken})
    assert (answer.status_code, "must be text in UTF-8" in told(answer)) == (422, True)
