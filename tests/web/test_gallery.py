"""A page with every component in a real browser: readable by everyone, small, and silent to the rest of the world."""

from __future__ import annotations

from typing import Any

import pytest
from tests.browser import FIRST_VISIT_BYTES, FIRST_VISIT_REQUESTS, Traffic, faults_of_accessibility

PATHS = {"id": "/gallery/", "en": "/en/gallery/"}
both = pytest.mark.parametrize("language", ["id", "en"])


@both
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault(browser: Any, site: str, language: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page.goto(site + PATHS[language])
    assert page.locator("html").get_attribute("lang") == language
    assert faults_of_accessibility(page) == []
    page.close()


@both
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_sticks_out_and_no_script_is_needed(
    browser: Any, site: str, language: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False)
    page = context.new_page()
    page.goto(site + PATHS[language])
    main = page.locator("html").bounding_box()
    sticking_out = [
        box for box in (e.bounding_box() for e in page.locator("main *:visible").all())
        if box and box["x"] + box["width"] > width + 0.5
    ]  # fmt: skip
    assert main["width"] == width
    assert sticking_out == []
    page.locator("summary").first.click()
    assert page.get_by_text("Tujuh data dari tiga daftar.").is_visible()
    context.close()


@both
def test_the_first_visit_is_small_and_asks_nobody_else(browser: Any, site: str, language: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    traffic = Traffic(page)
    page.goto(site + PATHS[language], wait_until="networkidle")
    assert all(url.startswith(site) for url in traffic.urls)
    assert len(traffic.urls) <= FIRST_VISIT_REQUESTS
    assert 10_000 < traffic.bytes <= FIRST_VISIT_BYTES
    assert said == []  # the policy of contents blocks nothing that the page needs
    context.close()


def test_whatever_has_the_focus_is_seen(browser: Any, site: str) -> None:
    """Tab through the whole page: the first stop is the way past the menu, and each stop has a ring."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(site + PATHS["id"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#content"
    stops = 0
    while page.evaluate("document.activeElement !== document.body"):
        ring = page.evaluate(
            """() => { const e = document.activeElement, seen = e.matches('[type=radio], [type=checkbox]')
                 ? getComputedStyle(e.nextElementSibling, '::before') : getComputedStyle(e)
               return [e.outerHTML.slice(0, 90), seen.outlineStyle, seen.outlineWidth, seen.outlineColor] }"""
        )
        assert ring[1:3] == ["solid", "3px"], ring
        assert "0)" not in ring[3], ring  # no transparent ring
        stops += 1
        page.keyboard.press("Tab")
        assert stops < 200
    assert stops > 40
    page.close()


def test_what_can_be_pressed_is_large_enough(browser: Any, site: str) -> None:
    """24 by 24 pixels (WCAG 2.2, 2.5.8), but for links inside sentences."""
    page = browser.new_page(viewport={"width": 320, "height": 900})
    page.goto(site + PATHS["id"])
    targets = page.locator(
        "button, input, select, textarea, summary, .nav a, .govuk-pagination__item, a.govuk-button"
    )
    small = [
        (e.evaluate("e => e.outerHTML.slice(0, 80)"), box)
        for e in targets.all()
        if (box := e.bounding_box()) and min(box["width"], box["height"]) < 24
    ]
    assert small == []
    page.close()


@pytest.mark.parametrize("media", [{"forced_colors": "active"}, {"media": "print"}])
def test_forced_colours_and_paper_lose_nothing(browser: Any, site: str, media: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 800, "height": 900})
    page.goto(site + PATHS["id"])
    page.emulate_media(**media)
    for words in ("Keluarga Anda berhak menerima PKH.", "Sumber: Dapodik", "Keluarga menurut kecamatan"):
        assert page.get_by_text(words).first.is_visible()
    if "media" in media:
        assert not page.locator(".nav").is_visible()
        assert not page.locator(".govuk-button").first.is_visible()
    else:
        assert (
            page.locator(".govuk-button").first.evaluate("e => getComputedStyle(e).borderTopStyle") == "solid"
        )
    page.close()
