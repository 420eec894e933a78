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

FOREVER = ("access_readlog", "access_signature")
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


def _sqlite() -> Iterator[str]:
    for when in ("INSERT", "UPDATE"):
        yield f"""
            CREATE TRIGGER access_grant_{when.lower()} BEFORE {when} ON access_grant BEGIN
            SELECT RAISE(ABORT, 'incompatible roles') WHERE EXISTS ({_HELD});
            SELECT RAISE(ABORT, 'granted by who invited') WHERE '{when}' = 'INSERT' AND EXISTS ({_INVITED}); END
        """
    for table in FOREVER:
        for when in ("UPDATE", "DELETE"):
            yield f"""
                CREATE TRIGGER {table}_{when.lower()} BEFORE {when} ON {table} BEGIN
                SELECT RAISE(ABORT, '{table} is append-only'); END
            """
        yield f"""
            CREATE TRIGGER {table}_insert BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) BEGIN
            SELECT RAISE(ABORT, '{table} is append-only'); END
        """  # INSERT OR REPLACE deletes without asking the trigger of DELETE
    yield f"""
        CREATE TRIGGER access_brokenglass_update BEFORE UPDATE ON access_brokenglass WHEN {_GLASS_CHANGED} BEGIN
        SELECT RAISE(ABORT, 'only a review is added to broken glass'); END
    """
    yield """
        CREATE TRIGGER access_brokenglass_delete BEFORE DELETE ON access_brokenglass BEGIN
        SELECT RAISE(ABORT, 'broken glass is never deleted'); END
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
    yield """
        CREATE FUNCTION access_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION '% is never changed nor deleted', TG_TABLE_NAME USING ERRCODE = 'check_violation';
        END $$
    """
    for table in (*FOREVER, "access_brokenglass"):
        when = "DELETE" if table == "access_brokenglass" else "UPDATE OR DELETE"
        yield f"CREATE TRIGGER {table}_rows BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION access_refuse()"
        yield f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} EXECUTE FUNCTION access_refuse()"
    yield f"""
        CREATE TRIGGER access_brokenglass_update BEFORE UPDATE ON access_brokenglass
        FOR EACH ROW WHEN ({_GLASS_CHANGED}) EXECUTE FUNCTION access_refuse()
    """


def forward(_apps: Any, editor: Any) -> None:
    for statement in _postgres() if editor.connection.vendor == "postgresql" else _sqlite():
        editor.execute(statement, params=None)
    call_command("createcachetable", database=editor.connection.alias, verbosity=0)


def backward(_apps: Any, editor: Any) -> None:
    if editor.connection.vendor == "postgresql":
        editor.execute("DROP FUNCTION access_grant_guard() CASCADE")
        editor.execute("DROP FUNCTION access_refuse() CASCADE")
    else:
        for when in ("insert", "update"):
            editor.execute(f"DROP TRIGGER access_grant_{when}")
        for table in FOREVER:
            for when in ("insert", "update", "delete"):
                editor.execute(f"DROP TRIGGER {table}_{when}")
        editor.execute("DROP TRIGGER access_brokenglass_update")
        editor.execute("DROP TRIGGER access_brokenglass_delete")
    editor.execute("DROP TABLE access_cache")


class Migration(migrations.Migration):
    dependencies = [("access", "0002_sign_in_reads_and_glass")]

    operations = [migrations.RunPython(forward, backward)]
