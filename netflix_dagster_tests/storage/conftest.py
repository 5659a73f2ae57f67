"""A storage account, and lakes of one's own in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from netflix_dagster.storage import ZONE, AzureFolder
from netflix_dagster_tests.emulators.account import storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite


@pytest.fixture(scope="module")
def account() -> Iterator[Azurite]:
    with storage_account() as account:
        yield account


@pytest.fixture
def lake(account: Azurite) -> AzureFolder:
    """An empty lake: in every container a folder of its own."""
    return AzureFolder(ACCOUNT, ZONE, uuid.uuid4().hex[:8])
