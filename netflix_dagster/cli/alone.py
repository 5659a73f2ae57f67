"""One ``netflix-dagster run`` at a time on a lake; and what is left of one that was killed is cleared away."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

from netflix_dagster.cli.trouble import writing

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOCK = "run.lock"
STARTED_BY = {"started_by": "netflix-dagster run"}
"""The tag of runs that live in the process of the command."""


@contextmanager
def alone(home: Path, console: Console) -> Iterator[None]:
    """Wait until no other ``netflix-dagster run`` is at work in this home. The lock dies with its process."""
    with _lock(home) as lock:
        if not _taken(lock):
            lock.seek(0)
            console.print(f"waiting for another run on this lake, process {lock.read().strip() or 'unknown'} ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def clear_up(home: Path, console: Console) -> None:
    """``clear_lost_runs``, unless somebody is at work, before Dagster's daemon would wait for them for ever."""
    if not (home / LOCK).exists():
        return
    with _lock(home) as lock:
        if _taken(lock):
            from dagster import DagsterInstance

            with DagsterInstance.from_config(str(home)) as instance:
                clear_lost_runs(instance, console)


def clear_lost_runs(instance: DagsterInstance, console: Console) -> None:
    """Close the runs of killed processes, so that they neither show as running nor keep tables to themselves.

    Only to be called alone: then every run of ours that has not ended has lost its process.
    """
    from dagster import DagsterRunStatus, RunsFilter

    under_way = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
    under_way += [DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(tags=STARTED_BY, statuses=under_way)):
        console.print(f"run {run.run_id[:8]} lost its process before it ended; the next run does what it left undone")
        instance.report_run_failed(run, "This run lost its process; the next `netflix-dagster run` goes on from there.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _lock(home: Path) -> TextIO:
    with writing("Dagster's home", home):
        return (home / LOCK).open("a+")


def _taken(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
