"""No officer's roles reach two of: opening a cycle, reviewing it, decreeing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations

import pytest

from salur.access.policy import Action, Policy, policy

STEPS = {"open", "review", "decree"}


def compatible_sets(rules: Policy) -> Iterator[frozenset[str]]:
    """Every set of roles that one officer can hold."""
    for size in range(1, len(rules.roles) + 1):
        for held in map(frozenset, combinations(sorted(rules.roles), size)):
            if all(len(held & group) <= 1 for group in rules.incompatible):
                yield held


def alone(rules: Policy) -> list[frozenset[str]]:
    """The sets of compatible roles that reach more than one step."""
    return [
        held
        for held in compatible_sets(rules)
        if len({a.step for a in rules.actions.values() if a.step and a.roles & held}) > 1
    ]


def with_steps(**roles: set[str]) -> Policy:
    actions = {step: Action(step, frozenset(held), "region", step=step) for step, held in roles.items()}
    return replace(policy(), actions=policy().actions | actions)


def test_nobody_reaches_two_steps() -> None:
    assert alone(policy()) == []
    assert {action.step for action in policy().actions.values()} <= STEPS | {""}


def test_each_step_is_marked_once_there_is_code_for_it() -> None:
    """An action of the cycle that only one of the three roles may do is a step."""
    names = {"cycle_opener": "open", "reviewer": "review", "decree_signer": "decree"}
    for action in policy().actions.values():
        if action.name.startswith("programmes.") and action.step:
            assert {names[role] for role in action.roles & set(names)} <= {action.step}, action.name
    decreeing = [a for a in policy().actions.values() if a.roles == {"decree_signer"}]
    assert [a.name for a in decreeing if not a.step] == []


@pytest.mark.parametrize(
    ("roles", "found"),
    [
        ({"open": {"cycle_opener"}, "review": {"reviewer"}, "decree": {"decree_signer"}}, False),
        ({"open": {"cycle_opener"}, "decree": {"decree_signer", "cycle_opener"}}, True),
        ({"open": {"cycle_opener", "supervisor"}, "decree": {"decree_signer"}}, True),
        ({"review": {"reviewer", "people_clerk"}, "decree": {"decree_signer"}}, True),
        ({"open": {"operator"}, "decree": {"auditor"}}, False),
    ],
)
def test_a_planted_path_is_found(roles: dict[str, set[str]], found: bool) -> None:
    assert bool(alone(with_steps(**roles))) == found


def test_every_role_of_a_set_is_a_role() -> None:
    assert frozenset().union(*policy().incompatible) <= set(policy().roles)
