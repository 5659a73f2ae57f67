"""The job with notebooks, a loop and branches, as the bundle declares it, run by the workspace of the tests."""

from __future__ import annotations

import copy
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue
from databricks.sdk.service import jobs

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings
from netflix_dagster_tests.emulators.databricks import Workspace, notebook, workspace
from netflix_dagster_tests.infra.bundle import FOLDER, job_id, load
from netflix_dagster_tests.infra.test_bundle import GIVEN
from netflix_dagster_tests.lakehouse import Lakehouse, title

WHEELS = "/Workspace/Shared/artifacts"
NOTEBOOKS = "/Workspace/Shared/files/notebooks"
JOB = job_id("workflow")
GARBAGE = "<html><body>Moved Permanently</body></html>"
TODAY = str(datetime.now(UTC).isoweekday())


@pytest.fixture
def house(tmp_path: Path) -> Lakehouse:
    return Lakehouse(tmp_path / "house")


@pytest.fixture
def databricks(tmp_path: Path, wheel: Path, house: Lakehouse) -> Iterator[Workspace]:
    """A workspace with the job, deployed as a bundle is: libraries and notebooks are uploaded, and the paths in the job
    are those in the workspace, notebooks without extension ("Databricks Asset Bundles: notebook_path")."""
    with workspace(tmp_path / "databricks") as running:
        client = WorkspaceClient(host=running.url, token=running.token)
        with wheel.open("rb") as file:
            client.files.upload(f"{WHEELS}/{wheel.name}", file, overwrite=True)
        for path in (FOLDER / "notebooks").glob("*.py"):
            client.files.upload(f"{NOTEBOOKS}/{path.stem}", io.BytesIO(path.read_bytes()), overwrite=True)
        running.runs.deploy(JOB, deployed(wheel, house))
        yield running


def deployed(wheel: Path, house: Lakehouse) -> dict[str, Any]:
    """The job of the bundle, with paths of the workspace, folders of this machine and the embedded engine."""
    said = json.dumps(load().resolve("dev", GIVEN)["jobs"]["workflow"])
    said = said.replace("../wheel/dist/*.whl", f"{WHEELS}/{wheel.name}")
    said = re.sub(r"\.\./notebooks/(\w+)\.py", rf"{NOTEBOOKS}/\1", said)
    job: dict[str, Any] = json.loads(said)
    for cluster in job["job_clusters"]:
        cluster["new_cluster"]["spark_env_vars"] = {"NETFLIX_ENGINE": "sail"}
    places = {"landing": str(house.landing), "lake": str(house.tables)}
    for parameter in job["parameters"]:
        parameter["default"] = places.get(parameter["name"], parameter["default"])
    return job


@pytest.fixture
def client(databricks: Workspace) -> WorkspaceClient:
    return WorkspaceClient(host=databricks.url, token=databricks.token)


def ended(client: WorkspaceClient, run_id: int) -> jobs.Run:
    until = time.monotonic() + 240
    while (run := client.jobs.get_run(run_id)).state.life_cycle_state != jobs.RunLifeCycleState.TERMINATED:
        assert time.monotonic() < until
        time.sleep(0.1)
    return run


def results(run: jobs.Run) -> dict[str, str]:
    return {task.task_key: task.state.result_state.value for task in run.tasks}


def iterations(client: WorkspaceClient, run: jobs.Run) -> dict[int, str]:
    """The iterations of the loop, by their run."""
    (loop,) = [task.run_id for task in run.tasks if task.task_key == "build_sources"]
    said = client.api_client.do("GET", "/api/2.2/jobs/runs/get", query={"run_id": loop})
    return {each["run_id"]: each["state"]["result_state"] for each in said["iterations"]}


def test_it_builds_source_by_source_and_a_repair_does_what_had_failed(
    client: WorkspaceClient, databricks: Workspace, house: Lakehouse, tmp_path: Path
) -> None:
    day, week = "2020-01-01", "2020-02-01"
    house.release(day, *map(title, range(8)))
    house.land("netflix_titles", week, GARBAGE)
    run = ended(client, client.jobs.run_now(JOB, job_parameters={"upkeep_on": "8"}).bind()["run_id"])

    assert run.state.result_state == jobs.RunResultState.FAILED, "somebody hears of it"
    assert results(run) == {
        "look": "SUCCESS",
        "is_anything_pending": "SUCCESS",
        "build_sources": "FAILED",
        "is_upkeep_day": "SUCCESS",
        "upkeep": "EXCLUDED",
    }
    (look,) = [task.run_id for task in run.tasks if task.task_key == "look"]
    assert client.jobs.get_run_output(look).notebook_output.result == "netflix_catalogue, netflix_titles"
    first = iterations(client, run)
    assert sorted(first.values()) == ["FAILED", "SUCCESS"]
    (failed,) = [number for number, result in first.items() if result == "FAILED"]
    error = client.jobs.get_run_output(failed).error
    assert error.startswith("NotBuilt: netflix_titles of 2020-02-01 is refused: ")
    assert "then repair this run" in error
    assert len(house.rows("silver.titles")) == 8, "the other source is built"
    versions = house.versions()

    (house.landing / "netflix_titles" / week / "file.csv").unlink()
    columns = "duration_minutes,duration_seasons,type,title,date_added,release_year,rating,description,show_id"
    house.land("netflix_titles", week, f'{columns}\r\n90,,Movie,Other,"January 1, 2020",2019,PG,Words.,81\r\n')
    again = client.jobs.repair_run(run.run_id, rerun_all_failed_tasks=True)
    assert again.bind()["run_id"] == run.run_id
    mended = ended(client, run.run_id)
    assert mended.state.result_state == jobs.RunResultState.SUCCESS
    assert results(mended)["build_sources"] == "SUCCESS"
    second = iterations(client, mended)
    assert len(second) == 2 and len(set(first) & set(second)) == 1, "what had succeeded is not done again"
    assert {row["title"] for row in house.rows("silver.titles")} >= {"Other"}
    assert house.versions()["bronze.netflix_catalogue"] == versions["bronze.netflix_catalogue"]
    with pytest.raises(InvalidParameterValue, match="latest repair ID"):
        client.jobs.repair_run(run.run_id, rerun_tasks=["look"])

    alone = Settings(landing=house.landing, lake=tmp_path / "alone")
    assert build_pending(alone, house.sources).exit_code == 0
    for name in TABLES:
        assert store.row_count(house.tables, name) == store.row_count(alone.lake, name), name


def test_with_nothing_pending_the_loop_is_left_out_and_on_its_weekday_the_lake_is_kept_in_shape(
    client: WorkspaceClient, databricks: Workspace, house: Lakehouse
) -> None:
    house.release("2020-01-01", *map(title, range(4)))
    assert build_pending(house.settings, house.sources).exit_code == 0
    run = ended(client, client.jobs.run_now(JOB, job_parameters={"upkeep_on": TODAY}).bind()["run_id"])
    assert run.state.result_state == jobs.RunResultState.SUCCESS
    assert results(run) == {
        "look": "SUCCESS",
        "is_anything_pending": "SUCCESS",
        "build_sources": "EXCLUDED",
        "is_upkeep_day": "SUCCESS",
        "upkeep": "SUCCESS",
    }
    (upkeep,) = [task.run_id for task in run.tasks if task.task_key == "upkeep"]
    logs = client.jobs.get_run_output(upkeep).logs
    assert re.search(r"gold\.dim_title +\d+ files compacted, 0 removed, 1 left", logs), logs


def test_a_reference_to_nothing_and_a_parameter_that_nobody_knows_are_refused(
    client: WorkspaceClient, databricks: Workspace
) -> None:
    with pytest.raises(InvalidParameterValue, match=r"has no parameter weekdy"):
        client.jobs.run_now(JOB, job_parameters={"weekdy": "1"})
    wrong = copy.deepcopy(databricks.runs.deployed[JOB])
    wrong["tasks"][3]["condition_task"]["left"] = "{{job.parameters.weekdy}}"
    databricks.runs.deploy(JOB, wrong)
    run = ended(client, client.jobs.run_now(JOB).bind()["run_id"])
    assert results(run)["is_upkeep_day"] == "FAILED"
    (task,) = [task for task in run.tasks if task.task_key == "is_upkeep_day"]
    assert "does not exist" in task.state.state_message


def test_a_notebook_without_its_widget_or_with_other_magic_fails(tmp_path: Path) -> None:
    said = {"no widget": 'dbutils.widgets.get("source")', "magic": "# MAGIC %sql\n# MAGIC SELECT 1"}
    for name, cell in said.items():
        (tmp_path / name).write_text(f"{notebook.FIRST}\n{cell}\n")
    with pytest.raises(notebook.InputWidgetNotDefined, match="source"):
        notebook.run(str(tmp_path / "no widget"), {})
    with pytest.raises(AssertionError, match="only %md"):
        notebook.run(str(tmp_path / "magic"), {})
    (tmp_path / "plain").write_text("print(1)\n")
    with pytest.raises(AssertionError, match="is no notebook"):
        notebook.run(str(tmp_path / "plain"), {})
