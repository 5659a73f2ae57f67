"""The rows of every attempt as delivered, beside the tables: ``<lake>/_attempts/<source>/<date>/<attempt>.parquet``.

An attempt is written once, at the door, and never changed. Bronze is what of them stands; whatever is under trial, held
or superseded lies here alone, where no reader of the tables sees it. So a verdict may change later, and a table be
built again, though the file has left landing long ago.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster import storage
from netflix_dagster.contracts.bookkeeping import arrow_schema
from netflix_dagster.contracts.contract import Table
from netflix_dagster.deliveries.columns import Seen
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

FOLDER = "_attempts"
_FACTS = b"netflix_dagster"
_LOOKED_UP = 4
_TOGETHER = 8 * 1024 * 1024
"""Bytes of rows that are written together, about as many as the reader gives at once."""
_MOST_PENDING = 200
_ROWS = 8_192
"""So many rows of an attempt are read at once."""
Picked = Mapping[str, str]
"""The attempt of each of some deliveries of one source, by date."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the door found out about an attempt besides its rows: how many, and what its columns look like."""

    records: int
    columns: tuple[Seen, ...] = ()
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    quarantined: int = 0

    def dump(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Facts:
        said = json.loads(text)
        said["columns"] = tuple(Seen(**seen) for seen in said["columns"])
        return cls(**{**said, "unknown": tuple(said["unknown"]), "absent": tuple(said["absent"])})


def place(lake: Place, source: str, key: str, fingerprint: str) -> Place:
    """The file that holds the rows of an attempt."""
    return lake / FOLDER / source / key / f"{fingerprint}.parquet"


def is_kept(lake: Place, source: str, key: str, fingerprint: str) -> bool:
    """Whether the rows of an attempt lie aside; those of a lake of the version before lie in bronze alone."""
    return storage.is_file(place(lake, source, key, fingerprint))


@contextmanager
def writing() -> Iterator[Writer]:
    """Takes the rows of an attempt batch by batch; ``keep`` puts them in their place, else nothing is left of them."""
    with tempfile.TemporaryDirectory(prefix="netflix-attempt-") as folder:
        writer = Writer(Path(folder))
        try:
            yield writer
        finally:
            writer.close()


class Writer:
    """Takes the rows of one attempt. Files of one delivery may differ in their columns, where a table evolves.

    The rows of small files lie together: a row group for each of a thousand files would cost more than its rows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[pa.Schema, Any] = {}
        self._pending: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add some rows, with columns of the bronze table."""
        if self._pending and (batch.schema != self._pending[0].schema or self._bytes + batch.nbytes > _TOGETHER):
            self._flush()
        self._pending.append(batch)
        self._bytes += batch.nbytes
        if len(self._pending) >= _MOST_PENDING:  # each takes some kilobytes besides its rows
            self._pending = self._combined().to_batches()

    def _combined(self) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_batches(self._pending).combine_chunks()

    def _flush(self) -> None:
        import pyarrow.parquet as pq

        if not self._pending:
            return
        rows, self._pending, self._bytes = self._combined(), [], 0
        schema = rows.schema
        if schema not in self._parts:
            file = self._folder / f"{len(self._parts)}.parquet"
            self._parts[schema] = pq.ParquetWriter(file, schema, compression="zstd")
        self._parts[schema].write_table(rows)

    def keep(self, lake: Place, source: str, key: str, fingerprint: str, facts: Facts) -> None:
        """Put the rows in their place, whole or not at all."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._parts and not self._pending:
            self.write(pa.record_batch([pa.array([], pa.int64())], names=["record_number"]))
        self._flush()
        told = {_FACTS.decode(): facts.dump().decode()}
        if len(self._parts) > 1 or not hasattr(pq.ParquetWriter, "add_key_value_metadata"):  # pyarrow 16 has none
            self._join(told)
        else:
            next(iter(self._parts.values())).add_key_value_metadata(told)
        (writer,) = self._parts.values()
        self.close()
        assert isinstance(writer, pq.ParquetWriter)
        storage.put(place(lake, source, key, fingerprint), Path(writer.where))

    def _join(self, told: Mapping[str, str]) -> None:
        """Make one file of those of different columns, with what is told of it."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.close()
        schema = pa.unify_schemas(list(self._parts)).with_metadata(dict(told))
        joined = pq.ParquetWriter(self._folder / "joined.parquet", schema, compression="zstd")
        for part in self._parts.values():
            for batch in pq.ParquetFile(part.where).iter_batches(_ROWS):
                joined.write_table(pa.Table.from_batches([store.completed(batch, schema)]).cast(schema))
        self._parts = {schema.remove_metadata(): joined}

    def close(self) -> None:
        """Let go of the files."""
        for writer in self._parts.values():
            writer.close()


def facts(lake: Place, source: str, key: str, fingerprint: str) -> Facts | None:
    """What is known of an attempt whose rows lie aside; None when they do not."""
    import pyarrow.parquet as pq

    try:
        with storage.opened(place(lake, source, key, fingerprint)) as file:
            said = (pq.ParquetFile(file).metadata.metadata or {}).get(_FACTS)
    except FileNotFoundError:
        return None
    return Facts.load(said) if said else None


def frame(spark: SparkSession, lake: Place, table: Table, picked: Picked) -> DataFrame:
    """The rows of some attempts, with the columns of ``table``, their bronze table.

    An attempt that does not lie aside is one that stands in bronze since before attempts were kept.
    """
    source = table.short_name
    kept = _kept(lake, source, picked)
    aside = {day: attempt for day, attempt in picked.items() if (day, attempt) in kept}
    in_bronze = sorted(set(picked) - set(aside))
    found = store.read(spark, lake, table, in_bronze).select(*table.column_names) if in_bronze else None
    if aside:
        paths = [str(place(lake, source, day, attempt)) for day, attempt in sorted(aside.items())]
        rows = spark.read.schema(store.ddl(table)).parquet(*paths)
        found = rows if found is None else found.unionByName(rows)
    return found if found is not None else store.nothing(spark, table)


def _kept(lake: Place, source: str, picked: Picked) -> set[tuple[str, str]]:
    """Those of some attempts whose rows lie aside: many are looked up in one listing."""
    if len(picked) <= _LOOKED_UP:
        return {(day, attempt) for day, attempt in picked.items() if is_kept(lake, source, day, attempt)}
    files = (file.path for file in storage.stored(lake / FOLDER / source))
    return {(day, name.removesuffix(".parquet")) for day, _, name in (path.partition("/") for path in files)}


def batches(lake: Place, table: Table, picked: Picked) -> Iterator[pa.RecordBatch]:
    """The rows that ``frame`` tells of, some at a time and read without an engine."""
    import pyarrow.parquet as pq

    schema, in_bronze = arrow_schema(table), []
    for day, attempt in sorted(picked.items()):
        try:
            with storage.opened(place(lake, table.short_name, day, attempt)) as file:
                for batch in pq.ParquetFile(file).iter_batches(_ROWS):
                    yield store.completed(batch, schema)
        except FileNotFoundError:
            in_bronze.append(day)
    if in_bronze:
        yield from store.batches(lake, table, deliveries=in_bronze)


def arrow(lake: Place, table: Table, picked: Picked, columns: Sequence[str], where: Any = None) -> pa.Table | None:
    """Some columns of the rows of some attempts, read without an engine; None when there are no such rows."""
    import pyarrow as pa

    found = list(pieces(lake, table, picked, columns, where))
    return pa.concat_tables(found, promote_options="default") if found else None


def pieces(lake: Place, table: Table, picked: Picked, columns: Sequence[str], where: Any = None) -> Iterator[pa.Table]:
    """``arrow``, some rows at a time; attempts may differ in which of the columns they have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source, in_bronze = table.short_name, []
    for day, attempt in sorted(picked.items()):
        try:
            with storage.opened(place(lake, source, day, attempt)) as file:
                rows = pq.ParquetFile(file)
                there = [name for name in columns if name in rows.schema_arrow.names]
                for batch in rows.iter_batches(_ROWS, columns=there):
                    piece = pa.Table.from_batches([batch])
                    piece = piece.filter(where) if where is not None else piece
                    if piece.num_rows:
                        yield piece
        except FileNotFoundError:
            in_bronze.append(day)
    if in_bronze:
        rows = store.read_arrow(lake, table.name, columns=list(columns), where=where, deliveries=in_bronze)
        if rows is not None:
            yield rows
