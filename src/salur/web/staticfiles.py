"""Static files with their hash in their name, so that browsers keep them for ever; compressed once by `salur serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage


class Files(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Before the files are collected (in tests), a file has its plain name."""

    manifest_strict = False

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        if content is None and not self.exists(filename or name.partition("?")[0].partition("#")[0]):
            return name
        return str(super().hashed_name(name, content, filename))


class Middleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serves what `salur serve` has collected; where nothing is collected yet there is nothing to serve."""

    def add_files(self, root: str, prefix: str | None = None) -> None:
        if Path(root).is_dir():
            super().add_files(root, prefix)
