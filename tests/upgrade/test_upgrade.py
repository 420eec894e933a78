"""A database of an earlier release, brought up to date by the command that operators run."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.upgrade.conftest import Place
from tests.upgrade.tables import Rows, rows, shape

# Columns that a migration means to change or take away, "table.column"; each with its reason.
MEANT: frozenset[str] = frozenset()
# Lists that Django keeps of the code itself: old rows stay, new ones come.
GROWING = {"django_migrations", "django_content_type", "auth_permission"}
DIES = """
import os, signal, sys
import salur.web
salur.web.setup()
from django.db import connection
from salur.commands.migrate import migrate
left = int(sys.argv[1])
def count(execute, sql, params, many, context):
    global left
    left -= not sql.startswith("SELECT")
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(sql, params, many, context)
connection.execute_wrappers.append(count)
migrate()
"""


def the_same(before: Rows, after: Rows) -> Iterator[str]:
    """Each table and column in which a row of before is not there any more, or one came that nobody made."""
    for table, held in before.items():
        columns = [column for column in (held[0] if held else ()) if f"{table}.{column}" not in MEANT]
        missing = [column for column in columns if table in after and column not in (after[table] or held)[0]]
        if table not in after or missing:
            yield f"{table} {missing} is gone"
            continue
        was, now = (
            Counter(tuple(map(repr, map(row.get, columns))) for row in all_[table])
            for all_ in (before, after)
        )
        if was - now:
            yield f"{table}: {(was - now).total()} rows are lost or changed"
        if now - was and table not in GROWING:
            yield f"{table}: {(now - was).total()} rows are new"


def test_rows_stay_and_the_shape_is_that_of_a_fresh_database(old: Place, database_url: str) -> None:
    before = rows(old.admin_url)
    assert sum(map(len, before.values())) > 700
    old.migrate()
    assert list(the_same(before, rows(old.admin_url))) == []
    assert shape(old.admin_url) == shape(database_url)
    assert "was up to date" in old.salur("migrate").stdout


@pytest.mark.parametrize("release", ["0.1.0-regions"])
@pytest.mark.parametrize("statements", [60, 300])
def test_killed_in_the_middle_the_same_command_goes_on(
    old: Place, database_url: str, statements: int
) -> None:
    before = rows(old.admin_url)
    killed = subprocess.run(
        [sys.executable, "-c", DIES, str(statements)], env=old.environment, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert shape(old.admin_url) != shape(database_url)
    old.migrate()
    assert list(the_same(before, rows(old.admin_url))) == []
    assert shape(old.admin_url) == shape(database_url)
