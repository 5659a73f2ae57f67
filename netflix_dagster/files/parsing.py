"""One parser for delivered files, on every engine: bytes in, records and refusals out. Text is read here, workbooks
in ``xlsx``.

Nothing is guessed: a file that is not what its source promises is refused whole, with the reason, the line and
what to do. A record whose number of fields is not the header's is never shifted into place.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from netflix_dagster import storage
from netflix_dagster.files import foreign
from netflix_dagster.files.unpack import MAX_FILE, too_large
from netflix_dagster.landing.sources import EvolvedColumn, Source

csv.field_size_limit(256 * 1024 * 1024)

_HEADER_WITHIN, _HEADER_LENGTH = 20, 10_000
"""Lines, and characters of each, in which a header is looked for that is not in the first."""
_TAIL_NEEDS = 50
"""A file of fewer records says too little about its columns to judge whether its last value was cut."""


class Record(NamedTuple):
    """One record as delivered. ``number`` counts records from 1, ``line`` is the file line where it begins."""

    number: int
    line: int
    values: tuple[str | None, ...]
    rescued: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file (``record`` None) or a record of it that could not be read, why, and how to mend it."""

    rule: str
    reason: str
    hint: str
    record: int | None = None
    line: int | None = None
    raw: str | None = None


EMPTY = Refusal("not_empty", "the file is empty", "ask for the delivery again, or remove the file")


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a file holds. ``records`` counts every record of the file, the refused ones too."""

    path: str
    hash: str
    header: tuple[str, ...] = ()
    rows: tuple[Record, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    records: int = 0

    @property
    def header_line(self) -> str:
        """The header as one record of comma-separated text."""
        return as_line(self.header)


def as_line(cells: Sequence[str]) -> str:
    """Cells as one record of comma-separated text."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # quotes both line breaks in a name
    return line.getvalue().removesuffix("\r\n")


def parse_file(path: str, source: Source) -> ParsedFile:
    """Read and parse one file of ``source``. Never raises for what the file holds: it is in ``refusals``."""
    try:
        place = storage.at(path)
        if source.format == "xlsx" and (size := storage.size(place)) > MAX_FILE:
            return ParsedFile(path, "", refusals=(Refusal(*too_large(size).told),))
        data = storage.read(place)
    except OSError as error:
        reason = error.strerror or "it is gone"
        if isinstance(error, IsADirectoryError):
            reason = "a directory where a file should be"
        refusal = Refusal("readable", f"cannot be read: {reason}", "put the file in its place, readable, again")
        return ParsedFile(path, "", refusals=(refusal,))
    return parse_bytes(data, source, path)


def parse_bytes(data: bytes, source: Source, path: str = "") -> ParsedFile:
    """Parse the bytes of one file of ``source``; ``path`` is only carried along."""
    digest = hashlib.sha256(data).hexdigest()
    if source.format == "xlsx":
        from netflix_dagster.files.xlsx import parse_workbook

        return parse_workbook(data, source, ParsedFile(path, digest))
    text = _decode(data)
    if isinstance(text, Refusal):
        return ParsedFile(path, digest, refusals=(text,))
    return _parse_text(text, source, ParsedFile(path, digest))


def _decode(data: bytes) -> str | Refusal:
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        return EMPTY
    if strange := foreign.other_format(data) or foreign.wide_encoding(data):
        return Refusal(*strange)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        hint = "the file is binary, or was damaged on its way; land it again"
        return Refusal("encoding", f"there is a NUL byte in line {line}", hint, line=line)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        decoded = error.object  # the BOM is not counted
        line = decoded.count(b"\n", 0, error.start) + 1
        return Refusal(*foreign.not_utf8(decoded, error), line=line)
    return no_data(text) or text


def no_data(text: str) -> Refusal | None:
    """Why a text is not data at all but what a server says instead: a page, ``null``; else None."""
    said = foreign.no_data(text)
    return Refusal(*said) if said else None


def _parse_text(text: str, source: Source, empty: ParsedFile) -> ParsedFile:
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=source.delimiter, strict=True)
    try:
        raw_header = next(reader) or [""]
        header = tuple(cell.strip() for cell in raw_header)
    except (StopIteration, csv.Error) as error:
        refusal = Refusal("header", f"the header cannot be read: {error}", "land a file that begins with a header")
        return replace(empty, refusals=(refusal,))
    positions, refusals, rescued_at, absent = place_columns(header, source)
    if refusals:
        place = _header_elsewhere(lines, source) if refusals[-1].rule == "columns" else None
        if place:
            hint = f"the header seems to stand in line {place}: remove what is above it"
            refusals[-1] = replace(refusals[-1], hint=hint, line=place)
        return replace(empty, header=header, refusals=tuple(refusals))

    rows: list[Record] = []
    bad: list[Refusal] = []
    number = 0
    width, last = len(header), raw_header[-1]
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            number += 1
            bad.append(_broken(number, line, _raw(lines, line, reader.line_num), error))
            continue
        if not cells:
            continue
        number += 1
        if len(cells) != width:
            bad.append(_ragged(number, line, cells, width, _raw(lines, line, reader.line_num)))
            continue
        if cells[-1] == last and _says_header(cells, header):
            bad.append(_header_again(number, line, _raw(lines, line, reader.line_num)))
            continue
        values = tuple([(cells[p] or None) if p is not None else None for p in positions])
        rows.append(Record(number, line, values, rescue(cells, rescued_at) if rescued_at else None))
    if not number:
        refusal = Refusal("not_empty", "there is a header and no record", "ask for the delivery again")
        return replace(empty, header=header, refusals=(refusal,))
    if not text.endswith(("\n", "\r")) and rows and not bad:
        judged = [
            None if isinstance(c, EvolvedColumn) else p for c, p in zip(source.columns.values(), positions, strict=True)
        ]
        cut = _cut_tail(rows, judged, header)
        if cut:
            bad.append(cut)
            rows.pop()
    return replace(
        empty,
        header=header,
        rows=tuple(rows),
        refusals=tuple(bad),
        unknown_columns=tuple(rescued_at.values()),
        absent_columns=absent,
        records=number,
    )


def _header_elsewhere(lines: list[str], source: Source) -> int | None:
    """The line after the first in which the header seems to stand."""
    required = {name for name, column in source.columns.items() if column.required and name not in source.filled}
    for number, line in enumerate(lines[1:_HEADER_WITHIN], 2):
        cells = next(csv.reader([line[:_HEADER_LENGTH]], delimiter=source.delimiter), [])
        if required <= {source.canonical(cell) for cell in cells}:
            return number
    return None


def _says_header(cells: list[str], header: tuple[str, ...]) -> bool:
    """Whether a record of a table of several columns says nothing but the header again."""
    return len(header) > 1 and tuple(cell.strip("\ufeff \t") for cell in cells) == tuple(
        name.strip("\ufeff") for name in header
    )


def _raw(lines: list[str], first: int, last: int) -> str:
    """The text of the record that stands in these lines, counted from 1."""
    return "".join(lines[first - 1 : last]).rstrip("\r\n")


def place_columns(
    header: tuple[str, ...], source: Source
) -> tuple[list[int | None], list[Refusal], dict[int, str], tuple[str, ...]]:
    """Where each column of the source stands in the header, what is wrong, and which columns are not known."""
    place: dict[str, int] = {}
    rescued: dict[int, str] = {}
    named: set[str] = set()
    refusals: list[Refusal] = []
    for position, name in enumerate(header):
        canonical = source.canonical(name)
        if canonical is None or (canonical in place and isinstance(source.columns[canonical], EvolvedColumn)):
            taken = not name or name in named
            rescued[position] = f"{name} (column {position + 1})".lstrip() if taken else name
            named.add(rescued[position])
        elif canonical in place:
            reason = f"the columns {header[place[canonical]]!r} and {name!r} are both {canonical!r}"
            refusals.append(Refusal("header", reason, "land the file with one of them", raw=",".join(header)))
        else:
            place[canonical] = position
    contract = [name for name, column in source.columns.items() if not isinstance(column, EvolvedColumn)]
    absent = tuple(name for name in contract if name not in place and name not in source.filled)
    missing = [name for name in absent if source.columns[name].required]
    if missing:
        hint = "land a file with these columns, or name the new header as an alias in sources.yaml"
        if len(header) == 1:
            others = [mark for mark in foreign.SEPARATORS if mark != source.delimiter and mark in header[0]]
            hint = "the first line is no header, perhaps what a server said instead of the data; fetch the file again"
            if others:
                hint = f"the columns seem to be separated by {others[0]!r}, not {source.delimiter!r}"
        hint = foreign.lookalike(header, missing) or hint
        reason = f"missing columns: {', '.join(missing)} (the header has: {', '.join(header)[:300]})"
        refusals.append(Refusal("columns", reason, hint, raw=",".join(header)[:2000]))
    return [place.get(name) for name in source.columns], refusals, rescued, absent


def rescue(cells: list[str], rescued_at: dict[int, str]) -> str | None:
    kept = {name: cells[position] for position, name in rescued_at.items() if cells[position]}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept else None


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


def _broken(number: int, line: int, raw: str, error: csv.Error) -> Refusal:
    if "unexpected end of data" in str(error):
        reason = f"the file ends inside the quotes of record {number} (line {line}): it was cut short"
        return Refusal("complete_file", reason, "ask for the delivery again", number, line, raw[:2000])
    reason = f"record {number} (line {line}) has misplaced quotes: {error}"
    return Refusal("quotes", reason, "a quote inside a quoted value is written twice", number, line, raw[:2000])


def _cut_tail(rows: list[Record], positions: list[int | None], header: tuple[str, ...]) -> Refusal | None:
    """Was the last value of a file without a final line break cut? Judged by the other values of its column."""
    last_column = len(header) - 1
    if last_column not in positions or len(rows) <= _TAIL_NEEDS:
        return None
    column = positions.index(last_column)
    others = [row.values[column] or "" for row in rows[:-1]]
    tail = rows[-1].values[column] or ""
    if not looks_cut(tail, others):
        return None
    row = rows[-1]
    reason = (
        f"the file has no final line break and ends in {tail[-60:]!r}, unlike every other {header[last_column]}:"
        " it was cut short"
    )
    return Refusal(
        "complete_file",
        reason,
        "ask for it again; if it is complete, end it with a line break",
        row.number,
        row.line,
        tail,
    )


def looks_cut(value: str, others: list[str]) -> bool:
    """Whether ``value`` is shorter than its kind: half a word of a list, half a number, half a sentence."""
    if not value:
        return others.count("") <= len(others) // 50
    kinds = set(others)
    if value in kinds:
        return False
    if len(kinds) <= len(others) // 20:
        return any(other.startswith(value) for other in kinds)
    filled = [other for other in others if other]
    if not filled:
        return False
    numbers = [len(other) for other in filled if other.isdigit()]
    if len(numbers) > 0.95 * len(filled):
        usual = [length for length in set(numbers) if numbers.count(length) > 0.02 * len(numbers)]
        return len(value) not in usual
    sentences = sum(not other[-1].isalnum() for other in filled)
    return sentences > 0.9 * len(filled) and (value[-1].isalnum() or value[-1] in " ,-")
