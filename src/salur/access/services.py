"""The only code that writes officers, grants, invitations, the read log, broken glass and signatures.

No event here holds a name, an address or a reason: they hold ids.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from fido2.utils import websafe_encode

from salur.access import selectors, signing
from salur.access.models import (
    REASON_LENGTH_LEAST,
    REASON_LENGTH_MOST,
    BrokenGlass,
    GlassNotice,
    Grant,
    Incompatible,
    Invitation,
    Officer,
    ReadLog,
    Signature,
)
from salur.access.policy import Actor, Granted, by_glass, is_region, policy, require
from salur.access.signing import BadSignature
from salur.access.software_key import SoftwareKey
from salur.core import numbers
from salur.core.faults import InputError
from salur.journal.constraints import refusing
from salur.journal.services import record

INVITATION_HOURS = 72
GLASS_HOURS = 1
TOKEN_BYTES = 32
CHALLENGE_BYTES = 32


# ---- officers and grants -----------------------------------------------------------------------------------


@transaction.atomic
def officer_invite(*, now: datetime, actor: Actor, email: str, name: str, token: bytes) -> int:
    """Make an officer, or a new link for one who lost their passkey; returns the officer's id.

    `token`: random bytes that the link carries; only their digest is kept. Whoever holds a link can act as the
    officer. So a new link ends all grants of an officer, and who made a link cannot grant to them: no one alone can
    take over an account with its rights. Raises InputError for a bad address or name.
    """
    require(actor, "access.officer_invite", now=now)
    if len(token) < TOKEN_BYTES:
        raise ValueError(f"a token has {TOKEN_BYTES} random bytes or more")
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise InputError.of("This is not an e-mail address.") from None
    officer = Officer.objects.select_for_update().filter(email=address).first()
    if officer is None:
        if not name.strip() or not name.isprintable():
            raise InputError.of("An officer needs a name.")
        numbers.refuse(name)
        officer = Officer.objects.create_user(address, name.strip())
    elif not officer.is_active:
        raise InputError.of("This officer is deactivated.")
    elif officer.id == actor.officer_id:
        raise InputError.of("Somebody else must make this link for you.")
    Invitation.objects.filter(officer=officer, used_at__isnull=True, expires_at__gt=now).update(
        expires_at=now
    )
    ended = _end_grants(officer.id, now)
    Invitation.objects.create(
        officer=officer,
        token_digest=selectors.token_digest(token),
        made_by_id=actor.officer_id,
        made_at=now,
        expires_at=now + timedelta(hours=INVITATION_HOURS),
    )
    record(
        now=now,
        actor=actor.ref,
        kind="access.officer_invited",
        subject=f"officer:{officer.id}",
        detail={"grants_ended": ended},
    )
    return officer.id


@transaction.atomic
def invitation_use(*, now: datetime, token: bytes, password: str | None) -> int:
    """Take the invitation: the officer's password (None: a passkey alone) is set, older factors and sessions are gone.

    Returns the officer's id. Raises InputError if the link was used, has expired or never was.
    """
    invitation = selectors.invitation(token, now=now)
    used = Invitation.objects.filter(id=invitation.id if invitation else 0, used_at__isnull=True).update(
        used_at=now
    )
    if invitation is None or not used:
        raise InputError.of("This link was used or has expired; ask for a new one.")
    officer = invitation.officer
    officer.set_password(password)
    officer.save(update_fields=["password"])
    Authenticator.objects.filter(user_id=officer.id).delete()
    record(
        now=now,
        actor=f"officer:{officer.id}",
        kind="access.invitation_used",
        subject=f"officer:{officer.id}",
        detail={"invitation": invitation.id, "password": password is not None},
    )
    return officer.id


@transaction.atomic
def factor_note(
    *, now: datetime, officer: int, factor: str, added: bool, credential: str = "", key: str = ""
) -> None:
    """Tell the journal of a second factor that was added or removed.

    `credential` and `key`: SHA-256 of a passkey's id and of its public key (COSE), so that an auditor knows whose a
    signature is.
    """
    record(
        now=now,
        actor=f"officer:{officer}",
        kind="access.factor_added" if added else "access.factor_removed",
        subject=f"officer:{officer}",
        detail={"factor": factor} | ({"credential": credential, "key": key} if credential else {}),
    )


@transaction.atomic
def software_passkey_add(*, now: datetime, actor: Actor, officer: int, seed: bytes) -> None:
    """Give an officer of the demonstration the passkey made of software of this seed. Refused elsewhere."""
    require(actor, "access.software_passkey_add", now=now)
    key = SoftwareKey(seed, settings.SALUR_ORIGIN)
    creation = {
        "publicKey": {
            "challenge": websafe_encode(bytes(CHALLENGE_BYTES)),
            "rp": {"id": signing.rp_id_of(settings.SALUR_ORIGIN), "name": "Salur"},
            "user": {"id": websafe_encode(str(officer).encode())},
        }
    }
    made = Authenticator.objects.create(
        user_id=officer, type=Authenticator.Type.WEBAUTHN,
        data={"name": "demo", "credential": key.register(creation)},
    )  # fmt: skip
    factor_note(now=now, officer=officer, added=True, **selectors.factor(made))


@transaction.atomic
def grant_give(
    *, now: datetime, actor: Actor, officer: int, role: str, region: str = "", until: datetime | None = None
) -> int:
    """Give an officer a role in a region (empty: the nation) from now on; returns the grant's id.

    Raises Refused without the right, InputError for what cannot be granted: to oneself, to whom one invited, a role
    beside one that is incompatible with it, an unknown role or region.
    """
    require(actor, "access.grant_give", region, now=now)
    if role not in policy().roles:
        raise InputError.of("There is no role {role}.", role=role)
    if not is_region(region):
        raise InputError.of("A role is granted in a province (35), in a regency (35.10) or in the nation.")
    to = Officer.objects.select_for_update().filter(id=officer, is_active=True).first()
    if to is None:
        raise InputError.of("There is no such officer.")
    if officer == actor.officer_id:
        raise InputError.of("Nobody grants a role to themselves.")
    if actor.officer_id is not None and selectors.invited_by(officer, actor.officer_id):
        raise InputError.of("Whoever invited an officer does not grant to them; ask a colleague.")
    if conflict := selectors.conflicting(officer, role, now, until):
        raise InputError.of(
            "{role} cannot be held beside {other}, in whichever region.", role=role, other=conflict
        )
    if until is not None and until <= now:
        raise InputError.of("The grant must end after it begins.")
    with refusing("The officer holds this role here already."):
        grant = Grant.objects.create(
            officer=to, role=role, region=region, granted_by_id=actor.officer_id, since=now, until=until
        )
    record(
        now=now,
        actor=actor.ref,
        kind="access.grant_given",
        subject=f"officer:{officer}",
        detail={"grant": grant.id, "role": role, "region": region, "until": until and until.isoformat()},
    )
    return grant.id


@transaction.atomic
def grant_end(*, now: datetime, actor: Actor, grant: int) -> None:
    """End a grant now. Raises InputError if it is not in force."""
    row = Grant.objects.select_for_update().filter(id=grant).first()
    if row is None or (row.until is not None and row.until <= now):
        raise InputError.of("This grant is not in force.")
    require(actor, "access.grant_end", row.region, now=now)
    _end(row, now)
    record(
        now=now,
        actor=actor.ref,
        kind="access.grant_ended",
        subject=f"officer:{row.officer_id}",
        detail={"grant": grant},
    )


@transaction.atomic
def officer_deactivate(*, now: datetime, actor: Actor, officer: int) -> None:
    """The officer can no longer sign in; their sessions, links and grants end. They are never deleted."""
    require(actor, "access.officer_deactivate", now=now)
    if officer == actor.officer_id:
        raise InputError.of("Somebody else must deactivate you.")
    if not Officer.objects.filter(id=officer, is_active=True).update(is_active=False):
        raise InputError.of("There is no such officer.")
    Invitation.objects.filter(officer_id=officer, used_at__isnull=True, expires_at__gt=now).update(
        expires_at=now
    )
    ended = _end_grants(officer, now)
    record(
        now=now,
        actor=actor.ref,
        kind="access.officer_deactivated",
        subject=f"officer:{officer}",
        detail={"grants_ended": ended},
    )


@transaction.atomic
def incompatible_store() -> None:
    """Bring the table that the trigger reads up to date with `access.toml`: shipped data, no act, hence no event."""
    pairs = {(role, other) for role in policy().roles for other in policy().conflicts(role)}
    if pairs == set(Incompatible.objects.values_list("role", "other")):
        return
    Incompatible.objects.all().delete()
    Incompatible.objects.bulk_create(Incompatible(role=role, other=other) for role, other in sorted(pairs))


def _officer(actor: Actor) -> int:
    if actor.officer_id is None:
        raise ValueError(f"{actor.ref} is no officer; only an officer does this")
    return actor.officer_id


def _end_grants(officer: int, now: datetime) -> int:
    running = selectors.current_grants(now).select_for_update().filter(officer_id=officer)
    for grant in (ended := list(running)):
        _end(grant, now)
    return len(ended)


def _end(grant: Grant, now: datetime) -> None:
    """A grant that ends in the moment in which it began never was."""
    if grant.since >= now:
        grant.delete()
    else:
        grant.until = now
        grant.save(update_fields=["until"])


# ---- who read what -----------------------------------------------------------------------------------------


@transaction.atomic
def read_log(
    *,
    now: datetime,
    actor: Actor,
    subject: str,
    purpose: str,
    case: str,
    region: str,
    action: str = "access.read_log",
) -> int:
    """Log one look at a person's record, before it is shown; returns the row's id.

    `action`: for what it is read (an entry of `access.toml`); a program of ours names itself there. Raises Refused
    if the actor may not read in this region, InputError for an unknown purpose. A look without a case is logged and
    raises an alarm (`selectors.reads_without_case`).
    """
    require(actor, action, region, now=now, subject=subject)
    if purpose not in policy().purposes:
        raise InputError.of("Name the purpose for which you read this record.")
    broke_glass = by_glass(actor, action, region, subject)
    row = ReadLog.objects.create(
        at=now,
        officer_id=actor.officer_id,
        role=_role_for(actor, action, "" if broke_glass else region),
        subject=subject,
        purpose=purpose,
        case=case,
        action=action,
        region=region,
        broke_glass=broke_glass,
    )
    record(
        now=now,
        actor=actor.ref,
        kind="access.record_read",
        subject=subject,
        case=case,
        detail={"read": row.id, "purpose": purpose, "broke_glass": broke_glass},
    )
    return row.id


def _role_for(actor: Actor, action: str, region: str) -> str:
    """The office under which the actor does this."""
    if actor.officer_id is None:
        return actor.ref.partition(":")[0]
    wanted = policy().actions[action].roles
    held = sorted(grant.role for grant in actor.grants if grant.role in wanted and _covers(grant, region))
    return held[0] if held else "officer"


def _covers(grant: Granted, region: str) -> bool:
    return not region or grant.covers(region)


# ---- broken glass ------------------------------------------------------------------------------------------


@transaction.atomic
def glass_break(*, now: datetime, actor: Actor, region: str, reason: str, subject: str = "") -> int:
    """Open a region, or one subject in it, to one's own reading for an hour; returns the id.

    Every supervisor of the region gets a notice, and another officer reviews it later. Raises InputError without a
    reason of 20 characters.
    """
    require(actor, "access.glass_break", now=now)
    text = " ".join(reason.split())
    if not REASON_LENGTH_LEAST <= len(text) <= REASON_LENGTH_MOST:
        raise InputError.of(
            "Say why in {least} to {most} characters.", least=REASON_LENGTH_LEAST, most=REASON_LENGTH_MOST
        )
    numbers.refuse(text)
    if not region or not is_region(region):
        raise InputError.of("Name the regency (35.10) or the province (35) that you need to read.")
    glass = BrokenGlass.objects.create(
        officer_id=_officer(actor),
        region=region,
        subject=subject,
        reason=text,
        at=now,
        until=now + timedelta(hours=GLASS_HOURS),
    )
    supervisors = {
        grant.officer_id
        for grant in selectors.current_grants(now).filter(role="supervisor", officer__is_active=True)
        if Granted(grant.role, grant.region).covers(region) and grant.officer_id != actor.officer_id
    }
    GlassNotice.objects.bulk_create(
        GlassNotice(glass=glass, supervisor_id=one) for one in sorted(supervisors)
    )
    record(
        now=now,
        actor=actor.ref,
        kind="access.glass_broken",
        subject=subject,
        detail={"glass": glass.id, "region": region, "supervisors": len(supervisors)},
    )
    return glass.id


@transaction.atomic
def glass_review(*, now: datetime, actor: Actor, glass: int, justified: bool) -> None:
    """Say whether it was justified to break the glass; by another officer than who broke it."""
    row = BrokenGlass.objects.select_for_update().filter(id=glass, reviewed_at__isnull=True).first()
    if row is None:
        raise InputError.of("There is nothing to review.")
    require(actor, "access.glass_review", row.region, now=now)
    if actor.officer_id in (None, row.officer_id):
        raise InputError.of("Another officer must review this.")
    row.reviewed_by_id, row.reviewed_at, row.justified = actor.officer_id, now, justified
    row.save(update_fields=["reviewed_by", "reviewed_at", "justified"])
    record(
        now=now,
        actor=actor.ref,
        kind="access.glass_reviewed",
        subject=row.subject,
        detail={"glass": glass, "justified": justified},
    )


@transaction.atomic
def glass_notice_see(*, now: datetime, actor: Actor, notice: int) -> None:
    """The supervisor has seen a notice of theirs."""
    require(actor, "access.glass_notice_see", now=now)
    mine = GlassNotice.objects.filter(id=notice, supervisor_id=actor.officer_id, seen_at__isnull=True)
    if not mine.update(seen_at=now):
        raise InputError.of("There is no such notice.")
    record(now=now, actor=actor.ref, kind="access.glass_notice_seen", detail={"notice": notice})


# ---- signatures --------------------------------------------------------------------------------------------


@transaction.atomic
def signature_make(*, now: datetime, actor: Actor, digest: bytes, response: Mapping[str, Any]) -> Signature:
    """Check and keep the answer of the officer's passkey to `signing.begin` for this digest.

    Whether the actor may sign what the digest stands for is asked by the room that calls. Raises BadSignature if it
    signs anything else, if the key is not the actor's, or if the answer or its counter came before.
    """
    require(actor, "access.signature_make", now=now)
    officer = Officer.objects.select_for_update().get(id=_officer(actor))  # one signature at a time
    signed = signing.read(
        response, digest=digest, credentials=selectors.passkeys(officer.id), origin=settings.SALUR_ORIGIN
    )
    credential = hashlib.sha256(signed.credential_id).hexdigest()
    before = Signature.objects.filter(credential=credential).order_by("-counter").first()
    if before is not None and signed.counter <= before.counter and (signed.counter or before.counter):
        raise BadSignature.of("The passkey's counter did not grow: it may have been copied.")
    signature_digest = hashlib.sha256(signed.signature).hexdigest()
    if Signature.objects.filter(signature_digest=signature_digest).exists():
        raise BadSignature.of("This signature was handed in before; sign again.")
    row = Signature.objects.create(
        officer=officer,
        at=now,
        digest=digest.hex(),
        credential=credential,
        counter=signed.counter,
        signature_digest=signature_digest,
        record=signed.record,
    )
    record(
        now=now,
        actor=actor.ref,
        kind="access.signature_made",
        detail={"signature": row.id, "digest": row.digest, "credential": credential},
    )
    return row
