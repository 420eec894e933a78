"""A citizen with the letter, by the keyboard alone."""

from __future__ import annotations

from typing import Any

from tests.browser import press, write, write_day


def read_by_keyboard(page: Any, address: str, code: str, born: str) -> None:
    """From the form to the decision on PKH in the last quarter of 2026. `born`: a day as ISO text."""
    page.goto(f"{address}/mengapa/")
    write(page, "#code", code.lower())
    write_day(page, "born", born)
    page.keyboard.press("Enter")
    page.wait_for_url("**/keputusan/")
    press(page, "a[href$='/pkh/2026-Q4/']")
    page.wait_for_url("**/pkh/2026-Q4/")
