"""The only code that writes people: single acts of officers, and the two bulk works, enrolment and key rotation.

Numbers arrive plain, are sealed at once, and never reach an event or an error. Texts that officers write (evidence) are
refused if they hold a long number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.utils.timezone import localdate

from salur.access.policy import Actor, Refused, policy, require
from salur.core import numbers
from salur.core.faults import InputError
from salur.core.population.catalogue import FORBIDDEN, Catalogue, Value
from salur.journal.constraints import refusing
from salur.journal.services import record
from salur.people import bulk, exported
from salur.people import evidence as kinds_of_evidence
from salur.people.bulk import Enrolled, FamilyRow, PersonRow
from salur.people.models import (
    NAME_LENGTH_MOST,
    REFERENCE_LENGTH_MOST,
    SEXES,
    TEXT_LENGTH_MOST,
    Correction,
    Family,
    Identifier,
    Membership,
    Person,
    SameAs,
    place,
)
from salur.people.protect import KINDS, Keys, Kind, plain

Progress = Callable[[int, int], None]
ROTATE_ROWS = 5_000
MARK_BYTES = 8


# ---- persons and families ------------------------------------------------------------------------------------


@transaction.atomic
def person_add(
    *,
    actor: Actor,
    now: datetime,
    name: str,
    region: str,
    village: str = "",
    birth_date: date | None = None,
    sex: str = "",
    case: str = "",
) -> int:
    """Mint the id of a person that no population brought. Look for them first: `selectors.search`."""
    require(actor, "people.person_add", region, now=now)
    _place(region, village)
    if sex not in SEXES:
        raise InputError.of("The sex is female, male or left empty.")
    if birth_date is not None and birth_date > localdate(now):
        raise InputError.of("A birth date cannot be in the future.")
    person = Person.objects.create(
        name=_name(name), birth_date=birth_date, sex=sex, region=region, village=village
    )
    _event(actor, now, "people.person_added", f"person:{person.id}", case, {"region": region})
    return person.id


@transaction.atomic
def family_add(*, actor: Actor, now: datetime, region: str, village: str = "", case: str = "") -> int:
    """Mint the id of a family."""
    require(actor, "people.family_add", region, now=now)
    _place(region, village)
    family = Family.objects.create(region=region, village=village)
    _event(actor, now, "people.family_added", f"family:{family.id}", case, {"region": region})
    return family.id


@transaction.atomic
def identifier_set(
    *, actor: Actor, now: datetime, keys: Keys, owner: str, kind: Kind, number: str, case: str = ""
) -> int:
    """Give `owner` ("person:12", "family:3") a number in place of an earlier one of that kind.

    Raises InputError if the number belongs to somebody else already.
    """
    subject = _subject(owner)
    require(actor, "people.identifier_set", subject.region, now=now)
    if kind not in KINDS:
        raise InputError.of("A number is a nik, kk, phone or account.")
    number = plain(kind, number)
    bulk.lock_identifiers(keys)
    holder = Identifier.objects.filter(kind=kind, index__in=keys.indexes(kind, number)).first()
    if holder is not None and holder.owner != owner:
        raise InputError.of("This number belongs to {holder} already. Compare the two: are they the same?",
                            holder=holder.owner)  # fmt: skip
    mine = {"person": subject} if isinstance(subject, Person) else {"family": subject}
    with refusing("A NIK belongs to a person, a family-card number to a family."):
        row, fresh = Identifier.objects.update_or_create(
            kind=kind,
            **mine,
            defaults={
                "sealed": keys.seal(number, place(kind, owner)),
                "index": keys.index(kind, number),
                "key_version": keys.current,
                "region": subject.region,
            },
        )
    detail = {"identifier": row.id, "kind": kind, "replaced": not fresh}
    _event(actor, now, "people.identifier_set", owner, case, detail)
    return row.id


# ---- membership ----------------------------------------------------------------------------------------------


@transaction.atomic
def membership_begin(
    *, actor: Actor, now: datetime, person_id: int, family_id: int, since: date, case: str = ""
) -> int:
    """A person counts in a family from a day on, and lives where it lives. An earlier membership is ended first, by
    the office where it is."""
    family, person = _family(family_id), _person(person_id)
    require(actor, "people.membership_begin", family.region, now=now)
    if person.died_on is not None and since > person.died_on:
        raise InputError.of("{person} died before that day.", person=person)
    with refusing("{person} is in a family at that time already. End that membership first.", person=person):
        membership = Membership.objects.create(
            person=person, family=family, since=since, region=family.region
        )
    person.region, person.village = family.region, family.village
    person.save(update_fields=["region", "village"])
    detail = {"family": family_id, "since": since.isoformat()}
    _event(actor, now, "people.membership_begun", f"person:{person_id}", case, detail)
    return membership.id


@transaction.atomic
def membership_end(*, actor: Actor, now: datetime, person_id: int, until: date, case: str = "") -> None:
    """The open membership of a person ends; `until` is the first day on which it no longer holds."""
    person = _person(person_id)
    membership = Membership.objects.filter(person=person, until__isnull=True).first()
    require(actor, "people.membership_end", membership.region if membership else person.region, now=now)
    if membership is None:
        raise InputError.of("{person} is in no family now.", person=person)
    _end(membership, until)
    detail = {"family": membership.family_id, "until": until.isoformat()}
    _event(actor, now, "people.membership_ended", f"person:{person_id}", case, detail)


@transaction.atomic
def person_died(
    *, actor: Actor, now: datetime, person_id: int, on: date | None, evidence: str, case: str = ""
) -> None:
    """A person died on a day, the last on which they count in a family. None: said in error, they live."""
    person = _person(person_id)
    require(actor, "people.person_died", person.region, now=now)
    _text(evidence)
    if on is not None and on > localdate(now):
        raise InputError.of("A day of death cannot be in the future.")
    if on is not None and person.birth_date is not None and on < person.birth_date:
        raise InputError.of("A day of death cannot be before the birth date.")
    person.died_on = on
    person.save(update_fields=["died_on"])
    membership = Membership.objects.filter(person=person, until__isnull=True).first()
    if on is not None and membership is not None:
        _end(membership, on + timedelta(days=1))
    _event(
        actor, now, "people.person_died" if on else "people.person_lives", f"person:{person_id}", case,
        {"on": on.isoformat() if on else None},
    )  # fmt: skip


def _end(membership: Membership, until: date) -> None:
    if until <= membership.since:
        raise InputError.of("The membership began on {since}; it cannot end before.", since=membership.since)
    membership.until = until
    membership.save(update_fields=["until"])


# ---- the same person twice -----------------------------------------------------------------------------------


@transaction.atomic
def same_as_declare(
    *, actor: Actor, now: datetime, person_id: int, other_id: int, evidence: str, case: str = ""
) -> int:
    """Say that two ids are one human being. It counts when another officer has confirmed it; both ids stay."""
    persons = [_person(id_) for id_ in sorted({person_id, other_id})]
    for person in persons:
        require(actor, "people.same_as_declare", person.region, now=now)
    if len(persons) < 2:
        raise InputError.of("Two different persons are needed.")
    with refusing("This was declared already."):
        row = SameAs.objects.create(
            person=persons[0],
            other=persons[1],
            region=persons[0].region,
            evidence=_text(evidence),
            case=_reference(case),
            declared_by=actor.ref,
            declared_at=now,
        )
    detail = {"same_as": row.id, "other": persons[1].id}
    _event(actor, now, "people.same_as_declared", f"person:{persons[0].id}", case, detail)
    return row.id


@transaction.atomic
def same_as_confirm(*, actor: Actor, now: datetime, same_as_id: int, case: str = "") -> None:
    """A second officer has looked and agrees."""
    row = _same_as(same_as_id)
    require(actor, "people.same_as_confirm", row.region, now=now)
    if row.withdrawn_by:
        raise InputError.of("This declaration was withdrawn.")
    if row.confirmed_by:
        raise InputError.of("This was confirmed already.")
    _another(actor, row.declared_by)
    row.confirmed_by, row.confirmed_at = actor.ref, now
    row.save(update_fields=["confirmed_by", "confirmed_at"])
    detail = {"same_as": row.id, "other": row.other_id}
    _event(actor, now, "people.same_as_confirmed", f"person:{row.person_id}", case or row.case, detail)


@transaction.atomic
def same_as_withdraw(*, actor: Actor, now: datetime, same_as_id: int, case: str = "") -> None:
    """The two are not one human being after all. A declaration that counts already is taken back by a third officer.

    The two may be declared the same again later.
    """
    row = _same_as(same_as_id)
    require(actor, "people.same_as_withdraw", row.region, now=now)
    if row.withdrawn_by:
        raise InputError.of("This declaration was withdrawn.")
    if row.confirmed_by and actor.ref in (row.declared_by, row.confirmed_by):
        raise Refused.of("Two officers said this; a third one takes it back.")
    row.withdrawn_by, row.withdrawn_at = actor.ref, now
    row.save(update_fields=["withdrawn_by", "withdrawn_at"])
    detail = {"same_as": row.id, "other": row.other_id, "counted": bool(row.confirmed_by)}
    _event(actor, now, "people.same_as_withdrawn", f"person:{row.person_id}", case or row.case, detail)


# ---- corrections ---------------------------------------------------------------------------------------------


@transaction.atomic
def correction_make(
    *,
    actor: Actor,
    now: datetime,
    catalogue: Catalogue,
    subject: str,
    fact: str,
    value: Value | None,
    valid_from: date,
    source: str,
    evidence_kind: str,
    evidence: str,
    case: str = "",
    replaces: int | None = None,
) -> int:
    """Put a fact of "person:12" or "family:3" right; None: nothing is known. It waits for a second officer.

    `evidence_kind` is of `evidence.toml`, and the family reads it; `evidence` tells the second officer more.
    """
    whom = _subject(subject)
    require(actor, "people.correction_make", whom.region, now=now)
    kind = subject.partition(":")[0]
    declared = catalogue.facts.get(fact)
    if FORBIDDEN & set(fact.split("_")):
        raise InputError.of("Nobody is decided by religion, ethnicity, name or politics: no such correction.")
    if declared is None or declared.unit != kind:
        raise InputError.of("{fact} is not a declared fact of a {unit}.", fact=fact, unit=kind)
    if value is not None and not declared.accepts(value):
        raise InputError.of("{fact} must be {expected}.", fact=fact, expected=declared.expected)
    if source not in catalogue.registers:
        raise InputError.of("{source} is not a register of the fact catalogue.", source=source)
    kinds_of_evidence.check(evidence_kind, localdate(now))
    with refusing("A correction replaces an earlier one of the same fact of the same subject."):
        row = Correction.objects.create(
            kind=kind,
            subject_id=whom.id,
            region=whom.region,
            fact=fact,
            value=json.dumps(value.isoformat() if isinstance(value, date) else value, ensure_ascii=False),
            valid_from=valid_from,
            source=source,
            evidence=_text(evidence),
            evidence_kind=evidence_kind,
            case=_reference(case),
            replaces_id=replaces,
            made_by=actor.ref,
            made_at=now,
        )
    detail = {"correction": row.id, "fact": fact, "replaces": replaces}
    _event(actor, now, "people.correction_made", subject, case, detail)
    return row.id


@transaction.atomic
def correction_confirm(*, actor: Actor, now: datetime, correction_id: int) -> None:
    """A second officer has seen the evidence and agrees: from now on the correction counts.

    Refused to who opened a cycle whose decisions it changes; the database holds that (`programmes.guards`).
    """
    row = _correction(correction_id)
    require(actor, "people.correction_confirm", row.region, now=now)
    if row.withdrawn_by:
        raise InputError.of("This correction was withdrawn.")
    if row.confirmed_by:
        raise InputError.of("This was confirmed already.")
    _another(actor, row.made_by)
    row.confirmed_by, row.confirmed_at = actor.ref, now
    with _not_the_opener():
        row.save(update_fields=["confirmed_by", "confirmed_at"])
    detail = {"correction": row.id, "fact": row.fact}
    _event(actor, now, "people.correction_confirmed", f"{row.kind}:{row.subject_id}", row.case, detail)


@transaction.atomic
def correction_withdraw(*, actor: Actor, now: datetime, correction_id: int) -> None:
    """Take a correction back. One that counts already is taken back by a third officer, who opened no cycle whose
    decisions that changes."""
    row = _correction(correction_id)
    require(actor, "people.correction_withdraw", row.region, now=now)
    if row.withdrawn_by:
        raise InputError.of("This correction was withdrawn.")
    if row.confirmed_by and actor.ref in (row.made_by, row.confirmed_by):
        raise Refused.of("Two officers made this correction; a third one takes it back.")
    if row.replaced_by.exclude(confirmed_by="").filter(withdrawn_by="").exists():
        raise InputError.of("Another correction has replaced this one. Take that one back.")
    row.withdrawn_by, row.withdrawn_at = actor.ref, now
    with _not_the_opener():
        row.save(update_fields=["withdrawn_by", "withdrawn_at"])
    detail = {"correction": row.id, "fact": row.fact, "counted": bool(row.confirmed_by)}
    _event(actor, now, "people.correction_withdrawn", f"{row.kind}:{row.subject_id}", row.case, detail)


# ---- bulk ----------------------------------------------------------------------------------------------------


@transaction.atomic
def enrol(
    *,
    actor: Actor,
    now: datetime,
    keys: Keys,
    families: Iterable[FamilyRow],
    persons: Iterable[PersonRow],
    since: date,
    source: str,
    total: int = 0,
    progress: Progress | None = None,
) -> Enrolled:
    """Take families and persons with ids of their own, all or none; who is known already is left as they are.

    A row that cannot be used is told in `faults` and left out; mend it and enrol again. `since` is the day from which
    memberships hold, `source` a digest that names what is loaded, `total` the persons that progress counts up to.
    """
    require(actor, "people.enrol", now=now)
    with refusing("An id stands twice in what is loaded."):
        result = bulk.enrol(keys, families, persons, since, lambda done: progress and progress(done, total))
    detail = {
        "families": result.families,
        "persons": result.persons,
        "known": result.known,
        "bad_rows": result.bad_rows,
        "source": _reference(source),
        "digest": result.digest,
    }
    _event(actor, now, "people.enrolled", "", "", detail)
    return result


def keys_rotate(
    *,
    actor: Actor,
    now: datetime,
    keys: Keys,
    progress: Progress | None = None,
    batch_rows: int = ROTATE_ROWS,
) -> int:
    """Seal every number under the current version; returns how many were sealed anew.

    Each batch is a transaction of its own: stopped at any moment, the next run goes on, and whoever holds both
    versions finds every number meanwhile.
    """
    require(actor, "people.keys_rotate", now=now)
    todo, done = bulk.rows_under_other_keys(keys), 0
    while moved := bulk.reseal(keys, batch_rows):
        done += moved
        if progress is not None:
            progress(done, max(todo, done))
    if done:
        with transaction.atomic():
            detail = {"version": keys.current, "rows": done}
            _event(actor, now, "people.keys_rotated", "", "", detail)
    return done


def export_by_name(
    *,
    actor: Actor,
    now: datetime,
    keys: Keys,
    purpose: str,
    case: str,
    region: str,
    file: Path,
    mark: bytes,
) -> exported.Export:
    """Write the names and masked NIKs of a region's people to a new file that says whose copy it is.

    `mark` is MARK_BYTES of chance, written into every row and into the event, so that a copy found elsewhere leads to
    who made it. The file takes its name only when the event is on record.
    """
    require(actor, "people.export_by_name", region, now=now)
    if purpose not in policy().purposes or not _reference(case):
        raise InputError.of("An export by name needs a purpose of access.toml and a case.")
    if len(mark) != MARK_BYTES:
        raise ValueError("a mark has 8 bytes")
    with exported.being_written(file) as part, transaction.atomic():
        result = exported.write(part, keys, actor.ref, now, purpose, case, region, mark.hex())
        detail = {"purpose": purpose, "region": region, "mark": mark.hex(), "persons": result.persons,
                      "sha256": result.sha256}  # fmt: skip
        _event(actor, now, "people.exported_by_name", "", case, detail)
    return result


# ---- what is checked on the way in ---------------------------------------------------------------------------


def _event(
    actor: Actor, now: datetime, kind: str, subject: str, case: str, detail: Mapping[str, object]
) -> None:
    record(now=now, actor=actor.ref, kind=kind, subject=subject, case=_reference(case), detail=detail)


def _person(id_: int) -> Person:
    person = Person.objects.select_for_update(no_key=True).filter(id=id_).first()
    if person is None:
        raise InputError.of("There is no {subject}.", subject=f"person:{id_}")
    return person


def _family(id_: int) -> Family:
    family = Family.objects.filter(id=id_).first()
    if family is None:
        raise InputError.of("There is no {subject}.", subject=f"family:{id_}")
    return family


def _subject(reference: str) -> Person | Family:
    kind, _, number = reference.partition(":")
    if kind not in ("person", "family") or not re.fullmatch(r"[0-9]{1,15}", number):
        raise InputError.of("A subject is written person:12 or family:3.")
    return _person(int(number)) if kind == "person" else _family(int(number))


def _same_as(id_: int) -> SameAs:
    row = SameAs.objects.select_for_update().filter(id=id_).first()
    if row is None:
        raise InputError.of("There is no declaration {id}.", id=id_)
    return row


def _correction(id_: int) -> Correction:
    row = Correction.objects.select_for_update().filter(id=id_).first()
    if row is None:
        raise InputError.of("There is no correction {id}.", id=id_)
    return row


def _another(actor: Actor, first: str) -> None:
    if actor.ref == first:
        raise Refused.of("Another officer must confirm what you have written.")


def _not_the_opener() -> AbstractContextManager[None]:
    return refusing(
        "Who opened a cycle leaves it to others to confirm or take back what changes its decisions."
    )


def _place(region: str, village: str) -> None:
    if not bulk.fits_place(region, ""):
        raise InputError.of("region must be a regency code like 35.10.")
    if not bulk.fits_place(region, village):
        raise InputError.of("village must be empty or a village code of {region}.", region=region)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not bulk.fits_name(name):
        raise InputError.of("A name has 1 to {most} letters and holds no long number.", most=NAME_LENGTH_MOST)
    return name


def _text(text: str) -> str:
    said = " ".join(text.split())
    if not said or len(said) > TEXT_LENGTH_MOST or not said.isprintable():
        raise InputError.of("The evidence is a text of 1 to {most} characters.", most=TEXT_LENGTH_MOST)
    numbers.refuse(said)
    return said


def _reference(text: str) -> str:
    fits = len(text) <= REFERENCE_LENGTH_MOST and re.fullmatch(
        r"[a-z0-9_]+:[A-Za-z0-9_.-]+|[0-9a-f]{64}|", text
    )
    if not fits or numbers.holds_number(text):
        raise InputError.of("A reference is written like case:5.")
    return text
