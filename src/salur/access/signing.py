"""A digest signed with a passkey (WebAuthn Level 2, section 7.2): the challenge of the ceremony is the digest itself.

`begin` gives the options for `navigator.credentials.get` in the browser; `read` checks its answer and makes the
record that is stored (`services.signature_make`); `verify_signature` is the pure function with which an auditor
checks a stored record: the digest, the office's own origin, that the person was present and verified by the
authenticator, and the signature. Which public key belongs to which officer is told by the journal's event
`access.factor_added`. Not here: who may sign what.

>>> digest_of(b"what is decreed").hex()[:16]
'a1aab04e47c1e637'
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData, AuthenticationResponse, AuthenticatorData

from salur.core.faults import InputError

FORMAT = "salur-passkey-signature/1"
DIGEST_BYTES = 32
KEY_KINDS = {-7: 2, -8: 1, -257: 3}  # COSE: ES256, EdDSA, RS256 and the kind of key that each has (RFC 9053)
_FIELDS = ("public_key", "credential_id", "authenticator_data", "client_data", "signature")


class BadSignature(InputError):  # noqa: N818
    """The answer of the passkey, or a stored record, does not prove what it should."""


@dataclass(frozen=True)
class Signed:
    """What `read` found: the record for the auditor and what the database keeps beside it."""

    record: dict[str, str]
    credential_id: bytes
    counter: int
    signature: bytes


def digest_of(statement: bytes) -> bytes:
    return hashlib.sha256(statement).digest()


def rp_id_of(origin: str) -> str:
    """The relying party's id is the host name of the origin.

    >>> rp_id_of("https://salur.example.go.id"), rp_id_of("http://localhost:8000")
    ('salur.example.go.id', 'localhost')
    """
    return urlsplit(origin).hostname or ""


def begin(*, digest: bytes, credentials: Iterable[AttestedCredentialData], origin: str) -> dict[str, Any]:
    """Options for `navigator.credentials.get` as JSON: `parseRequestOptionsFromJSON` reads `publicKey`.

    `credentials`: the officer's passkeys (`selectors.passkeys`). Raises ValueError unless the digest has 32 bytes.
    """
    if len(digest) != DIGEST_BYTES:
        raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    allowed = [{"type": "public-key", "id": websafe_encode(c.credential_id)} for c in credentials]
    if not allowed:
        raise BadSignature.of("You have no passkey yet; add one before you sign.")
    return {
        "publicKey": {
            "challenge": websafe_encode(digest),
            "rpId": rp_id_of(origin),
            "allowCredentials": allowed,
            "userVerification": "required",
        }
    }


def read(
    response: Mapping[str, Any],
    *,
    digest: bytes,
    credentials: Iterable[AttestedCredentialData],
    origin: str,
) -> Signed:
    """Check the browser's answer (`credential.toJSON()`). Raises BadSignature unless it signs exactly this digest."""
    try:
        answer = AuthenticationResponse.from_dict(response)
        found = next((c for c in credentials if c.credential_id == answer.raw_id), None)
        inner = answer.response
        counter = inner.authenticator_data.counter
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadSignature.of("The passkey's answer cannot be read; try again.") from None
    if found is None:
        raise BadSignature.of("This passkey does not belong to the officer who signs.")
    record = {
        "format": FORMAT,
        "public_key": websafe_encode(cbor.encode(found.public_key)),
        "credential_id": websafe_encode(found.credential_id),
        "authenticator_data": websafe_encode(inner.authenticator_data),
        "client_data": websafe_encode(inner.client_data),
        "signature": websafe_encode(inner.signature),
    }
    verify_signature(record, digest, origin=origin)
    return Signed(record, found.credential_id, counter, inner.signature)


def verify_signature(record: Mapping[str, str], digest: bytes, *, origin: str) -> None:
    """Pass if the record proves that its key signed this digest at this origin; otherwise raise BadSignature.

    Pure: it needs neither a database nor Salur's settings. `origin` is the office's address, like
    `https://salur.example.go.id`.
    """
    if record.get("format") != FORMAT:
        raise BadSignature.of("The record is not of the format {format}.", format=FORMAT)
    try:
        key_bytes, _, data_bytes, client_bytes, signature = (websafe_decode(record[name]) for name in _FIELDS)
        key = CoseKey.parse(cast("Mapping[int, Any]", cbor.decode(key_bytes)))
        kind = KEY_KINDS[key[3]]
        data = AuthenticatorData(data_bytes)
        client = json.loads(client_bytes)
        challenge = websafe_decode(client["challenge"])
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, struct.error):
        raise BadSignature.of("The record of the signature is damaged.") from None
    if key.get(1) != kind or cbor.encode(key) != key_bytes:  # one key is written in one way
        raise BadSignature.of("The record of the signature is damaged.")
    if client.get("type") != "webauthn.get":
        raise BadSignature.of("The record is not a signature but another ceremony.")
    if challenge != digest:
        raise BadSignature.of("Something else was signed: the digest differs.")
    if client.get("origin") != origin or client.get("crossOrigin"):
        raise BadSignature.of("It was signed at another address than {origin}.", origin=origin)
    if data.rp_id_hash != hashlib.sha256(rp_id_of(origin).encode()).digest():
        raise BadSignature.of("It was signed for another site than {origin}.", origin=origin)
    if not (data.is_user_present() and data.is_user_verified()):
        raise BadSignature.of("The passkey did not check who was signing (fingerprint, face or PIN).")
    try:
        key.verify(data_bytes + hashlib.sha256(client_bytes).digest(), signature)
    except Exception:  # the library's own, one for each kind of key
        raise BadSignature.of("The signature does not fit the key.") from None
