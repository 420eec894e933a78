"""The file of keys: outside the database, so that a stolen database opens nothing, and outside its backups.

`SALUR_HOME/keys.json`, or the file that SALUR_KEYS_FILE names, mode 0600. Made once by `salur people keys init`.

    {"format": 1, "current": 1, "secrets": {"1": "64 hexadecimal letters"}}

Several versions may stand in it; the current one seals, all of them open and find.
"""

from __future__ import annotations

import json
import os
import stat
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from salur.people.protect import SECRET_BYTES, VERSION_MOST, Keys, KeysError

FORMAT = 1
FILE_BYTES_MOST = 64 * 1024


def path() -> Path:
    """The file of this machine's keys."""
    return Path(settings.SALUR_KEYS_FILE)


def load(file: Path | None = None) -> Keys:
    """This machine's keys as they stand now; read again only if the file has changed. Call it for each piece of work.

    Raises KeysError if the file is missing, readable by others, or not a file of keys.
    """
    file = file or path()
    try:
        found = file.stat()
    except FileNotFoundError:
        raise KeysError.at(
            file, "There are no keys. Make them once with `salur people keys init`, or restore your copy."
        ) from None
    except OSError as error:
        raise KeysError.at(file, "The keys cannot be read: {why}.", why=error.strerror) from None
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) & 0o077:
        raise KeysError.at(file, "Others may read the keys. Run `chmod 600` on the file.")
    return _read(file, found.st_ino, found.st_mtime_ns, found.st_size)


def init(file: Path, secret: bytes) -> None:
    """Write the first version. Raises KeysError if there are keys already."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = _fresh(file, Keys(1, {1: secret}))
        try:
            os.link(fresh, file)  # refuses to take the place of a file, unlike a rename
        finally:
            fresh.unlink()
    except FileExistsError:
        raise KeysError.at(file, "There are keys already; they were left as they are.") from None
    except OSError as error:
        raise KeysError.at(file, "The keys cannot be written: {why}.", why=error.strerror) from None


def add(file: Path, secret: bytes) -> Keys:
    """Add a version that is not yet current. Raises KeysError if an added one waits already, or none is left."""
    keys = load(file)
    newest = keys.versions[-1]
    if newest != keys.current:
        raise KeysError.at(
            file, "Version {version} is waiting to become current; use that one.", version=newest
        )
    if newest == VERSION_MOST:
        raise KeysError.at(file, "There can be no more than 255 versions of the keys.")
    return _replace(file, Keys(keys.current, {**keys.secrets, newest + 1: secret}))


def make_current(file: Path) -> Keys:
    """Let the newest version seal from now on."""
    keys = load(file)
    return _replace(file, Keys(keys.versions[-1], keys.secrets))


def _replace(file: Path, keys: Keys) -> Keys:
    try:
        _fresh(file, keys).replace(file)
    except OSError as error:
        raise KeysError.at(file, "The keys cannot be written: {why}.", why=error.strerror) from None
    return load(file)


def _fresh(file: Path, keys: Keys) -> Path:
    """A file beside, whole and on the disk, that only its owner can read."""
    secrets = {str(version): keys.secrets[version].hex() for version in keys.versions}
    text = json.dumps({"format": FORMAT, "current": keys.current, "secrets": secrets}, indent=1)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as output:
        output.write(text + "\n")
        output.flush()
        os.fsync(output.fileno())
    return fresh


@lru_cache(maxsize=4)
def _read(file: Path, _inode: int, _changed: int, _size: int) -> Keys:
    try:
        with file.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MOST)
        data = json.loads(raw)
        secrets = {int(version): bytes.fromhex(secret) for version, secret in data["secrets"].items()}
        if data["format"] != FORMAT or any(len(secret) != SECRET_BYTES for secret in secrets.values()):
            raise ValueError
        return Keys(int(data["current"]), secrets)
    except OSError as error:
        raise KeysError.at(file, "The keys cannot be read: {why}.", why=error.strerror) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise KeysError.at(file, "This is not a file of keys. Restore your copy.") from None
