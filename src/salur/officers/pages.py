"""What the officers' pages share: who acts and where, the menu, forms that tell what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from salur.access import policy
from salur.access.models import Officer
from salur.access.policy import Actor, Granted
from salur.core.faults import InputError
from salur.programmes.models import Cycle
from salur.regions.selectors import region_get
from salur.web.words import gettext as _
from salur.web.words import sentences

Errors = list[tuple[str, str]]  # (id of a field or "", sentence)


def actor_of(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def may(actor: Actor, action: str, regions: Iterable[str] = ()) -> bool:
    """Whether the officer may do this in all of these regions; none named: somewhere. A passkey is asked later."""
    wanted = list(regions)
    if not wanted:
        return bool(policy.regions(actor, action) != ())
    try:
        for region in wanted:
            policy.require(actor, action, region, now=timezone.now())
    except policy.PasskeyNeeded:
        return True
    except policy.Refused:
        return False
    return True


def covered(regions: tuple[str, ...] | None, code: str) -> bool:
    """Whether a region lies in those of a right.

    >>> covered(None, "35.10"), covered(("35",), "35.10"), covered(("35.10",), "35.11"), covered((), "35.10")
    (True, True, False, False)
    """
    return regions is None or any(Granted("", region).covers(code) for region in regions)


def seen_or_404(actor: Actor, action: str, code: str) -> None:
    """What lies in another region is not there for this officer."""
    if not covered(policy.regions(actor, action), code):
        raise Http404


def seen_cycle(actor: Actor, action: str, cycle: Cycle | None) -> Cycle:
    """A cycle that touches a region of this right, or 404."""
    regions = policy.regions(actor, action)
    if cycle is None or not any(covered(regions, code) for code in cycle.regions):
        raise Http404
    return cycle


def show(request: HttpRequest, template: str, *, status: int = 200, **values: Any) -> HttpResponse:
    """A page with the officers' menu and name."""
    actor = actor_of(request)
    officer = request.user
    name = officer.name if isinstance(officer, Officer) else ""
    values = {"errors": [], "menu": menu(actor), "officer_name": name, "may": may, "actor": actor} | values
    return render(request, f"officers/{template}.html", values, status=status, using="jinja")


def menu(actor: Actor) -> list[tuple[str, str]]:
    """The entries that this officer may open."""
    entries = [
        (_("My work"), "officers:home"),
        (_("Cycles"), "officers:cycles"),
        (_("Corrections"), "officers:corrections"),
        (_("People"), "officers:people"),
        (_("Cases"), "officers:cases"),
        (_("Rulebooks"), "officers:rulebooks"),
        (_("My reads"), "officers:reads"),
    ]
    return [
        (words, reverse(name))
        for words, name in entries
        if name == "officers:home" or may(actor, name.replace(":", "."))
    ]


class trying:  # noqa: N801  # reads as a sentence: with trying(errors): …
    """What a service does not accept is told in the form. A refusal stays one."""

    def __init__(self, errors: Errors, field: str = "") -> None:
        self.errors, self.field = errors, field

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, InputError) or isinstance(error, policy.Refused):
            return False
        self.errors += [(self.field, sentence) for sentence in sentences(error)]
        return True


def day_from(request: HttpRequest, name: str, errors: Errors, default: date | None = None) -> date | None:
    """A day from three fields; empty: the default."""
    parts = [request.POST.get(f"{name}-{part}", "").strip() for part in ("year", "month", "day")]
    if not any(parts) and default is not None:
        return default
    try:
        if all(re.fullmatch(r"[0-9]{1,4}", part) for part in parts):
            return date(*map(int, parts))
    except ValueError:
        pass
    errors.append((f"{name}-day", _("Give a whole date, such as 31 3 2026.")))
    return None


def place(code: str) -> str:
    """A region by its name, or by its code where the list of regions is not loaded."""
    found = region_get(code=code, on=timezone.localdate())
    return f"{found.name} ({code})" if found else code


def officer_names(references: Iterable[str]) -> dict[str, str]:
    """The names of officers, by reference."""
    ids = {int(ref.partition(":")[2]) for ref in references if re.fullmatch(r"officer:[0-9]{1,18}", ref)}
    found = Officer.objects.filter(id__in=ids).values_list("id", "name")
    return {f"officer:{id_}": name for id_, name in found}
