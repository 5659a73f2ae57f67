"""Runs of a command belong to the code location that ``dagster dev`` loads.

A run that is executed in process has no origin. Dagster lists it among the runs, but its overview, its timeline and
the history of its job show only runs that say of which job of which code location they are.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    created = instance.create_run_for_job
    instance.create_run_for_job = partial(created, remote_job_origin=_origin(job.name))  # type: ignore[method-assign]
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


def _origin(job_name: str) -> RemoteJobOrigin:
    location: Any = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=MODULE), LOCATION)
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job_name)
