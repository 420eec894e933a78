"""Fixtures for every test: a real PostgreSQL, a real database of either kind behind Django, shared data."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests import postgres, spark
from tests.browser import chromium
from tests.needs import optional

# Tests never touch the databases and settings of whoever runs them.
kept = ("SALUR_SHARED", "SALUR_GUESSES")  # where lists are, how long to guess
for name in [name for name in os.environ if name.startswith("SALUR_") and name not in kept]:
    del os.environ[name]
os.environ["SALUR_LANG"] = "en"  # whatever the language of whoever runs them
os.environ["SALUR_HOME"] = tempfile.mkdtemp(prefix="salur-home-")

import salur.web  # noqa: E402
from salur.web.database import configure, sqlite_url  # noqa: E402

salur.web.setup()  # doctests of rooms with tables import their models
from django.conf import settings  # noqa: E402

settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]  # Django's test client
_numbers = count(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests measured, told and not judged."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["SALUR_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database on a throw-away PostgreSQL cluster, for psycopg and for SALUR_DATABASE_URL.

    Every worker of pytest-xdist has a cluster of its own. Tests share this database: take `database_url` for
    an empty one with Salur's tables.
    """
    folder = postgres.binaries()
    if folder is None:
        optional("PostgreSQL's server programs (initdb, postgres) are not installed")
    with postgres.cluster(folder) as url:
        yield url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.sqlite3"
    with _connected(sqlite_url(file)):
        _migrate()
    return file


@pytest.fixture(scope="session")
def _postgres_template(postgres_url: str) -> str:
    postgres.execute(postgres_url, "CREATE DATABASE salur_template")
    with _connected(postgres.beside(postgres_url, "salur_template")):
        _migrate()
    return "salur_template"


@pytest.fixture(scope="session")
def spark_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Spark in this process, slow to start, that every engine of that name uses."""
    if reason := spark.missing():
        optional(reason)
    with spark.running(tmp_path_factory.mktemp("spark")):
        yield


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database with all tables, of each kind; for `salur` in a process of its own."""
    if request.param == "sqlite":
        file = tmp_path / "salur.sqlite3"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), file)
        yield sqlite_url(file)
        return
    url = request.getfixturevalue("postgres_url")
    template, name = request.getfixturevalue("_postgres_template"), f"salur_{next(_numbers)}"
    postgres.execute(url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.beside(url, name)
    postgres.execute(url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(database_url: str) -> Iterator[str]:
    """Put an empty database with all tables behind Django in this process; the value is its kind."""
    with _connected(database_url):
        yield "sqlite" if database_url.startswith("sqlite") else "postgres"


@pytest.fixture
def as_office(database: str, database_url: str) -> Iterator[Callable[[], None]]:
    """Call it to go on as a role that PostgreSQL does not let past row-level security; nothing on SQLite."""
    from django.db import connection

    def become() -> None:
        if database == "postgres":
            postgres.let_in(database_url, connection.settings_dict["NAME"])
            connection.close()
            connection.settings_dict["USER"] = postgres.ROLE

    yield become
    connection.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium under Playwright, one for the whole run; a test opens and closes pages of its own."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the whole nation's lists: $SALUR_SHARED/data, or ../shared/data beside the checkout."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("SALUR_SHARED", beside)) / "data"
    if not (folder / "wilayah_id.csv.gz").exists():
        optional(
            "The nation's lists are not there; set SALUR_SHARED to the folder that has data/wilayah_id.csv.gz"
        )
    return folder


@pytest.fixture
def connected() -> Callable[[str], Any]:
    """Put any database behind Django in this process: `with connected(url):`."""
    return _connected


@contextmanager
def _connected(url: str) -> Iterator[None]:
    from django.db import connections

    before = connections.settings["default"]
    _point(url_settings=configure(url))
    try:
        yield
    finally:
        _point(url_settings=before)


def _point(*, url_settings: dict[str, object]) -> None:
    from django.db import connections

    connections["default"].close()
    connections.settings["default"] = connections.configure_settings({"default": url_settings})["default"]
    del connections["default"]


def _migrate() -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
