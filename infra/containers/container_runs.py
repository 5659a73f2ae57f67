"""Each run of Dagster in a container of its own: one execution of one job of Azure Container Apps.

The job stands already, made with the stack, and says image, identity, memory and environment. Launching a run starts an
execution of it with another command; nothing is created and nothing is left behind. A replaced code location, webserver
or daemon does not touch a run that is going on, and run monitoring sees within a minute that a container has died.

dagster-azure's ``AcaRunLauncher`` creates one job for each run instead: decision 23 says why this is not it. The module
stands beside the instance's YAML because webserver and daemon, which hold no code of the lakehouse, load it too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.appcontainers.models import JobExecution, JobExecutionContainer, JobExecutionTemplate
from dagster import DagsterRun, Field, IntSource, StringSource
from dagster._core.events import EngineEventData
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

EXECUTION = "container_apps/execution"
"""The tag of a run that names its execution."""
ATTEMPTS = 4
"""How often a start is asked for while Azure says *too many requests*."""
ALIVE = ("Running", "Processing")
ENDED_BADLY = ("Failed", "Stopped", "Degraded")


class ContainerRunLauncher(RunLauncher[Any], ConfigurableClass):
    """Starts, watches and stops executions of the job ``job`` in ``resource_group``.

    Azure answers a start within seconds and pulls the image afterwards: ``start_timeout_seconds`` of run monitoring is
    the time that this may take. The identity of the process needs the role *Container Apps Jobs Operator* on the job.
    """

    def __init__(
        self,
        subscription: str,
        resource_group: str,
        job: str,
        answer_seconds: int = 60,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        self.subscription, self.resource_group, self.job = subscription, resource_group, job
        self.answer_seconds = answer_seconds
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {
            "subscription": Field(StringSource, description="The id of the subscription that the job is in."),
            "resource_group": Field(StringSource, description="The resource group of the job."),
            "job": Field(StringSource, description="The name of the job of which every run is an execution."),
            "answer_seconds": Field(
                IntSource, is_required=False, default_value=60, description="How long to wait for Azure to take a start"
            ),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> ContainerRunLauncher:
        return cls(inst_data=inst_data, **config_value)

    @cached_property
    def _azure(self) -> ContainerAppsAPIClient:
        return ContainerAppsAPIClient(DefaultAzureCredential(), self.subscription)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start an execution for a run, unless a start whose answer was lost has made one already."""
        run = context.dagster_run
        if context.job_code_origin is None:
            raise ValueError(f"run {run.run_id} does not say which code it runs; launch it again from the UI")
        command = ExecuteRunArgs(
            job_origin=context.job_code_origin, run_id=run.run_id, instance_ref=self._instance.get_ref()
        ).get_command_args()
        name = self._start(run.run_id, list(command))
        self._instance.add_run_tags(run.run_id, {EXECUTION: name})
        self._instance.report_engine_event(
            f"A container was asked for: execution {name} of the job {self.job}",
            run,
            EngineEventData({"job": self.job, "execution": name}),
            cls=type(self),
        )

    def terminate(self, run_id: str) -> bool:
        """Ask Azure to stop the container of a run; the run itself then says that it was canceled."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        name = self._name(run)
        if name is None:
            return False
        self._instance.report_run_canceling(run)
        try:
            self._azure.jobs.begin_stop_execution(self.resource_group, self.job, name, polling=False)
        except ResourceNotFoundError:
            return False
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the container of a run that should be going on is alive.

        An Azure that does not answer raises: run monitoring then asks again at its next round, where any status but
        *running* would end the run. A container that ended well without the run having said so has lost its last words.
        """
        name = self._name(run)
        if name is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"no execution of {self.job} belongs to this run")
        try:
            status = self._azure.job_execution(self.resource_group, self.job, name).status
        except ResourceNotFoundError:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"execution {name} of {self.job} does not exist")
        if status in ALIVE:
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=name)
        if status == "Succeeded" or status in ENDED_BADLY:
            said = f"execution {name} of {self.job} has ended ({status}) before the run said how it ended"
            return CheckRunHealthResult(WorkerStatus.FAILED, said, run_worker_id=name)
        raise RuntimeError(f"Azure does not know what became of execution {name} of {self.job}: it says {status!r}")

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Where to read what the container printed."""
        name = run.tags.get(EXECUTION)
        if name is None:
            return None
        table = "ContainerAppConsoleLogs"
        return f'What it printed is in Log Analytics: {table} | where ContainerGroupName startswith "{name}"'

    def _start(self, run_id: str, command: list[str]) -> str:
        """The name of the execution that runs ``command``; the rest of its container is as the job says."""
        template = self._azure.jobs.get(self.resource_group, self.job).template
        (own,) = (template.containers if template else None) or []
        container = JobExecutionContainer(
            name=own.name, image=own.image, command=own.command, args=command, env=own.env, resources=own.resources
        )
        try:
            return self._ask(JobExecutionTemplate(containers=[container]))
        except HttpResponseError as problem:
            if problem.status_code is not None and problem.status_code < 500:
                raise  # Azure has read it and says no
            lost: Exception = problem
        except (AzureError, TimeoutError) as problem:
            lost = problem
        found = self._find(run_id)
        if found is None:
            raise lost
        return found

    def _ask(self, template: JobExecutionTemplate) -> str:
        """Start once. Only an answer that says *too many requests* is waited for and asked again: after any other
        the start may have been taken, and a second one would be a second container."""
        for attempt in range(ATTEMPTS):
            try:
                poller = self._azure.jobs.begin_start(self.resource_group, self.job, template, retry_total=0)
                started = poller.result(timeout=self.answer_seconds)
            except HttpResponseError as problem:
                if problem.status_code != 429 or attempt == ATTEMPTS - 1:
                    raise
                told = getattr(problem.response, "headers", {}).get("Retry-After", "")
                time.sleep(min(int(told), self.answer_seconds) if told.isdigit() else 2**attempt)
            else:
                if started is not None and started.name:
                    return started.name
                break
        raise TimeoutError(f"Azure gave no name to an execution of {self.job} within {self.answer_seconds} seconds")

    def _name(self, run: DagsterRun) -> str | None:
        return run.tags.get(EXECUTION) or self._find(run.run_id)

    def _find(self, run_id: str) -> str | None:
        """The execution whose command names the run, where the answer to its start was lost."""
        for execution in self._azure.jobs_executions.list(self.resource_group, self.job):
            if any(run_id in word for word in _words(execution)):
                return execution.name
        return None


def _words(execution: JobExecution) -> list[str]:
    containers = (execution.template.containers if execution.template else None) or []
    return [word for container in containers for word in container.args or []]
