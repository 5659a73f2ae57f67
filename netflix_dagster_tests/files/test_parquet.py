"""Parquet: each value is kept as text that says it exactly, and silver makes the same value of it again."""

from __future__ import annotations

import io
import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netflix_dagster.deliveries import columns, drift
from netflix_dagster.files.arriving import unlike
from netflix_dagster.files.parquet import opened
from netflix_dagster.files.parsing import ParsedFile, parse_bytes
from netflix_dagster.files.reading import open_bytes, open_file
from netflix_dagster.landing.sources import Source, SourceColumn
from netflix_dagster.tables.typed import reader

THINGS = Source(
    name="things",
    feed="things",
    form="whole",
    description="Things",
    files="*.parquet",
    format="parquet",
    columns={
        "thing_id": SourceColumn(description="Its number", aliases=("id",)),
        "what": SourceColumn(description="What it is", required=False),
    },
)
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))
TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "int8": (pa.int8(), st.integers(-128, 127)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "double": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "float": (pa.float32(), st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "decimal": (pa.decimal128(38, 12), st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: Decimal(f"{n}E-12"))),
    "flag": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates()),
    "moment": (pa.timestamp("us"), MOMENTS),
    "zoned": (pa.timestamp("us", "Europe/Berlin"), MOMENTS.map(lambda at: at.replace(tzinfo=UTC))),
    "text": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=9)),
    "word": (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["", "a", "b"])),
}


def written(table: pa.Table, **how: Any) -> bytes:
    into = io.BytesIO()
    pq.write_table(table, into, **how)
    return into.getvalue()


def things(**more: Any) -> pa.Table:
    return pa.table({"ID": pa.array([1, 2, 3]), "what": pa.array(["a", "", None]), **more})


def parsed(data: bytes) -> ParsedFile:
    return parse_bytes(data, THINGS, "things.parquet")


@given(st.data())
def test_a_value_comes_through_bronze_as_text_and_is_the_same_value_in_silver(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TYPES)))
    kind, values = TYPES[name]
    said = data.draw(st.lists(st.none() | values, min_size=1, max_size=5))
    source = Source.model_validate({**THINGS.model_dump(), "columns": {"v": {"description": "A value"}}})
    body = written(pa.table({"v": pa.array(said, kind.value_type if name == "word" else kind).cast(kind)}))
    file = parse_bytes(body, source, "a.parquet")
    (batch,) = open_bytes(body, source, "a.parquet")
    texts = batch.column("v").to_pylist()
    with opened(None, body) as read:
        (silver,) = read.silver
    assert not file.refusals and file.records == len(said) and batch.column("record_number").to_pylist()[0] == 1
    for value, text in zip(said, texts, strict=True):
        if value is None:
            assert text is None
            continue
        again = reader(silver, (), ",")(text)
        if name == "float":
            again = pa.scalar(again, pa.float32()).as_py()
        assert again == (value.replace(tzinfo=UTC) if name == "moment" else value), (silver, text)
        if isinstance(value, float):
            assert math.copysign(1, again) == math.copysign(1, value)


def test_a_file_is_read_as_any_other_and_says_its_types() -> None:
    more = {"Price": pa.array([Decimal("1.50"), None, Decimal("0.07")]), "raw": pa.array([b"\0\xff", None, b""])}
    body = written(things(**more))
    file = parsed(body)
    assert file.unknown_columns == ("Price", "raw") and (file.records, file.taken) == (3, 3)
    assert file.types == ("int64", "string", "decimal(3,2)", "binary")
    (batch,) = open_bytes(body, THINGS, "things.parquet")
    assert batch.column("what").to_pylist() == ["a", "", None], "an empty text is not nothing"
    assert batch.column("rescued_data").to_pylist() == [
        '{"Price": "1.50", "raw": "AP8="}',
        None,
        '{"Price": "0.07"}',
    ]
    assert batch.column("line_number").null_count == 3, "there are no lines"
    assert [seen.kind for seen in columns.look(file, THINGS)] == [f"type {kind}" for kind in file.types]


def test_another_type_is_drift_from_the_first_record_on_but_another_writer_is_none() -> None:
    def seen(table: pa.Table) -> list[columns.Seen]:
        return columns.look(parsed(written(table)), THINGS)

    first = seen(things())
    as_words = things().set_column(1, "what", things()["what"].cast(pa.large_string()).dictionary_encode())
    assert drift.compare("2024-01-01", first, seen(as_words)).message == "the columns are as on 2024-01-01"
    wider = things().set_column(0, "ID", pa.array([1.0, 2.0, 3.5]))
    found = drift.compare("2024-01-01", first, seen(wider))
    assert found.retyped == ("thing_id: type int64 -> type double",) and found.unforeseen == 1


def damaged(body: bytes) -> bytes:
    return body[:40] + bytes(20) + body[60:]


BODY = written(things())
LATIN = written(things(name=pa.array([b"Caf\xe9", b"", b""]).view(pa.string())))


@pytest.mark.parametrize(
    "body, rule, said",
    [
        (b"id,what\n1,a\n", "another_format", "expected: it begins with b'id,what"),
        (b"<html><title>Moved</title></html>", "another_format", "Moved"),
        (b"\x1f\x8b\x08" + b"\xff" * 20, "another_format", "gzip"),
        (b"", "not_empty", "empty"),
        (b"PAR1", "complete_file", "cut short"),
        (BODY[:-9], "complete_file", "cut short"),
        (BODY[:-12] + b"\xff\xff\xff\x7fPAR1", "parquet", "damaged"),
        (damaged(BODY), "parquet", "damaged"),
        (LATIN, "parquet", "UTF8"),
        (written(things(tags=[[1], [], None])), "types", "tags \\(list<"),
        (written(things(at=[{"x": 1}, None, None])), "types", "at \\(struct<"),
        (written(pa.table({"what": ["a"]})), "columns", "missing columns: thing_id"),
        (written(pa.table({"id": [1], "thing_id": [2]})), "header", "are both 'thing_id'"),
        (written(things().slice(0, 0)), "not_empty", "no record"),
    ],
)
def test_what_is_none_is_refused_in_words(body: bytes, rule: str, said: str) -> None:
    file = parsed(body)
    assert [refusal.rule for refusal in file.refusals] == [rule], file.refusals
    assert re.search(said, file.refusals[0].reason) and not file.rows and file.refused == 1
    assert bool(unlike(body[: 64 * 1024], THINGS)) == (rule == "another_format" or not body)


def test_a_large_file_needs_little_memory(tmp_path: Path) -> None:
    """One row group of 40 MB of text: what Arrow holds at a time is a fraction of it."""
    path, count = tmp_path / "large.parquet", 400_000
    numbers = pa.array(range(count))
    words = pa.array([f"{n * 2654435761 % 2**32:010d}" * 10 for n in range(count)])
    pq.write_table(pa.table({"id": numbers, "what": words}), path, row_group_size=count, use_dictionary=False)
    del numbers, words
    before, most, records = pa.total_allocated_bytes(), 0, 0
    with open_file(str(path), THINGS, batch=1024 * 1024) as reading:
        for batch in reading:
            records += batch.num_rows
            most = max(most, pa.total_allocated_bytes() - before)
        assert reading.result.records == records == count
    assert most < 16 * 1024 * 1024, f"{most:,} bytes"
