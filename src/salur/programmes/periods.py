"""Periods as texts that sort in their order: 2026-11, 2026-Q4, 2026-S2, 2026, and 2026 for what is given once.

>>> span("2026-Q4", "quarter")
(datetime.date(2026, 10, 1), datetime.date(2026, 12, 31))
>>> span("2026-13", "month") is None
True
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

_FORMS = {
    "month": (r"(\d{4})-(0[1-9]|1[0-2])", 1),
    "quarter": (r"(\d{4})-Q([1-4])", 3),
    "semester": (r"(\d{4})-S([12])", 6),
    "year": (r"(\d{4})()", 12),
    "once": (r"(\d{4})()", 12),
}
EXAMPLES = {
    "month": "2026-11",
    "quarter": "2026-Q4",
    "semester": "2026-S2",
    "year": "2026",
    "once": "2026",
}


@lru_cache(maxsize=256)
def span(text: str, kind: str) -> tuple[date, date] | None:
    """The first and last day of a period of a rulebook's kind; None if the text is not such a period."""
    form, months = _FORMS[kind]
    if (found := re.fullmatch(form, text, re.ASCII)) is None or not 1900 <= int(found[1]) <= 2200:
        return None
    first = date(int(found[1]), (int(found[2] or 1) - 1) * months + 1, 1)
    after = first.month + months - 1
    last = date(first.year + after // 12, after % 12 + 1, 1) - timedelta(days=1)
    return first, last
