"""The cookie of a family: signed as Django signs, so that its judges are Django's."""

from __future__ import annotations

import pytest
from django.core.signing import BadSignature, TimestampSigner
from hypothesis import given
from hypothesis import strategies as st

from salur.citizens.claim import Signer

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(value=text, salt=text.filter(bool), key=text.filter(bool), other=text.filter(bool))
def test_it_signs_as_django_does(value: str, salt: str, key: str, other: str) -> None:
    ours, django = Signer(salt=salt, key=key), TimestampSigner(salt=salt, key=key)
    assert ours.signature(value) == django.signature(value)
    assert ours.signature(value, other) == django.signature(value, other)
    assert django.unsign(ours.sign(value)) == ours.unsign(django.sign(value)) == value


@given(family=st.integers(1, 2**63), key=text.filter(bool), other=text.filter(bool))
def test_keys_are_changed_as_django_changes_them(family: int, key: str, other: str) -> None:
    before = Signer(salt="s", key=key).sign(str(family))
    assert Signer(salt="s", key=other, fallback_keys=[key]).unsign(before) == str(family)
    if other != key:
        with pytest.raises(BadSignature):
            Signer(salt="s", key=other, fallback_keys=[]).unsign(before)
