"""`make soak`: a million families decided on a standalone Spark cluster that loses a worker in the middle.

A master and two workers on loopback; one is killed, with its executor, as soon as it has begun several tasks. The
lines are compared one by one with DuckDB's. Ends with exit code 1 if one differs, or if nothing was lost.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import zip_longest
from pathlib import Path

from tests import spark

from salur.core import rules
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
ON = date(2026, 9, 30)
TASKS_BEGUN = 3  # by the worker that is lost


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.core.rules.soak_spark", description=__doc__)
    parser.add_argument("--families", type=int, default=1_000_000)
    parser.add_argument("--regencies", default="35")
    parser.add_argument("--programmes", default="pkh,digital-talent")
    given = parser.parse_args()
    if reason := spark.missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="salur-soak-") as folder:
        people = Path(folder, "population")
        catalogue = rules.read_catalogue(BOOKS / "facts.toml")
        generate(Generator(read_regencies(given.regencies), given.families, 1, catalogue, ON, 5.0), people)
        differing = [lost(people, programme) for programme in given.programmes.split(",")]
    sys.exit(any(differing))


def lost(people: Path, programme: str) -> int:
    """Decide on a cluster of two workers of which one is lost; how many lines differ from DuckDB's."""
    folder = people.parent / programme
    folder.mkdir()
    with spark.cluster(folder / "cluster") as cluster:
        workers = [cluster.worker() for _ in range(2)]
        say(f"{programme}: two workers of {cluster.master}")
        begun = time.monotonic()
        options = ["--engine", "spark", "--master", cluster.master]
        decide = command(people, programme, folder / "spark", *options)
        with subprocess.Popen(decide, env=own(people), stdout=subprocess.DEVNULL) as run:
            victim = cluster.folder / "worker2"
            while (tasks := began(victim)) < TASKS_BEGUN:
                if run.poll() is not None:
                    sys.exit(f"{programme}: it ended before a worker could be lost")
                time.sleep(0.05)
            cluster.kill(workers[1])
            killed = time.monotonic() - begun
            heard = told(folder / "spark" / "work" / "spark" / "log", run)
        if run.returncode:
            sys.exit(f"{programme}: it ended with {run.returncode}")
        say(
            f"{programme}: one worker killed after {killed:.0f} s and {tasks} tasks begun ({heard}); "
            f"the other finished after {time.monotonic() - begun:.0f} s"
        )
    decide = command(people, programme, folder / "duckdb")
    subprocess.run(decide, env=own(people), stdout=subprocess.DEVNULL, check=True)
    return compared(people, programme, folder)


def command(people: Path, programme: str, out: Path, *options: str) -> list[str]:
    main_ = "from salur.commands import main; main()"
    arguments = ["rules", "decide", programme, "--population", str(people), "--out", str(out), *options]
    return [sys.executable, "-c", main_, *arguments]


def own(people: Path) -> dict[str, str]:
    return os.environ | {"SALUR_CACHE": str(people.parent / "cache")}


def began(worker: Path) -> int:
    """How many tasks the executors of a worker have begun."""
    logs = worker.glob("app-*/*/stderr")
    return sum(log.read_text(errors="replace").count("Running task ") for log in logs)


def told(log: Path, run: subprocess.Popen[bytes]) -> str:
    """What Spark says of the worker that is gone."""
    while run.poll() is None:
        text = log.read_text(errors="replace") if log.exists() else ""
        if found := re.search(r"Lost executor \d+", text):
            return found[0]
        time.sleep(0.05)
    sys.exit("It ended without a word of the worker that is gone")


def compared(people: Path, programme: str, folder: Path) -> int:
    catalogue = rules.read_catalogue(BOOKS / "facts.toml")
    population = rules.open_population(people, catalogue)
    done = [rules.open_decisions(folder / engine) for engine in ("duckdb", "spark")]
    total = differing = 0
    for wanted, given in zip_longest(*(rules.decision_lines(each, population, catalogue) for each in done)):
        total += 1
        differing += wanted != given
    bytes_ = "the same bytes" if done[0].manifest == done[1].manifest else "OTHER BYTES"
    say(f"{programme}: {total:,} lines compared with DuckDB's, {differing:,} differ; {bytes_}")
    return differing + (bytes_ != "the same bytes")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
