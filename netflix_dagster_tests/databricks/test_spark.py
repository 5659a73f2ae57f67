"""The engine of a real cluster: Apache Spark with Delta, in the session that the cluster has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.jobs import SparkPythonTask, SubmitTask

from netflix_dagster.engine import spark
from netflix_dagster.settings import Settings
from netflix_dagster_tests.databricks.cloud import CHAIN, CLUSTER, Cloud, reason
from netflix_dagster_tests.defs.house import House, checks
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.lakehouse import title

DAY, NEXT = "2020-01-01", "2020-02-01"
FIRST = (*map(title, (1, 2, 3)), title(9, release_year="soon"))
SECOND = (title(1), title(2, rating="R"), title(5))


@dataclass
class Mounted(Cloud):
    """A platform whose lake is a folder that this machine and the cluster have under one name."""

    folder: Path = Path()

    @property
    def landing(self) -> Path:  # type: ignore[override]
        return self.folder / "landing"

    @property
    def tables(self) -> Path:  # type: ignore[override]
        return self.folder / "lake"


@pytest.fixture
def mounted(databricks: Workspace, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mounted]:
    """A cluster whose configuration holds what Databricks sets up by itself: Delta in the session."""
    try:
        conf = spark.classic(Settings(spark_master="local[2]"))
    except spark.SparkError as lacking:
        assert "CI" not in os.environ, lacking
        pytest.skip(str(lacking))
    made = Mounted(databricks, folder=tmp_path / "mounted")
    databricks.runs.clusters[CLUSTER] = {"spark_conf": conf}
    said = {"NETFLIX_DATABRICKS_WHEEL": made.upload(wheel), "NETFLIX_DATABRICKS_ENGINE": "spark"}
    for name, value in {**made.settings, **said}.items():
        monkeypatch.setenv(name, value)
    seen = dict.fromkeys(("NETFLIX_LANDING", "NETFLIX_LAKE"), (str(made.folder),))
    monkeypatch.setattr("netflix_dagster.defs.databricks._MOUNTED", seen)
    yield made
    made.instance.dispose()


PROBE = """
import json, sys
from pyspark.sql import SparkSession

def probe(batches):
    import os, socket
    import pyarrow as pa

    said = {"secret": os.environ.get("PLANTED")}
    for name, act in {
        "network": lambda: socket.create_connection(("127.0.0.1", int(PORT)), 1),
        "client": lambda: __import__("obstore"),
    }.items():
        try:
            act()
            said[name] = "reached"
        except (OSError, ImportError) as error:
            said[name] = str(error)
    for _ in batches:
        yield pa.RecordBatch.from_pydict({"said": [__import__("json").dumps(said)]})

spark = SparkSession.builder.getOrCreate()
(row,) = spark.range(1).coalesce(1).mapInArrow(probe, "said string").collect()
with open(sys.argv[1], "w") as out:
    out.write(row["said"])
"""


@pytest.mark.soak
def test_a_python_function_has_neither_the_environment_nor_the_network_of_its_driver(
    mounted: Mounted, tmp_path: Path
) -> None:
    """As on serverless compute. The build below succeeds there, so no worker opens a file of landing or of the lake."""
    mounted.workspace.runs.clusters[CLUSTER]["spark_env_vars"] = {"PLANTED": "a secret of the driver"}
    file, port = mounted.workspace.files.path("/Workspace/probe.py"), mounted.workspace.url.rpartition(":")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(PROBE.replace("PORT", port))
    task = SubmitTask(
        "probe",
        existing_cluster_id=CLUSTER,
        spark_python_task=SparkPythonTask("/Workspace/probe.py", parameters=[str(tmp_path / "said")]),
    )
    WorkspaceClient(host=mounted.workspace.url, token=mounted.workspace.token).jobs.submit(tasks=[task]).result()
    said = json.loads((tmp_path / "said").read_text())
    assert said["secret"] is None
    assert "has no network here" in said["network"]
    assert "opens no storage here" in said["client"]


@pytest.mark.soak
def test_two_deliveries_built_by_the_cluster_s_spark_are_those_of_the_embedded_engine(
    mounted: Mounted, tmp_path: Path
) -> None:
    house = House(tmp_path)
    for platform in (mounted, house):
        platform.release(DAY, *FIRST)
        platform.release(NEXT, *SECOND)
    there, here = mounted.run(DAY, NEXT, only=CHAIN), house.run(DAY, NEXT, only=CHAIN)
    assert there.success, reason(there)
    assert here.success
    assert mounted.contents(CHAIN) == {name: sorted(house.rows(name), key=repr) for name in CHAIN}
    for name in CHAIN:
        assert {which: said.passed for which, said in checks(there, name).items()} == {
            which: said.passed for which, said in checks(here, name).items()
        }
