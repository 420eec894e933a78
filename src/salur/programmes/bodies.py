"""The canonical case of a family as bytes in a row: deflated with a dictionary of the words that cases share.

>>> unpacked(packed(b'{"facts":{"decile":4}}'))
'{"facts":{"decile":4}}'

The dictionary is part of the format: a new one gets a new first byte, and old bodies stay readable.
"""

from __future__ import annotations

import zlib
from pathlib import Path

_WORDS = (Path(__file__).with_name("case_words_1.txt")).read_bytes()
_FIRST = b"\x01"
_PRIMED = zlib.compressobj(6, zlib.DEFLATED, -15, 5, zlib.Z_DEFAULT_STRATEGY, _WORDS)  # copying it is quick
CASE_BYTES_MOST = 1024 * 1024


def packed(text: bytes) -> bytes:
    """The canonical text of a case (UTF-8), as it is stored."""
    deflate = _PRIMED.copy()
    return _FIRST + deflate.compress(text) + deflate.flush()


def unpacked(body: bytes | memoryview) -> str:
    """The canonical text again. Raises ValueError for bytes that no version of this wrote."""
    raw = bytes(body)
    if raw[:1] != _FIRST:
        raise ValueError("a body of an unknown format")
    inflate = zlib.decompressobj(-15, _WORDS)
    text = inflate.decompress(raw[1:], CASE_BYTES_MOST)
    if not inflate.eof:
        raise ValueError("a body that is not whole, or too long")
    return text.decode()
