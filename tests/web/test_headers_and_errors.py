"""What surrounds every answer: its language, headers, line in the log; and errors that are pages, not puzzles."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

SECRET = "3510011503909001"  # noqa: S105  # a NIK, as a link or a form might bring it


def ask(url: str, data: bytes | None = None, **headers: str) -> tuple[int, Message, str]:
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


# ---- headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/gallery/", "/nothing-here/", "/gallery/broken/", "/healthz"])
def test_everything_is_closed_unless_opened(site: str, path: str) -> None:
    _, headers, _ = ask(site + path)
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split("; ")}
    assert policy == {
        "default-src": ["'none'"], "style-src": ["'self'"], "img-src": ["'self'", "data:"],
        "form-action": ["'self'"], "base-uri": ["'none'"], "frame-ancestors": ["'none'"],
    }  # fmt: skip
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in headers["Permissions-Policy"]
    assert len(headers["X-Request-ID"]) == 16


def test_a_view_opens_what_it_needs(site: str) -> None:
    _, headers, _ = ask(site + "/gallery/scripted/")
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    _, headers, _ = ask(site + "/robots.txt")
    assert headers["Cache-Control"] == "public, max-age=3600"


def test_static_files_are_kept_for_ever_and_compressed(site: str) -> None:
    _, _, html = ask(site + "/gallery/")
    path = html.split('rel="stylesheet" href="')[1].split('"')[0]
    status, headers, _ = ask(site + path)
    assert status == 200
    assert "immutable" in headers["Cache-Control"]
    request = urllib.request.Request(site + path, headers={"Accept-Encoding": "gzip"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.read()) < 16 * 1024


# ---- languages ---------------------------------------------------------------------------------------------


def test_the_address_alone_chooses_the_language(site: str) -> None:
    for asked in ("id", "en"):
        for path, language in (("/gallery/", "id"), ("/en/gallery/", "en")):
            _, headers, html = ask(site + path, **{"Accept-Language": asked})
            assert f'<html lang="{language}">' in html
            assert headers["Content-Language"] == language
    assert 'hreflang="en" href="/en/gallery/"' in ask(site + "/gallery/")[2]
    assert 'hreflang="id" href="/gallery/"' in ask(site + "/en/gallery/?nik=1")[2]


def test_numbers_days_and_hours_are_written_as_the_language_does(site: str) -> None:
    indonesian, english = ask(site + "/gallery/")[2], ask(site + "/en/gallery/")[2]
    assert "Rp9.630.000.000" in indonesian
    assert "Rp9,630,000,000" in english
    assert "3 November 2026, 09.15 WIB" in indonesian
    assert "3 November 2026, 09:15 WIB" in english


# ---- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "indonesian", "english"),
    [
        ("nothing/", 404, "Halaman tidak ditemukan", "Page not found"),
        ("gallery/broken/", 500, "Ada kesalahan pada layanan ini", "Something went wrong here"),
        (
            "gallery/refused/",
            403,
            "Anda tidak berhak melakukan ini di sini.",
            "You have no right to do this here.",
        ),
        ("gallery/cannot/", 422, "Ini belum dapat dilakukan", "This cannot be done now"),
        ("gallery/throttled/", 429, "Coba lagi 25 menit lagi.", "Try again in 25 minutes."),
    ],
)
def test_an_error_is_a_page_in_both_languages(
    site: str, path: str, status: int, indonesian: str, english: str
) -> None:
    for prefix, sentence in (("/", indonesian), ("/en/", english)):
        code, headers, html = ask(site + prefix + path)
        assert code == status
        assert sentence in html
        assert "salur." in html
        assert SECRET not in html
        assert ("Retry-After" in headers) == (status == 429)


def test_a_form_without_its_token_is_refused_with_what_to_do(site: str) -> None:
    status, _, html = ask(site + "/en/gallery/", data=b"reason=x")
    assert status == 403
    assert "reload the page and send it again" in html


def test_what_is_too_large_is_not_read(site: str) -> None:
    for prefix, language, sentence in (
        ("/", "id", "Terlalu banyak yang dikirim"),
        ("/en/", "en", "Too much was sent at once"),
    ):
        status, headers, html = ask(
            f"{site}{prefix}gallery/", data=b"", **{"Content-Length": str(11 * 2**20)}
        )
        assert status == 413
        assert sentence in html
        assert "salur." in html
        assert (headers["Content-Language"], headers["Cache-Control"]) == (language, "no-store")


def test_a_page_for_forms_alone_says_so(site: str) -> None:
    for prefix, sentence in (("/", "Halaman ini hanya dibuka"), ("/en/", "This page is opened by its form")):
        status, headers, html = ask(f"{site}{prefix}gallery/posted/")
        assert (status, headers["Allow"]) == (405, "POST")
        assert sentence in html


def test_another_host_is_not_served(site: str) -> None:
    assert ask(site + "/gallery/", Host="evil.example")[0] == 400


# ---- logs --------------------------------------------------------------------------------------------------


def test_the_log_knows_the_route_and_nothing_of_whom_it_is_about(site: str, site_log: Path) -> None:
    ask(f"{site}/gallery/7?nik={SECRET}&code=K7QF29XM")
    ask(f"{site}/gallery/7/?nik={SECRET}&code=K7QF29XM", Referer=f"{site}/?nik={SECRET}")
    ask(f"{site}/gallery/", data=f"reason={SECRET}+K7QF29XM".encode())
    ask(f"{site}/gallery/broken/?code=K7QF29XM")
    ask(f"{site}/gallery/K7QF29XM/")
    ask(f"{site}/undangan/K7QF29XM/")
    ask(f"{site}/undangan/K7QF29XM/", data=b"x=1")
    ask(f"{site}/gallery/cannot/?code=K7QF29XM")
    _, headers, _ = ask(f"{site}/en/gallery/broken/?code=K7QF29XM")
    text = site_log.read_text("utf-8")
    assert SECRET not in text
    assert "K7QF29XM" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    routes = {line["message"] for line in lines if line["logger"] == "salur.requests"}
    assert "GET /gallery/<int:number>/ 200" in routes
    same = [line for line in lines if line.get("request_id") == headers["X-Request-ID"]]
    assert {line["logger"] for line in same} == {"django.request", "salur.requests"}


# ---- health, and what a proxy changes ------------------------------------------------------------------------


def test_health_tells_only_whether_the_database_answers(site: str) -> None:
    status, _, text = ask(site + "/healthz")
    assert (status, text) == (200, "ok\n")


HTTPS = """
import os
os.environ |= {"SALUR_ORIGIN": "https://salur.example", "SALUR_HOSTS": "salur.example", "SALUR_DATABASE_URL": "sqlite:////nowhere/x"}
import salur.web
salur.web.setup()
from django.test import Client
from django.core.management import call_command
plain = Client(headers={"host": "salur.example"})
behind = Client(headers={"host": "salur.example", "x-forwarded-proto": "https"})
print(plain.get("/robots.txt").headers["Location"])
print(behind.get("/robots.txt").headers["Strict-Transport-Security"])
print(plain.get("/healthz").status_code)
call_command("check", deploy=True, fail_level="WARNING")
"""


def test_behind_a_proxy_everything_is_https_and_a_lost_database_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HTTPS], env={"SALUR_HOME": str(tmp_path), "PATH": ""} | _python_path(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    location, transport, health = done.stdout.splitlines()[:3]
    assert location == "https://salur.example/robots.txt"
    assert transport == "max-age=31536000; includeSubDomains"
    assert health == "503"


def _python_path() -> dict[str, str]:
    import os

    return {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}


def test_a_package_page_stands_in_our_frame(site: str) -> None:
    """allauth's pages extend this layout, in Django's own template language."""
    from django.template import engines
    from django.utils.translation import override

    page = engines["django"].from_string(
        '{% extends "allauth/layouts/base.html" %}{% block head_title %}Sign in{% endblock %}'
        "{% block content %}<p>{{ name }}</p>{% endblock %}{% block extra_body %}<i></i>{% endblock %}"
    )
    with override("id"):
        html = page.render({"name": "<b>"}, None)
    assert "<title>Sign in · Salur</title>" in html
    assert "<p>&lt;b&gt;</p>" in html
    assert '<html lang="id">' in html
    assert html.index("</footer>") < html.index("<i></i>")
