"""Logs: one JSON object a line on standard error, without personal data.

Numbers that can name a person are masked in every field (message, extra values, tracebacks), in whichever
spelling they come: NIK and family-card numbers (16 digits), card and account numbers of 16 digits or
more, and Indonesian mobile phone numbers. It is a safety net, not a permission: code does not log such
numbers at all.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter as _JsonFormatter

MASK = "[masked]"
_BETWEEN = r"[\s.,\-_/\u2010-\u2015]{0,3}"
_SIXTEEN_DIGITS = rf"(?<!\d)\d(?:{_BETWEEN}\d){{15,}}(?!\d)"
_PREFIX = r"(?:\+?62[\s.\-()]{0,3}(?:0[\s.\-()]{0,2})?|0[\s\-()]{0,2})"  # +62, 62, +62 (0), 0
_PHONE = rf"(?<!\d){_PREFIX}8(?:[\s.\-()]{{0,2}}\d){{7,11}}(?!\d)"
_HASH = r"\b(?=[0-9]*[a-f])[0-9a-f]{32,}\b"  # an auditor needs it whole; it may hold many digits in a row
_NUMBERS = re.compile(rf"(?P<hash>{_HASH})|{_SIXTEEN_DIGITS}|{_PHONE}")


def mask(text: str) -> str:
    """The text without numbers of persons.

    >>> mask("NIK 3510011503909001 and KK 35.10.01.150390.9001")
    'NIK [masked] and KK [masked]'
    >>> mask("call +62 812-3456-7890 about village 35.10.01.2001")
    'call [masked] about village 35.10.01.2001'
    """
    return _NUMBERS.sub(lambda found: found.group() if found["hash"] else MASK, text)


class JsonFormatter(_JsonFormatter):
    """Time (ISO 8601), level, logger, message and the extra values, all masked."""

    def __init__(self) -> None:
        super().__init__(
            "{asctime}{levelname}{name}{message}",
            style="{",
            datefmt="%Y-%m-%dT%H:%M:%S%z",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
            reserved_attrs=[*RESERVED_ATTRS, "request", "server_time"],  # Django's: with the whole address
        )

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        super().add_fields(log_data, record, message_dict)
        if request_id := _request_id():
            log_data["request_id"] = request_id

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        return {mask(str(key)): _masked(value) for key, value in log_data.items()}


class WithoutAddress(logging.Filter):
    """What was sent to us is left out: Django and gunicorn name the address of a page, or quote a request that they
    refuse, and either may hold a code or a number. The route, or the name of the logger, says enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        request: Any = getattr(record, "request", None)
        path = getattr(request, "path", None)
        if record.name.startswith("django.security.") and record.name != "django.security.csrf":
            record.msg, record.args, record.exc_info = "a request was refused", (), None
        elif record.name == "gunicorn.error":
            for beginning in ("Invalid request", "Error handling request"):
                if str(record.msg).startswith(beginning):
                    record.msg, record.args = beginning, ()
            return record.levelno > logging.DEBUG
        elif path is not None and isinstance(record.args, tuple):
            match = getattr(request, "resolver_match", None)
            route = f"/{match.route}" if match else "(no page)"
            record.args = tuple(
                route if value == path else value.partition(" - ")[0] if isinstance(value, str) else value
                for value in record.args  # csrf: "Origin checking failed - … does not match"
            )
        return True


def _request_id() -> str:
    """The id of the request that is being answered; none in a program that answers none."""
    requests: Any = sys.modules.get("salur.web.requests")
    return str(requests.current_id()) if requests is not None else ""


def _masked(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {mask(str(key)): _masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_masked(item) for item in value]
    text = str(value)
    clean = mask(text)
    return value if isinstance(value, (int, float)) and clean == text else clean
