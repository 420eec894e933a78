"""What happened is told in words on the officers' pages, never by the name of an event."""

from __future__ import annotations

import re
from pathlib import Path

from salur.officers import words

ROOMS = Path(words.__file__).parents[1]
SHOWN = re.compile(r'kind="([a-z_.]+)",\s*subject=f"(?:cycle|unit|family|decision):')


def test_every_event_that_a_page_shows_has_words() -> None:
    kinds = {
        kind
        for room in ("programmes", "people", "cases")
        for file in (ROOMS / room).rglob("*.py")
        for kind in SHOWN.findall(file.read_text("utf-8"))
    }
    assert len(kinds) > 10
    assert kinds - set(words.EVENTS) == set()
