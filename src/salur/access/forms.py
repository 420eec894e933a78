"""Forms of signing in that differ from allauth's."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django.forms import Form
from django.utils.translation import get_language

WORDS = {  # field → language → label, help
    "name": {"id": ("Nama kunci", "Misalnya: ponsel saya."), "en": ("Name of the key", "Such as: my phone.")},
    "passwordless": {
        "id": (
            "Masuk dengan kunci ini saja",
            "Tanpa kata sandi. Perangkat Anda akan meminta sidik jari, wajah, atau PIN.",
        ),
        "en": (
            "Sign in with this key alone",
            "Without a password. Your device asks for your fingerprint, face or PIN.",
        ),
    },
}


class AddPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """A key is a passkey unless the officer unticks it: they can sign in with it alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {}).setdefault("passwordless", True)
        super().__init__(*args, **kwargs)
        _in_our_words(self)


class EditPasskeyForm(EditWebAuthnForm):  # type: ignore[misc]
    """The name of a key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _in_our_words(self)


def _in_our_words(form: Form) -> None:
    """allauth's Indonesian translation leaves some fields in English, and "passwordless" is hard to understand."""
    for field, words in WORDS.items():
        if field in form.fields:
            label, help_text = words["id" if get_language() == "id" else "en"]
            form.fields[field].label, form.fields[field].help_text = label, help_text
