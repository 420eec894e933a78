"""Write what a release leaves in a database: `python -m tests.upgrade.make NAME COMMIT`.

Checks the commit out into a temporary folder, lets its own code fill a SQLite and a PostgreSQL database with invented
people (`fill.py`), and keeps both as SQL in `tests/upgrade/NAME.tar.xz`, with the sealed journal and the keys that
belong to them. The tests take every such file.

When a release is tagged: `python -m tests.upgrade.make 0.2.0 v0.2.0`, and commit the file. What a release made stays as
it is; a file is never made anew. Before the first release there are two: `0.1.0-regions` (850dd2c, when the database
held regions only) and `0.1.0-cycle` (07befe1, with officers, people, cases and programmes).
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests import postgres

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SALUR = "import sys; sys.argv[0] = 'salur'; from salur.commands import main; main()"
KEPT = ("told.json", "keys.json", "journal/seals.jsonl")


def run(source: Path, home: Path, url: str, *command: str | Path) -> None:
    """A program of that release."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(source / "src"), str(source)]), "SALUR_HOME": str(home), "SALUR_DEMO": "1",
        "SALUR_DATABASE_URL": url, "XDG_CACHE_HOME": str(home),
    }  # fmt: skip
    subprocess.run([sys.executable, "-P", *command], cwd=home, env=environment, check=True)


def filled(source: Path, home: Path, url: str) -> None:
    home.mkdir()
    run(source, home, url, "-c", SALUR, "migrate")
    run(source, home, url, "-c", SALUR, "regions", "load", "--shipped")
    if (source / "src/salur/programmes").exists():
        run(source, home, url, HERE / "fill.py", home)


def of_sqlite(file: Path) -> str:
    connection = sqlite3.connect(file)
    try:
        return "\n".join(connection.iterdump()) + "\n"
    finally:
        connection.close()


def of_postgres(folder: Path, url: str) -> str:
    program = [folder / "pg_dump", "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=500", url]
    text = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    # Lines for psql alone; the test reads the file without it.
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("\\"))


def make(name: str, commit: str) -> Path:
    folder = postgres.binaries()
    assert folder is not None, "PostgreSQL's server programs are not installed"
    with tempfile.TemporaryDirectory() as given, postgres.cluster(folder) as url:
        work = Path(given)
        source = work / "source"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(source), commit], check=True)
        try:
            filled(source, work / "sqlite", f"sqlite:///{work / 'salur.sqlite3'}")
            filled(source, work / "postgres", url)
        finally:
            subprocess.run([*git, "remove", "--force", str(source)], check=True)
        (work / "sqlite" / "dump.sql").write_text(of_sqlite(work / "salur.sqlite3"), encoding="utf-8")
        (work / "postgres" / "dump.sql").write_text(of_postgres(folder, url), encoding="utf-8")
        kept = HERE / f"{name}.tar.xz"
        with tarfile.open(kept, "w:xz") as archive:
            for kind in ("sqlite", "postgres"):
                for file in ("dump.sql", *KEPT):
                    if (work / kind / file).exists():
                        archive.add(work / kind / file, f"{kind}/{file}")
    return kept


if __name__ == "__main__":
    made = make(*sys.argv[1:])
    sys.stdout.write(f"{made.relative_to(ROOT)}: {made.stat().st_size // 1024} kB\n")
