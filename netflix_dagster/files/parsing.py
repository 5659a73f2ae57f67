"""One parser for delivered files, on every engine: a whole file at once, its rows in memory.

For files that are known to be small. Whoever takes deliveries reads them by ``reading``, in batches; what a record is,
what is refused and why, is the same.
"""

from __future__ import annotations

from netflix_dagster.files.header import place_columns
from netflix_dagster.files.parsed import ParsedFile, Record, Refusal
from netflix_dagster.files.reading import open_bytes, open_file
from netflix_dagster.files.tail import looks_cut
from netflix_dagster.landing.sources import Source

__all__ = ["ParsedFile", "Record", "Refusal", "looks_cut", "parse_bytes", "parse_file", "place_columns"]


def parse_file(path: str, source: Source) -> ParsedFile:
    """Read and parse one file of ``source``. Never raises for what the file holds: it is in ``refusals``."""
    with open_file(path, source) as reading:
        return reading.whole()


def parse_bytes(data: bytes, source: Source, path: str = "") -> ParsedFile:
    """Parse the bytes of one file of ``source``; ``path`` is only carried along."""
    with open_bytes(data, source, path) as reading:
        return reading.whole()
