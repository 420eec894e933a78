"""The real site with its database, a worker to call, and a browser signed in as any of its officers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import postgres

ROOT = Path(__file__).resolve().parents[2]
SALUR = "import sys; sys.argv[0] = 'salur'; from salur.commands import main; main()"


@dataclass
class Site:
    """A running `salur serve`."""

    address: str
    environment: dict[str, str]
    made: dict[str, Any]

    def salur(self, *arguments: str) -> None:
        subprocess.run([sys.executable, "-c", SALUR, *arguments], env=self.environment, check=True)

    def ask(self, *arguments: str) -> Any:
        """What `tests.officers.site` answers: the test's own look into the database."""
        told = subprocess.run(
            [sys.executable, "-m", "tests.officers.site", *arguments],
            env=self.environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return json.loads(told.stdout)

    def context(self, browser: Any, who: str, **more: Any) -> Any:
        """A browser's context signed in as an officer."""
        context = browser.new_context(bypass_csp=more.pop("bypass_csp", True), **more)
        cookie = {"name": "salur", "value": self.made["sessions"][who], "url": self.address}
        context.add_cookies([cookie])
        return context


@contextmanager
def owned_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database as docs/operate.md makes one: its owner is no superuser, so row-level security holds."""
    url: str = request.getfixturevalue("postgres_url")
    postgres.execute(url, "CREATE ROLE salur_site LOGIN NOSUPERUSER NOBYPASSRLS")
    postgres.execute(url, "CREATE DATABASE salur_site OWNER salur_site")
    yield postgres.beside(url, "salur_site").replace("//salur@", "//salur_site@")
    postgres.execute(url, "DROP DATABASE salur_site WITH (FORCE)")
    postgres.execute(url, "DROP ROLE salur_site")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("office")
    address = f"http://localhost:{port}"
    environment = os.environ | {
        "SALUR_HOME": str(folder / "home"), "SALUR_DEMO": "1", "SALUR_ORIGIN": address, "SALUR_LOG_LEVEL": "INFO",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    with ExitStack() as ends:
        if request.param == "postgres":
            environment["SALUR_DATABASE_URL"] = ends.enter_context(owned_database(request))
        yield from running(Site(address, environment, {}), folder, port)


def running(site: Site, folder: Path, port: int) -> Iterator[Site]:
    site.salur("migrate")
    site.salur("people", "keys", "init")
    site.made = site.ask("prepare", str(folder))
    with (folder / "site.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-c", SALUR, "serve", "--port", str(port), "--workers", "1"],
            env=site.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip
    with server:
        assert server.stdout is not None
        said = server.stdout.readline()
        assert "Salur is at" in said, said + (folder / "site.log").read_text("utf-8")
        yield site
        server.terminate()


@pytest.fixture
def signed_in(site: Site, browser: Any) -> Iterator[Callable[..., Any]]:
    """A page signed in as an officer; closed after the test."""
    contexts = []

    def enter(who: str, **more: Any) -> Any:
        contexts.append(site.context(browser, who, **more))
        return contexts[-1].new_page()

    yield enter
    for context in contexts:
        context.close()
