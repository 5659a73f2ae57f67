"""Runs in containers of their own: the launcher with Azure's real client, and Dagster's real monitoring, on a server
of Container Apps whose containers are processes of this machine."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.launcher.base import WorkerStatus
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

from netflix_dagster_tests.emulators.cloud import proxy_to
from netflix_dagster_tests.emulators.container_apps import HOST, ContainerApps
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.serving import serving
from netflix_dagster_tests.emulators.tls import Authority
from netflix_dagster_tests.infra.house import CONTAINERS

pytestmark = pytest.mark.cloud

JOBS = """
import os, time
from pathlib import Path
from dagster import job, op

HERE = Path(__file__).parent

@op
def work():
    (HERE / "began").write_text(os.environ["DAGSTER_INSTANCE"])
    while not (HERE / "go").exists():
        time.sleep(0.05)

@job
def slow():
    work()
"""
INSTANCE = """
run_launcher:
  module: container_runs
  class: ContainerRunLauncher
  config: {subscription: 0000-1, resource_group: rg-netflix, job: caj-run, answer_seconds: 10}
run_monitoring: {enabled: true, poll_interval_seconds: 1}
telemetry: {enabled: false}
"""


class Place:
    """A Dagster instance whose runs are containers of ``apps``."""

    def __init__(self, folder: Path, apps: ContainerApps, instance: DagsterInstance) -> None:
        self.folder, self.apps, self.instance = folder, apps, instance
        self.job = ReconstructableJob.for_file(str(folder / "jobs.py"), "slow")

    def launch(self) -> str:
        run = self.instance.create_run_for_job(self.job.get_definition(), job_code_origin=self.job.get_python_origin())
        self.instance.launch_run(run.run_id, workspace=None)  # type: ignore[arg-type]
        return run.run_id

    def run(self, run_id: str) -> DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found
        return found

    def wait(self, run_id: str, *statuses: DagsterRunStatus) -> DagsterRun:
        ends = time.monotonic() + 60
        while (run := self.run(run_id)).status not in statuses:
            assert time.monotonic() < ends, f"{run.status} after a minute"
            time.sleep(0.05)
        return run

    def began(self, run_id: str) -> DagsterRun:
        ends = time.monotonic() + 60
        while not (self.folder / "began").exists():
            assert time.monotonic() < ends, "the container never began"
            time.sleep(0.05)
        return self.run(run_id)

    def watch(self, run_id: str) -> None:
        """One round of Dagster's own run monitoring."""
        (record,) = [one for one in self.instance.get_run_records() if one.dagster_run.run_id == run_id]
        monitor_started_run(self.instance, None, record, logging.getLogger("test"))  # type: ignore[arg-type]

    def health(self, run_id: str) -> WorkerStatus:
        launcher: Any = self.instance.run_launcher
        status: WorkerStatus = launcher.check_run_worker_health(self.run(run_id)).status
        return status


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "dagster.yaml").write_text(INSTANCE)
    path = f"{CONTAINERS}:{Path(__file__).parents[2]}"
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": path, "HOME": str(tmp_path)}
    apps = ContainerApps("0000-1", "rg-netflix", "caj-run", own)
    entra, authority = Entra(), Authority(tmp_path / "tls")
    monkeypatch.syspath_prepend(str(CONTAINERS))
    with (
        serving(apps.answer, authority.issue(HOST)) as management,
        serving(entra.managed_identity) as identity,
        proxy_to({HOST: management}) as proxy,
    ):
        said = {
            **authority.environment,
            "HTTPS_PROXY": f"http://127.0.0.1:{proxy}",
            "NO_PROXY": "127.0.0.1",
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{identity}/msi/token",
            "IDENTITY_HEADER": entra.header,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        with DagsterInstance.from_config(str(tmp_path)) as instance:
            yield Place(tmp_path, apps, instance)
        for execution in apps.executions.values():
            if execution.process.poll() is None:
                execution.process.kill()
            execution.process.wait()


def test_a_run_is_one_container_with_the_environment_of_the_job(place: Place) -> None:
    (place.folder / "go").touch()
    run_id = place.launch()
    place.wait(run_id, DagsterRunStatus.SUCCESS)
    (execution,) = place.apps.executions.values()
    (container,) = execution.template["containers"]
    assert (place.folder / "began").read_text() == "azure"
    assert container["resources"] == {"cpu": 2.0, "memory": "4Gi"} and container["image"].startswith("registry.")
    assert place.run(run_id).tags["container_apps/execution"] == execution.name
    assert set(place.apps.asked) == {"jobs/read", "jobs/start/action"}, "nothing is made, nothing stays"


def test_a_container_that_dies_ends_its_run_at_the_next_look(place: Place) -> None:
    run_id = place.launch()
    place.began(run_id)
    assert place.health(run_id) is WorkerStatus.RUNNING
    place.watch(run_id)
    assert place.run(run_id).status is DagsterRunStatus.STARTED
    (execution,) = place.apps.executions.values()
    os.killpg(execution.process.pid, signal.SIGKILL)
    execution.process.wait()
    place.watch(run_id)
    assert place.run(run_id).status is DagsterRunStatus.FAILURE


def test_an_azure_that_does_not_answer_ends_no_run(place: Place) -> None:
    run_id = place.launch()
    place.began(run_id)
    place.apps.down = True
    with pytest.raises(HttpResponseError):
        place.watch(run_id)
    assert place.run(run_id).status is DagsterRunStatus.STARTED
    place.apps.down = False
    (place.folder / "go").touch()
    place.wait(run_id, DagsterRunStatus.SUCCESS)


def test_a_terminated_run_stops_its_container_and_says_so_itself(place: Place) -> None:
    run_id = place.launch()
    place.began(run_id)
    assert place.instance.run_launcher.terminate(run_id)
    place.wait(run_id, DagsterRunStatus.CANCELED)
    (execution,) = place.apps.executions.values()
    execution.process.wait(timeout=30)
    assert execution.status == "Stopped"
    assert not place.instance.run_launcher.terminate(run_id), "it is over"


def test_a_start_whose_answer_is_lost_is_not_started_twice(place: Place) -> None:
    """More executions than one page holds: the one that names the run is found among them."""
    (place.folder / "go").touch()
    for _ in range(2):
        place.wait(place.launch(), DagsterRunStatus.SUCCESS)
    place.apps.deaf = True
    run_id = place.launch()
    place.wait(run_id, DagsterRunStatus.SUCCESS)
    assert len(place.apps.executions) == 3
    assert place.run(run_id).tags["container_apps/execution"] == list(place.apps.executions)[-1]


def test_azure_says_too_many_requests_and_then_takes_the_start(place: Place) -> None:
    (place.folder / "go").touch()
    place.apps.throttled = 2
    place.wait(place.launch(), DagsterRunStatus.SUCCESS)
    assert place.apps.asked["jobs/start/action"] == 3 and len(place.apps.executions) == 1


def test_without_the_right_nothing_is_started_and_the_action_is_named(place: Place) -> None:
    place.apps.refused = {"jobs/start/action"}
    with pytest.raises(HttpResponseError, match=r"Microsoft\.App/jobs/start/action"):
        place.launch()
    assert not place.apps.executions
