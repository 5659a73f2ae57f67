"""The landing folder: ``<landing>/<source>/<delivery date>/<file>``.

A *delivery* is one source on one date: one or more files. Its fingerprint changes whenever a file is added,
replaced, touched or removed, without reading a byte; that is how "new or changed" is told from "seen".
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

from netflix_dagster.landing.sources import Source, Sources


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file of a delivery. ``problem`` says why it cannot even be opened as a file.

    ``changed_ns`` is when the file itself came to lie there: it tells a replacement of the same size and time.
    """

    path: str
    size: int
    modified_ns: int
    problem: str | None = None
    changed_ns: int = 0

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One source on one date. Key: (source, date)."""

    source: str
    date: str
    files: tuple[LandedFile, ...]

    @property
    def fingerprint(self) -> str:
        """Identity of what lies there now: names, sizes and times of the files."""
        digest = hashlib.sha256()
        for file in self.files:
            times = f"{file.modified_ns}\0{file.changed_ns}"
            digest.update(f"{file.name}\0{file.size}\0{times}\0{file.problem or ''}\n".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a look at the landing folder found: deliveries, and things that are not deliveries."""

    deliveries: tuple[Delivery, ...] = ()
    strays: tuple[str, ...] = field(default=())
    unknown_sources: tuple[str, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """Identity of the whole listing: equal means that nothing has arrived or changed."""
        digest = hashlib.sha256()
        for delivery in self.deliveries:
            digest.update(f"{delivery.source}/{delivery.date}/{delivery.fingerprint}\n".encode())
        return digest.hexdigest()[:16]


def list_landing(landing: Path, sources: Sources, only: Iterable[str] | None = None) -> Listing:
    """Look at the landing folder. ``only`` restricts the look to some sources.

    Names that begin with a dot, an underscore or ``~$`` (the lock of a workbook that somebody has open), and
    ``*.tmp``, ``*.part``, ``*.crc``, are work of others in progress and are passed over. A missing landing folder is
    an empty one.
    """
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
            if not _is_date(day.name):
                strays.append(f"{day.path}: not a delivery date (YYYY-MM-DD)")
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
    """The delivery of one source on one date, as it lies there now; None when nothing does."""
    files, _ = _files(landing / source.name / day, source)
    return Delivery(source.name, day, files) if files else None


def land(landing: Path, file: Path, source: Source, day: str) -> Path:
    """Copy a file into its delivery folder, whole or not at all, and return where it went."""
    if not _is_date(day):
        raise ValueError(f"{day!r} is not a delivery date: write it as YYYY-MM-DD")
    if not fnmatch(file.name, source.files):
        raise ValueError(f"{file.name}: the files of {source.name} are called {source.files}; rename the file first")
    if _passed_over(file.name):
        raise ValueError(f"{file.name}: files of this name are passed over as unfinished; rename the file first")
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
        return LandedFile(entry.path, 0, folder_changed, f"cannot be read: {error.strerror or error}")
    problem = None
    if stat.S_ISDIR(info.st_mode):
        problem = "is a directory where a file should be"
    elif not stat.S_ISREG(info.st_mode):
        problem = "is not an ordinary file (a pipe, socket or device)"
    elif not os.access(entry.path, os.R_OK):
        problem = "cannot be read: permission denied"
    size = info.st_size if problem is None else 0
    return LandedFile(entry.path, size, info.st_mtime_ns, problem, info.st_ctime_ns)


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
        if _passed_over(entry.name):
            continue
        if not _is_utf8(entry.name):
            shown = os.fsencode(entry.path).decode("utf-8", "backslashreplace")
            strays.append(f"{shown}: its name is not UTF-8; rename it")
            continue
        yield entry


def _passed_over(name: str) -> bool:
    return name.startswith((".", "_", "~$")) or name.endswith((".tmp", ".part", ".crc"))


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


def _is_date(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def _changed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
