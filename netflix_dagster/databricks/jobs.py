"""Submits builds of tables to Databricks, follows them, and finds out why one failed.

One submission builds all tables of a run, because a cluster takes minutes to start
(``docs/decisions/0014-one-submission-a-chain.md``). The unified authentication of ``databricks-sdk`` finds
the identity (a managed identity, a service principal, a person's login): no setting of the project holds a token.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from netflix_dagster.azure.redaction import hide

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import JobEnvironment, Run, RunState, SubmitTask

T = TypeVar("T")
IDENTITY = ("azure-tenant-id", "azure-client-id", "azure-client-secret", "applicationinsights-connection-string")
"""The secrets that a job needs to open the storage and to send telemetry."""
_SECRET = re.compile(r"key|secret|token|password|connection")
PACKAGE, ENTRY_POINT, TASK = "netflix-dagster", "netflix-dagster-step", "build"
SERVERLESS = "serverless"
_PATIENCE = timedelta(minutes=10)
_LONGEST_CANCEL = 120.0
_OVER = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")


class DatabricksRefused(RuntimeError):
    """Nothing was submitted; the message says what to mend."""


class DatabricksSettings(BaseSettings):
    """The workspace, the compute and the wheel. Environment variables ``NETFLIX_DATABRICKS_...``."""

    model_config = SettingsConfigDict(env_prefix="NETFLIX_DATABRICKS_", env_file=".env", extra="ignore")

    host: str | None = Field(None, description="the workspace; without it what databricks-sdk finds by itself")
    cluster: str = Field(SERVERLESS, description="serverless, the id of a cluster, or a new cluster's spec as JSON")
    wheel: str = Field("", description="where the project's wheel lies: /Volumes/..., /Workspace/..., abfss://...")
    messages: str = Field("", description="folder for messages; by default beside the lake's checkpoints")
    service_credential: str | None = Field(
        None, description="the service credential of Unity Catalog as whose identity the job opens storage and vault"
    )
    secrets: str | None = Field(None, description="a secret scope from which the job takes its environment")
    secret_names: list[str] = Field(list(IDENTITY), description="the secrets of the scope that it takes, as JSON")
    catalog: str | None = Field(None, description="the catalog that shows the tables, for `verify unity`")
    engine: str = Field("spark", description="NETFLIX_ENGINE there; spark is the session that the cluster has")
    tags: dict[str, str] = Field({"project": "netflix-dagster"}, description="cost tags, as a JSON object")
    budget_policy: str | None = Field(None, description="the budget policy that serverless costs are booked on")
    serverless_version: str = Field("3", description="version of the serverless environment")
    timeout_seconds: int = Field(14400, gt=0, description="after which Databricks ends a job that is still running")
    poll_seconds: float = Field(5, gt=0, description="how often to ask how the job goes on")


def workspace(settings: DatabricksSettings) -> WorkspaceClient:
    """The client of the workspace. Made only when something is built: without credentials it searches the network."""
    from databricks.sdk import WorkspaceClient

    return WorkspaceClient(host=settings.host, product="netflix-dagster", product_version="0")


def secrets_of(scope: str, names: Sequence[str]) -> dict[str, str]:
    """Some secrets of a scope as environment variables, inside a job: ``azure-client-id`` is ``AZURE_CLIENT_ID``.

    Compute that has no environment variables of its own, such as serverless compute, gets its identity so. A scope that
    a Key Vault backs shows every secret of that vault: only those named are fetched, and their values are hidden from
    errors. One that is not in the scope is left out.
    """
    from base64 import b64decode

    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import NotFound

    secrets, found = WorkspaceClient().secrets, {}
    for name in names:
        with suppress(NotFound):
            value = b64decode(secrets.get_secret(scope, name).value or "").decode()
            if _SECRET.search(name):
                hide(value)
            found[name.upper().replace("-", "_")] = value
    return found


def task(settings: DatabricksSettings, parameters: Sequence[str]) -> tuple[SubmitTask, list[JobEnvironment] | None]:
    """The task that runs the project's entry point, and the environment that it needs when it is serverless."""
    from databricks.sdk.service import compute, jobs

    if not settings.wheel.endswith(".whl"):
        raise DatabricksRefused(
            "NETFLIX_DATABRICKS_WHEEL does not name a wheel, so nothing was submitted. Build it (uv build --wheel),"
            " upload it (databricks fs cp) and set the variable to where it lies"
        )
    known = ["--service-credential", settings.service_credential] if settings.service_credential else []
    if settings.secrets:
        known += ["--secrets", f"{settings.secrets}/{','.join(settings.secret_names)}"]
    wheel = jobs.PythonWheelTask(package_name=PACKAGE, entry_point=ENTRY_POINT, parameters=[*known, *parameters])
    if settings.cluster == SERVERLESS:
        spec = compute.Environment(client=settings.serverless_version, dependencies=[settings.wheel])
        there = [jobs.JobEnvironment("project", spec)]
        return jobs.SubmitTask(TASK, environment_key="project", python_wheel_task=wheel), there
    build = jobs.SubmitTask(TASK, python_wheel_task=wheel, libraries=[compute.Library(whl=settings.wheel)])
    if not settings.cluster.startswith("{"):
        build.existing_cluster_id = settings.cluster
        return build, None
    try:
        cluster = json.loads(settings.cluster)
    except ValueError as error:
        raise DatabricksRefused(
            f"NETFLIX_DATABRICKS_CLUSTER is no JSON ({error}), so nothing was submitted. Write serverless, the id of a"
            ' cluster, or a spec such as {"spark_version": "...", "node_type_id": "...", "num_workers": 2}'
        ) from None
    cluster["custom_tags"] = {**settings.tags, **cluster.get("custom_tags", {})}
    build.new_cluster = compute.ClusterSpec.from_dict(cluster)
    return build, None


class Job:
    """One submission, from its start to its end."""

    def __init__(self, client: WorkspaceClient, run_id: int) -> None:
        from databricks.sdk.service.jobs import Run

        self.client, self.run_id = client, run_id
        self.seen = Run()

    @classmethod
    def submit(
        cls, client: WorkspaceClient, settings: DatabricksSettings, parameters: Sequence[str], name: str, token: str
    ) -> Job:
        """Submit the build. With a ``token`` that it knows, Databricks answers with the run that it started for it."""
        build, environments = task(settings, parameters)
        waiter = _patiently(
            lambda: client.jobs.submit(
                run_name=name,
                tasks=[build],
                environments=environments,
                idempotency_token=token,
                timeout_seconds=settings.timeout_seconds,
                budget_policy_id=settings.budget_policy,
            )
        )
        return cls(client, int(waiter.bind()["run_id"]))

    def look(self) -> Run:
        """Ask for the state of the job."""
        self.seen = _patiently(lambda: self.client.jobs.get_run(self.run_id))
        return self.seen

    @property
    def state(self) -> RunState:
        from databricks.sdk.service.jobs import RunState

        return self.seen.state or RunState()

    @property
    def over(self) -> bool:
        """Whether the job had ended at the last ``look``."""
        return self.state.life_cycle_state is not None and self.state.life_cycle_state.value in _OVER

    @property
    def running(self) -> bool:
        """Whether its compute had started at the last ``look``, and the job was at work."""
        return self.state.life_cycle_state is not None and self.state.life_cycle_state.value == "RUNNING"

    @property
    def succeeded(self) -> bool:
        return self.state.result_state is not None and self.state.result_state.value == "SUCCESS"

    def cancel(self) -> bool:
        """Cancel the job and wait until it has ended. Returns whether it has."""
        if self.over:
            return True
        _patiently(lambda: self.client.jobs.cancel_run(self.run_id))
        until = time.monotonic() + _LONGEST_CANCEL
        while not self.over and time.monotonic() < until:
            time.sleep(0.5)
            self.look()
        return self.over

    def why(self) -> tuple[str, str]:
        """Why the job failed, and the traceback of its process; empty when Databricks has none."""
        ended = self.state.result_state or self.state.life_cycle_state
        state = f"{ended.value if ended else 'it ended'}: {self.state.state_message or 'no reason given'}"
        number = next((task.run_id for task in self.seen.tasks or [] if task.run_id), None)
        output = _patiently(lambda: self.client.jobs.get_run_output(number)) if number else None
        if output is None or not output.error:
            return state, ""
        return output.error, output.error_trace or ""

    def about(self, tags: dict[str, str]) -> dict[str, Any]:
        """Metadata of the job: its page, its cluster, its cost tags."""
        instance = next((task.cluster_instance for task in self.seen.tasks or [] if task.cluster_instance), None)
        metadata = {
            "databricks_run_id": str(self.run_id),
            "databricks_run": self.seen.run_page_url,
            "databricks_cluster": instance.cluster_id if instance else None,
            "databricks_cost_tags": json.dumps(tags),
        }
        return {name: value for name, value in metadata.items() if value}


def _patiently(call: Callable[[], T]) -> T:
    """Repeat the call while Databricks is busy or out of reach, less and less often."""
    from databricks.sdk.errors import DeadlineExceeded, InternalError, TemporarilyUnavailable, TooManyRequests
    from databricks.sdk.retries import retried
    from requests import ConnectionError as NotReached
    from requests import Timeout

    passing = [InternalError, TemporarilyUnavailable, DeadlineExceeded, TooManyRequests, NotReached, Timeout]
    answer: T = retried(on=passing, timeout=_PATIENCE)(call)()
    return answer
