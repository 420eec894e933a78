"""`salur demo --serve`: the office opens, lets an officer and a family in, and closes with Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

SALUR = [sys.executable, "-c", "from salur.commands import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("office")


@pytest.fixture(scope="module")
def office(folder: Path) -> Iterator[tuple[str, str]]:
    with opened(folder) as found:
        yield found


@contextmanager
def opened(folder: Path) -> Iterator[tuple[str, str]]:
    """The address of an office of 300 families, and what was printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SALUR_")}
    with (folder / "told").open("wb") as told:
        process = subprocess.Popen(
            [*SALUR, "demo", "--families", "300", "--out", str(folder / "demo"), "--serve", "--port", str(port)],
            stdout=told, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
    address = f"http://localhost:{port}"
    try:
        _wait_for(f"{address}/healthz", process)
        yield address, (folder / "told").read_text("utf-8")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    with pytest.raises(URLError):
        build_opener().open(f"{address}/healthz")


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the demonstration ended by itself"
        try:
            build_opener().open(url).close()
        except URLError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("nothing answers")


class Visitor:
    """A browser without pictures."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        with self.opener.open(self.address + path) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> str:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.get(path))
        assert token
        data = urlencode({"csrfmiddlewaretoken": token[1], **fields}).encode()
        with self.opener.open(self.address + path, data) as answer:
            return str(answer.read().decode())


def test_an_officer_signs_in_and_sees_the_work(office: tuple[str, str]) -> None:
    sri = Visitor(office[0])
    assert "Pekerjaan saya" in sri.post("/demo/", account="sri@demo.invalid")
    assert "2026-Q4" in sri.get("/petugas/siklus/")


def letters(told: str) -> dict[str, tuple[str, dict[str, str]]]:
    """What is printed of each letter → the code as it is printed, and the fields of the form that it opens."""
    found = re.findall(r"(\w{4}-\w{4}-\w{4})  lahir · born (\d{4})-(\d\d)-(\d\d)  (.+)", told)
    assert found, told[-2000:]
    return {
        said: (code, {"code": code, "born-day": day, "born-month": month, "born-year": year})
        for code, year, month, day, said in found
    }


@pytest.mark.parametrize(
    ("said", "english", "indonesian"),
    [
        (r"Berhak (Rp[\d.]+) · entitled", ["Conditions that are met"], ["Syarat yang terpenuhi"]),
        ("Belum berhak · refused", ["Conditions that are not met"], ["Syarat yang belum terpenuhi"]),
        ("Perlu data · needs data", ["Conditions that cannot be checked yet"], ["Syarat yang belum dapat diperiksa"]),
        (
            r"Berhak (Rp[\d.]+), setelah data diperbaiki · entitled, after a correction \(2\)",
            ["Changed because data were corrected", "A later version took its place", "a second one agreed"],
            ["petugas kedua setuju"],
        ),
    ],
)  # fmt: skip
def test_a_printed_code_opens_a_page_of_reasons(
    office: tuple[str, str], said: str, english: list[str], indonesian: list[str]
) -> None:
    """Each of the letters, in both languages: the outcome that was printed, and why."""
    (match, fields), *others = [
        (match, fields)
        for text, (_, fields) in letters(office[1]).items()
        if (match := re.fullmatch(said, text))
    ]
    assert not others
    family = Visitor(office[0])
    assert "/keputusan/pkh/2026-Q4/" in family.post("/mengapa/", **fields)
    page = family.get("/keputusan/pkh/2026-Q4/")
    assert all(amount in page for amount in match.groups())
    assert [words for words in indonesian if words not in page] == []
    page = family.get("/en/keputusan/pkh/2026-Q4/")
    assert "Decreed on" in page
    assert [words for words in english if words not in page] == []
    assert "Not decreed yet" in family.get("/en/keputusan/sembako/2026-Q4/")


def test_four_officers_did_what_was_decreed_and_the_other_cycle_waits(office: tuple[str, str]) -> None:
    siti = Visitor(office[0])
    siti.post("/demo/", account="siti@demo.invalid")
    pages = [siti.get(f"/en/petugas/siklus/{cycle}/") for cycle in (1, 2)]
    duties = [re.search(r"Who does what</h2>\s*<ul>(.*?)</ul>", page, re.DOTALL) for page in pages]
    assert [re.findall("<li>(.*?)</li>", found[1]) for found in duties if found] == [
        [
            "Wayan Sudiarta opened it",
            "Bambang Hartono reviews",
            "Sri reviews",
            "Siti Aminah signed the decree",
        ],
        ["Wayan Sudiarta opened it"],
    ]
    assert ["wait for review" in page for page in pages] == [False, True]


def test_the_demonstration_says_so_and_an_account_that_is_none_is_refused(office: tuple[str, str]) -> None:
    visitor = Visitor(office[0])
    assert "Semua orang di sini rekaan" in visitor.get("/")
    with pytest.raises(URLError, match="404"):
        visitor.post("/demo/", account="nobody@demo.invalid")


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_the_demonstration_nobody_signs_in_like_that(database: str, method: str) -> None:
    from django.test import Client

    answer = getattr(Client(), method)("/demo/", {"account": "sri@demo.invalid"})
    assert answer.status_code == 404


def test_opened_again_nothing_is_done_twice(office: tuple[str, str], folder: Path) -> None:
    with opened(folder) as (address, told):
        assert letters(told) == letters(office[1])
        siti = Visitor(address)
        siti.post("/demo/", account="siti@demo.invalid")
        assert siti.get("/en/petugas/siklus/1/").count("Some units were decided again") == 1
