"""The town of `town.py`: on each database for tests in process, and served for tests in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.citizens.town import KEYS, Town, build
from tests.programmes.conftest import Office, office, population

__all__ = ["office", "population"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def town(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings_keys: Path) -> Town:
    monkeypatch.setenv("SALUR_DEMO", "1")
    return build(office)


@pytest.fixture
def settings_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The keys of the town, where the pages look for them."""
    from django.conf import settings

    from salur.people import keys

    file = tmp_path / "keys.json"
    keys.init(file, KEYS.secrets[1])
    monkeypatch.setattr(settings, "SALUR_KEYS_FILE", str(file))
    return file


@dataclass(frozen=True)
class Served:
    address: str
    opens: dict[str, tuple[int, str, str]]  # outcome → family, code, birth date


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("town")
    environment = os.environ | {
        "SALUR_HOME": str(home), "SALUR_DEMO": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    made = subprocess.run(
        [sys.executable, "-m", "tests.citizens.town", str(home)],
        env=environment, cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    rows = [line.split() for line in made.stdout.splitlines()]
    opens = {kind: (int(family), code, born) for kind, family, code, born in rows}
    serve = "from salur.web.serve import serve; serve(port=0, workers=1)"
    with subprocess.Popen(
        [sys.executable, "-c", f"import salur.web; salur.web.setup(); {serve}"],
        env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        address = re.search(r"http://[0-9.:]+", server.stdout.readline())
        assert address
        yield Served(address.group(), opens)
        server.terminate()
