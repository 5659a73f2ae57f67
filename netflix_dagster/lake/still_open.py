"""Tables that stay open while a build works with them.

To open a Delta table costs what its files are in number (20 ms of the processor for 1,000), to bring an open one up to
date next to nothing, and a build looks at some tables ten times. Only tables of this machine stay open: what opens one
in ADLS is a token, which may end before the build does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from netflix_dagster import storage
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from deltalake import DeltaTable

_lock = Lock()
_builds = 0
_open: dict[str, DeltaTable] = {}


@contextmanager
def tables() -> Iterator[None]:
    """Keep the tables open that ``newest`` is asked for, until the last build that works here ends."""
    global _builds
    with _lock:
        _builds += 1
    try:
        yield
    finally:
        with _lock:
            _builds -= 1
            if not _builds:
                _open.clear()


def newest(place: Place, opened: Callable[[], DeltaTable]) -> DeltaTable:
    """The table at a place as it is now. Whoever wants it at another version opens it for himself."""
    if not _builds or not storage.is_local(place):
        return opened()
    with _lock:
        found = _open.pop(str(place), None)  # one that cannot be brought up to date is opened anew the next time
        if found is None:
            found = opened()
        else:
            found.update_incremental()
        _open[str(place)] = found
        return found


def held(place: Place) -> DeltaTable | None:
    """The table at a place as it was when it was last asked for, where it stays open."""
    return _open.get(str(place))


def forget(place: Place) -> None:
    """A table is not there any more: what comes in its place is another."""
    with _lock:
        _open.pop(str(place), None)
