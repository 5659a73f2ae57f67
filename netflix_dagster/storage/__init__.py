"""Places that hold files: folders of this machine, and folders in Azure Data Lake Storage Gen2.

``/`` joins a place with a name, ``str`` writes it. Every operation that differs between kinds of storage is a function
here, which calls the backend of the place (``of``); no other module asks what kind a place is. A further kind is one
module with a ``backend.Storage``, and its entry in ``BACKENDS``. ``lake.store`` reads and writes Delta tables, with the
``delta_options`` of this module.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster.storage.adls import ZONE, Adls, AzureFolder
from netflix_dagster.storage.backend import (
    LeasedError,
    Place,
    PlaceError,
    Storage,
    StorageError,
    Stored,
    UnlistableError,
    in_short,
)
from netflix_dagster.storage.folder import Folders

if TYPE_CHECKING:
    from typing_extensions import TypeIs

__all__ = [
    "BACKENDS",
    "ZONE",
    "AzureFolder",
    "LeasedError",
    "Place",
    "PlaceError",
    "Storage",
    "StorageError",
    "Stored",
    "UnlistableError",
    "in_short",
]

BACKENDS: list[Storage[Any]] = [Adls(), Folders()]
"""Every kind of storage. The first whose ``place`` accepts a text gets it."""


def of(place: Place) -> Storage[Any]:
    """The backend of a place."""
    for backend in BACKENDS:
        if isinstance(place, backend.kind):
            return backend
    raise PlaceError(f"{place!r} is no place: {_how()}")


def at(text: str | Place) -> Place:
    """The place that a text names: an ``abfss://`` URL, or a path of this machine, which is made absolute."""
    if not isinstance(text, str) and not is_local(text):
        return text
    for backend in BACKENDS:
        found: Place | None = backend.place(str(text))
        if found is not None:
            return found
    raise PlaceError(f"{text!r} is no place: {_how()}")


def _how() -> str:
    return f"write {', or '.join(backend.form for backend in BACKENDS)}"


def is_local(place: Place) -> TypeIs[Path]:
    """Whether files of this place can be opened by their path on this machine."""
    return of(place).is_local


def lists_in_order(place: Place) -> bool:
    """Whether a listing of this place is in order of the names and can begin at a name, at no cost for earlier ones."""
    return of(place).lists_in_order


def has_events(place: Place) -> TypeIs[AzureFolder]:
    """Whether the storage of this place puts an event for each new file into a queue; so far only Event Grid does."""
    return of(place).has_events


def as_name(place: Place) -> str:
    """The place as one name that a folder of this machine can have."""
    return of(place).as_name(place)


def asked(place: Place) -> AbstractContextManager[None]:
    """Around work on a place by another client: raises errors of the storage as a ``StorageError`` with the place.
    ``FileNotFoundError`` passes, because a missing file is an answer and no fault."""
    return of(place).asked(place)


def read(place: Place) -> bytes:
    """The bytes of a file. Raises ``FileNotFoundError`` when there is none."""
    return of(place).read(place)


def size(place: Place) -> int:
    """How many bytes a file has. Raises ``FileNotFoundError`` when there is none."""
    return of(place).size(place)


def is_file(place: Place) -> bool:
    """Whether there is such a file."""
    return of(place).is_file(place)


def write(place: Place, data: bytes) -> None:
    """Write a file, whole or not at all, and the folders above it."""
    of(place).write(place, data)


def pieces(place: Place, least: int) -> Generator[bytes]:
    """The bytes of a file in pieces of about ``least`` bytes. Raises ``FileNotFoundError`` when there is none."""
    return of(place).pieces(place, least)


def last_byte(place: Place) -> bytes | None:
    """The last byte of a file, b"" of an empty one; None where reading it costs a round trip."""
    return of(place).last_byte(place)


def opened(place: Place) -> AbstractContextManager[Any]:
    """A file, opened by Arrow for reading. Raises ``FileNotFoundError`` when there is none.

    It is not opened by Python: a thread of Arrow that calls back into Python aborts a process at its exit.
    """
    return of(place).opened(place)


def put(place: Place, file: Path) -> None:
    """Put a file of this machine into a place, whole or not at all. A backend may move the file."""
    of(place).put(place, file)


def create(place: Place, data: bytes) -> str | None:
    """Write a file unless there is one already. Returns its ``tag``, or None when it was not written."""
    return of(place).create(place, data)


def tag(place: Place) -> str | None:
    """A text that changes with every write of the file; None when there is no such file."""
    return of(place).tag(place)


def swap(place: Place, data: bytes, tag: str) -> str | None:
    """Write a file if it still has this ``tag``. Returns its new tag, or None when somebody else wrote it before."""
    return of(place).swap(place, data, tag)


def modified_file(place: Place) -> float:
    """When a file was written last, as a Unix time. Raises ``FileNotFoundError`` when there is none."""
    return of(place).modified_file(place)


def remove_file(place: Place) -> None:
    """Remove one file, if it is there."""
    of(place).remove_file(place)


def folders(place: Place) -> list[str]:
    """The names of the folders directly in a place, in order; none when the place does not exist."""
    return of(place).folders(place)


def stored(place: Place, after: str | None = None) -> Iterator[Stored]:
    """Every file below a folder, in order of its path; only those whose path comes after ``after``, if it is given.

    None when the folder does not exist. Raises ``UnlistableError`` when one name in it is not a path.
    """
    return of(place).stored(place, after)


def modified(place: Place) -> float:
    """When a folder was last changed, as a Unix time; without folders, when the youngest file below was written."""
    return of(place).modified(place)


def holds_any(place: Place, *endings: str) -> bool:
    """Whether a file lies below this folder, whose name has one of the endings if some are given."""
    return any(not endings or file.path.endswith(endings) for file in stored(place))


def remove(place: Place) -> None:
    """Remove a folder and all that is in it, if it is there."""
    of(place).remove(place)


def delta_options(place: Place) -> dict[str, str] | None:
    """What delta-rs needs to open tables in this place; None on this machine."""
    return of(place).delta_options(place)


def spark_options(place: Place) -> dict[str, str]:
    """The properties that a session of Apache Spark needs to read and write this place."""
    return of(place).spark_options(place)


def engine_environment(*places: Place) -> dict[str, str]:
    """What the embedded engine needs in its environment, before it starts, to read and write these places."""
    return {name: value for place in places for name, value in of(place).engine_environment(place).items()}
