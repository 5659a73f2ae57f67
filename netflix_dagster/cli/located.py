"""Runs of a command belong to the code location that ``dagster dev`` loads.

A run that is executed in process has no origin. Dagster lists it among the runs, but its overview, its timeline and
the history of its job show only runs that say of which job of which code location they are.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from dagster import DagsterInstance, ExecuteInProcessResult, JobDefinition
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.tags import MAX_RETRIES_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

LOCATION, MODULE = "netflix_dagster", "netflix_dagster.definitions"
"""The code location of ``workspace.yaml``."""
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(
    job: JobDefinition, instance: DagsterInstance, tags: Mapping[str, str], partition: str | None = None
) -> ExecuteInProcessResult:
    """Run a job in this process to its end; what fails is in the result.

    Dagster does not retry such a run in a process of its own: the next command goes on from where it was left.
    """
    created, captured = instance.create_run_for_job, instance.compute_log_manager.capture_logs
    instance.create_run_for_job = partial(created, remote_job_origin=_origin(job.name))  # type: ignore[method-assign]
    instance.compute_log_manager.capture_logs = partial(_with_deaf_helpers, captured)  # type: ignore[method-assign]
    try:
        return job.execute_in_process(
            instance=instance,
            partition_key=partition,
            tags={**tags, MAX_RETRIES_TAG: "0"},
            run_config=_QUIET,
            raise_on_error=False,
        )
    finally:
        instance.create_run_for_job = created  # type: ignore[method-assign]
        instance.compute_log_manager.capture_logs = captured  # type: ignore[method-assign]


@contextmanager
def _with_deaf_helpers(capture: Any, log_key: Sequence[str]) -> Iterator[Any]:
    """Capture what a run prints, as Dagster does, with helper processes that do not hear Ctrl-C.

    A terminal sends it to every process in front. Dagster ends its helpers when it has heard it; one that hears it
    itself prints a traceback. What comes in the moment in which they start is heard right after it.
    """
    with ExitStack() as stack:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            found = stack.enter_context(capture(log_key))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield found


def _origin(job_name: str) -> RemoteJobOrigin:
    location: Any = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=MODULE), LOCATION)
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job_name)
