"""The workspace of the tests answers as databricks-sdk expects, really runs what it takes, and refuses the rest."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, NotFound, PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service import compute, jobs

from netflix_dagster_tests.emulators.databricks import Workspace, workspace

FILE = "/Volumes/main/netflix/scripts/task.py"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workspace]:
    with workspace(tmp_path) as running:
        running.runs.clusters["small"] = {"spark_env_vars": {"OF_THE_CLUSTER": "yes"}}
        yield running


@pytest.fixture
def client(here: Workspace) -> WorkspaceClient:
    return WorkspaceClient(host=here.url, token=here.token)


def upload(client: WorkspaceClient, code: str) -> None:
    client.files.upload(FILE, io.BytesIO(code.encode()), overwrite=True)


def file_task(
    key: str = "only", *parameters: str, after: str | None = None, run_if: jobs.RunIf | None = None
) -> jobs.SubmitTask:
    needed = [jobs.TaskDependency(after)] if after else None
    script = jobs.SparkPythonTask(FILE, parameters=list(parameters))
    return jobs.SubmitTask(key, existing_cluster_id="small", spark_python_task=script, depends_on=needed, run_if=run_if)


def ended(client: WorkspaceClient, run_id: int) -> jobs.Run:
    until = time.monotonic() + 30
    while (run := client.jobs.get_run(run_id)).state.life_cycle_state != jobs.RunLifeCycleState.TERMINATED:
        assert time.monotonic() < until
        time.sleep(0.05)
    return run


def submit(client: WorkspaceClient, *tasks: jobs.SubmitTask, token: str | None = None) -> int:
    return int(client.jobs.submit(tasks=list(tasks), idempotency_token=token).bind()["run_id"])


def test_a_task_runs_with_the_environment_of_its_cluster_and_nothing_of_ours(
    client: WorkspaceClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_TESTS", "yes")
    upload(
        client, "import os, sys; print(sys.argv[1:], os.environ.get('OF_THE_CLUSTER'), os.environ.get('OF_THE_TESTS'))"
    )
    run = ended(client, submit(client, file_task("only", "a", "b")))
    assert run.state.result_state == jobs.RunResultState.SUCCESS
    assert client.jobs.get_run_output(run.tasks[0].run_id).logs == "['a', 'b'] yes None\n"


def test_a_failure_is_told_with_its_traceback_and_stops_what_depends_on_it(client: WorkspaceClient) -> None:
    upload(client, "def mend(): raise ValueError('no such week')\nmend()")
    run = ended(client, submit(client, file_task("first"), file_task("second", after="first")))
    assert run.state.result_state == jobs.RunResultState.FAILED
    assert [task.state.result_state.value for task in run.tasks] == ["FAILED", "UPSTREAM_FAILED"]
    output = client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error == "ValueError: no such week"
    assert "in mend" in output.error_trace
    with pytest.raises(InvalidParameterValue, match="multiple tasks"):
        client.jobs.get_run_output(run.run_id)


def test_a_run_is_as_good_as_its_leaves(client: WorkspaceClient) -> None:
    upload(client, "import sys; sys.exit(sys.argv[1] == 'fails')")
    build, register = file_task("build", "fails"), file_task("register", "", after="build", run_if=jobs.RunIf.ALL_DONE)
    silent = ended(client, submit(client, build, register))
    assert silent.state.result_state == jobs.RunResultState.SUCCESS_WITH_FAILURES, "on_failure stays silent"
    outcome = file_task("outcome", after="build")
    assert ended(client, submit(client, build, register, outcome)).state.result_state == jobs.RunResultState.FAILED


def test_a_run_that_takes_too_long_is_ended(client: WorkspaceClient) -> None:
    upload(client, "import time; time.sleep(60)")
    waiter = client.jobs.submit(tasks=[file_task()], timeout_seconds=1)
    assert ended(client, int(waiter.bind()["run_id"])).state.result_state == jobs.RunResultState.TIMEDOUT


def test_cancelling_ends_the_process_and_what_it_started(
    client: WorkspaceClient, here: Workspace, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    child = f"import time\nwhile True:\n    open({str(alive)!r}, 'a').write('.')\n    time.sleep(0.05)"
    stubborn = "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    upload(client, f"{stubborn}subprocess.run([sys.executable, '-c', {child!r}])")
    run_id = submit(client, file_task())
    until = time.monotonic() + 30
    while not alive.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    client.jobs.cancel_run(run_id)
    assert ended(client, run_id).state.result_state == jobs.RunResultState.CANCELED
    size = alive.stat().st_size
    time.sleep(0.5)
    assert alive.stat().st_size == size


def test_the_same_token_is_the_same_run(client: WorkspaceClient, here: Workspace) -> None:
    upload(client, "pass")
    assert submit(client, file_task(), token="once") == submit(client, file_task(), token="once")
    assert len(here.runs.by_id) == 1


REFUSED = {
    "does not run a sql_task": jobs.SubmitTask("t", sql_task=jobs.SqlTask(warehouse_id="1")),
    "without an extension": jobs.SubmitTask("t", existing_cluster_id="small", notebook_task=jobs.NotebookTask("/a.py")),
    "the notebook /Workspace/a does not exist": jobs.SubmitTask(
        "t", existing_cluster_id="small", notebook_task=jobs.NotebookTask("/Workspace/a")
    ),
    "no compute of its own": jobs.SubmitTask(
        "t",
        existing_cluster_id="small",
        condition_task=jobs.ConditionTask(jobs.ConditionTaskOp.EQUAL_TO, "1", "1"),
    ),
    "op must be one of": jobs.SubmitTask(
        "t", condition_task=jobs.ConditionTask(jobs.ConditionTaskOp.GREATER_THAN, "1", "1")
    ),
    "one task that is no for_each_task": jobs.SubmitTask(
        "t",
        for_each_task=jobs.ForEachTask(
            "[1]", jobs.Task("n", for_each_task=jobs.ForEachTask("[1]", jobs.Task("m", existing_cluster_id="small")))
        ),
    ),
    "exactly one task type": jobs.SubmitTask("t", existing_cluster_id="small"),
    "does not exist": jobs.SubmitTask("t", existing_cluster_id="gone", spark_python_task=jobs.SparkPythonTask(FILE)),
    "needs one of": jobs.SubmitTask("t", spark_python_task=jobs.SparkPythonTask(FILE)),
    "the library": jobs.SubmitTask(
        "t",
        existing_cluster_id="small",
        libraries=[compute.Library(whl="/Volumes/none.whl")],
        python_wheel_task=jobs.PythonWheelTask(package_name="a", entry_point="b"),
    ),
    "only whl": jobs.SubmitTask(
        "t",
        existing_cluster_id="small",
        libraries=[compute.Library(jar="/a.jar")],
        spark_python_task=jobs.SparkPythonTask(FILE),
    ),
    "exceed": file_task("t", "x" * 10_000),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_run_is_refused(client: WorkspaceClient, here: Workspace, why: str) -> None:
    with pytest.raises(InvalidParameterValue, match=why):
        submit(client, REFUSED[why])
    assert not here.runs.by_id


def test_both_versions_of_the_jobs_api_answer_and_errors_are_those_of_databricks(
    client: WorkspaceClient, here: Workspace
) -> None:
    upload(client, "pass")
    run_id = submit(client, file_task())
    ended(client, run_id)
    for version in ("2.1", "2.2"):
        said = client.api_client.do("GET", f"/api/{version}/jobs/runs/get", query={"run_id": run_id})
        assert said["state"]["result_state"] == "SUCCESS"
    with pytest.raises(ResourceDoesNotExist):
        client.jobs.get_run(1)
    with pytest.raises(ResourceDoesNotExist):
        client.clusters.get("gone")
    with pytest.raises(NotFound):
        client.api_client.do("GET", "/api/2.0/sql/warehouses")
    with pytest.raises(PermissionDenied):
        WorkspaceClient(host=here.url, token="another").jobs.get_run(run_id)


def test_files_of_dbfs_and_of_volumes(client: WorkspaceClient) -> None:
    client.dbfs.mkdirs("/tmp/a")
    client.dbfs.upload("/tmp/a/big.bin", io.BytesIO(b"x" * 3_000_000))
    with client.dbfs.download("/tmp/a/big.bin") as file:
        assert len(file.read()) == 3_000_000
    assert [(entry.path, entry.file_size) for entry in client.dbfs.list("/tmp/a")] == [("/tmp/a/big.bin", 3_000_000)]
    client.dbfs.delete("/tmp/a", recursive=True)
    with pytest.raises(NotFound):
        client.dbfs.get_status("/tmp/a")

    client.files.create_directory("/Volumes/main/netflix/x")
    client.files.upload("/Volumes/main/netflix/x/1.json", io.BytesIO(b"{}"))
    assert client.files.download("/Volumes/main/netflix/x/1.json").contents.read() == b"{}"
    assert [e.name for e in client.files.list_directory_contents("/Volumes/main/netflix/x")] == ["1.json"]
    with pytest.raises(InvalidParameterValue, match="not empty"):
        client.files.delete_directory("/Volumes/main/netflix/x")
    client.files.delete("/Volumes/main/netflix/x/1.json")
    client.files.delete_directory("/Volumes/main/netflix/x")
    with pytest.raises(NotFound):
        client.files.get_directory_metadata("/Volumes/main/netflix/x")
