"""Folders of this machine. A place is a ``pathlib.Path``."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from netflix_dagster.storage.backend import Stored


class Folders:
    """The file system of this machine. It needs no options and no identity, and an engine finds it by itself."""

    kind = Path
    form = "a path"
    is_local = True
    lists_in_order = False
    has_events = False

    def place(self, text: str) -> Path | None:
        """Any text that is no URL, made absolute."""
        return None if "://" in text else Path(text).expanduser().absolute()

    def as_name(self, place: Path) -> str:
        return re.sub(r"\W+", "-", str(place)).strip("-")

    def asked(self, place: Path) -> AbstractContextManager[None]:
        return nullcontext()

    def read(self, place: Path) -> bytes:
        return place.read_bytes()

    def size(self, place: Path) -> int:
        return place.stat().st_size

    def is_file(self, place: Path) -> bool:
        return place.is_file()

    def pieces(self, place: Path, least: int) -> Generator[bytes]:
        with place.open("rb", buffering=0) as file:
            while piece := file.read(least):
                yield piece

    def last_byte(self, place: Path) -> bytes:
        with place.open("rb", buffering=0) as file:
            file.seek(max(file.seek(0, os.SEEK_END) - 1, 0))
            return file.read(1)

    @contextmanager
    def opened(self, place: Path) -> Iterator[Any]:
        import pyarrow as pa

        with pa.OSFile(str(place)) as file:
            yield file

    def write(self, place: Path, data: bytes) -> None:
        with _whole(place) as aside:
            aside.write_bytes(data)

    def put(self, place: Path, file: Path) -> None:
        with _whole(place) as aside:
            shutil.copyfile(file, aside)

    def create(self, place: Path, data: bytes) -> str | None:
        with _alone(place.parent):
            if place.exists():
                return None
            self.write(place, data)
            return self.tag(place)

    def tag(self, place: Path) -> str | None:
        try:
            return _tag(place.stat())
        except FileNotFoundError:
            return None

    def swap(self, place: Path, data: bytes, tag: str) -> str | None:
        with _alone(place.parent):
            if self.tag(place) != tag:
                return None
            self.write(place, data)
            return self.tag(place)

    def modified_file(self, place: Path) -> float:
        return place.stat().st_mtime

    def remove_file(self, place: Path) -> None:
        place.unlink(missing_ok=True)

    def folders(self, place: Path) -> list[str]:
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir()) if place.is_dir() else []

    def stored(self, place: Path, after: str | None) -> Iterator[Stored]:
        for name in sorted(_files(place)):
            if after is None or name > after:
                try:
                    info = (place / name).stat()
                except FileNotFoundError:  # another process removed it in the meantime
                    continue
                yield Stored(name, info.st_size, datetime.fromtimestamp(info.st_mtime, UTC), _tag(info))

    def modified(self, place: Path) -> float:
        return place.stat().st_mtime

    def remove(self, place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)

    def delta_options(self, place: Path) -> None:
        return None

    def spark_options(self, place: Path) -> dict[str, str]:
        return {}

    def engine_environment(self, place: Path) -> dict[str, str]:
        return {}


@contextmanager
def _whole(place: Path) -> Iterator[Path]:
    """A file beside the place, renamed to the place when it is written: readers see all of it or nothing."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}-{uuid4().hex[:8]}")
    try:
        yield aside
        aside.replace(place)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes that compare and write in it. The lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _tag(info: os.stat_result) -> str:
    return f"{info.st_ino}-{info.st_mtime_ns}-{info.st_ctime_ns}"


def _files(folder: Path) -> Iterator[str]:
    for root, _, names in os.walk(folder):
        below = Path(root).relative_to(folder)
        yield from ((below / name).as_posix() for name in names)
