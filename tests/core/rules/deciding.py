"""Decides a small population in a process of its own that may be killed: `python deciding.py FOLDER RULEBOOK OUT`.

Options: `--kill N` kills itself with SIGKILL at its N-th act on files; `--bytes N` lets no file grow beyond N
bytes, as a full disk would; `--every` tries N = 1, 2, 3 … for --kill until a run completes, each in a copy of
this process, and prints for each how many runs it took to finish and the digest of the folder; `--facts DIR` keeps
family facts there, and its files count for --kill too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import signal
import sys
from datetime import date
from pathlib import Path

from salur.core.faults import InputError
from salur.core.population import catalogue as catalogues
from salur.core.population.layout import open_population
from salur.core.rules.decide import decide
from salur.core.rules.plan import plan
from salur.core.rules.rulebook import read

ON = date(2026, 11, 20)
ACTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}
REFUSED = 3


def run(
    folder: Path, rulebook: Path, out: Path, kill: int = 0, engine: str = "duckdb", facts: Path | None = None
) -> None:
    catalogue = catalogues.read(folder / "facts.toml")
    ready = plan(read(rulebook, catalogue), ON)
    population = open_population(folder / "population", catalogue)
    if kill:
        _kill_at(kill, *filter(None, (out, facts)))
    decide(ready, population, out, engine=engine, checked=folder / "checked", family_facts=facts)


def _kill_at(number: int, *folders: Path) -> None:
    """Die before the number-th change of a file, seen by Python's audit hook."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        writes = event == "open" and str(arguments[1]) not in ("r", "rb", "None")
        if (writes or event in ACTS) and any(str(folder) in str(arguments[0]) for folder in folders):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def digest(out: Path) -> str:
    """One hash of every name and byte below a folder."""
    sha256 = hashlib.sha256()
    for path in sorted(out.rglob("*")):
        sha256.update(str(path.relative_to(out)).encode() + b"\0")
        if path.is_file():
            sha256.update(path.read_bytes())
    return sha256.hexdigest()


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def in_a_copy(folder: Path, rulebook: Path, out: Path, kill: int, facts: Path | None) -> int:
    """Run in a forked process; the exit code, or minus the signal."""
    child = os.fork()
    if child == 0:
        try:
            run(folder, rulebook, out, kill, facts=facts)
            os._exit(0)
        except InputError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            os._exit(REFUSED)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def every(folder: Path, rulebook: Path, out: Path, facts: Path | None) -> None:
    """Kill at act 1, 2, 3 …; each time go on, be killed at the same act again, and go on to the end."""
    kill = 0
    while True:
        kill += 1
        for made in filter(None, (out, facts)):
            shutil.rmtree(made, ignore_errors=True)
        codes = [in_a_copy(folder, rulebook, out, kill, facts) for _ in range(2)]
        if codes[0] == 0:
            say("completed")
            return
        codes.append(in_a_copy(folder, rulebook, out, 0, facts))
        say(kill, *codes, digest(out))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("folder", "rulebook", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=0)
    parser.add_argument("--engine", default="duckdb")
    parser.add_argument("--every", action="store_true")
    parser.add_argument("--facts", type=Path)
    given = parser.parse_args()
    if given.bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.bytes, given.bytes))
    try:
        if given.every:
            every(given.folder, given.rulebook, given.out, given.facts)
        else:
            run(given.folder, given.rulebook, given.out, given.kill, given.engine, given.facts)
    except InputError as refused:
        say(refused)
        sys.exit(REFUSED)
