"""Finds the runs of a workspace's jobs that have ended since the last look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import BaseRun

FIRST_LOOK_MS = 24 * 3600 * 1000
"""How far back the first look at a job goes."""


class JobNotFound(LookupError):
    """The workspace has no such job, or several; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a job was looked at. ``since``: every run that started earlier (Unix time in milliseconds) is reported.
    ``told``: the reported runs from then on, by number and end, because a repair ends a run again.
    """

    since: int
    told: tuple[str, ...] = ()


def find(client: WorkspaceClient, job: int | str) -> int:
    """The number of a job that is known by its number or its name."""
    if isinstance(job, int):
        return job
    found = [known.job_id for known in client.jobs.list(name=job) if known.job_id is not None]
    if len(found) != 1:
        many = f"has {len(found)} jobs" if found else "has no job that one may see"
        raise JobNotFound(
            f"the workspace {client.config.host} {many} called {job!r}. Nothing was recorded. Write its number, or"
            " its name as it is there, under external_jobs in sources.yaml"
        )
    return found[0]


def ended(client: WorkspaceClient, job_id: int, seen: Seen) -> tuple[list[BaseRun], Seen]:
    """The runs that have ended and were not reported, in the order of their ends; and how far the job is seen now.

    A run may end after one that was started later, so ``since`` never passes the start of a run that goes on.
    """
    found = list(client.jobs.list_runs(job_id=job_id, start_time_from=seen.since))
    over = [run for run in found if run.end_time]
    going_on = [run.start_time or seen.since for run in found if not run.end_time]
    since = min(going_on) if going_on else max((run.start_time or 0 for run in found), default=seen.since)
    new = sorted((run for run in over if _mark(run) not in seen.told), key=lambda run: (run.end_time or 0, run.run_id))
    told = tuple(sorted(_mark(run) for run in over if (run.start_time or 0) >= since))
    return new, Seen(max(since, seen.since), told)


def _mark(run: BaseRun) -> str:
    return f"{run.run_id}@{run.end_time}"
