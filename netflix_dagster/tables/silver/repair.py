"""Joins records of the split titles that a line break has broken in two."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from netflix_dagster.landing.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

REPAIR = "joined_broken_record"


def join_broken_records(records: DataFrame, source: Source) -> DataFrame:
    """``records`` of bronze, the two halves of a broken record replaced by the whole one, with a column ``repairs``.

    A head lacks its last fields and is followed by a tail that begins in the middle of a value and lacks its key
    as well; of several keyless records in a row the first and second belong together, then the third and fourth.
    Together they must have exactly one field more than the header: the broken value, counted twice.
    Halves that do not fit stay as they are, and the expectations of the table refuse them.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    names = [f.name for f in records.schema.fields]
    place = Window.partitionBy("delivery_date", "source_file").orderBy("record_number")
    keyless = records.where("show_id IS NULL").select(
        "*",
        *(F.lead(name).over(place).alias(f"next_{name}") for name in names),
        (F.col("record_number") - F.row_number().over(place)).alias("stretch"),
    )
    within = Window.partitionBy("delivery_date", "source_file", "stretch").orderBy("record_number")
    pairs = keyless.withColumn("nth", F.row_number().over(within)).where(
        "nth % 2 = 1 AND next_record_number = record_number + 1"
    )
    pairs = pairs.select(*names, *(f"next_{name}" for name in names))
    columns = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in records.schema.fields)
    joined = pairs.mapInArrow(_joiner(source), f"{columns}, repairs array<string>, last_record bigint")
    halves = joined.select(
        "delivery_date", "source_file", F.explode(F.array("record_number", "last_record")).alias("record_number")
    )
    untouched = records.join(halves, ["delivery_date", "source_file", "record_number"], "left_anti")
    untouched = untouched.select(*names, F.array().cast("array<string>").alias("repairs"))
    return untouched.unionByName(joined.drop("last_record"))


def joined_fields(head: list[str | None], tail: list[str | None]) -> list[str | None] | None:
    """The fields of the whole record from those of its halves, or None when the halves do not fit together.

    >>> joined_fields(["1", "A Story of", None, None], ["a Fort\\"", "2019", "7", None])
    ['1', 'A Story of a Fort', '2019', '7']
    """
    width = len(head)
    left, right = _filled(head), _filled(tail)
    if not left or not right or len(left) + len(right) - 1 != width:
        return None
    value = f"{(left[-1] or '').rstrip()} {(right[0] or '').lstrip()}".strip()
    if value.count('"') % 2:
        value = value.removesuffix('"')
    return [*left[:-1], value, *right[1:]]


def _filled(fields: list[str | None]) -> list[str | None]:
    end = len(fields)
    while end and fields[end - 1] is None:
        end -= 1
    return fields[:end]


def _joiner(source: Source) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def join(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            names = [n for n in batch.schema.names if not n.startswith("next_")]
            whole = [row for pair in batch.to_pylist() if (row := _join(pair, names, source))]
            fields = [batch.schema.field(name) for name in names]
            schema = pa.schema([*fields, ("repairs", pa.list_(pa.string())), ("last_record", pa.int64())])
            yield pa.RecordBatch.from_pylist(whole, schema=schema)

    return join


def _join(pair: dict[str, object], names: list[str], source: Source) -> dict[str, object] | None:
    header = next(csv.reader([str(pair["source_header"])]))
    order = [name for name in map(source.canonical, header) if name]
    if len(order) < len(header):
        return None  # with an unknown column nobody can tell which fields of the halves belong to which column
    fields = joined_fields([_text(pair[name]) for name in order], [_text(pair[f"next_{name}"]) for name in order])
    if fields is None:
        return None
    whole = {**{name: pair[name] for name in names}, **dict(zip(order, fields, strict=True))}
    return {**whole, "repairs": [REPAIR], "last_record": pair["next_record_number"]}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
