"""Officers for tests, and PostgreSQL behind a role that is no superuser."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests import postgres

from salur.access import selectors, services
from salur.access.models import Officer
from salur.access.policy import SYSTEM, Actor

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ROLE = "salur_office"
_numbers = itertools.count(1)


def make_officer(*grants: tuple[str, str], now: datetime = NOW) -> Actor:
    """An officer with these (role, region), as the policy sees them."""
    officer = Officer.objects.create_user(f"officer{next(_numbers)}@example.go.id", "Sri")
    for role, region in grants:
        services.grant_give(now=now, actor=SYSTEM, officer=officer.id, role=role, region=region)
    return selectors.actor(officer.id, now=now)


@pytest.fixture
def as_office(database: str, database_url: str) -> Iterator[Callable[[], None]]:
    """Call it to go on as a role that PostgreSQL does not let past row-level security; nothing on SQLite."""
    from django.db import connection, connections

    def become() -> None:
        if database != "postgres":
            return
        postgres.execute(
            database_url,
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS; "
            "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        )
        name = connection.settings_dict["NAME"]
        postgres.execute(database_url, f"GRANT ALL ON DATABASE {name} TO {ROLE}")
        postgres.execute(database_url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
        postgres.execute(database_url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
        settings: dict[str, Any] = connections["default"].settings_dict
        connection.close()
        settings["USER"] = ROLE

    yield become
    connection.close()
