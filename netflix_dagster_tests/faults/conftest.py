"""A storage account behind a door for all tests here, and a house on a folder that nothing happened to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import obstore.store
import pytest

from netflix_dagster.azure import access, outage
from netflix_dagster.lake import lock
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.emulators.account import in_use, storage_account
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite
from netflix_dagster_tests.emulators.faulty import Door, faulty
from netflix_dagster_tests.faults.house import DAY, RELEASE, TABLES, CloudHouse, state


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One account for all: the engine of this process finds it once."""
    with storage_account(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="session")
def one_door(account: Azurite) -> Iterator[Door]:
    with faulty(account.blob_port) as door, in_use({"AZURE_STORAGE_ENDPOINT": f"{door.url}/{ACCOUNT}"}):
        yield door


@pytest.fixture
def door(one_door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The way to the storage account; whoever waits for the account does it in a hurry."""
    monkeypatch.setattr(outage, "PAUSES", (0.1, 0.1))
    for name, seconds in {"RENEWED_EVERY": 1.0, "STALE": 3.0, "_LOOKS_FOR_LEASES_EVERY": 0.2}.items():
        monkeypatch.setattr(lock, name, seconds)
    with clients_in_a_hurry():
        yield one_door
    one_door.mend()


@contextmanager
def clients_in_a_hurry() -> Iterator[None]:
    """Clients ask as often as ever, but wait for milliseconds in between. (The engine's client cannot be told.)"""
    options = access.Access.delta_options
    hurry = {"backoff_config.init_backoff": "10ms", "backoff_config.max_backoff": "100ms"}
    backoff = {"init_backoff": timedelta(milliseconds=10), "max_backoff": timedelta(milliseconds=100), "base": 2}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(access.Access, "delta_options", lambda self: options(self) | hurry)
        made = partial(obstore.store.AzureStore, retry_config={"backoff": backoff})
        patched.setattr(obstore.store, "AzureStore", made)
        access.connect(get_settings())
        yield
    access.connect(get_settings())


@pytest.fixture
def house(door: Door, tmp_path: Path) -> Iterator[CloudHouse]:
    """A house with a delivery, of which nothing is built yet."""
    made = CloudHouse(tmp_path)
    made.release(DAY, *RELEASE)
    yield made
    door.mend()
    made.instance.dispose()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What the same delivery comes to on a folder."""
    made = House(tmp_path_factory.mktemp("undisturbed"))
    made.release(DAY, *RELEASE)
    assert made.run(DAY, only=TABLES).success
    found = state(made)
    assert len(found["gold.fact_catalogue_change"]) == len(found["silver.titles"]) == 4
    assert (len(found["quarantine"]), len(found["deliveries"])) == (10, 1)  # a title, and what all lists say of it
    made.instance.dispose()
    return found
