"""A landing folder in an object store, such as ADLS Gen2: ``<landing>/<source>/<delivery date>/<file>``.

Names decide what is a delivery, a stray or passed over, as on this machine. Two things differ:

- **A file that is still being written.** Put Blob, Put Block List and a copy appear whole, at once. The DFS endpoint
  (create, append, flush) shows a file of no bytes from its creation to its first flush: such a file waits
  (``Listing.waiting``) and is no part of its delivery. A writer that flushes in between shows a part of the file; it
  should write under a name that is passed over and rename the file, which is one step with a hierarchical namespace.
  Otherwise the door evaluates the part as a file, and later the whole file, which has another etag.
- **Folders.** With a hierarchical namespace they are listed as folders, without one as files of no bytes (written by
  Hadoop and Azure's tools): neither is a file of a delivery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from netflix_dagster.landing.listing import Delivery, LandedFile, Listing, misdated, passed_over
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import (
    LeasedError,
    Place,
    StorageError,
    Stored,
    UnlistableError,
    folders,
    is_file,
    stored,
    write,
)

_AT_ONCE = 8
"""The folders that are listed at the same time, at most."""


class _Found:
    """Sorts the blobs of a listing into deliveries, strays and files that wait."""

    def __init__(self, landing: Place, sources: Mapping[str, Source]) -> None:
        self.landing, self.sources = landing, sources
        self.files: dict[tuple[str, str], dict[str, LandedFile]] = {}
        self.strays: dict[str, None] = {}
        self.unknown: dict[str, None] = {}
        self.waiting: list[str] = []

    def add(self, blob: Stored) -> None:
        names = blob.path.split("/")
        if any(passed_over(name) for name in names[:3]):
            return
        source = self.sources.get(names[0])
        folder = blob.size == 0
        if source is None:
            known = self.strays if len(names) == 1 and not folder else self.unknown
            known[str(self.landing / names[0])] = None
        elif len(names) == 1:
            if not folder:
                self._stray(names, "a file where the folder of a source should be")
        elif reason := misdated(names[1], source.every):
            self._stray(names[:2], reason)
        elif len(names) == 2:
            if not folder:
                self._stray(names, "a file where the folder of a delivery should be")
        elif not fnmatch(names[2], source.files):
            self._stray(names[:3], f"not one of {source.name}'s files ({source.files})")
        elif len(names) == 3 and folder:
            self.waiting.append(self._path(names))
        else:
            self._file(names, blob)

    def _file(self, names: list[str], blob: Stored) -> None:
        files = self.files.setdefault((names[0], names[1]), {})
        changed = int(blob.modified.timestamp() * 1_000_000_000)
        path = self._path(names[:3])
        if len(names) == 3:
            files[names[2]] = LandedFile(path, blob.size, changed, blob.mark)
        else:
            files[names[2]] = LandedFile(path, 0, changed, blob.mark, "is a directory where a file should be")

    def _path(self, names: list[str]) -> str:
        return f"{self.landing}/{'/'.join(names)}"

    def _stray(self, names: list[str], why: str) -> None:
        self.strays[f"{self._path(names)}: {why}"] = None

    def listing(self) -> Listing:
        deliveries = [
            Delivery(source, day, tuple(files[name] for name in sorted(files)))
            for (source, day), files in sorted(self.files.items(), key=lambda item: item[0][::-1])
        ]
        return Listing(tuple(deliveries), tuple(self.strays), tuple(self.unknown), tuple(self.waiting))


def list_landing(landing: Place, sources: Mapping[str, Source], only: Iterable[str] | None = None) -> Listing:
    """Every delivery, by one listing of all files (a request for each 5,000), or one listing for each of ``only``."""
    return _look(landing, sources, [""] if only is None else sorted(only))


def list_since(landing: Place, sources: Mapping[str, Source], since: str) -> Listing:
    """The deliveries of some sources from a date on: a request for each source, however many are older."""
    return _look(landing, sources, sorted(sources), since)


def deliveries_at(landing: Place, sources: Mapping[str, Source], places: Iterable[tuple[str, str]]) -> Listing:
    """The deliveries of some (source, date), as they are now: a request for each, whatever else is there."""
    return _look(landing, sources, [f"{source}/{day}" for source, day in sorted(set(places))])


def land(landing: Place, file: Path, source: Source, day: str) -> Place:
    """Upload a file into its delivery folder: it appears whole, and replaces one of the same name."""
    target = landing / source.name / day / file.name
    data = file.read_bytes()
    try:
        write(target, data)
    except LeasedError as error:
        raise LeasedError(
            f"{target}: somebody holds a lease on this file, so it cannot be replaced, and {file} was not landed. The"
            " file in its place is as it was and can be read. Land it again when the writer is done, or break the lease"
        ) from error
    return target


def _look(landing: Place, sources: Mapping[str, Source], parts: list[str], since: str | None = None) -> Listing:
    """The listing of some folders of the landing folder; ``""`` is all of it."""
    found = _Found(landing, sources)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for blobs, strays in pool.map(partial(_list, landing, since=since), parts):
            for blob in blobs:
                found.add(blob)
            found.strays.update(dict.fromkeys(strays))
    return found.listing()


def _list(landing: Place, below: str, since: str | None = None) -> tuple[list[Stored], list[str]]:
    """The files below a folder of the landing folder, from a name on, and the folders that cannot be listed.

    One name that cannot be a path (``a//b``, or with a line break) fails a whole listing. The folders are then listed
    one by one, so that it hides only the files beside it.
    """
    place = landing / below if below else landing
    try:
        return [_below(below, file) for file in stored(place, since)], []
    except UnlistableError as error:
        reason = error.reason
    except StorageError:
        if (file := _file_above(landing, below)) is None:
            raise
        return [], [f"{file}: a file where a folder should be"]
    try:
        inner = folders(place)
    except UnlistableError:
        inner = []
    blobs: list[Stored] = []
    strays: list[str] = []
    for name in (name for name in inner if not since or name >= since):
        more, odd = _list(landing, f"{below}/{name}" if below else name)
        blobs += more
        strays += odd
    return blobs, strays or [
        f"{place}: cannot be listed, for one name in it is none: {reason}; rename or delete that file"
    ]


def _file_above(landing: Place, below: str) -> Place | None:
    """The file that stands where a folder on the way to a place should be: with a hierarchical namespace to list below
    it is an error, without one there is nothing."""
    place = landing
    for name in filter(None, below.split("/")):
        place = place / name
        if is_file(place):
            return place
    return None


def _below(folder: str, file: Stored) -> Stored:
    return replace(file, path=f"{folder}/{file.path}") if folder else file
