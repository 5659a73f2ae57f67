"""Envelopes of Debezium, a change a line: read as its own flattening (``ExtractNewRecordState``) would write them.

The columns of the row stand under their names, as they are after the change, or before it when it is a delete. What the
envelope says of the change stands under ``__op``, ``__ts_ms``, ``__source_lsn``, ..., the row before it, if it is told,
as JSON under ``__before``. So bronze has all that was delivered but the schemas, which repeat with every record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Pairs = Sequence[tuple[str, Any]]
TOMBSTONE = "null"
"""A record without a value: it tells the broker to forget a key, whose delete was told before."""


def flat(record: Pairs) -> list[tuple[str, Any]] | None:
    """The columns of one record; None when it is no envelope."""
    said = dict(record)
    if isinstance(said.get("payload"), list) and "op" not in said:
        record = said["payload"]
        said = dict(record)
    row = next((said[name] for name in ("after", "before") if _is_object(said.get(name))), None)
    if not isinstance(said.get("op"), str) or not said.keys() & {"after", "before"}:
        return None
    about: list[tuple[str, Any]] = []
    for name, value in record:
        if name == "source" and _is_object(value):
            about += [(f"__source_{part}", inner) for part, inner in value]
        elif name != "after":
            about.append((f"__{name}", value))
    return [*(row or ()), *about]


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(pair, tuple) for pair in value)
