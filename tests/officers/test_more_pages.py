"""Ceilings, emergency access and the read log: who opens them, what they write, what they show. On both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.officers.conftest import Site
from tests.officers.looking import looked_at
from tests.officers.site import BACKEND, staff
from tests.programmes.conftest import BOOKS, EDITORS, NOW, SUPERVISOR

from salur.access import services as access
from salur.access.models import BrokenGlass, GlassNotice, Officer, ReadLog
from salur.access.policy import SYSTEM
from salur.cases import services as cases
from salur.cases.models import Case
from salur.journal.models import Event
from salur.people import services as people
from salur.programmes import services
from salur.programmes.models import Budget, Ceiling

REASON = "Kantor 35.10 kebanjiran dan keluarga menunggu di sini"


@pytest.fixture
def office(database: str) -> dict[str, int]:
    """The officers, a programme with a rulebook, and the nation's ceiling."""
    ids = staff()
    raw, facts = (BOOKS / "pkh.toml").read_bytes(), (BOOKS / "facts.toml").read_bytes()
    services.rulebook_add(
        now=NOW, actor=EDITORS[0], raw=raw, facts_raw=facts, in_force_from=timezone.localdate(NOW)
    )
    set_ceiling(10**12)
    return ids


def set_ceiling(amount: int, region: str = "") -> None:
    services.ceiling_set(
        now=timezone.now(), actor=SUPERVISOR, programme="pkh", period="2026-Q4", amount=amount, region=region,
        since=date(2020, 1, 1), basis="DIPA 2026",
    )  # fmt: skip


@pytest.fixture
def enter(office: dict[str, int]) -> Callable[[str], Client]:
    def client(who: str) -> Client:
        made = Client(SERVER_NAME="localhost")
        made.force_login(Officer.objects.get(id=office[who]), backend=BACKEND)
        return made

    return client


def page(client: Client, path: str, data: dict[str, str] | None = None, *, post: bool = False) -> Any:
    send = client.post if post else client.get
    return send(f"/en/petugas/{path}", data or {})


def told(answer: Any) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


# ---- ceilings --------------------------------------------------------------------------------------------------


def test_a_ceiling_is_set_with_its_document_and_its_history_stays(enter: Callable[[str], Client]) -> None:
    supervisor, today = enter("supervisor"), timezone.localdate()
    sent = {
        "programme": "pkh",
        "period": "2026-Q4",
        "region": "",
        "amount": "Rp 2.500.000.000",
        "basis": "DIPA 9",
    }
    day = {"since-day": str(today.day), "since-month": str(today.month), "since-year": str(today.year)}
    assert page(supervisor, "pagu/tetapkan/", sent | day, post=True).status_code == 302
    row = Budget.objects.get()
    assert row.amount == 2_500_000_000
    text = told(page(supervisor, f"pagu/{row.id}/"))
    assert "Rp2,500,000,000 , DIPA 9. Set by Eka Putri" in text
    assert text.index("DIPA 9") < text.index("DIPA 2026")  # the latest first
    assert "Rp2,500,000,000" in told(page(supervisor, "pagu/"))
    assert 'value="2026-Q4"' in page(supervisor, f"pagu/tetapkan/?pagu={row.id}").content.decode()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"programme": "nothing"}, "Choose a programme."),
        ({"amount": "a lot"}, "whole rupiah"),
        ({"amount": "9" * 18}, "between 0 and"),
        ({"basis": " "}, "Name the document"),
        ({"since-day": "31", "since-month": "2"}, "Give a whole date"),
        ({"since-year": "2199"}, "when it is in force"),
        ({"since-year": "2019"}, "is there already"),
        ({"period": "2026-13"}, "must look like 2026-Q4"),
        ({"region": "35.10.01"}, "a regency (35.10)"),
    ],
)
def test_what_cannot_be_a_ceiling_is_told(
    enter: Callable[[str], Client], wrong: dict[str, str], says: str
) -> None:
    today = timezone.localdate()
    sent = {
        "programme": "pkh", "period": "2026-Q4", "region": "", "amount": "5", "basis": "DIPA 9",
        "since-day": str(today.day), "since-month": str(today.month), "since-year": str(today.year),
    }  # fmt: skip
    answer = page(enter("supervisor"), "pagu/tetapkan/", sent | wrong, post=True)
    assert answer.status_code == 422
    assert says in told(answer)
    assert Ceiling.objects.count() == 1


def test_ceilings_are_seen_where_they_concern_somebody(enter: Callable[[str], Client]) -> None:
    for region in ("35", "35.10", "35.11", "36"):
        set_ceiling(10**9, region)
    ids = {row.region: row.id for row in Budget.objects.all()}
    opener = enter("opener")  # of 35.10
    seen = re.findall(r"/petugas/pagu/([0-9]+)/", page(opener, "pagu/").content.decode())
    assert set(map(int, seen)) == {ids[""], ids["35"], ids["35.10"]}
    assert page(opener, f"pagu/{ids['35.10']}/").status_code == 200
    assert page(opener, f"pagu/{ids['36']}/").status_code == 404
    assert page(opener, "pagu/tetapkan/").status_code == 403
    assert page(enter("reviewer"), "pagu/").status_code == 403
    assert "Ceilings" in told(page(opener, ""))


# ---- emergency access ------------------------------------------------------------------------------------------


def test_broken_glass_opens_reading_for_an_hour_and_others_see_and_review_it(
    office: dict[str, int], enter: Callable[[str], Client], as_office: Callable[[], None]
) -> None:
    person = people.person_add(actor=SYSTEM, now=NOW, name="Sutini", region="35.10")
    relative = people.person_add(actor=SYSTEM, now=NOW, name="Parto", region="35.10")
    family = people.family_add(actor=SYSTEM, now=NOW, region="35.10")
    for one in (person, relative):
        people.membership_begin(
            actor=SYSTEM, now=NOW, person_id=one, family_id=family, since=timezone.localdate(NOW)
        )
    case = cases.case_open(now=NOW, actor=SYSTEM, kind="missing_fact", subject="family:1", region="35.11")
    before = Event.objects.latest("id").id
    as_office()
    stranger, supervisor = enter("elsewhere"), enter("supervisor")
    page(stranger, "warga/", {"purpose": "service", "case": f"case:{case}"}, post=True)
    assert page(stranger, f"warga/{person}/").status_code == 404
    sent = {"region": "35.10", "person": str(person), "reason": REASON, "understood": "yes"}
    assert page(stranger, "darurat/", sent, post=True).status_code == 302
    glass = BrokenGlass.objects.get()
    assert "Open to you until" in told(page(stranger, "darurat/"))
    shown = told(page(stranger, f"warga/{person}/"))
    assert "Sutini" in shown
    assert "Parto" not in shown  # the glass was broken for one person
    assert page(stranger, f"warga/{relative}/").status_code == 404
    assert [(row.subject, row.broke_glass) for row in ReadLog.objects.all()] == [(f"person:{person}", True)]

    assert "Glass was broken" in told(page(supervisor, ""))
    listed = told(page(supervisor, "darurat/"))
    assert "Hadi Wijaya" in listed
    assert REASON in listed
    assert "nobody yet" in listed
    notice = GlassNotice.objects.get(supervisor_id=office["supervisor"])
    page(supervisor, f"pemberitahuan/{notice.id}/", post=True)
    assert "Seen by Eka Putri" in told(page(supervisor, "darurat/"))

    assert "Broken in your regions" not in told(page(stranger, "darurat/"))
    assert page(stranger, f"darurat/{glass.id}/", {"justified": "yes"}, post=True).status_code == 403
    assert page(supervisor, f"darurat/{glass.id}/", {"justified": "no"}, post=True).status_code == 302
    glass.refresh_from_db()
    assert (glass.justified, glass.reviewed_by_id) == (False, office["supervisor"])
    assert page(supervisor, f"darurat/{glass.id}/", {"justified": "yes"}, post=True).status_code == 422
    kinds = ["access.glass_broken", "cases.opened", "access.glass_reviewed", "cases.done"]
    found = Event.objects.filter(kind__in=kinds, id__gt=before).order_by("id").values_list("kind", flat=True)
    assert list(found) == kinds
    assert not any(REASON in event.detail for event in Event.objects.all())


def test_the_case_about_broken_glass_waits_for_a_supervisor_of_the_region(
    office: dict[str, int], enter: Callable[[str], Client]
) -> None:
    page(
        enter("elsewhere"), "darurat/", {"region": "35.10", "reason": REASON, "understood": "yes"}, post=True
    )
    case = Case.objects.get()
    assert (case.kind, case.owner_role, case.region) == ("break_glass_review", "supervisor", "35.10")
    assert case.subject == f"glass:{BrokenGlass.objects.get().id}"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"region": "Banyuwangi"}, "Give the code of a regency"),
        ({"person": "Sutini"}, "Give the number of the person"),
        ({"reason": "quick"}, "Say why in 20"),
        ({"reason": "Somebody with the number 3510014105809001 waits"}, "Leave NIK"),
        ({"understood": ""}, "Say that you know"),
    ],
)
def test_glass_is_not_broken_by_mistake(
    enter: Callable[[str], Client], wrong: dict[str, str], says: str
) -> None:
    sent = {"region": "35.10", "person": "", "reason": REASON, "understood": "yes"}
    answer = page(enter("elsewhere"), "darurat/", sent | wrong, post=True)
    assert answer.status_code == 422
    assert says in told(answer)
    assert not BrokenGlass.objects.exists()
    assert not Case.objects.exists()


def test_who_may_not_break_it_cannot(enter: Callable[[str], Client]) -> None:
    sent = {"region": "35.10", "reason": REASON, "understood": "yes"}
    for who in ("signer", "auditor"):
        assert page(enter(who), "darurat/", sent, post=True).status_code == 403
    assert "Break the glass" not in told(page(enter("auditor"), "darurat/"))


def test_glass_is_over_after_an_hour(office: dict[str, int], enter: Callable[[str], Client]) -> None:
    long_ago = timezone.now() - timedelta(minutes=61)
    from salur.access import selectors

    access.glass_break(
        now=long_ago,
        actor=selectors.actor(office["elsewhere"], now=timezone.now()),
        region="35.10",
        reason=REASON,
    )
    assert "Open to you until" not in told(page(enter("elsewhere"), "darurat/"))
    assert "open now" not in told(page(enter("supervisor"), "darurat/"))


# ---- the read log ----------------------------------------------------------------------------------------------


def looks(office: dict[str, int]) -> None:
    """Five looks by two officers, an hour apart."""
    from salur.access import selectors

    for n, (who, region, purpose, subject, case) in enumerate(
        [
            ("reviewer", "35.10", "review", "person:1", "case:1"),
            ("reviewer", "35.10", "service", "person:2", "case:1"),
            ("reviewer", "35.10", "service", "family:2", ""),
            ("elsewhere", "35.11", "review", "person:1", "case:2"),
            ("elsewhere", "35.11", "review", "person:3", "case:2"),
        ]
    ):
        now = timezone.now() - timedelta(days=5 - n)
        actor = selectors.actor(office[who], now=timezone.now())
        access.read_log(now=now, actor=actor, subject=subject, purpose=purpose, case=case, region=region)


def rows_of(answer: Any) -> list[str]:
    """Whom each row is about, as it is written."""
    return re.findall(r'data-label="Whom">((?:Person|Family) [0-9]+)', answer.content.decode())


def test_an_officer_sees_their_own_reads_and_a_supervisor_those_of_the_regions(
    office: dict[str, int], enter: Callable[[str], Client]
) -> None:
    looks(office)
    assert rows_of(page(enter("reviewer"), "jejak/")) == ["Family 2", "Person 2", "Person 1"]
    assert page(enter("reviewer"), "jejak/wilayah/").status_code == 403
    local = Officer.objects.create_user("local@example.go.id", "Indah")
    access.grant_give(now=timezone.now(), actor=SYSTEM, officer=local.id, role="supervisor", region="35.10")
    from allauth.mfa.models import Authenticator

    Authenticator.objects.create(user=local, type=Authenticator.Type.TOTP, data={"secret": "x"})
    office["local"] = local.id
    assert rows_of(page(enter("local"), "jejak/wilayah/")) == ["Family 2", "Person 2", "Person 1"]
    nation = page(enter("supervisor"), "jejak/wilayah/")
    assert rows_of(nation) == ["Person 3", "Person 1", "Family 2", "Person 2", "Person 1"]
    assert "Budi Santoso, Reviewer" in told(nation)
    assert rows_of(page(enter("supervisor"), "jejak/")) == []


def test_the_read_log_is_narrowed(office: dict[str, int], enter: Callable[[str], Client]) -> None:
    looks(office)
    supervisor = enter("supervisor")
    day = (timezone.localdate() - timedelta(days=3)).isoformat()
    for asked, found in (
        ({"purpose": "service"}, ["Family 2", "Person 2"]),
        ({"subject": "1"}, ["Person 1", "Person 1"]),
        ({"subject": "family:2"}, ["Family 2"]),
        ({"only": "no-case"}, ["Family 2"]),
        ({"only": "glass"}, []),
        ({"from": day}, ["Person 3", "Person 1", "Family 2"]),
        ({"to": day}, ["Family 2", "Person 2", "Person 1"]),
        ({"from": day, "to": day}, ["Family 2"]),
    ):
        assert rows_of(page(supervisor, "jejak/wilayah/", asked)) == found, asked
    for wrong in ({"from": "31-2-2026"}, {"subject": "Sutini"}):
        answer = page(supervisor, "jejak/wilayah/", wrong)
        assert answer.status_code == 422
        assert rows_of(answer) == []


def test_a_long_read_log_goes_on(
    office: dict[str, int], enter: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    from salur.officers import reads

    monkeypatch.setattr(reads, "PAGE_ROWS", 2)
    looks(office)
    supervisor, path, found = enter("supervisor"), "jejak/wilayah/?purpose=review", []
    while path:
        answer = page(supervisor, path)
        found.append(rows_of(answer))
        more = re.search(r'href="\?([^"]+)">More', answer.content.decode())
        path = f"jejak/wilayah/?{more[1].replace('&amp;', '&')}" if more else ""
    assert found == [["Person 3", "Person 1"], ["Person 1"]]


# ---- what is sent ----------------------------------------------------------------------------------------------


def test_a_form_with_too_much_in_it_is_told(enter: Callable[[str], Client]) -> None:
    answer = page(enter("elsewhere"), "darurat/", {"reason": "x" * (2**20 + 1)}, post=True)
    assert answer.status_code == 413
    assert "Too much was sent at once" in told(answer)


# ---- in a browser ----------------------------------------------------------------------------------------------


def test_looked_at(site: Site, signed_in: Any) -> None:
    page = signed_in("supervisor")
    page.goto(site.address + "/petugas/pagu/")
    looked_at(page, "ceilings")
    page.get_by_role("button", name="Tetapkan pagu").click()
    page.wait_for_url("**/pagu/tetapkan/")
    looked_at(page, "ceiling-set")
    page.get_by_role("button", name="Tetapkan pagu ini").click()
    looked_at(page, "ceiling-set-wrong", wrong=True)
    page.goto(site.address + "/petugas/pagu/")
    page.locator("main tbody a").first.click()
    looked_at(page, "ceiling")

    page = signed_in("elsewhere", java_script_enabled=False)
    page.goto(site.address + "/petugas/darurat/")
    page.locator("[name=region]").fill("35.10")
    page.locator("[name=reason]").fill(REASON)
    page.locator("[name=understood]").check()
    page.get_by_role("button", name="Pecahkan kaca").click()
    page.wait_for_selector("text=Terbuka bagi Anda sampai")
    page = signed_in("elsewhere")
    page.goto(site.address + "/petugas/darurat/")
    looked_at(page, "glass")
    page.get_by_role("button", name="Pecahkan kaca").click()
    looked_at(page, "glass-wrong", wrong=True)
    page.goto(site.address + "/petugas/warga/")
    page.locator("[name=purpose][value=service]").check()
    page.locator("[name=case]").fill("case:1")
    page.locator("main button").first.click()
    page.goto(f"{site.address}/petugas/warga/{site.made['person']}/")
    assert page.locator("h1").inner_text() == "Warga"
    page.goto(site.address + "/petugas/jejak/")
    looked_at(page, "my-reads")

    page = signed_in("supervisor")
    page.goto(site.address + "/petugas/")
    looked_at(page, "home-supervisor")
    page.goto(site.address + "/petugas/darurat/")
    looked_at(page, "glass-supervisor")
    page.get_by_role("button", name="Saya sudah melihat").click()
    page.goto(site.address + "/petugas/jejak/wilayah/?only=glass")
    looked_at(page, "reads-region")
    page.goto(site.address + "/petugas/darurat/")
    page.get_by_role("button", name="Dapat dibenarkan", exact=True).click()
    looked_at(page, "glass-reviewed")
