"""Bronze: each source as delivered, every column as text, with where each record came from."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Table
from netflix_dagster.landing.keys import as_columns
from netflix_dagster.landing.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ARRIVAL = (
    Column(
        "rescued_data", "string", "Columns that the source does not know, as a JSON object; null when there are none"
    ),
    Column("source_file", "string", "Name of the delivered file"),
    Column("source_header", "string", "Header of the file as delivered, comma-separated"),
    Column("record_number", "bigint", "Number of the record in its file, from 1, the header not counted"),
    Column("line_number", "bigint", "Line of the file where the record begins; null where a file has no lines"),
    Column("file_hash", "string", "SHA-256 of the file"),
    Column("loaded_at", "timestamp", "When this row was written (UTC)"),
    Column("run_id", "string", "Dagster run that wrote this row"),
)


def bronze_table(source: Source) -> Table:
    """The bronze table of a source: one row a record, every delivery in a partition of its own."""

    def records(attempts: DataFrame) -> DataFrame:
        return attempts

    return Table(
        name=source.bronze,
        feed=source.feed,
        description=f"{source.description}. As delivered: every column is text.",
        grain="one record of a delivered file",
        key=(*(column.name for column in _delivery(source)), "source_file", "record_number"),
        columns=_columns(source),
        reads=(),
        function=records,
        write="per_delivery",
        source=source,
    )


def _columns(source: Source) -> tuple[Column, ...]:
    delivered = (Column(name, "string", column.description) for name, column in source.columns.items())
    return (*_delivery(source), *delivered, *ARRIVAL)


def _delivery(source: Source) -> tuple[Column, ...]:
    day = Column("delivery_date", "date", "Date of the delivery")
    hour = Column("delivery_hour", "int", "Hour of the delivery, 0 to 23 (UTC)")
    return (day, hour) if source.every == "hour" else (day,)


def completed(
    batch: pa.RecordBatch, key: str, file_hash: str, loaded_at: datetime, run_id: str | None
) -> pa.RecordBatch:
    """A batch of records as rows of bronze: with the delivery, the hash of the file, the time and the run."""
    import pyarrow as pa

    def constant(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), batch.num_rows)

    kinds = {"delivery_date": pa.date32(), "delivery_hour": pa.int32()}
    columns = {
        **{name: constant(value, kinds[name]) for name, value in as_columns(key).items() if value is not None},
        **dict(zip(batch.schema.names, batch.columns, strict=True)),
        "file_hash": constant(file_hash, pa.string()),
        "loaded_at": constant(loaded_at, pa.timestamp("us", "UTC")),
        "run_id": constant(run_id, pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)
