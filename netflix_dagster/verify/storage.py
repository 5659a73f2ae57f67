"""``verify storage``: what the lake asks of its storage account, from a conditional write to a whole delivery."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.lake.store import STAGING
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder, adls, hierarchy
from netflix_dagster.verify import delivery, identity
from netflix_dagster.verify.identity import WHO
from netflix_dagster.verify.steps import Step, Target, Trial

if TYPE_CHECKING:
    from obstore.store import AzureCredential

CONTRIBUTOR, READER = "Storage Blob Data Contributor", "Storage Blob Data Reader"
_WRITERS, _COMMITS = 2, 4
_RACERS = 8
_SHORT = 0.5
"""Seconds that credentials last which are to be asked for again."""


def lacks(settings: Settings) -> str | None:
    for name, place in (("NETFLIX_LANDING", settings.landing), ("NETFLIX_LAKE", settings.lake)):
        if storage.is_local(place):
            return f"{name} is {place}, a folder of this machine: set it to abfss://container@account..., there is"
    return None


def cost(settings: Settings) -> str:
    return (
        f"some hundred requests and less than 10 MB in {settings.lake}, below 0.01 EUR; a build of one small delivery"
        " on this machine, about a minute"
    )


def steps(trial: Trial) -> Iterator[Step]:
    """Landing is only read; every container of the lake is written, in a folder that is removed in the end."""
    settings = trial.settings
    yield identity.step(trial)
    landing = settings.landing
    yield Step("landing: list", lambda: _listed(landing), partial(_role, trial, READER, landing), (WHO,))
    places: dict[str, Any] = {zone: settings.lake / zone / f"_{trial.name}" for zone in delivery.ZONES}
    containers = {place.container: place for place in reversed(places.values())}
    wrote = []
    for name, place in containers.items():
        step = f"{name}: write, read, list, remove"
        wrote.append(step)
        yield Step(step, partial(_kept, trial, place), partial(_role, trial, CONTRIBUTOR, place), (WHO,))
    aside = places[STAGING]
    for what, act in (
        ("conditional put", _conditional),
        ("rename", _renamed),
        ("recursive delete", _removed),
        ("concurrent commits", _commits),
        ("token refresh", _refreshed),
    ):
        needs = f"{aside.container}: write, read, list, remove"
        yield Step(
            what, partial(act, aside / act.__name__.strip("_")), partial(_role, trial, CONTRIBUTOR, aside), (needs,)
        )
    yield Step(f"a delivery to gold, on this machine by {settings.engine}", lambda: _delivered(trial), after=wrote)


def _role(trial: Trial, role: str, place: Any) -> Any:
    below = f"blobServices/default/containers/{place.container}"
    return identity.role(trial, role, place.account, below)


def _listed(landing: storage.Place) -> str:
    return f"{len(storage.folders(landing))} folders in {landing}"


def _kept(trial: Trial, place: storage.Place) -> str:
    trial.leaves(f"the folder {place}", partial(storage.remove, place))
    file, data = place / "probe", b"one"
    storage.write(file, data)
    if storage.read(file) != data or [found.path for found in storage.stored(place)] != ["probe"]:
        raise RuntimeError(f"{file} was written and is not read or listed as it is")
    storage.remove_file(file)
    if storage.is_file(file):
        raise RuntimeError(f"{file} was removed and is still there")
    return f"as it should be in {place}"


def _conditional(place: AzureFolder) -> str:
    file = place / "lock"
    with ThreadPoolExecutor(_RACERS) as racers:
        won = [tag for tag in racers.map(lambda n: storage.create(file, str(n).encode()), range(_RACERS)) if tag]
    if len(won) != 1:
        raise RuntimeError(f"{len(won)} of {_RACERS} writers created {file}, where one may: no commit is safe here")
    newer = storage.swap(file, b"mine", won[0])
    if newer is None or storage.swap(file, b"yours", won[0]) is not None or storage.read(file) != b"mine":
        raise RuntimeError(f"{file} was replaced by its old tag: no lock and no commit is safe here")
    return f"of {_RACERS} writers of one name one wins, and an old tag replaces nothing"


def _renamed(place: AzureFolder) -> str:
    if not hierarchy.is_there(place):
        return "the account has no hierarchical namespace, or no DFS endpoint: nothing is renamed, engines copy"
    storage.write(place / "from" / "file", b"moved")
    hierarchy.rename(place / "from", place / "to")
    if storage.read(place / "to" / "file") != b"moved" or storage.is_file(place / "from" / "file"):
        raise RuntimeError(f"{place / 'from'} was renamed and is not where it should be")
    return "a folder is renamed with what is in it"


def _removed(place: AzureFolder) -> str:
    for n in range(3):
        storage.write(place / "deep" / str(n) / "file", b"x")
    storage.remove(place)
    left = [file.path for file in storage.stored(place)] + hierarchy.folders(place)
    if left:
        raise RuntimeError(f"{place} was removed and {', '.join(left[:5])} is still in it")
    return "no file and no folder is left"


def _commits(place: AzureFolder) -> str:
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    from netflix_dagster.lake import store

    options, rows = storage.delta_options(place), pa.table({"writer": [1]})
    write_deltalake(str(place), rows, storage_options=options)

    def append(_: int) -> None:
        for _ in range(_COMMITS):
            store.retrying(lambda: write_deltalake(str(place), rows, mode="append", storage_options=options))

    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(append, range(_WRITERS)))
    table, wanted = DeltaTable(str(place), storage_options=options), 1 + _WRITERS * _COMMITS
    if table.count() != wanted:
        raise RuntimeError(f"{wanted} rows were committed and {table.count()} are there: commits were lost")
    return f"{_WRITERS} writers commit {_COMMITS} times each, and every row is there (version {table.version()})"


def _refreshed(place: AzureFolder) -> str:
    with _hurried() as credentials:
        storage.write(place, b"by the first token")
        time.sleep(2 * _SHORT)
        storage.write(place, b"by the next")
    if credentials.asked < 2:
        raise RuntimeError("credentials that had expired were not asked for again: a long build would end in a refusal")
    return f"expired credentials are asked for again ({credentials.asked} times), and work"


class _Hurried:
    """The credentials of this process, said to expire in a moment."""

    def __init__(self, real: adls.Credentials) -> None:
        self.real, self.asked = real, 0

    def fresh(self) -> AzureCredential:
        self.asked += 1
        found: Any = {**self.real.fresh(), "expires_at": datetime.now(UTC) + timedelta(seconds=_SHORT)}
        return found  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@contextmanager
def _hurried() -> Iterator[_Hurried]:
    real = adls.credentials("the storage account")
    credentials = _Hurried(real)
    adls.open_with(credentials)
    try:
        yield credentials
    finally:
        adls.open_with(real)


def _delivered(trial: Trial) -> str:
    settings = delivery.scratch(trial, "here")
    day, records = delivery.land(settings)
    delivery.build_here(settings, day, trial.name)
    return delivery.judged(settings, records)


TARGET = Target("storage", "the storage account of landing and lake", cost, lacks, steps)
