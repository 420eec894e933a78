"""The compiled stylesheet is that of its sources, small, ours alone, and the lock of its tools names no address."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STYLES = ROOT / "styles"
COMPILED = ROOT / "src" / "salur" / "web" / "static" / "salur.css"


def test_it_is_what_its_sources_say(tools: Path) -> None:
    made = tools.parent / "salur.css"
    command = ["node_modules/.bin/sass", "--load-path=node_modules", "--no-source-map", "--no-charset"]
    subprocess.run([*command, "--style=compressed", "salur.scss", str(made)], cwd=tools, check=True)
    assert made.read_bytes() == COMPILED.read_bytes(), "run `make styles`"


def test_it_is_small() -> None:
    """14 KB with Brotli; zlib, which every Python has, needs about a seventh more."""
    assert len(zlib.compress(COMPILED.read_bytes(), 9)) < 16 * 1024


def test_it_asks_for_nothing_and_says_whose_it_is() -> None:
    css = COMPILED.read_text("utf-8")
    for word in ("url(", "@import", "@font-face", "GDS Transport", "://"):
        assert word not in css
    assert css.startswith("/*! Salur. Holds components of GOV.UK Frontend, MIT License")
    assert "github.com/alphagov/govuk-frontend" in (ROOT / "NOTICE").read_text("utf-8")


def test_the_lock_holds_hashes_and_no_addresses() -> None:
    packages = json.loads((STYLES / "package-lock.json").read_text("utf-8"))["packages"]
    assert packages.pop("")
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
