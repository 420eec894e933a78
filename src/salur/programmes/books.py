"""Rulebook versions read from the database once and kept: plans and explainers for a reference date."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

from salur.core import toml
from salur.core.population.catalogue import Catalogue
from salur.core.population.catalogue import parse as parse_catalogue
from salur.core.rules import Explainer, Plan, Rulebook, plan_on
from salur.core.rules.rulebook import parse as parse_rulebook
from salur.programmes.models import RulebookVersion

VERSIONS_KEPT = 64


def parsed(raw: bytes, facts_raw: bytes, name: str = "rulebook") -> Rulebook:
    """A rulebook from the bytes of its two files. Raises InputError with every fault."""
    catalogue = parse_catalogue(toml.parse(facts_raw, Path("facts.toml")))
    return parse_rulebook(toml.parse(raw, Path(f"{name}.toml")), catalogue)


@lru_cache(maxsize=VERSIONS_KEPT)
def rulebook(version_id: int) -> Rulebook:
    """A version. It never changes, so it is read once in a process."""
    version = RulebookVersion.objects.get(id=version_id)
    return parsed(bytes(version.raw), bytes(version.facts_raw), version.programme)


@lru_cache(maxsize=VERSIONS_KEPT)
def explainer(version_id: int, on: date) -> Explainer:
    """A version on a reference date, ready to decide and explain cases."""
    return Explainer(plan_on(rulebook(version_id), on))


def plan(version_id: int, on: date) -> Plan:
    return explainer(version_id, on).evaluator.plan


def catalogue(version_id: int) -> Catalogue:
    return rulebook(version_id).catalogue
