"""The landing folder as a stream of files: the rows of those that can be read, and why others cannot.

A file is read by the parser that Dagster's bronze is read by, so the rows are the same. It is taken up once, by its
path; a file that is put in the place of another is not seen again before a full refresh.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Table
from netflix_dagster.files.parsing import ParsedFile, Refusal, parse_bytes
from netflix_dagster.files.unpack import MAX_FILE, too_large
from netflix_dagster.lake.store import ddl
from netflix_dagster.landing.listing import is_date, passed_over
from netflix_dagster.landing.sources import Source
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

Batches = Iterable["pa.RecordBatch"]
_FILE = "path string, modificationTime timestamp, length bigint, content binary"
_ALWAYS = "36500d"
"""How old a file may be beside the newest one. A stream forgets those of more than a week otherwise."""
REFUSED = (
    "table_name string, delivery_date date, source string, source_file string, record_number bigint, line_number"
    " bigint, raw string, row string, rules array<string>, reasons array<string>, hints array<string>"
)
"""The columns of the pipeline's quarantine: those of ``quality.quarantine`` but for when and by which run."""


def files(spark: SparkSession, landing: Place, source: Source, auto_loader: bool) -> DataFrame:
    """The files of a source as they land, each once: by Auto Loader on Databricks, else by Spark's file stream."""
    reader = spark.readStream.option("pathGlobFilter", source.files)
    if auto_loader:
        reader = reader.format("cloudFiles").option("cloudFiles.format", "binaryFile")
    else:
        reader = reader.format("binaryFile").option("maxFileAge", _ALWAYS)
    return reader.schema(_FILE).load(f"{landing}/{source.name}/*").select("path", "content")


def rows(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """The rows of bronze that the files come to. A file with one fault gives none."""
    names = list(source.columns)

    def accepted(batches: Batches) -> Iterator[pa.RecordBatch]:
        now = datetime.now(UTC)
        for day, file in _parsed(batches, source):
            if not file.refusals:
                yield from rows_of(file, names, day, now, None)

    from netflix_dagster.tables.bronze import rows_of

    return arrived.mapInArrow(accepted, ddl(table))


def refusals(arrived: DataFrame, table: Table, source: Source) -> DataFrame:
    """Every fault of the files that cannot be taken, as rows of the quarantine."""
    return arrived.mapInArrow(_refuser(table.name, source), REFUSED)


def _refuser(table_name: str, source: Source) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    def refused(batches: Batches) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from netflix_dagster.deliveries.quarantine import refused_schema

        schema = refused_schema()
        for day, file in _parsed(batches, source):
            where = {"table_name": table_name, "delivery_date": day, "source": source.name}
            found = [{**where, **_told(file, refusal)} for refusal in file.refusals]
            yield pa.RecordBatch.from_pylist(found, schema=schema)

    return refused


def _told(file: ParsedFile, refusal: Refusal) -> dict[str, Any]:
    return {
        "source_file": os.path.basename(file.path),
        "record_number": refusal.record,
        "line_number": refusal.line,
        "raw": refusal.raw,
        "rules": [refusal.rule],
        "reasons": [refusal.reason],
        "hints": [refusal.hint],
    }


def _parsed(batches: Batches, source: Source) -> Iterator[tuple[date, ParsedFile]]:
    """Each file that belongs to a delivery, with the date of it."""
    for batch in batches:
        for path, content in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            folder, name = os.path.split(path)
            day = os.path.basename(folder)
            if not is_date(day) or passed_over(name):
                continue
            if source.format == "xlsx" and len(content) > MAX_FILE:
                file = ParsedFile(path, "", refusals=(Refusal(*too_large(len(content)).told),))
            else:
                file = parse_bytes(content, source, path)
            yield date.fromisoformat(day), file
