"""A real browser for tests of pages, and what every page must pass."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.needs import optional

FIRST_VISIT_BYTES, FIRST_VISIT_REQUESTS = 60 * 1024, 6


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's Chromium under Playwright.

    Playwright keeps an event loop in this thread, which Django would take for a program that must not ask a database.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        optional("Chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        optional("playwright is not installed")
    with sync_playwright() as playwright, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


def faults_of_accessibility(page: Any) -> list[tuple[str, list[str]]]:
    """What axe finds. The page's context must have been opened with `bypass_csp=True`."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found]


class Traffic:
    """What a page asks for, and how many bytes came over the wire (headers apart)."""

    def __init__(self, page: Any) -> None:
        self.urls: list[str] = []
        self.bytes = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", lambda e: self.urls.append(e["request"]["url"]))
        session.on("Network.loadingFinished", lambda e: self._count(e["encodedDataLength"]))

    def _count(self, length: float) -> None:
        self.bytes += int(length)
