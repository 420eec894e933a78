"""The root of the command line: its groups, and how an error becomes a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console

from salur.commands.parts import PARTS, LazyGroup
from salur.core.faults import Fault, InputError

EXIT_FAILURE, EXIT_USAGE, EXIT_INPUT = 1, 2, 3
_EXIT_INTERRUPTED = 130  # what Typer makes of Ctrl-C
_STOPPED = Fault.of("Stopped. Run the same command again to go on.")
_FULL = ("no space left on device", "disk is full", "disk quota exceeded", "could not extend file")

app = typer.Typer(
    name="salur",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"salur {version('salur')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the details of an unexpected error.")] = False,
) -> None:
    """Delivers social assistance: decisions a citizen can read, money that arrives once.

    Exit codes: 0 done, 1 failure, 2 bad usage, 3 bad input.
    """
    if debug:
        os.environ["SALUR_DEBUG"] = "1"


def main() -> None:
    """Run the command line. Bad input ends with its sentences on standard error and exit code 3.

    Sentences of errors are Indonesian or English: see `salur.commands.words.language`.
    """
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        app()
    except InputError as error:
        _tell(errors, error.faults)
        sys.exit(EXIT_INPUT)
    except SystemExit as stop:
        if stop.code == _EXIT_INTERRUPTED:
            _tell(errors, [_STOPPED])
            sys.exit(EXIT_FAILURE)
        raise
    except KeyboardInterrupt:
        _tell(errors, [_STOPPED])
        sys.exit(EXIT_FAILURE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        if os.environ.get("SALUR_DEBUG"):
            errors.print(_masked("".join(traceback.format_exception(error))), markup=False)
        fault, code = _unexpected(error)
        _tell(errors, [fault])
        sys.exit(code)


def _tell(errors: Console, faults: Iterable[Fault]) -> None:
    from salur.commands.words import translator

    translate = translator()
    for fault in faults:
        errors.print(_masked(fault.text(translate)), markup=False)


def _masked(text: str) -> str:
    """No error shows a number of a person, whatever an input or a library put into it."""
    from salur.web.logs import mask

    return mask(text)


def _unexpected(error: BaseException) -> tuple[Fault, int]:
    """The sentence and the exit code for an error that no command foresaw."""
    if _disk_is_full(error):
        if isinstance(error, OSError) and error.filename:
            full = Fault.of(
                "The disk is full ({file}). Make room and run the same command again.", file=error.filename
            )
        else:
            full = Fault.of("The disk is full. Make room and run the same command again.")
        return full, EXIT_INPUT
    name, text = type(error).__name__, " ".join(str(error).split())
    if _is_database(error):
        template = "The database cannot be used ({why}). Run `salur doctor` to see what is missing."
        if "no such table" in text or "does not exist" in text:
            template = "The database is not prepared ({why}). Run `salur migrate`."
        return Fault.of(template, why=text or name), EXIT_FAILURE
    return (
        Fault.of(
            "Something unexpected went wrong ({why}). Run `salur --debug …` to see the details.",
            why=f"{name}: {text}" if text else name,
        ),
        EXIT_FAILURE,
    )


def _disk_is_full(error: BaseException | None) -> bool:
    """An engine wraps the error of the system: look through the chain of causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(words in str(error).lower() for words in _FULL):
            return True
        error = error.__cause__ or error.__context__
    return False


def _is_database(error: BaseException) -> bool:
    """Whether Django's database layer raised it; Django is not imported to find out."""
    utils: Any = sys.modules.get("django.db.utils")
    return utils is not None and isinstance(error, utils.DatabaseError)


__all__ = ["EXIT_FAILURE", "EXIT_INPUT", "EXIT_USAGE", "PARTS", "app", "main"]
