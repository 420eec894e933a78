"""The short way of pages without a session gives what the long way gives, and leaves all else to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, override_settings
from tests.citizens.conftest import office, population, settings_keys, town
from tests.citizens.town import Town

from salur.core.faults import Fault, InputError
from salur.public import urls
from salur.web import headers, short, views

PAGES = (
    "/",
    "/en/",
    "/program/",
    "/en/program/",
    "/robots.txt",
    "/keputusan/",
    "/en/keputusan/",
    "/keputusan/pkh/2026-Q4/",
)
SECURE = {
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"), "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 3600, "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
}  # fmt: skip
__all__ = ["office", "population", "settings_keys", "town"]


@pytest.fixture(autouse=True)
def asked_anew(town: Town) -> Iterator[None]:
    for kept in (short._unsigned, headers._fixed):
        kept.cache_clear()
    yield
    for kept in (short._unsigned, headers._fixed):
        kept.cache_clear()


@contextmanager
def ways(monkeypatch: pytest.MonkeyPatch, *, open_: bool = True) -> Iterator[list[bool]]:
    """Whether each request took the short way; with `open_` false none does."""
    taken: list[bool] = []
    answer = short.answer

    def counted(request: HttpRequest, request_id: str) -> Any:
        response = answer(request, request_id) if open_ else None
        taken.append(response is not None)
        return response

    with monkeypatch.context() as patched:
        patched.setattr(short, "answer", counted)
        yield taken


def told(answer: Any) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, {**answer.headers, "X-Request-ID": ""}, answer.content


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("path", PAGES)
def test_it_gives_what_the_long_way_gives(path: str, secure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(**(SECURE if secure else {})):
        client = Client(SERVER_NAME="localhost", headers={"x-forwarded-proto": "https"} if secure else None)
        with ways(monkeypatch) as taken:
            briefly = client.get(path)
        with ways(monkeypatch, open_=False):
            at_length = client.get(path)
    assert taken == [True]
    assert told(briefly) == told(at_length)
    assert len(briefly["X-Request-ID"]) == 16
    assert ("Strict-Transport-Security" in briefly.headers) is secure


def test_what_is_out_of_the_ordinary_goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(SERVER_NAME="localhost")
    with ways(monkeypatch) as taken:
        assert client.get("/", headers={"host": "elsewhere.example"}).status_code == 400
        assert client.get("/no-such-page/").status_code == 404
        assert client.get("/program/no-such-programme/").status_code == 404
        assert client.post("/").status_code == 405
        assert client.get("/petugas/").status_code == 302
        with override_settings(**SECURE):
            assert Client(SERVER_NAME="localhost").get("/")["Location"] == "https://localhost/"
    assert taken == [False] * 6


@pytest.mark.parametrize(
    ("error", "status"), [(InputError([Fault.of("The file is not there.")]), 422), (RuntimeError(), 500)]
)
def test_what_fails_in_a_page_is_told_by_the_long_way(
    error: Exception, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: HttpRequest) -> Any:
        raise error

    monkeypatch.setattr(urls.urlpatterns[0], "callback", views.unsigned(broken))
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    with ways(monkeypatch) as taken:
        assert client.get("/").status_code == status
    assert taken == [False]
