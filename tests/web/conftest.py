"""The site of the gallery, served as `salur serve` does; the tools of the stylesheet."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.needs import optional

ROOT = Path(__file__).resolve().parents[2]
STYLES = ROOT / "styles"


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of styles/ with its tools installed from the lock."""
    if shutil.which("npm") is None:
        optional("Node.js with npm is not installed")
    folder = tmp_path_factory.mktemp("tools") / "styles"
    shutil.copytree(STYLES, folder, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the gallery, with a database of its own and the banner of a demonstration."""
    environment = os.environ | {
        "SALUR_HOME": str(tmp_path_factory.mktemp("home")),
        "SALUR_DEMO": "1",
        "SALUR_LOG_LEVEL": "INFO",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv = ['salur', 'migrate']; from salur.commands import main; main()"],
        env=environment, check=True, capture_output=True,
    )  # fmt: skip
    log = tmp_path_factory.mktemp("log") / "site.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.web.gallery", "0"],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
    with server:
        assert server.stdout is not None
        said = server.stdout.readline()
        address = re.search(r"http://[0-9.:]+", said)
        assert address, said + log.read_text("utf-8")
        os.environ["SALUR_TEST_SITE_LOG"] = str(log)
        yield address.group()
        server.terminate()


@pytest.fixture(scope="package")
def site_log(site: str) -> Path:
    return Path(os.environ["SALUR_TEST_SITE_LOG"])
