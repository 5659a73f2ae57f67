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
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from obstore.store import AzureStore

_ABFSS = re.compile(r"abfss?://([^@/]+)@([^./]+)\.dfs\.core\.windows\.net(?:/(.*))?", re.DOTALL)
_NOBODY = re.compile(r"credential provider: \w+: (.*)")
"""What our own code says when it has nothing to open the account with."""
ZONE = "{zone}"
"""Stands for the container in the place of a lake whose zones are containers of their own."""
CONTAINERS = {"quality": "quarantine", "_staging": "checkpoints/_staging"}
"""Zones that lie in a container of another name, or in a folder of it."""


class PlaceError(ValueError):
    """A text names no place where files can lie; the message says how one is written."""


class StorageError(RuntimeError):
    """The storage account does not give or take what it was asked for; the message says what to look at."""


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
        container, path = self.container, name
        if container == ZONE:
            container, _, path = CONTAINERS.get(name, name).partition("/")
        return AzureFolder(self.account, container, "/".join(filter(None, (self.path, path))))

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
    """The place that a text names: an ``abfss://`` URL, or a path of this machine, which is made absolute."""
    if isinstance(text, AzureFolder):
        return text
    if isinstance(text, Path) or "://" not in text:
        return Path(text).expanduser().absolute()
    found = _ABFSS.fullmatch(text)
    if not found:
        raise PlaceError(
            f"{text!r} is no place: write abfss://container@account.dfs.core.windows.net/folder, or a path"
        )
    return AzureFolder(account=found[2], container=found[1], path=(found[3] or "").strip("/"))


def endpoint(account: str) -> str | None:
    """Where the account's blob service answers, when that is not Azure (``AZURE_STORAGE_ENDPOINT``: an emulator)."""
    return os.environ.get("AZURE_STORAGE_ENDPOINT") or None


def delta_options(place: Place) -> dict[str, str] | None:
    """What delta-rs needs to open tables in this place; None on this machine."""
    if isinstance(place, Path):
        return None
    from netflix_dagster.azure import access

    options = {"account_name": place.account, **access.delta_options()}
    if url := endpoint(place.account):
        options["azure_storage_endpoint"] = url
        options["allow_http"] = str(url.startswith("http://")).lower()
    return options


def engine_environment() -> dict[str, str]:
    """What the embedded engine needs in its environment, before it starts, to read and write ADLS.

    It takes the account from each URL, the endpoint from the same variable as this module.
    """
    from netflix_dagster.azure import access

    url = os.environ.get("AZURE_STORAGE_ENDPOINT", "")
    return {**access.engine_environment(), **({"AZURE_ALLOW_HTTP": "true"} if url.startswith("http://") else {})}


@lru_cache(maxsize=32)
def _store(account: str, container: str) -> AzureStore:
    from obstore.store import AzureStore

    from netflix_dagster.azure import access

    said: Any = {"container_name": container, "account_name": account, "credential_provider": access.fresh}
    if url := endpoint(account):
        said["endpoint"] = url
        said["client_options"] = {"allow_http": url.startswith("http://")}
    return AzureStore(**said)


@contextmanager
def asked(place: AzureFolder) -> Iterator[None]:
    """Make what goes wrong between here and the storage account a ``StorageError`` that names the place.

    That a file is not there is an answer, not a fault: ``FileNotFoundError`` passes.
    """
    from obstore.exceptions import BaseError

    from netflix_dagster.azure import access

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) and "ContainerNotFound" not in str(error):
            raise
        if nobody := _NOBODY.search(in_short(error)):
            raise StorageError(f"{place}: {nobody[1]}") from error
        if access.refused(error):
            _store.cache_clear()
        raise StorageError(
            f"{place}: {in_short(error)}. No file was harmed. Look whether the account and its container"
            f" {place.container!r} exist, can be reached from here and let this identity in; then do it again"
            " (`netflix-dagster doctor` tells more)"
        ) from error


def in_short(error: Exception) -> str:
    """What a storage service answered, without the pages around it."""
    said = re.sub(r"\x1b\[[0-9;]*m|↳", "", str(error)).partition("\n\nDebug source")[0]
    code = re.search(r"<Code>(.*?)</Code>\s*<Message>([^\n<]*)", said)
    return f"{code[1]}: {code[2]}".rstrip(".") if code else " ".join(said.split())[:500]


def read(place: Place) -> bytes:
    """The bytes of a file. Raises ``FileNotFoundError`` when there is none."""
    if isinstance(place, Path):
        return place.read_bytes()
    with asked(place):
        return bytes(_store(place.account, place.container).get(place.path).bytes())


def size(place: Place) -> int:
    """How many bytes a file has. Raises ``FileNotFoundError`` when there is none."""
    if isinstance(place, Path):
        return place.stat().st_size
    with asked(place):
        return int(_store(place.account, place.container).head(place.path)["size"])


def is_file(place: Place) -> bool:
    """Whether there is such a file."""
    try:
        return place.is_file() if isinstance(place, Path) else size(place) >= 0
    except FileNotFoundError:
        return False


def write(place: Place, data: bytes) -> None:
    """Write a file, whole or not at all, and the folders above it."""
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{place.name}-{uuid4().hex[:8]}")
        try:
            aside.write_bytes(data)
            aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)
        return
    with asked(place):
        _store(place.account, place.container).put(place.path, data)


def folders(place: Place) -> list[str]:
    """The names of the folders right in a place, in order; none when the place does not exist."""
    if isinstance(place, Path):
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []
    with asked(place):
        found = _store(place.account, place.container).list_with_delimiter(_prefix(place))
    return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found["common_prefixes"])


def stored(place: AzureFolder, after: str | None = None) -> Iterator[Stored]:
    """Every file below a folder in ADLS, in order of its path."""
    with asked(place):
        for batch in _store(place.account, place.container).list(_prefix(place), offset=after):
            for meta in batch:
                yield Stored(meta["path"], meta["size"], meta["last_modified"], meta["e_tag"] or "")


def modified(place: Place) -> float:
    """When a folder was last changed, as a Unix time; in ADLS that is when its youngest file was written."""
    if isinstance(place, Path):
        return place.stat().st_mtime
    return max((file.modified.timestamp() for file in stored(place)), default=0.0)


def holds_any(place: Place) -> bool:
    """Whether there is such a folder; in ADLS, whether a file is in it."""
    return place.is_dir() if isinstance(place, Path) else any(stored(place))


def remove(place: Place) -> None:
    """Remove a folder and all that is in it, if it is there."""
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
        return
    with asked(place):
        _store(place.account, place.container).delete([file.path for file in stored(place)])


def _prefix(place: AzureFolder) -> str | None:
    return f"{place.path}/" if place.path else None
