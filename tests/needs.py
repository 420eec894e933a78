"""Optional parts of the machine that some tests need: skipped on a laptop, a failure in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def optional(reason: str) -> NoReturn:
    """Call it when an optional part is missing: `if not chromium: optional("Chromium is not installed")`.

    On a laptop the test is skipped with the reason; where the variable CI is set it fails, so that nothing is
    left out there unseen.
    """
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        pytest.fail(
            f"{reason}; in CI every optional part must be there (.ci/run installs them).", pytrace=False
        )
    pytest.skip(reason)
