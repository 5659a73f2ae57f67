"""Why the project waits for its jobs itself (decision 14). The day this fails, ``dagster-databricks`` is mended."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import dagster as dg
import pytest
from databricks.sdk import WorkspaceClient

from netflix_dagster_tests.databricks.cloud import CLUSTER, wait_for
from netflix_dagster_tests.emulators.databricks import Workspace

FILE = "/Workspace/Shared/wait.py"
WAITS = b"import time; time.sleep(600)"


@pytest.mark.soak
def test_the_stock_client_records_a_cancelled_run_as_a_success(databricks: Workspace, tmp_path: Path) -> None:
    databricks.runs.clusters[CLUSTER] = {}
    WorkspaceClient(host=databricks.url, token=databricks.token).files.upload(FILE, io.BytesIO(WAITS))
    home, run_id, log = tmp_path / "home", str(uuid.uuid4()), tmp_path / "log.txt"
    home.mkdir()
    command = [sys.executable, "-m", "netflix_dagster_tests.databricks.stock", str(home), run_id, FILE]
    with log.open("wb") as output:
        running = subprocess.Popen(command, env={**os.environ, **databricks.environment}, stdout=output, stderr=output)
    try:
        wait_for(lambda: [run for run in databricks.runs.by_id.values() if run.process], "the job")
        (job,) = databricks.runs.by_id.values()
        with dg.DagsterInstance.local_temp(str(home)) as instance:
            instance.report_run_canceling(instance.get_run_by_id(run_id))
        running.send_signal(signal.SIGINT)
        running.wait(60)
    finally:
        running.kill()
    assert job.over.wait(30)
    assert job.state["result_state"] == "CANCELED", log.read_text()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.SUCCESS, log.read_text()
        assert instance.get_latest_materialization_event(dg.AssetKey("table")) is not None
