"""A throw-away PostgreSQL cluster: its own folder, a Unix socket only, fsync off, stopped by its own pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

START_SECONDS_MOST = 60
ROLE = "salur_office"


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest if there are several; None if there is none."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    if pg_config := shutil.which("pg_config"):
        found = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(found.stdout.strip()))
    if initdb := shutil.which("initdb"):
        folders.append(Path(initdb).resolve().parent)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


@contextmanager
def cluster(folder_bin: Path, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start a cluster and yield the URL of its database `postgres`. `more`: other settings."""
    folder = Path(tempfile.mkdtemp(prefix="salur-pg-"))
    user = _unprivileged(folder)
    data, log = folder / "data", folder / "log"
    try:
        options = ["-U", "salur", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(
            [folder_bin / "initdb", "-D", data, *options], check=True, capture_output=True, cwd=folder, **user
        )
        settings = {
            "listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "40",
            "shared_buffers": "64MB", "timezone": "UTC",
        } | dict(more or {})  # fmt: skip
        command = [str(folder_bin / "postgres"), "-D", str(data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with log.open("wb") as output:
            server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, **user)
        try:
            url = f"postgresql://salur@{quote(str(folder), safe='')}/postgres"
            _wait(server, url, log)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: open sessions are ended
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as `postgres`, or `nobody`, who gets the folder."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    import psycopg

    end = time.monotonic() + START_SECONDS_MOST
    while True:
        try:
            psycopg.connect(url).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.05)


def beside(url: str, name: str) -> str:
    """The URL of another database of the same cluster."""
    return f"{url.rpartition('/')[0]}/{name}"


def execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def let_in(url: str, name: str) -> None:
    """Give the role of an office, which is no superuser, every right on a database's tables."""
    execute(
        url,
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS; "
        "EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    )
    execute(url, f"GRANT ALL ON DATABASE {name} TO {ROLE}")
    execute(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE}")
    execute(url, f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
