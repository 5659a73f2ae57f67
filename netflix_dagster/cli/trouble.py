"""What goes wrong and is no fault of the code: said in a sentence, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from netflix_dagster.cli.output import wrapped

FAILED, WRONG_CALL, STOPPED = 1, 2, 130


class WrongCall(Exception):
    """What was asked for cannot be: the caller can mend it."""


class Failed(Exception):
    """The machine did not do what it should: a folder that cannot be written to, a full disk."""


@contextmanager
def told(console: Console) -> Iterator[None]:
    """Say what went wrong and leave with the exit code that stands for it."""
    from netflix_dagster.landing.sources import SourcesError

    try:
        yield
    except (WrongCall, SourcesError) as error:
        _say(str(error), console)
        raise typer.Exit(WRONG_CALL) from None
    except Failed as error:
        _say(str(error), console)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        _say("stopped; what is built stays, and the same command goes on from there", console)
        raise typer.Exit(STOPPED) from None


@contextmanager
def writing(what: str, path: Path) -> Iterator[None]:
    """Make an operating system's refusal to write a failure that says what could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{what} {path} cannot be written to: {error.strerror or error}") from error


def _say(message: str, console: Console) -> None:
    for line in wrapped(message, console.width if console.is_terminal else 0):
        console.print(line, style="red", markup=False, soft_wrap=True)
