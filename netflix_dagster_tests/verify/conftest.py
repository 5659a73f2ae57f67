"""A storage account behind a door, with folders of its own, for what is verified on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster import storage
from netflix_dagster.settings import Settings
from netflix_dagster.storage import hierarchy as hierarchies
from netflix_dagster.verify import TARGETS
from netflix_dagster.verify.steps import Result, Trial, carry_out
from netflix_dagster_tests.azure.conftest import azure, inside, running_cloud
from netflix_dagster_tests.emulators.account import LANDING, in_use, storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, ZONES, Azurite
from netflix_dagster_tests.emulators.dfs import Hierarchy, hierarchy
from netflix_dagster_tests.emulators.faulty import Door, faulty

__all__ = ["azure", "inside", "running_cloud"]

LAKE = storage.AzureFolder(ACCOUNT, storage.ZONE)
Verify = Callable[..., dict[str, Result]]


@pytest.fixture(scope="session")
def account() -> Iterator[Azurite]:
    with storage_account() as running:
        yield running


@pytest.fixture
def door(account: Azurite) -> Iterator[Door]:
    """The way to the blobs of the account, which has no folders of its own."""
    with faulty(account.blob_port) as door, in_use({"AZURE_STORAGE_ENDPOINT": f"{door.url}/{ACCOUNT}"}):
        yield door


@pytest.fixture
def folders(account: Azurite, door: Door) -> Iterator[Hierarchy]:
    """The account has a hierarchical namespace."""
    with hierarchy(account, door) as (found, url), in_use({hierarchies.ENDPOINT: url}):
        hierarchies._has_folders.cache_clear()
        yield found
    hierarchies._has_folders.cache_clear()


@pytest.fixture
def verify() -> Verify:
    """Verify a target, and get what became of each step."""

    def verified(target: str, wait: float = 5, **said: Any) -> dict[str, Result]:
        settings = Settings(**{"landing": LANDING, "lake": LAKE, **said})
        results = carry_out([TARGETS[target]], Trial(settings, wait), lambda _: None)
        return {result.step: result for result in results}

    return verified


def left(account: Azurite) -> list[str]:
    """What a verification has left in the containers."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient(account.blob_url, credential=KEY) as service:
        return [f"{zone}/{blob.name}" for zone in ZONES for blob in service.get_container_client(zone).list_blobs()]


def lacking(results: dict[str, Result]) -> dict[str, tuple[str | None, str | None]]:
    """The steps that failed: the right that is missing, and the command that grants it."""
    return {name: (said.right, said.command) for name, said in results.items() if said.status == "failed"}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"
