"""A digest signed with a passkey: what is right passes, every planted fault is refused."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import AttestedCredentialData, RegistrationResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.access.conftest import NOW, make_officer

from salur.access import services, signing
from salur.access.models import Signature
from salur.access.policy import Actor, Refused
from salur.access.signing import BadSignature
from salur.access.software_key import SoftwareKey
from salur.core.faults import InputError

ORIGIN = "http://localhost:8000"
DIGEST = signing.digest_of(b"the decree")


@pytest.fixture(autouse=True)
def demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALUR_DEMO", "1")


def creation(origin: str = ORIGIN) -> dict[str, Any]:
    rp = {"id": signing.rp_id_of(origin), "name": "Salur"}
    return {"publicKey": {"challenge": websafe_encode(b"c" * 32), "rp": rp, "user": {"id": "MQ"}}}


def registered(key: SoftwareKey) -> AttestedCredentialData:
    answer = RegistrationResponse.from_dict(key.register(creation(key.origin)))
    credential = answer.response.attestation_object.auth_data.credential_data
    assert credential is not None
    return credential


def signed(key: SoftwareKey, digest: bytes = DIGEST, **changes: Any) -> dict[str, Any]:
    options = signing.begin(digest=digest, credentials=[registered(key)], origin=ORIGIN)
    options["publicKey"] |= changes
    return key.sign(options)


def test_a_signature_verifies_from_its_record_alone() -> None:
    key = SoftwareKey(b"1", ORIGIN)
    found = signing.read(signed(key), digest=DIGEST, credentials=[registered(key)], origin=ORIGIN)
    record = json.loads(json.dumps(found.record))  # as it is stored and published
    signing.verify_signature(record, DIGEST, origin=ORIGIN)


def test_the_challenge_is_the_digest_and_the_person_is_verified() -> None:
    options = signing.begin(digest=DIGEST, credentials=[registered(SoftwareKey(b"1", ORIGIN))], origin=ORIGIN)
    assert websafe_decode(options["publicKey"]["challenge"]) == DIGEST
    assert options["publicKey"]["userVerification"] == "required"
    with pytest.raises(ValueError, match="32 bytes"):
        signing.begin(digest=b"short", credentials=[], origin=ORIGIN)
    with pytest.raises(BadSignature, match="no passkey"):
        signing.begin(digest=DIGEST, credentials=[], origin=ORIGIN)


def edited(answer: dict[str, Any], name: str, edit: Any) -> dict[str, Any]:
    inner = answer["response"]
    return answer | {"response": inner | {name: websafe_encode(edit(websafe_decode(inner[name])))}}


class OddBrowser(SoftwareKey):
    """Signs client data that an honest browser would not hand over here."""

    def __init__(self, **odd: object) -> None:
        super().__init__(b"1", ORIGIN)
        self._odd = odd

    def _client(self, ceremony: str, challenge: str) -> bytes:
        return client(**self._odd)(super()._client(ceremony, challenge))  # type: ignore[no-any-return]


def client(**changes: object) -> Any:
    return lambda raw: json.dumps(json.loads(raw) | changes).encode()


PLANTED: dict[str, Any] = {
    "another digest": lambda key: signed(key, signing.digest_of(b"another decree")),
    "another origin": lambda key: signed(SoftwareKey(b"1", "https://salur.example.com")),
    "another port": lambda key: signed(SoftwareKey(b"1", "http://localhost:8001")),
    "another site": lambda key: signed(key, rpId="example.com"),
    "another key": lambda key: signed(SoftwareKey(b"2", ORIGIN)),
    "another key under this one's id": lambda key: (
        signed(SoftwareKey(b"2", ORIGIN)) | {name: signed(key)[name] for name in ("id", "rawId")}
    ),
    "nobody verified": lambda key: signed(SoftwareKey(b"1", ORIGIN, verified=False)),
    "a registration": lambda _: signed(OddBrowser(type="webauthn.create")),
    "a frame of another site": lambda _: signed(OddBrowser(crossOrigin=True)),
    "client data changed": lambda key: edited(signed(key), "clientDataJSON", client(extra=1)),
    "counter changed": lambda key: edited(signed(key), "authenticatorData", lambda raw: raw[:-1] + b"\x7f"),
    "signature changed": lambda key: edited(
        signed(key), "signature", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1])
    ),
    "nothing": lambda key: {},
    "no response": lambda key: {"id": signed(key)["id"], "response": None},
    "not bytes": lambda key: signed(key) | {"rawId": 7},
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_refused(fault: str) -> None:
    key = SoftwareKey(b"1", ORIGIN)
    with pytest.raises(BadSignature):
        signing.read(PLANTED[fault](key), digest=DIGEST, credentials=[registered(key)], origin=ORIGIN)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["public_key", "authenticator_data", "client_data", "signature"]),
    st.integers(0, 10_000),
    st.integers(1, 255),
)
def test_any_changed_byte_of_a_record_is_found(name: str, position: int, change: int) -> None:
    key = SoftwareKey(b"1", ORIGIN)
    record = signing.read(signed(key), digest=DIGEST, credentials=[registered(key)], origin=ORIGIN).record
    raw = bytearray(websafe_decode(record[name]))
    raw[position % len(raw)] ^= change
    with pytest.raises(BadSignature):
        signing.verify_signature(record | {name: websafe_encode(bytes(raw))}, DIGEST, origin=ORIGIN)


@given(st.dictionaries(st.sampled_from(["format", *signing._FIELDS]), st.text()))
def test_any_other_record_is_refused_in_a_sentence(record: dict[str, str]) -> None:
    for format_ in (record, record | {"format": signing.FORMAT}):
        with pytest.raises(BadSignature):
            signing.verify_signature(format_, DIGEST, origin=ORIGIN)


def test_a_software_key_exists_in_the_demonstration_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALUR_DEMO")
    with pytest.raises(InputError, match="only in the demonstration"):
        SoftwareKey(b"1", ORIGIN)


# ---- kept in the database ----------------------------------------------------------------------------------


def officer_with(key: SoftwareKey) -> Actor:
    from allauth.mfa.models import Authenticator

    actor = make_officer()
    Authenticator.objects.create(
        user_id=actor.officer_id,
        type="webauthn",
        data={"name": "key", "credential": key.register(creation())},
    )
    return actor


@pytest.mark.usefixtures("database")
def test_a_signature_is_kept_once_and_for_ever() -> None:
    key = SoftwareKey(b"1", ORIGIN)
    actor, answer = officer_with(key), signed(key)
    row = services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=answer)
    signing.verify_signature(Signature.objects.get(id=row.id).record, DIGEST, origin=ORIGIN)
    with pytest.raises(BadSignature, match="counter"):
        services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=answer)
    services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=signed(key))
    for change in (
        lambda: Signature.objects.update(digest="0" * 64),
        lambda: Signature.objects.all().delete(),
        lambda: Signature.objects.create(
            officer_id=actor.officer_id, at=NOW, digest="0" * 64, credential=row.credential, counter=row.counter,
            signature_digest="0" * 64, record={},
        ),
    ):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


@pytest.mark.usefixtures("database")
def test_a_passkey_that_does_not_count_is_not_replayed_either() -> None:
    key = SoftwareKey(b"1", ORIGIN, counts=False)
    actor, answer = officer_with(key), signed(key)
    services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=answer)
    with pytest.raises(BadSignature, match="handed in before"):
        services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=answer)
    services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=signed(key))


@pytest.mark.usefixtures("database")
def test_a_counter_that_falls_back_is_refused() -> None:
    key = SoftwareKey(b"1", ORIGIN)
    actor = officer_with(key)
    services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=signed(key))
    copies = [SoftwareKey(b"1", ORIGIN), SoftwareKey(b"1", ORIGIN, counts=False)]
    for copy in copies:
        with pytest.raises(BadSignature, match="counter"):
            services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=copy.sign(
                signing.begin(digest=DIGEST, credentials=[registered(key)], origin=ORIGIN)
            ))  # fmt: skip


@pytest.mark.usefixtures("database")
def test_the_passkey_of_a_colleague_is_refused() -> None:
    mine, theirs = SoftwareKey(b"1", ORIGIN), SoftwareKey(b"2", ORIGIN)
    actor = officer_with(mine)
    officer_with(theirs)
    with pytest.raises(BadSignature, match="does not belong"):
        services.signature_make(now=NOW, actor=actor, digest=DIGEST, response=signed(theirs))
    with pytest.raises(Refused):
        services.signature_make(now=NOW, actor=Actor("visitor"), digest=DIGEST, response=signed(mine))
    assert hashlib.sha256(b"the decree").digest() == DIGEST
