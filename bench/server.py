"""A throw-away PostgreSQL for a run, and the CPU seconds that it has used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from bench.work import ROOT


class Server:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        folder = Path(unquote(url.split("@", 1)[1].rsplit("/", 1)[0]))
        self.pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])

    def cpu(self) -> float:
        """Of the server and of its sessions that have ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def postgres() -> Iterator[Server | None]:
    """A server, or None where its programs are not installed."""
    sys.path.insert(0, str(ROOT))
    from tests import postgres as servers

    folder = servers.binaries()
    if folder is None:
        print("PostgreSQL's server programs are not installed: it is left out.", file=sys.stderr)
        yield None
    else:
        with servers.cluster(folder) as url:
            yield Server(url)
