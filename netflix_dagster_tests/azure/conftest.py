"""Azure on this machine for the tests of this folder, and processes that live in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.azure import access, identity, vault
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.emulators import azurite
from netflix_dagster_tests.emulators.cloud import Cloud, cloud

OURS = ("NETFLIX_", "AZURE_", "DAGSTER_", "IDENTITY_", "MSI_", "SSL_CERT_DIR")


@pytest.fixture(scope="session")
def running_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One stand-in for all tests here; ask for ``azure``."""
    if why := azurite.missing():
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    with cloud(tmp_path_factory.mktemp("cloud")) as running:
        yield running


@pytest.fixture
def azure(running_cloud: Cloud) -> Iterator[Cloud]:
    """Azure with an empty vault and one identity, the managed one."""
    yield running_cloud
    running_cloud.entra.reset()
    running_cloud.vault.reset()


@pytest.fixture
def inside(azure: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Azure, and this process as a program that runs there."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        monkeypatch.delenv(name)
    for name, value in azure.environment.items():
        monkeypatch.setenv(name, value)
    _forget()
    yield azure
    _forget()


def _forget() -> None:
    for kept in (identity.credential, vault.of, access._of):
        kept.cache_clear()
    connect_anew()


def connect_anew() -> None:
    """Take up what the environment says now, as the edge of a process does."""
    get_settings.cache_clear()
    access.connect(get_settings())


def environment(azure: Cloud, **more: str) -> dict[str, str]:
    """The environment of a program in Azure, with nothing of ours from this process."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return own | azure.environment | more


def python(azure: Cloud, code: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run some Python as a program in Azure."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment(azure, **more),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
