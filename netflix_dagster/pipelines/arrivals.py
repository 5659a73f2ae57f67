"""Reads the landing folder as a stream of files: the rows of those that can be read, the faults of the others.

The parser is that of Dagster's bronze, so the rows are the same, and what a file has that its source does not name is
in ``rescued_data``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.bookkeeping import QUARANTINE
from netflix_dagster.contracts.contract import Table
from netflix_dagster.deliveries.quarantine import WRITTEN, refused_schema
from netflix_dagster.files.parsed import ParsedFile, Refusal
from netflix_dagster.files.reading import open_bytes
from netflix_dagster.lake.store import ddl
from netflix_dagster.landing.keys import as_columns
from netflix_dagster.landing.listing import misdated, passed_over
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Batches = Iterable["pa.RecordBatch"]
FILE = "path string, modificationTime timestamp, length bigint, content binary"
LARGEST = 128 * 1024**2
"""Bytes of a file that a pipeline reads. ``binaryFile`` brings a file whole into the memory of a worker, several copies
of it are made there, and serverless compute gives a Python function 1 GB ("Serverless compute limitations")."""
MODIFIED = "modified"
"""The column that tells versions of a file apart: when it was written."""
_ALWAYS = "36500d"
"""How much older than the newest file a file may be; the default is a week."""
_QUARANTINED = [f"{column.name} {column.type}" for column in QUARANTINE.columns if column.name not in WRITTEN]
REFUSED = ", ".join([*_QUARANTINED, f"{MODIFIED} timestamp"])
"""The columns of refused files: those of ``quality.quarantine``, without what the writer adds, and the version."""


def files(spark: SparkSession, landing: Place, source: Source, auto_loader: bool) -> DataFrame:
    """The files of a source as they land: by Auto Loader on Databricks, else by Spark's file stream.

    Auto Loader brings a file again that is replaced under its name, and may bring one version twice ("Auto Loader
    FAQ"); ``newest`` tells them apart. Spark's file stream brings each path once.
    """
    reader = spark.readStream.option("pathGlobFilter", source.files)
    if auto_loader:
        reader = reader.format("cloudFiles").option("cloudFiles.format", "binaryFile")
        reader = reader.option("cloudFiles.allowOverwrites", "true")
    else:
        reader = reader.format("binaryFile").option("maxFileAge", _ALWAYS)
    return reader.schema(FILE).load(f"{landing}/{source.name}/*")


def rows(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """The rows of the files for bronze, and when each file was written. A refused file has none."""
    from netflix_dagster.tables.bronze import completed

    def accepted(batches: Batches) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for day, reading, modified in _arrived(batches, source):
            records = list(reading)
            file, now = reading.result, datetime.now(UTC)
            if not file.refusals:
                for batch in records:
                    whole = completed(batch, day, file.hash, now, None)
                    times = pa.repeat(pa.scalar(modified, pa.timestamp("us", "UTC")), whole.num_rows)
                    yield pa.RecordBatch.from_arrays([*whole.columns, times], [*whole.schema.names, MODIFIED])

    return _small(arrived).mapInArrow(accepted, landed_ddl(table))


def landed_ddl(table: Table) -> str:
    """The columns of what a stream reads for a bronze table."""
    return f"{ddl(table)}, `{MODIFIED}` timestamp"


def refusals(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """Every fault of the refused files, and the records of others that are set aside, as rows of the quarantine."""
    from pyspark.sql import functions as F

    large = arrived.where(F.col("length") > LARGEST)
    without = large.select("path", "modificationTime", "length", F.lit(None).cast("binary").alias("content"))
    return _small(arrived).unionByName(without).mapInArrow(_refuser(table.name, source), REFUSED)


def _small(arrived: DataFrame) -> DataFrame:
    """The files that a worker can hold. The condition is on what is known of a file before it is opened."""
    return arrived.where(f"length <= {LARGEST}").select("path", "modificationTime", "length", "content")


def _refuser(table_name: str, source: Source) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    def refused(batches: Batches) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = refused_schema().append(pa.field(MODIFIED, pa.timestamp("us", "UTC")))
        for day, reading, modified in _arrived(batches, source):
            file = reading if isinstance(reading, ParsedFile) else reading.result
            where = {"table_name": table_name, **as_columns(day), "source": source.name, MODIFIED: modified}
            found = [{**where, **_described(file, refusal)} for refusal in (*file.refusals, *file.quarantined)]
            yield pa.RecordBatch.from_pylist(found, schema=schema)

    return refused


def newest(landed: DataFrame, table: Table) -> DataFrame:
    """The rows of the newest version of each file that could be read. A version that was brought twice counts once."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    file = Window.partitionBy(*table.delivery_columns, "source_file")
    version = F.struct(MODIFIED, "loaded_at")
    latest = landed.withColumn("_latest", F.max(version).over(file)).where(version == F.col("_latest"))
    return latest.select(*table.column_names)


def still_refused(refused: DataFrame, landed: Mapping[str, tuple[Table, DataFrame]]) -> DataFrame:
    """The faults of files of which no newer version has come, good or bad; each once. ``landed`` are the rows that were
    read, and their table, by source."""
    from pyspark.sql import functions as F

    file = ["source", "delivery_date", "delivery_hour", "source_file"]
    versions = refused.select(*file, MODIFIED)
    for source, (table, rows) in landed.items():
        hour = "delivery_hour" if "delivery_hour" in table.column_names else "CAST(NULL AS INT) AS delivery_hour"
        named = rows.selectExpr(f"'{source}' AS source", "delivery_date", hour, "source_file", MODIFIED)
        versions = versions.unionByName(named)
    newest = versions.groupBy(*file).agg(F.max(MODIFIED).alias("_newest"))
    same = [refused[name].eqNullSafe(newest[name]) for name in file]
    stands = refused.join(newest, [*same, refused[MODIFIED] == newest["_newest"]], "left_semi")
    return stands.drop(MODIFIED).distinct()


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


def _arrived(batches: Batches, source: Source) -> Iterator[tuple[str, Any, datetime]]:
    """The readings of the files that belong to deliveries, each with the key of its delivery and the time of its
    writing. A file that is too large is not opened: then it is what is said of it."""
    for batch in batches:
        for path, modified, length, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            folder, name = os.path.split(path)
            day = os.path.basename(folder)
            if not misdated(day, source.every) and not passed_over(name):
                yield day, _too_large(path, length) if content is None else open_bytes(content, source, path), modified


def _too_large(path: str, size: int) -> ParsedFile:
    said = (
        f"the file has {size:,} bytes; a pipeline holds a file in the memory of a worker, and {LARGEST:,} is the limit"
    )
    hint = "land it in parts, each under its own name, or have it built by a job, which reads it in pieces"
    return ParsedFile(path, "", refusals=(Refusal("size", said, hint),), refused=1, size=size)
