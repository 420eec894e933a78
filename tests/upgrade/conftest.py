"""A database that an earlier release left, restored beside an empty one of today."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import postgres
from tests.upgrade.make import HERE, SALUR

ROOT = HERE.parents[1]
Connected = Callable[[str], AbstractContextManager[None]]
RELEASES = sorted(file.name.removesuffix(".tar.xz") for file in HERE.glob("*.tar.xz"))


@dataclass(frozen=True)
class Place:
    """A home and its database, as an operator has them."""

    home: Path
    url: str  # on PostgreSQL of a role that owns its tables and is no superuser, as docs/operate.md asks
    admin_url: str

    @property
    def kind(self) -> str:
        return "sqlite" if self.url.startswith("sqlite") else "postgres"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "SALUR_HOME": str(self.home), "SALUR_DATABASE_URL": self.url,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        }  # fmt: skip

    def salur(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", SALUR, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def migrate(self) -> None:
        done = self.salur("migrate")
        assert done.returncode == 0, done.stderr


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def old(release: str, database_url: str, tmp_path: Path) -> Iterator[Place]:
    """What the release left; `database_url` is a fresh database of today's, of the same kind."""
    home = tmp_path / "home"
    home.mkdir()
    kind = "sqlite" if database_url.startswith("sqlite") else "postgres"
    with tarfile.open(HERE / f"{release}.tar.xz") as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none yet
        for member in archive.getmembers():
            if member.name.startswith(f"{kind}/"):
                member.name = member.name.removeprefix(f"{kind}/")
                archive.extract(member, home)
    dump = (home / "dump.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        file = home / "salur.sqlite3"
        connection = sqlite3.connect(file)
        connection.executescript(dump)
        connection.close()
        yield Place(home, f"sqlite:///{file}", f"sqlite:///{file}")
        return
    with owned(database_url, "old") as (url, admin_url):
        postgres.execute(url, dump)
        yield Place(home, url, admin_url)


@contextmanager
def owned(database_url: str, name: str) -> Iterator[tuple[str, str]]:
    """An empty database that belongs to the role `kantor`: its URL for that role, and for a superuser."""
    name = f"{database_url.rpartition('/')[2]}_{name}"
    postgres.execute(
        database_url,
        "DO $$ BEGIN CREATE ROLE kantor LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    postgres.execute(database_url, f"CREATE DATABASE {name} OWNER kantor")
    admin_url = postgres.beside(database_url, name)
    yield admin_url.replace("//salur@", "//kantor@"), admin_url
    postgres.execute(database_url, f"DROP DATABASE {name} WITH (FORCE)")
