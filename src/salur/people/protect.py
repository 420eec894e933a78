"""Numbers that name a person (NIK, family card, phone, account): sealed, searched by a keyed index, shown masked.

Pure. A number is sealed with AES-SIV (RFC 5297, 256-bit) together with where it stands (table, column, kind, owner)
and the key's version, which is also the first byte: moved to another row, column, table or version it does not open.
It is found by HMAC-SHA256 under a key of its own for each purpose. Those keys come by HKDF from one secret a version.

>>> keys = Keys(1, {1: bytes(32)})
>>> place = Place("people_identifier", "sealed", "nik", "person:7")
>>> sealed = keys.seal("3510011503909001", place)
>>> keys.open(sealed, place), sealed[0], len(sealed)
('3510011503909001', 1, 33)
>>> masked(keys.open(sealed, place))
'3510********9001'
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from salur.core.faults import InputError

Kind = Literal["nik", "kk", "phone", "account"]
KINDS: tuple[Kind, ...] = ("nik", "kk", "phone", "account")
SECRET_BYTES = 32
SEAL_KEY_BYTES = 64
INDEX_BYTES = 32
VERSION_MOST = 255
SEALED_BYTES_MOST = 80
SEARCH = "search"  # the purpose of the index in people_identifier


class Place(NamedTuple):
    """Where a sealed number stands; none of it changes while it stands there."""

    table: str
    column: str
    kind: str
    owner: str  # "person:12"


class KeysError(InputError):
    """The keys are missing, too old, or do not fit what is stored."""


@dataclass(frozen=True)
class Keys:
    """The secrets by version; `current` is the one that seals. Never shown: not in repr, not in errors."""

    current: int
    secrets: Mapping[int, bytes] = field(repr=False)
    _made: dict[tuple[int, str], bytes] = field(default_factory=dict, repr=False, compare=False)
    _seals: dict[int, AESSIV] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.current not in self.secrets:
            raise KeysError.of("The keys name version {version} as current but do not hold it.",
                               version=self.current)  # fmt: skip
        for version, secret in self.secrets.items():
            if not 1 <= version <= VERSION_MOST or len(secret) != SECRET_BYTES:
                raise KeysError.of("Version {version} of the keys is not a number from 1 to 255 with a secret "
                                   "of 32 bytes.", version=version)  # fmt: skip

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(sorted(self.secrets))

    def seal(self, text: str, place: Place) -> bytes:
        """The version byte and the sealed text, under the current version."""
        head = bytes([self.current])
        return head + self._seal(self.current).encrypt(text.encode(), _associated(place, head))

    def open(self, sealed: bytes, place: Place) -> str:
        """Raises KeysError if the version is not held, the key is another, or the text was sealed elsewhere."""
        head, body = sealed[:1], sealed[1:]
        try:
            return self._seal(head[0]).decrypt(body, _associated(place, head)).decode()
        except (InvalidTag, IndexError, ValueError):
            raise KeysError.of(
                "A protected number cannot be opened: it was sealed with another key, or in another place."
            ) from None

    def index(self, kind: Kind, text: str, version: int | None = None, purpose: str = SEARCH) -> bytes:
        """The keyed index of a plain number: the same for the same number, telling nothing without the key."""
        key = self._key(self.current if version is None else version, purpose, INDEX_BYTES)
        return hmac.digest(key, f"{kind}:{text}".encode(), "sha256")

    def indexes(self, kind: Kind, text: str) -> list[bytes]:
        """The index under every version held: a table may be half-way between two."""
        return [self.index(kind, text, version) for version in self.versions]

    def digest(self, purpose: str, text: str, version: int | None = None) -> bytes:
        """A keyed digest of any text, under a key of its own for each purpose (not SEARCH, nor "seal")."""
        key = self._key(self.current if version is None else version, purpose, INDEX_BYTES)
        return hmac.digest(key, text.encode(), "sha256")

    def _seal(self, version: int) -> AESSIV:
        if version not in self._seals:
            self._seals[version] = AESSIV(self._key(version, "seal", SEAL_KEY_BYTES))
        return self._seals[version]

    def _key(self, version: int, purpose: str, length: int) -> bytes:
        if (made := self._made.get((version, purpose))) is not None:
            return made
        if version not in self.secrets:
            raise KeysError.of(
                "Version {version} of the keys is not held here. Copy the newest keys to this machine.",
                version=version,
            )
        info = f"salur people {purpose} {version}".encode()
        made = HKDF(SHA256(), length, salt=None, info=info).derive(self.secrets[version])
        self._made[version, purpose] = made
        return made


def _associated(place: Place, head: bytes) -> list[bytes]:
    # One component: no part can hold the separator, and S2V costs a round for each component.
    return ["\x1f".join(place).encode() + b"\x1f" + head]


# ---- spelling ------------------------------------------------------------------------------------------------

_BETWEEN = re.compile(r"[\s.,\-_/()\u00a0\u2010-\u2015]+")


def plain(kind: Kind, text: str) -> str:
    """The one spelling of a number. Raises InputError, without the number, if it is not one of that kind.

    >>> plain("nik", "35.10.01-150390 9001"), plain("phone", "0812-3456-7890"), plain("account", "bri:0012-01-5")
    ('3510011503909001', '6281234567890', 'BRI:0012015')
    """
    if kind == "account":
        bank, colon, number = text.partition(":")
        bank, number = bank.strip().upper(), _BETWEEN.sub("", number)
        if colon and re.fullmatch(r"[A-Z0-9]{2,11}", bank) and re.fullmatch(r"[0-9]{5,20}", number):
            return f"{bank}:{number}"
        raise InputError.of("An account is written as the bank's code, a colon and 5 to 20 digits.")
    number = text if len(text) == 16 and text.isdecimal() else _BETWEEN.sub("", text)
    if kind == "phone":
        number = re.sub(r"^(?:\+?62|0)0?", "62", number, count=1)
        if re.fullmatch(r"62[1-9][0-9]{6,12}", number):
            return number
        raise InputError.of("A phone number is written like 0812…, +62812… or 021…, with 8 to 15 digits.")
    if not re.fullmatch(r"[0-9]{16}", number):
        raise InputError.of("A NIK or family-card number has 16 digits.")
    return number


def masked(text: str) -> str:
    """What a screen may show: the first and last four of 16 digits, of anything shorter only the last three.

    >>> masked("3510011503900001"), masked("6281234567890"), masked("BRI:0012015")
    ('3510********0001', '**********890', 'BRI:****015')
    """
    bank, colon, number = text.rpartition(":")
    if len(number) == 16 and not colon:
        return f"{number[:4]}********{number[-4:]}"
    return f"{bank}{colon}{'*' * (len(number) - 3)}{number[-3:]}"


# ---- what a number hints -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hints:
    """What a NIK or family-card number suggests, never proves: it has no check digit, is not changed when a birth
    date is corrected, and its district may be long renamed. For a family card the date is that of registration."""

    district: str
    day: date | None
    sex: Literal["female", "male", ""]


def hints(kind: Literal["nik", "kk"], number: str, *, on: date) -> Hints:
    """
    >>> hints("nik", "3510015503909001", on=date(2026, 9, 30))
    Hints(district='35.10.01', day=datetime.date(1990, 3, 15), sex='female')
    >>> hints("nik", "9999999999999999", on=date(2026, 9, 30)).day is None
    True
    """
    number = plain(kind, number)
    district = f"{number[:2]}.{number[2:4]}.{number[4:6]}"
    day, month, year = int(number[6:8]), int(number[8:10]), on.year // 100 * 100 + int(number[10:12])
    sex: Literal["female", "male", ""] = ""
    if kind == "nik":
        sex, day = ("female", day - 40) if day > 40 else ("male", day)
    try:
        shown = date(year, month, day)
        return Hints(district, shown if shown <= on else shown.replace(year=year - 100), sex)
    except ValueError:
        return Hints(district, None, sex)
