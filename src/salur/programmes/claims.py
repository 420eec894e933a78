"""Claim codes: how a family opens its own decision without an account and without its NIK.

A code has eleven letters of Crockford's base 32 and a check letter. It is a keyed digest of the family's id, so that
a letter can be printed again and the code itself is stored nowhere. What is stored is a keyed digest of the code with
the birth date of each adult: one must have the letter and know a birth date. A code holds 55 bits, and five tries an
hour are all that a code or a source gets, whatever is guessed. A family keeps the version of the keys under which its
code was made, and so the code, until it is revoked.

>>> code = code_of(Keys(1, {1: bytes(32)}), 7)
>>> len(code), checks(code), checks(code[1] + code[0] + code[2:]), plain(shown(code).lower()) == code
(12, True, False, True)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection

from salur.people.protect import Keys
from salur.programmes.models import ClaimTry

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 12
ADULT_AGE_YEARS = 17  # who has an identity card
TRIES_MOST = 5
WINDOW = timedelta(hours=1)
_CODE, _OPENS, _TRIES = "claim code", "claim index", "claim tries"
_SPOKEN = str.maketrans(
    "OIL", "011", " -\u2010\u2011\u2012\u2013\u2014.\t"
)  # Crockford: what is mistaken for another
_SWEPT = 100


# ---- codes -------------------------------------------------------------------------------------------------


def code_of(keys: Keys, family_id: int, edition: int = 0, version: int | None = None) -> str:
    """The code of a family; the next `edition` when the last one was revoked. `version`: of the keys, the current one
    unless the family has a code already."""
    number = int.from_bytes(keys.digest(_CODE, f"{family_id}:{edition}", version)[:7], "big")
    letters = "".join(LETTERS[number >> 5 * place & 31] for place in range(CODE_LENGTH - 1))
    return letters + LETTERS[_times_x(_polynomial(letters))]


def shown(code: str) -> str:
    """As it is printed: in fours."""
    return "-".join(code[start : start + 4] for start in range(0, CODE_LENGTH, 4))


def plain(typed: str) -> str | None:
    """A code as it is stored, from what somebody typed; None if it is not twelve letters of a code.

    >>> plain("o1il-2345-6789"), plain("35100115039 09001"), plain("UUUU-UUUU-UUUU")
    ('011123456789', None, None)
    """
    code = typed.strip().upper().translate(_SPOKEN)
    return code if len(code) == CODE_LENGTH and all(letter in LETTERS for letter in code) else None


def checks(code: str) -> bool:
    """Whether the last letter fits the others: false for any one wrong letter and any two neighbours exchanged."""
    return _polynomial(code) == 0


def _polynomial(letters: str) -> int:
    """The letters as a polynomial over GF(32), at x."""
    value = 0
    for letter in letters:
        value = _times_x(value) ^ LETTERS.index(letter)
    return value


def _times_x(value: int) -> int:
    value <<= 1
    return value ^ 0b100101 if value & 32 else value


def index(keys: Keys, code: str, birth_date: date, version: int | None = None) -> bytes:
    """What is stored of a code: it opens with this birth date."""
    return keys.digest(_OPENS, f"{code}:{birth_date.isoformat()}", version)


def indexes(keys: Keys, code: str, birth_date: date) -> list[bytes]:
    """The same under every version of the keys: a letter stays good while its key is held."""
    return [index(keys, code, birth_date, version) for version in keys.versions]


# ---- tries -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tried:
    """Whether a try may be made, else after how many seconds; and the rows that count it."""

    wait_seconds: int
    rows: tuple[int, ...] = ()


def try_once(keys: Keys, code: str, source: str, now: datetime) -> Tried:
    """Count one try for the code and for the source, unless one of them has had its five within the hour.

    Inside a transaction. The code is counted as it was typed, whether there is such a code or not.
    """
    buckets = sorted(keys.digest(_TRIES, text) for text in (f"code:{code}", f"source:{source}"))
    _lock(buckets)
    old = ClaimTry.objects.filter(at__lte=now - WINDOW).order_by("id").select_for_update(skip_locked=True)
    ClaimTry.objects.filter(id__in=list(old.values_list("id", flat=True)[:_SWEPT])).delete()
    counted = ClaimTry.objects.filter(bucket__in=buckets, at__gt=now - WINDOW)
    times: dict[bytes, list[datetime]] = {bucket: [] for bucket in buckets}
    for bucket, at in counted.order_by("at").values_list("bucket", "at"):
        times[bytes(bucket)].append(at)
    full = [at[-TRIES_MOST] for at in times.values() if len(at) >= TRIES_MOST]
    if full:
        left = max(full) + WINDOW - now
        return Tried(max(1, -(-left // timedelta(seconds=1))))
    made = [ClaimTry.objects.create(bucket=bucket, at=now).id for bucket in buckets]
    return Tried(0, tuple(made))


def give_back(tried: Tried) -> None:
    """A try that opened was no guess: an office may help many families in an hour."""
    ClaimTry.objects.filter(id__in=tried.rows).delete()


def _lock(buckets: list[bytes]) -> None:
    """Nobody else counts in these buckets until the transaction ends; SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for bucket in buckets:  # in order, so that two never wait for each other
                key = int.from_bytes(hashlib.sha256(bucket).digest()[:8], "big", signed=True)
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])
