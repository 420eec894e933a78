"""`make soak`: ten million families decided with places in every regency, killed three times at random, and gone on.

`python -m tests.core.rules.soak_killed [--families N] [--population DIR] [--kills N] [--seed N]` says when each run was
killed and ends with `diff -r` of the folder against that of a run that nobody disturbed: exit code 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from bench.nation import ranked

from salur.core import rules
from salur.core.population.commands import read_regencies
from salur.core.population.generate import Generator, generate

BOOKS = Path(rules.__file__).parents[2] / "rulebooks"
SALUR = (sys.executable, "-c", "from salur.commands import main; main()")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.core.rules.soak_killed", description=__doc__)
    parser.add_argument("--families", type=int, default=10_000_000)
    parser.add_argument("--population", type=Path, help="one that is there, instead of making one")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="salur-soak-") as folder:
        sys.exit(soaked(Path(folder), given.families, given.population, given.kills, given.seed))


def soaked(folder: Path, families: int, people: Path | None, kills: int, seed: int) -> int:
    """How `diff -r` ends."""
    if people is None:
        people = folder / "population"
        catalogue = rules.read_catalogue(BOOKS / "facts.toml")
        generate(Generator(read_regencies("all"), families, 1, catalogue, date(2026, 9, 30), 5.0), people)
    book, chance = ranked(folder, families), random.Random(seed)
    say(f"seed {seed}")

    def decide(name: str) -> tuple[list[str], dict[str, str]]:
        words = ["rules", "decide", str(book), "--population", str(people), "--out", str(folder / name)]
        return [*SALUR, *words], {"SALUR_CACHE": str(folder / f"cache-{name}")}

    begun = time.monotonic()
    finished(*decide("undisturbed"))
    whole = time.monotonic() - begun
    say(f"undisturbed: {whole:.0f} s")
    killed(*decide("killed"), whole, kills, chance, [folder / "killed", folder / "cache-killed"])
    finished(*decide("killed"))
    done = subprocess.run(["diff", "-r", folder / "undisturbed", folder / "killed"], check=False)
    say("diff -r: " + ("the same bytes" if done.returncode == 0 else "NOT the same bytes"))
    return done.returncode


def killed(
    command: Sequence[str],
    own: Mapping[str, str],
    whole: float,
    kills: int,
    chance: random.Random,
    made: Sequence[Path],
) -> None:
    """Run a command and kill it so many times, each at a random moment of what an undisturbed run takes.

    Where it ends before its time, what it made goes and it is killed earlier.
    """
    for attempt in range(8):
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        moments = [whole * chance.uniform(0.1, 0.9) / (kills + attempt) for _ in range(kills)]
        if all(killed_after(command, own, seconds) for seconds in moments):
            say(f"killed after {', '.join(f'{seconds:.1f} s' for seconds in moments)}")
            return
    raise AssertionError("the runs end before they can be killed")


def killed_after(command: Sequence[str], own: Mapping[str, str], seconds: float) -> bool:
    """Whether it had not ended by itself."""
    process = subprocess.Popen(
        command, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return process.wait() == -signal.SIGKILL


def finished(command: Sequence[str], own: Mapping[str, str]) -> str:
    """What a command prints when nobody disturbs it."""
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
