"""What a look at the landing folder finds: deliveries, their files, and what is neither.

A *delivery* is one source on one date: one or more files. Its fingerprint changes whenever a file is added,
replaced, touched or removed, without reading a byte; that is how "new or changed" is told from "seen".
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch

from netflix_dagster.landing.sources import Source


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file of a delivery. ``problem`` says why it cannot even be opened as a file.

    What tells a replacement of the same size and time: on this machine ``changed_ns``, when the file itself came to
    lie there; in ADLS its ``etag``, which every write changes.
    """

    path: str
    size: int
    modified_ns: int
    problem: str | None = None
    changed_ns: int = 0
    etag: str = ""

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
        """Identity of what lies there now: names, sizes and times (in ADLS: etags) of the files."""
        digest = hashlib.sha256()
        for file in self.files:
            written = file.etag or f"{file.modified_ns}\0{file.changed_ns}"
            digest.update(f"{file.name}\0{file.size}\0{written}\0{file.problem or ''}\n".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a look at the landing folder found: deliveries, and things that are not deliveries.

    ``waiting`` are files that are still being written: they are not part of their delivery yet.
    """

    deliveries: tuple[Delivery, ...] = ()
    strays: tuple[str, ...] = ()
    unknown_sources: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Identity of the whole listing: equal means that nothing has arrived or changed."""
        digest = hashlib.sha256()
        for delivery in self.deliveries:
            digest.update(f"{delivery.source}/{delivery.date}/{delivery.fingerprint}\n".encode())
        return digest.hexdigest()[:16]


def passed_over(name: str) -> bool:
    """Whether a name is work of others in progress: hidden, ``_``, ``~$`` (the lock of a workbook that somebody has
    open), ``*.tmp``, ``*.part``, ``*.crc``."""
    return name.startswith((".", "_", "~$")) or name.endswith((".tmp", ".part", ".crc"))


def is_date(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def check_landing(name: str, source: Source, day: str) -> None:
    """Raise ``ValueError`` when a file of this name could not be taken for a file of that delivery."""
    if not is_date(day):
        raise ValueError(f"{day!r} is not a delivery date: write it as YYYY-MM-DD")
    if not fnmatch(name, source.files):
        raise ValueError(f"{name}: the files of {source.name} are called {source.files}; rename the file first")
    if passed_over(name):
        raise ValueError(f"{name}: files of this name are passed over as unfinished; rename the file first")
