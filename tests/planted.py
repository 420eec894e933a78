"""Numbers that were planted, searched for in whatever was written: in every spelling, and inside what is packed."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlparse

from django.db import connection
from tests import postgres

LAYERS_MOST = 4  # packed in packed in packed


@cache
def spellings(digits: str) -> tuple[bytes, ...]:
    """One number as bytes of a file may hold it."""
    return tuple(_spellings(digits))


def _spellings(digits: str) -> Iterator[bytes]:
    groups = [digits[n : n + 4] for n in range(0, len(digits), 4)]
    texts = [
        digits,
        digits[::-1],
        *(sign.join(groups) for sign in " .-/"),
        *(sign.join(digits) for sign in " .-"),
    ]
    if len(digits) == 16:
        texts += [
            sign.join((digits[:2], digits[2:4], digits[4:6], digits[6:12], digits[12:])) for sign in " .-"
        ]
        texts += [sign.join((digits[:6], digits[6:12], digits[12:])) for sign in " .-"]
    for text in texts:
        raw = text.encode()
        yield raw
        yield text.encode("utf-16-le")
        yield raw.hex().encode()
        yield raw.hex().upper().encode()
        for shift in range(3):  # wherever in a longer text it begins; the edges depend on the neighbours
            whole = base64.b64encode(bytes(shift) + raw)
            yield whole[4 if shift else 0 : len(whole) // 4 * 4 - 4]
    yield int(digits).to_bytes(8, "big")
    yield int(digits).to_bytes(8, "little")
    yield bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    yield hex(int(digits))[2:].encode()


def digits_of(numbers: Iterable[str]) -> list[str]:
    """The digits alone; of a phone also without its first nought."""
    digits = [re.sub(r"\D", "", number) for number in numbers]
    return digits + [each.removeprefix("0") for each in digits if each.startswith("08")]


def found(where: bytes, digits: Iterable[str]) -> list[bytes]:
    """The spellings that stand there."""
    squeezed = re.sub(rb"(?<=[0-9])[\s.,/_-]+(?=[0-9])", b"", where)
    return [
        spelling
        for each in digits
        for spelling in spellings(each)
        if spelling in where or each.encode() in squeezed
    ]


def layers(raw: bytes, depth: int = LAYERS_MOST) -> Iterator[bytes]:
    """The bytes, and what comes out where they are gzip, zlib, deflate, a file that holds zlib streams, or base64."""
    yield raw
    if not depth:
        return
    for bits in (-15, 15, 31):
        inflate = zlib.decompressobj(bits)
        try:
            out = inflate.decompress(raw)
        except zlib.error:
            continue
        if inflate.eof and out:
            yield from layers(out, depth - 1)
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL):  # of a PDF
        yield from layers(stream, depth - 1)
    for text in re.findall(rb"[A-Za-z0-9+/_-]{20,}={0,2}", raw) if len(raw) < 100_000 else ():
        if text.isdigit() or text == raw[:-1]:
            continue
        try:
            plain = text.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
            out = base64.b64decode(plain + b"=" * (-len(plain) % 4))
        except binascii.Error:
            continue
        yield from layers(out, depth - 1)


def dump(url: str) -> bytes:
    """Everything that the database has written: its files as they stand, or a dump and the server's log."""
    if connection.vendor == "sqlite":
        file = Path(connection.settings_dict["NAME"])
        files = sorted(file.parent.glob(file.name + "*"))
        assert any(f.name.endswith("-wal") for f in files)
        return b"\n".join(f.read_bytes() for f in files)
    folder = postgres.binaries()
    assert folder is not None
    dumped = subprocess.run([folder / "pg_dump", url], capture_output=True, check=True).stdout
    log = Path(unquote(urlparse(url).hostname or "")) / "log"
    assert b"COPY public.people_identifier" in dumped
    return dumped + log.read_bytes()


def cells() -> Iterator[tuple[str, str, bytes]]:
    """Table, column and value of every cell of the database."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    if value is not None:
                        raw = value if isinstance(value, (bytes, memoryview)) else str(value).encode()
                        yield table, name, bytes(raw)
