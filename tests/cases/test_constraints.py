"""The database itself refuses a case that cannot be, and any change of what is closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error, connection, transaction
from tests.cases.people import DAY, NOW, REVIEWER

from salur.access.policy import SYSTEM
from salur.cases import services
from salur.cases.models import Case, Note

pytestmark = pytest.mark.usefixtures("database")
GOOD: dict[str, Any] = {
    "kind": "review", "subject": "decision:9", "region": "35.10", "owner_role": "reviewer", "state": "open",
    "opened_at": NOW, "opened_by": "system", "due_at": NOW + DAY, "escalates_at": NOW + DAY,
    "escalates_to": "supervisor",
}  # fmt: skip
TAKEN = {"state": "taken", "officer_id": 7, "taken_at": NOW}
DONE = TAKEN | {"state": "done", "closed_at": NOW, "closed_by": "officer:7", "outcome": "upheld"}


def refused(**values: Any) -> None:
    try:
        with transaction.atomic():
            Case.objects.create(**GOOD | values)
    except Error:
        return
    pytest.fail(f"{values} was taken")


WRONG: list[dict[str, Any]] = [
    {"kind": ""},
    {"subject": ""},
    {"owner_role": ""},
    {"escalates_to": ""},
    {"opened_by": ""},
    {"people": 0},
    {"region": "35.1"},
    {"region": "351"},
    {"state": "lost"},
    {"due_at": NOW},
    {"escalates_at": NOW},
    {"officer_id": 7},
    {"outcome": "upheld"},
    {"closed_at": NOW, "closed_by": "system"},
    {"escalated_at": NOW},
    TAKEN | {"officer_id": None},
    TAKEN | {"taken_at": None},
    TAKEN | {"taken_at": NOW - timedelta(seconds=1)},
    TAKEN | {"closed_at": NOW},
    DONE | {"outcome": ""},
    DONE | {"closed_by": ""},
    DONE | {"closed_at": None},
    DONE | {"closed_at": NOW - timedelta(seconds=1)},
    DONE | {"taken_at": NOW + DAY},
    DONE | {"officer_id": None},
    DONE | {"state": "withdrawn"},
]


def test_a_case_that_contradicts_itself_is_refused() -> None:
    for wrong in WRONG:
        refused(**wrong)
    Case.objects.create(**GOOD)


def test_one_active_case_of_a_kind_and_subject() -> None:
    Case.objects.create(**GOOD)
    refused()
    refused(**TAKEN)
    Case.objects.create(**GOOD | DONE)
    Case.objects.create(**GOOD | {"kind": "objection"})
    Case.objects.create(**GOOD | {"subject": "decision:10"})


def test_a_case_does_not_follow_itself() -> None:
    case = Case.objects.create(**GOOD)
    with pytest.raises(Error), transaction.atomic():
        Case.objects.create(**GOOD | DONE | {"id": case.id + 1, "follows_id": case.id + 1})


def test_what_a_case_is_about_never_changes() -> None:
    case = Case.objects.create(**GOOD)
    for column in ("kind", "subject", "region", "opened_at", "opened_by"):
        value = NOW - DAY if column == "opened_at" else "36"
        with pytest.raises(Error, match="never"), transaction.atomic():
            Case.objects.filter(id=case.id).update(**{column: value})
    Case.objects.filter(id=case.id).update(people=3)


STATEMENTS = [
    "UPDATE cases_case SET people = 2",
    "UPDATE cases_case SET state = 'open', officer_id = NULL, taken_at = NULL, closed_at = NULL, "
    "closed_by = '', outcome = ''",
    "DELETE FROM cases_case",
    "INSERT OR REPLACE INTO cases_case SELECT * FROM cases_case",
    "TRUNCATE cases_case CASCADE",
    "UPDATE cases_note SET text = 'x'",
    "DELETE FROM cases_note",
    "INSERT OR REPLACE INTO cases_note SELECT * FROM cases_note",
    "TRUNCATE cases_note",
]


def test_what_is_closed_and_what_was_noted_stays() -> None:
    case = services.case_open(now=NOW, actor=SYSTEM, kind="review", subject="decision:9", region="35.10")
    services.case_take(now=NOW, actor=REVIEWER, case=case)
    services.case_close(now=NOW, actor=REVIEWER, case=case, outcome="upheld")
    before = (list(Case.objects.values()), list(Note.objects.values()))
    for statement in STATEMENTS:
        with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert (list(Case.objects.values()), list(Note.objects.values())) == before, statement


def test_the_models_have_no_change_without_a_migration() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "cases", "--check", "--dry-run", verbosity=0)


def test_the_migration_of_the_triggers_goes_back_and_forth() -> None:
    from django.core.management import call_command

    call_command("migrate", "cases", "0001", verbosity=0)
    case = Case.objects.create(**GOOD)
    case.delete()
    call_command("migrate", "cases", verbosity=0)
    case = Case.objects.create(**GOOD)
    with pytest.raises(Error, match="never"), transaction.atomic():
        case.delete()
