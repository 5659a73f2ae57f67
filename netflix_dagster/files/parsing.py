"""Parses a whole delivered file at once, with all its rows in memory.

This is for files that are known to be small. Deliveries are read in batches by ``reading``, with the same rules about
what a record is and what is refused.
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
    """Parse the bytes of one file of ``source``; ``path`` only names it in the result."""
    with open_bytes(data, source, path) as reading:
        return reading.whole()
