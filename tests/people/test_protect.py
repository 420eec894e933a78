"""Sealing, finding, spelling and masking of numbers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.people.people import BOTH, KEYS

from salur.core.faults import InputError
from salur.core.numbers import holds_number
from salur.people.protect import Keys, KeysError, Kind, Place, hints, masked, plain

NIKS = st.from_regex(r"[0-9]{16}", fullmatch=True)
PLACES = st.builds(
    Place,
    st.sampled_from(["people_identifier", "payments_account"]),
    st.sampled_from(["sealed", "index"]),
    st.sampled_from(["nik", "kk"]),
    st.builds("{}:{}".format, st.sampled_from(["person", "family"]), st.integers(1, 30)),
)
HERE = Place("people_identifier", "sealed", "nik", "person:1")


@given(NIKS, PLACES)
def test_what_is_sealed_opens_where_it_stands(number: str, place: Place) -> None:
    sealed = BOTH.seal(number, place)
    assert BOTH.open(sealed, place) == number
    assert sealed[0] == BOTH.current
    assert number.encode() not in sealed


@given(NIKS, PLACES, PLACES)
def test_moved_elsewhere_it_does_not_open(number: str, place: Place, other: Place) -> None:
    sealed = KEYS.seal(number, place)
    if place != other:
        with pytest.raises(KeysError, match="cannot be opened"):
            KEYS.open(sealed, other)


@given(NIKS, st.integers(0, 32), st.integers(1, 255))
def test_one_changed_byte_is_seen_the_version_too(number: str, position: int, change: int) -> None:
    sealed = bytearray(BOTH.seal(number, HERE))
    sealed[position] ^= change
    with pytest.raises(KeysError) as refused:
        BOTH.open(bytes(sealed), HERE)
    assert number not in str(refused.value)


def test_another_key_or_too_little_does_not_open() -> None:
    sealed = KEYS.seal("3510014105809001", HERE)
    for wrong in (Keys(1, {1: b"x" * 32}), Keys(2, {2: b"1" * 32})):
        with pytest.raises(KeysError):
            wrong.open(sealed, HERE)
    for short in (b"", sealed[:1], sealed[:-1]):
        with pytest.raises(KeysError):
            KEYS.open(short, HERE)


def test_the_index_differs_by_version_purpose_and_kind() -> None:
    number = "3510014105809001"
    seen = {
        BOTH.index(kind, number, version, purpose)
        for kind in ("nik", "kk")
        for version in (1, 2)
        for purpose in ("search", "linkage")
    }
    assert len(seen) == 8
    assert BOTH.index("nik", number, 1) == KEYS.index("nik", number)
    assert set(BOTH.indexes("nik", number)) == {BOTH.index("nik", number, v) for v in (1, 2)}


def test_keys_do_not_show_themselves() -> None:
    keys = Keys(1, {1: b"secretsecretsecretsecretsecretse"})
    keys.seal("1", HERE)
    assert "secret" not in repr(keys).replace("secrets", "")
    with pytest.raises(KeysError):
        Keys(2, {1: b"1" * 32})
    with pytest.raises(KeysError):
        Keys(1, {1: b"short"})
    with pytest.raises(KeysError):
        Keys(256, {256: b"1" * 32})


# ---- spelling ------------------------------------------------------------------------------------------------


@given(
    NIKS,
    st.lists(st.sampled_from(["", " ", ".", "-", " - ", "\u00a0", "\u2013", "/"]), min_size=16, max_size=16),
)
def test_every_spelling_is_one_number(number: str, between: list[str]) -> None:
    spelled = "".join(digit + gap for digit, gap in zip(number, between, strict=True))
    assert plain("nik", spelled) == number
    assert holds_number(f"seen {number[:-1]}9 today")


@pytest.mark.parametrize(
    "text", ["0812-3456-7890", "+62 812 3456 7890", "62812 3456 7890", "+62 (0)812-3456-7890"]
)
def test_a_phone_number_has_one_spelling(text: str) -> None:
    assert plain("phone", text) == "6281234567890"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("nik", "351001410580900"), ("nik", "35100141058090011"), ("nik", "351001410580900x"), ("kk", ""),
        ("nik", "٣٥١٠٠١٤١٠٥٨٠٩٠٠١"), ("phone", "12345678"), ("phone", "+6512345678"), ("account", "0012345678"),
        ("account", "BRI:12"), ("account", ":12345678"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_refused_without_being_repeated(kind: Kind, text: str) -> None:
    with pytest.raises(InputError) as refused:
        plain(kind, text)
    assert not text or text not in str(refused.value)


@given(NIKS)
def test_a_mask_hides_eight_digits_of_a_nik(number: str) -> None:
    shown = masked(number)
    assert len(shown) == 16
    assert shown[4:12] == "********"


@given(st.from_regex(r"[0-9]{5,15}", fullmatch=True))
def test_a_mask_shows_three_digits_of_anything_shorter(number: str) -> None:
    assert masked(number) == "*" * (len(number) - 3) + number[-3:]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sutini", False), ("case:12345678901", False), ("2026-09-30 and 2026-10-01", False),
        ("35.10.01.2001", False), ("RT 01 RW 02, 68462", False), ("a" * 32 + "1" * 32, False),
        ("0812 3456 7890", True), ("3510-0141-0580-9001", True), ("acc.123456789", True),
        ("35.10.01.410580.9001", True), ("35.10.01.2001 3510014105809001", True),
    ],
)  # fmt: skip
def test_long_numbers_in_texts_are_seen(text: str, expected: bool) -> None:
    assert holds_number(text) is expected


# ---- hints ---------------------------------------------------------------------------------------------------


@given(
    st.dates(date(1927, 1, 1), date(2026, 9, 30)), st.booleans(), st.integers(0, 999999), st.integers(1, 9999)
)
def test_a_nik_hints_at_birth_date_and_sex(born: date, woman: bool, region: int, serial: int) -> None:
    number = f"{region:06}{born.day + 40 * woman:02}{born.month:02}{born.year % 100:02}{serial:04}"
    found = hints("nik", number, on=date(2026, 9, 30))
    assert (found.day, found.sex) == (born, "female" if woman else "male")
    assert found.district.replace(".", "") == f"{region:06}"


@given(NIKS)
def test_hints_never_reject(number: str) -> None:
    kinds: tuple[Any, ...] = ("nik", "kk")
    for kind in kinds:
        found = hints(kind, number, on=date(2026, 9, 30))
        assert found.day is None or found.day <= date(2026, 9, 30)
