"""What every page of the officers must pass, and a passkey for the browser."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.browser import faults_of_accessibility

PICTURES = os.environ.get("OFFICERS_PICTURES", "")  # a folder, to look at every page


def without_scripts(page: Any) -> Any:
    """The page runs no scripts of its own from now on."""
    page.switch = page.context.new_cdp_session(page)
    _scripts(page, False)
    return page


def _scripts(page: Any, run: bool) -> None:
    if switch := getattr(page, "switch", None):
        switch.send("Emulation.setScriptExecutionDisabled", {"value": not run})


def looked_at(page: Any, name: str, wrong: bool = False) -> None:
    """Nothing that axe finds, in both languages; nothing sticks out at 320 pixels. `wrong`: the page is an answer to
    a form, or in one language, so it is looked at as it stands."""
    here = page.url
    size = page.viewport_size
    for language in ("id", "en"):
        if language == "en":
            if wrong:
                continue
            page.goto(here.replace("/petugas/", "/en/petugas/"))
        _scripts(page, True)  # axe is a script itself; those of the page are not run for it
        assert faults_of_accessibility(page) == [], (name, language)
        _scripts(page, False)
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, language, width)
            if PICTURES:
                page.screenshot(path=str(Path(PICTURES, f"{name}-{language}-{width}.png")), full_page=True)
                page.emulate_media(color_scheme="dark")
                page.screenshot(
                    path=str(Path(PICTURES, f"{name}-{language}-{width}-dark.png")), full_page=True
                )
                page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
    if not wrong:
        page.goto(here)


def with_passkey(page: Any, made: dict[str, str]) -> None:
    """Chromium's virtual authenticator, holding this passkey."""
    virtual = page.context.new_cdp_session(page)
    virtual.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
               "isUserVerified": True, "automaticPresenceSimulation": True}  # fmt: skip
    authenticator = virtual.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    credential = {**made, "isResidentCredential": False, "rpId": "localhost",
                  "signCount": int(time.time())}  # fmt: skip  # a counter that falls back is refused
    virtual.send("WebAuthn.addCredential", {"authenticatorId": authenticator, "credential": credential})
