"""What tables may never become, where a constraint cannot say it: triggers with the same condition on both databases.

SQLite drops a table's triggers when a migration rebuilds the table: such a migration ends with `install`. Two of them
ask for tables of `people`: a migration that rebuilds one of those begins with `remove`. On PostgreSQL a guard sees the
rows of all regions, whoever writes: row-level security is for those who read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from salur.access.rows import ALL
from salur.journal.constraints import ANY_CHANGE, keep, release


@dataclass(frozen=True)
class Guard:
    """Refuses an act on rows of a table for which the condition holds (in terms of NEW and OLD)."""

    name: str
    table: str
    act: str  # INSERT or UPDATE
    refused_when: str
    message: str
    asked_when: str = ""  # of which rows; empty: of all
    sees_all: bool = False  # asks for rows of a table with row-level security


def _has_duty(cycle: str, officer: str, duty: str) -> str:
    return (
        "NOT EXISTS (SELECT 1 FROM programmes_duty d "
        f"WHERE d.cycle_id = {cycle} AND d.officer = {officer} AND d.duty = '{duty}')"
    )


def _decided_in(cycle: str, correction: str) -> str:
    """Whether a cycle decided the family of a correction, or a family in which its person ever counted."""
    return (
        f"EXISTS (SELECT 1 FROM programmes_decision x WHERE x.cycle_id = {cycle} AND x.family_id IN ("
        f"SELECT CASE WHEN {correction}.kind = 'family' THEN {correction}.subject_id END UNION "
        "SELECT m.family_id FROM people_membership m "
        f"WHERE {correction}.kind = 'person' AND m.person_id = {correction}.subject_id))"
    )


def _opened_what_it_changes(officer: str) -> str:
    """Whether an officer opened a cycle, not decreed yet, whose decisions the correction NEW changes."""
    return (
        "EXISTS (SELECT 1 FROM programmes_duty d JOIN programmes_cycle c ON c.id = d.cycle_id "
        f"WHERE d.officer = {officer} AND d.duty = 'open' AND NEW.valid_from <= c.reference_date AND ("
        f"(c.state IN ('opened', 'decided') AND {_decided_in('c.id', 'NEW')}) OR (c.state = 'opened' "
        "AND CAST(c.regions AS text) LIKE '%\"' || NEW.region || '\"%')))"
    )


# Rows that are never removed, and which updates of them are refused; None: a guard below judges them.
KEPT: dict[str, str | None] = {
    "programmes_decision": ANY_CHANGE,
    "programmes_duty": ANY_CHANGE,
    "programmes_familycase": ANY_CHANGE,
    "programmes_ceiling": ANY_CHANGE,
    "programmes_review": "OLD.finding <> '' OR NEW.decision_id <> OLD.decision_id OR NEW.cycle_id <> OLD.cycle_id"
    " OR NEW.reviewer <> OLD.reviewer OR NEW.judgement <> OLD.judgement OR NEW.judged_at <> OLD.judged_at",
    "programmes_decree": None,
    "programmes_cycle": None,
    "programmes_draft": None,
    "programmes_draftrevision": ANY_CHANGE,
    "programmes_draftcatalogue": ANY_CHANGE,
}

GUARDS = [
    Guard(
        "programmes_review_duty",
        "programmes_review",
        "INSERT",
        _has_duty("NEW.cycle_id", "NEW.reviewer", "review")
        + " OR NOT EXISTS (SELECT 1 FROM programmes_decision x WHERE x.id = NEW.decision_id"
        " AND x.cycle_id = NEW.cycle_id)",
        "a review needs the duty to review in the cycle of its decision",
        sees_all=True,
    ),
    Guard(
        "programmes_decree_unsigned",
        "programmes_decree",
        "INSERT",
        "NEW.signed_by <> ''",
        "a decree is prepared before it is signed",
    ),
    Guard(
        "programmes_decree_signer",
        "programmes_decree",
        "UPDATE",
        "OLD.signed_by <> '' OR NEW.cycle_id <> OLD.cycle_id OR (NEW.signed_by <> '' AND ("
        + _has_duty("NEW.cycle_id", "NEW.signed_by", "decree")
        + " OR NOT EXISTS (SELECT 1 FROM programmes_cycle c JOIN programmes_duty o ON o.cycle_id = c.id"
        " AND o.officer = c.opened_by AND o.duty = 'open' WHERE c.id = NEW.cycle_id)"
        " OR NEW.digest <> OLD.digest OR NEW.statement <> OLD.statement OR NEW.number <> OLD.number"
        " OR NEW.units <> OLD.units OR NEW.amount <> OLD.amount"
        " OR NEW.list_path <> OLD.list_path OR NEW.pdf_path <> OLD.pdf_path))",
        "a decree is signed once, as it was prepared, by the officer with that duty",
    ),
    Guard(
        "programmes_decree_corrector",
        "programmes_decree",
        "UPDATE",
        "EXISTS (SELECT 1 FROM programmes_cycle c JOIN people_correction r ON"
        " (r.made_by = NEW.signed_by AND r.made_at >= c.opened_at)"
        " OR (r.confirmed_by = NEW.signed_by AND r.confirmed_at >= c.opened_at)"
        " OR (r.withdrawn_by = NEW.signed_by AND r.withdrawn_at >= c.opened_at AND r.confirmed_by <> '')"
        f" WHERE c.id = NEW.cycle_id AND {_decided_in('c.id', 'r')})",
        "who corrected a family of a cycle does not sign its decree",
        asked_when="NEW.signed_by <> ''",
        sees_all=True,
    ),
    Guard(
        "programmes_correction_opener",
        "people_correction",
        "UPDATE",
        f"(NEW.confirmed_by <> OLD.confirmed_by AND {_opened_what_it_changes('NEW.confirmed_by')})"
        " OR (NEW.withdrawn_by <> OLD.withdrawn_by AND OLD.confirmed_by <> ''"
        f" AND {_opened_what_it_changes('NEW.withdrawn_by')})",
        "who opened a cycle neither confirms nor takes back what changes its decisions",
        asked_when="NEW.confirmed_by <> OLD.confirmed_by OR NEW.withdrawn_by <> OLD.withdrawn_by",
        sees_all=True,
    ),
    Guard(
        "programmes_cycle_fixed",
        "programmes_cycle",
        "UPDATE",
        "NEW.opened_by <> OLD.opened_by OR NEW.programme <> OLD.programme OR NEW.period <> OLD.period"
        " OR NEW.number <> OLD.number OR NEW.version_id <> OLD.version_id"
        " OR NEW.population_id <> OLD.population_id OR NEW.reference_date <> OLD.reference_date"
        " OR NEW.regions <> OLD.regions OR NEW.audit_seed <> OLD.audit_seed",
        "what a cycle was opened with stays",
    ),
    Guard(
        "programmes_cycle_decreed",
        "programmes_cycle",
        "UPDATE",
        "NEW.state <> OLD.state AND ("
        "(NEW.state IN ('decreed', 'closed') AND NOT EXISTS (SELECT 1 FROM programmes_decree e"
        " WHERE e.cycle_id = NEW.id AND e.signed_by <> ''))"
        " OR (OLD.state IN ('decreed', 'closed') AND NEW.state NOT IN ('closed'))"
        " OR OLD.state = 'cancelled' OR NEW.state = 'opened')",
        "a cycle goes on only by a signed decree, and never back",
    ),
    Guard(
        "programmes_decision_open",
        "programmes_decision",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM programmes_cycle c WHERE c.id = NEW.cycle_id AND c.state IN ('opened', 'decided')"
        " AND c.programme = NEW.programme AND c.period = NEW.period)",
        "decisions belong to a cycle of their programme and period before its decree",
    ),
    Guard(
        "programmes_decision_chain",
        "programmes_decision",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM programmes_decision x WHERE x.id = NEW.supersedes_id"
        " AND x.unit_id = NEW.unit_id AND x.programme = NEW.programme AND x.period = NEW.period"
        " AND x.n = NEW.n - 1)",
        "a decision supersedes the one before it of the same unit",
        asked_when="NEW.n > 1",
        sees_all=True,
    ),
    Guard(
        "programmes_version_fixed",
        "programmes_rulebookversion",
        "UPDATE",
        "OLD.approved_by <> '' OR NEW.sha256 <> OLD.sha256 OR NEW.raw <> OLD.raw OR NEW.facts_raw <> OLD.facts_raw"
        " OR NEW.in_force_from <> OLD.in_force_from OR NEW.added_by <> OLD.added_by",
        "a version is approved once, as it was added",
    ),
    Guard(
        "programmes_draft_fixed",
        "programmes_draft",
        "UPDATE",
        "OLD.ended_by <> '' OR NEW.programme <> OLD.programme OR coalesce(NEW.base_id, 0) <> coalesce(OLD.base_id, 0)"
        " OR NEW.begun_by <> OLD.begun_by",
        "what a draft began with stays, and its end is the end",
    ),
    Guard(
        "programmes_draft_open",
        "programmes_draftrevision",
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM programmes_draft d WHERE d.id = NEW.draft_id AND d.ended_by = '')"
        " OR NEW.n <> 1 + (SELECT count(*) FROM programmes_draftrevision r WHERE r.draft_id = NEW.draft_id)",
        "the next revision of a draft that has not ended",
    ),
]


def install(apps: Any, editor: Any) -> None:
    """Create the triggers (again), of those tables that there are by this migration."""
    remove(apps, editor)
    there = _tables(editor)
    for table, refused in KEPT.items():
        if table in there:
            keep(editor, table, f"{table} rows are kept as they are", refused_update=refused)
    for guard in GUARDS:
        for text in _create(guard, editor.connection.vendor) if guard.table in there else ():
            editor.execute(text, params=None)


def remove(apps: Any, editor: Any) -> None:
    """Drop the triggers."""
    there = _tables(editor)
    for table in KEPT.keys() & there:
        release(editor, table)
    for guard in GUARDS:
        if guard.table not in there:
            continue
        if editor.connection.vendor == "sqlite":
            editor.execute(f"DROP TRIGGER IF EXISTS {guard.name}")
        else:
            editor.execute(f"DROP TRIGGER IF EXISTS {guard.name} ON {guard.table}")
            editor.execute(f"DROP FUNCTION IF EXISTS {guard.name}()")


def _tables(editor: Any) -> set[str]:
    return set(editor.connection.introspection.table_names())


def _create(guard: Guard, vendor: str) -> list[str]:
    if vendor == "sqlite":
        refused_when = f"({guard.asked_when or 'true'}) AND ({guard.refused_when})"
        return [
            f"CREATE TRIGGER {guard.name} BEFORE {guard.act} ON {guard.table} FOR EACH ROW "
            f"WHEN {refused_when} BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
        ]
    # Set for the transaction: a refusal undoes it, and so does the end of the function.
    see = "PERFORM set_config('salur.regions', {}, true); "
    opened, closed = (see.format(f"'{ALL}'"), see.format("held")) if guard.sees_all else ("", "")
    return [
        f"CREATE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "DECLARE held text := coalesce(current_setting('salur.regions', true), ''); BEGIN "
        f"{opened}IF {guard.refused_when} THEN "
        f"RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'check_violation'; END IF; "
        f"{closed}RETURN NEW; END $$",
        f"CREATE TRIGGER {guard.name} BEFORE {guard.act} ON {guard.table} FOR EACH ROW "
        f"{f'WHEN ({guard.asked_when}) ' if guard.asked_when else ''}EXECUTE FUNCTION {guard.name}()",
    ]
