"""Who guesses learns of nobody: codes, birth dates, NIKs where codes belong, NIKs without the right to look.

20,000 guesses in the suite; `make soak` makes a million (SALUR_GUESSES). The limits are lifted where it says so, for
they would end the guessing after five.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from tests.citizens.town import KEYS, Town

from salur.access.policy import SYSTEM, VISITOR
from salur.journal.models import Event
from salur.people import selectors as people
from salur.people import services as people_services
from salur.people.models import Identifier, Person
from salur.programmes import claims, services
from salur.programmes.models import ClaimCode, ClaimTry

GUESSES = int(os.environ.get("SALUR_GUESSES", "20000"))
AT_ONCE = 500
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
Guess = tuple[str, date]  # a code as it is typed, and a birth date


@dataclass
class Guesser:
    """Somebody who knows much: letters of others, birth dates, NIKs; but not the code together with its birth date."""

    town: Town
    rng: random.Random

    def __post_init__(self) -> None:
        self.families = list(self.town.births)
        self.days = sorted(set(self.town.births.values()))
        self.opening: dict[int, set[date]] = {}
        for family, born in Person.objects.values_list("memberships__family_id", "birth_date"):
            self.opening.setdefault(family, set()).add(born)

    def kinds(self) -> dict[str, Callable[[], Guess]]:
        return {
            "any code with its check letter, any birth date": self.any_code,
            "a real code with one letter changed, the right birth date": self.near_code,
            "a real code with two letters exchanged": self.exchanged,
            "a real code, the birth date of somebody else": self.other_day,
            "a right birth date, the code of another family or a code to come": self.other_code,
            "a NIK, a family card or a phone number as the code": self.number,
        }

    def day(self) -> date:
        return self.rng.choice(self.days)

    def any_code(self) -> Guess:
        code = "".join(self.rng.choices(claims.LETTERS, k=claims.CODE_LENGTH - 1))
        return code + claims.LETTERS[claims._times_x(claims._polynomial(code))], self.day()

    def real(self) -> tuple[int, str]:
        family = self.rng.choice(self.families)
        return family, self.town.codes[family]

    def near_code(self) -> Guess:
        family, code = self.real()
        place = self.rng.randrange(claims.CODE_LENGTH)
        letter = self.rng.choice(claims.LETTERS.replace(code[place], ""))
        return code[:place] + letter + code[place + 1 :], self.town.births[family]

    def exchanged(self) -> Guess:
        while True:
            family, code = self.real()
            one, two = sorted(self.rng.sample(range(claims.CODE_LENGTH), 2))
            if code[one] != code[two]:
                swapped = code[:one] + code[two] + code[one + 1 : two] + code[one] + code[two + 1 :]
                return swapped, self.town.births[family]

    def other_day(self) -> Guess:
        while True:
            family, code = self.real()
            day = self.day() + timedelta(days=self.rng.randint(-400, 400))
            if day not in self.opening[family]:
                return code, day

    def other_code(self) -> Guess:
        while True:
            family, _code = self.real()
            other, code = self.real()
            if self.rng.random() < 0.5:
                other, code = family, claims.code_of(KEYS, family, self.rng.randint(1, 9))
                return code, self.town.births[family]
            if self.town.births[family] not in self.opening[other]:
                return code, self.town.births[family]

    def number(self) -> Guess:
        digits = "".join(self.rng.choices("0123456789", k=self.rng.choice((12, 13, 16))))
        return digits, self.day()


@pytest.fixture
def guesser(town: Town) -> Guesser:
    return Guesser(town, random.Random(11))


def said(*lines: str) -> None:
    """For `make soak`, which shows it."""
    sys.stdout.write("\n" + "\n".join(lines) + "\n")


def shared_out(total: int, kinds: dict[str, Callable[[], Guess]]) -> Iterator[tuple[str, Iterator[Guess]]]:
    for name, make in kinds.items():
        yield name, (make() for _ in range(-(-total // len(kinds))))


def test_guesses_reveal_nobody(guesser: Guesser, town: Town) -> None:
    """Each guess is looked up as a letter's code is, without the limits."""
    made = Counter[str]()
    for name, guesses in shared_out(GUESSES, guesser.kinds()):
        while some := list(islice(guesses, AT_ONCE)):
            made[name] += len(some)
            plain = [(code, born) for typed, born in some if (code := claims.plain(typed)) is not None]
            indexes = [index for code, born in plain for index in claims.indexes(KEYS, code, born)]
            assert not ClaimCode.objects.filter(index__in=indexes).exists(), name
    said(f"{made.total():,} guesses revealed nobody:", *(f"{n:>9,}  {name}" for name, n in made.items()))
    assert made.total() >= GUESSES
    code, born = town.opens("eligible")  # the same way finds what is there
    assert ClaimCode.objects.filter(index__in=claims.indexes(KEYS, code, born)).exists()


def test_guesses_through_the_service_reveal_nobody(guesser: Guesser) -> None:
    """The whole service with its limits, each guess an hour later and from somewhere else."""
    before, at, told = Event.objects.count(), NOW, Counter[Any]()
    for _name, guesses in shared_out(GUESSES // 100, guesser.kinds()):
        for number, (typed, born) in enumerate(guesses):
            at += claims.WINDOW
            code = claims.plain(typed)
            if code is not None:
                found = services.claim_open(
                    now=at, actor=VISITOR, keys=KEYS, code=code, birth_date=born, source=f"10.0.{number}"
                )
                told[found] += 1
    assert list(told) == [services.Claim()]
    assert Event.objects.count() == before
    said(f"{told.total():,} guesses through the service revealed nobody")


def ask(client: Client, code: str, born: date, source: str) -> Any:
    form = {"code": code, "born-day": born.day, "born-month": born.month, "born-year": born.year}
    return client.post("/en/mengapa/", form, REMOTE_ADDR=source)


def test_guesses_through_the_form_reveal_nobody(guesser: Guesser, caplog: pytest.LogCaptureFixture) -> None:
    """The page that answers is the same, whoever exists: but for what was typed."""
    client, pages, made = Client(SERVER_NAME="localhost"), dict[str, str](), 0
    caplog.set_level(logging.ERROR, logger="django.request")
    before = Event.objects.count()
    for name, guesses in shared_out(max(1_200, GUESSES // 200), guesser.kinds()):
        for typed, born in guesses:
            source = f"10.{made >> 16 & 255}.{made >> 8 & 255}.{made & 255}"
            if made % 100 == 0:
                ClaimTry.objects.all().delete()  # as after an hour
            made += 1
            answer = ask(client, typed, born, source)
            assert (answer.status_code, dict(answer.cookies).keys() - {"csrf"}) == (422, set()), name
            body = answer.content.decode().partition("<main")[2]
            for text in (typed[:40], f'value="{born.year}"', f'value="{born.month}"', f'value="{born.day}"'):
                body = body.replace(text, "")
            body = body.split("csrfmiddlewaretoken")[0] + body.partition("</form>")[2]
            well_formed = "a code" if claims.plain(typed) else "no code"
            assert pages.setdefault(well_formed, body) == body, name
    assert Event.objects.count() == before
    assert sorted(pages) == ["a code", "no code"]
    said(f"{made:,} guesses through the form revealed nobody")


def test_numbers_reveal_nobody_to_who_has_no_right(guesser: Guesser) -> None:
    """Officers' search by NIK: real NIKs and strangers' are the same to an officer of another region."""
    persons = list(Person.objects.order_by("id").values_list("id", flat=True)[:50])
    niks = {f"35100{n:02}503{n:02}00{n:02}" for n in range(10, 60)}
    for person, nik in zip(persons, sorted(niks), strict=True):
        people_services.identifier_set(
            actor=SYSTEM, now=timezone.now(), keys=KEYS, owner=f"person:{person}", kind="nik",
            number=nik,
        )  # fmt: skip
    assert Identifier.objects.filter(kind="nik").count() == 50
    real, rng, made = sorted(niks), guesser.rng, 0
    for regions in ((), ("35.11",), ("36",)):
        for _ in range(GUESSES // 300):
            near = rng.choice(real)
            nik = rng.choice([near, near[:-1] + rng.choice("0123456789"), f"3510{rng.randrange(10**12):012}"])
            assert people.find_by_identifier("nik", nik, KEYS, regions=regions) is None
            made += 1
    assert people.find_by_identifier("nik", real[0], KEYS, regions=("35.10",)) == f"person:{persons[0]}"
    said(f"{made:,} NIKs looked up without the right revealed nobody")


# ---- five tries an hour, for a code and for a source, whoever tries at once --------------------------------------


def at_once(number: int, tries: Callable[[int], None]) -> None:
    """So many threads on connections of their own, begun together."""
    gate, faults = threading.Barrier(number), []

    def work(mine: int) -> None:
        try:
            gate.wait()
            tries(mine)
        except Exception as error:
            faults.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(mine,)) for mine in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_the_limit_holds_between_connections(town: Town) -> None:
    """Four threads at once on connections of their own: five tries in all, not one more."""
    code, answers = claims.code_of(KEYS, 10**14), []

    def tries(number: int) -> None:
        for attempt in range(4):
            found = services.claim_open(
                now=NOW, actor=VISITOR, keys=KEYS, code=code, birth_date=date(1980, 3, 31),
                source=f"10.{number}.0.{attempt}",
            )  # fmt: skip
            answers.append(found.wait_seconds)

    at_once(4, tries)
    assert sorted(answers).count(0) == claims.TRIES_MOST


@pytest.mark.parametrize("same", ["code", "source", "network"])
def test_the_form_takes_five_tries_an_hour_from_all_at_once(town: Town, same: str) -> None:
    """Of one code from anywhere; from one source with any code; of IPv6 a whole network is one source."""
    answers: list[int] = []
    real, born = town.opens("eligible")
    wrong = born + timedelta(days=1)

    def tries(number: int) -> None:
        client = Client(SERVER_NAME="localhost")
        for attempt in range(3):
            n = 3 * number + attempt
            source = {"code": f"10.0.0.{n}", "source": "10.0.0.1", "network": f"2001:db8:7:7::{n:x}"}[same]
            code = real if same == "code" else claims.code_of(KEYS, 10**14 + n)
            answers.append(ask(client, code, wrong, source).status_code)

    at_once(4, tries)
    assert Counter(answers) == {422: claims.TRIES_MOST, 429: 12 - claims.TRIES_MOST}
    late = ask(
        Client(SERVER_NAME="localhost"), real, born, "10.0.0.1" if same != "network" else "2001:db8:7:7::ffff"
    )
    assert (late.status_code, 0 < int(late["Retry-After"]) <= 3600) == (429, True)  # right, but too late
    elsewhere = ask(Client(SERVER_NAME="localhost"), real, born, "10.9.9.9")
    assert elsewhere.status_code == (429 if same == "code" else 302)


def test_what_is_no_code_is_no_try(town: Town) -> None:
    client = Client(SERVER_NAME="localhost")
    for _ in range(claims.TRIES_MOST + 2):
        assert ask(client, "3510011503909001", date(1980, 3, 31), "10.0.0.1").status_code == 422
    assert ClaimTry.objects.count() == 0
