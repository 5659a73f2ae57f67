"""The upkeep of the lake, through delta-rs on every engine: compaction, clean-up, retention."""

from __future__ import annotations

import time
from dataclasses import dataclass

from netflix_dagster import storage
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

ABANDONED_AFTER = 24 * 3600
"""Seconds after which what is still in staging belongs to a process that was killed."""


@dataclass(frozen=True, slots=True)
class Done:
    """What upkeep did to one table."""

    compacted: int
    removed: int

    def __str__(self) -> str:
        return f"{self.compacted} files compacted, {self.removed} removed"


def maintain(lake: Place, retention_hours: int = 168) -> dict[str, Done]:
    """Compact every table of the lake and remove files that no version within the retention needs."""
    clear_staging(lake)
    done = {}
    for name in [f"{layer}.{short}" for layer in store.LAYERS for short in store.tables(lake, layer)]:
        delta = store.delta(lake, name)
        if delta is None:
            continue
        compacted = store.retrying(delta.optimize.compact)
        delta.update_incremental()
        removed = delta.vacuum(retention_hours, dry_run=False, enforce_retention_duration=False)
        done[name] = Done(int(compacted["numFilesRemoved"]), len(removed))
    return done


def clear_staging(lake: Place) -> None:
    """Remove what killed processes left in staging, once nobody can be using it any more."""
    folder = lake / store.STAGING
    for aside in [folder / name for name in storage.folders(folder)]:
        if time.time() - storage.modified(aside) > ABANDONED_AFTER:
            storage.remove(aside)
