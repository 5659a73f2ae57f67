"""The protocol of a storage backend, and the errors that it raises."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar


class Place(Protocol):
    """A folder or a file of some storage. ``str`` names it, as people and engines write it; ``/`` goes into it."""

    @property
    def name(self) -> str:
        """The last part of the place."""
        ...

    def __truediv__(self, name: str, /) -> Self:
        """The place of this name in this folder."""
        ...


P = TypeVar("P", bound=Place)


class PlaceError(ValueError):
    """A text names no place where files can lie; the message says how one is written."""


class StorageError(RuntimeError):
    """A storage failed to read or write; the message says what to look at."""


class UnlistableError(StorageError):
    """A folder cannot be listed, because one name in it is no path (``a//b``, a line break). ``reason`` says which."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class LeasedError(StorageError):
    """Somebody holds a lease on the file, so it cannot be replaced. It is as it was and can be read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of a listing. Key: ``path``, below the folder that was listed.

    ``size`` is in bytes, ``modified`` when the file was last written (UTC). ``mark`` changes with every write of the
    file and costs nothing to ask for: an etag, or the times that this machine keeps.
    """

    path: str
    size: int
    modified: datetime
    mark: str


class Storage(Protocol[P]):
    """One kind of storage: every operation on a place that differs between kinds of places.

    A further kind of storage needs a module with such an object, and an entry in ``storage.BACKENDS``. It raises errors
    of its service as ``StorageError``, and ``FileNotFoundError`` for a missing file.
    """

    kind: type[P]
    """The type of this storage's places."""
    form: str
    """How people write such a place."""
    is_local: bool
    """Whether files can be opened by their path on this machine."""
    lists_in_order: bool
    """Whether a listing comes in order of the names and can begin at a name, at no cost for earlier ones."""
    has_events: bool
    """Whether the storage puts an event for each new file into a queue."""

    def place(self, text: str) -> P | None:
        """The place that a text names, or None when it names none of this kind."""
        ...

    def as_name(self, place: P) -> str:
        """The place as one name that a folder of this machine can have."""
        ...

    def asked(self, place: P) -> AbstractContextManager[None]:
        """Around work on a place: raises errors of the service as a ``StorageError`` that names the place."""
        ...

    def read(self, place: P) -> bytes: ...

    def size(self, place: P) -> int: ...

    def is_file(self, place: P) -> bool: ...

    def pieces(self, place: P, least: int) -> Generator[bytes]: ...

    def last_byte(self, place: P) -> bytes | None: ...

    def opened(self, place: P) -> AbstractContextManager[Any]: ...

    def write(self, place: P, data: bytes) -> None: ...

    def put(self, place: P, file: Path) -> None: ...

    def create(self, place: P, data: bytes) -> str | None: ...

    def tag(self, place: P) -> str | None: ...

    def swap(self, place: P, data: bytes, tag: str) -> str | None: ...

    def modified_file(self, place: P) -> float: ...

    def remove_file(self, place: P) -> None: ...

    def folders(self, place: P) -> list[str]: ...

    def stored(self, place: P, after: str | None) -> Iterator[Stored]: ...

    def modified(self, place: P) -> float: ...

    def remove(self, place: P) -> None: ...

    def delta_options(self, place: P) -> dict[str, str] | None: ...

    def spark_options(self, place: P) -> dict[str, str]: ...

    def engine_environment(self, place: P) -> dict[str, str]: ...


def in_short(error: Exception) -> str:
    """The answer of a storage service in one line."""
    text = re.sub(r"\x1b\[[0-9;]*m|↳", "", str(error)).partition("\n\nDebug source")[0]
    code = re.search(r"<Code>(.*?)</Code>\s*<Message>([^\n<]*)", text)
    return f"{code[1]}: {code[2]}".rstrip(".") if code else " ".join(text.split())[:500]
