"""Bronze: each source as delivered, every column as text, with where each record came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Column, Table, add_table
from netflix_dagster.files.parsing import ParsedFile, parse_file
from netflix_dagster.landing.sources import Source, load_sources
from netflix_dagster.settings import get_settings

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
    Column("line_number", "bigint", "Line of the file where the record begins"),
    Column("file_hash", "string", "SHA-256 of the file"),
    Column("loaded_at", "timestamp", "When this row was written (UTC)"),
    Column("run_id", "string", "Dagster run that wrote this row"),
)
FILES = "path string, delivery_date date, file_hash string, loaded_at timestamp, run_id string"
"""What a bronze function gets: the accepted files of the deliveries being built."""


class FileChanged(RuntimeError):
    """A file was replaced between being judged and being read; the delivery is to be built again."""


def bronze_table(source: Source) -> Table:
    """The bronze table of a source: one row a record, every delivery in a partition of its own."""
    schema = ", ".join(f"`{c.name}` {c.type}" for c in _columns(source))

    def records(files: DataFrame) -> DataFrame:
        return files.mapInArrow(_reader(source), schema)

    return Table(
        name=source.bronze,
        feed=source.feed,
        description=f"{source.description}. As delivered: every column is text.",
        grain="one record of a delivered file",
        key=("delivery_date", "source_file", "record_number"),
        columns=_columns(source),
        reads=(),
        function=records,
        write="per_delivery",
    )


def _columns(source: Source) -> tuple[Column, ...]:
    delivered = (Column(name, "string", column.description) for name, column in source.columns.items())
    return (Column("delivery_date", "date", "Date of the delivery"), *delivered, *ARRIVAL)


def _reader(source: Source) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    names = list(source.columns)

    def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for file in batch.to_pylist():
                yield from _batches(source, names, file)

    return read


def _batches(source: Source, names: list[str], file: dict[str, Any]) -> Iterator[pa.RecordBatch]:
    path = str(file["path"])
    parsed = parse_file(path, source)
    if parsed.hash != file["file_hash"]:
        raise FileChanged(f"{path} was replaced while it was being read; nothing was written, run it again")
    yield from rows_of(parsed, names, file["delivery_date"], file["loaded_at"], file["run_id"])


def rows_of(
    parsed: ParsedFile, names: list[str], day: date, loaded_at: datetime, run_id: str | None
) -> Iterator[pa.RecordBatch]:
    """The rows of bronze that a file comes to; ``names`` are the columns of its source."""
    import os

    import pyarrow as pa

    size = len(parsed.rows)
    values = zip(*(row.values for row in parsed.rows), strict=True)
    text = pa.string()

    def constant(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), size)

    table = pa.table(
        {
            "delivery_date": constant(day, pa.date32()),
            **{name: pa.array(column, text) for name, column in zip(names, values, strict=True)},
            "rescued_data": pa.array([row.rescued for row in parsed.rows], text),
            "source_file": constant(os.path.basename(parsed.path), text),
            "source_header": constant(parsed.header_line, text),
            "record_number": pa.array([row.number for row in parsed.rows], pa.int64()),
            "line_number": pa.array([row.line for row in parsed.rows], pa.int64()),
            "file_hash": constant(parsed.hash, text),
            "loaded_at": constant(loaded_at, pa.timestamp("us", "UTC")),
            "run_id": constant(run_id, text),
        }
    )
    yield from table.to_batches(max_chunksize=50_000)


for _source in load_sources(get_settings().sources).sources.values():
    add_table(bronze_table(_source))
