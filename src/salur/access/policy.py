"""Who may do what, from `access.toml`: one pure function that every service asks.

>>> clerk = Actor("officer:7", (Granted("reviewer", "35.10"),))
>>> clerk.within("35.10", ["reviewer"]), clerk.within("35.11", ["reviewer"])
(True, False)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from salur.core import toml
from salur.core.faults import InputError

FILE = Path(__file__).with_name("access.toml")
ANYONE, OFFICER, SYSTEM_ROLE = "anyone", "officer", "system"
SCOPES = ("region", "nation", "none")


class Refused(InputError):  # noqa: N818
    """The actor may not do this. The sentence can be shown."""


class PasskeyNeeded(Refused):
    """The actor may do this, after using a passkey again."""


def is_region(code: str) -> bool:
    """Whether this is the code of a province (35) or a regency (35.10), or empty: the nation."""
    return re.fullmatch(r"(?:[0-9]{2}(?:\.[0-9]{2})?)?", code) is not None


def lies_in(region: str, above: str) -> bool:
    """Whether a region is another one or lies below it; every region lies in the nation, which is empty."""
    return not above or region == above or region.startswith(above + ".")


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
        return lies_in(region, self.region)


@dataclass(frozen=True)
class Opened:
    """What broken glass opens for an hour: a region, or one subject in it. Reading only."""

    region: str
    subject: str = ""

    def covers(self, region: str, subject: str) -> bool:
        """
        >>> Opened("35.10").covers("35.10", "person:4"), Opened("35.10", "person:4").covers("35.10", "person:5")
        (True, False)
        """
        return self.subject in ("", subject) and lies_in(region, self.region)


@dataclass(frozen=True)
class Actor:
    """Who acts. `ref` goes into events; `passkey_at` is when a passkey was last used in this session."""

    ref: str
    grants: tuple[Granted, ...] = ()
    passkey_at: datetime | None = None
    system: bool = False
    opened: tuple[Opened, ...] = ()

    @property
    def officer_id(self) -> int | None:
        kind, _, number = self.ref.partition(":")
        return int(number) if kind == "officer" else None

    def within(self, region: str, roles: Iterable[str]) -> bool:
        """Whether one of the roles is granted in the region."""
        wanted = frozenset(roles)
        return any(grant.role in wanted and grant.covers(region) for grant in self.grants)

    def has(self, roles: Iterable[str]) -> bool:
        """Whether one of the roles is granted anywhere."""
        wanted = frozenset(roles)
        return any(grant.role in wanted for grant in self.grants)


SYSTEM = Actor("system", system=True)
VISITOR = Actor("visitor")


@dataclass(frozen=True)
class Action:
    """A row of `access.toml`."""

    name: str
    roles: frozenset[str]
    scope: str
    passkey: bool = False
    person: bool = False
    glass: bool = False
    step: str = ""


@dataclass(frozen=True)
class Policy:
    """The whole file."""

    actions: dict[str, Action]
    roles: dict[str, dict[str, str]]  # role → title by language
    purposes: dict[str, dict[str, str]]
    passkey_minutes: int
    incompatible: tuple[frozenset[str], ...]  # of each set, an officer holds one role at most

    def conflicts(self, role: str) -> frozenset[str]:
        """The roles that nobody may hold beside this one."""
        return frozenset().union(*(group for group in self.incompatible if role in group)) - {role}


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
                bool(row.get("glass", False)),
                row.get("step", ""),
            )
            for name, row in table["actions"].items()
        },
        {name: dict(row["title"]) for name, row in table["roles"].items()},
        {name: dict(row["title"]) for name, row in table["purposes"].items()},
        table["passkey_minutes"],
        tuple(frozenset(group) for group in table["incompatible"]["sets"]),
    )


def open_to_anyone(view_name: str) -> bool:
    """Whether the page of this named url has an entry, and the entry says "anyone"."""
    action = action_of_view(view_name)
    return action is not None and ANYONE in policy().actions[action].roles


def action_of_view(name: str) -> str | None:
    """The entry for a named url: `officers:case` is `officers.case`, a name without a room is `web.<name>`.

    An entry that ends in `*` stands for all names of another's code (Django's admin, allauth). None: no entry.

    >>> action_of_view("admin:index"), action_of_view("nowhere:nothing")
    ('admin.*', None)
    """
    room, _, rest = name.rpartition(":")
    full = f"{room.replace(':', '.') or 'web'}.{rest}"
    actions = policy().actions
    if full in actions:
        return full
    return next((entry for entry in actions if entry.endswith("*") and full.startswith(entry[:-1])), None)


def require(
    actor: Actor, action: str, region: str = "", *, now: datetime | None = None, subject: str = ""
) -> None:
    """Pass, or raise Refused. `region`: where the act takes place, empty for the nation.

    Our own programs (`SYSTEM`) may do everything. Raises KeyError for an action that `access.toml` does not know.
    """
    rule = policy().actions[action]
    if actor.system or ANYONE in rule.roles:
        return
    if not (_granted(actor, rule, region) or _opened(actor, rule, region, subject)):
        raise Refused.of("You have no right to do this here.")
    _ask_passkey(actor, rule, now)


def require_door(actor: Actor, action: str, *, now: datetime) -> None:
    """Pass, or raise Refused: may the actor enter this page at all? In which region is asked by what it does."""
    rule = policy().actions[action]
    if actor.system or ANYONE in rule.roles:
        return
    signed_in = OFFICER in rule.roles and actor.officer_id is not None
    held = regions(actor, action)
    if not signed_in and (held == () or (held is not None and rule.scope == "nation")):
        raise Refused.of("You have no right to do this here.")
    _ask_passkey(actor, rule, now)


def by_glass(actor: Actor, action: str, region: str, subject: str) -> bool:
    """Whether the actor may do this here only because they broke the glass."""
    rule = policy().actions[action]
    return not actor.system and ANYONE not in rule.roles and not _granted(actor, rule, region)


def regions(actor: Actor, action: str, subject: str = "") -> tuple[str, ...] | None:
    """The regions in which the actor may do this; None: the whole nation; empty: nowhere."""
    rule = policy().actions[action]
    if actor.system or ANYONE in rule.roles:
        return None
    held = {grant.region for grant in actor.grants if OFFICER in rule.roles or grant.role in rule.roles}
    if rule.glass and actor.has(rule.roles):
        held |= {opened.region for opened in actor.opened if opened.subject in ("", subject)}
    if "" in held:
        return None
    return tuple(sorted(held))


def _granted(actor: Actor, rule: Action, region: str) -> bool:
    if OFFICER in rule.roles and actor.officer_id is not None:
        return True
    if rule.scope == "none":
        return actor.has(rule.roles)
    return actor.within("" if rule.scope == "nation" else region, rule.roles)


def _opened(actor: Actor, rule: Action, region: str, subject: str) -> bool:
    return (
        rule.glass
        and actor.has(rule.roles)
        and any(opened.covers(region, subject) for opened in actor.opened)
    )


def _ask_passkey(actor: Actor, rule: Action, now: datetime | None) -> None:
    since = actor.passkey_at
    if rule.passkey and (
        since is None or now is None or now - since > timedelta(minutes=policy().passkey_minutes)
    ):
        raise PasskeyNeeded.of("Use your passkey again before you go on.")
