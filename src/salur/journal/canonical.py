"""The exact bytes of the journal: canonical JSON, and the digest (leaf) of one event. See docs/journal.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

FORMAT = 1


@dataclass(frozen=True)
class EventRow:
    """One event as it is told: `text` is its detail as it stands in the database, `salt` is in hexadecimal."""

    id: int
    at: datetime
    actor: str
    subject: str
    kind: str
    case: str
    text: str
    salt: str
    sealed_in: int | None

    @property
    def detail(self) -> dict[str, object]:
        return dict(json.loads(self.text))


def canonical(value: object) -> str:
    """JSON with sorted keys and no blanks.

    >>> canonical({"b": [1, "é"], "a": None})
    '{"a":null,"b":[1,"é"]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def moment(at: datetime) -> str:
    """
    >>> moment(datetime(2026, 11, 22, 3, 11, tzinfo=UTC))
    '2026-11-22T03:11:00.000000Z'
    """
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def leaf(event: EventRow) -> str:
    """The digest of an event in hexadecimal: RFC 6962 section 2.1's hash of a leaf, so that a log can take it over."""
    entry = canonical(
        {
            "format": FORMAT,
            "id": event.id,
            "at": moment(event.at),
            "actor": event.actor,
            "subject": event.subject,
            "kind": event.kind,
            "case": event.case,
            "detail": event.text,
            "salt": event.salt,
        }
    )
    return hashlib.sha256(b"\x00" + entry.encode()).hexdigest()
