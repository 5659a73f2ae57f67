"""Tables that this process has open: a build asks for each a dozen times, and to open one takes as long as to read it.

One stays open until its log on this machine ends in another commit, whoever made it. Whoever changes a table opens one
of their own (``store.delta``), so that nobody's table changes in their hands, and may leave it here afterwards.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from netflix_dagster import storage
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from deltalake import DeltaTable

_MOST = 64
Commit = tuple[str, int, int, int]
"""The file of a commit: its name, and what tells it from one of the same name in a table that was made anew."""

_lock = threading.Lock()
_open: OrderedDict[Path, tuple[Commit, DeltaTable]] = OrderedDict()


def table(folder: Place, opened: Callable[[], DeltaTable | None]) -> DeltaTable | None:
    """The table in a folder, opened now unless it is open already; None when it was never written."""
    if not storage.is_local(folder):
        return opened()  # to list the log elsewhere is a round trip, as to open the table is
    commit = _last_commit(folder)  # before it is opened: what is committed meanwhile is seen the next time
    if commit is None:
        return None
    with _lock:
        known = _open.get(folder)
        if known is not None and known[0] == commit:
            _open.move_to_end(folder)
            return known[1]
    found = opened()
    if found is not None:
        _remember(folder, commit, found)
    return found


def keep(folder: Place, written: DeltaTable) -> None:
    """Remember a table that was just written through, unless somebody else has written it since."""
    if storage.is_local(folder):
        commit = _last_commit(folder)
        if commit is not None and commit[0] == f"{written.version():020}.json":
            _remember(folder, commit, written)


def _remember(folder: Path, commit: Commit, found: DeltaTable) -> None:
    with _lock:
        _open[folder] = (commit, found)
        _open.move_to_end(folder)
        if len(_open) > _MOST:
            _open.popitem(last=False)


def _last_commit(folder: Path) -> Commit | None:
    log = folder / "_delta_log"
    try:
        name = max(name for name in os.listdir(log) if name[0].isdigit() and name.endswith((".json", ".parquet")))
        file = (log / name).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return name, file.st_ino, file.st_mtime_ns, file.st_size
