"""The only code that writes cases: opened once, taken by one officer, closed for good.

Opening what is open already gives the same case. A closed case is never opened again: a new one names the case that it
`follows`. Who may do what: `access.toml` says who may act on cases at all, `kinds.toml` whose kind it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, connection, transaction

from salur.access.policy import ANYONE, SYSTEM, Actor, Refused, is_region, require
from salur.cases import clock, kinds
from salur.cases.models import (
    ACTIVE,
    EVIDENCE_LENGTH_MOST,
    OUTCOME_LENGTH_MOST,
    SALT_BYTES,
    TEXT_LENGTH_MOST,
    Case,
    Note,
    State,
)
from salur.core import numbers
from salur.core.faults import InputError
from salur.journal.services import record

PEOPLE_MOST = 1_000_000
BATCH_ROWS = 5_000
# An id of ours or a digest. Never sixteen digits in a row: that would be somebody's number.
_REFERENCE = re.compile(r"(?!.*[0-9]{16})[a-z_]+:[A-Za-z0-9._-]{1,60}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(rf"[a-z][a-z_]{{0,{OUTCOME_LENGTH_MOST - 1}}}")


@dataclass(frozen=True)
class NewCase:
    """One row for `cases_open_many`; the fields of `case_open`."""

    kind: str
    subject: str
    region: str
    people: int = 1
    programme: str = ""
    evidence: Sequence[str] = ()
    due_at: datetime | None = None


@dataclass(frozen=True)
class Opened:
    """What a bulk opened: the ids of new cases, and how many were open already."""

    ids: list[int] = field(default_factory=list)
    already: int = 0


# ---- open ------------------------------------------------------------------------------------------------


@transaction.atomic
def case_open(
    *,
    now: datetime,
    actor: Actor,
    kind: str,
    subject: str,
    region: str,
    people: int = 1,
    programme: str = "",
    evidence: Sequence[str] = (),
    due_at: datetime | None = None,
    follows: int | None = None,
) -> int:
    """Open a case, or find the one that is open for this kind and subject; returns its id.

    `evidence` holds references ("document:4") and digests ("sha256:…"). Without `due_at` the clock of the kind runs
    from now. `follows`: a closed case of the same kind and subject. Raises Refused, and InputError for values that
    cannot be.
    """
    require(actor, "cases.case_open", region, now=now)
    new = NewCase(kind, subject, region, people, programme, evidence, due_at)
    case = _case(new, now=now, actor=actor, dues={})
    if not _may_open(actor, kind, region):
        raise Refused.of("You have no right to open such a case here.")
    active = Case.objects.filter(kind=kind, subject=subject, state__in=ACTIVE)
    if (found := active.values_list("id", flat=True).first()) is not None:
        return found
    if follows is not None:
        before = Case.objects.filter(id=follows, kind=kind, subject=subject).exclude(state__in=ACTIVE)
        if not before.exists():
            raise InputError.of("A case follows a closed case of the same kind and subject.")
        case.follows_id = follows
    try:
        with transaction.atomic():
            case.save(force_insert=True)
    except IntegrityError:  # opened by somebody else at this moment, or else it cannot be
        if (found := active.values_list("id", flat=True).first()) is None:
            raise
        return found
    detail = {"kind": kind, "people": people, "due": case.due_at.isoformat(), "evidence": list(evidence)}
    if follows is not None:
        detail["follows"] = f"case:{follows}"
    record(
        now=now, actor=actor.ref, kind="cases.opened", subject=subject, case=f"case:{case.id}", detail=detail
    )
    return case.id


@transaction.atomic
def cases_open_many(*, now: datetime, actor: Actor, rows: Iterable[NewCase]) -> Opened:
    """Open many cases at once; those that are open already are left as they are. One event with count and digest.

    The digest is the SHA-256 of the lines `id kind subject` of the new cases, in the order of their ids. Raises
    InputError for the first row that cannot be; then nothing is opened.
    """
    require(actor, "cases.cases_open_many", now=now)
    dues: dict[str, tuple[datetime, datetime]] = {}
    lines: list[tuple[int, str, str]] = []
    total = 0
    batch: list[Case] = []
    for new in rows:
        batch.append(_case(new, now=now, actor=actor, dues=dues))
        total += 1
        if len(batch) == BATCH_ROWS:
            lines += _insert(batch)
            batch = []
    lines += _insert(batch)
    lines.sort()
    if lines:
        text = "".join(f"{id_} {kind_} {subject}\n" for id_, kind_, subject in lines)
        detail = {
            "count": len(lines),
            "kinds": dict(sorted(Counter(kind_ for _, kind_, _ in lines).items())),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        record(now=now, actor=actor.ref, kind="cases.opened_many", detail=detail)
    return Opened([id_ for id_, _, _ in lines], total - len(lines))


def _insert(cases: Sequence[Case]) -> list[tuple[int, str, str]]:
    """Id, kind and subject of those that were not open yet. Django's `ignore_conflicts` would hide other faults too.

    A batch travels as one JSON text: four times as fast on PostgreSQL as one value for each column and row.
    """
    fields = [field for field in Case._meta.concrete_fields if not field.primary_key]
    names = ", ".join(field.attname for field in fields)
    if connection.vendor == "postgresql":
        types = ", ".join(f"{field.attname} {field.db_type(connection)}" for field in fields)
        rows = f"SELECT {names} FROM json_to_recordset(%s) AS new({types})"
    else:
        values = ", ".join(f"json_extract(value, '$.{field.attname}')" for field in fields)
        rows = f"SELECT {values} FROM json_each(%s) WHERE TRUE"
    given = [
        {field.attname: field.get_db_prep_save(getattr(case, field.attname), connection) for field in fields}
        for case in cases
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Case._meta.db_table} ({names}) {rows} "
            "ON CONFLICT (kind, subject) WHERE state IN ('open', 'taken') DO NOTHING "
            "RETURNING id, kind, subject",
            [json.dumps(given, default=str)],
        )
        return [(int(id_), str(kind), str(subject)) for id_, kind, subject in cursor.fetchall()]


def _case(new: NewCase, *, now: datetime, actor: Actor, dues: dict[str, tuple[datetime, datetime]]) -> Case:
    """A checked case that is not saved. `dues` remembers the dates of each kind."""
    what = kinds.kind(new.kind)
    if not _REFERENCE.fullmatch(new.subject):
        raise InputError.of("The subject of a case is a reference such as person:12.")
    if not is_region(new.region):
        raise InputError.of("The region of a case is a province or regency such as 35.10, or empty.")
    if not 1 <= new.people <= PEOPLE_MOST:
        raise InputError.of("A case is about 1 to {most} people.", most=f"{PEOPLE_MOST:,}")
    if new.kind not in dues:
        calendar = clock.shipped()
        dues[new.kind] = (
            clock.due(now, what.clock, calendar),
            clock.due(now, what.escalates_after, calendar),
        )
    due_at, escalates_at = dues[new.kind]
    if new.due_at is not None:
        if new.due_at <= now:
            raise InputError.of("A case must be due after it is opened.")
        due_at = escalates_at = new.due_at
    return Case(
        kind=new.kind,
        subject=new.subject,
        region=new.region,
        programme=new.programme,
        people=new.people,
        owner_role=what.owner,
        evidence=_evidence(new.evidence),
        opened_at=now,
        opened_by=actor.ref,
        due_at=due_at,
        escalates_at=escalates_at,
        escalates_to=what.escalates_to,
    )


def _evidence(items: Sequence[str]) -> str:
    for item in items:
        if not _REFERENCE.fullmatch(item) and not _DIGEST.fullmatch(item):
            raise InputError.of("Evidence is named by references such as document:4, or by sha256:… digests.")
    text = json.dumps(list(items), separators=(",", ":"))
    if len(text) > EVIDENCE_LENGTH_MOST:
        raise InputError.of("A case has too much evidence to list; put it into one document.")
    return text


def _may_open(actor: Actor, name: str, region: str) -> bool:
    allowed = kinds.kind(name).opened_by
    return actor.system or ANYONE in allowed or actor.within(region, allowed)


# ---- work ------------------------------------------------------------------------------------------------


@transaction.atomic
def case_take(*, now: datetime, actor: Actor, case: int) -> None:
    """Make a case one's own. Of two officers at once, one gets it; taking one's own again changes nothing."""
    found = _found(case)
    _require_role(actor, "cases.case_take", found, now)
    if actor.officer_id is None:
        raise InputError.of("Only an officer can take a case.")
    if (found.state, found.officer_id) == (State.TAKEN, actor.officer_id):
        return
    taken = Case.objects.filter(id=case, state=State.OPEN).update(
        state=State.TAKEN, officer_id=actor.officer_id, taken_at=max(now, found.opened_at)
    )
    if not taken:
        raise InputError.of("This case is closed or somebody else has taken it; choose another one.")
    _tell(found, "taken", now, actor)


@transaction.atomic
def case_release(*, now: datetime, actor: Actor, case: int, text: str = "") -> None:
    """Put a taken case back into the queue: whoever took it, or somebody of the role that it escalates to."""
    found = _locked(case)
    _require_role(actor, "cases.case_release", found, now, also=found.escalates_to)
    if found.state != State.TAKEN:
        raise InputError.of("Nobody has taken this case.")
    if not (
        actor.system
        or found.officer_id == actor.officer_id
        or actor.within(found.region, [found.escalates_to])
    ):
        raise Refused.of("Only who took this case can give it back.")
    Case.objects.filter(id=case).update(state=State.OPEN, officer_id=None, taken_at=None)
    _tell(found, "released", now, actor, text)


@transaction.atomic
def case_note(*, now: datetime, actor: Actor, case: int, text: str) -> None:
    """Write something down. The words stay with the case; the event holds their digest."""
    found = _locked(case)
    _require_role(actor, "cases.case_note", found, now, also=found.escalates_to)
    if not text.strip():
        raise InputError.of("A note needs a text.")
    _tell(found, "noted", now, actor, text)


@transaction.atomic
def case_close(
    *,
    now: datetime,
    actor: Actor,
    case: int,
    outcome: str,
    evidence: Sequence[str] = (),
    text: str = "",
) -> None:
    """Close a case for good: whoever took it, or our own programs where the matter settled itself.

    `outcome` is one word such as `corrected`; `evidence` is added to that of the opening.
    """
    found = _locked(case)
    _require_role(actor, "cases.case_close", found, now, also=found.escalates_to)
    _require_active(found)
    if not actor.system and (found.state != State.TAKEN or found.officer_id != actor.officer_id):
        raise Refused.of("Take this case first; only who took it can close it.")
    if not _WORD.fullmatch(outcome):
        raise InputError.of("An outcome is one word of small letters such as corrected.")
    Case.objects.filter(id=case).update(
        state=State.DONE,
        outcome=outcome,
        evidence=_evidence([*json.loads(found.evidence), *evidence]),
        closed_at=_not_before(now, found),
        closed_by=actor.ref,
    )
    _tell(found, "done", now, actor, text, outcome=outcome, evidence=list(evidence))


@transaction.atomic
def case_withdraw(*, now: datetime, actor: Actor, case: int, text: str = "") -> None:
    """Close a case without an outcome: whoever opened it, the officer who took it for them, or our own programs."""
    found = _locked(case)
    require(actor, "cases.case_withdraw", found.region, now=now)
    _require_active(found)
    took = found.officer_id is not None and found.officer_id == actor.officer_id
    if not (actor.system or actor.ref == found.opened_by or took):
        raise Refused.of("Only who opened this case or took it can withdraw it.")
    Case.objects.filter(id=case).update(
        state=State.WITHDRAWN, closed_at=_not_before(now, found), closed_by=actor.ref
    )
    _tell(found, "withdrawn", now, actor, text)


@transaction.atomic
def escalate_due(*, now: datetime, actor: Actor = SYSTEM) -> int:
    """Show every case whose time has passed to the role above as well; returns how many it was this time."""
    require(actor, "cases.escalate_due", now=now)
    late = list(
        Case.objects.select_for_update()
        .filter(state__in=ACTIVE, escalated_at__isnull=True, escalates_at__lte=now)
        .order_by("id")
        .values_list("id", "region")
    )
    for start in range(0, len(late), BATCH_ROWS):
        batch = late[start : start + BATCH_ROWS]
        Case.objects.filter(id__in=[id_ for id_, _ in batch]).update(escalated_at=now)
        Note.objects.bulk_create(
            Note(case_id=id_, region=region, at=now, actor=actor.ref, what="escalated")
            for id_, region in batch
        )
    if late:
        text = "".join(f"{id_}\n" for id_, _ in late)
        detail = {"count": len(late), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        record(now=now, actor=actor.ref, kind="cases.escalated", detail=detail)
    return len(late)


def _found(case: int) -> Case:
    found = Case.objects.filter(id=case).first()
    if found is None:
        raise InputError.of("There is no case {case}.", case=case)
    return found


def _locked(case: int) -> Case:
    """The case, and nobody else changes it until our transaction ends. SQLite locks as a whole when it begins."""
    found = Case.objects.select_for_update().filter(id=case).first()
    return found if found is not None else _found(case)


def _require_role(actor: Actor, action: str, case: Case, now: datetime, *, also: str = "") -> None:
    """Pass, or raise Refused: the owner's role, the role it has been escalated to, and `also`."""
    require(actor, action, case.region, now=now)
    roles = {case.owner_role, also, case.escalates_to if case.escalated_at else ""} - {""}
    if not actor.system and not actor.within(case.region, roles):
        raise Refused.of("This case is in the queue of another role.")


def _require_active(case: Case) -> None:
    if case.state not in ACTIVE:
        raise InputError.of("This case is closed; open a new one that follows it.")


def _not_before(now: datetime, case: Case) -> datetime:
    """Clocks of two machines may differ a little; a case is never closed before it was taken."""
    return max(now, case.taken_at or case.opened_at)


def _tell(case: Case, what: str, now: datetime, actor: Actor, text: str = "", **detail: object) -> None:
    """A line of history and the event of it."""
    if len(text) > TEXT_LENGTH_MOST:
        raise InputError.of("A note has at most {most} characters.", most=f"{TEXT_LENGTH_MOST:,}")
    numbers.refuse(text)
    salt = secrets.token_bytes(SALT_BYTES) if text else b""
    Note.objects.create(
        case=case, region=case.region, at=now, actor=actor.ref, what=what, text=text, salt=salt
    )
    if text:
        detail["text_sha256"] = hashlib.sha256(salt + text.encode()).hexdigest()
    record(
        now=now,
        actor=actor.ref,
        kind=f"cases.{what}",
        subject=case.subject,
        case=f"case:{case.id}",
        detail=detail,
    )
