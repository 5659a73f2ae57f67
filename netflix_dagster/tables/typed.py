"""Text of bronze as values: numbers, flags, days, moments, lists, by what ``profile`` has found out about a column.

A text that is not of the type becomes null, and the text itself goes along, so that a rule tells the two nulls apart.
Nothing is guessed: a day in a format that was not agreed on is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import TYPE_CHECKING, Any

from netflix_dagster.files.kinds import DAY_FIRST, EITHER, MONTH_FIRST, day_of, items, whole_number
from netflix_dagster.landing.keys import is_date
from netflix_dagster.landing.silver import Silver, digits

if TYPE_CHECKING:
    import pyarrow as pa

TEXT = "_text_of_"
"""Before the name of a typed column: the text that it was made from."""
_TRUE, _FALSE = frozenset(("true", "yes", "y", "t", "1")), frozenset(("false", "no", "n", "f", "0"))
_ISO = "2019-09-30"
_LARGEST = 2**63
_EXACT = Context(prec=38, traps=[Inexact, InvalidOperation])
Read = Callable[[str], Any]


def reader(kind: str, formats: Sequence[str], separator: str) -> Read:
    """What makes a value of a text, or None when the text is not of this kind."""
    if kind.startswith("decimal"):
        precision, scale = digits(kind)
        return lambda text: _decimal(text, precision, scale)
    readers: dict[str, Read] = {
        "string": lambda text: text,
        "bigint": _whole,
        "double": lambda text: _number(text, "decimal comma" in formats),
        "boolean": lambda text: True if text.lower() in _TRUE else False if text.lower() in _FALSE else None,
        "date": lambda text: _day(text, formats),
        "timestamp": _moment,
        "array<string>": lambda text: list(items(text, separator)),
    }
    return readers[kind]


def _whole(text: str) -> int | None:
    number = whole_number(text)
    return number if number is not None and -_LARGEST <= number < _LARGEST else None


def _number(text: str, comma: bool) -> float | None:
    plain = text.replace(".", "\0").replace(",", ".") if comma else text
    try:
        number = float(plain) if plain[:1] in "+-.0123456789" and "_" not in plain else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < float("inf") else None


def _decimal(text: str, precision: int, scale: int) -> Decimal | None:
    """The number with just these digits; None when it has others, for they are never cut off."""
    try:
        number = Decimal(text) if "_" not in text else None
        fits = number.quantize(Decimal(1).scaleb(-scale), context=_EXACT) if number is not None else None
    except ArithmeticError:
        return None
    return fits if fits is not None and len(fits.as_tuple().digits) <= precision else None


def _day(text: str, formats: Sequence[str]) -> date | None:
    found = day_of(text)
    if found is None:  # of the far future or past, such as the 9999-12-31 of databases
        return _iso_day(text) if _ISO in (formats or (_ISO,)) else None
    name, day = found
    if name == EITHER:
        if DAY_FIRST in formats:
            return date(day.year, day.day, day.month)
        return day if MONTH_FIRST in formats else None
    return day if name in (formats or (_ISO,)) else None


def _iso_day(text: str) -> date | None:
    return date.fromisoformat(text) if is_date(text) else None


def _moment(text: str) -> datetime | None:
    if len(text) < len(_ISO) or text[4:5] != "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError:
        return None


def converted(silver: Silver, columns: Sequence[str]) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """For ``mapInArrow``: batches with these columns typed, each typed one followed by the text that it was; other
    columns of a batch stay as they are. Every different text is read once a batch."""
    nulls = frozenset(word.lower() for word in silver.nulls)

    def convert(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        readers = {
            name: reader(kind, silver.formats.get(name, ()), silver.separators.get(name, ","))
            for name, kind in silver.types.items()
            if kind != "string"
        }
        for batch in batches:
            made: list[tuple[str, pa.Array]] = []
            for name, values in zip(batch.schema.names, batch.columns, strict=True):
                if name not in columns:
                    made.append((name, values))
                    continue
                text = _without(values.cast(pa.string()), nulls)
                if name in readers:
                    made += [(name, _read(text, readers[name], silver.types[name])), (TEXT + name, text)]
                else:
                    made.append((name, text))
            yield pa.RecordBatch.from_arrays([array for _, array in made], names=[name for name, _ in made])

    return convert


def _without(text: pa.Array, nulls: frozenset[str]) -> pa.Array:
    """The texts, null where they are a word for nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not nulls:
        return text
    is_null = pc.is_in(pc.utf8_lower(text), value_set=pa.array(sorted(nulls), pa.string()))
    return pc.if_else(is_null, pa.scalar(None, pa.string()), text)


def _read(text: pa.Array, read: Read, kind: str) -> pa.Array:
    import pyarrow as pa

    kinds = {
        "bigint": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "array<string>": pa.list_(pa.string()),
    }
    if kind.startswith("decimal"):
        kinds[kind] = pa.decimal128(*digits(kind))
    encoded = text.dictionary_encode()
    values = pa.array([read(value) for value in encoded.dictionary.to_pylist()], kinds[kind])
    return values.take(encoded.indices)
