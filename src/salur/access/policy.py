"""Who may do what, from `access.toml`: one pure function that every service asks.

>>> clerk = Actor("officer:7", (Granted("reviewer", "35.10"),))
>>> clerk.within("35.10", ["reviewer"]), clerk.within("35.11", ["reviewer"])
(True, False)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from salur.core import toml
from salur.core.faults import InputError

FILE = Path(__file__).with_name("access.toml")
ANYONE, SYSTEM_ROLE = "anyone", "system"
SCOPES = ("region", "nation", "none")


class Refused(InputError):  # noqa: N818
    """The actor may not do this. The sentence can be shown."""


@dataclass(frozen=True)
class Granted:
    """A role in a region: a code of a province or regency, empty for the nation."""

    role: str
    region: str

    def covers(self, region: str) -> bool:
        """Whether a region (any level) lies in this one.

        >>> Granted("reviewer", "35").covers("35.10.01"), Granted("reviewer", "35.10").covers("35")
        (True, False)
        >>> Granted("reviewer", "35.1").covers("35.10")
        False
        """
        return not self.region or region == self.region or region.startswith(self.region + ".")


@dataclass(frozen=True)
class Actor:
    """Who acts. `ref` goes into events; `passkey_at` is when a passkey was last used in this session."""

    ref: str
    grants: tuple[Granted, ...] = ()
    passkey_at: datetime | None = None
    system: bool = False

    @property
    def officer_id(self) -> int | None:
        kind, _, number = self.ref.partition(":")
        return int(number) if kind == "officer" else None

    def within(self, region: str, roles: Iterable[str]) -> bool:
        """Whether one of the roles is granted in the region."""
        wanted = frozenset(roles)
        return any(grant.role in wanted and grant.covers(region) for grant in self.grants)


SYSTEM = Actor("system", system=True)


@dataclass(frozen=True)
class Action:
    """A row of `access.toml`."""

    name: str
    roles: frozenset[str]
    scope: str
    passkey: bool = False
    person: bool = False


@dataclass(frozen=True)
class Policy:
    """The whole file."""

    actions: dict[str, Action]
    roles: dict[str, dict[str, str]]  # role → title by language
    purposes: dict[str, dict[str, str]]
    passkey_minutes: int


@cache
def policy() -> Policy:
    """`access.toml`, read once."""
    table = toml.read(FILE).data
    return Policy(
        {
            name: Action(
                name,
                frozenset(row["roles"]),
                row["scope"],
                bool(row.get("passkey", False)),
                bool(row.get("person", False)),
            )
            for name, row in table["actions"].items()
        },
        {name: dict(row["title"]) for name, row in table["roles"].items()},
        {name: dict(row["title"]) for name, row in table["purposes"].items()},
        table["passkey_minutes"],
    )


def require(actor: Actor, action: str, region: str = "", *, now: datetime | None = None) -> None:
    """Pass, or raise Refused. `region`: where the act takes place, empty for the nation.

    Our own programs (`SYSTEM`) may do everything. Raises KeyError for an action that `access.toml` does not know.
    """
    rule = policy().actions[action]
    if actor.system or ANYONE in rule.roles:
        return
    if rule.scope == "none":
        allowed = any(grant.role in rule.roles for grant in actor.grants)
    else:
        allowed = actor.within("" if rule.scope == "nation" else region, rule.roles)
    if not allowed:
        raise Refused.of("You have no right to do this here.")
    if rule.passkey:
        since = actor.passkey_at
        if since is None or now is None or now - since > timedelta(minutes=policy().passkey_minutes):
            raise Refused.of("Use your passkey again before you go on.")


def regions(actor: Actor, action: str) -> tuple[str, ...] | None:
    """The regions in which the actor may do this; None: the whole nation; empty: nowhere."""
    rule = policy().actions[action]
    if actor.system or ANYONE in rule.roles:
        return None
    held = {grant.region for grant in actor.grants if grant.role in rule.roles}
    if "" in held:
        return None
    return tuple(sorted(held))
