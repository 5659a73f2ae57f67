"""A workspace and a storage account for the tests, and the project's wheel, built once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster import storage
from netflix_dagster_tests.databricks.cloud import Cloud
from netflix_dagster_tests.emulators import azurite as emulator
from netflix_dagster_tests.emulators.databricks import Workspace, workspace

WHEEL = Path(__file__).parents[2] / "infra" / "databricks" / "wheel"
CLUSTER = "0101-120000-abcdefgh"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel for clusters, as ``infra/databricks`` builds it."""
    out = tmp_path_factory.mktemp("wheel")
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", str(out), str(WHEEL)], check=True)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def zones() -> Iterator[emulator.Azurite]:
    """A storage account with the zones of a lake, the one of this process."""
    if why := emulator.missing():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with emulator.azurite() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        storage._store.cache_clear()
        yield running
    storage._store.cache_clear()


@pytest.fixture
def databricks(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace."""
    with workspace(tmp_path / "databricks") as running:
        yield running


@pytest.fixture
def cloud(
    zones: emulator.Azurite, databricks: Workspace, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """A platform whose tables are built on a cluster that is there already; its wheel is uploaded."""
    made = Cloud(databricks)
    databricks.runs.clusters[CLUSTER] = {"cluster_name": "shared", "spark_env_vars": zones.environment}
    said = {
        **databricks.environment,
        "NETFLIX_DATABRICKS_WHEEL": made.upload(wheel),
        "NETFLIX_DATABRICKS_CLUSTER": CLUSTER,
        "NETFLIX_DATABRICKS_ENGINE": "sail",
        "NETFLIX_DATABRICKS_POLL_SECONDS": "0.2",
        "NETFLIX_DATABRICKS_TAGS": json.dumps({"project": "netflix-dagster", "costcentre": "4711"}),
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    yield made
    made.instance.dispose()
