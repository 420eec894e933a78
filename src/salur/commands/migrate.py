"""`salur migrate`: the tables of the database, made or brought up to date."""

from __future__ import annotations

import typer


def migrate() -> None:
    """Prepare the database, or bring it up to date after an update of Salur."""
    from salur.web import setup

    setup()
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", verbosity=0, interactive=False)
    place = connection.settings_dict["NAME"]
    if waiting:
        typer.echo(f"The database {place} is prepared.")
    else:
        typer.echo(f"The database {place} was up to date.")
