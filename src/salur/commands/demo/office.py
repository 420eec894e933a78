"""The office of the demonstration: officers, people, rulebooks in force, cycles, letters; and the pages served.

One programme is decreed, so that families can read why; another waits for its review. What an earlier run finished is
left as it is.
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

from rich.console import Console

from salur.access.policy import Actor
from salur.core import rules
from salur.core.population.generate import Generator
from salur.core.population.identities import write_identities
from salur.core.rules.commands import cache

PERIODS = {"month": "2026-10", "quarter": "2026-Q4", "semester": "2026-S2", "year": "2026", "once": "2026"}
IN_FORCE = date(2026, 1, 1)
CEILING = 1_000_000_000_000  # rupiah; invented, like everybody here
DECREED, REVIEWED = "sembako", "pkh"


@dataclass(frozen=True)
class Letter:
    """What a family was told: the code as it is printed, and a birth date that opens it."""

    code: str
    birth_date: date
    outcome: str


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
    """Everything in the database; returns a letter for each outcome of the decreed programme."""
    from django.utils import timezone

    from salur.access import demo
    from salur.access.policy import SYSTEM
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
    for programme in (DECREED, REVIEWED):
        _decided(console, population, next(book for book in books if book.id == programme), officers)
    _decreed(officers)
    return _letters()


def _in_force(book: rules.Rulebook, officers: dict[str, Actor]) -> None:
    """A version by two officers, and the ceiling of its period."""
    from django.utils import timezone

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


def _decided(
    console: Console, population: rules.Population, book: rules.Rulebook, officers: dict[str, Actor]
) -> None:
    """A cycle of the programme, opened by an officer and decided."""
    from django.conf import settings
    from django.utils import timezone

    from salur.access.demo import REGENCY
    from salur.access.policy import SYSTEM
    from salur.programmes import selectors, services

    period = PERIODS[book.period]
    cycle = selectors.cycles().filter(programme=book.id, period=period).first()
    if cycle is None:
        version = selectors.version_in_force(book.id, IN_FORCE)
        assert version is not None  # noqa: S101 - put in force above
        cycle_id = services.cycle_open(
            now=timezone.now(), actor=officers["wayan@demo.invalid"], version_id=version, period=period,
            regions=[REGENCY], population=population,
        )  # fmt: skip
        cycle = selectors.cycles().get(id=cycle_id)
    if cycle.state == "opened":
        services.cycle_decide(
            now=timezone.now(), actor=SYSTEM, cycle_id=cycle.id, checked=cache() / "checked",
            work=settings.DECISIONS_FOLDER / f"cycle-{cycle.id}",
        )  # fmt: skip
        console.print(f"Cycle: {book.id} {period} is decided.", markup=False)


def _decreed(officers: dict[str, Actor]) -> None:
    """The first cycle signed by the passkey of its signer, and its letters' codes."""
    from django.conf import settings
    from django.utils import timezone

    from salur.access import demo, signing
    from salur.access import selectors as access
    from salur.access.policy import SYSTEM
    from salur.access.software_key import SoftwareKey
    from salur.people import keys as key_file
    from salur.programmes import selectors, services

    email = "siti@demo.invalid"
    signer = officers[email]
    cycle = selectors.cycles().filter(programme=DECREED).earliest("id")
    if cycle.state == "decided":
        now = timezone.now()
        services.decree_prepare(
            now=now, actor=signer, cycle_id=cycle.id, number=f"SK-{cycle.id}/DEMO/2026",
            folder=settings.DECREES_FOLDER / f"cycle-{cycle.id}",
        )  # fmt: skip
        decree = selectors.decree(cycle.id)
        assert decree is not None  # noqa: S101 - prepared above
        digest = bytes(decree.digest)
        key = SoftwareKey(demo.seed(email), settings.SALUR_ORIGIN, counter=int(now.timestamp()))
        options = signing.begin(
            digest=digest, credentials=access.passkeys(signer.officer_id or 0), origin=settings.SALUR_ORIGIN
        )
        services.decree_sign(
            now=now, actor=signer, cycle_id=cycle.id, digest=digest, response=key.sign(options)
        )
    for each in selectors.cycles():
        services.claim_codes_issue(now=timezone.now(), actor=SYSTEM, keys=key_file.load(), cycle_id=each.id)


def _letters() -> list[Letter]:
    """A family for each outcome of the decreed programme, with the birth date of an adult."""
    from salur.people import keys as key_file
    from salur.people.selectors import family_members
    from salur.programmes import claims, selectors

    keys = key_file.load()
    cycle = selectors.cycles().filter(programme=DECREED).earliest("id")
    letters = []
    for outcome in ("eligible", "not_eligible", "needs_data"):
        for decision in selectors.standing_decisions(cycle).filter(outcome=outcome).order_by("id")[:50]:
            born = [
                person.birth_date
                for person in family_members(decision.family_id, cycle.reference_date, regions=None)
                if person.birth_date is not None and person.birth_date.year < cycle.reference_date.year - 18
            ]
            if born:
                letters.append(
                    Letter(claims.shown(claims.code_of(keys, decision.family_id)), min(born), outcome)
                )
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
