"""Rows kept aside while they are judged: computed once by an engine, then read by the engine or by Arrow.

To ask an engine costs tens of milliseconds whatever is asked; Arrow counts rows of the same files in a few. What a
killed process leaves in ``<lake>/_staging`` is harmless; maintenance removes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.lake import bounded
from netflix_dagster.lake.store import STAGING
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.dataset import Dataset
    from pyspark.sql import Column, DataFrame

_PIECE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Staged:
    """Rows that lie aside: as a DataFrame of the engine that computed them, and as an Arrow dataset."""

    name: str
    read: Callable[[], DataFrame]
    dataset: Dataset

    @cached_property
    def frame(self) -> DataFrame:
        """The rows for the engine. Many tables are never read by it again: it would look into the files in vain."""
        return self.read()

    @property
    def column_names(self) -> list[str]:
        return list(self.dataset.schema.names)

    def count(self) -> int:
        """How many rows there are; the files say it, none is read."""
        return int(self.dataset.count_rows())

    def rows(self, columns: Sequence[str] | None = None, where: Any = None) -> pa.Table:
        """Some columns of the rows."""
        return bounded.rows(self.dataset, self.name, None if columns is None else list(columns), where)

    def batches(self, columns: Sequence[str], where: Any = None) -> Iterator[pa.RecordBatch]:
        """Some columns of the rows, some rows at a time."""
        yield from self.dataset.to_batches(columns=list(columns), filter=where, batch_readahead=1, fragment_readahead=1)


@contextmanager
def staged(frame: DataFrame, lake: Place, name: str, goes: Sequence[Column] = ()) -> Iterator[Staged]:
    """The rows of a frame, computed once and kept aside until the work with them is done: at once, or in several goes,
    those of each condition by themselves."""
    from pyarrow.dataset import dataset

    aside = lake / STAGING / f"{name}-{uuid.uuid4().hex[:12]}"
    try:
        for rows in [frame.where(these) for these in goes] or [frame]:
            rows.write.mode("append").option("compression", "snappy").parquet(str(aside))
        with at_hand(aside) as files:
            if files:
                read = partial(frame.sparkSession.read.parquet, str(aside))
                yield Staged(name, read, dataset(files, format="parquet"))
            else:  # Sail writes no file when there is no row
                schema = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in frame.schema.fields)
                nothing = frame.sparkSession.createDataFrame([], schema)
                yield Staged(name, lambda: nothing, dataset(nothing.toArrow()))
    finally:
        with suppress(storage.StorageError):
            storage.remove(aside)


@contextmanager
def at_hand(folder: Place) -> Iterator[list[str]]:
    """The Parquet files of a folder on this machine; those that lie elsewhere are fetched to a folder beside."""
    names = [file.path for file in storage.stored(folder) if file.path.endswith(".parquet")]
    if storage.is_local(folder):
        yield [str(folder / name) for name in names]
        return
    with TemporaryDirectory(prefix="netflix-staged-") as here:
        fetched = [Path(here) / f"{n}.parquet" for n in range(len(names))]
        for name, file in zip(names, fetched, strict=True):
            with file.open("wb") as copy:
                copy.writelines(storage.pieces(folder / name, _PIECE))
        yield list(map(str, fetched))
