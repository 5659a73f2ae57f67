"""Reads delivered workbooks: every sheet that has the source's header becomes records, all values as text.

The reader finds the header by the names of its columns, in whichever row it is. Every record gets the text above the
header and the name of the sheet, because there a report states its period. ``number`` counts the records of the file,
``line`` is the row of the sheet.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from netflix_dagster.files import foreign
from netflix_dagster.files.header import place_columns, rescue
from netflix_dagster.files.parsed import EMPTY, ParsedFile, Record, Refusal, as_line
from netflix_dagster.files.unpack import Unfit, Unpacked, unpack
from netflix_dagster.landing.sources import EvolvedColumn, Source

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

_LEGACY = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of a workbook from before 2007, and of a new one with a password."""
_FIRST_DAY = datetime(1899, 12, 31)
_LIKE_A_TABLE = (20, 3)
"""So many rows with so many values each are a table: a sheet with them and without a header is refused."""


def parse_workbook(data: bytes, source: Source, empty: ParsedFile) -> ParsedFile:
    """Parse the bytes of one workbook. Never raises for what it holds: ``refusals`` has the reason."""
    if not data.strip():
        return replace(empty, refusals=(EMPTY,))
    if not data.startswith(b"PK"):
        return replace(empty, refusals=(_no_zip(data),))
    try:
        unpacked = unpack(data)
        sheets = list(read_sheets(unpacked))
    except Unfit as unfit:
        return replace(empty, refusals=(Refusal(*unfit.fault),))
    return _collect([_read(sheet, source) for sheet in sheets], source, empty)


def _no_zip(data: bytes) -> Refusal:
    if data.startswith(_LEGACY):
        if "EncryptedPackage".encode("utf-16-le") in data:
            return Refusal("encrypted", "the workbook is behind a password", "save it without a password")
        return Refusal("workbook", "the file is of the older format .xls, not .xlsx", "save it as .xlsx")
    text = data[:5000].decode("utf-8-sig", "replace")
    fault = foreign.no_data(text)
    if fault:
        return Refusal(*fault)
    begins = text[:40].replace("\ufffd", "?")
    hint = "the download may have brought something else, or the file was only renamed; save it as .xlsx"
    return Refusal("workbook", f"the file is not a workbook (.xlsx is a zip); it begins with {begins!r}", hint)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as text, row by row from the first row and column of the sheet."""

    name: str
    visible: bool
    rows: list[list[str]]
    errors: Mapping[tuple[int, int], str]


def read_sheets(unpacked: Unpacked) -> Iterator[Sheet]:
    """Every worksheet of a workbook, hidden ones included. Raises ``Unfit`` for what cannot be read."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    book = _guarded(_open, unpacked.data)
    for meta in book.sheets_metadata:
        if meta.typ != SheetTypeEnum.WorkSheet:
            continue
        errors = unpacked.errors.get(meta.name, {})
        rows = _guarded(_texts, book, meta.name, errors)
        yield Sheet(meta.name, meta.visible == SheetVisibleEnum.Visible, rows, errors)


def _open(data: bytes) -> CalamineWorkbook:
    from python_calamine import CalamineWorkbook

    return CalamineWorkbook.from_filelike(io.BytesIO(data))


def _texts(book: CalamineWorkbook, name: str, errors: Mapping[tuple[int, int], str]) -> list[list[str]]:
    sheet = book.get_sheet_by_name(name)
    before = [""] * (sheet.start[1] if sheet.start else 0)  # the rows come from the first, the columns do not
    rows = [before + [as_text(cell) for cell in row] for row in sheet.iter_rows()]
    for (row, column), error in errors.items():  # the library reads them as empty
        if row <= len(rows) and column <= len(rows[row - 1]):
            rows[row - 1][column - 1] = error
    return rows


def _guarded(call: Any, *arguments: Any) -> Any:
    """Call the library; any error of it means that the workbook cannot be read. Its panics are no ``Exception``."""
    try:
        return call(*arguments)
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        hint = "open it in a spreadsheet, save it as .xlsx and land it again"
        raise Unfit("workbook", f"the workbook cannot be read: {error}", hint) from error


def as_text(value: Any) -> str:
    """A cell as bronze keeps it: days in ISO form, whole numbers without a point, times as h:mm, empty as ''."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
    if isinstance(value, datetime):
        # a time of more than a day in a format without days
        return _clock(value - _FIRST_DAY) if value.year <= 1900 else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _clock(timedelta(hours=value.hour, minutes=value.minute, seconds=value.second + value.microsecond / 1e6))
    if isinstance(value, timedelta):
        return _clock(value)
    return str(value)


def _clock(length: timedelta) -> str:
    seconds = round(abs(length).total_seconds())
    sign = "-" if length < timedelta() else ""
    shown = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}"
    return f"{shown}:{seconds % 60:02d}" if seconds % 60 else shown


@dataclass(frozen=True, slots=True)
class _Table:
    """What a sheet holds below its header. ``rows``: number in the sheet and cells of each row that is not empty."""

    sheet: Sheet
    header: tuple[str, ...]
    preamble: str | None
    rows: list[tuple[int, list[str]]]
    positions: list[int | None]
    rescued_at: dict[int, str]
    absent: tuple[str, ...]
    refusals: list[Refusal]


def _read(sheet: Sheet, source: Source) -> _Table | Refusal | None:
    """The table of a sheet; None when it has none, a refusal when nobody can tell what its columns are."""
    place = _header_row(sheet.rows, source)
    if place is None:
        least, wide = _LIKE_A_TABLE
        filled = sum(sum(map(bool, row)) >= wide for row in sheet.rows)
        if not sheet.visible or filled < least:
            return None
        reason = f"the sheet {sheet.name!r} has {filled} rows of {wide} or more values, and none names the columns"
        return Refusal("header", reason, "name its columns as in sources.yaml, or add their names there as aliases")
    rows = [(number, row) for number, row in enumerate(sheet.rows[place + 1 :], place + 2) if any(row)]
    named = sheet.rows[place]
    width = max(n for n, name in enumerate(named, 1) if name)
    header = tuple(name.strip() for name in named)
    positions, refusals, rescued_at, absent = place_columns(header, source)
    rescued_at = {n: name for n, name in rescued_at.items() if header[n] or any(row[n] for _, row in rows)}
    above = "\n".join(" ".join(filter(None, row)) for row in sheet.rows[:place] if any(row))
    if not rows and not refusals:
        if not sheet.visible:
            return None
        reason = f"the sheet {sheet.name!r} has a header and no record"
        return Refusal("not_empty", reason, "ask for the delivery again", line=place + 1)
    placed = [replace(r, reason=f"sheet {sheet.name!r}, row {place + 1}: {r.reason}", line=place + 1) for r in refusals]
    return _Table(sheet, header[:width], above or None, rows, positions, rescued_at, absent, placed)


def _header_row(rows: list[list[str]], source: Source) -> int | None:
    """The first row that names all required columns; otherwise the row that names most of them, at least two."""
    required = set(_required(source))
    best, most = None, 1
    for place, row in enumerate(rows):
        found = {source.canonical(cell) for cell in row if cell} - {None}
        if len(found) > 1 and required <= found:
            return place
        if len(found) > most:
            best, most = place, len(found)
    return best


def _required(source: Source) -> list[str]:
    return [name for name, column in source.columns.items() if column.required and name not in source.filled]


def _collect(tables: list[_Table | Refusal | None], source: Source, empty: ParsedFile) -> ParsedFile:
    read = [table for table in tables if isinstance(table, _Table)]
    refusals = [table for table in tables if isinstance(table, Refusal)]
    refusals += [refusal for table in read for refusal in table.refusals]
    header = read[0].header if read else ()
    if not read and not refusals:
        needed = ", ".join(_required(source))
        hint = "land a workbook with these columns, or name the new header as an alias in sources.yaml"
        refusals = [Refusal("header", f"no sheet has a row that names the columns ({needed})", hint)]
    if refusals:
        return replace(empty, header=header, refusals=tuple(refusals))
    rows: list[Record] = []
    bad: list[Refusal] = []
    number = 0
    for table in read:
        for line, cells in table.rows:
            number += 1
            fault = _error_in(table, source, number, line, cells)
            if fault:
                bad.append(fault)
            else:
                rows.append(Record(number, line, _values(table, source, cells), rescue(cells, table.rescued_at)))
    return replace(
        empty,
        header=header,
        rows=tuple(rows),
        refusals=tuple(bad),
        unknown_columns=tuple(dict.fromkeys(name for table in read for name in table.rescued_at.values())),
        absent_columns=tuple(name for name in source.columns if any(name in table.absent for table in read)),
        records=number,
    )


def _values(table: _Table, source: Source, cells: list[str]) -> tuple[str | None, ...]:
    state = None if table.sheet.visible else "hidden"
    filled = {"sheet": table.sheet.name, "preamble": table.preamble, "sheet_state": state}
    return tuple(
        [
            filled[name] if name in source.filled else (cells[place] or None) if place is not None else None
            for name, place in zip(source.columns, table.positions, strict=True)
        ]
    )


def _error_in(table: _Table, source: Source, number: int, line: int, cells: list[str]) -> Refusal | None:
    """The refusal of a record in which a formula of a column of the contract failed: its value is not known."""
    for column, place in zip(source.columns.values(), table.positions, strict=True):
        if isinstance(column, EvolvedColumn):
            continue
        error = table.sheet.errors.get((line, place + 1)) if place is not None else None
        if place is not None and error is not None:
            cell = f"the cell {_letters(place)}{line} of the sheet {table.sheet.name!r} ({table.header[place]})"
            reason = f"record {number}: {cell} holds the error {error[:20]}"
            return Refusal(
                "cell_error", reason, "mend the formula, save it and land it again", number, line, as_line(cells)
            )
    return None


def _letters(place: int) -> str:
    """The name of a column, counted from 0: A, B … Z, AA."""
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(65 + rest) + name
    return name
