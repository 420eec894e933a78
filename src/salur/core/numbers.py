"""Numbers that can name a person (NIK, family card, phone, account) have no place in a text that somebody writes.

Every service that keeps such a text (a note, a reason, evidence, the number of a document) asks `refuse` first.

>>> refuse("KK seen, case:5, 2026-09-30")
>>> refuse("Her NIK is 3510 0115 0390 9001")
Traceback (most recent call last):
salur.core.faults.InputError: The text holds a long number. Leave NIK, card, phone and account numbers out.
>>> refuse("SP DIPA-027.03.1.417481/2026", document=True)
"""

from __future__ import annotations

import re

from salur.core.faults import InputError

_REFERENCE = re.compile(
    r"\b(?:person|family):[1-9][0-9]{0,14}\b"  # ids end before the sixteen digits of a NIK
    r"|\b(?:officer|case|cycle|decision|document|event):[1-9][0-9]{0,10}\b"
    r"|\b[0-9a-f]{64}\b"  # a digest
    r"|\b[0-9]{4}-[0-9]{2}-[0-9]{2}\b"  # a date
    r"|(?<![0-9.])[0-9]{2}(?:\.[0-9]{2}){1,2}(?:\.[0-9]{4})?(?![0-9.])"  # a region
)
_BETWEEN = r"[\s.,\-_()\u00a0\u2010-\u2015]{0,3}"
_LONG_NUMBER = re.compile(rf"\d(?:{_BETWEEN}\d){{8,}}")
# The number of a document has many digits in short groups: nine together, sixteen in all, or a mobile phone are none.
_NO_DOCUMENT = re.compile(
    rf"\d{{9}}|\d(?:{_BETWEEN}\d){{15}}|(?<!\d)(?:\+?62|0)[\s-]?8(?:[\s-]?\d){{7,11}}(?!\d)"
)


def holds_number(text: str) -> bool:
    """Whether a text holds nine or more digits that are no reference, digest, date or region code.

    >>> holds_number("KK seen, case:5, 2026-09-30, letter 470/123/35.10.01.2001"), holds_number("NIK 3510 0115 0390")
    (False, True)
    >>> holds_number("person:100000000000001"), holds_number("case:3510011503909001"), holds_number("case:081335907264")
    (False, True, True)
    """
    return _LONG_NUMBER.search(text) is not None and _LONG_NUMBER.search(_REFERENCE.sub("", text)) is not None


def refuse(text: str, *, document: bool = False) -> None:
    """Raise InputError, without the number, if the text holds one. `document`: it is the number of a document."""
    if "\0" in text:  # PostgreSQL keeps none
        raise InputError.of("The text holds a character that cannot be kept.")
    if _NO_DOCUMENT.search(text) if document else holds_number(text):
        raise InputError.of("The text holds a long number. Leave NIK, card, phone and account numbers out.")
