"""The database from one URL: a SQLite file by default, PostgreSQL by one setting.

SQLite settings and why: writers take the lock at the start of a transaction (IMMEDIATE), so two of them wait
for each other and never fail half-way; write-ahead log, so that readers go on meanwhile; `synchronous=FULL`,
so that what was committed survives a power cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

from salur.core.faults import InputError

BUSY_TIMEOUT_SECONDS = 20
CONNECTION_AGE_SECONDS = 60
_SQLITE = "django.db.backends.sqlite3"
_POSTGRES = "django.db.backends.postgresql"


def sqlite_url(file: Path) -> str:
    """
    >>> sqlite_url(Path("/srv/salur/salur.sqlite3"))
    'sqlite:////srv/salur/salur.sqlite3'
    """
    return f"sqlite:///{file}"


def configure(url: str) -> dict[str, Any]:
    """Django's settings for one database URL. Raises InputError if it is not SQLite or PostgreSQL.

    >>> configure("sqlite:////srv/salur.sqlite3")["OPTIONS"]["transaction_mode"]
    'IMMEDIATE'
    >>> configure("mysql://localhost/salur")
    Traceback (most recent call last):
    salur.core.faults.InputError: SALUR_DATABASE_URL must begin with sqlite:/// or postgresql://.
    """
    try:
        settings: dict[str, Any] = dict(dj_database_url.parse(url))
    except ValueError:
        settings = {}
    if settings.get("ENGINE") == _SQLITE:
        settings["CONN_MAX_AGE"] = CONNECTION_AGE_SECONDS  # to open the file anew costs more than a page
        settings["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_TIMEOUT_SECONDS,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    elif settings.get("ENGINE") == _POSTGRES:
        settings["CONN_MAX_AGE"] = CONNECTION_AGE_SECONDS
        settings["CONN_HEALTH_CHECKS"] = True
    else:
        raise InputError.of("SALUR_DATABASE_URL must begin with sqlite:/// or postgresql://.")
    return settings
