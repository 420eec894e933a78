"""The office of the demonstration: officers, people, rulebooks in force, cycles, letters; and the pages served.

What an earlier run finished is left as it is.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console

from salur.access.policy import Actor
from salur.core import rules
from salur.core.population.generate import Generator
from salur.core.population.identities import write_identities

if TYPE_CHECKING:
    from salur.programmes.models import Cycle

CEILING = 1_000_000_000_000  # rupiah; invented, like everybody here
DECREED, REVIEWED = "pkh", "sembako"
OUTCOMES = ("eligible", "not_eligible", "needs_data")


@dataclass(frozen=True)
class Letter:
    """What a family was told: the code as it is printed, a birth date that opens it, and what it will read."""

    code: str
    birth_date: date
    outcome: str
    amount: int  # whole rupiah
    versions: int


def settings_of_the_demo(folder: Path, port: int) -> None:
    """A home of its own, marked as a demonstration. Before Django is set up."""
    os.environ["SALUR_DEMO"] = "1"
    os.environ.setdefault("SALUR_HOME", str((folder / "home").resolve()))
    os.environ.setdefault("SALUR_ORIGIN", f"http://localhost:{port}")


def prepare(
    console: Console,
    generator: Generator,
    population: rules.Population,
    books: Sequence[rules.Rulebook],
    folder: Path,
) -> list[Letter]:
    """Everything in the database; returns letters of the decreed programme, of families that read different things."""
    from django.utils import timezone

    from salur.access import demo
    from salur.access.policy import SYSTEM
    from salur.commands.demo import cycles
    from salur.people import keys as key_file
    from salur.people import services as people
    from salur.people.folders import Folders

    now = timezone.now()
    if not key_file.path().exists():
        key_file.init(key_file.path(), secrets.token_bytes(32))
    keys = key_file.load()
    write_identities(generator, population.id, folder / "identities")
    both = Folders(population, folder / "identities")
    enrolled = people.enrol(
        actor=SYSTEM, now=now, keys=keys, families=both.families(), persons=both.persons(),
        since=population.reference_date, source=both.digest,
    )  # fmt: skip
    officers = demo.prepare(now=now)
    console.print(
        f"Office: {len(officers)} officers, {enrolled.persons + enrolled.known:,} persons with protected numbers.",
        markup=False,
    )
    for book in books:
        _in_force(book, officers)
    decreed, reviewed = (next(book for book in books if book.id == id_) for id_ in (DECREED, REVIEWED))
    cycle = cycles.decided(population, decreed, officers)
    cycles.reviewed(cycle, officers)
    cycles.decreed(cycle, officers)
    for each in (cycle, cycles.decided(population, reviewed, officers)):
        console.print(f"Cycle: {each} is {each.state}.", markup=False)
    return _letters(cycle)


def _in_force(book: rules.Rulebook, officers: dict[str, Actor]) -> None:
    """A version by two officers, and the ceiling of its period."""
    from django.utils import timezone

    from salur.commands.demo.cycles import IN_FORCE, PERIODS
    from salur.programmes import selectors, services

    now = timezone.now()
    if selectors.version_in_force(book.id, IN_FORCE) is None:
        first, second = officers["ratna@demo.invalid"], officers["made@demo.invalid"]
        version = services.rulebook_add(
            now=now, actor=first, raw=book.raw, facts_raw=book.catalogue.raw, in_force_from=IN_FORCE
        )
        services.rulebook_approve(now=now, actor=second, version_id=version)
    period = PERIODS[book.period]
    if any(component.amount for component in book.components) and not selectors.budgets(book.id, period):
        services.ceiling_set(
            now=now, actor=officers["yusuf@demo.invalid"], programme=book.id, period=period, amount=CEILING,
            since=IN_FORCE, basis="DIPA 2026 (demo)",
        )  # fmt: skip


def _letters(cycle: Cycle) -> list[Letter]:
    """A family for each outcome, and one that was decided again, each with the birth date of an adult."""
    from salur.people import keys as key_file
    from salur.people.selectors import family_members
    from salur.programmes import claims, selectors

    keys = key_file.load()
    standing = selectors.standing_decisions(cycle).order_by("id")
    again = standing.exclude(supersedes=None)
    first = standing.filter(supersedes=None)
    letters = []
    for rows in (*(first.filter(outcome=outcome) for outcome in OUTCOMES), again):
        for decision in rows[:50]:
            born = [
                person.birth_date
                for person in family_members(decision.family_id, cycle.reference_date, regions=None)
                if person.birth_date is not None and person.birth_date.year < cycle.reference_date.year - 18
            ]
            if born:
                code = claims.shown(claims.code_of(keys, decision.family_id))
                letters.append(Letter(code, min(born), decision.outcome, decision.amount, decision.n))
                break
    return letters


def serve(port: int) -> None:
    """The pages and the worker, until Ctrl-C; both end together."""
    salur = [sys.executable, "-c", "from salur.commands import main; main()"]
    commands = ([*salur, "serve", "--port", str(port)], [*salur, "work"])
    running = [subprocess.Popen(command, start_new_session=True) for command in commands]  # noqa: S603

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        for process in running:
            process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
