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


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until this has the focus."""
    for _press in range(400):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(selector)


def press(page: Any, selector: str) -> None:
    """Follow a link or send a form."""
    tab_to(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def tick(page: Any, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Space")


def write(page: Any, selector: str, text: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Control+A")
    page.keyboard.type(text)


def write_day(page: Any, name: str, day: str) -> None:
    """A day (ISO) into the three fields of a date."""
    for part, text in zip(("year", "month", "day"), day.split("-"), strict=True):
        write(page, f"[name='{name}-{part}']", text)


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
