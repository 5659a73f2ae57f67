"""Places that hold files: folders of this machine, and folders in Azure Data Lake Storage Gen2.

A place on this machine is a ``pathlib.Path``, one in ADLS an ``AzureFolder``; both are joined with ``/`` and named by
``str``. Everything that is done to a place and differs between the two is done by a function here; Delta tables are
the business of ``lake.store``, which asks here for ``delta_options``.

Underneath is obstore, the object store of delta-rs and of the embedded engine: one implementation of names, retries
and identity in all three.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from obstore.store import AzureStore

_ABFSS = re.compile(r"abfss?://(?P<container>[^@/]+)@(?P<account>[^./]+)\.dfs\.core\.windows\.net(?:/(?P<path>.*))?$")
ZONE = "{zone}"
"""Stands for the container in the place of a lake whose zones are containers of their own."""
CONTAINERS = {"quality": "quarantine", "_staging": "checkpoints"}
"""Zones whose container has another name."""


class PlaceError(ValueError):
    """A text names no place where files can lie; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class AzureFolder:
    """A folder of a container of a storage account, or the container itself: ``abfss://``.

    In the place of a lake the container may be ``{zone}``: each zone (bronze, silver, gold, quality, staging) then
    is a container of its own, and the first ``/`` chooses it.
    """

    account: str
    container: str
    path: str = ""

    def __truediv__(self, name: str) -> AzureFolder:
        if self.container == ZONE:
            return AzureFolder(self.account, CONTAINERS.get(name, name), self.path)
        return AzureFolder(self.account, self.container, f"{self.path}/{name}" if self.path else name)

    def __str__(self) -> str:
        folder = f"/{self.path}" if self.path else ""
        return f"abfss://{self.container}@{self.account}.dfs.core.windows.net{folder}"

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1] or self.container


Place = Path | AzureFolder


@dataclass(frozen=True, slots=True)
class Stored:
    """One file in ADLS. ``path`` is below the container; ``etag`` changes with every write of the file."""

    path: str
    size: int
    modified: datetime
    etag: str


def at(text: str | Place) -> Place:
    """The place that a text names: an ``abfss://`` URL, or a path of this machine."""
    if not isinstance(text, str):
        return text
    if "://" not in text:
        return Path(text)
    found = _ABFSS.match(text)
    if not found:
        raise PlaceError(
            f"{text!r} is no place: write abfss://container@account.dfs.core.windows.net/folder, or a path"
        )
    return AzureFolder(found["account"], found["container"], (found["path"] or "").strip("/"))


def endpoint(account: str) -> str | None:
    """Where the account's blob service answers, when that is not Azure (``AZURE_STORAGE_ENDPOINT``: an emulator)."""
    return os.environ.get("AZURE_STORAGE_ENDPOINT") or None


def delta_options(place: Place) -> dict[str, str] | None:
    """What delta-rs needs to open tables in this place; None on this machine."""
    if isinstance(place, Path):
        return None
    options = {"account_name": place.account, **_key()}
    if url := endpoint(place.account):
        options["azure_storage_endpoint"] = url
        options["allow_http"] = str(url.startswith("http://")).lower()
    return options


def _key() -> dict[str, str]:
    key = os.environ.get("AZURE_STORAGE_ACCOUNT_KEY")
    return {"account_key": key} if key else {}


@lru_cache(maxsize=32)
def _store(account: str, container: str) -> AzureStore:
    from obstore.store import AzureStore

    said: Any = {"container_name": container, "account_name": account, **_key()}
    if url := endpoint(account):
        said["endpoint"] = url
        said["client_options"] = {"allow_http": url.startswith("http://")}
    return AzureStore(**said)


def read(place: Place) -> bytes:
    """The bytes of a file. Raises ``OSError`` (``FileNotFoundError``) when they cannot be had."""
    if isinstance(place, Path):
        return place.read_bytes()
    return bytes(_store(place.account, place.container).get(place.path).bytes())


def write(place: Place, data: bytes) -> None:
    """Write a file, whole or not at all."""
    if isinstance(place, Path):
        place.write_bytes(data)
    else:
        _store(place.account, place.container).put(place.path, data)


def folders(place: Place) -> list[str]:
    """The names of the folders right in a place, in order; none when the place does not exist."""
    if isinstance(place, Path):
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
    found = _store(place.account, place.container).list_with_delimiter(_prefix(place))
    return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found["common_prefixes"])


def stored(place: AzureFolder, after: str | None = None) -> Iterator[Stored]:
    """Every file below a folder in ADLS, in order of its path."""
    for batch in _store(place.account, place.container).list(_prefix(place), offset=after):
        for meta in batch:
            yield Stored(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"] or "")


def remove(place: Place) -> None:
    """Remove a folder and all that is in it, if it is there."""
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
        return
    store = _store(place.account, place.container)
    for batch in store.list(_prefix(place)):
        store.delete([meta["path"] for meta in batch])


def _prefix(place: AzureFolder) -> str | None:
    return f"{place.path}/" if place.path else None
