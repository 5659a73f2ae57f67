"""Checks a workbook before a reader opens it: an .xlsx is a zip of XML parts, which may be damaged or hostile.

It unpacks every part in small pieces and reads it once: how large it really is, whether it is whole, how far its cells
reach, how much text they hold, which of them hold an error. It packs the checked parts anew, without compression, and
only these go to the reader. So nothing that the zip or a sheet states about its own size is believed.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

MAX_FILE = 32 * 1024 * 1024
"""Bytes of a delivered file; the largest real one has 900,000."""
MAX_PARTS = 1_000
MAX_UNPACKED = 32 * 1024 * 1024
"""Bytes of all parts together; the largest real file comes to 5.4 million."""
MAX_RATIO = 100
"""How many times its size a part of more than ``RATIO_FROM`` bytes may unpack to; real sheets come to 9."""
RATIO_FROM = 1024 * 1024
MAX_CELLS = 400_000
"""Cells of all sheets, the empty ones between filled ones included; real files have up to 112,000."""
MAX_TEXT = 8 * 1024 * 1024
"""Characters of all cells; a text that many cells share counts for each. Real files have 700,000."""
MAX_DEPTH = 100
MAX_TAG = 1024 * 1024
"""Nested elements, and bytes of one tag: a parser keeps both in memory."""
LAST_ROW, LAST_COLUMN = 1_048_576, 16_384
_PIECE = 64 * 1024
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_TOO_LARGE = "ask for the file again; if it is right, raise the limit in netflix_dagster/files/unpack.py"
_DAMAGED = "ask for the file again, or open it in a spreadsheet, save it as .xlsx and land it again"


class Unfit(Exception):
    """A workbook that must not be opened. ``fault``: the rule that it breaks, why, and what to do."""

    def __init__(self, rule: str, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.fault = (rule, reason, hint)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The checked parts, as a zip of their own, and the cells of each sheet that hold an error.

    ``errors``: name of the sheet -> (row, column), both from 1 -> the error, such as ``#REF!``.
    """

    data: bytes
    errors: Mapping[str, Mapping[tuple[int, int], str]] = field(default_factory=dict)


def unpack(data: bytes) -> Unpacked:
    """Check a zip with a workbook, part by part. Raises ``Unfit``, and nothing else, for what it holds."""
    if len(data) > MAX_FILE:
        raise too_large(len(data))
    if data.count(b"PK\x01\x02") > MAX_PARTS:
        raise Unfit("zip_bomb", f"the zip has more than {MAX_PARTS:,} parts", _TOO_LARGE)
    target = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed, zipfile.ZipFile(target, "w") as plain:
            contents = _look_through(packed, plain)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise Unfit("complete_file", f"the zip is damaged or was cut short: {error}", _DAMAGED) from error
    return Unpacked(target.getvalue(), contents.errors_by_sheet())


def too_large(size: int) -> Unfit:
    return Unfit("zip_bomb", f"the file has {size:,} bytes, the limit is {MAX_FILE:,}", _TOO_LARGE)


def _look_through(packed: zipfile.ZipFile, plain: zipfile.ZipFile) -> _Contents:
    parts = packed.infolist()
    names = [_folded(part.filename) for part in parts]
    if "xl/workbook.xml" not in names:
        kind = "an .xlsb workbook" if "xl/workbook.bin" in names else "an ordinary zip, or another kind of document"
        raise Unfit("workbook", f"there is no workbook in the zip: it is {kind}", "save it as .xlsx and land it again")
    if len(set(names)) < len(names):
        raise Unfit("complete_file", "the zip holds two parts of one name", _DAMAGED)
    stated = sum(part.file_size for part in parts)
    if stated > MAX_UNPACKED:
        reason = f"its parts would unpack to {stated:,} bytes, the limit is {MAX_UNPACKED:,}"
        raise Unfit("zip_bomb", reason, _TOO_LARGE)
    contents = _Contents()
    left = MAX_UNPACKED
    for part, name in zip(parts, names, strict=True):
        if not name.endswith((".xml", ".rels")):
            continue
        if part.flag_bits & 0x1:
            raise Unfit("encrypted", f"the part {part.filename} is encrypted", "save it without a password")
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unfit(
                "complete_file", f"the part {part.filename} is packed in a way that .xlsx does not use", _DAMAGED
            )
        left -= _copy(packed, part, plain, _Part(name, contents), left)
    contents.judge()
    return contents


def _copy(packed: zipfile.ZipFile, part: zipfile.ZipInfo, plain: zipfile.ZipFile, check: _Part, left: int) -> int:
    """Unpack one part piece by piece, check it, pack it anew; return how many bytes it has."""
    size = 0
    with packed.open(part) as source, plain.open(part.filename, "w") as copy:
        while piece := source.read(_PIECE):
            size += len(piece)
            if size > left:
                raise Unfit("zip_bomb", f"its parts unpack to more than {MAX_UNPACKED:,} bytes", _TOO_LARGE)
            if size > RATIO_FROM and size > MAX_RATIO * part.compress_size:
                reason = f"the part {part.filename} unpacks to more than {MAX_RATIO} times its size"
                raise Unfit("zip_bomb", reason, _TOO_LARGE)
            check.feed(piece, size)
            copy.write(piece)
        check.end()
    return size


def _folded(name: str) -> str:
    return name.replace("\\", "/").removeprefix("/").lower()


class _Contents:
    """What the parts of a workbook hold together."""

    def __init__(self) -> None:
        self.cells = 0
        self.text = 0
        self.shared: list[int] = []
        self.references: Counter[str] = Counter()
        self.sheets: list[tuple[str, str]] = []
        self.targets: dict[str, str] = {}
        self.errors: dict[str, dict[tuple[int, int], str]] = {}

    def judge(self) -> None:
        for index, times in self.references.items():
            place = int(index) if index.isascii() and index.isdigit() and len(index) < 10 else -1
            if not 0 <= place < len(self.shared):
                reason = f"a cell names the text number {index[:20]!r}, and there are {len(self.shared):,}"
                raise Unfit("complete_file", reason, _DAMAGED)
            self.text += times * self.shared[place]
        if self.text > MAX_TEXT:
            reason = f"its cells hold {self.text:,} characters, the limit is {MAX_TEXT:,}"
            raise Unfit("zip_bomb", reason, _TOO_LARGE)

    def errors_by_sheet(self) -> dict[str, dict[tuple[int, int], str]]:
        """The error cells under the names that the workbook gives its sheets."""
        found = {}
        for name, relation in self.sheets:
            target = self.targets.get(relation, "").removeprefix("/")
            part = _folded(target if target.lower().startswith("xl/") else f"xl/{target}")
            found[name] = self.errors.get(part, {})
        return found


class _Part:
    """One XML part, read as it is unpacked."""

    def __init__(self, name: str, contents: _Contents) -> None:
        self.name, self.contents = name, contents
        self.depth = self.row = self.column = self.last_row = self.last_column = 0
        self.kind = self.root = ""
        self.wanted = False
        self.pieces: list[str] = []
        self.value: str | None = None
        self.reader = expat.ParserCreate()
        self.reader.buffer_text = True
        self.reader.StartElementHandler = self._start
        self.reader.EndElementHandler = self._end
        self.reader.CharacterDataHandler = self._text
        self.reader.StartDoctypeDeclHandler = self._doctype

    def feed(self, piece: bytes, fed: int) -> None:
        self._parse(piece, False)
        if fed - self.reader.CurrentByteIndex > MAX_TAG + _PIECE:
            raise Unfit("zip_bomb", f"a tag of the part {self.name} is longer than {MAX_TAG:,} bytes", _TOO_LARGE)

    def end(self) -> None:
        self._parse(b"", True)
        if self.root == "worksheet":
            self.contents.cells += self.last_row * self.last_column

    def _parse(self, piece: bytes, last: bool) -> None:
        try:
            self.reader.Parse(piece, last)
        except expat.ExpatError as error:
            raise Unfit("complete_file", f"the part {self.name} is broken XML: {error}", _DAMAGED) from error

    def _few(self, number: int, limit: int, what: str) -> None:
        if number > limit:
            raise Unfit("zip_bomb", f"the part {self.name} lists more than {limit:,} {what}", _TOO_LARGE)

    def _doctype(self, *_: Any) -> None:
        reason = f"the part {self.name} has a DTD, which can draw in other files; no spreadsheet writes one"
        raise Unfit("no_dtd", reason, "do not open it; ask where the file comes from")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            reason = f"the part {self.name} has more than {MAX_DEPTH} elements inside each other"
            raise Unfit("zip_bomb", reason, _DAMAGED)
        tag = tag.rpartition(":")[2]
        if self.depth == 1:
            self.root = tag
            if tag == "sst" and self.contents.shared:
                raise Unfit("complete_file", "there are two tables of texts", _DAMAGED)
        elif self.root == "worksheet":
            self._start_in_sheet(tag, attributes)
        elif self.root == "sst":
            self.wanted = tag == "t"
            if tag == "si":
                self.pieces = []
        elif self.root == "workbook" and tag == "sheet":
            relation = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "id"), "")
            self.contents.sheets.append((attributes.get("name", ""), relation))
            self._few(len(self.contents.sheets), MAX_PARTS, "sheets")
        elif self.root == "Relationships" and self.name == "xl/_rels/workbook.xml.rels":
            self.contents.targets[attributes.get("Id", "")] = attributes.get("Target", "")
            self._few(len(self.contents.targets), MAX_PARTS, "relations")

    def _start_in_sheet(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            stated = attributes.get("r", str(self.row + 1))
            row = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 8 else 0
            self._move(row, 0, row > self.row)
        elif tag == "c":
            row, column = self._place(attributes.get("r"))
            self._move(row, column, row == self.row and column > self.column)
            self.kind = attributes.get("t", "n")
            self.value = None
        elif tag in ("v", "t"):
            self.wanted, self.pieces = True, []

    def _place(self, reference: str | None) -> tuple[int, int]:
        if reference is None:
            return self.row, self.column + 1
        found = _REFERENCE.fullmatch(reference)
        if not found:
            raise Unfit("complete_file", f"the part {self.name} has a cell {reference[:20]!r}", _DAMAGED)
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - 64
        return int(found[2]), column

    def _move(self, row: int, column: int, onward: bool) -> None:
        if not onward or not 1 <= row <= LAST_ROW or column > LAST_COLUMN:
            reason = f"the part {self.name} has row {row}, column {column} after row {self.row}, column {self.column}"
            raise Unfit("complete_file", reason, _DAMAGED)
        self.row, self.column = row, column

    def _text(self, piece: str) -> None:
        if self.wanted:
            self.pieces.append(piece)

    def _end(self, tag: str) -> None:
        self.depth -= 1
        tag = tag.rpartition(":")[2]
        if self.root == "sst":
            if tag == "si":
                self.contents.shared.append(sum(map(len, self.pieces)))
                self._few(len(self.contents.shared), MAX_CELLS, "texts")
            self.wanted = False
        elif self.root == "worksheet":
            if tag in ("v", "t") and self.wanted:
                self.value = (self.value or "") + "".join(self.pieces)
                self.wanted = False
            elif tag == "c" and self.value is not None:
                self._keep(self.value)

    def _keep(self, value: str) -> None:
        self.last_row, self.last_column = self.row, max(self.last_column, self.column)
        if self.contents.cells + self.last_row * self.last_column > MAX_CELLS:
            reason = f"its sheets reach over more than {MAX_CELLS:,} cells"
            raise Unfit("zip_bomb", reason, f"delete what stands far outside the table; or {_TOO_LARGE}")
        if self.kind == "s":
            self.contents.references[value] += 1
        else:
            self.contents.text += len(value)
        if self.kind == "e":
            self.contents.errors.setdefault(self.name, {})[self.row, self.column] = value
