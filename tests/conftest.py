"""Fixtures for every test: a real PostgreSQL, and a real database of either kind behind Django."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests import postgres
from tests.needs import optional


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a database on a throw-away PostgreSQL cluster, for psycopg and for SALUR_DATABASE_URL.

    Every worker of pytest-xdist has a cluster of its own. Tests share the database: name your tables apart,
    or take `postgres_database` for an empty database of your own.
    """
    folder = postgres.binaries()
    if folder is None:
        optional("PostgreSQL's server programs (initdb, postgres) are not installed")
    with postgres.cluster(folder) as url:
        yield url
