"""The DFS endpoint of an account with a hierarchical namespace, in front of Azurite, which has blobs only.

It follows "Path" in the REST reference of Data Lake Storage Gen2: folders come into being with the first file in them
and stay when all their blobs are deleted through the blob endpoint; delete is recursive; rename takes a whole folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from azure.storage.blob import BlobServiceClient, ContainerClient

from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite
from netflix_dagster_tests.emulators.faulty import Door
from netflix_dagster_tests.emulators.serving import Asked, Said, serving


@dataclass
class Hierarchy:
    """The folders of the account, as container and path. ``door`` is the way to the blobs: it has seen every write."""

    account: Azurite
    door: Door
    removed: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def folders(self, container: str) -> set[str]:
        """The folders that are there: those of every blob ever written, but for what was deleted here since."""
        found: dict[str, None] = {}
        for request in self.door.seen:
            method, _, path = request.partition(" ")
            where = unquote(urlsplit(path).path).removeprefix(f"/{ACCOUNT}/")
            if method == "PUT" and where.startswith(f"{container}/"):
                for parent in list(PurePosixPath(where).parents)[:-2]:
                    found[str(parent).removeprefix(f"{container}/")] = None
        return {folder for folder in found if f"{container}/{folder}" not in self.removed}

    def answer(self, asked: Asked) -> Said:
        container, _, path = unquote(asked.path).strip("/").removeprefix(f"{ACCOUNT}/").partition("/")
        self.asked.append(f"{asked.method} {container}/{path}")
        with BlobServiceClient(self.account.blob_url, credential=KEY) as service:
            blobs = service.get_container_client(container)
            if asked.method == "HEAD" and asked.query.get("action") == "getAccessControl":
                return Said(200, b"", {"x-ms-owner": "$superuser", "x-ms-group": "$superuser", "x-ms-acl": "user::rwx"})
            if asked.method == "GET" and asked.query.get("resource") == "filesystem":
                return self._list(container, asked.query.get("directory", ""))
            if asked.method == "DELETE":
                return self._delete(container, path, blobs)
            if source := asked.headers.get("x-ms-rename-source"):
                return self._rename(container, unquote(source.split("?")[0]).strip("/"), path, blobs)
        return _error(400, "UnsupportedRestVersion")

    def _list(self, container: str, folder: str) -> Said:
        there = sorted(name for name in self.folders(container) if not folder or name.startswith(f"{folder}/"))
        if folder and folder not in self.folders(container):
            return _error(404, "PathNotFound")
        return Said.json({"paths": [{"name": name, "isDirectory": "true"} for name in there]})

    def _delete(self, container: str, path: str, blobs: ContainerClient) -> Said:
        below = [blob.name for blob in blobs.list_blobs(f"{path}/")]
        if not below and path not in self.folders(container):
            return _error(404, "PathNotFound")
        for name in below:
            blobs.delete_blob(name)
        gone = {path, *(name for name in self.folders(container) if name.startswith(f"{path}/"))}
        self.removed |= {f"{container}/{name}" for name in gone}
        return Said(200, b"", {})

    def _rename(self, container: str, source: str, path: str, blobs: ContainerClient) -> Said:
        old = source.partition("/")[2]
        for blob in list(blobs.list_blobs(f"{old}/")):
            blobs.upload_blob(path + blob.name.removeprefix(old), blobs.download_blob(blob.name).readall())
        self._delete(container, old, blobs)
        return Said(201, b"", {})


def _error(status: int, code: str) -> Said:
    return Said.json({"error": {"code": code, "message": code}}, status, x_ms_error_code=code)


@contextmanager
def hierarchy(account: Azurite, door: Door) -> Iterator[tuple[Hierarchy, str]]:
    """The folders of an account, and the address of their endpoint."""
    found = Hierarchy(account, door)
    with serving(found.answer) as port:
        yield found, f"http://127.0.0.1:{port}/{ACCOUNT}"
