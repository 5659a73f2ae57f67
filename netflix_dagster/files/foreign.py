"""Recognises a file that is not the text its source promises: another format, another encoding, a server's answer.

Each function returns a fault (the rule, the reason, what to do), or None. None of them converts anything.
"""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Sequence

Fault = tuple[str, str, str]
"""The rule that a file breaks, the reason, and what to do."""
_AGAIN = "fetch the file again"
_UNPACK = "unpack it and land the file that is in it"
_EXPORT = "export the table as text and land that"
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "packed with gzip", _UNPACK),
    (b"PK\x03\x04", "a zip archive or a workbook", _UNPACK),
    (b"BZh", "packed with bzip2", _UNPACK),
    (b"\xfd7zXZ", "packed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed with zstandard", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"PAR1", "a Parquet file", "say `format: parquet` of its source in sources.yaml, or export the table as text"),
    (b"ORC", "an ORC file", _EXPORT),
    (b"Obj\x01", "an Avro file", _EXPORT),
    (b"SQLite format 3\0", "an SQLite database", _EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a workbook of the older format .xls", _EXPORT),
    (b"%PDF-", "a PDF document", "ask for the data as text"),
    (b"\x89PNG", "a picture", _AGAIN),
    (b"\xff\xd8\xff", "a picture", _AGAIN),
    (b"\x7fELF", "a program", _AGAIN),
    (
        b"version https://git-lfs.github.com/",
        "a pointer of Git LFS",
        "fetch it with `git lfs pull`",
    ),
)
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x80-\xff]")
MOST_JSON = 20_000_000
"""Longer texts are not tested for being JSON as a whole, in characters."""
_LOOKED_AT = 400
SEPARATORS = ",;|\t^~\x01\x1e\x1f"
"""What may separate the values of a file whose delimiter is not that of its source."""


def other_format(data: bytes) -> Fault | None:
    """Why bytes are no text at all but a file of another format."""
    for begins, what, hint in _SIGNATURES:
        # ORC, BZh and Obj may also begin a header; then all bytes after them are text.
        if data.startswith(begins) and (len(begins) > 3 or _NOT_TEXT.search(data, 0, _LOOKED_AT)):
            return "another_format", f"the file is {what}, not delimited text", hint
    return None


def wide_encoding(data: bytes) -> Fault | None:
    """Why bytes are text of two or four bytes a character, with a byte order mark or without."""
    hint = "save it as UTF-8 and land it again"
    if data[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return "encoding", "the file is UTF-32, not UTF-8", hint
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "encoding", "the file is UTF-16, not UTF-8", hint
    start = data[:_LOOKED_AT]
    for step, name in ((4, "UTF-32"), (2, "UTF-16")):
        most = (len(start) // step) * 0.9
        places = [start[place::step].count(0) for place in range(step)]
        if len(start) >= 8 and sum(count >= most for count in places) == step - 1 and min(places) < most / 2:
            return "encoding", f"the file is {name} without a byte order mark, not UTF-8", hint
    return None


def not_utf8(data: bytes, error: UnicodeDecodeError, line: int) -> Fault:
    """What is wrong with a file that has a byte which is not UTF-8 in this line."""
    if error.reason == "unexpected end of data":
        return (
            "complete_file",
            f"the file ends inside a character, in line {line}: it was cut short",
            "ask for it again",
        )
    reason = f"the file is not UTF-8: byte 0x{data[error.start]:02x} in line {line}"
    first, second = data[error.start], data[error.start + 1 : error.start + 2]
    if (first in (0xC0, 0xC1) and b"\x80" <= second < b"\xc0") or (first == 0xED and second >= b"\xa0"):
        return (
            "encoding",
            reason,
            "a program wrote it in a way of its own (CESU-8?); save it as UTF-8 and land it again",
        )
    return "encoding", reason, "it was probably saved as Windows-1252; save it as UTF-8 and land it again"


def no_data(text: str) -> Fault | None:
    """Why a text is not data but a server's answer: a page, ``null``, an error."""
    start = text[:500].lstrip("\ufeff \t\r\n").lower()
    if re.match(r"<[a-z!?]", start):
        found = re.search(r"<(title|a|code|message)\b[^>]*>(.*?)</\1>", text[:5000], re.IGNORECASE | re.DOTALL)
        title = f" ({found.group(2).strip()})" if found else ""
        what = "XML" if start.startswith("<?xml") and "<html" not in start else "an HTML page"
        hint = "the download answered with a page instead of the data; fetch the file again"
        return "not_a_page", f"the file is {what}{title}, not data", hint
    if start.strip() in ("null", "{}", "[]"):
        return "not_empty", f"the body is {start.strip()!r}, there is no data", _AGAIN
    if start.startswith(("{", "[")) and _is_json(text):
        shown = " ".join(text[:200].split())
        return (
            "another_format",
            f"the file is JSON ({shown[:80]}), not a table",
            "it may be an error; fetch the file again",
        )
    return None


def _is_json(text: str) -> bool:
    """Whether the whole text, or its first line, is one JSON object or list."""
    for part in (text.strip("\ufeff \t\r\n").partition("\n")[0], text.strip("\ufeff \t\r\n")):
        try:
            if len(part) <= MOST_JSON and isinstance(json.loads(part), dict | list):
                return True
        except (ValueError, RecursionError):
            continue
    return False


def lookalike(header: Sequence[str], wanted: Sequence[str]) -> str | None:
    """A header with letters of another script that only look like those of a wanted column."""
    for name in header:
        strange = [letter for letter in name[:_LOOKED_AT] if not letter.isascii()]
        if not strange or len(name) > _LOOKED_AT or len(strange) > len(name) / 2:
            continue
        pattern = re.compile(
            "".join("." if not letter.isascii() else re.escape(letter) for letter in name), re.IGNORECASE
        )
        if any(pattern.fullmatch(column) for column in wanted):
            letter = strange[0]
            character = f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip()
            return (
                f"the header {name!r} is written with {character}, which only looks like the letter; type the name anew"
            )
    return None
