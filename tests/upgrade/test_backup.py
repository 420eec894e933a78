"""The commands that docs/operate.md tells for backup and restore, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests import postgres
from tests.needs import optional
from tests.upgrade.conftest import ROOT, Connected, Place, owned
from tests.upgrade.tables import rows, shape
from tests.upgrade.test_office import told

pytestmark = pytest.mark.parametrize("release", ["0.1.0-cycle"])
OTHER = {"sqlite": "PostgreSQL", "postgres": "SQLite"}


def commands(kind: str) -> tuple[str, str]:
    """How to back up and how to restore, without the lines for the other database."""
    page = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8").partition("## Backup and restore")[2]
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    backup, restore = (re.sub(rf"# {OTHER[kind]}.*\n.*\n", "", block) for block in blocks)
    return backup, restore


def shell(place: Place, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    folders = [str(Path(sys.executable).parent), str(postgres.binaries() or ""), os.environ["PATH"]]
    environment = place.environment | more | {"PATH": os.pathsep.join(folders)}
    return subprocess.run(
        ["sh", "-euc", script], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def empty(old: Place, database_url: str, tmp_path: Path) -> Iterator[Place]:
    """Where to restore: a new home, and an empty database."""
    home = tmp_path / "new"
    home.mkdir()
    sqlite = f"sqlite:///{home / 'salur.sqlite3'}"
    with nullcontext((sqlite, sqlite)) if old.kind == "sqlite" else owned(database_url, "new") as urls:
        yield Place(home, *urls)


def test_what_was_backed_up_is_restored(
    old: Place, empty: Place, tmp_path: Path, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.conf import settings

    from salur.people import keys, selectors

    if shutil.which("sqlite3") is None:
        optional("the program sqlite3 is not installed")
    old.migrate()
    backup, restore = commands(old.kind)
    copy = tmp_path / "copy"
    copy.mkdir()
    if old.kind == "postgres":
        postgres.execute(
            old.admin_url, "DROP ROLE IF EXISTS salur_backup; CREATE ROLE salur_backup LOGIN BYPASSRLS"
        )
        postgres.execute(old.admin_url, "GRANT pg_read_all_data TO salur_backup")
    backup_url = old.url.replace("//kantor@", "//salur_backup@")
    done = shell(old, backup, COPY=str(copy), BACKUP_URL=backup_url)
    assert done.returncode == 0, done.stderr
    done = shell(empty, restore, COPY=str(copy))
    assert done.returncode == 0, done.stderr
    assert "are as they were sealed" in done.stdout
    assert rows(empty.admin_url) == rows(old.admin_url)
    assert shape(empty.admin_url) == shape(old.admin_url)

    without = shell(empty, "salur people keys show")
    assert without.returncode == 3
    assert without.stderr.strip() == (
        f"{empty.home / 'keys.json'}: There are no keys. Make them once with `salur people keys init`, "
        "or restore your copy."
    )
    shutil.copy2(old.home / "keys.json", empty.home / "keys.json")
    assert shell(empty, "salur people keys show").returncode == 0
    monkeypatch.setattr(settings, "SALUR_KEYS_FILE", str(empty.home / "keys.json"))
    with connected(empty.url):
        known = told(old)
        assert selectors.find_by_identifier("nik", known["nik"], keys.load(), regions=None) == (
            f"person:{known['person']}"
        )


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_salurs_own_role_cannot_dump_what_is_protected(old: Place) -> None:
    """Why the page asks for a role of its own: a dump that leaves rows out would look like a backup."""
    done = shell(old, 'pg_dump --file=/dev/null "$SALUR_DATABASE_URL"')
    assert done.returncode != 0
    assert "row-level security" in done.stderr
