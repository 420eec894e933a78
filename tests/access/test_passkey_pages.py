"""The pages of passkeys speak the language of their address, and nothing of a password to who has none."""

from __future__ import annotations

import json
import re

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse
from tests.access.test_sign_in import (
    add_passkey,
    browser,
    follow,
    invited,
    new_key,
    options_on,
    pages,
    sign_in_with_passkey,
)

__all__ = ["pages"]
pytestmark = pytest.mark.usefixtures("database", "pages")


@pytest.fixture
def officer() -> Client:
    """Somebody who came by an invitation and has a passkey alone."""
    _id, link = invited(("reviewer", "35.10"))
    client = browser()
    follow(client, link, passkey="1")
    return client


def told(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_adding_naming_and_listing_a_passkey_in_both_languages(officer: Client) -> None:
    added, listed = reverse("mfa_add_webauthn"), reverse("mfa_list_webauthn")
    texts = {language: told(officer, prefix + added) for language, prefix in (("id", ""), ("en", "/en"))}
    assert "Nama kunci Misalnya: ponsel saya." in texts["id"]
    assert "Masuk dengan kunci ini saja" in texts["id"]
    assert "Name of the key" in texts["en"]
    assert "Sign in with this key alone" in texts["en"]
    assert not {"Name", "Passwordless", "Enabling"} & set(texts["id"].split())
    add_passkey(officer, key := new_key())
    edited = reverse("mfa_edit_webauthn", kwargs={"pk": Authenticator.objects.get(type="webauthn").pk})
    again = browser()
    sign_in_with_passkey(again, key)
    step = f"{reverse('mfa_reauthenticate_webauthn')}?next={edited}"  # changing a key asks for it once more
    answer = key.sign(options_on(again.get(step), "request_options"))
    assert again.post(step, {"credential": json.dumps(answer), "next": edited})["Location"] == edited
    assert "Nama kunci" in told(again, edited)
    assert "Terakhir dipakai" in told(again, listed)
    assert "Last used on" in told(again, "/en" + listed)
    assert not {"Not", "Passkey", "Edit"} & set(told(again, listed).split())


def test_who_has_no_password_is_not_asked_for_it(officer: Client) -> None:
    add_passkey(officer, new_key())
    assert officer.get(reverse("account_change_password"))["Location"] == reverse("mfa_index")
