"""A storage account for tests that run in this process: Azurite, and the variables that make it the one in use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from netflix_dagster import settings, storage
from netflix_dagster.azure import access
from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite, azurite, missing
from netflix_dagster_tests.emulators.counting import Counter, counting

LANDING = storage.AzureFolder(ACCOUNT, "landing")


@contextmanager
def storage_account(folder: Path | None = None) -> Iterator[Azurite]:
    """Azurite with empty zones, as this process's storage account. Skips, or fails in CI, when it cannot run."""
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with azurite(folder) as account, in_use(account.environment):
        yield account


@contextmanager
def in_use(environment: Mapping[str, str]) -> Iterator[None]:
    """Live in an environment: what was opened in another one is forgotten, before and after.

    Only these variables are put back: an engine that starts meanwhile leaves others, by which it is found again.
    """
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        _forget()
        yield
    _forget()


def _forget() -> None:
    settings.get_settings.cache_clear()
    access.connect(settings.get_settings())


@contextmanager
def requests_counted(account: Azurite) -> Iterator[Counter]:
    """The account behind a door that counts the requests to its blobs."""
    with counting(account.blob_port) as counter, in_use({"AZURE_STORAGE_ENDPOINT": f"{counter.url}/{ACCOUNT}"}):
        yield counter


def empty(account: Azurite, *queues: str) -> None:
    """Empty the landing container, and make some queues anew."""
    from azure.storage.blob import ContainerClient
    from azure.storage.queue import QueueServiceClient

    with ContainerClient(account.blob_url, LANDING.container, credential=KEY) as landing:
        for name in list(landing.list_blob_names()):  # by Azure's own client, which takes any name
            landing.delete_blob(name)
    with QueueServiceClient(account.queue_url, credential=KEY) as service:
        there = {queue.name for queue in service.list_queues()}
        for name in queues:
            if name in there:
                service.get_queue_client(name).clear_messages()
            else:
                service.create_queue(name)
