"""What commands show while they work: in a terminal a last line that goes away, elsewhere nothing but what is done."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich import progress as bars
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

if TYPE_CHECKING:
    from netflix_dagster.contracts.report import Report


def real_stderr() -> Console:
    """A console on a stderr of its own: Dagster redirects the process's while steps run, and keeps what is said."""
    try:
        return Console(file=os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace"), highlight=False)
    except OSError:  # closed, as by a daemon
        return Console(stderr=True, highlight=False)


Tell = Callable[[str, int, int | None], None]
"""Says what is under way, and how much of it is done, of how much if that is known: bytes, rows or deliveries."""
AFTER = 1.0
"""Seconds that a command may take in silence."""


def is_watched(console: Console) -> bool:
    """Whether somebody sees it as it is written. A log may be asked for colours (``FORCE_COLOR``) and is none the
    less no terminal."""
    return console.is_interactive and console.file.isatty()


@contextmanager
def working(what: str, console: Console) -> Iterator[Tell]:
    """Show what is under way and for how long, when it takes longer than a second and somebody looks on.

    What is said meanwhile has to go through the same console: stdout would be written into that line.
    """
    if not is_watched(console):
        yield lambda what, done, of: None
        return
    line = bars.Progress(
        bars.SpinnerColumn(),
        bars.TextColumn("{task.description}", markup=False),
        bars.TextColumn("{task.fields[amount]}"),
        bars.TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = line.add_task(what, total=None, amount="")
    late = threading.Timer(AFTER, line.start)
    late.daemon = True
    late.start()
    try:
        yield lambda what, done, of: line.update(task, description=what, amount=_amount(done, of))
    finally:
        late.cancel()
        late.join()
        line.stop()


def _amount(done: int, of: int | None) -> str:
    """Bytes are told in megabytes; what is less than 10,000 counts pieces."""
    said = f"{done / 1e6:,.1f} MB" if done > 10_000 else f"{done:,}"
    return said + (f" of {of / 1e6:,.1f} MB" if of and of > 10_000 else f" of {of:,}" if of else "")


class Progress(logging.Handler):
    """Listens to what ``build.table`` says, shows it, and keeps the reports.

    In a terminal a last line says what is under way; elsewhere only what is done is said.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.reports: list[Report] = []
        self._spinner = Spinner("dots")
        self._what, self._done, self._of, self._width = "", 0, 0, 0

    @contextmanager
    def run(self, what: str, tables: list[str]) -> Iterator[None]:
        """Show a Dagster run that is to build some tables."""
        self._what, self._done, self._of, self._width = what, 0, len(tables), max(map(len, tables), default=0)
        self.console.print(f"[bold]{what}[/bold]")
        self._tell()
        if not is_watched(self.console):
            yield
            return
        with Live(
            self._spinner,
            console=self.console,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield

    def emit(self, record: logging.LogRecord) -> None:
        report: Report | None = getattr(record, "report", None)
        if report is None:
            if record.levelno >= logging.WARNING:
                self.console.print(f"  {record.getMessage()}", style="yellow", markup=False, soft_wrap=True)
            return
        self.reports.append(report)
        line = f"  {report.table:<{self._width}} {report.total_rows:>9,} rows {report.seconds:>6.2f} s  "
        notes = Text.from_markup(_notes(report))
        if self.console.is_terminal and notes and len(line) + len(notes) > self.console.width:
            self.console.print(line)
            line = " " * 4
        self.console.print(Text.assemble(line, notes), soft_wrap=True)
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        self._spinner.update(text=f"{self._done} of {self._of} tables")


@contextmanager
def listening(console: Console) -> Iterator[Progress]:
    """A ``Progress`` that hears of every table that is built in the meantime."""
    log = logging.getLogger("netflix_dagster.build")
    handler = Progress(console)
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


def _notes(report: Report) -> str:
    outcomes = report.outcomes.values()
    held = sum(1 for o in outcomes if o.held_back)
    warnings = sum(not check.passed and not check.blocking for o in outcomes for check in o.checks)
    quarantined = sum(o.quarantined for o in outcomes)
    notes = [f"[red]{held} held back[/red]"] if held else []
    notes += [f"{quarantined} quarantined"] if quarantined else []
    notes += [f"{warnings} warning{'s' if warnings > 1 else ''}"] if warnings and not held else []
    return ", ".join(notes)
