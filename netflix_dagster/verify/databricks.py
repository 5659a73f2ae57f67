"""``verify databricks``: that a job of the workspace builds a delivery, and ends when it is cancelled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from netflix_dagster import storage
from netflix_dagster.azure import access
from netflix_dagster.azure.service_credential import ServiceCredential, granted
from netflix_dagster.databricks.jobs import SERVERLESS, DatabricksSettings, Job, workspace
from netflix_dagster.databricks.step import Order
from netflix_dagster.lake.store import STAGING
from netflix_dagster.settings import Settings
from netflix_dagster.verify import delivery
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.steps import Grant, Lacking, Step, Target, Trial

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_LONGEST = 1800
_BUILD = (
    "uv build --wheel infra/databricks/wheel --out-dir dist && databricks fs cp dist/*.whl dbfs:/Volumes/...;"
    " then set NETFLIX_DATABRICKS_WHEEL"
)


def lacks(settings: Settings) -> str | None:
    if storage.is_local(settings.lake):
        return f"NETFLIX_LAKE is {settings.lake}, which Databricks cannot see: set it to abfss://..."
    try:
        workspace(DatabricksSettings())
    except ValueError as error:  # databricks-sdk: no credentials
        return f"no workspace: set DATABRICKS_HOST and sign in ({str(error).splitlines()[0]})"
    return None


def cost(_: Settings) -> str:
    compute = DatabricksSettings().cluster
    what = {SERVERLESS: "serverless compute"}.get(compute, "a new cluster" if compute.startswith("{") else compute)
    return (
        f"two runs on {what}, each of some minutes with its start, one of them cancelled: about 0.1 to 0.5 DBU in all"
    )


def steps(trial: Trial) -> Iterator[Step]:
    settings = DatabricksSettings()
    there = _There(trial, settings, workspace(settings))
    yield Step(WHO, there.who, lambda: Grant("access to the workspace", _SIGN_IN))
    yield Step("wheel", there.wheel, there.may_read_wheel, (WHO,))
    needed = [WHO, "wheel"]
    if settings.secrets:
        yield Step("secret scope", there.scope, there.may_read_scope, (WHO,))
        needed.append("secret scope")
    if settings.service_credential:
        yield Step("service credential", there.token, there.may_use_credential, (WHO,))
        needed.append("service credential")
    if settings.cluster != SERVERLESS and not settings.cluster.startswith("{"):
        yield Step("cluster", there.cluster, there.may_attach, (WHO,))
        needed.append("cluster")
    name = settings.cluster if not settings.cluster.startswith("{") else "a new cluster"
    yield Step(f"a delivery to gold, by {name}", there.delivered, there.may_run, needed)
    yield Step("cancel a run", there.cancelled, there.may_run, needed)


_SIGN_IN = "databricks auth login --host $DATABRICKS_HOST, or an administrator: databricks users create ..."


@dataclass(slots=True)
class _There:
    """The workspace as one identity sees it."""

    trial: Trial
    settings: DatabricksSettings
    client: WorkspaceClient
    name: str = field(default="`<you>`")

    def who(self) -> str:
        found = self.client.current_user.me()
        self.name = found.user_name or self.name
        return f"{self.name} in {self.client.config.host}"

    def wheel(self) -> str:
        wheel = self.settings.wheel
        if not wheel.endswith(".whl"):
            raise Lacking("NETFLIX_DATABRICKS_WHEEL names no wheel", Grant("the project's wheel for clusters", _BUILD))
        if wheel.startswith("/Volumes/"):
            self.client.files.get_metadata(wheel)
        elif wheel.startswith("/Workspace/"):
            self.client.workspace.get_status(wheel)
        elif not storage.is_file(storage.at(wheel)):
            raise Lacking(f"{wheel} is not there", Grant("the project's wheel for clusters", _BUILD))
        return wheel

    def may_read_wheel(self) -> Grant:
        parts = self.settings.wheel.split("/")
        if parts[1:2] == ["Volumes"]:
            volume = ".".join(parts[2:5])
            return Grant(f"READ VOLUME on {volume}", f"GRANT READ VOLUME ON VOLUME {volume} TO `{self.name}`")
        return Grant(
            f"CAN READ on {self.settings.wheel}",
            f"databricks workspace update-permissions files <id of {self.settings.wheel}> --json"
            f" '{_acl(self.name, 'CAN_READ')}'",
        )

    def scope(self) -> str:
        found = {item.key for item in self.client.secrets.list_secrets(str(self.settings.secrets))}
        taken = [name for name in self.settings.secret_names if name in found]
        return f"{len(found)} secrets in {self.settings.secrets}; a job takes {', '.join(taken) or 'none of them'}"

    def may_read_scope(self) -> Grant:
        scope = self.settings.secrets
        return Grant(f"READ on the secret scope {scope}", f"databricks secrets put-acl {scope} {self.name} READ")

    def token(self) -> str:
        found = ServiceCredential(str(self.settings.service_credential)).get_token(access.SCOPE)
        return f"a token for the storage, good for {(found.expires_on - time.time()) / 60:.0f} minutes"

    def may_use_credential(self) -> Grant:
        name = str(self.settings.service_credential)
        return Grant(f"ACCESS on the service credential {name}", granted(name, self.name))

    def cluster(self) -> str:
        found = self.client.clusters.get(self.settings.cluster)
        return f"{found.cluster_name or found.cluster_id}, {found.spark_version or 'of an unknown version'}"

    def may_attach(self) -> Grant:
        cluster = self.settings.cluster
        return Grant(
            f"CAN ATTACH TO on the cluster {cluster}",
            f"databricks clusters update-permissions {cluster} --json '{_acl(self.name, 'CAN_ATTACH_TO')}'",
        )

    def may_run(self) -> Grant:
        if self.settings.cluster == SERVERLESS:
            return Grant(
                "serverless compute for jobs, and for this identity workspace access",
                f"an administrator: Settings > Compute > Serverless; databricks users patch <id of {self.name}>"
                " with the entitlement workspace-access",
            )
        if self.settings.cluster.startswith("{"):
            return Grant(
                "the entitlement allow-cluster-create, or a cluster policy that it may use",
                f"databricks permissions update cluster-policies <policy> --json '{_acl(self.name, 'CAN_USE')}'",
            )
        return self.may_attach()

    def delivered(self) -> str:
        scratch = delivery.scratch(self.trial, "databricks")
        day, records = delivery.land(scratch)
        began = time.monotonic()
        job = self._submit(scratch, day, "delivery")
        self._until(job, lambda: job.over)
        if not job.succeeded:
            error, trace = job.why()
            raise RuntimeError(f"run {job.run_id} failed: {error} {trace[-300:]} ({job.seen.run_page_url})")
        return f"{delivery.judged(scratch, records)}; {time.monotonic() - began:.0f} s with the start of the compute"

    def cancelled(self) -> str:
        scratch = delivery.scratch(self.trial, "cancelled")
        day, _ = delivery.land(scratch)
        job = self._submit(scratch, day, "cancelled")
        self._until(job, lambda: job.over or job.running)
        if not job.cancel():
            raise RuntimeError(f"run {job.run_id} was cancelled and goes on: end it at {job.seen.run_page_url}")
        ended = job.state.result_state
        if ended is None or ended.value != "CANCELED":
            raise RuntimeError(f"run {job.run_id} was cancelled and ended as {ended.value if ended else 'nothing'}")
        return f"run {job.run_id} has ended as CANCELED"

    def _submit(self, scratch: Settings, day: str, what: str) -> Job:
        """Submit a build whose order lies in the lake; the run is cancelled in the end if it still goes on."""
        order = Order.of(delivery.TABLES, [day], self.trial.name, scratch, self.settings.engine)
        file = scratch.lake / STAGING / "order.json"
        storage.write(file, json.dumps(order.as_json()).encode())
        name = f"netflix_dagster {self.trial.name}: {what}"
        job = Job.submit(self.client, self.settings, ["--order", str(file)], name, f"{self.trial.name}-{what}")
        self.trial.leaves(f"run {job.run_id}", partial(_end, job))
        return job

    def _until(self, job: Job, true: Callable[[], bool]) -> None:
        until = time.monotonic() + _LONGEST
        job.look()
        while not true() and time.monotonic() < until:
            time.sleep(self.settings.poll_seconds)
            job.look()


def _end(job: Job) -> None:
    job.look()
    if not job.cancel():
        raise RuntimeError(f"run {job.run_id} goes on: end it at {job.seen.run_page_url}")


def _acl(who: str, level: str) -> str:
    return json.dumps({"access_control_list": [{"user_name": who, "permission_level": level}]})


TARGET = Target("databricks", "the workspace that builds tables", cost, lacks, steps)
