"""Opens an unknown file and guesses its encoding, its delimiter and the line of its header.

The door (``files/reading.py``) guesses nothing. This module guesses everything, so that a person can then state it in
``sources.yaml``. When a file has no rows and columns, it explains why in one sentence.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from netflix_dagster.files import foreign, jsonl, parquet

MOST_BYTES = 64 * 1024 * 1024
MOST_COLUMNS = 2_000
DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
_PIECE = 1024 * 1024
_SAMPLE = 500
"""The records from which the delimiter is guessed."""
"""Records that are looked at to tell the delimiter."""
_MOSTLY_JSON = 0.9
"""A text of whose lines at least this share are JSON objects is JSON lines."""
_PREAMBLE = 50
"""The records among which the header is searched."""
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"%PDF", "a PDF", "ask for the data behind it"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (xls)", "save it as xlsx or csv"),
    (b"SQLite format 3", "a SQLite database", "export a table as csv"),
    (b"\x89PNG", "a picture", "ask for the data behind it"),
)
_NUMBER = re.compile(r"[\s.,:/+%-]*\d[\d\s.,:/+%-]*")
_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_kr", "euc_jp"]
"""The usual encodings of files that are not UTF-8. A guess among all encodings takes a few accents for Greek."""


class Unreadable(ValueError):
    """The file has no rows and columns; the message says why and what to do."""


@dataclass(frozen=True)
class Delivered:
    """The rows of a file as text. ``lines`` are the file lines where they begin; ``whole`` is False when the file
    is longer than the part that was read. ``header_line`` is None when the first record is data. Of a workbook these
    are the rows of one sheet."""

    path: Path
    data: bytes
    size: int
    whole: bool
    encoding: str
    bom: bool
    delimiter: str
    line_ending: str
    header_line: int | None
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    lines: list[int]
    ragged: tuple[tuple[int, int], ...] = ()
    broken: tuple[tuple[int, str], ...] = ()
    sheet: str | None = None
    more_sheets: tuple[str, ...] = ()
    json_lines: bool = False
    envelopes: bool = False
    """Whether the lines of JSON are envelopes of Debezium; then these are their rows, flattened."""
    types: tuple[str, ...] = ()
    """Of Parquet: the type of each column, as silver calls it."""

    @property
    def format(self) -> Literal["csv", "tsv", "xlsx", "jsonl", "debezium", "parquet"]:
        """The format as ``sources.yaml`` calls it."""
        if self.types:
            return "parquet"
        if self.sheet is not None:
            return "xlsx"
        if self.envelopes:
            return "debezium"
        return "jsonl" if self.json_lines else "tsv" if self.delimiter == "\t" else "csv"

    @property
    def kind(self) -> str:
        """What the file is, in a few words."""
        if self.types:
            return "Parquet"
        if self.json_lines:
            return f"{'envelopes of Debezium' if self.envelopes else 'JSON lines'}, {self.encoding}"
        if self.sheet is not None:
            return f"xlsx, sheet {self.sheet!r}"
        bom = " with a byte order mark" if self.bom else ""
        return f"{DELIMITERS[self.delimiter]}-separated, {self.encoding}{bom}, lines end in {self.line_ending}"


def read(path: Path, most_bytes: int = MOST_BYTES) -> Delivered:
    """Open a file, whatever it is. Raises ``Unreadable`` when it has no rows and columns."""
    if not path.exists():
        raise Unreadable(f"there is no file {path}")
    if path.is_dir():
        raise Unreadable(f"{path} is a folder; name one of its files")
    if not path.is_file():
        raise Unreadable(f"{path} is not an ordinary file (a pipe, socket or device)")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(most_bytes)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror or error}") from error
    whole = len(data) >= size
    if data.startswith(parquet.MAGIC):
        return _typed(path, data, size, whole, most_bytes)
    if data.startswith(b"PK\x03\x04"):
        return _workbook(path, data, size, whole)
    text, encoding, bom = _decode(path, data, whole)
    envelopes = _begins_with_an_envelope(text)
    if (lines := _json_lines(text, whole, envelopes)) is not None:
        return _of_json(path, data, size, whole, encoding, bom, lines, envelopes)
    _refuse_documents(path, text)
    return _table(path, data, size, whole, text, encoding, bom)


def _begins_with_an_envelope(text: str) -> bool:
    first = next(jsonl.records_of(text[:_PIECE], envelopes=True), None)
    return first is not None and first.record is not None


def _json_lines(text: str, whole: bool, envelopes: bool) -> list[jsonl.Line] | None:
    """The records of JSON lines; None when it is something else, such as one document: an error, a page of an API."""
    if not envelopes and not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    lines = list(jsonl.records_of(text, envelopes=envelopes))
    if not whole and len(lines) > 1:
        lines.pop()  # it may go on behind what was looked at
    good = sum(line.record is not None for line in lines)
    return lines if len(lines) > 1 and good >= _MOSTLY_JSON * len(lines) else None


def _of_json(
    path: Path, data: bytes, size: int, whole: bool, encoding: str, bom: bool, lines: list[jsonl.Line], envelopes: bool
) -> Delivered:
    header = jsonl.columns_of(lines)
    if len(header) > MOST_COLUMNS:
        raise Unreadable(f"{path} has {len(header):,} columns; more than {MOST_COLUMNS:,} are not looked at")
    good = [(line.line, line.record) for line in lines if line.record is not None]
    return Delivered(
        path=path,
        data=data,
        size=size,
        whole=whole,
        encoding=encoding,
        bom=bom,
        delimiter="",
        line_ending="",
        header_line=1,
        header=header,
        rows=[tuple(record.get(name) or "" for name in header) for _, record in good],
        lines=[line for line, _ in good],
        broken=tuple((line.line, str(line.fault)) for line in lines if line.fault),
        json_lines=True,
        envelopes=envelopes,
    )


def _typed(path: Path, data: bytes, size: int, whole: bool, most_bytes: int) -> Delivered:
    """The records of a Parquet file, as many as fit into ``most_bytes`` of text."""
    rows: list[tuple[str, ...]] = []
    taken = 0
    try:
        with parquet.opened(path, b"") as read:
            header, types = read.header, read.silver
            for texts in read.batches(_PIECE):
                rows += zip(*([value or "" for value in text.to_pylist()] for text in texts), strict=True)
                taken += sum(text.nbytes for text in texts)
                if taken >= most_bytes:
                    break
    except parquet.NotParquet as error:
        raise Unreadable(f"{path} cannot be read as Parquet: {error}; {error.refusal.hint}") from error
    return Delivered(
        path=path,
        data=data,
        size=size,
        whole=whole,
        encoding="utf-8",
        bom=False,
        delimiter="",
        line_ending="",
        header_line=1,
        header=header,
        rows=rows,
        lines=list(range(1, len(rows) + 1)),
        types=types,
    )


def _workbook(path: Path, data: bytes, size: int, whole: bool) -> Delivered:
    """The sheet of a workbook with the most rows; columns without a name and a value are left out."""
    from netflix_dagster.files import xlsx
    from netflix_dagster.files.unpack import Unfit, unpack

    if not whole:
        raise Unreadable(
            f"{path} is a workbook or zip archive of {size:,} bytes; only the first {len(data):,} were read"
        )
    try:
        sheets = list(xlsx.read_sheets(unpack(data)))
    except Unfit as unfit:
        _, reason, mend = unfit.fault
        raise Unreadable(f"{path} is no workbook that can be read: {reason}; {mend}") from unfit
    sheet = max(sheets, key=lambda s: sum(any(row) for row in s.rows), default=None)
    filled = [(line, row) for line, row in enumerate(sheet.rows, 1) if any(row)] if sheet else []
    if not sheet or not filled:
        raise Unreadable(f"{path} is a workbook with nothing in its sheets")
    width = max(len(row) for _, row in filled)
    if width > MOST_COLUMNS:
        raise Unreadable(f"{path} has {width:,} columns; more than {MOST_COLUMNS:,} are not looked at")
    rows = [(line, row + [""] * (width - len(row))) for line, row in filled]
    usual = Counter(place for _, row in rows for place, cell in enumerate(row) if cell)
    used = [place for place in range(width) if usual[place] > 1 or (usual[place] and len(rows) < 3)]
    rows = [(line, [row[place] for place in used]) for line, row in rows]
    place = _header_at([row for _, row in rows[:_PREAMBLE]], len(used))
    line, header = rows[place]
    below = [(number, row) for number, row in rows[place + 1 :] if any(row)]
    return Delivered(
        path=path,
        data=data,
        size=size,
        whole=True,
        encoding="xlsx",
        bom=False,
        delimiter="",
        line_ending="",
        header_line=line,
        header=tuple(" ".join(cell.split()) for cell in header),
        rows=[tuple(row) for _, row in below],
        lines=[number for number, _ in below],
        sheet=sheet.name,
        more_sheets=tuple(other.name for other in sheets if other is not sheet and any(map(any, other.rows))),
    )


def _decode(path: Path, data: bytes, whole: bool) -> tuple[str, str, bool]:
    """The text, its encoding, and whether it begins with a byte order mark."""
    if not data.strip():
        raise Unreadable(f"{path} is empty")
    for magic, what, mend in _NOT_TEXT:
        if data.startswith(magic):
            raise Unreadable(f"{path} is {what}, not text; {mend}")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            name = "utf-8-sig" if encoding == "utf-8" else encoding
            text = _try(data, name, whole)
            if text is None:
                raise Unreadable(f"{path} begins as {encoding} and goes on as something else; ask for it again")
            return text, encoding, True
    if b"\0" in data:
        encoding = "utf-16-le" if data[1::2].count(0) > data[::2].count(0) else "utf-16-be"
        text = _try(data, encoding, whole) if data.count(0) > len(data) // 5 else None
        if text is None or "\0" in text:
            line = data.count(b"\n", 0, data.index(b"\0")) + 1
            raise Unreadable(f"{path} is binary, or was damaged on its way: there is a NUL byte in line {line}")
        return text, encoding, False
    if (utf8 := _try(data, "utf-8", whole)) is not None:
        return utf8, "utf-8", False
    western, encoding = _try(data, "cp1252", whole), _guess(data)
    guessed = _try(data, encoding, whole)
    if guessed is None or guessed == western:
        guessed, encoding = western, "cp1252"
    return (guessed, encoding, False) if guessed is not None else (data.decode("latin-1"), "latin-1", False)


def _try(data: bytes, encoding: str, whole: bool) -> str | None:
    """The text in this encoding, or None. A part of a file may end inside a character."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        return None
    return text if whole else text[: text.rfind("\n") + 1] or text


def _guess(data: bytes) -> str:
    """The likely encoding, judged by the lines that are not plain ASCII."""
    from charset_normalizer import from_bytes

    odd = list(islice((line for line in data.splitlines() if not line.isascii()), 300))
    best = from_bytes(b"\n".join(odd)[:100_000], cp_isolation=_ENCODINGS).best()
    return best.encoding if best else "cp1252"


def _refuse_documents(path: Path, text: str) -> None:
    """Refuse text that is no table: a page, nothing, JSON."""
    if fault := foreign.no_data(text):
        _, reason, hint = fault
        raise Unreadable(f"{path} holds no table: {reason}; {hint}")
    if not text.lstrip().startswith(("{", "[")):
        return
    for piece in (text, text.lstrip().split("\n", 1)[0]):
        try:
            document = json.loads(piece)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, (dict, list)):
            raise Unreadable(f"{path} is JSON, not rows and columns; turn it into csv first")


def _table(path: Path, data: bytes, size: int, whole: bool, text: str, encoding: str, bom: bool) -> Delivered:
    lines = list(io.StringIO(text, newline=""))
    delimiter = _delimiter(lines)
    records, broken = _records(lines, delimiter)
    if not whole and len(records) > 1:
        records.pop()  # it may go on after the part that was read
    widths = Counter(len(cells) for _, cells in records)
    if not widths:
        raise Unreadable(f"{path} holds no record: every line is blank or has misplaced quotes")
    width = max(widths, key=lambda w: (widths[w], w))
    if width > MOST_COLUMNS:
        raise Unreadable(f"{path} has {width:,} columns; more than {MOST_COLUMNS:,} are not looked at")
    place = _header_at([cells for _, cells in records[:_PREAMBLE]], width)
    line, cells = records[place]
    below = [record for record in records[place + 1 :] if len(record[1]) == len(cells)]
    is_header = not _is_data(cells, [row for _, row in below[:_SAMPLE]])
    if not is_header:
        below.insert(0, (line, cells))
    return Delivered(
        path=path,
        data=data,
        size=size,
        whole=whole,
        encoding=encoding,
        bom=bom,
        delimiter=delimiter,
        line_ending=_line_ending([lines[start - 2] for start, _ in records[1:]] + lines[-1:]),
        header_line=line if is_header else None,
        header=tuple(cell.strip() for cell in cells) if is_header else ("",) * len(cells),
        rows=[tuple(row) for _, row in below],
        lines=[number for number, _ in below],
        ragged=tuple((number, len(row)) for number, row in records[place + 1 :] if len(row) != len(cells)),
        broken=tuple(broken),
    )


def _delimiter(lines: Sequence[str]) -> str:
    """The character that cuts most records into equally many fields, and more than one. The parser is the door's:
    a sniffer with rules of its own could see another file."""
    found = {}
    for delimiter in DELIMITERS:
        widths = Counter(len(cells) for _, cells in _records(lines, delimiter, _SAMPLE)[0])
        several = {width: count for width, count in widths.items() if width > 1}
        if several:
            width = max(several, key=lambda w: (several[w], w))
            found[delimiter] = (round(several[width] / widths.total(), 1), width)
    return max(found, key=lambda delimiter: found[delimiter], default=",")


def _records(
    lines: Iterable[str], delimiter: str, most: int | None = None
) -> tuple[list[tuple[int, list[str]]], list[tuple[int, str]]]:
    """The records with the line where each begins, and the lines at which the parser found none, with its message."""
    import netflix_dagster.files.reading  # noqa: F401  lifts the limit on the length of a field

    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    records: list[tuple[int, list[str]]] = []
    broken: list[tuple[int, str]] = []
    while most is None or len(records) + len(broken) < most:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            broken.append((line, str(error)))
            continue
        if cells:
            records.append((line, cells))
    return records, broken


def _header_at(records: Sequence[list[str]], width: int) -> int:
    """Place of the first record that names most columns; the records before it are a preamble.

    A record with a number or a day is no header, unless every record has some: then years are names.
    """
    wide = [place for place, cells in enumerate(records) if len(cells) == width] or [0]
    full = [place for place in wide if sum(map(bool, records[place])) * 2 > width] or wide
    return next((place for place in full if not any(map(_NUMBER.fullmatch, records[place]))), full[0])


def _is_data(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a record is data and no header: it has a number or day in a column of numbers or days."""
    for cell, column in zip(cells, zip(*below, strict=True), strict=False):
        filled = [value for value in column if value.strip()]
        if re.search(r"\d", cell) and filled and _shape(cell) in {_shape(value) for value in filled}:
            return True
    return False


def _shape(value: str) -> str:
    """A number or day without its digits; any other value as it is."""
    return re.sub(r"\d+", "9", value.strip()) if _NUMBER.fullmatch(value) else value


def _line_ending(ends: Iterable[str]) -> str:
    """How the last lines of the records end; line breaks inside of values do not count."""
    found = {
        "CRLF" if end.endswith("\r\n") else "LF" if end.endswith("\n") else "CR" for end in ends if end[-1:] in "\r\n"
    }
    return " and ".join(sorted(found)) or "nothing"
