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
from http.cookiejar import CookieJar
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest

SALUR = [sys.executable, "-c", "from salur.commands import main; main()"]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of an office of 300 families, and what was printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("office")
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


def test_a_family_reads_why_with_the_letter_that_was_printed(office: tuple[str, str]) -> None:
    letter = re.search(r"(\w{4}-\w{4}-\w{4})  born (\d{4})-(\d\d)-(\d\d)  eligible", office[1])
    assert letter, office[1][-2000:]
    code, year, month, day = letter.groups()
    family = Visitor(office[0])
    fields = {"code": code, "born-day": str(int(day)), "born-month": str(int(month)), "born-year": year}
    assert "sembako" in family.post("/mengapa/", **fields)
    assert "Keluarga Anda berhak" in family.get("/keputusan/sembako/2026-Q4/")


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
