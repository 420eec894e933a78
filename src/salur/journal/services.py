"""The only code that writes to the journal."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from salur.journal.models import DETAIL_LENGTH_MOST, SALT_BYTES, Event


def record(
    *,
    now: datetime,
    actor: str,
    kind: str,
    subject: str = "",
    case: str = "",
    detail: Mapping[str, object] | None = None,
) -> int:
    """Write one event in the transaction of the act that it tells of; returns its id.

    `actor`, `subject` and `case` are references like "officer:7", "cycle:3", "case:5". `detail` holds ids, counts,
    sums of rupiah and digests. Raises RuntimeError outside a transaction, ValueError if the detail is too long.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("an event belongs to the transaction of its act")
    text = json.dumps(dict(detail or {}), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if len(text) > DETAIL_LENGTH_MOST:
        raise ValueError(f"the detail of {kind} is longer than {DETAIL_LENGTH_MOST} characters")
    event = Event.objects.create(
        at=now,
        actor=actor,
        subject_ref=subject,
        kind=kind,
        case=case,
        detail=text,
        salt=secrets.token_bytes(SALT_BYTES),
    )
    return event.id
