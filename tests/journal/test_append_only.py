"""The database itself refuses to change or delete an event or a seal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import Error, connection, transaction

from salur.journal import services
from salur.journal.models import Event, Seal

pytestmark = pytest.mark.usefixtures("database")
NOW = datetime(2026, 11, 22, 3, 11, 0, 123_456, tzinfo=UTC)
OTHER: dict[str, Any] = {
    "id": 999, "at": NOW.replace(year=2027), "actor": "officer:9", "subject_ref": "person:9", "kind": "a.b",
    "case": "case:9", "detail": "[]", "salt": b"\x01" * 16,
}  # fmt: skip


@pytest.fixture
def event() -> Event:
    with transaction.atomic():
        id_ = services.record(now=NOW, actor="officer:7", kind="tests.done", subject="cycle:3")
    return Event.objects.get(id=id_)


def refused(statement: str, *values: object) -> None:
    with (
        pytest.raises(Error, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement, values)


@pytest.mark.parametrize("sealed", [False, True])
def test_no_column_of_an_event_can_be_changed(event: Event, sealed: bool) -> None:
    if sealed:
        services.events_mark(ids=[event.id], seal=1, sha256="0" * 64)
    before = list(Event.objects.values_list())
    columns = [field.attname for field in Event._meta.local_concrete_fields if field.attname != "sealed_in"]
    assert sorted(columns) == sorted(OTHER)
    for column in columns:
        with pytest.raises(Error), transaction.atomic():
            Event.objects.filter(id=event.id).update(**{column: OTHER[column]})
        with pytest.raises(Error), transaction.atomic():
            Event.objects.filter(id=event.id).update(**{column: OTHER[column], "sealed_in": 1})
    assert list(Event.objects.values_list()) == before


def test_an_event_is_sealed_once(event: Event) -> None:
    assert Event.objects.filter(id=event.id).update(sealed_in=4) == 1
    for seal in (5, 4, None):
        with pytest.raises(Error), transaction.atomic():
            Event.objects.filter(id=event.id).update(sealed_in=seal)
    assert Event.objects.get().sealed_in == 4


def test_nothing_is_deleted_emptied_or_replaced(event: Event, database: str) -> None:
    Seal.objects.create(number=1, sha256="0" * 64)
    for table in ("journal_event", "journal_seal"):
        refused(f"DELETE FROM {table}")
    refused("UPDATE journal_seal SET sha256 = %s", "1" * 64)
    refused("UPDATE journal_seal SET number = 2")
    if database == "postgres":
        refused("TRUNCATE journal_event")
        refused("TRUNCATE journal_seal")
    else:
        refused(
            'INSERT OR REPLACE INTO journal_event (id, at, actor, subject_ref, kind, "case", detail, salt) '
            "SELECT id, at, 'officer:8', subject_ref, kind, \"case\", detail, salt FROM journal_event"
        )
        refused("INSERT OR REPLACE INTO journal_seal VALUES (1, %s)", "1" * 64)
    assert (Event.objects.get().actor, Seal.objects.get().sha256) == ("officer:7", "0" * 64)


@pytest.mark.parametrize("sha256", ["", "0" * 63])
def test_a_seal_has_a_number_and_a_digest(sha256: str) -> None:
    with pytest.raises(Error), transaction.atomic():
        Seal.objects.create(number=1, sha256=sha256)
    with pytest.raises(Error), transaction.atomic():
        Seal.objects.create(number=0, sha256="0" * 64)


def test_the_migration_can_be_taken_back_and_made_again(event: Event) -> None:
    from django.core.management import call_command

    call_command("migrate", "journal", "0002", verbosity=0)
    with transaction.atomic():
        Event.objects.filter(id=event.id).update(actor="officer:8")
        transaction.set_rollback(True)
    call_command("migrate", "journal", verbosity=0)
    with pytest.raises(Error), transaction.atomic():
        Event.objects.filter(id=event.id).update(actor="officer:8")


def test_an_event_belongs_to_a_transaction_and_is_short() -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        services.record(now=NOW, actor="system", kind="tests.done")
    with pytest.raises(ValueError, match="longer than"), transaction.atomic():
        services.record(now=NOW, actor="system", kind="tests.done", detail={"x": "y" * 4_000})
