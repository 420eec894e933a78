"""The parts of the command line, each imported only when it is called, so that `salur --help` stays quick."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


@dataclass(frozen=True)
class Part:
    """`target` is `module:name`, a Typer app (a group) or a function (one command)."""

    target: str
    help: str
    database: bool = False  # whether Django must be set up first


PARTS = {
    "demo": Part("salur.commands.demo:demo", "The main job on one real regency, with a result page."),
    "rules": Part("salur.core.rules.commands:app", "Check, explain and run rulebooks."),
    "population": Part("salur.core.population.commands:app", "Make, describe and verify populations."),
    "regions": Part(
        "salur.regions.commands:app", "Provinces to villages, and their codes over time.", database=True
    ),
    "officers": Part(
        "salur.access.commands:app", "Officers, their roles and how they sign in.", database=True
    ),
    "people": Part(
        "salur.people.commands:app", "Persons and families: keys, enrolment, export.", database=True
    ),
    "programmes": Part(
        "salur.programmes.commands:app",
        "Populations that cycles are opened with, and letters.",
        database=True,
    ),
    "cases": Part("salur.cases.commands:app", "Work that waits, with an owner and a clock.", database=True),
    "serve": Part("salur.web.serve:serve", "Serve the pages on this machine.", database=True),
    "journal": Part(
        "salur.journal.commands:app", "Events and their seals, and the jobs that wait.", database=True
    ),
    "work": Part(
        "salur.journal.commands:work", "Seal the journal and run the jobs that are due.", database=True
    ),
    "migrate": Part("salur.commands.migrate:migrate", "Prepare the database, or bring it up to date."),
    "doctor": Part("salur.commands.doctor:doctor", "What is configured, reachable, missing."),
}


class LazyGroup(TyperGroup):
    """Lists its parts with their help, and imports a part when it is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, part in PARTS.items():
            self.commands.setdefault(name, TyperCommand(name=name, callback=None, help=part.help))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name in PARTS:
            command = load(name)
        return name, command, rest


def load(name: str) -> Any:
    """Import a part and make it a command. Raises BadParameter if this build does not have it."""
    part = PARTS[name]
    module, _, attribute = part.target.partition(":")
    if part.database:
        from salur.web import setup

        setup()
    try:
        target = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise typer.BadParameter(f"This build of Salur has no part `{name}`.") from None
    if isinstance(target, typer.Typer):
        group = get_group(target)
        group.name = name
        return group
    single = typer.Typer(add_completion=False)
    single.command(name)(target)
    return get_command(single)
