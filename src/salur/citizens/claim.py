"""The cookie of a family that opened its decisions: its id and when, signed, for half an hour, and nothing else.

Scripts cannot read it, other sites cannot send it, and no row is kept of it.
"""

from __future__ import annotations

import hmac
from datetime import timedelta
from functools import lru_cache
from hashlib import sha256

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner, b64_encode
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import force_bytes

LASTS = timedelta(minutes=30)
NAME = "__Host-salur-family" if settings.SESSION_COOKIE_SECURE else "salur-family"


class Signer(TimestampSigner):
    """Django's own, with each key derived once."""

    def signature(self, value: str | bytes, key: str | bytes | None = None) -> str:
        digest = hmac.digest(_derived(self.salt, key or self.key), force_bytes(value), "sha256")
        return b64_encode(digest).decode()


@lru_cache(maxsize=8)
def _derived(salt: str, key: str | bytes) -> bytes:
    """As `django.utils.crypto.salted_hmac` does for a signer."""
    return sha256(force_bytes(f"{salt}signer") + force_bytes(key)).digest()


_SIGNER = Signer(salt="salur.citizens.claim")


def family_of(request: HttpRequest) -> int | None:
    """Whose decisions this browser may read now."""
    given = request.COOKIES.get(NAME)
    if not given:
        return None
    try:
        return int(_SIGNER.unsign(given, max_age=LASTS))
    except (BadSignature, ValueError):
        return None


def begin(response: HttpResponseBase, family_id: int) -> None:
    response.set_cookie(
        NAME, _SIGNER.sign(str(family_id)), max_age=LASTS, httponly=True, samesite="Strict",
        secure=settings.SESSION_COOKIE_SECURE,
    )  # fmt: skip


def end(response: HttpResponseBase) -> None:
    response.set_cookie(
        NAME, "", max_age=0, httponly=True, samesite="Strict", secure=settings.SESSION_COOKIE_SECURE
    )
