"""What delivered text says, read a second time: letters, days, tables of text."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import date

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
UNSEEN = {0xAD, 0x200B, 0x200E, 0x200F, 0xFE0E, 0xFE0F, 0xFEFF, *range(0x202A, 0x202F), *range(0x2060, 0x2070)}
JOINERS = "\u200c\u200d"
SIMPLE = ("LATIN", "GREEK", "CYRILLIC", "CJK", "HANGUL", "HIRAGANA", "KATAKANA")
"""Scripts whose letters nothing joins."""


def tidy(text: str | None) -> str | None:
    """Without what nobody sees, white space folded, composed; nothing is None."""
    seen = unicodedata.normalize("NFC", "".join(c for c in text or "" if ord(c) not in UNSEEN))
    if any(c in JOINERS for c in seen):
        parts = re.split(f"([{JOINERS}]+)", seen)
        for place in range(1, len(parts), 2):
            if not (_may_be_joined(parts[place - 1][-1:]) and _may_be_joined(parts[place + 1][:1])):
                parts[place] = ""
        seen = unicodedata.normalize("NFC", "".join(parts))
    return " ".join(seen.split()) or None


def _may_be_joined(letter: str) -> bool:
    return bool(letter) and ord(letter) > 0x36F and not letter.isspace() and not _is_simple(letter)


def _is_simple(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(SIMPLE)


def words(title: str) -> str:
    """A title as compared: in lower case, and ``Oct-01`` and ``1-Oct`` as one."""
    return unmangled(title.lower())


def unmangled(title: str) -> str:
    """A title that a spreadsheet turned into a day in one form; any other as it is."""
    found = re.fullmatch(r"(?P<m>[a-z]{3})-0?(?P<d>[0-9]{1,2})|0?(?P<d2>[0-9]{1,2})-(?P<m2>[a-z]{3})", title, re.I)
    if not found:
        return title
    month, number = found["m"] or found["m2"], found["d"] or found["d2"]
    if month.lower() not in MONTHS:
        return title
    return f"{number if len(number) == 1 or number[0] != '0' else number[1]}-{month}"


def folded(title: str) -> str:
    """Letters with their vowel signs, digits, ``+`` and ``#`` behind them; no accents, no punctuation."""
    found = ""
    for letter in unicodedata.normalize("NFKD", title).lower().replace("&", "and"):
        code = ord(letter)
        accent = 0x300 <= code <= 0x36F or 0x591 <= code <= 0x5C7 or 0x64B <= code <= 0x65F or code == 0x670
        accent = accent or 0x1AB0 <= code <= 0x1AFF or 0x1DC0 <= code <= 0x1DFF or 0x20D0 <= code <= 0x20FF
        if not accent and not 0xFE20 <= code <= 0xFE2F:
            found += letter
    found = re.sub(r"(^|(?<=[^\w+#])|(?<=_))[+#]+", "", found)  # before a word they decorate
    return "".join(c for c in found if c in "+#" or unicodedata.category(c)[0] in "LMN")


def day(text: str | None) -> date | None:
    """``September 9, 2019``, ``9/9/2019`` or ``2019-09-09``; else None."""
    said = text or ""
    if found := re.fullmatch(r"([A-Za-z]+)\.? ([0-9]{1,2}),? ([0-9]{4})", said):
        month = found[1].lower()
        names = [n for n in _LONG if month in (n, n[:3]) or (n == "september" and month == "sept")]
        parts = (found[3], _LONG.index(names[0]) + 1, found[2]) if names else None
    elif found := re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", said):
        parts = (found[3], int(found[1]), found[2])
    elif found := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", said):
        parts = (found[1], int(found[2]), found[3])
    else:
        parts = None
    try:
        return date(int(parts[0]), parts[1], int(parts[2])) if parts and parts[0][0] != "0" else None
    except ValueError:
        return None


_LONG = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)


@dataclass(frozen=True)
class Record:
    """One record of a file: where it stands, and what each column says; what is not stated is None."""

    file: str
    number: int
    said: dict[str, str | None]
    columns: frozenset[str]
    unknown: dict[str, str] = field(default_factory=dict)
    """What columns that nobody knows say, by their header."""


class Unreadable(Exception):
    """The file is refused as a whole."""


JUDGED_BY = 128
"""From so many first records it is seen whether the header is short of columns."""


def records(
    file: str, data: bytes, names: dict[str, str], required: set[str], delimiter: str, tolerated: float = 0
) -> tuple[list[Record], dict[int, str]]:
    """The records of a delivered table, and by number which are malformed, and how.

    ``names`` are the known columns by every name that they have; ``tolerated`` is the share that may be malformed.
    """
    try:
        text = data.decode("utf-8-sig", "surrogateescape" if tolerated else "strict")
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(str(error)) from error
    header, *rows = lines or [[]]
    columns = [names.get(cell.strip().lower().replace(" ", "_")) for cell in header]
    known = [name for name in columns if name]
    if required - set(known) or len(set(known)) < len(known):
        raise Unreadable("header")
    rows = [row for row in rows if row]
    width = _width(rows[:JUDGED_BY], len(header)) if tolerated else len(header)
    malformed = {n: why for n, row in enumerate(rows, 1) if (why := _wrong(row, header, width))}
    if not rows or len(malformed) > tolerated * len(rows):
        raise Unreadable("records")
    if len(rows) in malformed and len(rows[-1]) < len(header) and not text.endswith(("\n", "\r")):
        raise Unreadable("cut short")
    unnamed = {n: f"(column {n + 1})" for n in range(len(header), width)}
    unknown = {n: header[n].strip() for n, name in enumerate(columns) if not name} | unnamed
    found = []
    for number, row in enumerate(rows, 1):
        if number not in malformed:
            said = {name: value or None for name, value in zip(columns, row, strict=False) if name}
            others = {header: row[n] for n, header in unknown.items() if row[n : n + 1] not in ([], [""])}
            found.append(Record(file, number, said, frozenset(known), others))
    return found, malformed


def _width(rows: list[list[str]], header: int) -> int:
    """How many fields a record has: more than the header names, when nearly all have as many more."""
    (width, count), *_ = Counter(map(len, rows)).most_common(1) or [(header, 0)]
    return width if len(rows) >= 20 and width > header and count >= 0.95 * len(rows) else header


def _wrong(row: list[str], header: list[str], width: int) -> str | None:
    """Why a record does not fit its header."""
    if row == header:
        return "header"
    if len(row) not in (len(header), width):
        return "fields"
    return "encoding" if any("\udc80" <= letter <= "\udcff" for letter in "".join(row)) else None
