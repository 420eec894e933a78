"""One settings file from the environment: SQLite by default, PostgreSQL by one variable, a key of our own."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection, connections, transaction

from salur.regions.models import Region


def python(code: str, **environment: str) -> str:
    """Run code in a process of its own; settings are read once in a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SALUR_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SHOW = "import salur.web; salur.web.setup(); from django.conf import settings; print({})"


def test_without_variables_everything_is_in_one_private_folder(tmp_path: Path) -> None:
    database = python(SHOW.format("settings.DATABASES['default']['NAME']"), XDG_DATA_HOME=str(tmp_path))
    home = tmp_path / "salur"
    assert database == str(home / "salur.sqlite3")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    key = home / "secret.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = python(SHOW.format("settings.SECRET_KEY"), SALUR_HOME=str(home))
    assert first == key.read_text().strip()
    assert len(first) >= 50
    assert [file.name for file in home.iterdir()] == ["secret.key"]


def test_a_key_from_the_environment_is_not_written_to_disk(tmp_path: Path) -> None:
    given = {"SALUR_HOME": str(tmp_path / "h"), "SALUR_SECRET_KEY": "given"}
    key = python(SHOW.format("settings.SECRET_KEY"), **given)
    assert key == "given"
    assert list((tmp_path / "h").iterdir()) == []


def test_reading_the_settings_writes_nothing(tmp_path: Path) -> None:
    python("import salur.web.settings", SALUR_HOME=str(tmp_path / "never"))
    assert not (tmp_path / "never").exists()


def test_one_variable_chooses_postgresql(tmp_path: Path) -> None:
    url = "postgresql://salur:p%40ss@db.example:5433/bansos"
    code = "(lambda d: (d['ENGINE'], d['HOST'], d['PORT'], d['NAME'], d['PASSWORD']))"
    found = python(
        SHOW.format(f"{code}(settings.DATABASES['default'])"),
        SALUR_HOME=str(tmp_path),
        SALUR_DATABASE_URL=url,
    )
    assert found == "('django.db.backends.postgresql', 'db.example', 5433, 'bansos', 'p@ss')"


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_sqlite_is_set_so_that_what_is_committed_stays() -> None:
    with connection.cursor() as cursor:
        pragmas = {
            name: cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 20_000, "foreign_keys": 1}


@pytest.mark.usefixtures("database")
def test_two_writers_wait_for_each_other() -> None:
    """Both read first and write then: without IMMEDIATE, SQLite answers one of them `database is locked`."""
    Region.objects.create(code="35", level=1, name="0", parent="", valid_from="2025-01-01")
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(10):
                with transaction.atomic():
                    region = Region.objects.select_for_update().get(code="35")
                    time.sleep(0.002)
                    region.name = str(int(region.name) + 1)
                    region.save()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Region.objects.get(code="35").name == "20"
