"""`access.toml` and the code name the same things: nothing without an entry, no entry without code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve

import salur
from salur.access import policy
from salur.web import short
from salur.web.views import UNSIGNED

SOURCE = Path(salur.__file__).parent
ENTRIES = policy.policy().actions


def services() -> Iterator[str]:
    """`room.function` for every public function of every room's services, a file or a folder of files."""
    for file in sorted([*SOURCE.glob("*/services.py"), *SOURCE.glob("*/services/__init__.py")]):
        room = file.relative_to(SOURCE).parts[0]
        module = importlib.import_module(f"salur.{room}.services")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if not name.startswith("_") and function.__module__.startswith(module.__name__):
                yield f"{room}.{name}"


def entries(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """(name with its namespaces, entry) for every url of the project; the name is empty if it has none."""
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from entries(entry.url_patterns, inner)
        else:
            yield (f"{space}{entry.name}" if entry.name else "", entry)


def views(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, str]]:
    """The same with the pattern of the entry."""
    return ((name, str(entry.pattern)) for name, entry in entries(patterns))


def named() -> list[str]:
    return [name for name, _ in views(get_resolver().url_patterns) if name]


def unsigned() -> dict[str, URLPattern]:
    """The pages that no session, form or door stands before."""
    found = entries(get_resolver().url_patterns)
    return {name: entry for name, entry in found if hasattr(entry.callback, UNSIGNED)}


def test_every_service_has_an_entry() -> None:
    assert [name for name in services() if name not in ENTRIES] == []


def test_every_url_has_an_entry() -> None:
    assert [name for name in named() if policy.action_of_view(name) is None] == []


def test_every_url_has_a_name() -> None:
    """The door knows a page by its name; others' code may have pages without, and they stay closed."""
    ours = [
        pattern
        for name, pattern in views(get_resolver().url_patterns)
        if not name
        and not pattern.startswith(("^(?P<path>", "(?P<url>", "^(?P<object_id>", "<path:object_id>/"))
    ]
    assert ours == []


def test_pages_without_a_door_are_for_anyone_and_take_nothing() -> None:
    assert {"citizens:decision", "public:home"} <= unsigned().keys()
    for name, entry in unsigned().items():
        assert policy.open_to_anyone(name), name
        values = dict.fromkeys(entry.pattern.converters, "none")
        for method in ("POST", "PUT", "DELETE"):
            refused = entry.callback(RequestFactory().generic(method, "/"), **values)
            assert refused.status_code == 405, (name, method)


def test_a_page_that_is_not_for_anyone_keeps_its_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong mark in the code opens nothing: the entry of the page decides."""
    match = resolve("/petugas/")
    assert not policy.open_to_anyone(match.view_name)
    assert Client().get("/petugas/").status_code == 302
    monkeypatch.setattr(match.func, UNSIGNED, True, raising=False)
    short._unsigned.cache_clear()
    assert Client().get("/petugas/").status_code == 302
    short._unsigned.cache_clear()


def test_no_entry_is_without_code() -> None:
    used = set(services()) | {policy.action_of_view(name) for name in named()}
    text = "".join(file.read_text("utf-8") for file in SOURCE.rglob("*.py"))
    used |= set(re.findall(r'"([a-z_]+\.[a-z_]+)"', text))  # asked by its name: a selector, a part of a page
    assert [name for name in ENTRIES if name not in used] == []


def test_the_file_says_nothing_that_is_not_there() -> None:
    roles = set(policy.policy().roles) | {policy.ANYONE, policy.OFFICER, policy.SYSTEM_ROLE}
    for action in ENTRIES.values():
        assert action.roles, action.name
        assert action.roles <= roles, action.name
        assert action.scope in policy.SCOPES, action.name
        assert not (action.glass and action.passkey), f"{action.name}: broken glass is for reading"


@pytest.mark.parametrize("kind", ["roles", "purposes"])
def test_every_title_is_in_both_languages(kind: str) -> None:
    titles: dict[str, dict[str, str]] = getattr(policy.policy(), kind)
    assert all(set(title) == {"id", "en"} and all(title.values()) for title in titles.values())
