"""The DFS endpoint of accounts with a hierarchical namespace, where folders are things of their own.

Deleting every blob of a folder leaves the folder there, and each name below it costs a request; the DFS endpoint
removes it with one. An account without such a namespace, one whose DFS endpoint cannot be reached from here (some
networks open the blob endpoint only) and emulators have none: then ``is_there`` is false, and there are blobs only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from netflix_dagster.storage import adls
from netflix_dagster.storage.backend import StorageError

if TYPE_CHECKING:
    from azure.storage.filedatalake import DataLakeDirectoryClient

    from netflix_dagster.storage.adls import AzureFolder

ENDPOINT = "AZURE_STORAGE_DFS_ENDPOINT"
"""The variable that names the DFS endpoint of an emulator that has one."""
_QUICKLY: dict[str, Any] = {"retry_total": 1, "connection_timeout": 5}


def is_there(place: AzureFolder) -> bool:
    """Whether the account of a place has folders of their own that can be reached."""
    return _has_folders(place.account, place.container)


def remove(place: AzureFolder) -> bool:
    """Remove a folder and all that is in it. False when the account has no such folders: nothing was done."""
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    if not place.path or not is_there(place):
        return False
    try:
        with _client(place) as folder, suppress(ResourceNotFoundError):
            folder.delete_directory()
    except AzureError as error:
        raise StorageError(
            f"{place}: {error.message.splitlines()[0]}. The folder is there, with all or some of its files. Look"
            " whether this identity may delete in the container; then do it again"
        ) from error
    return True


def rename(place: AzureFolder, to: AzureFolder) -> None:
    """Give a folder of an account with folders another name, in the same container."""
    with _client(place) as folder:
        folder.rename_directory(f"{to.container}/{to.path}").close()


def folders(place: AzureFolder) -> list[str]:
    """The paths of the folders below a place; none where there are no folders of their own, or no such place."""
    from azure.core.exceptions import ResourceNotFoundError

    if not is_there(place):
        return []
    try:
        with _service(place.account) as service:
            found = service.get_file_system_client(place.container).get_paths(place.path or None)
            return [path.name for path in found if path.is_directory]
    except ResourceNotFoundError:
        return []


@lru_cache(maxsize=32)
def _has_folders(account: str, container: str) -> bool:
    """Asked once, as Spark's driver asks: only a folder that is a thing of its own has a list of who may do what."""
    if _endpoint(account) is None:
        return False
    from azure.core.exceptions import AzureError

    try:
        with _service(account) as service:
            service.get_file_system_client(container).get_directory_client("/").get_access_control()
    except AzureError:
        return False
    return True


def _endpoint(account: str) -> str | None:
    if adls.elsewhere():
        return os.environ.get(ENDPOINT) or None
    return f"https://{account}.dfs.core.windows.net"


def _service(account: str) -> Any:
    from azure.storage.filedatalake import DataLakeServiceClient

    return DataLakeServiceClient(str(_endpoint(account)), adls.credentials(account).sdk(account), **_QUICKLY)


def _client(place: AzureFolder) -> DataLakeDirectoryClient:
    from azure.storage.filedatalake import DataLakeDirectoryClient

    url, credential = _endpoint(place.account), adls.credentials(place).sdk(place.account)
    return DataLakeDirectoryClient(str(url), place.container, place.path, credential, **_QUICKLY)
