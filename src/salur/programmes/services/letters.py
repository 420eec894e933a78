"""Claim codes: issued, printed, revoked, and opened by those who hold a letter."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from pathlib import Path

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.utils.timezone import localdate

from salur.access.policy import Actor, require
from salur.access.rows import everywhere
from salur.core.faults import InputError
from salur.core.rules import nodes
from salur.journal.services import record
from salur.people import selectors as people
from salur.people.exported import being_written
from salur.people.protect import Keys
from salur.programmes import claims
from salur.programmes.models import ClaimCode, Cycle, Decision
from salur.programmes.services.shared import Progress, one

CLAIMS_AT_ONCE = 5_000  # families in one transaction, and in one event


def claim_codes_issue(
    *, now: datetime, actor: Actor, keys: Keys, cycle_id: int, progress: Progress | None = None
) -> int:
    """Make the families of a cycle able to open their decisions; returns how many codes with a birth date are new.

    One row for each birth date of an adult. A family that has its rows already keeps them.
    """
    cycle = one(Cycle, cycle_id)
    for region in cycle.regions:
        require(actor, "programmes.claim_codes_issue", region, now=now)
    families = Decision.objects.filter(cycle=cycle).order_by("family_id").values_list("family_id", "region")
    return sum(
        _claim_codes_issue(now=now, actor=actor, keys=keys, cycle=cycle, families=some)
        for some in _in_chunks(families.distinct(), "codes", progress)
    )


@transaction.atomic
def _claim_codes_issue(
    *, now: datetime, actor: Actor, keys: Keys, cycle: Cycle, families: dict[int, str]
) -> int:
    today = localdate(now)
    born_by = nodes.shift_months(today, -12 * claims.ADULT_AGE_YEARS)
    known = people.birth_dates_of(families, today, born_by=born_by, regions=None)
    held = _held(known)
    issued = ClaimCode.objects.filter(family_id__in=list(known), revoked_at=None)
    with everywhere():  # a family that moved has its codes in another region
        before = {bytes(index) for index in issued.values_list("index", flat=True)}
    rows = []
    for family_id, days in known.items():
        code, version = held[family_id].code(keys, family_id)
        rows += [
            ClaimCode(
                index=index, key_version=version, family_id=family_id, region=families[family_id], issued_at=now
            )
            for day in days
            if (index := claims.index(keys, code, day, version)) not in before
        ]  # fmt: skip
    ClaimCode.objects.bulk_create(rows, batch_size=CLAIMS_AT_ONCE)
    if rows:
        digest = hashlib.sha256(b"".join(sorted(bytes(row.index) for row in rows))).hexdigest()
        record(now=now, actor=actor.ref, kind="programmes.claim_codes_issued", subject=f"cycle:{cycle.id}",
               detail={"codes": len(rows), "families": len(known), "digest": digest})  # fmt: skip
    return len(rows)


def claim_letters_write(
    *, now: datetime, actor: Actor, keys: Keys, cycle_id: int, file: Path, progress: Progress | None = None
) -> int:
    """Write family ids and codes of a cycle to a new CSV for the printer of the letters; returns how many.

    Whoever holds the file and knows birth dates can read decisions: the file is its owner's alone (0600), takes its
    name only when the event is on record, and is to be destroyed when the letters are printed.
    """
    cycle = one(Cycle, cycle_id)
    for region in cycle.regions:
        require(actor, "programmes.claim_letters_write", region, now=now)
    issued = ClaimCode.objects.filter(revoked_at=None, family_id=OuterRef("family_id"))
    families = Decision.objects.filter(Exists(issued), cycle=cycle).order_by("family_id")
    digest, count = hashlib.sha256(), 0
    with being_written(file) as part, transaction.atomic():
        with part.open("w", encoding="ascii", newline="") as stream:
            stream.write("family_id,code\n")
            for some in _in_chunks(
                families.values_list("family_id", "region").distinct(), "letters", progress
            ):
                held = _held(some)
                for family_id in some:
                    code, _ = held[family_id].code(keys, family_id)
                    line = f"{family_id},{claims.shown(code)}\n"
                    stream.write(line)
                    digest.update(line.encode())
                    count += 1
        if not count:
            raise InputError.of(
                "No family of this cycle has a code yet: it is not decided, or no adult's birth date is known."
            )
        record(now=now, actor=actor.ref, kind="programmes.claim_letters_written", subject=f"cycle:{cycle.id}",
               detail={"letters": count, "digest": digest.hexdigest()})  # fmt: skip
    return count


@transaction.atomic
def claim_codes_revoke(*, now: datetime, actor: Actor, family_id: int, region: str, case: str = "") -> int:
    """Let the code of a family open nothing any more, wherever it was issued: a letter was lost. The next issue gives
    another code.

    `region`: where the family lives or lived; an office of another region is told that there is nothing.
    """
    require(actor, "programmes.claim_codes_revoke", region, now=now)
    with everywhere():
        codes = ClaimCode.objects.filter(family_id=family_id)
        there = (
            codes.filter(region=region).exists()
            or Decision.objects.filter(family_id=family_id, region=region).exists()
            or people.family(family_id, regions=(region,)) is not None
        )
        count = codes.filter(revoked_at=None).update(revoked_at=now) if there else 0
    if count:
        record(now=now, actor=actor.ref, kind="programmes.claim_codes_revoked", subject=f"family:{family_id}",
               case=case, detail={"codes": count})  # fmt: skip
    return count


@transaction.atomic
def claim_codes_revoke_all(*, now: datetime, actor: Actor, key_version: int) -> int:
    """Let no code that was made under a version of the keys open anything any more: that version leaked."""
    require(actor, "programmes.claim_codes_revoke_all", now=now)
    with everywhere():
        count = ClaimCode.objects.filter(key_version=key_version, revoked_at=None).update(revoked_at=now)
    if count:
        record(now=now, actor=actor.ref, kind="programmes.claim_codes_revoked", subject=f"keys:{key_version}",
               detail={"codes": count})  # fmt: skip
    return count


@dataclass(frozen=True)
class Claim:
    """What came of a try: the family, or none; or how long to wait before the next."""

    family_id: int | None = None
    wait_seconds: int = 0


@transaction.atomic
def claim_open(
    *, now: datetime, actor: Actor, keys: Keys, code: str, birth_date: date, source: str
) -> Claim:  # fmt: skip
    """Open a family's decisions by the code of its letter (plain) and the birth date of an adult.

    `source`: the address that asks. An unknown code, a revoked one, a wrong check letter and another birth date are
    one and the same: the same statements run, and nothing is on record of them but the try.
    """
    require(actor, "programmes.claim_open", now=now)
    tried = claims.try_once(keys, code, source, now)
    if tried.wait_seconds:
        return Claim(wait_seconds=tried.wait_seconds)
    found = ClaimCode.objects.filter(index__in=claims.indexes(keys, code, birth_date), revoked_at=None)
    with everywhere():
        family_id = found.values_list("family_id", flat=True).first()
    if family_id is not None:
        claims.give_back(tried)
        record(now=now, actor=actor.ref, kind="programmes.claim_opened", subject=f"family:{family_id}")
    return Claim(family_id)


@dataclass(frozen=True)
class _Held:
    """What a family's code is made of: how often one was revoked, and the version of the keys of the one that opens;
    None: there is none, and the next is made under the current version."""

    edition: int = 0
    version: int | None = None

    def code(self, keys: Keys, family_id: int) -> tuple[str, int]:
        """The code and its version of the keys."""
        version = keys.current if self.version is None else self.version
        return claims.code_of(keys, family_id, self.edition, version), version


def _held(families: Collection[int]) -> dict[int, _Held]:
    """Of each family, wherever its codes were issued: else what was revoked where it lived before would open again."""
    found: dict[int, _Held] = {}
    ids = sorted(families)
    for start in range(0, len(ids), CLAIMS_AT_ONCE):
        some = ids[start : start + CLAIMS_AT_ONCE]
        counted = (
            ClaimCode.objects.filter(family_id__in=some)
            .values("family_id")
            .annotate(
                times=Count("revoked_at", distinct=True),
                version=Min("key_version", filter=Q(revoked_at=None)),
            )
        )
        with everywhere():
            told = {row["family_id"]: _Held(row["times"], row["version"]) for row in counted}
        found.update((family_id, told.get(family_id, _Held())) for family_id in some)
    return found


def _in_chunks(
    families: QuerySet[Decision, tuple[int, str]], stage: str, progress: Progress | None
) -> Iterator[dict[int, str]]:
    """Family id and region, some at a time; told when they are done."""
    total = families.count() if progress else 0
    done, rows = 0, families.iterator(chunk_size=CLAIMS_AT_ONCE)
    while some := dict(islice(rows, CLAIMS_AT_ONCE)):
        yield some
        done += len(some)
        if progress is not None:
            progress(stage, done, total)
