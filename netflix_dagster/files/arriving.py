"""Whether what an origin sends can be a file of its source at all: told by its beginning, before it lands.

The door reads all of it later and decides; this only keeps pages, error messages and other formats out of landing.
"""

from __future__ import annotations

from netflix_dagster.files import foreign, parquet
from netflix_dagster.landing.sources import Source


def unlike(head: bytes, source: Source) -> str | None:
    """Why a file that begins so is none of the source's; None when it may be one."""
    if not head.strip():
        return "it is empty"
    if source.format == "xlsx":
        return None if head.startswith(b"PK\x03\x04") else "it is no workbook"
    if source.format == "parquet":
        other = parquet.strange(head)
        return other.reason if other else None
    if strange := foreign.other_format(head) or foreign.wide_encoding(head):
        return strange[1]
    text = head.decode("utf-8", "replace")
    if said := foreign.no_data(text):
        return said[1]
    return None
