"""The folder where Salur keeps its own files: the default SQLite database, the secret key, caches.

It is `SALUR_HOME`, else `$XDG_DATA_HOME/salur`, else `~/.local/share/salur`: the same from every working
directory. Only its owner can enter it.
"""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from salur.core.faults import InputError

SECRET_KEY_BYTES = 48


def path() -> Path:
    """The folder, whether it is there or not."""
    if given := os.environ.get("SALUR_HOME"):
        return Path(given).expanduser().resolve()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "salur"


def secret_key_path() -> Path:
    return path() / "secret.key"


def prepare() -> None:
    """Create the folder (mode 0700) and, unless SALUR_SECRET_KEY is set, a secret key file (mode 0600)."""
    try:
        path().mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.environ.get("SALUR_SECRET_KEY") and not secret_key_path().exists():
            _write_secret_key(secret_key_path())
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError.of(
            "The folder {folder} cannot be used: {why}. Set SALUR_HOME to a folder that you may write to.",
            folder=path(),
            why=error.strerror,
        ) from None


def secret_key() -> str:
    """The key from SALUR_SECRET_KEY or the key file; empty if there is neither."""
    if given := os.environ.get("SALUR_SECRET_KEY"):
        return given
    try:
        return secret_key_path().read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def _write_secret_key(file: Path) -> None:
    """Whole or not at all: two processes that start together agree on the key of the first."""
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as output:
        output.write(secrets.token_urlsafe(SECRET_KEY_BYTES) + "\n")
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
