"""The root of the command line: its groups, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from salur.core.faults import InputError

app = typer.Typer(
    name="salur",
    help="Delivers social assistance: decisions a citizen can read, money that arrives once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
EXIT_FAILURE, EXIT_USAGE, EXIT_INPUT = 1, 2, 3


def main() -> None:
    """Run the command line. Bad input ends with its sentences on standard error and exit code 3."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except InputError as error:
        for fault in error.faults:
            errors.print(str(fault), markup=False)
        sys.exit(EXIT_INPUT)
    except KeyboardInterrupt:
        errors.print("Stopped. Run the same command again to go on.")
        sys.exit(EXIT_FAILURE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILURE)
