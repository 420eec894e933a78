"""What others' code tells us: a new connection, a sign-in, a second factor added or removed, tables made."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils import timezone

from salur.access import rows, sessions


def connect() -> None:
    """Called once, when the app is ready."""
    connection_created.connect(rows.when_connected, dispatch_uid="salur.access.rows")
    post_migrate.connect(_migrated, dispatch_uid="salur.access.incompatible")
    user_logged_in.connect(_signed_in, dispatch_uid="salur.access.session")
    authenticator_added.connect(_factor_added, dispatch_uid="salur.access.factor_added")
    authenticator_removed.connect(_factor_removed, dispatch_uid="salur.access.factor_removed")


def _migrated(**signal: Any) -> None:
    from salur.access import models, services

    if signal["app_config"].name != "salur.access":
        return
    if (
        models.Incompatible._meta.db_table in connection.introspection.table_names()
    ):  # not before migration 0002
        services.incompatible_store()


def _signed_in(**signal: Any) -> None:
    signal["request"].session[sessions.BEGAN] = int(timezone.now().timestamp())


def _factor_added(**signal: Any) -> None:
    _note(signal["authenticator"], added=True)


def _factor_removed(**signal: Any) -> None:
    _note(signal["authenticator"], added=False)


def _note(authenticator: Authenticator, *, added: bool) -> None:
    from salur.access import selectors, services

    services.factor_note(
        now=timezone.now(), officer=authenticator.user_id, added=added, **selectors.factor(authenticator)
    )
