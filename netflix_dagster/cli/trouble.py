"""What goes wrong and is no fault of the code: said in a sentence, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import typer
from rich.console import Console

from netflix_dagster.cli import hints
from netflix_dagster.cli.output import print_json, wrapped
from netflix_dagster.cli.progress import working
from netflix_dagster.storage import Place, StorageError

FAILED, WRONG_CALL, STOPPED = 1, 2, 130


class WrongCall(Exception):
    """What was asked for cannot be: the caller can mend it."""


class Failed(Exception):
    """The machine did not do what it should: a folder that cannot be written to, a full disk."""


@contextmanager
def told(
    console: Console, as_json: bool = False, *, doing: str = "", stopped: str = "what is done stays"
) -> Iterator[None]:
    """Say what went wrong and leave with the exit code that stands for it; ``as_json`` also says it on stdout.

    ``doing`` is what a terminal shows meanwhile; ``stopped`` is what somebody may rely on who stops it.
    """
    from netflix_dagster.landing.sources import SourcesError

    try:
        with working(doing, console) if doing else nullcontext():
            yield
        return
    except (WrongCall, SourcesError) as error:
        status, code, message = "wrong call", WRONG_CALL, str(error)
    except (Failed, StorageError) as error:
        status, code, message = "failed", FAILED, str(error)
    except KeyboardInterrupt:
        status, code = "stopped", STOPPED
        message = f"stopped; {stopped}, and the same command goes on from there{hints.again()}"
    for line in wrapped(message, console.width if console.is_terminal else 0):
        console.print(line, style="red", markup=False, soft_wrap=True)
    if as_json:
        print_json({"status": status, "exit_code": code, "error": message})
    raise typer.Exit(code)


@contextmanager
def writing(what: str, path: Place) -> Iterator[None]:
    """Make an operating system's refusal to write a failure that says what could not be written, and why."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{what} {path} cannot be written to: {error.strerror or error}") from error
