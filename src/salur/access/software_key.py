"""A passkey made of software (P-256), for the demonstration and for tests; refused everywhere else.

It answers the options of a registration and of an authentication as a browser with a platform authenticator would,
the person always present and verified. It protects nothing: whoever has the seed has the key.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

from salur.core.faults import InputError

DEMO_VARIABLE = "SALUR_DEMO"
_SCALAR_BYTES = 40  # 64 bits more than the order of the curve, so that the remainder is even
_FLAG = AuthenticatorData.FLAG


def allowed() -> bool:
    return os.environ.get(DEMO_VARIABLE) == "1"


class SoftwareKey:
    """One credential. The same seed gives the same key; `origin` is where its browser stands.

    `counter` grows with each use, `counts=False` leaves it at 0 as synced passkeys do; `verified=False` is a faulty
    authenticator that did not check the person.
    """

    def __init__(
        self, seed: bytes, origin: str, *, counter: int = 0, counts: bool = True, verified: bool = True
    ) -> None:
        if not allowed():
            raise InputError.of(
                "A passkey made of software exists only in the demonstration ({variable}=1).",
                variable=DEMO_VARIABLE,
            )
        scalar = HKDF(hashes.SHA256(), _SCALAR_BYTES, salt=None, info=b"salur demo passkey").derive(seed)
        order = int("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551", 16)
        self._key = ec.derive_private_key(int.from_bytes(scalar) % (order - 1) + 1, ec.SECP256R1())
        self.credential_id = hashlib.sha256(b"salur demo credential" + seed).digest()
        self.origin = origin
        self.counter = counter
        self._step = 1 if counts else 0
        self._verified = verified
        self._user = ""

    def register(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.create`: what the browser's `toJSON` gives."""
        public = options["publicKey"]
        self._user = public["user"]["id"]
        client = self._client("webauthn.create", public["challenge"])
        public_key: ES256 = ES256.from_cryptography_key(self._key.public_key())  # type: ignore[no-untyped-call]
        attested = AttestedCredentialData.create(Aaguid(bytes(16)), self.credential_id, public_key)
        data = self._data(public["rp"]["id"], attested)
        return self._answer(
            client,
            attestationObject=websafe_encode(AttestationObject.create("none", data, {})),
            transports=["internal"],
        ) | {"clientExtensionResults": {"credProps": {"rk": True}}}

    def sign(self, options: Mapping[str, Any], *, user: str = "") -> dict[str, Any]:
        """Answer `navigator.credentials.get`. `user`: the handle of the registration, if another object did it."""
        public = options["publicKey"]
        client = self._client("webauthn.get", public["challenge"])
        data = self._data(public["rpId"])
        message = bytes(data) + hashlib.sha256(client).digest()
        return self._answer(
            client,
            authenticatorData=websafe_encode(data),
            signature=websafe_encode(self._key.sign(message, ec.ECDSA(hashes.SHA256()))),
            userHandle=user or self._user,
        )

    def _client(self, ceremony: str, challenge: str) -> bytes:
        fields = {"type": ceremony, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        websafe_decode(challenge)  # a browser refuses what is not base64url
        return json.dumps(fields, separators=(",", ":")).encode()

    def _data(self, rp_id: str, attested: AttestedCredentialData | None = None) -> AuthenticatorData:
        self.counter += self._step
        flags = _FLAG.UP | (_FLAG.UV if self._verified else 0) | (_FLAG.AT if attested else 0)
        rp_id_hash = hashlib.sha256(rp_id.encode()).digest()
        return cast(
            "AuthenticatorData", AuthenticatorData.create(rp_id_hash, flags, self.counter, attested or b"")
        )

    def _answer(self, client: bytes, **response: object) -> dict[str, Any]:
        encoded = websafe_encode(self.credential_id)
        return {
            "id": encoded,
            "rawId": encoded,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {"clientDataJSON": websafe_encode(client), **response},
        }
