"""A code with a birth date opens one family's decisions; everything else says the same and costs five tries an hour."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from tests.citizens.town import KEYS, Town

from salur.access.policy import SYSTEM, VISITOR, Refused
from salur.journal.models import Event
from salur.people.protect import Keys
from salur.programmes import claims, services
from salur.programmes.models import ClaimCode, ClaimTry

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = date(1980, 3, 31)


def opened(code: str, born: date, *, now: datetime = NOW, source: str = "1.2.3.4", keys: Keys = KEYS) -> Any:
    return services.claim_open(now=now, actor=VISITOR, keys=keys, code=code, birth_date=born, source=source)


def test_every_code_is_its_familys_alone_and_is_nowhere(town: Town) -> None:
    codes = {family: claims.code_of(KEYS, family) for family in range(20_000)}
    assert len(set(codes.values())) == 20_000
    assert all(claims.checks(code) for code in codes.values())
    code, born = town.opens("eligible")
    assert opened(code, born).family_id == town.families["eligible"]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            assert not any(code in str(value) for row in cursor.fetchall() for value in row)


def test_the_check_letter_finds_one_wrong_letter_and_two_exchanged() -> None:
    rng = random.Random(3)
    for family in range(300):
        code = claims.code_of(KEYS, family)
        place = rng.randrange(claims.CODE_LENGTH)
        for letter in claims.LETTERS:
            other = code[:place] + letter + code[place + 1 :]
            assert claims.checks(other) == (other == code)
        for at in range(claims.CODE_LENGTH - 1):
            other = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
            assert claims.checks(other) == (other == code)


def test_issuing_again_adds_nothing_and_a_revoked_code_opens_nothing(town: Town) -> None:
    code, born = town.opens("eligible")
    family = town.families["eligible"]
    assert services.claim_codes_issue(now=NOW, actor=SYSTEM, keys=KEYS, cycle_id=town.cycle) == 0
    assert services.claim_codes_revoke(now=NOW, actor=SYSTEM, family_id=family, region="35.10") > 0
    assert opened(code, born).family_id is None
    assert services.claim_codes_issue(now=NOW, actor=SYSTEM, keys=KEYS, cycle_id=town.cycle) > 0
    assert opened(claims.code_of(KEYS, family, 1), born).family_id == family
    assert opened(code, born).family_id is None


def test_a_code_that_was_revoked_in_another_region_stays_revoked(town: Town) -> None:
    from tests.programmes.conftest import officer

    from salur.access import rows

    family = town.families["eligible"]
    ClaimCode.objects.filter(family_id=family).update(region="36.01")  # where the family lived before
    assert services.claim_codes_revoke(now=NOW, actor=SYSTEM, family_id=family, region="36.01") > 0
    clerk = officer(6, "people_clerk")
    with rows.limited_to(clerk, "programmes.claim_codes_issue"):
        assert services.claim_codes_issue(now=NOW, actor=clerk, keys=KEYS, cycle_id=town.cycle) > 0
    code, born = town.opens("eligible")
    assert opened(code, born).family_id is None
    assert opened(claims.code_of(KEYS, family, 1), born).family_id == family


@pytest.mark.parametrize("lives_in", ["35.10", "36.01"])
def test_a_code_is_revoked_wherever_it_was_issued(town: Town, lives_in: str) -> None:
    """By the office where the family lives now, or where the code was issued; by no other."""
    from tests.programmes.conftest import officer

    from salur.access import rows

    family, (code, born) = town.families["eligible"], town.opens("eligible")
    ClaimCode.objects.filter(family_id=family).update(region="36.01")  # where it lived at issue; now in 35.10
    for region, finds in (("36.02", False), (lives_in, True)):
        clerk = officer(6, "people_clerk", region=region)
        with rows.limited_to(clerk, "programmes.claim_codes_revoke"):
            count = services.claim_codes_revoke(now=NOW, actor=clerk, family_id=family, region=region)
        assert bool(count) == finds
        assert opened(code, born).family_id == (None if finds else family)


SOURCES = count(1)  # each has tries of its own
ROTATED = Keys(2, {1: KEYS.secrets[1], 2: b"2" * 32})


def letters(town: Town, file: Path, keys: Keys) -> dict[int, str]:
    """What is printed for each family of the town, after codes were issued again."""
    services.claim_codes_issue(now=NOW, actor=SYSTEM, keys=keys, cycle_id=town.cycle)
    services.claim_letters_write(now=NOW, actor=SYSTEM, keys=keys, cycle_id=town.cycle, file=file)
    rows = [line.split(",") for line in file.read_text().splitlines()[1:]]
    return {int(family): claims.plain(code) or "" for family, code in rows}


def open_codes(family: int, born: date) -> list[str]:
    """Which codes of any version and edition open the family's decisions with this birth date."""
    codes = [claims.code_of(ROTATED, family, edition, version) for edition in range(3) for version in (1, 2)]
    return [
        code
        for code in codes
        if opened(code, born, keys=ROTATED, source=f"10.1.1.{next(SOURCES)}").family_id == family
    ]


def test_a_letter_stays_good_and_the_only_one_when_the_keys_are_rotated(town: Town, tmp_path: Path) -> None:
    """Half the families have a code of before the rotation, one of them an adult more since; the others have none."""
    from salur.people.models import Membership, Person

    families = sorted(town.births)
    before = letters(town, tmp_path / "before.csv", KEYS)
    ClaimCode.objects.filter(family_id__in=families[::2]).delete()
    grown = families[1]
    member = Membership.objects.filter(family_id=grown).latest("person_id").person_id
    Person.objects.filter(id=member).update(birth_date=date(1977, 7, 7))
    after = letters(town, tmp_path / "after.csv", ROTATED)
    assert after.keys() == before.keys()
    assert {family for family in families if after[family] == before[family]} == set(families[1::2])
    for family in families[:8]:
        assert open_codes(family, town.births[family]) == [after[family]]
    assert open_codes(grown, date(1977, 7, 7)) == [after[grown]]
    assert letters(town, tmp_path / "again.csv", ROTATED) == after


def test_codes_made_under_a_version_that_leaked_are_revoked_together(town: Town, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from salur.programmes.commands import app

    families = sorted(town.births)
    ClaimCode.objects.filter(family_id__in=families[::2]).delete()
    before = letters(town, tmp_path / "before.csv", ROTATED)
    CliRunner().invoke(app, ["revoke-codes", "--key-version", "1"], catch_exceptions=False)
    assert [bool(open_codes(family, town.births[family])) for family in families[:6]] == [True, False] * 3
    after = letters(town, tmp_path / "after.csv", ROTATED)
    assert {family for family in families if after[family] == before[family]} == set(families[::2])
    for family in families[:6]:
        assert open_codes(family, town.births[family]) == [after[family]]
    event = Event.objects.filter(kind="programmes.claim_codes_revoked").get()
    assert event.subject_ref == "keys:1"


def test_the_letters_are_one_act_on_record(town: Town, tmp_path: Path) -> None:
    file = tmp_path / "letters.csv"
    count = services.claim_letters_write(now=NOW, actor=SYSTEM, keys=KEYS, cycle_id=town.cycle, file=file)
    lines = file.read_text().splitlines()
    assert len(lines) == count + 1
    assert file.stat().st_mode & 0o077 == 0
    family = town.families["eligible"]
    assert f"{family},{claims.shown(town.codes[family])}" in lines
    event = Event.objects.filter(kind="programmes.claim_letters_written").get()
    assert town.codes[family] not in event.detail
    with pytest.raises(Refused):
        services.claim_letters_write(
            now=NOW, actor=VISITOR, keys=KEYS, cycle_id=town.cycle, file=tmp_path / "x"
        )


def test_codes_of_others_and_birth_dates_of_others_open_nothing(town: Town) -> None:
    rng, families = random.Random(5), list(town.births)
    for number in range(200):
        one, other = rng.sample(families, 2)
        if town.births[one] != town.births[other]:
            days = ClaimCode.objects.filter(
                index__in=claims.indexes(KEYS, town.codes[one], town.births[other])
            )
            assert set(days.values_list("family_id", flat=True)) <= {one}, number


@contextmanager
def statements(log: list[str]) -> Iterator[None]:
    """What is asked of the database, without its values and the numbers of its savepoints."""

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        log.append(re.sub(r"_x[0-9]+", "", sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield


def test_unknown_wrong_date_and_wrong_check_letter_do_the_same_work(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, born = town.opens("eligible")
    wrong_check = code[:-1] + next(letter for letter in claims.LETTERS if letter != code[-1])
    digest, work = Keys.digest, []
    for number, (typed, day) in enumerate(
        [(claims.code_of(KEYS, 10**14), born), (code, born + timedelta(days=1)), (wrong_check, born)]
    ):
        asked: list[str] = []
        made: list[str] = []

        def counting(
            self: Keys, purpose: str, text: str, version: int | None = None, seen: list[str] = made
        ) -> bytes:
            seen.append(purpose)
            return digest(self, purpose, text, version)

        monkeypatch.setattr(Keys, "digest", counting)
        before = Event.objects.count()
        with statements(asked):
            assert opened(typed, day, source=f"10.0.0.{number}").family_id is None
        assert Event.objects.count() == before
        work.append((asked, made))
    assert work[0] == work[1] == work[2]
    assert len(work[0][0]) > 4


def test_five_tries_an_hour_for_a_code_to_the_second(town: Town) -> None:
    code, born = town.opens("eligible")
    wrong = born + timedelta(days=1)
    for number in range(claims.TRIES_MOST):
        at = NOW + timedelta(minutes=number)
        assert opened(code, wrong, now=at, source=f"10.0.0.{number}").wait_seconds == 0
    late = NOW + timedelta(minutes=30)
    assert opened(code, born, now=late, source="10.0.1.1").wait_seconds == 30 * 60
    last = NOW + timedelta(hours=1) - timedelta(microseconds=1)
    assert opened(code, born, now=last, source="10.0.1.1").wait_seconds == 1
    assert opened(code, born, now=NOW + timedelta(hours=1), source="10.0.1.1").family_id
    assert ClaimTry.objects.filter(at__lte=NOW).count() == 0  # what is over is gone


def test_a_source_has_five_tries_whatever_it_types_and_whoever_exists(town: Town) -> None:
    real, born = town.opens("eligible")
    for family in range(claims.TRIES_MOST):
        assert not opened(claims.code_of(KEYS, 10**14 + family), DAY).wait_seconds
    told = {opened(code, born).wait_seconds for code in (real, claims.code_of(KEYS, 10**14 + 99))}
    assert told == {3600}
    assert opened(real, born, source="5.6.7.8").family_id


def test_a_try_that_opens_is_given_back(town: Town) -> None:
    code, born = town.opens("eligible")
    for _ in range(claims.TRIES_MOST + 3):
        assert opened(code, born).family_id
    assert ClaimTry.objects.count() == 0
