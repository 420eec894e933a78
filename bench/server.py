"""A throw-away PostgreSQL for a run, and the CPU seconds that it has used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from bench.work import ROOT

ROLE = "office"
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "128MB"}


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
    def database(self, name: str) -> Iterator[str]:
        """An empty database owned by a role that row-level security holds, as in an office; dropped afterwards."""
        from tests import postgres as servers

        servers.execute(
            self.url,
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        )
        servers.execute(self.url, f"CREATE DATABASE {name} OWNER {ROLE}")
        try:
            yield servers.beside(self.url, name).replace("//salur@", f"//{ROLE}@")
        finally:
            servers.execute(self.url, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[Server | None]:
    """A server, or None where its programs are not installed. `durable`: what was committed survives a power cut."""
    sys.path.insert(0, str(ROOT))
    from tests import postgres as servers

    folder = servers.binaries()
    if folder is None:
        print("PostgreSQL's server programs are not installed: it is left out.", file=sys.stderr)
        yield None
    else:
        with servers.cluster(folder, DURABLE if durable else {}) as url:
            yield Server(url)
