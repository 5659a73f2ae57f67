"""Parquet: values that have a type. Bronze keeps each as text from which the value can be made again, and the types
that the file declares are kept beside (``ParsedFile.types``).

Whole numbers digit by digit; decimals with all their digits; floating-point numbers by the fewest digits that tell them
apart; ``true`` and ``false``; days as 2019-09-30; moments as ``2019-09-30 23:59:00.000000``, those of a zone in UTC
with ``Z`` behind them; bytes as base64. Of a file no more is in memory than a page of each column and one batch.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from netflix_dagster import storage
from netflix_dagster.files import foreign
from netflix_dagster.files.parsed import COMPLETE, EMPTY, Refusal
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
DECLARED = "type "
"""Before a type that a file declares, where other columns have a kind that was found out from their values."""
MOST_COLUMNS = 2_000
_LEAST = 12
"""Bytes of the smallest file there can be: the magic twice, and the length of a footer between."""
_PIECE = 1024 * 1024
_MOST_ROWS = 16_384
_MOST_DIGITS = 38
_AGAIN = "ask for the file again"


class NotParquet(ValueError):
    """A file that cannot be taken; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose footer was read: the names of its columns, their types in words, and how many records it has."""

    header: tuple[str, ...]
    types: tuple[str, ...]
    records: int
    hash: str
    size: int
    file: pq.ParquetFile = field(repr=False)

    @property
    def silver(self) -> tuple[str, ...]:
        """The types of a silver table that hold all values of these columns."""
        return tuple(_silver(kind) for kind in self.file.schema_arrow.types)

    def batches(self, most: int) -> Iterator[list[pa.StringArray]]:
        """The columns as text, some records at a time, of about ``most`` bytes. Raises ``NotParquet`` where the file is
        damaged."""
        metadata = self.file.metadata
        unpacked = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
        rows = min(_MOST_ROWS, max(16, most * self.records // max(unpacked, 1)))
        batches = self.file.iter_batches(batch_size=rows, use_threads=False)
        while (batch := _told(lambda: next(batches, None))) is not None:
            yield [_told(lambda c=column: as_text(c)) for column in batch.columns]  # type: ignore[misc]


@contextmanager
def opened(place: Place | None, data: bytes) -> Iterator[Opened]:
    """Open a file, or its bytes when there is no place. Raises ``NotParquet``, which says why it cannot be taken."""
    import pyarrow.parquet as pq

    with _at_hand(place, data) as file:
        size, digest = file.size(), hashlib.sha256()
        while piece := file.read(_PIECE):
            digest.update(piece)
        if refusal := _strange(file, size):
            raise NotParquet(refusal)
        file.seek(0)
        read = _told(lambda: pq.ParquetFile(file, pre_buffer=False, buffer_size=_PIECE))
        with read:
            schema = read.schema_arrow
            if len(schema) > MOST_COLUMNS:
                raise NotParquet(Refusal("header", f"the file has {len(schema):,} columns", "land less wide files"))
            nested = [f"{one.name} ({one.type})" for one in schema if declared(one.type) is None]
            if nested:
                raise NotParquet(_no_text(nested))
            types = tuple(str(declared(kind)) for kind in schema.types)
            yield Opened(tuple(schema.names), types, read.metadata.num_rows, digest.hexdigest(), size, read)


@contextmanager
def _at_hand(place: Place | None, data: bytes) -> Iterator[pa.NativeFile]:
    """The file, opened by Arrow; one of an object store as a copy on this machine."""
    import pyarrow as pa

    if place is None:
        yield pa.BufferReader(data)
    elif storage.is_local(place):
        storage.size(place)  # raises an error that names what is wrong
        with pa.OSFile(str(place)) as file:
            yield file
    else:
        with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
            for piece in storage.pieces(place, _PIECE):
                copy.write(piece)
            copy.flush()
            with pa.OSFile(copy.name) as file:
                yield file


def strange(head: bytes) -> Refusal | None:
    """Why a file that begins so is no Parquet file; None when it may be one."""
    if not head.strip():
        return EMPTY
    if head.startswith(MAGIC):
        return None
    said = foreign.other_format(head) or foreign.no_data(head[: 64 * 1024].decode("utf-8", "replace"))
    what = said[1] if said else f"it begins with {head[:8]!r}"
    return Refusal("another_format", f"a Parquet file was expected: {what}", said[2] if said else _AGAIN)


def declared(kind: pa.DataType) -> str | None:
    """A type in words that do not depend on who wrote the file; None when its values have no text: nested ones."""
    from pyarrow import types

    kind = _plain(kind)
    if types.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz else "timestamp"
    groups = (
        ("string", (types.is_string, types.is_large_string, types.is_string_view)),
        ("binary", (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)),
        ("date", (types.is_date,)),
        ("time", (types.is_time,)),
    )
    for name, tests in groups:
        if any(test(kind) for test in tests):
            return name
    if types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    plain = (types.is_integer, types.is_floating, types.is_boolean, types.is_null)
    return str(kind) if any(test(kind) for test in plain) else None


def as_text(values: pa.Array) -> pa.StringArray:
    """The values of a column as text, each of which says its value exactly; null stays null."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(values, pa.ExtensionArray):
        if isinstance(values.type, pa.UuidType):
            return pa.array([None if v is None else str(_uuid(v)) for v in values.to_pylist()], pa.string())
        values = values.storage
    if types.is_dictionary(values.type):
        values = values.dictionary_decode()
    kind = values.type
    if declared(kind) == "string":
        values.validate(full=True)
    elif declared(kind) == "binary":
        texts = [None if value is None else base64.b64encode(value).decode() for value in values.to_pylist()]
        return pa.array(texts, pa.string())
    elif types.is_timestamp(kind) and kind.tz:
        values = values.cast(pa.timestamp(kind.unit, "UTC"))
    elif types.is_date64(kind):
        values = values.cast(pa.date32())
    elif types.is_float16(kind):
        values = values.cast(pa.float32())
    return values.cast(pa.string())


def _silver(kind: pa.DataType) -> str:
    from pyarrow import types

    kind = _plain(kind)
    if types.is_uint64(kind):
        return "decimal(20,0)"
    if types.is_decimal(kind):
        fits = 0 <= kind.scale <= kind.precision <= _MOST_DIGITS
        return f"decimal({kind.precision},{kind.scale})" if fits else "string"
    for name, test in (
        ("bigint", types.is_integer),
        ("double", types.is_floating),
        ("boolean", types.is_boolean),
        ("date", types.is_date),
        ("timestamp", types.is_timestamp),
    ):
        if test(kind):
            return name
    return "string"


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type without what says only how it is stored or meant."""
    import pyarrow as pa
    from pyarrow import types

    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(kind.storage_type)
    return _plain(kind.value_type) if types.is_dictionary(kind) else kind


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(bytes=value)


def _strange(file: pa.NativeFile, size: int) -> Refusal | None:
    file.seek(0)
    head = file.read(_PIECE)
    if found := strange(head):
        return found
    file.seek(max(size - len(MAGIC), 0))
    if size < _LEAST or file.read(len(MAGIC)) != MAGIC:
        return Refusal(COMPLETE, "the file does not end as a Parquet file does: it was cut short", _AGAIN)
    return None


def _told(work: Any) -> Any:
    """What Arrow makes of a file, or ``NotParquet`` in place of its many errors."""
    import pyarrow as pa

    try:
        return work()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        said = " ".join(str(error).split())[:200]
        raise NotParquet(Refusal("parquet", f"the file is damaged: {said}", _AGAIN)) from None


def _no_text(nested: list[str]) -> Refusal:
    named = ", ".join(nested)[:300]
    reason = f"columns hold values of a type that has no text: {named}"
    return Refusal("types", reason, "write what is nested as JSON text, or as columns of its own, and land it again")
