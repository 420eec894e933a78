"""Law 6 for the whole of Salur: an office enrols families with planted numbers, every face is walked, the numbers are
typed wherever something can be typed; afterwards they are in no table, file, log, header or address.

Names stand in `people_person`, in the file of an export, and on the pages of those who may see them: nowhere else.
"""

from __future__ import annotations

import html
import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from html.parser import HTMLParser
from itertools import cycle as around
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import duckdb
import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.test import Client
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from tests.access.test_sign_in import PASSWORD, code_of
from tests.officers.site import OFFICERS, passkey
from tests.people.people import KEYS
from tests.planted import cells, digits_of, dump, found, layers
from tests.programmes.conftest import BOOKS, EDITORS, SUPERVISOR, Office, population  # noqa: F401
from typer.testing import CliRunner

from salur.access import services as access
from salur.access.demo import seed
from salur.access.models import Officer
from salur.access.policy import SYSTEM
from salur.core import rules
from salur.core.faults import InputError
from salur.journal import services as journal
from salur.journal import work
from salur.officers.urls import pages
from salur.people import commands, keys
from salur.people import services as people
from salur.people.bulk import FamilyRow, PersonRow
from salur.people.models import Correction
from salur.programmes import claims, drafts, selectors, services
from salur.programmes.bodies import unpacked
from salur.programmes.models import Decision
from salur.web.logs import JsonFormatter, WithoutAddress

NIKS = [
    "3510096711869137", "3510092704918263", "3510094905137482", "3510091206728394", "3510090807639451",
    "3510095108274936", "3510093009481627", "3510092310395718", "3510096611827364", "3510091512738495",
]  # fmt: skip
KK, PHONE, ACCOUNT = "3510090407159246", "0813-3590-7264", "BRI:002901047385509"
NAMES = [
    "Zefirantha Qorvan", "Zefirantha Wubrit", "Zefirantha Yolmek", "Zefirantha Xantrus", "Zefirantha Quilmor",
    "Zefirantha Vrasku", "Zefirantha Jompriz", "Zefirantha Kwelto",
]  # fmt: skip
STRANGER = "3578016204917753"  # enrolled nowhere, only typed
DIGITS = digits_of([*NIKS, KK, PHONE, ACCOUNT, STRANGER])
TYPED = [
    NIKS[0], ".".join((NIKS[1][:6], NIKS[1][6:12], NIKS[1][12:])), " ".join((NIKS[2][:4], NIKS[2][4:8], NIKS[2][8:])),
    KK, PHONE, PHONE.replace("-", ""), ACCOUNT, ACCOUNT.partition(":")[2], STRANGER, f"NIK {STRANGER} menurut RT",
]  # fmt: skip
REASON = f"Tetangga menyebut NIK {NIKS[0]} dan kartu {KK}"
PER_ROUTE = 2  # pages of one kind that are walked, for each officer
ROLES = OFFICERS | {"operator": ("Indra Wibawa", "operator", "")}


# ---- pages and their forms -------------------------------------------------------------------------------------


@dataclass
class Form:
    action: str = ""
    post: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """The links and forms of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.inside: Form | None = None
        self.select = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found_ = {name: value or "" for name, value in attrs}
        name = found_.get("name", "")
        if tag == "a" and "href" in found_:
            self.links.append(found_["href"])
        elif tag == "form":
            self.inside = Form(found_.get("action", ""), found_.get("method", "").lower() == "post")
            self.forms.append(self.inside)
        elif self.inside is None:
            return
        elif tag == "button" and name:
            self.inside.buttons.append((name, found_.get("value", "")))
        elif tag == "select":
            self.select = name
            self.inside.fields.setdefault(name, "")
        elif tag == "option" and (not self.inside.fields[self.select] or "selected" in found_):
            self.inside.fields[self.select] = found_.get("value", "")
        elif tag in ("input", "textarea") and name:
            if (
                found_.get("type") in ("radio", "checkbox")
                and name in self.inside.fields
                and "checked" not in found_
            ):
                return
            self.inside.fields[name] = found_.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None


@dataclass
class Walk:
    """Visits, with what came back."""

    clients: dict[str, Client] = field(default_factory=dict)
    heads: list[bytes] = field(default_factory=list)  # headers and cookies
    bodies: list[bytes] = field(default_factory=list)  # of pages for which no number was typed
    routes: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)  # the names of fields in which something was typed
    statuses: set[int] = field(default_factory=set)

    def _keep(self, answer: Any, asked: str) -> Any:
        self.statuses.add(answer.status_code)
        lines = [f"{name}: {value}" for name, value in answer.items()]
        lines += [morsel.OutputString() for morsel in answer.cookies.values()]
        told = "\n".join(lines)
        if typed(asked):  # an address that was typed is sent back to who typed it
            told = "\n".join(line for line in lines if not line.startswith("Location:"))
        self.heads.append(told.encode())
        return answer

    def get(self, who: str, address: str) -> Any:
        answer = self._keep(self.clients[who].get(address), address)
        if not typed(address):
            body = answer.getvalue() if answer.streaming else answer.content
            self.bodies.append(f"{who} {address}: ".encode() + b"\n".join(layers(body)))
        if answer.status_code == 200:
            self.routes.add(answer.wsgi_request.resolver_match.view_name)
        return answer

    def post(self, who: str, address: str, sent: dict[str, Any]) -> Any:
        client = self.clients[who]
        if "csrfmiddlewaretoken" not in sent and "csrf" in client.cookies:
            sent = sent | {"csrfmiddlewaretoken": client.cookies["csrf"].value}
        return self._keep(client.post(address, sent), address)

    def everything(self, who: str, starts: list[str]) -> None:
        """Every page that can be reached by links, and planted numbers in every field of their forms."""
        waiting, seen, counted = list(starts), set(starts), dict[str, int]()
        texts = around(TYPED)
        while waiting:
            address = waiting.pop(0)
            answer = self.get(who, address)
            if answer.status_code != 200 or not answer.get("Content-Type", "").startswith("text/html"):
                continue
            page = Page(answer.content.decode())
            for form in page.forms:
                self._type(who, urljoin(address, form.action or ""), form, texts)
            for link in page.links:
                parts = urlsplit(urljoin(address, html.unescape(link)))
                to = parts.path + (f"?{parts.query}" if parts.query else "")
                if parts.netloc or to in seen or parts.path in (reverse("account_logout"), "/en/keluar/"):
                    continue
                try:
                    route = parts.path[:4] * (parts.path[:4] == "/en/")
                    route += resolve(parts.path.removeprefix("/en")).route
                except Resolver404:
                    continue
                counted[route] = counted.get(route, 0) + 1
                if counted[route] <= PER_ROUTE:
                    seen.add(to)
                    waiting.append(to)

    def _type(self, who: str, address: str, form: Form, texts: Iterator[str]) -> None:
        names = [name for name in form.fields if name != "csrfmiddlewaretoken"]
        if not form.post or not names:
            return
        whole = dict.fromkeys(names, next(texts)) | {"text": REASON, "reason": REASON, "evidence": REASON}
        each = [{**form.fields, name: next(texts)} for name in names]
        for sent in (*each, {**form.fields, **whole}):
            for button in form.buttons or [("", "")]:
                answer = self.post(who, address, sent | ({button[0]: button[1]} if button[0] else {}))
                assert answer.status_code < 500, (who, address, sent)
        self.filled |= set(names)


def typed(address: str) -> bool:
    """Whether somebody put a number into an address by hand."""
    return any(digits in address for digits in DIGITS)


def stand_in(things: list[bytes]) -> list[bytes]:
    """Those that hold a planted number; searched as one, for most often there is none."""
    return [what for what in things if found(what, DIGITS)] if found(b"\n".join(things), DIGITS) else []


# ---- the office ------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every file, and a folder for what is temporary."""
    folder = tmp_path / "home"
    for name, at in (
        ("SALUR_KEYS_FILE", "keys.json"), ("SEALS_FILE", "journal/seals.jsonl"), ("DECISIONS_FOLDER", "decisions"),
        ("DECREES_FOLDER", "decrees"), ("SIMULATIONS_FOLDER", "simulations"),
    ):  # fmt: skip
        path = folder / at
        monkeypatch.setattr(settings, name, str(path) if name == "SALUR_KEYS_FILE" else path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("SALUR_DEMO", "1")
    keys.init(folder / "keys.json", KEYS.secrets[1])
    return folder


@contextmanager
def logging_to(file: Path) -> Iterator[None]:
    """The log as the settings have it, at its most talkative, in a file."""
    file.parent.mkdir()
    handler = logging.FileHandler(file)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(WithoutAddress())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
        handler.close()


def enrol(office: Office) -> tuple[int, list[int]]:
    """Everybody of the population with a NIK; one family with all that is planted. Its id and those of its members."""
    rows = duckdb.connect()
    families = rows.execute(
        f"SELECT family_id, region, coalesce(village, '') FROM '{office.population.families('35')}' ORDER BY 1"
    ).fetchall()
    persons = rows.execute(
        f"SELECT person_id, family_id, birth_date, sex FROM '{office.population.persons('35')}' ORDER BY 1"
    ).fetchall()
    members: dict[int, list[int]] = {}
    grown = set()
    for person, family, born, _sex in persons:
        members.setdefault(family, []).append(person)
        if born is not None and born.year < 2000:
            grown.add(family)
    chosen = next(family for family in sorted(grown) if 3 <= len(members[family]) <= len(NAMES))
    nik = dict(zip(members[chosen], NIKS, strict=False))
    name = dict(zip(members[chosen], NAMES, strict=False))
    people.enrol(
        actor=SYSTEM, now=office.now, keys=KEYS, source="0" * 64, since=office.population.reference_date,
        families=[FamilyRow(*row, kk=KK if row[0] == chosen else "") for row in families],
        persons=[
            PersonRow(person, family, name.get(person, "Warga"), born, sex or "", nik=nik.get(person) or other(n))
            for n, (person, family, born, sex) in enumerate(persons)
        ],
    )  # fmt: skip
    for kind, number in (("phone", PHONE), ("account", ACCOUNT)):
        people.identifier_set(
            actor=SYSTEM,
            now=office.now,
            keys=KEYS,
            owner=f"person:{members[chosen][0]}",
            kind=kind,
            number=number,
        )  # type: ignore[arg-type]
    return chosen, members[chosen]


def other(n: int) -> str:
    """The NIK of the n-th of the others."""
    return f"3510{100_000_000_003 + 7_919_000_077 * n % 899_999_999_989}"


def staff(walk: Walk) -> dict[str, int]:
    """An officer of each role, signed in by the pages with password and code."""
    ids = {}
    for n, (key, (name, role, region)) in enumerate(ROLES.items()):
        officer = Officer.objects.create_user(f"{key}@example.go.id", name)
        officer.set_password(PASSWORD)
        officer.save()
        access.grant_give(now=timezone.now(), actor=SYSTEM, officer=officer.id, role=role, region=region)
        secret = f"JBSWY3DPEHPK3PX{'ABCDEFGHIJKLMNOP'[n]}"
        TOTP.activate(officer, secret)
        ids[key] = officer.id
        client = Client(enforce_csrf_checks=True, HTTP_HOST="localhost:8000", REMOTE_ADDR=f"192.0.2.{n}")
        client.raise_request_exception = False
        walk.clients[key] = client
        walk.get(key, reverse("account_login"))
        answer = walk.post(key, reverse("account_login"), {"login": officer.email, "password": PASSWORD})
        assert answer["Location"].startswith(reverse("mfa_authenticate")), answer.content
        walk.get(key, reverse("mfa_authenticate"))
        assert walk.post(key, reverse("mfa_authenticate"), {"code": code_of(secret)}).status_code == 302
        assert walk.get(key, reverse("officers:home")).status_code == 200
    walk.clients["anyone"] = Client(
        enforce_csrf_checks=True, HTTP_HOST="localhost:8000", REMOTE_ADDR="198.51.100.7"
    )
    walk.clients["anyone"].raise_request_exception = False
    return ids


def worker() -> None:
    """As `salur work --once`."""
    work.discover()
    work.work(
        workers=1, once=True, seals=Path(settings.SEALS_FILE), clock=lambda: datetime.now(UTC),
        asked_to_stop=lambda: False,
    )  # fmt: skip


# ---- the walk --------------------------------------------------------------------------------------------------


def a_cycle(walk: Walk, office: Office, version: int, family: int, members: list[int]) -> int:
    """Opened, decided, searched, reviewed, corrected, decided again, decreed, told, closed: by the pages."""
    me = reverse("officers:cycle_open")
    walk.get("opener", me)
    sent = {
        "version": version,
        "population": selectors.populations()[0].id,
        "period": "2026-Q4",
        "regions": "35.10",
    }
    assert walk.post("opener", me, sent).status_code == 302
    worker()
    cycle = selectors.cycles()[0].id
    case = {"purpose": "service", "case": f"cycle:{cycle}"}
    for who in ("reviewer", "clerk", "auditor", "supervisor"):
        if walk.get(who, reverse("officers:people")).status_code != 200:
            continue
        walk.post(who, reverse("officers:people"), case)
        search = reverse("officers:people_search")
        walk.get(who, search)
        for asked in (
            {"nik": NIKS[0]},
            {"nik": TYPED[1]},
            {"nik": STRANGER},
            {"name": NAMES[0], "region": "35.10"},
        ):
            walk.post(who, search, asked)
        hit = walk.post(who, search, {"nik": NIKS[0]}).content.decode()
        assert (NAMES[0] in hit) == (reverse("officers:person", args=[members[0]]) in hit)
        assert walk.get(who, reverse("officers:person", args=[members[0]])).status_code == 200
    review_and_correct(walk, family)
    a_case(walk)
    for who in ROLES:
        walk.everything(
            who, [*map(reverse, ("officers:home", "officers:people_search", "mfa_index", "admin:index"))]
        )
    assert (
        walk.post("clerk", reverse("officers:correction", args=[Correction.objects.get().id]), {}).status_code
        == 302
    )
    worker()
    assert Decision.objects.filter(family_id=family, cause__startswith="correction").exists()
    decree(walk, cycle)
    return cycle


def review_and_correct(walk: Walk, family: int) -> None:
    decision = Decision.objects.filter(family_id=family).earliest("id").id
    review = reverse("officers:review", args=[decision])
    walk.get("reviewer", review)
    assert walk.post("reviewer", review, {"judgement": "unsure"}).status_code == 302
    assert NAMES[0] in walk.get("reviewer", review).content.decode()
    correct = reverse("officers:correct", args=[decision]) + f"?fact=family:{family}.decile"
    right = {"value": "1", "since-day": "1", "since-month": "9", "since-year": "2026", "source": "dtsen"}
    right |= {"kind": "home_visit"}
    walk.get("reviewer", correct)
    walk.everything("reviewer", [correct])  # before it is there: the evidence is refused with a number
    assert not Correction.objects.exists()
    for text in TYPED:
        assert walk.post("reviewer", correct, right | {"evidence": f"RT: {text}"}).status_code == 422
    assert walk.post("reviewer", correct, right | {"evidence": "Rumah dikunjungi"}).status_code == 302
    assert walk.post("reviewer", review, {"finding": "corrects"}).status_code == 302


def a_case(walk: Walk) -> None:
    """Somebody in no register; the notes of the case take no numbers, whichever button is pressed."""
    page = reverse("officers:unregistered")
    walk.get("clerk", page)
    made = walk.post("clerk", page, {"region": "35.10", "people": "3"})
    assert walk.get("clerk", made["Location"]).status_code == 200
    case = made["Location"].replace("cetak/", "")
    assert walk.post("clerk", case, {"do": "take"}).status_code == 302
    for text in (*TYPED, REASON):
        for do in ("note", "release", "close"):
            assert walk.post("clerk", case, {"do": do, "text": f"{text} ya"}).status_code == 422, (do, text)
    assert walk.post("clerk", case, {"do": "note", "text": "Datang bersama ketua RT"}).status_code == 302
    walk.everything("clerk", [case])


def decree(walk: Walk, cycle: int) -> None:
    page = reverse("officers:decree", args=[cycle])
    walk.get("signer", page)
    for text in TYPED[:6]:
        assert walk.post("signer", page, {"number": text}).status_code == 422
    assert walk.post("signer", page, {"number": "SK 1/2026"}).status_code == 302
    walk.everything("signer", [page])
    made = selectors.decree(cycle)
    assert made is not None
    sent = {"digest": bytes(made.digest).hex(), "demo": "yes"}
    assert walk.post("signer", reverse("officers:decree_sign", args=[cycle]), sent).status_code == 302
    for kind in ("pdf", "daftar"):
        assert walk.get("signer", reverse("officers:decree_file", args=[cycle, kind])).status_code == 200


def citizens(walk: Walk, cycle: int, family: int, born: date, letters: Path) -> None:
    """Codes are issued and printed; a citizen reads, others guess and type numbers where they do not belong."""
    now = timezone.now()
    services.claim_codes_issue(now=now, actor=SYSTEM, keys=KEYS, cycle_id=cycle)
    services.claim_letters_write(now=now, actor=SYSTEM, keys=KEYS, cycle_id=cycle, file=letters)
    page, code = reverse("citizens:ask"), claims.code_of(KEYS, family)
    walk.everything("anyone", ["/", "/en/", page, "/en/mengapa/", "/masuk/", f"/?q={NIKS[0]}", "/undangan/"])
    day = {"born-day": born.day, "born-month": born.month, "born-year": born.year}
    for n, text in enumerate([*TYPED, code[::-1], "081335907264"]):
        walk.clients["anyone"].defaults["REMOTE_ADDR"] = f"198.51.100.{n + 9}"
        assert walk.post("anyone", page, {"code": text, **day}).status_code == 422
    assert walk.post("anyone", page, {"code": claims.shown(code), **day}).status_code == 302
    for part in ("decisions", "reads"):
        assert walk.get("anyone", reverse(f"citizens:{part}")).status_code == 200
    told = walk.get("anyone", reverse("citizens:decision", args=["pkh", "2026-Q4"])).content.decode()
    assert "PKH" in told
    assert not any(name in told for name in NAMES)


def faults(walk: Walk, monkeypatch: pytest.MonkeyPatch, cycle: int, family: int, born: date) -> None:
    """Errors of every kind, with numbers in the address, the fields, the headers and the body."""
    nik, page = NIKS[0], reverse("citizens:ask")
    walk.get("anyone", page)
    anyone, keep = walk.clients["anyone"], walk._keep
    told = {
        400: keep(
            anyone.post(page, {f"field{n}": nik for n in range(600)} | {"csrfmiddlewaretoken": "x"}), page
        ),
        403: keep(anyone.post(page, {"code": nik}), page),  # without the token of the form
        404: walk.get("clerk", f"/petugas/warga/{nik}/"),
        405: keep(
            anyone.put(
                reverse("citizens:leave"), nik, content_type="text/plain", HTTP_REFERER=f"http://x/{nik}"
            ),
            page,
        ),
        413: keep(anyone.generic("POST", page, nik.encode() * 700_000), page),
    }
    assert {status: answer.status_code for status, answer in told.items()} == {
        status: status for status in told
    }
    assert keep(Client(HTTP_HOST=f"{nik}.go.id").get("/"), nik).status_code == 400
    for who in ("anyone", "elsewhere", "operator"):
        for address in (
            f"/{nik}", f"/program/{nik}/", f"/petugas/perkara/{nik}/", f"/petugas/putusan/{nik}/?fact={KK}",
            f"/keputusan/pkh/{nik}/", f"/undangan/{nik}/", f"/en/petugas/warga/cari/?nik={nik}",
        ):  # fmt: skip
            assert walk.get(who, address).status_code in (301, 302, 403, 404, 410), address
    day = {"born-day": born.day, "born-month": born.month, "born-year": born.year}
    with monkeypatch.context() as patch:
        patch.setattr(settings, "SALUR_KEYS_FILE", "/nowhere/keys.json")
        code = claims.code_of(KEYS, family)
        assert walk.post("anyone", page, {"code": code, **day, "note": nik}).status_code == 500
    for text in (*TYPED, REASON):
        acts: list[Callable[..., Any]] = [
            partial(access.officer_invite, email="budi@example.go.id", name=text, token=bytes(32)),
            partial(access.glass_break, region="35.10", reason=f"Warga datang ke kantor: {text}"),
            partial(journal.hold_place, stage="programmes.decree", reason=text),
            partial(
                services.ceiling_set,
                programme="pkh",
                period="2027-Q1",
                amount=1,
                since=born,
                basis=f"DIPA {text}",
            ),
            partial(services.cycle_cancel, cycle_id=cycle, reason=f"Salah: {text}"),
        ]
        for act in acts:
            with pytest.raises(InputError):
                act(now=timezone.now(), actor=SYSTEM)


def on_the_command_line(folder: Path, officer: int, cycle: int) -> str:
    """Rotation and export, also with numbers where they do not belong; what they say."""
    run = CliRunner()

    def salur(*arguments: str) -> str:
        answer = run.invoke(commands.app, list(arguments))
        return f"{answer.output}{answer.exception!r}"

    out = folder / "export.csv"
    good = ["export", "--officer", str(officer), "--region", "35.10", "--purpose", "service"]
    said = salur(*good, "--case", f"cycle:{cycle}", "--out", str(out))
    for typed in TYPED:
        said += salur(*good, "--case", f"case:{typed}", "--out", str(folder / "none.csv"))
        said += salur(
            "export",
            "--officer",
            "7",
            "--region",
            typed,
            "--purpose",
            typed,
            "--case",
            "case:1",
            "--out",
            "x",
        )
    said += salur("rotate-keys") + salur("keys", "show")
    assert "Sealed" in said
    assert NAMES[0] in out.read_text()
    assert not (folder / "none.csv").exists()
    return said


def columns() -> dict[tuple[str, str], bytes]:
    """All that stands in each column, and what is packed in it."""
    held: dict[tuple[str, str], list[bytes]] = {}
    for table, column, value in cells():
        kept = held.setdefault((table, column), [])
        if (table, column) == ("programmes_familycase", "body"):
            kept.append(unpacked(value).encode())
        kept += layers(value)
    return {place: b"\n".join(each) for place, each in held.items()}


def named(where: bytes) -> list[str]:
    return [name for name in NAMES if name.encode() in where or name.upper().encode() in where]


def a_draft(office: Office, version: int, people_: int) -> str:
    """The page of a draft that changes something, with its simulation."""
    made = services.draft_begin(now=office.now, actor=EDITORS[0], version_id=version)
    text = (BOOKS / "pkh.toml").read_text("utf-8").replace("deciles 1 to 4.", "the deciles 1 to 4.")
    services.draft_save(now=office.now, actor=EDITORS[0], draft_id=made, text=text, seen=1)
    revision = drafts.revision(made)
    assert revision is not None
    run = services.draft_run_ask(
        now=office.now, actor=EDITORS[0], revision_id=revision.id, population_id=people_, against_id=version,
        sample=1,
    )  # fmt: skip
    services.draft_run(now=office.now, actor=SYSTEM, run_id=run.id, attempt=run.attempt)
    return reverse("officers:draft_compare", args=[made]) + "?revisi=2"


def test_planted_numbers_are_nowhere(
    database: str, database_url: str, population: rules.Population,  # noqa: F811
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    walk, office, log = Walk(), Office(population, home / "work"), tmp_path / "logs" / "salur.log"
    with logging_to(log):
        version = office.version("pkh")
        services.ceiling_set(
            now=office.now, actor=SUPERVISOR, programme="pkh", period="2026-Q4", amount=10**12,
            since=date(2026, 1, 1), basis="SP DIPA-027.03.1.417481/2026",
        )  # fmt: skip
        registered = services.population_add(now=office.now, actor=SYSTEM, population=population)
        draft = a_draft(office, version, registered)
        family, members = enrol(office)
        ids = staff(walk)
        passkey(ids["signer"], settings.SALUR_ORIGIN, seed("signer@example.go.id"))
        born = min(person.birth_date for person in people_of(family) if person.birth_date is not None)
        cycle = a_cycle(walk, office, version, family, members)
        citizens(walk, cycle, family, born, tmp_path / "letters.csv")
        faults(walk, monkeypatch, cycle, family, born)
        assert walk.post("opener", reverse("officers:cycle_close", args=[cycle]), {}).status_code == 302
        said = on_the_command_line(tmp_path, ids["supervisor"], cycle)
        for who in ROLES:
            walk.everything(who, ["/en/petugas/", reverse("officers:cycle", args=[cycle]), draft])
        worker()
    # All was walked, and numbers were typed in every kind of field.
    missed = {f"officers:{page.name}" for page in pages} - walk.routes
    assert missed <= {"officers:" + name for name in ("notice", "cycle_cancel", "cycle_close", "decree_sign",
                                                      "review_next", "standing_lift", "objection",
                                                      "glass_review")}, missed  # fmt: skip
    assert {
        "code",
        "nik",
        "name",
        "case",
        "text",
        "reason",
        "evidence",
        "number",
        "login",
        "region",
    } <= walk.filled
    assert {200, 302, 400, 403, 404, 405, 413, 422, 500} <= walk.statuses
    # Numbers are nowhere.
    assert found(dump(database_url), DIGITS) == []
    held = columns()
    assert [place for place, value in held.items() if found(value, DIGITS)] == []
    assert stand_in([*walk.heads, *walk.bodies, said.encode()]) == []
    files = [log, tmp_path / "letters.csv", tmp_path / "export.csv"]
    for folder in (home, tmp_path / "temporary", Path(os.environ["SALUR_HOME"]), office.folder):
        files += [file for file in folder.rglob("*") if file.is_file()]
    assert (
        stand_in([f"{file}: ".encode() + layer for file in files for layer in layers(file.read_bytes())])
        == []
    )
    # Names are where they belong.
    assert {place for place, value in held.items() if named(value)} == {("people_person", "name")}
    assert not any(named(what) for what in walk.heads)
    assert {file.name for file in files if named(file.read_bytes())} == {"export.csv"}
    assert log.stat().st_size > 100_000
    assert (home / "journal" / "seals.jsonl").stat().st_size > 1_000


def people_of(family: int) -> list[Any]:
    from salur.people.selectors import family_members

    return family_members(family, timezone.localdate(), regions=None)


def test_the_server_says_none(database_url: str, tmp_path: Path) -> None:
    """`salur serve` itself, as talkative as it can be: broken requests, and numbers in every part of a request."""
    environment = os.environ | {
        "SALUR_HOME": str(tmp_path / "home"), "SALUR_DATABASE_URL": database_url, "SALUR_LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    command = "import sys; sys.argv[0] = 'salur'; from salur.commands import main; main()"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", command, "serve", "--port", "0", "--workers", "1"],
            env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    with server:
        assert server.stdout is not None
        port = int(server.stdout.readline().partition("127.0.0.1:")[2].partition("/")[0])
        answers = [said_to(port, request) for request in broken_requests()]
        server.terminate()
    assert {answer[9:12] for answer in answers} >= {b"400", b"404", b"302"}, answers
    told = (tmp_path / "log").read_bytes()
    assert b"salur.requests" in told
    assert found(told, DIGITS) == []


def broken_requests() -> Iterator[bytes]:
    for text in (NIKS[0], KK, PHONE, ACCOUNT):
        host = "Host: localhost\r\nConnection: close\r\n"
        for request in (
            f"GET /petugas/warga/{text}/?nik={text} HTTP/1.1\r\n{host}Referer: http://x/{text}\r\n",
            f"GET /{text} HTTP/1.1\r\n{host}User-Agent: {text}\r\nCookie: salur={text}\r\n",
            f"GET /{text * 200} HTTP/1.1\r\n{host}",
            f"{text} / HTTP/1.1\r\n{host}",
            f"GET / {text}\r\n{host}",
            f"GET / HTTP/1.1\r\nHost: {text}\r\n",
            f"GET / HTTP/1.1\r\n{host}{text} x: 1\r\n",
            f"GET / HTTP/1.1\r\n{host}X: {text * 900}\r\n",
            f"POST /mengapa/ HTTP/1.1\r\n{host}Content-Length: {text}x\r\n",
            f"POST /mengapa/ HTTP/1.1\r\n{host}Transfer-Encoding: {text}\r\n",
            f"POST /mengapa/ HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n{text}zz\r\n{text}",
        ):
            yield f"{request}\r\n".encode()


def said_to(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as there:
        there.sendall(request)
        there.shutdown(socket.SHUT_WR)
        heard = b""
        try:
            while piece := there.recv(65536):
                heard += piece
        except ConnectionResetError:  # it did not read all that was sent
            pass
        return heard
