"""A table of a database as a Parquet file: read in one transaction that only reads and sees one moment of it.

Rows come through SQLAlchemy some at a time and are Arrow from there on, so the memory that it takes depends on the
widest rows and not on the table. A further kind of database is an entry in ``_SESSIONS``, when it can give a reader a
snapshot.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from netflix_dagster.azure.redaction import hide, redact
from netflix_dagster.landing.origins.errors import FetchError
from netflix_dagster.landing.origins.http import Progress
from netflix_dagster.landing.origins.model import Origin

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Column, Connection, Select, Table
    from sqlalchemy.types import TypeEngine

Position = int | date | datetime
"""A value of the column by which new and changed rows are known."""
_ROWS = 1_000
_GROUP = 16 * 1024 * 1024
"""The size of a row group, in bytes of Arrow, roughly."""
_MOST_DIGITS = 38
_MANY = 2**128


@dataclass(frozen=True, slots=True)
class _Session:
    """How a database lets a reader see one moment of it: the isolation level, options, and what is said first."""

    isolation: str
    options: dict[str, Any] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    connect: dict[str, Any] = field(default_factory=dict)


_SESSIONS = {
    "postgresql": _Session(
        "REPEATABLE READ",
        {"postgresql_readonly": True},
        ("SET LOCAL statement_timeout = {milliseconds}", "SET LOCAL TIME ZONE 'UTC'"),
        {"connect_timeout": 15},
    ),
    "mssql": _Session("SNAPSHOT"),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows: those from ``low`` on, and before ``end``, ``most`` of them. Without bounds all rows."""

    low: Position | None = None
    end: Position | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was read. ``content`` is the same for the same rows in whatever order; ``high`` is the greatest position,
    and ``window`` the content of the rows that the next look sees again: those within the lag of ``high``."""

    rows: int
    content: str
    high: Position | None = None
    window: str | None = None


class Reader:
    """One transaction of a database, on the table of an origin. ``opened`` makes it."""

    def __init__(self, connection: Connection, origin: Origin, progress: Progress) -> None:
        self.connection, self.origin, self.progress = connection, origin, progress
        self.ends = time.monotonic() + origin.max_seconds
        self.table = _reflected(connection, origin)
        self.types = [arrow_type(column.type) for column in self.table.columns]
        if origin.cursor:
            self._check_cursor(self.table.columns[origin.cursor])

    def extract(self, into: Path, span: Span) -> Extracted:
        """Write the rows into a Parquet file. Nothing is written when there is none."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = [column.name for column in self.table.columns]
        schema = pa.schema([(name, kind or pa.string()) for name, kind in zip(names, self.types, strict=True)])
        rows, content, pending, held = 0, Content(schema), [], 0
        with pq.ParquetWriter(into, schema, compression="zstd") as writer:
            for batch in self._batches(statement(self.table, self.types, self.origin, span), schema):
                content.add(batch)
                rows += batch.num_rows
                pending.append(batch)
                held += batch.nbytes
                if held >= _GROUP:
                    writer.write_table(pa.Table.from_batches(pending))
                    pending, held = [], 0
                    self._check(into)
                self.progress(self.origin.name, rows, None)
            if pending:
                writer.write_table(pa.Table.from_batches(pending))
        self._check(into)
        high, window = self._positions(into, schema) if rows and self.origin.cursor else (None, None)
        return Extracted(rows, content.digest, high, window)

    def bounds(self) -> tuple[Position, Position] | None:
        """The least and the greatest position; None of an empty table."""
        import sqlalchemy as sa

        cursor = self.table.columns[str(self.origin.cursor)]
        low, high = self.connection.execute(sa.select(sa.func.min(cursor), sa.func.max(cursor))).one()
        return None if low is None else (_in_utc(low), _in_utc(high))

    def key(self) -> tuple[str, ...]:
        """The columns of the primary key; none of a view."""
        import sqlalchemy as sa

        said = sa.inspect(self.connection).get_pk_constraint(self.table.name, self.table.schema)
        named = tuple(said["constrained_columns"] or ())
        return named if set(named) <= set(self.table.columns.keys()) else ()

    def position(self, text: str) -> Position:
        """A position as it was written down (``written``), as the column has it."""
        import pyarrow as pa

        kind = self._cursor_type()
        try:
            if pa.types.is_integer(kind):
                return int(text)
            return date.fromisoformat(text) if pa.types.is_date(kind) else datetime.fromisoformat(text)
        except ValueError:
            why = f"{self.origin.cursor} is {kind} now, and what was fetched last ended at {text}"
            raise _failed(self.origin, f"{why}. Name another cursor, or none, and all rows are taken once") from None

    def before(self, high: Position) -> Position:
        """Where the next look begins: ``lag`` before the greatest position, for rows that came late."""
        if isinstance(high, int):
            return high - self.origin.lag
        lag = timedelta(seconds=self.origin.lag)
        return high - lag if isinstance(high, datetime) else (_moment(high) - lag).date()

    def _cursor_type(self) -> pa.DataType:
        names = [column.name for column in self.table.columns]
        return self.types[names.index(str(self.origin.cursor))]

    def _check_cursor(self, column: Column[Any]) -> None:
        import pyarrow as pa
        import sqlalchemy as sa

        tests = (pa.types.is_integer, pa.types.is_timestamp, pa.types.is_date)
        if not any(test(self._cursor_type()) for test in tests if self._cursor_type() is not None):
            raise _failed(self.origin, f"{column.name} is {column.type}, and a cursor is a whole number, day or moment")
        if column.nullable:
            query = sa.select(sa.func.count()).select_from(self.table).where(column.is_(None))
            if lacking := self.connection.execute(query).scalar_one():
                raise _failed(
                    self.origin,
                    f"{lacking:,} of its rows have no {column.name}, so no look for what is new would see them. Fill"
                    " it, or leave `cursor` out to take all rows each time",
                )

    def _batches(self, query: Select[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        streamed = {"stream_results": True, "max_row_buffer": _ROWS}
        result = self.connection.execute(query, execution_options=streamed)
        try:
            while True:
                try:
                    columns = zip(*result.fetchmany(_ROWS), strict=True)
                    arrays = [pa.array(values, one.type) for values, one in zip(columns, schema, strict=False)]
                except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
                    said = " ".join(str(error).split())[:200]
                    raise _failed(self.origin, f"a value of it has no place in its type here: {said}") from None
                if not arrays:
                    break
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
                if time.monotonic() > self.ends:
                    raise _failed(self.origin, f"it took longer than {self.origin.max_seconds:,} seconds (max_seconds)")
        finally:
            result.close()

    def _check(self, into: Path) -> None:
        if into.stat().st_size > self.origin.max_mb * 1024 * 1024:
            raise _failed(self.origin, f"it fills more than {self.origin.max_mb:,} MB (max_mb)")

    def _positions(self, file: Path, schema: pa.Schema) -> tuple[Position, str]:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        name = str(self.origin.cursor)
        with pq.ParquetFile(file) as written:
            highest = [pc.max(batch.column(0)) for batch in written.iter_batches(batch_size=_ROWS, columns=[name])]
            high: Position = max(one.as_py() for one in highest)
            window, low = Content(schema), self.before(high)
            for batch in written.iter_batches(batch_size=_ROWS):
                window.add(batch.filter(pc.greater_equal(batch.column(name), low)))
        return high, window.digest


class Content:
    """What some rows hold, whatever their order: the sum of the hashes of all rows, and the schema."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = hashlib.sha256(str(schema.remove_metadata()).encode()).hexdigest()[:16]
        self._sum = self._rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        parts: list[Any] = []
        for values in batch.columns:  # as binary: each with its length before it, so that no two rows join to one
            plain = values if pa.types.is_binary(values.type) else values.cast(pa.string())
            parts += [pc.binary_length(plain).cast(pa.string()).cast(pa.binary()), plain.cast(pa.binary())]
        joined = pc.binary_join_element_wise(*parts, b":", null_handling="replace", null_replacement=b"-")
        for row in joined.to_pylist():
            self._sum += int.from_bytes(hashlib.blake2b(row, digest_size=16).digest())
        self._sum %= _MANY
        self._rows += batch.num_rows

    @property
    def digest(self) -> str:
        return f"{self._schema}-{self._rows}-{self._sum:032x}"


@contextmanager
def opened(origin: Origin, url: str, progress: Progress) -> Iterator[Reader]:
    """One transaction of a database. Raises ``FetchError``; nothing of the URL is in its message but the table."""
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    try:
        address = sa.make_url(url)
        hide(str(address.password or ""))
        session = _SESSIONS.get(address.get_backend_name())
        if session is None:
            known = ", ".join(_SESSIONS)
            raise _failed(origin, f"{address.get_backend_name()} is not known here; databases are {known}")
        engine = sa.create_engine(address, poolclass=NullPool, hide_parameters=True, connect_args=session.connect)
    except sa.exc.ArgumentError:
        hint = "postgresql+psycopg2://user:password@host/name"
        raise _failed(origin, f"{origin.database} is no URL of SQLAlchemy such as {hint}") from None
    except ModuleNotFoundError as error:
        raise _failed(origin, f"its driver is not there ({error.name}): install netflix-dagster[databases]") from None
    try:
        with engine.connect().execution_options(isolation_level=session.isolation, **session.options) as connection:
            for said in session.first:
                connection.exec_driver_sql(said.format(milliseconds=origin.max_seconds * 1000))
            yield Reader(connection, origin, progress)
            connection.rollback()
    except sa.exc.SQLAlchemyError as error:
        raise _failed(origin, _in_words(error)) from None
    finally:
        engine.dispose()


def statement(table: Table, types: Sequence[pa.DataType | None], origin: Origin, span: Span) -> Select[Any]:
    """The one question that is asked of a table. What has no type of Arrow, the database itself writes as text."""
    import sqlalchemy as sa

    columns = [
        column if kind is not None else sa.cast(column, sa.Unicode()).label(column.name)
        for column, kind in zip(table.columns, types, strict=True)
    ]
    query = sa.select(*columns)
    if span.low is not None:
        query = query.where(table.columns[str(origin.cursor)] >= span.low)
    if span.end is not None:
        query = query.where(table.columns[str(origin.cursor)] < span.end)
    return query if span.most is None else query.limit(span.most)


def arrow_type(kind: TypeEngine[Any]) -> pa.DataType | None:
    """The type of Arrow that holds every value of a column; None where only the database can write them, as text."""
    import pyarrow as pa
    from sqlalchemy import types
    from sqlalchemy.dialects import mssql

    if isinstance(kind, types.Numeric) and not isinstance(kind, types.Float):
        digits, scale = kind.precision, kind.scale
        if digits is None or scale is None or not 0 <= scale <= digits <= _MOST_DIGITS:
            return None
        return pa.decimal128(digits, scale)
    if isinstance(kind, types.DateTime):
        return pa.timestamp("us", "UTC" if kind.timezone or isinstance(kind, mssql.DATETIMEOFFSET) else None)
    if isinstance(kind, mssql.MONEY | mssql.SMALLMONEY):
        return pa.decimal128(19, 4)
    if isinstance(kind, types.Enum):
        return None
    known: tuple[tuple[type[TypeEngine[Any]], pa.DataType], ...] = (
        (types.Boolean, pa.bool_()),
        (types.Integer, pa.int64()),
        (types.Float, pa.float64()),
        (types.Date, pa.date32()),
        (types.String, pa.string()),
        (types.LargeBinary, pa.binary()),
    )
    return next((arrow for sql, arrow in known if isinstance(kind, sql)), None)


def written(position: Position | str | None) -> str:
    """A position as text, "" for none; ``Reader.position`` reads it."""
    return position.isoformat() if isinstance(position, date) else str("" if position is None else position)


def days(low: Position, high: Position, every: Literal["day", "hour"]) -> Iterator[tuple[datetime, Span]]:
    """The days, or hours, between two moments: when each begins (UTC), and the rows that are of it."""
    naive = not isinstance(low, datetime) or low.tzinfo is None
    start, last = _moment(low), _moment(high)
    step = timedelta(hours=1) if every == "hour" else timedelta(days=1)
    begin = start.replace(minute=0, second=0, microsecond=0)
    begin = begin if every == "hour" else begin.replace(hour=0)
    while begin <= last:
        bounds: list[Position] = [begin, begin + step]
        if not isinstance(low, datetime):
            bounds = [begin.date(), (begin + step).date()]
        elif naive:
            bounds = [begin.replace(tzinfo=None), (begin + step).replace(tzinfo=None)]
        yield begin, Span(bounds[0], bounds[1])
        begin += step


def _reflected(connection: Connection, origin: Origin) -> Table:
    """The table as the database has it now, with the columns that the origin takes."""
    import sqlalchemy as sa

    schema, _, name = str(origin.table).rpartition(".")
    try:
        found = sa.inspect(connection).get_columns(name, schema or None)
    except sa.exc.NoSuchTableError:
        found = []
    if not found:
        raise _failed(origin, "there is no such table or view that this user may see")
    names = [one["name"] for one in found]
    wanted = origin.columns or names
    if lacking := [one for one in dict.fromkeys((*wanted, *filter(None, [origin.cursor]))) if one not in names]:
        raise _failed(origin, f"it has no column {', '.join(lacking)}; its columns are {', '.join(names)[:300]}")
    if origin.cursor and origin.cursor not in wanted:
        raise _failed(origin, f"{origin.cursor} is its cursor, so `columns` names it too")
    columns = [sa.Column(one["name"], one["type"], nullable=one.get("nullable", True)) for one in found]
    return sa.Table(name, sa.MetaData(), *(one for one in columns if one.name in wanted), schema=schema or None)


def _moment(position: Position) -> datetime:
    if isinstance(position, datetime):
        return position.astimezone(UTC) if position.tzinfo else position.replace(tzinfo=UTC)
    assert isinstance(position, date)
    return datetime(position.year, position.month, position.day, tzinfo=UTC)


def _in_utc(position: Position) -> Position:
    return position.astimezone(UTC) if isinstance(position, datetime) and position.tzinfo else position


def _failed(origin: Origin, why: str) -> FetchError:
    return FetchError(f"{origin.name} was not taken: {why}. Landing is as it was")


def _in_words(error: Exception) -> str:
    """The first line of what the database said; statements and their values are left out."""
    said = redact(str(getattr(error, "orig", None) or error)).strip().partition("\n")[0]
    return re.sub(r"\s+", " ", said)[:300].rstrip(".") or type(error).__name__
