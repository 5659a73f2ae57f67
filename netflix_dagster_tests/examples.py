"""How many examples a property is tried with."""

from __future__ import annotations

from netflix_dagster.settings import get_settings

_FEWER = 10
"""Apache Spark takes a second where the embedded engine takes hundredths."""


def examples(count: int) -> int:
    """So many on the embedded engine; the same property, with a tenth of them, on another."""
    return count if get_settings().engine == "sail" else max(1, count // _FEWER)
