"""Progress is for somebody at a terminal who has waited for a second; logs and quick commands have none of it."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import time

import pytest
from rich.console import Console

from netflix_dagster.cli import hints, progress
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster_tests.cli.shell import on_screen


@pytest.mark.parametrize("seconds, shown", [(0.0, False), (0.6, True)], ids=["at once", "after a while"])
def test_a_terminal_shows_what_takes_its_time_and_forgets_it(
    monkeypatch: pytest.MonkeyPatch, seconds: float, shown: bool
) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.1)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen, end = pty.openpty()
    with os.fdopen(end, "w") as terminal:
        with progress.working("making tea", Console(file=terminal)) as tell:
            time.sleep(seconds)
            tell("pouring", 5_200_000, 10_000_000)
            time.sleep(seconds)
        terminal.write(".")
    said = on_screen(screen)
    assert ("making tea" in said, "5.2 MB of 10.0 MB" in said) == (shown, shown), said
    assert said == "." if not shown else said.split("pouring")[-1].count("\x1b[2K") >= 1, "the line goes away"


def test_a_log_has_no_progress_though_it_is_asked_for_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "AFTER", 0.0)
    monkeypatch.setenv("FORCE_COLOR", "1")
    log = io.StringIO()
    with progress.working("making tea", Console(file=log)) as tell:
        time.sleep(0.1)
        tell("pouring", 1, 2)
    assert log.getvalue() == ""


@pytest.mark.parametrize(
    "typed, said",
    [
        (["land", "my file.csv"], "land 'my file.csv'"),
        (["run", "--lake", "abfss://{zone}@account.dfs.core.windows.net"], "account"),
        (["source", "add", "pets", "--url", "https://example.org/pets.csv?sig=abc"], ""),
        (["source", "add", "pets", "--database", "postgresql://me:word@host/shop"], ""),
    ],
)
def test_what_is_to_be_typed_again_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, typed: list[str], said: str
) -> None:
    monkeypatch.setattr("sys.argv", ["netflix-dagster", *typed])
    assert (said in hints.again()) if said else hints.again() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_table_came_to_goes_below_it_where_the_line_is_full(terminal: bool) -> None:
    """Names are padded to the longest table; a log keeps one line a table."""
    said, name = io.StringIO(), "silver.top10_countries_deliveries"
    shown = progress.Progress(Console(file=said, width=80, force_terminal=terminal))
    built = Outcome(held_back="it was cut short", quarantined=1)
    report = Report(name, ("2020-01-01",), {"2020-01-01": built}, total_rows=1_000_000)
    record = logging.makeLogRecord({"report": report})
    with shown.run("charts 2020-01-01", [name]):
        shown.emit(record)
    lines = [re.sub(r"\x1b\[[\d;?]*\w|\r", "", line) for line in said.getvalue().splitlines()]
    notes = [line for line in lines if "1 held back, 1 quarantined" in line]
    assert len(notes) == 1 and (name in notes[0]) == (not terminal)
    assert not terminal or all(len(line.rstrip()) <= 80 for line in lines), lines
