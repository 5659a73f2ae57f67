"""One ``netflix-dagster run`` at a time on a lake; and what is left of one that was killed is cleared away.

A build takes the lock of its feed, whoever runs it. A command takes one more lock of the lake for all that it does: of
two calls at once the second then looks at landing when the first has ended, and finds nothing left to build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from netflix_dagster.cli.trouble import writing
from netflix_dagster.lake import lock
from netflix_dagster.storage import Place, is_local

if TYPE_CHECKING:
    from pathlib import Path

    from dagster import DagsterInstance

LOCK, WHO = "run", "netflix-dagster run"
"""The lock of the lake that a command holds, and what those who wait are told of its holder."""


def started_by(lake: Place) -> Mapping[str, str]:
    """The tags of runs that live in the process of a command. A home may be that of several lakes."""
    return {"started_by": WHO, "lake": str(lake)}


@contextmanager
def alone(lake: Place) -> Iterator[None]:
    """Wait until no other command is at work on this lake. Raises ``Failed`` when the lake cannot be written to."""
    with ExitStack() as held:
        with writing("the lake", lake):
            held.enter_context(lock.alone(lake, LOCK, WHO))
        yield


def clear_up(home: Path, lake: Place, console: Console) -> None:
    """``clear_lost_runs``, unless somebody is at work, before Dagster's daemon would wait for them for ever."""
    if is_local(lake) and not (lake / lock.FOLDER / f"{LOCK}.lock").exists():
        return
    if lock.is_held(lake, LOCK):
        return
    from dagster import DagsterInstance

    with alone(lake), DagsterInstance.from_config(str(home)) as instance:
        clear_lost_runs(instance, lake, console)


def clear_lost_runs(instance: DagsterInstance, lake: Place, console: Console) -> None:
    """Close the runs of killed processes, so that they do not show as running for ever.

    Only to be called alone: then every run of ours on this lake that has not ended has lost its process.
    """
    from dagster import DagsterRunStatus, RunsFilter

    under_way = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED]
    under_way += [DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(tags=started_by(lake), statuses=under_way)):
        console.print(f"run {run.run_id[:8]} lost its process before it ended; the next run does what it left undone")
        instance.report_run_failed(run, "This run lost its process; the next `netflix-dagster run` goes on from there.")
