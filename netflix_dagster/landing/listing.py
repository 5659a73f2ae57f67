"""The listing of a landing folder: deliveries, their files, and what is neither.

A *delivery* is one source on one date: one or more files. Its fingerprint changes whenever a file is added, replaced,
touched or removed; it is made without reading a byte, and tells a new or changed delivery from a known one.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch

from netflix_dagster.landing.keys import FORM, Every, is_key, parts
from netflix_dagster.landing.sources import Source


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file of a delivery. ``problem`` says why it cannot even be opened as a file.

    ``modified_ns`` is when it was last written, as a Unix time in nanoseconds. ``mark`` changes with every write, also
    with a replacement of the same size and time: an etag, or the times at which the file was written and moved there.
    """

    path: str
    size: int
    modified_ns: int
    mark: str
    problem: str | None = None

    @property
    def name(self) -> str:
        return os.path.basename(self.path)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One source on one date, with the hour where the feed delivers by the hour. Key: (source, date)."""

    source: str
    date: str
    files: tuple[LandedFile, ...]

    @property
    def fingerprint(self) -> str:
        """Identity of the files as they are now: names, sizes and marks."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name}\0{file.size}\0{file.mark}\0{file.problem or ''}\n".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Listing:
    """The deliveries of the landing folder, and things in it that are not deliveries.

    ``waiting`` are files that are still being written: they are not part of their delivery yet.
    """

    deliveries: tuple[Delivery, ...] = ()
    strays: tuple[str, ...] = ()
    unknown_sources: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Identity of the whole listing: while it is equal, nothing has arrived or changed."""
        digest = hashlib.sha256()
        for delivery in self.deliveries:
            digest.update(f"{delivery.source}/{delivery.date}/{delivery.fingerprint}\n".encode())
        return digest.hexdigest()[:16]


def passed_over(name: str) -> bool:
    """Whether listings leave out files of this name, as unfinished or not for us: hidden ones, ``_``, ``~$`` (the lock
    of a workbook that somebody has open), ``*.tmp``, ``*.part``, ``*.crc``."""
    return name.startswith((".", "_", "~$")) or name.endswith((".tmp", ".part", ".crc"))


FIRST_YEAR = 1997
"""The year in which Netflix was founded. A delivery dated earlier, or later than ``_AHEAD``, is a mistake."""
_AHEAD = timedelta(days=366)
"""A report may be filed under the end of the year that it is about."""


def misdated(name: str, every: Every = "day") -> str | None:
    """Why a folder of this name holds no delivery of a feed; None when it is a plausible date."""
    if not is_key(name):
        return f"not a delivery date ({FORM[every]})"
    if not is_key(name, every):
        found = {
            "day": "a delivery of an hour, and this feed delivers by the day",
            "hour": "a delivery of a day, and this feed delivers by the hour",
        }
        return f"{found[every]}; rename the folder to {FORM[every]}"
    day, _ = parts(name)
    if day.year < FIRST_YEAR:
        return f"a delivery cannot be from before {FIRST_YEAR}; rename the folder to the date that is meant"
    if day > datetime.now(UTC).date() + _AHEAD:
        return "a delivery cannot be from more than a year ahead; rename the folder to the date that is meant"
    return None


def check_landing(name: str, source: Source, day: str) -> None:
    """Raise ``ValueError`` when a file of this name could not be a file of that delivery."""
    if not is_key(day):
        raise ValueError(f"{day!r} is not a delivery date: write it as {FORM[source.every]}")
    if reason := misdated(day, source.every):
        raise ValueError(f"{day}: {reason.replace('rename the folder to', 'write')}")
    if not fnmatch(name, source.files):
        raise ValueError(f"{name}: the files of {source.name} are called {source.files}; rename the file first")
    if passed_over(name):
        raise ValueError(f"{name}: files of this name are passed over as unfinished; rename the file first")
