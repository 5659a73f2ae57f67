"""Azure Data Lake Storage Gen2. A place is an ``AzureFolder``, written as an ``abfss://`` URL.

It uses obstore, which is also the object store of delta-rs and of the embedded engine: one implementation of names,
retries and identity for all three. The edge of the process sets the credentials once (``open_with``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from netflix_dagster.storage.backend import LeasedError, StorageError, Stored, UnlistableError, in_short

if TYPE_CHECKING:
    from obstore.store import AzureCredential, AzureStore

_ABFSS = re.compile(r"abfss?://([^@/]+)@([^./]+)\.dfs\.core\.windows\.net(?:/(.*))?", re.DOTALL)
_NOBODY = re.compile(r"credential provider: \w+: (.*)")
"""The message of our own credential provider, inside an error of obstore, when it has no credentials."""
ENDPOINT = "AZURE_STORAGE_ENDPOINT"
"""The variable that names where blobs are, when that is not Azure: an emulator."""
ZONE = "{zone}"
"""Stands for the container in the place of a lake that has a container for each zone."""
CONTAINERS = {
    "quality": "quarantine",
    "_staging": "checkpoints/_staging",
    "_attempts": "bronze/_attempts",
    "_locks": "checkpoints/_locks",
}
"""Zones that lie in a container of another name, or in a folder of it."""


@dataclass(frozen=True, slots=True)
class AzureFolder:
    """A folder of a container of a storage account, or the container itself: ``abfss://``.

    In the place of a lake the container may be ``{zone}``: then each zone (bronze, silver, gold, quality, staging) has
    a container of its own, and the first ``/`` chooses it.
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


class Credentials(Protocol):
    """The credentials with which this process opens its storage accounts, in the form that each client needs; see
    ``azure.access.Access``.

    They hold references to secrets and no secret, so they may be sent to the workers of an engine.
    """

    def fresh(self) -> AzureCredential:
        """For obstore, which calls this again whenever they expire."""
        ...

    def delta_options(self) -> dict[str, str]:
        """For delta-rs, for as long as a table is open."""
        ...

    def sdk(self, account: str) -> Any:
        """For clients of Azure's SDK."""
        ...

    def spark_options(self, host: str) -> dict[str, str]:
        """For Spark's driver of ``abfss://``."""
        ...

    def engine_environment(self) -> dict[str, str]:
        """For the embedded engine, as variables of its environment."""
        ...

    def refused(self, error: BaseException) -> bool:
        """Whether the error is a refusal of access; if so, cached secrets are dropped."""
        ...


_credentials: Credentials | None = None


def open_with(credentials: Credentials | None) -> None:
    """Set the credentials with which this process opens storage accounts: once, at its edge, before it opens one.

    Accounts that were opened with other credentials are opened anew. None unsets them.
    """
    global _credentials
    _credentials = credentials
    _store.cache_clear()


def opened_with() -> Credentials | None:
    """The credentials of this process; None when nobody has set them."""
    return _credentials


def credentials(of: object) -> Credentials:
    """The credentials of this process, for the account ``of``. Raises ``StorageError`` when nobody has set them."""
    if _credentials is None:
        raise StorageError(
            f"{of}: this process has no credentials for storage accounts, so it opened none. Call"
            " netflix_dagster.azure.access.connect(settings) once, where the process begins"
        )
    return _credentials


def refused(error: BaseException) -> bool:
    """Whether the error is a refusal of access; the next attempt then opens the account anew."""
    if _credentials is None or not _credentials.refused(error):
        return False
    _store.cache_clear()
    return True


class Adls:
    """Storage accounts with or without a hierarchical namespace, and emulators of them."""

    kind = AzureFolder
    form = "abfss://container@account.dfs.core.windows.net/folder"
    is_local = False
    lists_in_order = True
    has_events = True

    def place(self, text: str) -> AzureFolder | None:
        found = _ABFSS.fullmatch(text)
        return AzureFolder(found[2], found[1], (found[3] or "").strip("/")) if found else None

    def as_name(self, place: AzureFolder) -> str:
        return re.sub(r"\W+", "-", f"{place.account}/{place.container}/{place.path}").strip("-")

    @contextmanager
    def asked(self, place: AzureFolder) -> Iterator[None]:
        """``FileNotFoundError`` passes, because a missing file is an answer and no fault."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) and "ContainerNotFound" not in str(error):
                raise
            raise _as_storage_error(place, error) from error

    def read(self, place: AzureFolder) -> bytes:
        with self.asked(place):
            return bytes(_at(place).get(place.path).bytes())

    def size(self, place: AzureFolder) -> int:
        with self.asked(place):
            return int(_at(place).head(place.path)["size"])

    def is_file(self, place: AzureFolder) -> bool:
        try:
            return self.size(place) >= 0
        except FileNotFoundError:
            return False

    def write(self, place: AzureFolder, data: bytes) -> None:
        with self.asked(place):
            _at(place).put(place.path, data)

    def pieces(self, place: AzureFolder, least: int) -> Generator[bytes]:
        with self.asked(place):
            for piece in _at(place).get(place.path).stream(min_chunk_size=least):
                yield bytes(piece)

    def last_byte(self, place: AzureFolder) -> None:
        return None

    @contextmanager
    def opened(self, place: AzureFolder) -> Iterator[Any]:
        """The file is fetched whole."""
        import pyarrow as pa

        yield pa.BufferReader(self.read(place))

    def put(self, place: AzureFolder, file: Path) -> None:
        with self.asked(place):
            _at(place).put(place.path, file)

    def create(self, place: AzureFolder, data: bytes) -> str | None:
        from obstore.exceptions import AlreadyExistsError

        with self.asked(place):
            try:
                return _at(place).put(place.path, data, mode="create")["e_tag"]
            except AlreadyExistsError:
                return None

    def tag(self, place: AzureFolder) -> str | None:
        try:
            with self.asked(place):
                return str(_at(place).head(place.path)["e_tag"])
        except FileNotFoundError:
            return None

    def swap(self, place: AzureFolder, data: bytes, tag: str) -> str | None:
        from obstore.exceptions import PreconditionError

        with self.asked(place):
            try:
                return _at(place).put(place.path, data, mode={"e_tag": tag})["e_tag"]
            except (PreconditionError, FileNotFoundError):
                return None

    def modified_file(self, place: AzureFolder) -> float:
        with self.asked(place):
            return float(_at(place).head(place.path)["last_modified"].timestamp())

    def remove_file(self, place: AzureFolder) -> None:
        with self.asked(place), suppress(FileNotFoundError):
            _at(place).delete([place.path])

    def folders(self, place: AzureFolder) -> list[str]:
        with self.asked(place):
            found = _at(place).list_with_delimiter(_prefix(place) or None)
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found["common_prefixes"])

    def stored(self, place: AzureFolder, after: str | None) -> Iterator[Stored]:
        above = _prefix(place)
        with self.asked(place):
            for batch in _at(place).list(above or None, offset=f"{above}{after}" if after else None):
                for meta in batch:
                    path = meta["path"].removeprefix(above)
                    if after and path <= after:
                        continue  # an endpoint may pass over what a listing is to start from
                    yield Stored(path, meta["size"], meta["last_modified"], meta["e_tag"] or "")

    def modified(self, place: AzureFolder) -> float:
        """When its youngest file was written: a folder has no time of its own here."""
        return max((file.modified.timestamp() for file in self.stored(place, None)), default=0.0)

    def remove(self, place: AzureFolder) -> None:
        from netflix_dagster.storage import hierarchy

        if hierarchy.remove(place):
            return
        with self.asked(place):
            above = _prefix(place)
            _at(place).delete([f"{above}{file.path}" for file in self.stored(place, None)])

    def delta_options(self, place: AzureFolder) -> dict[str, str]:
        options = {"account_name": place.account, **credentials(place).delta_options()}
        if url := _endpoint():
            options["azure_storage_endpoint"] = url
            options["allow_http"] = str(url.startswith("http://")).lower()
        return options

    def spark_options(self, place: AzureFolder) -> dict[str, str]:
        host = f"{place.account}.dfs.core.windows.net"
        config = credentials(place).spark_options(host)
        if url := _endpoint():
            config |= {
                "fs.azure.abfs.endpoint": urlsplit(url).netloc,  # the driver adds the account itself
                "fs.azure.always.use.https": str(url.startswith("https://")).lower(),
                # an emulator has the blob endpoint only, and no folders
                "fs.azure.account.hns.enabled": "false",
                "fs.azure.fns.account.service.type": "BLOB",
                "fs.azure.ingress.service.type": "BLOB",
                "fs.azure.networking.library": "JDK_HTTP_URL_CONNECTION",
            }
        return config

    def engine_environment(self, place: AzureFolder) -> dict[str, str]:
        """The engine takes the account from each URL, and the endpoint from the same variable as this module."""
        plain = {"AZURE_ALLOW_HTTP": "true"} if (_endpoint() or "").startswith("http://") else {}
        return {**credentials(place).engine_environment(), **plain}


def _as_storage_error(place: AzureFolder, error: Exception) -> StorageError:
    """The error to raise for one of obstore."""
    from obstore.exceptions import InvalidPathError, PreconditionError

    answer = in_short(error)
    if nobody := _NOBODY.search(answer):
        return StorageError(f"{place}: {nobody[1]}")
    refused(error)
    message = (
        f"{place}: {answer}. No file was harmed. Look whether the account and its container {place.container!r} exist,"
        " can be reached from here and let this identity in; then do it again (`netflix-dagster doctor` tells more)"
    )
    if isinstance(error, InvalidPathError):
        return UnlistableError(message, str(error).partition("\n\nDebug")[0].replace("\n", "\\n"))
    return LeasedError(message) if isinstance(error, PreconditionError) else StorageError(message)


def elsewhere() -> bool:
    """Whether storage accounts are not in Azure: an emulator stands in for them."""
    return _endpoint() is not None


def _endpoint() -> str | None:
    """Where blobs are, when that is not Azure."""
    return os.environ.get(ENDPOINT) or None


def _at(place: AzureFolder) -> AzureStore:
    credentials(place)
    return _store(place.account, place.container)


@lru_cache(maxsize=32)
def _store(account: str, container: str) -> AzureStore:
    from obstore.store import AzureStore

    provider = credentials(account).fresh
    options: Any = {"container_name": container, "account_name": account, "credential_provider": provider}
    if url := _endpoint():
        options["endpoint"] = url
        options["client_options"] = {"allow_http": url.startswith("http://")}
    return AzureStore(**options)


def _prefix(place: AzureFolder) -> str:
    return f"{place.path}/" if place.path else ""
