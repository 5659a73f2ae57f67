"""The client against an emulator that somebody else wrote: ``minilake``, in an environment of its own.

Only what it does as Databricks does is compared. It skips tasks of wheels and calls the run a success, and a
cancellation waits for the task to end: that is why the other tests have a workspace of their own.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service import jobs, workspace

from netflix_dagster.databricks.jobs import DatabricksSettings, Job
from netflix_dagster_tests.databricks.cloud import wait_for
from netflix_dagster_tests.infra.wheel import uv

pytestmark = pytest.mark.soak
VERSION = "minilake==1.9.0"
CLUSTER = {"spark_version": "17.3.x-scala2.13", "node_type_id": "Standard_D4ds_v5", "num_workers": 1}
FOLDER = "/Shared/netflix"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceClient]:
    root = tmp_path_factory.mktemp("minilake")
    python = root / "venv" / "bin" / "python"
    uv(["venv", "--quiet", "--python", sys.executable, str(root / "venv")])
    try:
        uv(["pip", "install", "--quiet", "--python", str(python), VERSION])
    except AssertionError as offline:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{VERSION} cannot be installed: {offline}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    said = {"MINILAKE_DATA_DIR": str(root / "data"), "MINILAKE_JOB_EXECUTOR": "subprocess"}
    with (root / "log.txt").open("wb") as log:
        command = [str(python), "-m", "minilake", "--port", str(port)]
        server = subprocess.Popen(command, env={**os.environ, **said}, cwd=root, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(port) or server.poll() is not None, "minilake")
        assert server.poll() is None, (root / "log.txt").read_text()
        yield WorkspaceClient(host=f"http://127.0.0.1:{port}", token="any")
    finally:
        server.terminate()
        server.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def submitted(client: WorkspaceClient, code: str, token: str) -> Job:
    """A task of a Python file, submitted; what follows it is the client of the project."""
    file = f"{FOLDER}/{token}.py"
    client.workspace.mkdirs(FOLDER)
    content = base64.b64encode(code.encode()).decode()
    client.workspace.import_(file, content=content, language=workspace.Language.PYTHON, overwrite=True)
    task = jobs.SubmitTask("build", spark_python_task=jobs.SparkPythonTask(file))
    return Job(client, int(client.jobs.submit(tasks=[task], idempotency_token=token).bind()["run_id"]))


def ended(job: Job) -> Job:
    wait_for(lambda: job.look() and job.over, "the end of the job")
    return job


def test_a_job_is_followed_to_its_end(client: WorkspaceClient) -> None:
    job = ended(submitted(client, "print('built')", "good"))
    assert job.succeeded
    assert job.about({})["databricks_run"].startswith(client.config.host)
    assert submitted(client, "print('built')", "good").run_id == job.run_id


def test_a_job_that_fails_says_so(client: WorkspaceClient) -> None:
    job = ended(submitted(client, "raise SystemExit(7)", "bad"))
    assert not job.succeeded
    assert job.why()[0].startswith("FAILED: ")


def test_a_job_that_is_cancelled_ends_so(client: WorkspaceClient) -> None:
    job = submitted(client, "import time; time.sleep(3)", "cancelled")
    wait_for(lambda: job.look().state.life_cycle_state.value == "RUNNING", "the start of the job")
    assert job.cancel()
    assert job.state.result_state == jobs.RunResultState.CANCELED
    assert not job.succeeded


def test_a_wheel_is_submitted_once_and_not_run(client: WorkspaceClient) -> None:
    settings = DatabricksSettings(wheel="/Volumes/main/a.whl", cluster=json.dumps(CLUSTER))
    job = Job.submit(client, settings, ["--tables", "bronze.netflix_catalogue"], "a build", "wheel")
    assert Job.submit(client, settings, [], "a build", "wheel").run_id == job.run_id
    assert ended(job).succeeded
    assert [task.state.life_cycle_state.value for task in job.seen.tasks] == ["SKIPPED"]
