"""The engine of a real cluster: Apache Spark with Delta, in the session that the cluster has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable

from netflix_dagster.engine import spark
from netflix_dagster.lake import store
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
        history = DeltaTable(store.location(mounted.tables, name)).history()
        written = [str(commit["engineInfo"]) for commit in history if commit["operation"] == "WRITE"]
        assert written  # an empty table is made by delta-rs, its rows are Spark's
        assert all(engine.startswith("Apache-Spark") for engine in written)
