"""The result of reading a delivered file: its records, and what is wrong with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from netflix_dagster.landing.sources import Source

COMPLETE = "complete_file"
"""The rule that a file breaks when it was cut short. Nobody knows what is lost, so nothing of it is taken."""
TOO_LONG = "field larger than field limit"
"""The parser's message about a value that swallowed everything after an open quote."""


class Record(NamedTuple):
    """One record as delivered. ``number`` counts records from 1, ``line`` is the file line where it begins; None where
    a file has no lines."""

    number: int
    line: int | None
    values: tuple[str | None, ...]
    rescued: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file (``record`` None) or a record of it that could not be read, why, and how to mend it.

    ``raw`` is the record as it stands in the file; a byte of it that is no UTF-8 is written ``\\xe9``.
    """

    rule: str
    reason: str
    hint: str
    record: int | None = None
    line: int | None = None
    raw: str | None = None


EMPTY = Refusal("not_empty", "the file is empty", "ask for the delivery again, or remove the file")


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What a file holds.

    ``records`` counts every record of the file. Of a file that is taken each is a row (``taken``) or set aside for
    the quarantine (``set_aside``): ``records = taken + set_aside``. ``types`` are those that the file itself gives its
    columns, in the order of the header; text has none. Nothing of a file with ``refusals``
    is taken; ``refused`` counts them all, but only the first of very many are kept. ``sample`` are rows spread over the
    file, by which its columns are judged. ``rows`` are filled only when the file was read whole, see ``parsing``.
    """

    path: str
    hash: str
    header: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    rows: tuple[Record, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unknown_columns: tuple[str, ...] = ()
    absent_columns: tuple[str, ...] = ()
    records: int = 0
    size: int = 0
    taken: int = 0
    set_aside: int = 0
    quarantined: tuple[Refusal, ...] = ()
    refused: int = 0
    sample: tuple[Record, ...] = ()

    @property
    def header_line(self) -> str:
        """The header as one record of comma-separated text."""
        return as_line(self.header)


def as_line(cells: Sequence[str]) -> str:
    """Cells as one record of comma-separated text."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # quotes both line breaks in a name
    return line.getvalue().removesuffix("\r\n")


def settled(file: ParsedFile, source: Source) -> ParsedFile:
    """The file; the faults of its records are set aside when they are no more than its source allows."""
    faults = file.refused or len(file.refusals)
    file = replace(file, refused=faults)
    if not faults or faults > source.tolerated * file.records:
        return file
    if any(map(is_of_file, file.refusals)):
        return file
    return replace(file, refusals=(), refused=0, quarantined=file.refusals, set_aside=faults)


def is_of_file(refusal: Refusal) -> bool:
    """Whether a fault concerns the whole file. A file that was cut short, or an open quote that swallowed everything
    after it, is no fault of one record."""
    return refusal.record is None or refusal.rule == COMPLETE or TOO_LONG in refusal.reason
