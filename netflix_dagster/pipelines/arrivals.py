"""Reads the landing folder as a stream of files: the rows of those that can be read, the faults of the others.

The parser is that of Dagster's bronze, so the rows are the same. The stream reads a path once; it does not see a file
that replaces another before a full refresh.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.bookkeeping import QUARANTINE
from netflix_dagster.contracts.contract import Table
from netflix_dagster.deliveries.quarantine import WRITTEN, refused_schema
from netflix_dagster.files.parsed import ParsedFile, Refusal
from netflix_dagster.files.reading import Reading, open_bytes
from netflix_dagster.lake.store import ddl
from netflix_dagster.landing.keys import as_columns
from netflix_dagster.landing.listing import misdated, passed_over
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Batches = Iterable["pa.RecordBatch"]
_FILE = "path string, modificationTime timestamp, length bigint, content binary"
_ALWAYS = "36500d"
"""How much older than the newest file a file may be; the default is a week."""
REFUSED = ", ".join(f"{column.name} {column.type}" for column in QUARANTINE.columns if column.name not in WRITTEN)
"""The columns of the pipeline's quarantine: those of ``quality.quarantine`` but for what the writer adds."""


def files(spark: SparkSession, landing: Place, source: Source, auto_loader: bool) -> DataFrame:
    """The files of a source as they land, each once: by Auto Loader on Databricks, else by Spark's file stream."""
    reader = spark.readStream.option("pathGlobFilter", source.files)
    if auto_loader:
        reader = reader.format("cloudFiles").option("cloudFiles.format", "binaryFile")
    else:
        reader = reader.format("binaryFile").option("maxFileAge", _ALWAYS)
    return reader.schema(_FILE).load(f"{landing}/{source.name}/*").select("path", "content")


def rows(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """The rows of the files for bronze. A refused file has none."""
    from netflix_dagster.tables.bronze import completed

    def accepted(batches: Batches) -> Iterator[pa.RecordBatch]:
        now = datetime.now(UTC)
        for day, reading in _arrived(batches, source):
            records = list(reading)
            file = reading.result
            if not file.refusals:
                yield from (completed(batch, day, file.hash, now, None) for batch in records)

    return arrived.mapInArrow(accepted, ddl(table))


def refusals(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """Every fault of the refused files, and the records of others that are set aside, as rows of the quarantine."""
    return arrived.mapInArrow(_refuser(table.name, source), REFUSED)


def _refuser(table_name: str, source: Source) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    def refused(batches: Batches) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = refused_schema()
        for day, reading in _arrived(batches, source):
            file = reading.result
            where = {"table_name": table_name, **as_columns(day), "source": source.name}
            found = [{**where, **_described(file, refusal)} for refusal in (*file.refusals, *file.quarantined)]
            yield pa.RecordBatch.from_pylist(found, schema=schema)

    return refused


def _described(file: ParsedFile, refusal: Refusal) -> dict[str, Any]:
    return {
        "source_file": os.path.basename(file.path),
        "record_number": refusal.record,
        "line_number": refusal.line,
        "raw": refusal.raw,
        "rules": [refusal.rule],
        "reasons": [refusal.reason],
        "hints": [refusal.hint],
    }


def _arrived(batches: Batches, source: Source) -> Iterator[tuple[str, Reading]]:
    """The readings of the files that belong to deliveries, each with the key of its delivery."""
    for batch in batches:
        for path, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            folder, name = os.path.split(path)
            day = os.path.basename(folder)
            if not misdated(day, source.every) and not passed_over(name):
                yield day, open_bytes(content, source, path)
