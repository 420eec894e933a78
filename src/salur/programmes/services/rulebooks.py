"""Rulebook versions and ceilings: what a programme gives, and how much there is to give."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction
from django.db.models import Max
from django.utils.timezone import localdate

from salur.access.policy import Actor, is_region, require
from salur.core import numbers
from salur.core.faults import InputError
from salur.journal.constraints import refusing
from salur.journal.services import record
from salur.programmes import books, periods, selectors
from salur.programmes.models import Budget, Ceiling, Cycle, RulebookVersion
from salur.programmes.services.shared import one

CEILING_MOST = 10**16  # rupiah: more than the nation spends in a year
BASIS_LENGTH_MOST = 200


@transaction.atomic
def rulebook_add(*, now: datetime, actor: Actor, raw: bytes, facts_raw: bytes, in_force_from: date) -> int:
    """Keep a rulebook and its catalogue whole; it counts once somebody else approved it. Returns the version's id.

    Raises InputError with every fault of the two files.
    """
    require(actor, "programmes.rulebook_add", now=now)
    rulebook = books.parsed(raw, facts_raw)
    version = RulebookVersion(
        programme=rulebook.id, sha256=rulebook.sha256, raw=raw, facts_sha256=rulebook.catalogue.sha256,
        facts_raw=facts_raw, in_force_from=in_force_from, added_by=actor.ref, added_at=now,
    )  # fmt: skip
    same = RulebookVersion.objects.filter(
        programme=version.programme, sha256=version.sha256, facts_sha256=version.facts_sha256,
        in_force_from=in_force_from,
    )  # fmt: skip
    if (known := same.first()) is not None:
        return known.id
    version.save()
    record(
        now=now, actor=actor.ref, kind="programmes.rulebook_added", subject=f"version:{version.id}",
        detail={"programme": version.programme, "sha256": version.sha256, "facts": version.facts_sha256,
                "from": in_force_from.isoformat()},
    )  # fmt: skip
    return version.id


@transaction.atomic
def rulebook_approve(*, now: datetime, actor: Actor, version_id: int) -> None:
    """Put a version in force from its date; by somebody other than who added it."""
    require(actor, "programmes.rulebook_approve", now=now)
    version = one(RulebookVersion, version_id)
    if version.approved_by:
        raise InputError.of("This version is approved already.")
    if version.added_by == actor.ref:
        raise InputError.of("Who added a rulebook cannot approve it; somebody else must.")
    version.approved_by, version.approved_at = actor.ref, now
    version.save(update_fields=["approved_by", "approved_at"])
    record(now=now, actor=actor.ref, kind="programmes.rulebook_approved", subject=f"version:{version.id}",
           detail={"sha256": version.sha256})  # fmt: skip


@transaction.atomic
def ceiling_set(
    *, now: datetime, actor: Actor, programme: str, period: str, amount: int, since: date, basis: str,
    region: str = "",
) -> None:  # fmt: skip
    """Set the ceiling of a programme in a period and region (empty: the nation) from a date on.

    It takes the place of the one before at once; `basis` names the document that it comes from. Refused below what
    signed decrees have reserved already.
    """
    require(actor, "programmes.ceiling_set", region, now=now)
    if not 0 <= amount <= CEILING_MOST:
        raise InputError.of("A ceiling is between 0 and {most} rupiah.", most=CEILING_MOST)
    if not 1 <= len(basis := " ".join(basis.split())) <= BASIS_LENGTH_MOST:
        raise InputError.of("Name the document in 1 to {most} characters.", most=BASIS_LENGTH_MOST)
    if not is_region(region):
        raise InputError.of("A ceiling is that of the nation, a province (35) or a regency (35.10).")
    version = RulebookVersion.objects.filter(programme=programme).order_by("-id").first()
    if version is not None and periods.span(period, kind := books.rulebook(version.id).period) is None:
        raise InputError.of("The period must look like {example}.", example=periods.EXAMPLES[kind])
    if since > localdate(now):
        raise InputError.of("A ceiling is set when it is in force, not before.")
    same = Ceiling.objects.filter(programme=programme, period=period, region=region)
    if (last := same.aggregate(last=Max("since"))["last"]) is not None and since < last:
        raise InputError.of("A ceiling from {day} on is there already; the next one begins later.", day=last)
    numbers.refuse(basis, document=True)
    with refusing("This ceiling was set on that day already."):
        Ceiling.objects.create(
            programme=programme, period=period, region=region, amount=amount, since=since, basis=basis,
            set_by=actor.ref, set_at=now,
        )  # fmt: skip
    list(
        Cycle.objects.select_for_update().filter(programme=programme, period=period)
    )  # nobody signs meanwhile
    with refusing("Signed decrees have reserved more than this ceiling already."):
        Budget.objects.update_or_create(
            programme=programme, period=period, region=region, defaults={"amount": amount},
            create_defaults={"amount": amount, "reserved": selectors.reserved(programme, period, region)},
        )  # fmt: skip
    record(now=now, actor=actor.ref, kind="programmes.ceiling_set", subject=f"ceiling:{programme}/{period}/{region}",
           detail={"amount": amount, "since": since.isoformat()})  # fmt: skip
