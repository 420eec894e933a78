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
    return parse_rulebook(toml.parse(raw, Path(f"{name}.toml")), catalogue_of(facts_raw))


def catalogue_of(facts_raw: bytes) -> Catalogue:
    """A fact catalogue from the bytes of its file. Raises InputError with every fault."""
    return parse_catalogue(toml.parse(facts_raw, Path("facts.toml")))


def rulebook(version_id: int) -> Rulebook:
    """A version. What its hashes name never changes, so it is read once in a process."""
    found = RulebookVersion.objects.values_list("programme", "sha256", "facts_sha256").get(id=version_id)
    return _rulebook(*found)


def explainer(version_id: int, on: date) -> Explainer:
    """A version on a reference date, ready to decide and explain cases."""
    found = RulebookVersion.objects.values_list("programme", "sha256", "facts_sha256").get(id=version_id)
    return explainer_of(*found, on)


@lru_cache(maxsize=VERSIONS_KEPT)
def explainer_of(programme: str, sha256: str, facts_sha256: str, on: date) -> Explainer:
    """The same by the hashes of a version, without a query once it was read."""
    return Explainer(plan_on(_rulebook(programme, sha256, facts_sha256), on))


def plan(version_id: int, on: date) -> Plan:
    return explainer(version_id, on).plan


def catalogue(version_id: int) -> Catalogue:
    return rulebook(version_id).catalogue


@lru_cache(maxsize=VERSIONS_KEPT)
def _rulebook(programme: str, sha256: str, facts_sha256: str) -> Rulebook:
    version = RulebookVersion.objects.filter(programme=programme, sha256=sha256, facts_sha256=facts_sha256)[0]
    return parsed(bytes(version.raw), bytes(version.facts_raw), programme)
