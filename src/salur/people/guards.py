"""What the database holds that Django's constraints cannot say, for SQLite and for PostgreSQL.

- Periods of one person's memberships do not overlap.
- A correction is inserted open and with a kind of evidence, confirmed at most once, withdrawn at most once, never
  otherwise changed, never deleted; one that replaces another is about the same fact of the same subject.
- What carries the region of a person or family (numbers, corrections, same_as) follows when it changes.
- Ids made here begin at FIRST_MINTED.
- The beginning of a name is found by an index.

SQLite loses triggers and such indexes when Django makes a table anew, and refuses to do so while a trigger elsewhere
names it: a later migration that alters one of these tables works between `put_away` and `put_back`.
"""

from __future__ import annotations

from typing import Any

from salur.people.models import FIRST_MINTED, ID_MOST

_FIXED = (
    "id", "kind", "subject_id", "fact", "value", "valid_from", "source", "evidence", "case",
    "replaces_id", "made_by", "made_at",
)  # fmt: skip


def _row(prefix: str, columns: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'{prefix}."{column}"' for column in columns) + ")"


_BAD_CHANGE = """
    {new} {differs} {old}
    OR (OLD.confirmed_by <> '' AND (NEW.confirmed_by, NEW.confirmed_at) {differs} (OLD.confirmed_by, OLD.confirmed_at))
    OR (OLD.withdrawn_by <> '' AND (NEW.withdrawn_by, NEW.withdrawn_at) {differs} (OLD.withdrawn_by, OLD.withdrawn_at))
    OR (OLD.withdrawn_by <> '' AND OLD.confirmed_by = '' AND NEW.confirmed_by <> '')
"""
_BAD_BEGINNING = """
    NEW.confirmed_by <> '' OR NEW.withdrawn_by <> ''
    OR (NEW.replaces_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM people_correction r WHERE r.id = NEW.replaces_id AND r.kind = NEW.kind
        AND r.subject_id = NEW.subject_id AND r.fact = NEW.fact))
"""


def _bad_change(differs: str, kinds: bool) -> str:
    """`kinds`: whether there is the column `evidence_kind` already."""
    columns = (*_FIXED, "evidence_kind") if kinds else _FIXED
    return _BAD_CHANGE.format(new=_row("NEW", columns), old=_row("OLD", columns), differs=differs)


def _bad_beginning(kinds: bool) -> str:
    return _BAD_BEGINNING + (" OR coalesce(NEW.evidence_kind, '') = ''" if kinds else "")


_OVERLAPS = """
    SELECT 1 FROM people_membership m WHERE m.person_id = NEW.person_id AND m.id <> NEW.id
    AND (m.until IS NULL OR m.until > NEW.since) AND (NEW.until IS NULL OR NEW.until > m.since)
"""
_FOLLOWS = {
    owner: f"UPDATE people_identifier SET region = NEW.region WHERE {owner}_id = NEW.id; "
    f"UPDATE people_correction SET region = NEW.region WHERE kind = '{owner}' AND subject_id = NEW.id;"
    for owner in ("person", "family")
}
_FOLLOWS["person"] += " UPDATE people_sameas SET region = NEW.region WHERE person_id = NEW.id;"

_SQLITE = [
    *(
        f"CREATE TRIGGER people_membership_{when} BEFORE {event} ON people_membership WHEN EXISTS ({_OVERLAPS}) "
        "BEGIN SELECT RAISE(ABORT, 'membership_periods_overlap'); END"
        for when, event in (("insert", "INSERT"), ("update", "UPDATE"))
    ),
    "CREATE TRIGGER people_correction_is_kept BEFORE DELETE ON people_correction "
    "BEGIN SELECT RAISE(ABORT, 'correction_is_kept'); END",
    *(
        f"CREATE TRIGGER people_{owner}_moves AFTER UPDATE OF region ON people_{owner} "
        f"WHEN NEW.region <> OLD.region BEGIN {_FOLLOWS[owner]} END"
        for owner in ("person", "family")
    ),
    *(
        f"INSERT INTO sqlite_sequence (name, seq) SELECT 'people_{table}', {FIRST_MINTED - 1} "
        f"WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'people_{table}')"
        for table in ("person", "family")
    ),
    *(
        f"UPDATE sqlite_sequence SET seq = max(seq, {FIRST_MINTED - 1}) WHERE name = 'people_{table}'"
        for table in ("person", "family")
    ),
    # LIKE is without regard to case there, and can use only such an index.
    "CREATE INDEX people_person_by_name ON people_person (region, name COLLATE NOCASE)",
]


def _sqlite(kinds: bool) -> list[str]:
    return [
        *_SQLITE,
        f"CREATE TRIGGER people_correction_begins BEFORE INSERT ON people_correction WHEN {_bad_beginning(kinds)} "
        "BEGIN SELECT RAISE(ABORT, 'correction_begins_open'); END",
        "CREATE TRIGGER people_correction_stays BEFORE UPDATE ON people_correction "
        f"WHEN {_bad_change('IS NOT', kinds)} BEGIN SELECT RAISE(ABORT, 'correction_stays'); END",
    ]


_SQLITE_REMOVE = [
    *(
        f"DROP TRIGGER IF EXISTS people_{name}"
        for name in (
            "membership_insert", "membership_update", "correction_begins", "correction_stays", "correction_is_kept",
            "person_moves", "family_moves",
        )
    ),
    "DROP INDEX IF EXISTS people_person_by_name",
]  # fmt: skip

_REFUSE = "RAISE EXCEPTION '{name}' USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{name}';"


def _function(name: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$"


def _judges_corrections(kinds: bool) -> list[str]:
    return [
        _function(
            "people_correction_begins",
            f"IF {_bad_beginning(kinds)} THEN {_REFUSE.format(name='correction_begins_open')} END IF;",
        ),
        _function(
            "people_correction_stays",
            f"IF {_bad_change('IS DISTINCT FROM', kinds)} "
            f"THEN {_REFUSE.format(name='correction_stays')} END IF;",
        ),
    ]


_POSTGRES = [
    "CREATE EXTENSION IF NOT EXISTS btree_gist",
    "ALTER TABLE people_membership ADD CONSTRAINT membership_periods_overlap "
    "EXCLUDE USING gist (person_id WITH =, daterange(since, until) WITH &&)",
    *_judges_corrections(False),
    "CREATE TRIGGER people_correction_begins BEFORE INSERT ON people_correction "
    "FOR EACH ROW EXECUTE FUNCTION people_correction_begins()",
    "CREATE TRIGGER people_correction_stays BEFORE UPDATE ON people_correction "
    "FOR EACH ROW EXECUTE FUNCTION people_correction_stays()",
    _function("people_correction_is_kept", _REFUSE.format(name="correction_is_kept")),
    "CREATE TRIGGER people_correction_is_kept BEFORE DELETE OR TRUNCATE ON people_correction "
    "FOR EACH STATEMENT EXECUTE FUNCTION people_correction_is_kept()",
    *(
        statement
        for owner in ("person", "family")
        for statement in (
            _function(
                f"people_{owner}_moves",
                _FOLLOWS[owner],
            ),
            f"CREATE TRIGGER people_{owner}_moves AFTER UPDATE OF region ON people_{owner} FOR EACH ROW "
            f"WHEN (NEW.region <> OLD.region) EXECUTE FUNCTION people_{owner}_moves()",
            # MINVALUE: nothing can set the sequence back among the ids that populations bring.
            f"ALTER TABLE people_{owner} ALTER COLUMN id SET MINVALUE {FIRST_MINTED} SET MAXVALUE {ID_MOST} "
            f"SET START WITH {FIRST_MINTED} RESTART",
        )
    ),
    "CREATE INDEX people_person_by_name ON people_person (region, upper(name::text) text_pattern_ops)",
]
_POSTGRES_REMOVE = [
    "ALTER TABLE people_membership DROP CONSTRAINT membership_periods_overlap",
    *(
        f"DROP FUNCTION people_{name}() CASCADE"
        for name in (
            "correction_begins", "correction_stays", "correction_is_kept", "person_moves", "family_moves"
        )
    ),
    "DROP INDEX people_person_by_name",
]  # fmt: skip


def install(_apps: Any, schema_editor: Any) -> None:
    """For `migrations.RunPython`."""
    if schema_editor.connection.vendor == "sqlite":
        _run(schema_editor, [*_SQLITE_REMOVE, *_sqlite(_knows_kinds(schema_editor))])
    else:
        _run(schema_editor, _POSTGRES)


def remove(_apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, _SQLITE_REMOVE if schema_editor.connection.vendor == "sqlite" else _POSTGRES_REMOVE)


def put_away(apps: Any, schema_editor: Any) -> None:
    """Before a table is made anew: on SQLite alone."""
    if schema_editor.connection.vendor == "sqlite":
        remove(apps, schema_editor)


def put_back(apps: Any, schema_editor: Any) -> None:
    """After it."""
    if schema_editor.connection.vendor == "sqlite":
        install(apps, schema_editor)


def with_evidence_kind(_apps: Any, schema_editor: Any) -> None:
    """Once corrections have the column `evidence_kind`: a new one says it, and it is never changed."""
    _judge(schema_editor, True)


def without_evidence_kind(_apps: Any, schema_editor: Any) -> None:
    _judge(schema_editor, False)


def _judge(schema_editor: Any, kinds: bool) -> None:
    if schema_editor.connection.vendor == "sqlite":
        _run(schema_editor, [*_SQLITE_REMOVE, *_sqlite(kinds)])
    else:
        _run(schema_editor, _judges_corrections(kinds))


def _knows_kinds(schema_editor: Any) -> bool:
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, "people_correction")
    return any(column.name == "evidence_kind" for column in columns)


def _run(schema_editor: Any, statements: list[str]) -> None:
    for statement in statements:
        schema_editor.execute(statement, params=None)
