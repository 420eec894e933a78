"""Sessions in the database that end after 30 idle minutes, and 10 hours after signing in however busy they are.

The end stands in the row's own `expire_date`, so that nothing but the database decides it. A session that is used
moves its end at most once a minute; a page that does not look at the session does not touch it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

IDLE_SECONDS = 30 * 60
LIFE_SECONDS = 10 * 60 * 60
MOVE_SECONDS = 60
BEGAN = "began"  # seconds since 1970, set when an officer signs in


class SessionStore(db.SessionStore):
    """Named by `SESSION_ENGINE`."""

    def load(self) -> dict[str, Any]:
        row = self._get_session_from_db()  # type: ignore[attr-defined]
        if row is None:
            return {}
        left = row.expire_date - timezone.now()
        self.modified = self.modified or left < timedelta(seconds=IDLE_SECONDS - MOVE_SECONDS)
        data: dict[str, Any] = self.decode(row.session_data)
        return data

    def get_session_cookie_age(self) -> int:
        """The seconds that are left: idle time, or the rest of the ten hours if that is less."""
        now = int(timezone.now().timestamp())
        return max(0, min(IDLE_SECONDS, int(self.get(BEGAN, now)) + LIFE_SECONDS - now))
