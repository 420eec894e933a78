"""`salur officers`: invite, list, grant, end, deactivate, from the console of the platform."""

from __future__ import annotations

import json
import secrets
from typing import Annotated

import typer
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from fido2.utils import websafe_encode

from salur.access import selectors, services
from salur.access.models import Officer
from salur.access.policy import SYSTEM
from salur.core.faults import InputError

app = typer.Typer(help="Officers, their roles and how they sign in.", no_args_is_help=True)
Email = Annotated[str, typer.Argument(metavar="EMAIL")]
Region = Annotated[str, typer.Option("--region", metavar="CODE", help="35, 35.10; without it the nation.")]


@app.command()
def invite(
    email: Email,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As on the office's list; one name is enough.")],
    role: Annotated[str, typer.Option("--role", help="A role of access.toml to begin with.")] = "",
    region: Region = "",
) -> None:
    """Make an officer and print the link with which they sign in first; it works once, for 72 hours.

    For an officer who lost their passkey it makes a new link, and ends their grants: give them again.
    """
    token = secrets.token_bytes(services.TOKEN_BYTES)
    now = timezone.now()
    officer = services.officer_invite(now=now, actor=SYSTEM, email=email, name=name, token=token)
    if role:
        services.grant_give(now=now, actor=SYSTEM, officer=officer, role=role, region=region)
    typer.echo(settings.SALUR_ORIGIN + reverse("access_invitation", args=[websafe_encode(token)]))
    typer.echo("Give this link to the officer and to nobody else; it works once, for 72 hours.", err=True)


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False) -> None:
    """Every officer with the grants in force."""
    for officer, grants in selectors.officers(timezone.now()):
        row = {
            "id": officer.id,
            "email": officer.email,
            "active": officer.is_active,
            "second_factor": selectors.has_second_factor(officer.id),
            "grants": [{"id": grant.id, "role": grant.role, "region": grant.region} for grant in grants],
        }
        if as_json:
            typer.echo(json.dumps(row))
            continue
        state = "" if officer.is_active else " (deactivated)"
        typer.echo(f"{officer.id}  {officer.email}{state}")
        for grant in grants:
            typer.echo(f"     {grant.id}  {grant.role}  {grant.region or 'nation'}")


@app.command()
def grant(email: Email, role: Annotated[str, typer.Argument(metavar="ROLE")], region: Region = "") -> None:
    """Give an officer a role in a region."""
    done = services.grant_give(
        now=timezone.now(), actor=SYSTEM, officer=_officer(email).id, role=role, region=region
    )
    typer.echo(f"Grant {done}.")


@app.command()
def end(grant: Annotated[int, typer.Argument(metavar="GRANT", help="Its number in `list`.")]) -> None:
    """End a grant now."""
    services.grant_end(now=timezone.now(), actor=SYSTEM, grant=grant)


@app.command()
def deactivate(email: Email) -> None:
    """End an officer's grants and sessions for good."""
    services.officer_deactivate(now=timezone.now(), actor=SYSTEM, officer=_officer(email).id)


def _officer(email: str) -> Officer:
    officer = selectors.officer_by_email(email)
    if officer is None:
        raise InputError.of("There is no such officer.")
    return officer
