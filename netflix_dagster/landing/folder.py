"""A landing folder of this machine: ``<landing>/<source>/<delivery date>/<file>``."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from netflix_dagster.landing.keys import is_key
from netflix_dagster.landing.listing import Delivery, LandedFile, Listing, misdated, passed_over
from netflix_dagster.landing.sources import Source, Sources


def list_landing(landing: Path, sources: Sources, only: Iterable[str] | None = None) -> Listing:
    """Every delivery in the folder. A missing folder is an empty one."""
    wanted = set(only) if only is not None else None
    deliveries: list[Delivery] = []
    strays: list[str] = []
    unknown: list[str] = []
    for entry in _entries(landing, strays):
        source = sources.sources.get(entry.name)
        if source is None:
            (unknown if _is_dir(entry) else strays).append(entry.path)
            continue
        if wanted is not None and source.name not in wanted:
            continue
        if not _is_dir(entry):
            strays.append(f"{entry.path}: a file where the folder of a source should be")
            continue
        for day in _entries(Path(entry.path), strays):
            if reason := misdated(day.name, source.every):
                strays.append(f"{day.path}: {reason}")
            elif not _is_dir(day):
                strays.append(f"{day.path}: a file where the folder of a delivery should be")
            else:
                files, odd = _files(Path(day.path), source)
                strays += odd
                if files:
                    deliveries.append(Delivery(source.name, day.name, files))
    deliveries.sort(key=lambda d: (d.date, d.source))
    return Listing(tuple(deliveries), tuple(strays), tuple(unknown))


def delivery_at(landing: Path, source: Source, day: str) -> Delivery | None:
    """The delivery of one source on one date."""
    if not is_key(day, source.every):
        return None
    files, _ = _files(landing / source.name / day, source)
    return Delivery(source.name, day, files) if files else None


def land(landing: Path, file: Path, source: Source, day: str) -> Path:
    """Copy a file into its delivery folder, under another name until it is whole."""
    folder = landing / source.name / day
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        shutil.copyfile(file, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _files(folder: Path, source: Source) -> tuple[tuple[LandedFile, ...], list[str]]:
    files: list[LandedFile] = []
    strays: list[str] = []
    folder_changed = _changed_ns(folder)
    for entry in _entries(folder, strays):
        if not fnmatch(entry.name, source.files):
            strays.append(f"{entry.path}: not one of {source.name}'s files ({source.files})")
            continue
        files.append(_landed(entry, folder_changed))
    return tuple(files), strays


def _landed(entry: os.DirEntry[str], folder_changed: int) -> LandedFile:
    try:
        info = entry.stat()
    except OSError as error:
        why = f"cannot be read: {error.strerror or error}"
        return LandedFile(entry.path, 0, folder_changed, _mark(folder_changed, 0), why)
    problem = None
    if stat.S_ISDIR(info.st_mode):
        problem = "is a directory where a file should be"
    elif not stat.S_ISREG(info.st_mode):
        problem = "is not an ordinary file (a pipe, socket or device)"
    elif not os.access(entry.path, os.R_OK):
        problem = "cannot be read: permission denied"
    size = info.st_size if problem is None else 0
    return LandedFile(entry.path, size, info.st_mtime_ns, _mark(info.st_mtime_ns, info.st_ctime_ns), problem)


def _mark(written_ns: int, came_ns: int) -> str:
    return f"{written_ns}\0{came_ns}"


def _entries(folder: Path, strays: list[str]) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        strays.append(f"{folder}: cannot be read: {error.strerror or error}")
        return
    for entry in entries:
        if passed_over(entry.name):
            continue
        if not _is_utf8(entry.name):
            shown = os.fsencode(entry.path).decode("utf-8", "backslashreplace")
            strays.append(f"{shown}: its name is not UTF-8; rename it")
            continue
        yield entry


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
