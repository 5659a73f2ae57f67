"""The upkeep of the lake, through delta-rs on every engine: the layout of the contracts, compaction, retention.

Tables that a contract wants clustered are put in Z-order: rows are rewritten, and no reader needs to know more of Delta
than before. Databricks' liquid clustering is not used, see ``docs/decisions/0037-layout-without-liquid-clustering.md``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Contract, Layout
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from deltalake import DeltaTable

ABANDONED_AFTER = 24 * 3600
"""Seconds after which what is still in staging belongs to a process that was killed."""
SAFE_HOURS = 24
"""A file younger than this may belong to a commit that a running build is about to make, or to a query that reads."""
_CLUSTERED = "clusteredBy"
_PROBES = 32
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Done:
    """What upkeep did to one table: files joined or put in order, and files removed. A typical query asks for one value
    of the first column that the table is clustered by: so many files it opened before and opens now, on average."""

    compacted: int
    removed: int
    files: int = 0
    read_before: float = 0
    read_now: float = 0
    clustered_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.compacted} files compacted, {self.removed} removed, {self.files} left"
        if not self.clustered_by:
            return said
        return (
            f"{said}; a query for one {self.clustered_by[0]} opens {self.read_now:.1f} files ({self.read_before:.1f}"
            " before)"
        )


class UnsafeRetention(ValueError):
    """Files were to be removed that somebody may still be writing or reading."""


class NotMaintained(RuntimeError):
    """Some tables could not be kept in shape; the others are."""


def maintain(lake: Place, retention_hours: int | None = None, *, nobody_works: bool = False) -> dict[str, Done]:
    """Lay out every table of the lake as its contract says, and remove files that no version within the retention
    needs: that of the contract, if none is given.

    A retention below ``SAFE_HOURS`` is refused, unless the caller knows that nobody reads or writes the lake.
    """
    if retention_hours is not None and retention_hours < SAFE_HOURS and not nobody_works:
        raise UnsafeRetention(
            f"nothing was done: a retention of {retention_hours} hours could remove files that a build is writing or a"
            f" query is reading. Keep {SAFE_HOURS} hours, or say that nobody works with the lake"
        )
    clear_staging(lake)
    done: dict[str, Done] = {}
    failed: dict[str, Exception] = {}
    for name in [f"{layer}.{short}" for layer in store.LAYERS for short in store.tables(lake, layer)]:
        try:
            done[name] = _afresh(lake, name, retention_hours)
        except Exception as error:
            failed[name] = error
    if failed:
        said = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise NotMaintained(
            f"{len(failed)} tables are not kept in shape, {len(done)} are: {said}. Their rows are as they were, and"
            " upkeep can be run again"
        ) from next(iter(failed.values()))
    return done


def _afresh(lake: Place, name: str, retention_hours: int | None) -> Done:
    """The upkeep of one table. The token that a table is opened with may end while its files are rewritten: then it is
    opened again, once."""
    contracts: Mapping[str, Contract] = {**TABLES, **BOOKKEEPING}
    for attempt in range(_ATTEMPTS):
        try:
            return _maintain(lake, name, contracts.get(name), retention_hours)
        except Exception:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _maintain(lake: Place, name: str, contract: Contract | None, retention_hours: int | None) -> Done:
    delta = store.delta(lake, name)
    if delta is None:
        return Done(0, 0)
    layout = store.layout_of(contract) if contract else Layout()
    if contract:
        _say(delta, contract, layout)
    known = {field.name for field in delta.schema().fields}
    by = [column for column in layout.cluster_by if column in known]
    before = _opened(delta, by)
    unordered = bool(by) and not _is_clustered(lake, name, by)
    changed = store.retrying(partial(_join, delta, layout, by if unordered else []))
    delta.update_incremental()
    hours = layout.keep_hours if retention_hours is None else retention_hours
    removed = delta.vacuum(hours, dry_run=False, enforce_retention_duration=False)
    files = len(delta.file_uris())
    return Done(int(changed["numFilesRemoved"]), len(removed), files, before, _opened(delta, by), tuple(by))


def _say(delta: DeltaTable, contract: Contract, layout: Layout) -> None:
    """Give a table the properties and the description of its contract, where they differ."""
    known = delta.metadata()
    if wanted := {name: said for name, said in layout.properties.items() if known.configuration.get(name) != said}:
        store.retrying(partial(delta.alter.set_table_properties, wanted))
    if known.description != contract.comment:
        store.retrying(partial(delta.alter.set_table_description, contract.comment))


def _join(delta: DeltaTable, layout: Layout, by: list[str]) -> dict[str, Any]:
    """Join small files, or put all rows in order of ``by``."""
    from deltalake import CommitProperties

    if not by or len(delta.file_uris()) < 2:
        return delta.optimize.compact(target_size=layout.file_bytes)
    note = CommitProperties(custom_metadata={_CLUSTERED: ",".join(by)})
    return delta.optimize.z_order(by, target_size=layout.file_bytes, commit_properties=note)


def _is_clustered(lake: Place, name: str, by: list[str]) -> bool:
    """Whether no row was written since the table was put in this order."""
    for commit in store.commits(lake, name):
        if commit.get(_CLUSTERED) == ",".join(by):
            return True
        if not store.keeps_rows(commit):
            return False
    return False


def _opened(delta: DeltaTable, by: list[str]) -> float:
    """How many files a query for one value of the first of these columns opens, on average: as many as may hold it,
    by the least and greatest values that Delta's log knows of each file."""
    import pyarrow as pa

    if not by:
        return float(len(delta.file_uris()))
    actions: Any = pa.table(delta.get_add_actions(flatten=True))
    least, greatest = (f"{which}.{by[0]}" for which in ("min", "max"))
    if not {least, greatest} <= set(actions.column_names):
        return float(actions.num_rows)
    ranges = list(zip(actions[least].to_pylist(), actions[greatest].to_pylist(), strict=True))
    known = sorted({value for range_ in ranges for value in range_ if value is not None})
    asked = known[:: max(1, len(known) // _PROBES)]
    opened = sum(low is None or low <= value <= high for value in asked for low, high in ranges)
    return opened / len(asked) if asked else float(len(ranges))


def clear_staging(lake: Place) -> None:
    """Remove what killed processes left in staging, once nobody can be using it any more."""
    folder = lake / store.STAGING
    for aside in [folder / name for name in storage.folders(folder)]:
        if time.time() - storage.modified(aside) > ABANDONED_AFTER:
            storage.remove(aside)
