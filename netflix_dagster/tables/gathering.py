"""Brings rows of all deliveries together in one task, delivery by delivery: for what one delivery says of the next.

Which deliveries are accepted is a fold over their dates, which no engine can divide. Only one delivery is in memory
beside what the fold itself keeps, and a contract says how many rows that may be (``gathers``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

Fold = Callable[[Iterator["pa.Table"]], Iterator[dict[str, Any]]]
"""Gets the rows of each delivery, in order of ``delivery_date``, and makes the rows of the table."""


class TooManyGathered(RuntimeError):
    """A delivery with more rows than the contract lets come together in one task."""


def delivery_by_delivery(frame: DataFrame, fold: Fold, schema: pa.Schema, ddl: str, most: int) -> DataFrame:
    """The rows that a fold over the deliveries makes; ``schema`` and ``ddl`` are its columns, for Arrow and Spark.

    The rows are numbered by date: engines keep an order that they need themselves, and Sail drops any other.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    def folded(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        yield pa.RecordBatch.from_pylist(list(fold(deliveries(batches, most))), schema=schema)

    numbered = frame.withColumn("_nth", F.row_number().over(Window.partitionBy(F.lit(1)).orderBy("delivery_date")))
    return numbered.mapInArrow(folded, ddl)


def deliveries(batches: Iterable[pa.RecordBatch], most: int) -> Iterator[pa.Table]:
    """The rows of each delivery, of batches that are in the order of ``delivery_date``."""
    import pyarrow as pa

    day, held, rows = None, list[Any](), 0
    for piece in _of_one_day(batches):
        of = piece.column("delivery_date")[0].as_py()
        if day is not None and of < day:
            raise AssertionError(f"the engine gave rows of {of} after those of {day}")
        if held and of != day:
            yield pa.Table.from_batches(held).combine_chunks()
            held, rows = [], 0
        day, rows = of, rows + piece.num_rows
        if rows > most:
            raise TooManyGathered(
                f"the delivery of {day} has more than {most:,} rows, which is as many as one task compares with the"
                " delivery before. Nothing was written and every table is as it was"
            )
        held.append(piece)
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def _of_one_day(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches, cut where the date changes."""
    import pyarrow.compute as pc

    for batch in batches:
        start, days = 0, batch.column(batch.schema.get_field_index("delivery_date"))
        while start < batch.num_rows:
            same = pc.index(pc.equal(days.slice(start), days[start]), False).as_py()
            end = batch.num_rows if same < 0 else start + same
            yield batch.slice(start, end - start)
            start = end
