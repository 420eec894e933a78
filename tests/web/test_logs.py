"""Logs carry no number of a person, in any spelling and in any field, and each line is one JSON object."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from salur.web.logs import MASK, JsonFormatter, WithoutAddress, mask

NIK = "3510" + "0115" + "0390" + "9001"
SPELLINGS = [
    NIK,
    "3510 0115 0390 9001",
    "35.10.01.150390.9001",
    "351001-150390-9001",
    "3510 - 0115 - 0390 - 9001",
    "3510_0115_0390_9001",
    "35/10/01/15/03/90/9001",
    "3510,0115,0390,9001",
    "3510\u00a00115\u20130390\u20119001",
    "3510\n0115\n0390\n9001",
    " ".join(NIK),
    f"NIK{NIK}x",
    "٣٥١٠٠١١٥٠٣٩٠٩٠٠١",
    NIK + "123",
    NIK * 2,
    f"{NIK}abc",
]
PHONES = ["081234567890", "+6281234567890", "62 812-3456-7890", "0812 3456 789", "+62 (0)812.3456.7890"]
HARMLESS = [
    "village 35.10.01.2001",
    "2026-11-21 23:35:00,123",
    "2026-08-21T08:11:12.123456+07:00",
    "took 0.8123456789 s",
    "decree 300.2.2-2430",
    "unit 123456789012345",
    "Rp 1.800.000",
    "sha256:3727ffe9acecbc0dbaddd6ad7d7d231ef19e2a5d147cc2aa84ac123456789012",
    "0812345678901234567890123456789a",
]


@pytest.mark.parametrize("spelling", SPELLINGS + PHONES)
def test_a_number_of_a_person_is_masked(spelling: str) -> None:
    masked = mask(f"before {spelling} after")
    assert MASK in masked
    assert not any(character.isdigit() for character in masked)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_numbers_stay_readable(text: str) -> None:
    assert mask(text) == text


def lines(**extra: Any) -> dict[str, Any]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.Logger("salur.test")
    logger.addHandler(handler)
    try:
        raise ValueError(f"bad {NIK}")
    except ValueError:
        logger.exception("row %s of %s", 7, NIK, extra=extra)
    (line,) = stream.getvalue().splitlines()
    assert NIK not in line
    record: dict[str, Any] = json.loads(line)
    return record


def test_every_field_of_a_line_is_masked_and_it_stays_json() -> None:
    record = lines(nik=int(NIK), rows=12, ok=True, nested={"kk": [NIK, {NIK: 1.5}]}, phone="0812-3456-7890")
    assert record["message"] == f"row 7 of {MASK}"
    assert record["level"] == "ERROR"
    assert record["logger"] == "salur.test"
    assert (record["nik"], record["rows"], record["ok"], record["phone"]) == (MASK, 12, True, MASK)
    assert record["nested"] == {"kk": [MASK, {MASK: 1.5}]}
    assert f"ValueError: bad {MASK}" in record["exc_info"]
    assert record["time"][:2] == "20"


def test_every_logger_of_the_settings_writes_masked_json() -> None:
    """Django's own loggers would otherwise print a request's path in clear."""
    from django.conf import settings

    formatters = {handler["formatter"] for handler in settings.LOGGING["handlers"].values()}
    assert formatters == {"json"}
    for name in ("", "django", "django.request", "django.server", "salur.regions"):
        logger: logging.Logger | None = logging.getLogger(name)
        handlers: list[logging.Handler] = []
        while logger:
            handlers += logger.handlers
            logger = logger.parent if logger.propagate else None
        ours = [handler for handler in handlers if type(handler) is logging.StreamHandler]
        assert all(isinstance(handler.formatter, JsonFormatter) for handler in ours), name
        assert len(ours) == 1, name


def test_what_was_sent_is_not_quoted() -> None:
    """What Django and gunicorn say of a request that they refuse."""
    quoting = [
        ("django.security.DisallowedHost", "Invalid HTTP_HOST header: 'BRI:002901047385509'.", ()),
        (
            "gunicorn.error",
            "Invalid request from ip=127.0.0.1: Invalid HTTP method: 'BRI:002901047385509'",
            (),
        ),
        ("gunicorn.error", "Error handling request %s %s", ("GET", "/BRI:002901047385509")),
    ]
    for name, message, args in quoting:
        record = logging.LogRecord(name, logging.WARNING, "", 0, message, args, None)
        assert WithoutAddress().filter(record)
        assert "0029" not in record.getMessage()
    record = logging.LogRecord("gunicorn.error", logging.DEBUG, "", 0, "%s %s", ("GET", "/x"), None)
    assert not WithoutAddress().filter(record)
