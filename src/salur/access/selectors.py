"""Reads of officers, grants, invitations, the read log, broken glass and signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal.auth import get_credentials
from django.db.models import Q, QuerySet
from fido2 import cbor
from fido2.webauthn import AttestedCredentialData

from salur.access.models import (
    BrokenGlass,
    GlassNotice,
    Grant,
    Incompatible,
    Invitation,
    Officer,
    ReadLog,
)
from salur.access.policy import VISITOR, Actor, Granted, Opened

SECOND_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


@dataclass(frozen=True)
class Look:
    """One look at a person's record, as the person may see it: when, which office, why. Never who."""

    at: datetime
    role: str
    purpose: str
    region: str
    broke_glass: bool


def current_grants(now: datetime) -> QuerySet[Grant]:
    return Grant.objects.filter(Q(until__isnull=True) | Q(until__gt=now), since__lte=now)


def actor(officer: int, *, now: datetime, passkey_at: datetime | None = None) -> Actor:
    """The officer as the policy sees them now; a visitor if they are not active."""
    if not Officer.objects.filter(id=officer, is_active=True).exists():
        return VISITOR
    held = current_grants(now).filter(officer_id=officer).order_by("role", "region")
    glass = BrokenGlass.objects.filter(officer_id=officer, at__lte=now, until__gt=now).order_by("id")
    return Actor(
        f"officer:{officer}",
        tuple(Granted(role, region) for role, region in held.values_list("role", "region")),
        passkey_at,
        opened=tuple(Opened(region, subject) for region, subject in glass.values_list("region", "subject")),
    )


def officer_by_email(email: str) -> Officer | None:
    return Officer.objects.filter(email=email.strip().lower()).first()


def officers(now: datetime) -> Iterator[tuple[Officer, list[Grant]]]:
    """Every officer with the grants in force."""
    held: dict[int, list[Grant]] = {}
    for grant in current_grants(now).order_by("role", "region"):
        held.setdefault(grant.officer_id, []).append(grant)
    for officer in Officer.objects.order_by("email"):
        yield officer, held.get(officer.id, [])


def conflicting(officer: int, role: str, since: datetime, until: datetime | None) -> str | None:
    """A role that the officer holds at some time between and that is incompatible with this one."""
    others = Incompatible.objects.filter(role=role).values("other")
    held = Grant.objects.filter(
        Q(until__isnull=True) | Q(until__gt=since), officer_id=officer, role__in=others
    )
    if until is not None:
        held = held.filter(since__lt=until)
    return held.values_list("role", flat=True).order_by("role").first()


def invitation(token: bytes, *, now: datetime) -> Invitation | None:
    """The invitation of this token, if it can still be used."""
    return (
        Invitation.objects.select_related("officer")
        .filter(token_digest=token_digest(token), used_at__isnull=True, expires_at__gt=now)
        .filter(officer__is_active=True)
        .first()
    )


def token_digest(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def invited_by(officer: int, maker: int) -> bool:
    return Invitation.objects.filter(officer_id=officer, made_by_id=maker).exists()


def has_second_factor(officer: int) -> bool:
    found: bool = Authenticator.objects.filter(user_id=officer, type__in=SECOND_FACTORS).exists()
    return found


def passkeys(officer: int) -> list[AttestedCredentialData]:
    """The public halves of the officer's passkeys."""
    found: list[AttestedCredentialData] = get_credentials(Officer(id=officer))
    return found


def factor(authenticator: Authenticator) -> dict[str, str]:
    """What the journal tells of a second factor: of a passkey, the digests of its id and of its public key."""
    told = {"factor": str(authenticator.type)}
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        data = authenticator.wrap().authenticator_data.credential_data
        told["credential"] = hashlib.sha256(data.credential_id).hexdigest()
        told["key"] = hashlib.sha256(cbor.encode(data.public_key)).hexdigest()
    return told


# ---- who read what -----------------------------------------------------------------------------------------


def reads_of(subject: str) -> list[Look]:
    """Every look at the person's or family's record, newest first."""
    fields = ("at", "role", "purpose", "region", "broke_glass")
    rows = ReadLog.objects.filter(subject=subject).order_by("-id").values_list(*fields)
    return [Look(*row) for row in rows]


def reads_by(officer: int) -> QuerySet[ReadLog]:
    """What an officer read, newest first."""
    return ReadLog.objects.filter(officer_id=officer).order_by("-id")


def reads_in(regions: Iterable[str] | None) -> QuerySet[ReadLog]:
    """What was read in these regions (None: everywhere), newest first, with who read it."""
    rows = ReadLog.objects.select_related("officer").order_by("-id")
    if regions is None:
        return rows
    within = Q(pk__in=[])
    for region in regions:
        within |= Q(region=region) | Q(region__startswith=f"{region}.")
    return rows.filter(within)


def reads_without_case(since: datetime) -> QuerySet[ReadLog]:
    """Looks at a person's record that name no case: an alarm for supervisors and auditors, newest first."""
    return ReadLog.objects.filter(case="", at__gte=since).order_by("-id")


# ---- broken glass ------------------------------------------------------------------------------------------


def glass_notices(supervisor: int) -> QuerySet[GlassNotice]:
    """Glass broken in the supervisor's regions that they have not seen yet, newest first."""
    unseen = GlassNotice.objects.filter(supervisor_id=supervisor, seen_at__isnull=True)
    return unseen.select_related("glass", "glass__officer").order_by("-id")


def glass_open(officer: int, now: datetime) -> QuerySet[BrokenGlass]:
    """What an officer opened to their own reading and is still open, the latest first."""
    return BrokenGlass.objects.filter(officer_id=officer, at__lte=now, until__gt=now).order_by("-id")


def glass_broken(regions: Iterable[str] | None) -> Iterator[BrokenGlass]:
    """Glass broken in these regions (None: everywhere), the latest first, with its notices."""
    held = None if regions is None else [Granted("", region) for region in regions]
    rows = BrokenGlass.objects.select_related("officer", "reviewed_by").prefetch_related(
        "notices__supervisor"
    )
    for row in rows.order_by("-id").iterator(chunk_size=100):
        if held is None or any(each.covers(row.region) for each in held):
            yield row


def glass(id_: int) -> BrokenGlass | None:
    return BrokenGlass.objects.filter(id=id_).first()


# ---- signatures --------------------------------------------------------------------------------------------
