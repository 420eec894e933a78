"""The one settings file of Django. Everything that differs between places comes from SALUR_* variables.

| variable | meaning | without it |
|---|---|---|
| SALUR_HOME | folder of our own files | `$XDG_DATA_HOME/salur`, else `~/.local/share/salur` |
| SALUR_DATABASE_URL | `postgresql://user:pass@host/name`, `sqlite:////path` | `salur.sqlite3` in SALUR_HOME |
| SALUR_SECRET_KEY | key for sessions and signatures of the web | a 0600 file in SALUR_HOME, made once |
| SALUR_HOSTS | host names served, separated by commas | `localhost` |
| SALUR_LOG_LEVEL | DEBUG, INFO, WARNING or ERROR | WARNING |

Reading this file writes nothing; `salur.web.setup` prepares the folder and the key.
"""

from __future__ import annotations

import os
from typing import Any

from salur.web import database, home

SECRET_KEY = home.secret_key()
DEBUG = False
ALLOWED_HOSTS = os.environ.get("SALUR_HOSTS", "localhost").split(",")

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "salur.journal",
    "salur.access",
    "salur.regions",
    "salur.cases",
    "salur.people",
    "salur.programmes",
]
AUTH_USER_MODEL = "access.Officer"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": database.configure(
        os.environ.get("SALUR_DATABASE_URL") or database.sqlite_url(home.path() / "salur.sqlite3")
    )
}

# The sealed journal: one line a seal (docs/journal.md).
SEALS_FILE = home.path() / "journal" / "seals.jsonl"

LANGUAGE_CODE = "id"
LANGUAGES = [("id", "Bahasa Indonesia"), ("en", "English")]
TIME_ZONE = "Asia/Jakarta"
USE_TZ = True

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "salur.web.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("SALUR_LOG_LEVEL", "WARNING").upper()},
    # Django's own handlers would write lines that are neither JSON nor masked.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
