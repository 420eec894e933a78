"""Reads of people. `regions` is the first wall: the codes that the reader may see; None: the nation; (): nothing.

Whoever shows a person's record writes the read log (`access.services.read_log`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar

from django.db import connection, models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import localdate

from salur.access.rows import everywhere
from salur.core.faults import InputError
from salur.people.bulk import check_keys, rows_under_other_keys
from salur.people.models import Correction, Family, Identifier, Membership, Person, SameAs
from salur.people.overlay import Corrected
from salur.people.protect import Keys, Kind, masked, plain

FOUND_MOST = 50
PREFIX_LETTERS_LEAST = 2
_IDS_AT_ONCE = 500  # SQLite's limit of parameters
Regions = tuple[str, ...] | None
M = TypeVar("M", bound=models.Model)


def within(rows: QuerySet[M], regions: Regions) -> QuerySet[M]:
    """Only rows of these regions (regencies or provinces)."""
    if regions is None:
        return rows
    if not regions:
        return rows.none()
    provinces = Q()
    for code in regions:
        if len(code) == 2:
            provinces |= Q(region__startswith=f"{code}.")
    return rows.filter(Q(region__in=regions) | provinces)


# ---- persons and families ------------------------------------------------------------------------------------


def person(id_: int, *, regions: Regions) -> Person | None:
    return within(Person.objects.filter(id=id_), regions).first()


def persons(ids: Iterable[int], *, regions: Regions) -> dict[int, Person]:
    """Those that there are, by id."""
    found = {}
    for some in _some(ids):
        found.update({row.id: row for row in within(Person.objects.filter(id__in=some), regions)})
    return found


def family(id_: int, *, regions: Regions) -> Family | None:
    return within(Family.objects.filter(id=id_), regions).first()


def family_members(family_id: int, on: date, *, regions: Regions) -> list[Person]:
    """Who counts in the family on that day, in the order of their ids."""
    there = _valid(Membership.objects.filter(family_id=family_id, person=OuterRef("pk")), on)
    return list(within(Person.objects.filter(Exists(there)), regions).order_by("id"))


def family_of(person_id: int, on: date, *, regions: Regions) -> int | None:
    """The id of the family in which the person counts on that day."""
    rows = within(_valid(Membership.objects.filter(person_id=person_id), on), regions)
    return rows.values_list("family_id", flat=True).first()


def find_by_identifier(kind: Kind, number: str, keys: Keys, *, regions: Regions) -> str | None:
    """Whose number it is, "person:12" or "family:3". A number that is none finds nobody.

    Finds under every version of the keys. Raises KeysError if this machine's keys are older than the table's.
    """
    try:
        indexes = keys.indexes(kind, plain(kind, number))
    except InputError:
        indexes = keys.indexes(kind, "")
    row = within(Identifier.objects.filter(kind=kind, index__in=indexes), regions).first()
    if row is None:
        check_keys(keys)
        return None
    return row.owner


def numbers_masked(owner: str, keys: Keys, *, regions: Regions) -> dict[str, str]:
    """The numbers of an owner by kind, as a screen may show them."""
    kind, _, id_ = owner.partition(":")
    rows = within(Identifier.objects.filter(**{f"{kind}_id": int(id_)}), regions)
    return {row.kind: masked(keys.open(bytes(row.sealed), row.place)) for row in rows}


def numbers_under_other_keys(keys: Keys) -> int:
    """How many numbers a rotation of keys has not reached."""
    return rows_under_other_keys(keys)


def search(*, name: str, region: str, birth_date: date | None = None, regions: Regions) -> list[Person]:
    """People of a regency whose name begins so, whatever the case of letters; at most 50, by name."""
    prefix = " ".join(name.split())
    if len(prefix) < PREFIX_LETTERS_LEAST or not prefix.isprintable():
        raise InputError.of("Give at least {least} letters of the name.", least=PREFIX_LETTERS_LEAST)
    rows = within(Person.objects.filter(region=region, name__istartswith=prefix), regions)
    if birth_date is not None:
        rows = rows.filter(birth_date=birth_date)
    return list(rows.order_by("name", "id")[:FOUND_MOST])


def same_as(person_id: int) -> frozenset[int]:
    """Every id of this human being that two officers have confirmed, over any number of steps, the given one too."""
    sql = """
        WITH RECURSIVE one (id) AS (
            SELECT %s UNION
            SELECT CASE WHEN s.person_id = one.id THEN s.other_id ELSE s.person_id END
            FROM one JOIN people_sameas s ON s.confirmed_by <> '' AND s.withdrawn_by = ''
            AND one.id IN (s.person_id, s.other_id)
        ) SELECT id FROM one
    """
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("%s", "CAST(%s AS bigint)"), [person_id])
        return frozenset(id_ for (id_,) in cursor.fetchall())


def same_as_waiting(*, regions: Regions) -> list[SameAs]:
    """Declarations that wait for a second officer, oldest first."""
    return list(within(SameAs.objects.filter(confirmed_by="", withdrawn_by=""), regions).order_by("id"))


# ---- corrections ---------------------------------------------------------------------------------------------


def correction(id_: int, *, regions: Regions) -> Correction | None:
    return within(Correction.objects.filter(id=id_), regions).first()


def corrections_waiting(*, regions: Regions) -> QuerySet[Correction]:
    """Corrections that wait for a second officer, oldest first."""
    return within(Correction.objects.filter(confirmed_by="", withdrawn_by=""), regions).order_by("id")


def corrections_ever(subject: str, *, regions: Regions) -> list[Correction]:
    """Every correction of "person:12" or "family:3", whatever became of it, oldest first."""
    kind, _, id_ = subject.partition(":")
    return list(within(Correction.objects.filter(kind=kind, subject_id=int(id_)), regions).order_by("id"))


def evidence_of(ids: Iterable[int]) -> dict[tuple[str, int, str], str]:
    """What kind of evidence corrections rest on, by kind, id and fact of what they correct; empty: an old one that says
    none. For the family itself, wherever it lives by now: it says nothing of anybody else."""
    found: dict[tuple[str, int, str], str] = {}
    for some in _some(ids):
        with everywhere():
            rows = Correction.objects.filter(id__in=some).order_by("id")
            for kind, subject, fact, evidence in rows.values_list(
                "kind", "subject_id", "fact", "evidence_kind"
            ):
                found[kind, subject, fact] = evidence or ""
    return found


def corrections_of(subjects: Iterable[str], on: date, *, regions: Regions) -> list[Corrected]:
    """What counts on a day: of each fact of each subject the latest confirmed correction, for `overlay`."""
    ids: dict[str, list[int]] = {"person": [], "family": []}
    for subject in subjects:
        kind, _, id_ = subject.partition(":")
        ids[kind].append(int(id_))
    rows = [
        row
        for kind, of_kind in ids.items()
        for some in _some(of_kind)
        for row in within(_counting(on).filter(kind=kind, subject_id__in=some), regions)
    ]
    return _latest(rows)


def corrections_all(on: date, *, regions: Regions) -> list[Corrected]:
    """What counts on a day, of everybody in the regions: for deciding a whole population again."""
    return _latest(within(_counting(on), regions))


def _counting(on: date) -> QuerySet[Correction]:
    confirmed = ~Q(confirmed_by="") & Q(withdrawn_by="")
    replaced = Correction.objects.filter(confirmed, replaces=OuterRef("pk"), valid_from__lte=on)
    return Correction.objects.filter(confirmed, ~Exists(replaced), valid_from__lte=on)


def _latest(rows: Iterable[Correction]) -> list[Corrected]:
    latest: dict[tuple[str, int, str], Correction] = {}
    for row in sorted(rows, key=lambda row: (row.valid_from, row.id)):
        latest[row.kind, row.subject_id, row.fact] = row
    return [_corrected(latest[key]) for key in sorted(latest)]


def _corrected(row: Correction) -> Corrected:
    known_on = max(row.valid_from, localdate(row.made_at))
    return Corrected(
        row.kind,
        row.subject_id,
        row.fact,
        json.loads(row.value),
        row.valid_from,
        row.id,
        row.source,
        known_on,
    )


def _valid(rows: QuerySet[Membership], on: date) -> QuerySet[Membership]:
    return rows.filter(Q(until__isnull=True) | Q(until__gt=on), since__lte=on)


def _some(ids: Iterable[int]) -> Iterable[Sequence[int]]:
    unique = sorted(set(ids))
    return (unique[start : start + _IDS_AT_ONCE] for start in range(0, len(unique), _IDS_AT_ONCE))


def families_ever(person_ids: Iterable[int]) -> frozenset[int]:
    """Every family in which one of them ever counted, wherever: a population may have them in an earlier one."""
    found: set[int] = set()
    for some in _some(person_ids):
        with everywhere():
            found.update(Membership.objects.filter(person_id__in=some).values_list("family_id", flat=True))
    return frozenset(found)


def families_corrected_by(officer: str, since: datetime) -> frozenset[int]:
    """The families of which an officer made, confirmed or took back (once it counted) a correction since a moment, of
    them or of a member."""
    theirs = (
        Q(made_by=officer, made_at__gte=since)
        | Q(confirmed_by=officer, confirmed_at__gte=since)
        | (Q(withdrawn_by=officer, withdrawn_at__gte=since) & ~Q(confirmed_by=""))
    )
    with everywhere():
        rows = list(Correction.objects.filter(theirs).values_list("kind", "subject_id"))
    persons = families_ever(id_ for kind, id_ in rows if kind == "person")
    return persons.union(id_ for kind, id_ in rows if kind == "family")


def birth_dates_of(
    family_ids: Iterable[int], on: date, *, born_by: date, regions: Regions
) -> dict[int, list[date]]:
    """The known birth dates of those who count in each family on a day and were born by another, in their order."""
    found: dict[int, set[date]] = {}
    for some in _some(family_ids):
        rows = within(_valid(Membership.objects.filter(family_id__in=some), on), regions)
        living = rows.filter(person__birth_date__lte=born_by, person__died_on__isnull=True)
        for family_id, day in living.values_list("family_id", "person__birth_date"):
            if day is not None:
                found.setdefault(family_id, set()).add(day)
    return {family_id: sorted(days) for family_id, days in found.items()}
