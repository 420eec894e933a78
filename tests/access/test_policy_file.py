"""`access.toml` and the code name the same things: nothing without an entry, no entry without code."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

import salur
from salur.access import policy

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


def views(patterns: list[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, str]]:
    """(name with its namespaces, pattern) for every url of the project; the name is empty if it has none."""
    for entry in patterns:
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from views(entry.url_patterns, inner)
        else:
            yield (f"{space}{entry.name}" if entry.name else "", str(entry.pattern))


def named() -> list[str]:
    return [name for name, _ in views(get_resolver().url_patterns) if name]


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
