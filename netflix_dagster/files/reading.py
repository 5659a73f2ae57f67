"""Reads a delivered file once: first the batches of its records for bronze, then the result.

    with open_file(path, source) as reading:
        for batch in reading:        # pyarrow.RecordBatch, see ``columns_of``
            ...
    reading.result                   # ParsedFile without rows: refusals, hash, a sample of its records

The memory that it needs depends on the batch, not on the file; a workbook and JSON lines have limits of their own. What
is Parquet is told by ``parquet``.
Whether a file is refused is known only at its end; a caller that has written batches of a refused file discards them.
The reader guesses nothing, and never shifts a record whose number of fields differs from the header's.
"""

from __future__ import annotations

import csv
import hashlib
import os
import random
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain, islice
from math import exp, floor, log
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from netflix_dagster import storage
from netflix_dagster.files import header as heads
from netflix_dagster.files import jsonl, parquet
from netflix_dagster.files.parsed import COMPLETE, TOO_LONG, ParsedFile, Record, Refusal, as_line, is_of_file, settled
from netflix_dagster.files.tail import NEEDS, Others
from netflix_dagster.files.text import LONGEST, PIECE, Text
from netflix_dagster.files.unpack import MAX_FILE, too_large
from netflix_dagster.landing.sources import EvolvedColumn, Source

if TYPE_CHECKING:
    import pyarrow as pa

csv.field_size_limit(LONGEST)

T = TypeVar("T")
Grow = Callable[[Source, Sequence[str]], Source]
"""Returns the source with the columns of a file that it did not know before."""
BATCH = 8 * 1024 * 1024
"""The size of a batch, in bytes, roughly."""
SAMPLE = 1_000
"""At most this many rows of a file are kept to judge its columns by."""
MOST_REFUSALS = 10_000
"""At most this many refusals of one file are kept; the others are only counted."""
_MOST_RAW = 16 * 1024 * 1024
"""After so many characters of refused records only the beginning of each further one is kept."""
_SHORT_RAW = 2_000
_AT_ONCE = 4_096
_MUCH = 4 * 1024 * 1024
"""The most records, and bytes, that the parser reads at once."""
_ENOUGH, _MOSTLY = 20, 0.95
"""The header is too short when this many records, or more, have more fields, and this share of them equally many."""
"""So many records, and this share of them, say that it is the header that is short."""
_AT_A_TIME = ("xlsx", "jsonl", "debezium")
"""Formats whose files are parsed as one."""
_GONE = "put the file in its place, readable, again"


def open_file(path: str, source: Source, *, grow: Grow | None = None, batch: int = BATCH) -> Reading:
    """Prepare to read a file. It is opened when the first batch is asked for.

    ``grow`` is called once, when the header names columns that the source does not know. It returns the source to go
    on with (``Reading.source``), so a source that evolves needs no second reading.
    """
    return Reading(path, source, None, grow, batch)


def open_bytes(data: bytes, source: Source, path: str = "", *, grow: Grow | None = None, batch: int = BATCH) -> Reading:
    """Prepare to read the bytes of a file; ``path`` only names it in the result."""
    return Reading(path, source, data, grow, batch)


def columns_of(source: Source) -> list[str]:
    """The columns of a batch: those of the source as text, in its order, and where each record came from."""
    return [*source.columns, "rescued_data", "source_file", "source_header", "record_number", "line_number"]


class Reading:
    """A file that is being read: iterate over its batches, then ask for its ``result``.

    It never raises for what the file holds, nor when the file cannot be read: ``result.refusals`` has the reason.
    """

    def __init__(self, path: str, source: Source, data: bytes | None, grow: Grow | None, batch: int) -> None:
        self.path = path
        self.source = source
        self._data, self._grow, self._batch = data, grow, batch
        self._result: ParsedFile | None = None
        self._set_aside: list[Refusal] = []
        self._records: tuple[Record, ...] = ()
        self._batches: Generator[pa.RecordBatch] = self._read()

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self._batches

    def close(self) -> None:
        """Close the file, whatever is not read of it yet."""
        self._batches.close()

    @property
    def result(self) -> ParsedFile:
        """The result of the reading; batches that nobody has asked for are read and dropped."""
        for _ in self._batches:
            pass
        if self._result is None:
            raise RuntimeError(f"{self.path} was closed before its end was read, so it has no result")
        return self._result

    def take_malformed(self) -> list[Refusal]:
        """The malformed records since the last call, for the quarantine; only of a source that tolerates some.

        A caller that asks after every batch keeps few of them in memory. They count only when the file is taken in the
        end; ``refusals`` of a refused file name them again.
        """
        found, self._set_aside = self._set_aside, []
        return found

    def _read(self, *, whole: bool = False) -> Generator[pa.RecordBatch]:
        try:
            if self.source.format in _AT_A_TIME:
                yield from self._at_a_time(whole=whole)
            elif self.source.format == "parquet":
                yield from self._typed()
            else:
                yield from self._table()
        except OSError as error:
            reason = error.strerror or "it is gone"
            if isinstance(error, IsADirectoryError):
                reason = "a directory where a file should be"
            refusal = Refusal("readable", f"cannot be read: {reason}", _GONE)
            self._result = ParsedFile(self.path, "", refusals=(refusal,), refused=1)

    def _table(self) -> Iterator[pa.RecordBatch]:
        place = storage.at(self.path) if self._data is None else None
        last = storage.last_byte(place) if place else (self._data or b"")[-1:]
        with closing(storage.pieces(place, PIECE) if place else _pieces(self._data or b"")) as pieces:
            text = Text(pieces, lenient=self.source.tolerated > 0)
            table = _Table(self, text, tail=last not in (b"\n", b"\r"))
            yield from table.batches()
            self._result = self._evaluated(table, text)

    def _evaluated(self, table: _Table, text: Text) -> ParsedFile:
        fault = text.fault
        read = ParsedFile(self.path, text.hash, size=text.size)
        if fault is None and table.others is None and not text.ends_in_line_break:
            fault = Refusal("readable", "cannot be read: it was replaced while it was read", _GONE)
        if fault:
            return replace(read, refusals=(fault,), refused=1)
        file = settled(replace(table.found(), hash=read.hash, size=read.size), self.source)
        if file.refusals and text.encoding:
            return replace(read, refusals=(text.encoding,), refused=1)
        return replace(file, quarantined=tuple(self._set_aside)) if file.set_aside else file

    def whole(self) -> ParsedFile:
        """The file with all its rows in memory, in place of its batches."""
        if self.source.format in _AT_A_TIME:
            batches, self._batches = self._batches, self._read(whole=True)
            batches.close()
            return replace(self.result, rows=self._records)
        rows: list[Record] = []
        for batch in self:
            *values, rescued, _, _, numbers, lines = (column.to_pylist() for column in batch.columns)
            rows += map(Record, numbers, lines, zip(*values, strict=True), rescued)
        return replace(self.result, rows=tuple(rows) if self.result.records else ())

    def _at_a_time(self, *, whole: bool) -> Iterator[pa.RecordBatch]:
        """A workbook, or JSON lines: all of it is in memory, and there are limits to what that is."""
        place = storage.at(self.path)
        size = storage.size(place) if self._data is None else len(self._data)
        is_workbook = self.source.format == "xlsx"
        if size > (MAX_FILE if is_workbook else jsonl.MAX_FILE):
            refusal = Refusal(*too_large(size).fault) if is_workbook else jsonl.too_large(size)
            self._result = ParsedFile(self.path, "", refusals=(refusal,), refused=1, size=size)
            return
        file = self._parsed(storage.read(place) if self._data is None else self._data)
        sample: _Sample[Record] = _Sample()
        sample.offer(len(file.rows), file.rows.__getitem__)
        file = replace(file, taken=len(file.rows), sample=tuple(sample.kept()))
        self._set_aside = list(file.refusals) if self.source.tolerated else []
        self._result = replace(settled(file, self.source), rows=())
        if whole:
            self._records = file.rows
        else:
            yield from self._rows(file)

    def _typed(self) -> Iterator[pa.RecordBatch]:
        """Parquet. Its records fit their header always, so it is taken whole or not at all."""
        place = storage.at(self.path) if self._data is None else None
        file = ParsedFile(self.path, "")
        try:
            with parquet.opened(place, self._data or b"") as read:
                header = tuple(name.strip() for name in read.header)
                file = replace(file, hash=read.hash, size=read.size, header=header, types=read.types)
                positions, refusals, rescued_at, absent = heads.place_columns(header, self.source)
                if not refusals and rescued_at and self._grow:
                    self.source = self._grow(self.source, list(rescued_at.values()))
                    positions, _, rescued_at, absent = heads.place_columns(header, self.source)
                if not refusals and not read.records:
                    refusals = [Refusal("not_empty", "there are columns and no record", "ask for the delivery again")]
                if refusals:
                    self._result = replace(file, refusals=tuple(refusals), refused=len(refusals))
                    return
                number, sample = 0, _Sample[Record]()
                writer = _Batches(self, as_line(header))
                for texts in read.batches(self._batch):
                    count = len(texts[0])
                    values = [None if at is None else texts[at] for at in positions]
                    others = {at: texts[at].to_pylist() for at in rescued_at}
                    rescued = [
                        heads.rescue({at: cells[row] for at, cells in others.items()}, rescued_at)
                        for row in range(count if others else 0)
                    ]
                    numbers = range(number + 1, number + count + 1)
                    yield from writer.add(values, rescued or None, numbers, [None] * count)
                    sample.offer(count, partial(_record_of, values, rescued, number))
                    number += count
                yield from writer.rest()
        except parquet.NotParquet as error:
            self._result = replace(file, refusals=(error.refusal,), refused=1)
            return
        self._result = replace(
            file,
            unknown_columns=tuple(rescued_at.values()),
            absent_columns=absent,
            records=number,
            taken=number,
            sample=tuple(sample.kept()),
        )

    def _parsed(self, data: bytes) -> ParsedFile:
        from netflix_dagster.files.xlsx import parse_workbook

        parse = parse_workbook if self.source.format == "xlsx" else jsonl.parse_json_lines
        empty = ParsedFile(self.path, hashlib.sha256(data).hexdigest(), size=len(data))
        file = parse(data, self.source, empty)
        if self._grow and file.unknown_columns:
            grown = self._grow(self.source, file.unknown_columns)
            if grown is not self.source:
                self.source, file = grown, parse(data, grown, empty)
        return file

    def _rows(self, file: ParsedFile) -> Iterator[pa.RecordBatch]:
        writer = _Batches(self, file.header_line)
        for start in range(0, len(file.rows), _AT_ONCE):
            rows = file.rows[start : start + _AT_ONCE]
            values = list(zip(*(row.values for row in rows), strict=True))
            rescued = [row.rescued for row in rows]
            yield from writer.add(values, rescued, [row.number for row in rows], [row.line for row in rows])
        yield from writer.rest()


def _record_of(values: Sequence[pa.StringArray | None], rescued: Sequence[str | None], before: int, row: int) -> Record:
    """One record of a batch of Parquet, as it is kept in the sample."""
    cells = tuple(None if column is None else column[row].as_py() or None for column in values)
    return Record(before + row + 1, None, cells, rescued[row] if rescued else None)


def _pieces(data: bytes) -> Generator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


class _Batches:
    """Collects columns of values into batches of the wanted size."""

    def __init__(self, reading: Reading, header: str) -> None:
        self.names = columns_of(reading.source)
        self.constants = (os.path.basename(reading.path), header)
        self.most = reading._batch
        self.pending: list[pa.RecordBatch] = []
        self.bytes = 0

    def add(
        self,
        values: Sequence[Sequence[str | None] | pa.StringArray | None],
        rescued: Sequence[str | None] | None,
        numbers: Sequence[int],
        lines: Sequence[int | None],
    ) -> Iterator[pa.RecordBatch]:
        """Add records; ``values`` are columns, None for one that the file does not have. A full batch is yielded when
        more records come."""
        import pyarrow as pa

        if self.bytes >= self.most:
            yield from self.rest()
        size, text = len(numbers), pa.string()
        columns = [pa.nulls(size, text) if column is None else _text_array(column) for column in values]
        columns.append(pa.nulls(size, text) if rescued is None else pa.array(rescued, text))
        columns += [pa.array(numbers, pa.int64()), pa.array(lines, pa.int64())]
        batch = pa.RecordBatch.from_arrays(columns, names=[*self.names[:-4], *self.names[-2:]])
        self.pending.append(batch)
        self.bytes += batch.nbytes + size * sum(map(len, self.constants))

    def drop_last(self) -> None:
        """Remove the last record that was added."""
        self.pending[-1] = self.pending[-1].slice(0, self.pending[-1].num_rows - 1)

    def rest(self) -> Iterator[pa.RecordBatch]:
        """The records that are not yielded yet, as one batch."""
        import pyarrow as pa

        pending, self.pending, self.bytes = self.pending, [], 0
        if not any(batch.num_rows for batch in pending):
            return
        (batch,) = pa.Table.from_batches(pending).combine_chunks().to_batches()
        constants = [pa.repeat(pa.scalar(value, pa.string()), batch.num_rows) for value in self.constants]
        columns = [*batch.columns[:-2], *constants, *batch.columns[-2:]]
        yield pa.RecordBatch.from_arrays(columns, names=self.names)


def _text_array(values: Sequence[str | None] | pa.StringArray) -> pa.StringArray:
    """Values as an array of strings in which the empty ones are null; their bytes are not copied. An array stays as it
    is: who made it tells an empty text from nothing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(values, pa.Array):
        return values
    array = pa.array(values, pa.string())
    if array.null_count:
        return array
    filled = pc.not_equal(pc.binary_length(array), 0)
    if pc.all(filled).as_py():  # true_count of old pyarrow ends the process
        return array
    _, offsets, data = array.buffers()
    return pa.StringArray.from_buffers(len(array), offsets, data, filled.buffers()[1])


class _Sample(Generic[T]):
    """A random sample of the rows of a file, taken in one pass (Li's Algorithm L); the same rows each time.

    Every n-th row would not do: files repeat themselves, and every twentieth record of a chart is a film.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, T]] = []
        self.seen = 0
        self.random = random.Random(0)
        self.weight = 1.0
        self.next = 0

    def offer(self, count: int, row: Callable[[int], T]) -> None:
        """Offer ``count`` more rows to the sample; ``row`` gives one of them, counted from 0."""
        until = self.seen + count
        while self.next < until:
            chosen = (self.next, row(self.next - self.seen))
            if len(self.rows) < SAMPLE:
                self.rows.append(chosen)
                self.next += 1
                if len(self.rows) == SAMPLE:
                    self._skip()
            else:
                self.rows[self.random.randrange(SAMPLE)] = chosen
                self.next += 1
                self._skip()
        self.seen = until

    def _skip(self) -> None:
        self.weight *= exp(log(1 - self.random.random()) / SAMPLE)
        self.next += floor(log(1 - self.random.random()) / log(1 - self.weight))

    def kept(self) -> list[T]:
        """The chosen rows in the order of the file."""
        return [row for _, row in sorted(self.rows, key=lambda chosen: chosen[0])]


class _Lines:
    """The lines of a text one by one. Those since ``needed`` are kept, so that a refusal can quote its record."""

    def __init__(self, lists: Iterable[list[str]]) -> None:
        self.needed = self.first = 1
        self.kept: list[str] = []
        self.lists = self._keep(lists)

    def _keep(self, lists: Iterable[list[str]]) -> Iterator[list[str]]:
        for lines in lists:
            del self.kept[: self.needed - self.first]
            self.first = self.needed
            self.kept += lines
            yield lines

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self.lists)

    def between(self, first: int, last: int) -> str:
        """The text of the record in these lines, counted from 1."""
        return "".join(self.kept[first - self.first : last - self.first + 1]).rstrip("\r\n")

    def begin(self, most: int) -> list[str]:
        """The first lines of the file, as long as they are kept."""
        while len(self.kept) < most and next(self.lists, None):
            pass
        return self.kept[:most]


@dataclass(slots=True)
class _Shape:
    """At which positions of a record its values are."""

    header: tuple[str, ...]
    width: int
    positions: list[int | None]
    rescued_at: dict[int, str]
    absent: tuple[str, ...]
    more: int = 0
    """Fields of a record that the header does not name."""


@dataclass(slots=True)
class _Good:
    """Records that fit, with their numbers and lines."""

    rows: list[list[str]] = field(default_factory=list)
    numbers: Sequence[int] = field(default_factory=list)
    lines: Sequence[int] = field(default_factory=list)


class _Table:
    """Delimited text as records, read by Python's ``csv``.

    Records are checked many at a time; one by one only where something is odd: a value with line breaks, a fault, a
    blank line.
    """

    def __init__(self, reading: Reading, text: Text, *, tail: bool) -> None:
        self.reading, self.text = reading, text
        self.lines = _Lines(text.lines())
        self.reader: Any = csv.reader(iter(self.lines), delimiter=reading.source.delimiter, strict=True)
        self.number = self.taken = self.refused = self.raw_kept = 0
        self.refusals: list[Refusal] = []
        self.sample: _Sample[tuple[int, int, list[str]]] = _Sample()
        self.shape: _Shape | None = None
        self.last_name = ""
        self.others = Others() if tail else None
        self.last: tuple[int, int, str] | None = None
        self.ends_short = False

    def batches(self) -> Iterator[pa.RecordBatch]:
        if not self._header():
            return
        shape = self.shape
        assert shape is not None
        writer = _Batches(self.reading, as_line(shape.header))
        most = max(16, min(_AT_ONCE, BATCH // (len(writer.constants[1]) + 1)))
        at_once, before = min(128, most), 0
        while True:
            rows, first, error = self._next(at_once)
            if not rows and error is None:
                break
            if not self.number and self.reading.source.tolerated:
                self._widen(rows)
            good = self._fitting(rows, first, error)
            if good.rows:
                yield from self._write(writer, good)
            much = self.text.size - before
            before = self.text.size
            at_once = max(16, at_once // 4) if much > _MUCH else min(most, at_once * 2)
        if cut := self._cut_tail():
            self._refuse(cut)
            self.taken -= 1
            writer.drop_last()
        yield from writer.rest()

    def _header(self) -> bool:
        reading, source = self.reading, self.reading.source
        try:
            raw = next(self.reader) or [""]
        except (StopIteration, csv.Error) as error:
            refusal = Refusal("header", f"the header cannot be read: {error}", "land a file that begins with a header")
            self.refusals.append(refusal)
            return False
        header = tuple(cell.strip() for cell in raw)
        positions, refusals, rescued_at, absent = heads.place_columns(header, source)
        if refusals and refusals[-1].rule == "columns":
            place = heads.elsewhere(self.lines.begin(heads.WITHIN), source)
            if place:
                hint = f"the header seems to stand in line {place}: remove what is above it"
                refusals[-1] = replace(refusals[-1], hint=hint, line=place)
        if not refusals and rescued_at and reading._grow:
            reading.source = source = reading._grow(source, list(rescued_at.values()))
            positions, _, rescued_at, absent = heads.place_columns(header, source)
        self.last_name = raw[-1]
        self.shape = _Shape(header, len(header), positions, rescued_at, absent)
        self.refusals = refusals
        return not refusals

    def _next(self, count: int) -> tuple[list[list[str]], int, csv.Error | None]:
        """The next records, the line where the first begins, and the error that ended them, if any."""
        first = self.lines.needed = self.reader.line_num + 1
        rows: list[list[str]] = []
        try:
            rows.extend(islice(self.reader, count))  # those before an error stay in the list
        except csv.Error as error:
            return rows, first, error
        return rows, first, None

    def _fitting(self, rows: list[list[str]], first: int, error: csv.Error | None) -> _Good:
        shape = self.shape
        assert shape is not None
        if error or self.text.odd or set(map(len, rows)) != {shape.width}:
            return self._one_by_one(rows, first, error)
        if shape.width > 1 and self.last_name in [row[-1] for row in rows]:  # perhaps the header again
            return self._one_by_one(rows, first, error)
        numbers = range(self.number + 1, self.number + len(rows) + 1)
        lines: Sequence[int] = range(first, first + len(rows))
        if self.reader.line_num + 1 - first > len(rows):
            lines = list(accumulate([first, *(1 + _line_breaks(cells) for cells in rows[:-1])]))
        self.number += len(rows)
        self.ends_short = False
        return _Good(rows, numbers, lines)

    def _one_by_one(self, rows: list[list[str]], line: int, error: csv.Error | None) -> _Good:
        numbers: list[int] = []
        lines: list[int] = []
        good = _Good([], numbers, lines)
        for cells in rows:
            begins, line = line, line + 1 + _line_breaks(cells)
            if not cells:
                continue
            self.number += 1
            fault = self._fault(cells, begins, line - 1)
            if fault:
                self._refuse(fault)
            else:
                good.rows.append(cells)
                numbers.append(self.number)
                lines.append(begins)
        if error:
            self.number += 1
            raw = self.lines.between(line, self.reader.line_num)
            self._refuse(_broken(self.number, line, raw, error, whole=self.reading.source.tolerated > 0))
            self.ends_short = True
        return good

    def _fault(self, cells: list[str], first: int, last: int) -> Refusal | None:
        """Why the record in these lines does not fit; None when it does."""
        shape = self.shape
        assert shape is not None
        missing = len(shape.header) - len(cells)
        self.ends_short = missing > 0
        if not missing and cells[-1] == self.last_name and heads.repeats_header(cells, shape.header):
            return _header_again(self.number, first, self.lines.between(first, last))
        if len(cells) != shape.width:
            if not shape.more or missing:
                return _ragged(self.number, first, cells, len(shape.header), self.lines.between(first, last))
            cells += [""] * shape.more
        if self.text.odd and (odd := _odd(cells)):
            return _no_text(self.number, first, odd, self.lines.between(first, last))
        return None

    def _widen(self, rows: list[list[str]]) -> None:
        """Widen a header that is too short: nearly all records have the same number of further fields."""
        shape = self.shape
        assert shape is not None
        widths = Counter(map(len, filter(None, rows)))
        if widths.total() < _ENOUGH:
            return
        (width, count), *_ = widths.most_common(1)
        if width <= shape.width or count < _MOSTLY * widths.total():
            return
        shape.more, shape.width = width - shape.width, width
        named = (*shape.header, *[""] * shape.more)
        _, _, shape.rescued_at, _ = heads.place_columns(named, self.reading.source)

    def _write(self, writer: _Batches, good: _Good) -> Iterator[pa.RecordBatch]:
        shape = self.shape
        assert shape is not None
        columns = list(zip(*good.rows, strict=True))
        rescued = [heads.rescue(cells, shape.rescued_at) for cells in good.rows] if shape.rescued_at else None
        values = [None if place is None else columns[place] for place in shape.positions]
        yield from writer.add(values, rescued, good.numbers, good.lines)
        self.taken += len(good.rows)
        self.sample.offer(len(good.rows), lambda n: (good.numbers[n], good.lines[n], good.rows[n]))
        if self.others is not None:
            tail = columns[len(shape.header) - 1]
            self.others.add([*([self.last[2]] if self.last else []), *tail[:-1]])
            self.last = (good.numbers[-1], good.lines[-1], tail[-1])

    def _refuse(self, refusal: Refusal) -> None:
        self.refused += 1
        if self.text.odd:
            refusal = replace(refusal, reason=_readable(refusal.reason), raw=_readable(refusal.raw or ""))
        if self.reading.source.tolerated:
            self.reading._set_aside.append(refusal)
        if len(self.refusals) < MOST_REFUSALS or is_of_file(refusal):
            raw = refusal.raw or ""
            self.raw_kept += len(raw)
            if self.raw_kept > _MOST_RAW:
                refusal = replace(refusal, raw=raw[:_SHORT_RAW])
            self.refusals.append(refusal)

    def _cut_tail(self) -> Refusal | None:
        """The refusal of a file without a final line break whose last value is shorter than its column's kind."""
        shape = self.shape
        source = self.reading.source
        if shape is None or self.others is None or self.last is None or self.text.ends_in_line_break:
            return None
        if self.refused and not source.tolerated:
            return None
        number, line, tail = self.last
        if number != self.number:  # the last record does not fit
            return None
        judged = [p for c, p in zip(source.columns.values(), shape.positions, strict=True) if not _evolved(c)]
        if len(shape.header) - 1 not in judged or self.others.count < NEEDS or shape.more or not self.others.cut(tail):
            return None
        reason = (
            f"the file has no final line break and ends in {tail[-60:]!r}, unlike every other {shape.header[-1]}:"
            " it was cut short"
        )
        hint = "ask for it again; if it is complete, end it with a line break"
        return Refusal(COMPLETE, reason, hint, number, line, tail)

    def found(self) -> ParsedFile:
        """The result, once all of the table was read."""
        shape = self.shape
        empty = ParsedFile(self.reading.path, "", header=shape.header if shape else ())
        if self.refusals and not self.number:  # of the header
            return replace(empty, refusals=tuple(self.refusals), refused=len(self.refusals))
        if not self.number or shape is None:
            refusal = Refusal("not_empty", "there is a header and no record", "ask for the delivery again")
            return replace(empty, refusals=(refusal,), refused=1)
        if self.refused and self.reading.source.tolerated and self._cut_in_the_last():
            reason = "the file has no final line break and its last record does not fit: it was cut short"
            self.refusals.insert(0, Refusal(COMPLETE, reason, "ask for the delivery again"))
            self.refused += 1
        return replace(
            empty,
            refusals=tuple(self.refusals),
            refused=self.refused,
            unknown_columns=tuple(shape.rescued_at.values()),
            absent_columns=shape.absent,
            records=self.number,
            taken=self.taken,
            sample=tuple(self._record(shape, *row) for row in self.sample.kept() if row[0] <= self._last_taken()),
        )

    def _cut_in_the_last(self) -> bool:
        return self.ends_short and not self.text.ends_in_line_break

    def _last_taken(self) -> int:
        return self.number - 1 if self.refusals and self.refusals[-1].rule == COMPLETE else self.number

    def _record(self, shape: _Shape, number: int, line: int, cells: list[str]) -> Record:
        values = tuple([(cells[p] or None) if p is not None else None for p in shape.positions])
        return Record(number, line, values, heads.rescue(cells, shape.rescued_at) if shape.rescued_at else None)


def _evolved(column: object) -> bool:
    return isinstance(column, EvolvedColumn)


def _line_breaks(cells: list[str]) -> int:
    """How many lines a record has after its first."""
    text = "\0".join(cells)
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _readable(text: str) -> str:
    """A text in which bytes that are not UTF-8 are written as ``\\xe9``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _odd(cells: list[str]) -> str | None:
    """What in a record is not text; None when all of it is."""
    text = "".join(cells)
    if "\0" in text:
        return "a NUL byte"
    strange = next((letter for letter in text if "\udc80" <= letter <= "\udcff"), None)
    return f"the byte 0x{ord(strange) - 0xDC00:02x}, which is no UTF-8" if strange else None


def _no_text(number: int, line: int, odd: str, raw: str) -> Refusal:
    reason = f"record {number} (line {line}) has {odd}"
    return Refusal("encoding", reason, "save the file as UTF-8 and land it again", number, line, raw)


def _header_again(number: int, line: int, raw: str) -> Refusal:
    reason = f"record {number} (line {line}) is the header again: the file may be several, joined"
    return Refusal("header", reason, "land each file by itself, or take the line out", number, line, raw)


def _ragged(number: int, line: int, cells: list[str], width: int, raw: str) -> Refusal:
    fields = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
    reason = f"record {number} (line {line}) has {fields} where the header has {width}"
    hint = "a separator inside a value needs quotes around it"
    if len(cells) < width:
        hint = "the file may have been cut short, or a line break inside a value needs quotes; land it again"
    if not raw.strip("\x1a \t"):
        hint = "the line has blanks or an end-of-file mark only; take it out and land the file again"
    return Refusal("fields", reason, hint, number, line, raw)


def _broken(number: int, line: int, raw: str, error: csv.Error, *, whole: bool) -> Refusal:
    if not whole or TOO_LONG in str(error):
        raw = raw[:_SHORT_RAW]
    if "unexpected end of data" in str(error):
        reason = f"the file ends inside the quotes of record {number} (line {line}): it was cut short"
        return Refusal(COMPLETE, reason, "ask for the delivery again", number, line, raw)
    reason = f"record {number} (line {line}) has misplaced quotes: {error}"
    return Refusal("quotes", reason, "a quote inside a quoted value is written twice", number, line, raw)
