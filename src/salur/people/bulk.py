"""Rows by the hundred thousand, for `services` alone: enrolment through a staging table, and sealing anew.

The same SQL on both databases; only the way into the staging table differs (COPY, or executemany).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, NamedTuple

from django.db import connection, transaction

from salur.core.faults import Fault, InputError
from salur.core.numbers import holds_number
from salur.people.models import FIRST_MINTED, NAME_LENGTH_MOST, SEXES, Identifier, place
from salur.people.protect import Keys, KeysError, Kind, plain
from salur.regions.codes import Level, is_code, level_of

BATCH_ROWS = 50_000
SQLITE_CACHE_KB = 256_000  # the index of numbers grows everywhere at once
FAULTS_MOST = 20
_TABLE = Identifier._meta.db_table


class FamilyRow(NamedTuple):
    """A family that is enrolled; `kk` is its card's number, plain, or empty."""

    id: int
    region: str
    village: str = ""
    kk: str = ""


class PersonRow(NamedTuple):
    """A person who is enrolled, and lives where the family lives; `nik` is plain, or empty."""

    id: int
    family_id: int
    name: str
    birth_date: date | None = None
    sex: str = ""
    nik: str = ""


@dataclass
class Enrolled:
    """Counts. `known`: persons who were there already; `elsewhere`: those of them who are now in another family here
    than in what was loaded. `digest`: SHA-256 over the lines `person|family` of what was loaded."""

    families: int = 0
    persons: int = 0
    known: int = 0
    elsewhere: int = 0
    bad_rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    digest: str = ""

    def bad(self, template: str, **values: object) -> None:
        self.bad_rows += 1
        if len(self.faults) < FAULTS_MOST:
            self.faults.append(Fault.of(template, **values))


# ---- keys and the table --------------------------------------------------------------------------------------


def lock_identifiers(keys: Keys) -> None:
    """One writer of identifiers at a time, and none with keys older than the table: else one number could be stored
    twice, under two versions. SQLite takes its lock when the transaction begins."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {_TABLE} IN SHARE ROW EXCLUSIVE MODE")
    check_keys(keys)


def check_keys(keys: Keys) -> None:
    """Raises KeysError if some number is sealed under a version that is not held."""
    newest = Identifier.objects.order_by("-key_version").values_list("key_version", flat=True).first()
    oldest = Identifier.objects.order_by("key_version").values_list("key_version", flat=True).first()
    for version in (newest, oldest):
        if version is not None and version not in keys.secrets:
            raise KeysError.of(
                "Version {version} of the keys is not held here. Copy the newest keys to this machine.",
                version=version,
            )


def rows_under_other_keys(keys: Keys) -> int:
    return Identifier.objects.exclude(key_version=keys.current).count()


@transaction.atomic
def reseal(keys: Keys, rows: int) -> int:
    """Seal a batch of numbers anew under the current version; returns how many there were."""
    lock_identifiers(keys)
    batch = list(Identifier.objects.exclude(key_version=keys.current).order_by("key_version", "id")[:rows])
    changed = []
    for row in batch:
        kind: Kind = row.kind  # type: ignore[assignment]
        number = keys.open(bytes(row.sealed), row.place)
        changed.append((keys.seal(number, row.place), keys.index(kind, number), keys.current, row.id))
    if not changed:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(
            f'UPDATE {_TABLE} SET sealed = %s, "index" = %s, key_version = %s WHERE id = %s', changed
        )
    return len(batch)


# ---- enrolment -----------------------------------------------------------------------------------------------

_COLUMNS = ("id", "family_id", "name", "birth_date", "sex", "region", "village", "sealed", "idx")
_STAGED = (
    "CREATE TEMPORARY TABLE people_staged (id bigint, family_id bigint, name varchar({name}), birth_date date, "
    "sex varchar(6), region varchar(5), village varchar(13), sealed {bytes}, idx {bytes})"
)
_NEW_FAMILIES = """
    INSERT INTO people_family (id, region, village) SELECT id, region, village FROM people_staged
"""
_NEW_PERSONS = """
    INSERT INTO people_person (id, name, birth_date, sex, region, village)
    SELECT s.id, s.name, s.birth_date, s.sex, f.region, f.village
    FROM people_staged s JOIN people_family f ON f.id = s.family_id
"""
_NEW_MEMBERSHIPS = """
    INSERT INTO people_membership (person_id, family_id, since, region)
    SELECT s.id, s.family_id, %s, f.region FROM people_staged s JOIN people_family f ON f.id = s.family_id
"""
_NEW_NUMBERS = """
    INSERT INTO people_identifier ({owner}_id, kind, sealed, "index", key_version, region)
    SELECT s.id, %s, s.sealed, s.idx, %s, o.region FROM people_staged s JOIN people_{owner} o ON o.id = s.id
    WHERE s.sealed IS NOT NULL ORDER BY s.idx ON CONFLICT (kind, "index") DO NOTHING
"""
_CLASHES = """
    SELECT s.id, h.person_id, h.family_id FROM people_staged s
    JOIN people_identifier h ON h.kind = %s AND h."index" = s.idx WHERE h.{owner}_id <> s.id ORDER BY s.id
"""
_IN_ANOTHER_FAMILY = """
    SELECT count(*) FROM people_staged s JOIN people_membership m ON m.person_id = s.id AND m.until IS NULL
    WHERE m.family_id <> s.family_id AND m.person_id BETWEEN %s AND %s
"""
# BETWEEN: the ids of a batch stand close together, and the planner need not read a whole table for them.
_DROP_KNOWN = """
    DELETE FROM people_staged WHERE id IN (SELECT o.id FROM people_{owner} o WHERE o.id BETWEEN %s AND %s)
"""
_WITHOUT_FAMILY = """
    SELECT s.id, s.family_id FROM people_staged s
    WHERE NOT EXISTS (SELECT 1 FROM people_family f WHERE f.id = s.family_id) ORDER BY s.id
"""

_DROP_WITHOUT_FAMILY = """
    DELETE FROM people_staged WHERE NOT EXISTS (SELECT 1 FROM people_family f WHERE f.id = people_staged.family_id)
"""


def fits_name(name: str) -> bool:
    """Whether a text can be a name: one is enough, and numbers are none."""
    return 0 < len(name) <= NAME_LENGTH_MOST and name.isprintable() and not holds_number(name)


def fits_place(region: str, village: str) -> bool:
    """Whether a region is a regency's code, and a village empty or in it."""
    regency = is_code(region) and level_of(region) is Level.REGENCY
    return regency and (
        not village
        or (is_code(village) and level_of(village) is Level.VILLAGE and village.startswith(region + "."))
    )


def enrol(
    keys: Keys,
    families: Iterable[FamilyRow],
    persons: Iterable[PersonRow],
    since: date,
    progress: Callable[[int], object],
) -> Enrolled:
    """In the caller's transaction. Raises KeysError while a rotation is half-way."""
    lock_identifiers(keys)
    if rows_under_other_keys(keys):
        raise KeysError.of(
            "The numbers are half-way between two keys. Finish `salur people rotate-keys` first."
        )
    result, digest, done = Enrolled(), hashlib.sha256(), 0
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA cache_size = -{SQLITE_CACHE_KB}")  # for this connection
        blob = "bytea" if connection.vendor == "postgresql" else "blob"
        cursor.execute(_STAGED.format(name=NAME_LENGTH_MOST, bytes=blob))
        for some_families in _batches(families):
            _families(cursor, keys, some_families, result)
        for some_persons in _batches(persons):
            digest.update("".join(f"{row.id}|{row.family_id}\n" for row in some_persons).encode())
            _persons(cursor, keys, some_persons, since, result)
            done += len(some_persons)
            progress(done)
        cursor.execute("DROP TABLE people_staged")
    result.digest = digest.hexdigest()
    return result


def _families(cursor: Any, keys: Keys, rows: Sequence[FamilyRow], result: Enrolled) -> None:
    staged = []
    for row in rows:
        if not fits_place(row.region, row.village):
            result.bad("{owner} has a region or village that cannot be.", owner=f"family:{row.id}")
            continue
        protected = _protected(keys, "kk", row.kk, f"family:{row.id}", result)
        staged.append((row.id, None, None, None, None, row.region, row.village, *protected))
    _stage(cursor, staged)
    fresh, _ = _only_new(cursor, "family", staged)
    if fresh:
        cursor.execute(_NEW_FAMILIES)
        _numbers(cursor, keys, "kk", "family", result)
    result.families += fresh


def _persons(cursor: Any, keys: Keys, rows: Sequence[PersonRow], since: date, result: Enrolled) -> None:
    staged = []
    for row in rows:
        if not fits_name(row.name) or row.sex not in SEXES:
            result.bad("{owner} has no name, or a name or sex that cannot be.", owner=f"person:{row.id}")
            continue
        protected = _protected(keys, "nik", row.nik, f"person:{row.id}", result)
        staged.append((row.id, row.family_id, row.name, row.birth_date, row.sex, None, None, *protected))
    _stage(cursor, staged)
    cursor.execute(_IN_ANOTHER_FAMILY, _bounds(staged))
    result.elsewhere += cursor.fetchone()[0]
    fresh, known = _only_new(cursor, "person", staged)
    result.known += known
    if not fresh:
        return
    cursor.execute(_WITHOUT_FAMILY)
    if lost := cursor.fetchall():
        for person, family in lost:
            result.bad(
                "{owner} is in {family}, which is not known.",
                owner=f"person:{person}",
                family=f"family:{family}",
            )
        cursor.execute(_DROP_WITHOUT_FAMILY)
        fresh -= len(lost)
    cursor.execute(_NEW_PERSONS)
    cursor.execute(_NEW_MEMBERSHIPS, [since])
    _numbers(cursor, keys, "nik", "person", result)
    result.persons += fresh


def _protected(
    keys: Keys, kind: Kind, number: str, owner: str, result: Enrolled
) -> tuple[bytes | None, bytes | None]:
    if not number:
        return None, None
    try:
        number = plain(kind, number)
    except InputError:
        result.bad("{owner} has a number that does not have 16 digits; it was left out.", owner=owner)
        return None, None
    return keys.seal(number, place(kind, owner)), keys.index(kind, number)


def _stage(cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    columns = ", ".join(_COLUMNS)
    if connection.vendor == "postgresql":
        cursor.execute("TRUNCATE people_staged")
        with cursor.copy(f"COPY people_staged ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE people_staged")
    else:
        cursor.execute("DELETE FROM people_staged")
        cursor.executemany(f"INSERT INTO people_staged ({columns}) VALUES ({', '.join(['%s'] * 9)})", rows)


def _bounds(rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    ids = [row[0] for row in rows]
    return min(ids, default=0), max(ids, default=0)


def _only_new(cursor: Any, owner: str, rows: Sequence[tuple[Any, ...]]) -> tuple[int, int]:
    """Leave only rows that are not known yet; how many are new and how many were known."""
    cursor.execute(_DROP_KNOWN.format(owner=owner), _bounds(rows))
    known = cursor.rowcount
    cursor.execute(f"SELECT min(id) FROM people_staged WHERE id < 1 OR id >= {FIRST_MINTED}")
    if (wrong := cursor.fetchone()[0]) is not None:
        raise InputError.of(
            "{owner} is not known, and its number is among those that only Salur gives ({first} and above).",
            owner=f"{owner}:{wrong}",
            first=FIRST_MINTED,
        )
    return len(rows) - known, known


def _numbers(cursor: Any, keys: Keys, kind: str, owner: str, result: Enrolled) -> None:
    cursor.execute("SELECT count(idx) FROM people_staged")
    wanted = cursor.fetchone()[0]
    cursor.execute(_NEW_NUMBERS.format(owner=owner), [kind, keys.current])
    if cursor.rowcount != wanted:
        cursor.execute(_CLASHES.format(owner=owner), [kind])
        for id_, person, family in cursor.fetchall():
            result.bad(
                "The number of {owner} belongs to {holder} already; it was left out. Are they the same?",
                owner=f"{owner}:{id_}",
                holder=f"person:{person}" if person is not None else f"family:{family}",
            )


def _batches(rows: Iterable[Any]) -> Iterable[list[Any]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch
