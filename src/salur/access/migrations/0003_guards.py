"""What a constraint cannot say, said by triggers; and the table of the cache that counts tries.

- Nobody holds two incompatible roles at a time, in whichever regions. The pairs stand in `access_incompatible`.
- Nobody grants a role to an officer whom they invited: they may still hold the link.
- The read log and signatures are never changed nor deleted; broken glass is never deleted, and only its review is added.

On SQLite a later migration that changes a column of these tables makes them anew without their triggers: it must end with
`forward` of this one for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management import call_command
from django.db import migrations

from salur.journal.constraints import ANY_CHANGE, keep, release

_HELD = """
    SELECT 1 FROM access_grant held
    JOIN access_incompatible pair ON pair.role = NEW.role AND pair.other = held.role
    WHERE held.officer_id = NEW.officer_id AND held.id <> COALESCE(NEW.id, -1)
      AND (held.until IS NULL OR held.until > NEW.since) AND (NEW.until IS NULL OR NEW.until > held.since)
"""
_INVITED = """
    SELECT 1 FROM access_invitation
    WHERE officer_id = NEW.officer_id AND made_by_id = NEW.granted_by_id
"""
_GLASS_FIELDS = ("officer_id", "region", "subject", "reason", "at", "until")
_GLASS_CHANGED = (
    " OR ".join(f"NEW.{field} <> OLD.{field}" for field in _GLASS_FIELDS) + " OR OLD.reviewed_at IS NOT NULL"
)
KEPT = {"access_readlog": ANY_CHANGE, "access_signature": ANY_CHANGE, "access_brokenglass": _GLASS_CHANGED}


def _sqlite() -> Iterator[str]:
    for when in ("INSERT", "UPDATE"):
        yield f"""
            CREATE TRIGGER access_grant_{when.lower()} BEFORE {when} ON access_grant BEGIN
            SELECT RAISE(ABORT, 'incompatible roles') WHERE EXISTS ({_HELD});
            SELECT RAISE(ABORT, 'granted by who invited') WHERE '{when}' = 'INSERT' AND EXISTS ({_INVITED}); END
        """


def _postgres() -> Iterator[str]:
    yield f"""
        CREATE FUNCTION access_grant_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM 1 FROM access_officer WHERE id = NEW.officer_id FOR UPDATE; -- one grant to an officer at a time
            IF EXISTS ({_HELD}) THEN
                RAISE EXCEPTION 'incompatible roles' USING ERRCODE = 'check_violation';
            END IF;
            IF TG_OP = 'INSERT' AND EXISTS ({_INVITED}) THEN
                RAISE EXCEPTION 'granted by who invited' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NEW;
        END $$
    """
    yield """
        CREATE TRIGGER access_grant_guard BEFORE INSERT OR UPDATE ON access_grant
        FOR EACH ROW EXECUTE FUNCTION access_grant_guard()
    """


def forward(_apps: Any, editor: Any) -> None:
    for statement in _postgres() if editor.connection.vendor == "postgresql" else _sqlite():
        editor.execute(statement, params=None)
    for table, changed in KEPT.items():
        keep(editor, table, f"{table} is never changed nor deleted", refused_update=changed)
    call_command("createcachetable", database=editor.connection.alias, verbosity=0)


def backward(_apps: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION access_grant_guard() CASCADE")
    else:
        for when in ("insert", "update"):
            editor.execute(f"DROP TRIGGER access_grant_{when}")
    for table in KEPT:
        release(editor, table)
    editor.execute("DROP TABLE access_cache")


class Migration(migrations.Migration):
    dependencies = [("access", "0002_sign_in_reads_and_glass"), ("journal", "0001_initial")]

    operations = [migrations.RunPython(forward, backward)]
