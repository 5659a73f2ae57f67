"""A workspace and a storage account for the tests, and the project's wheel, built once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.azure import access
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.databricks.cloud import CLUSTER, Cloud
from netflix_dagster_tests.emulators import azurite as emulator
from netflix_dagster_tests.emulators.databricks import Workspace, workspace
from netflix_dagster_tests.infra.wheel import build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel for clusters, as the bundle builds it."""
    return build(tmp_path_factory.mktemp("wheel")).path


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
        connect_anew()
        yield running
    connect_anew()


def connect_anew() -> None:
    """Take up what the environment says now, as the edge of a process does."""
    get_settings.cache_clear()
    access.connect(get_settings())


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
    for name, value in {**made.settings, "NETFLIX_DATABRICKS_WHEEL": made.upload(wheel)}.items():
        monkeypatch.setenv(name, value)
    yield made
    made.instance.dispose()
