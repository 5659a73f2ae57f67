"""DBFS and the Files API (volumes, workspace files), over a folder of this machine.

Refusals are those of the REST reference: "DBFS" (a block has at most 1 MB, ``RESOURCE_ALREADY_EXISTS``, a folder is
deleted with what is in it only when that is said), "Files" (``NOT_FOUND``, a directory that is not empty stays).
"""

from __future__ import annotations

import base64
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netflix_dagster_tests.emulators.databricks.errors import Refused, invalid, missing

MOST_PUT = 1024 * 1024
"""Bytes that ``dbfs/put`` and one block take at the most."""


@dataclass
class Files:
    """``dbfs:/x`` lies in ``<root>/dbfs/x``, ``/Volumes/x`` in ``<root>/Volumes/x``."""

    root: Path
    open_files: dict[int, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Where a path of Databricks lies here."""
        name = name.removeprefix("dbfs:")
        if not name.startswith("/") or ".." in name.split("/"):
            raise invalid(f"Path must be absolute: {name}")
        inside = name if name.startswith(("/Volumes/", "/Workspace/")) else f"/dbfs{name.removeprefix('/dbfs')}"
        return self.root / inside.lstrip("/")

    def dbfs(self, method: str, verb: str, said: dict[str, Any]) -> dict[str, Any]:
        """One call of ``/api/2.0/dbfs/<verb>``."""
        if verb in ("add-block", "close"):
            return self._stream(verb, said)
        name = said.get("path", "")
        path = self.path(name)
        if (method, verb) == ("POST", "mkdirs"):
            path.mkdir(parents=True, exist_ok=True)
            return {}
        if (method, verb) == ("POST", "put"):
            content = base64.b64decode(said.get("contents", ""))
            if len(content) > MOST_PUT:
                raise Refused(400, "MAX_BLOCK_SIZE_EXCEEDED", f"The maximum size is {MOST_PUT} bytes")
            self._create(path, name, said).write_bytes(content)
            return {}
        if (method, verb) == ("POST", "create"):
            handle = len(self.open_files) + 1
            self.open_files[handle] = self._create(path, name, said)
            self.open_files[handle].write_bytes(b"")
            return {"handle": handle}
        if (method, verb) == ("POST", "delete"):
            return self._delete(path, bool(said.get("recursive")), name)
        if not path.exists():
            raise missing(f"No file or directory exists on path {name}.")
        if (method, verb) == ("GET", "get-status"):
            return self._status(path, name)
        if (method, verb) == ("GET", "list"):
            found = sorted(path.iterdir()) if path.is_dir() else []
            return {"files": [self._status(entry, f"{name.rstrip('/')}/{entry.name}") for entry in found]}
        if (method, verb) == ("GET", "read"):
            if path.is_dir():
                raise invalid(f"{name} is a directory")
            start, most = int(said.get("offset", 0)), int(said.get("length", MOST_PUT))
            part = path.read_bytes()[start : start + most]
            return {"bytes_read": len(part), "data": base64.b64encode(part).decode()}
        raise missing(f"No API found for '{method} /dbfs/{verb}'")

    def api(self, method: str, kind: str, name: str, content: bytes, overwrite: bool) -> bytes | dict[str, Any]:
        """One call of ``/api/2.0/fs/<files or directories><path>``."""
        path, what = self.path(name), (method, kind)
        if what == ("PUT", "directories"):
            path.mkdir(parents=True, exist_ok=True)
            return {}
        if what == ("PUT", "files"):
            self._create(path, name, {"overwrite": overwrite}).write_bytes(content)
            return {}
        if not (path.is_dir() if kind == "directories" else path.is_file()):
            raise Refused(404, "NOT_FOUND", f"The {kind[:-1].replace('ie', 'y')} being accessed is not found: {name}")
        if method == "HEAD":
            return {}
        if method == "DELETE":
            if kind == "directories" and any(path.iterdir()):
                raise invalid(f"The directory is not empty: {name}")
            path.rmdir() if kind == "directories" else path.unlink()
            return {}
        if what == ("GET", "files"):
            return path.read_bytes()
        return {
            "contents": [
                {"name": entry.name, "path": f"{name}/{entry.name}", "is_directory": entry.is_dir()}
                for entry in sorted(path.iterdir())
            ]
        }

    def _create(self, path: Path, name: str, said: dict[str, Any]) -> Path:
        if path.exists() and not said.get("overwrite"):
            raise Refused(400, "RESOURCE_ALREADY_EXISTS", f"A file or directory already exists: {name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _stream(self, verb: str, said: dict[str, Any]) -> dict[str, Any]:
        path = self.open_files.get(int(said.get("handle", 0)))
        if path is None:
            raise missing(f"Handle {said.get('handle')} does not exist.")
        if verb == "close":
            self.open_files.pop(int(said["handle"]))
        else:
            with path.open("ab") as file:
                file.write(base64.b64decode(said.get("data", "")))
        return {}

    def _delete(self, path: Path, recursive: bool, name: str) -> dict[str, Any]:
        if path.is_dir():
            if any(path.iterdir()) and not recursive:
                raise Refused(400, "IO_ERROR", f"{name} is a non-empty directory; set recursive to delete it")
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        return {}

    def _status(self, path: Path, name: str) -> dict[str, Any]:
        info = path.stat()
        size = 0 if path.is_dir() else info.st_size
        return {
            "path": name.removeprefix("dbfs:"),
            "is_dir": path.is_dir(),
            "file_size": size,
            "modification_time": int(info.st_mtime * 1000),
        }
