"""Whatever happens to a job, to its messages or to the run that waits for it: nothing is lost, nothing is made up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from netflix_dagster import storage
from netflix_dagster.defs.databricks import RUN_TAG
from netflix_dagster.lake import store
from netflix_dagster_tests.databricks.cloud import CHAIN, Cloud, reason, wait_for
from netflix_dagster_tests.defs.house import PARTITIONS, House, materialized
from netflix_dagster_tests.emulators.azurite import KEY, Azurite
from netflix_dagster_tests.emulators.databricks.runs import Run, kill
from netflix_dagster_tests.lakehouse import title

DAY, NEXT = "2020-01-01", "2020-02-01"
RELEASE = tuple(map(title, (1, 2, 3, 4)))
LATER = (title(1), title(2, rating="R"), title(5))
FIRST = "bronze.netflix_catalogue"


def written(cloud: Cloud, table: str = FIRST) -> bool:
    return store.version(cloud.tables, table) is not None


def job(cloud: Cloud) -> Run:
    """The newest job of the workspace."""
    return list(cloud.workspace.runs.by_id.values())[-1]


@contextmanager
def as_soon_as(true: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Do something beside what happens in the block, once something is so. What goes wrong in it is raised."""
    wrong: list[BaseException] = []

    def watch() -> None:
        try:
            wait_for(true, "the moment to act")
            act()
        except BaseException as error:
            wrong.append(error)

    beside = threading.Thread(target=watch)
    beside.start()
    yield
    beside.join()
    assert not wrong, wrong


def test_a_job_that_is_killed_fails_the_run_and_the_next_one_finishes(cloud: Cloud, tmp_path: Path) -> None:
    cloud.release(DAY, *RELEASE)
    with as_soon_as(lambda: written(cloud), lambda: kill(job(cloud))):
        result = cloud.run(DAY, only=CHAIN)
    assert not result.success
    said = reason(result)
    assert "exited with code -9" in said
    assert "Run again" in said
    assert "gold.dim_genre" not in {name for name, _ in materialized(result)}

    cloud.unlock()
    assert cloud.run(DAY, only=CHAIN).success
    undisturbed = House(tmp_path)
    undisturbed.release(DAY, *RELEASE)
    assert undisturbed.run(DAY, only=CHAIN).success
    assert cloud.contents(CHAIN) == {name: sorted(undisturbed.rows(name), key=repr) for name in CHAIN}
    assert len(cloud.rows("gold.dim_genre")) == 2


def start(cloud: Cloud, home: Path, run_id: str, *parent: str) -> subprocess.Popen[bytes]:
    """A run in a process of its own, whose instance knows the delivery."""
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.add_dynamic_partitions(PARTITIONS, [DAY])
    command = [sys.executable, "-m", "netflix_dagster_tests.databricks.child", str(home), DAY, run_id, ",".join(CHAIN)]
    log = (home / f"{run_id}.txt").open("wb")
    return subprocess.Popen([*command, *parent], env={**os.environ, **cloud.environment}, stdout=log, stderr=log)


def test_a_cancelled_run_cancels_its_job_and_stays_cancelled(cloud: Cloud, tmp_path: Path) -> None:
    cloud.release(DAY, *RELEASE)
    home, run_id = tmp_path / "home", str(uuid.uuid4())
    home.mkdir()
    running = start(cloud, home, run_id)
    try:
        wait_for(lambda: written(cloud), "the first table")
        with dg.DagsterInstance.local_temp(str(home)) as instance:  # as Dagster's run launcher cancels
            instance.report_run_canceling(instance.get_run_by_id(run_id))
        running.send_signal(signal.SIGINT)
        assert running.wait(90) != 0
    finally:
        running.kill()
    assert job(cloud).state["result_state"] == "CANCELED"
    assert job(cloud).process is not None
    assert job(cloud).process.poll() is not None
    before = cloud.versions()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.CANCELED
        assert instance.get_latest_materialization_event(dg.AssetKey(["gold", "dim_genre"])) is None
    time.sleep(2)
    assert cloud.versions() == before

    cloud.unlock()
    assert cloud.run(DAY, only=CHAIN).success
    assert len(cloud.rows("gold.dim_genre")) == 2


def test_when_the_run_s_process_is_lost_the_run_that_repeats_it_ends_the_job_that_goes_on_alone(
    cloud: Cloud, tmp_path: Path
) -> None:
    cloud.release(DAY, *RELEASE)
    cloud.workspace.runs.start_seconds = 20
    home, lost, again = tmp_path / "home", str(uuid.uuid4()), str(uuid.uuid4())
    home.mkdir()
    running = start(cloud, home, lost)

    def tagged() -> str | None:
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            run = instance.get_run_by_id(lost)
            return run.tags.get(RUN_TAG) if run else None

    try:
        wait_for(tagged, "the job of the first run")
    finally:
        running.kill()
        running.wait()
    alone = job(cloud)
    assert not alone.over.is_set()
    cloud.workspace.runs.start_seconds = 0
    repeated = start(cloud, home, again, lost)
    try:
        assert repeated.wait(120) == 0, (home / f"{again}.txt").read_text()[-3000:]
    finally:
        repeated.kill()
    assert alone.state["result_state"] == "CANCELED"
    assert len(cloud.rows("gold.dim_genre")) == 2


def test_a_message_that_is_lost_is_noticed(cloud: Cloud, zones: Azurite) -> None:
    from azure.storage.blob import BlobServiceClient

    cloud.release(DAY, *RELEASE)
    run_id = str(uuid.uuid4())
    folder = cloud.tables / store.STAGING / "messages" / f"{run_id}-0"
    # Somebody else holds the name under which the second message is written.
    storage.write(folder / "2.json", b"")
    blob = BlobServiceClient(zones.blob_url, credential=KEY).get_blob_client(folder.container, f"{folder.path}/2.json")
    lease = blob.acquire_lease()
    result = cloud.run(DAY, only=CHAIN, run_id=run_id)
    lease.release()
    assert job(cloud).state["result_state"] == "SUCCESS"
    assert not result.success
    said = reason(result)
    assert "did not arrive" in said
    assert "gold.dim_genre" in said.split("Written since it began:")[1]
    assert "gold.dim_genre" not in {name for name, _ in materialized(result)}
    assert cloud.run(DAY, only=CHAIN).success


@pytest.mark.parametrize(("status", "code"), [(429, "REQUEST_LIMIT_EXCEEDED"), (503, "TEMPORARILY_UNAVAILABLE")])
def test_an_api_that_is_busy_for_a_moment_is_asked_again(cloud: Cloud, status: int, code: str) -> None:
    cloud.release(DAY, *RELEASE)
    cloud.workspace.fail_next(1, status, code, "runs/submit")
    cloud.workspace.fail_next(2, status, code, "runs/get")
    assert cloud.run(DAY, only=[FIRST]).success
    assert len(cloud.workspace.runs.by_id) == 1
    assert not any(fault.times for fault in cloud.workspace.faults)


def test_an_internal_error_of_the_api_while_waiting_is_outlived(cloud: Cloud) -> None:
    cloud.release(DAY, *RELEASE)
    cloud.workspace.fail_next(2, 500, "INTERNAL_ERROR", "runs/get")
    assert cloud.run(DAY, only=[FIRST]).success


def test_a_job_that_takes_longer_than_it_may_is_ended_by_databricks(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submitted run has no limit unless it is given one: a job that hangs would be paid for until somebody looks."""
    monkeypatch.setenv("NETFLIX_DATABRICKS_TIMEOUT_SECONDS", "1")
    cloud.release(DAY, *RELEASE)
    result = cloud.run(DAY, only=[FIRST])
    assert not result.success
    assert job(cloud).state["result_state"] == "TIMEDOUT"
    assert "TIMEDOUT" in reason(result)


def test_a_wrong_token_submits_nothing_and_is_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-of-somebody-else")
    cloud.release(DAY, *RELEASE)
    result = cloud.run(DAY, only=[FIRST])
    assert not result.success
    assert "Invalid access token" in reason(result)
    assert not cloud.workspace.runs.by_id


def test_what_goes_wrong_in_the_job_comes_back_with_its_traceback(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETFLIX_DATABRICKS_ENGINE", "remote")  # nothing answers there
    cloud.release(DAY, *RELEASE)
    result = cloud.run(DAY, only=[FIRST, "silver.titles"])
    (failed,) = result.get_step_failure_events()
    failure = failed.step_failure_data.user_failure_data
    assert failure is not None
    assert "EngineError" in str(failure.description)
    assert "carry_out" in str(failure.metadata["traceback"].value)
    assert str(failure.metadata["databricks_run"].value).startswith(cloud.workspace.url)


def test_a_lake_that_databricks_cannot_see_is_refused(cloud: Cloud, tmp_path: Path) -> None:
    from netflix_dagster.defs.databricks import LakeOnDatabricks

    cloud.release(DAY, *RELEASE)
    cloud.defs.resources["lake"] = LakeOnDatabricks(landing=str(cloud.landing), lake=str(tmp_path))  # type: ignore[index]
    result = cloud.run(DAY, only=[FIRST])
    assert not result.success
    assert f"{tmp_path} is no lake for Databricks" in reason(result)
    assert not cloud.workspace.asked[1:]  # the first was the upload of the wheel
