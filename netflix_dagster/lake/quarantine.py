"""``quality.quarantine``: every refused row and file, with all the rules it broke and how to mend it.

Grain: one refused record at one table, or one refused file (``record_number`` null). Building a delivery again
replaces what that table had refused of it: rows that pass now leave the quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netflix_dagster.lake import store

if TYPE_CHECKING:
    import pyarrow as pa

NAME = "quality.quarantine"
MOST_RAW = 4000


@dataclass(frozen=True, slots=True)
class Refused:
    """One refused record or file. ``table_name`` is the table that did not take it."""

    table_name: str
    delivery_date: str
    source_file: str | None
    record_number: int | None
    line_number: int | None
    raw: str | None
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    hints: tuple[str, ...]


def replace(lake: Path, table_name: str, deliveries: Iterable[str], rows: Sequence[Refused], run_id: str) -> None:
    """Make ``rows`` all that ``table_name`` has refused of these deliveries."""
    days = sorted(deliveries)
    if not days or (not rows and not _holds_any(lake, table_name, days)):
        return
    condition = f"table_name = '{table_name}' AND {store.delivery_condition(days)}"
    store.write_arrow(lake, NAME, _arrow(rows, run_id), replace=condition)


def reasons(lake: Path) -> list[dict[str, Any]]:
    """What lies in the quarantine now: table, rule, one reason and the number of rows or files, most first."""
    rows = store.read_arrow(lake, NAME, columns=["table_name", "rules", "reasons", "hints"])
    if rows is None:
        return []
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows.to_pylist():
        for rule, reason, hint in zip(row["rules"], row["reasons"], row["hints"], strict=True):
            new = {"table": row["table_name"], "rule": rule, "rows": 0, "reason": reason, "hint": hint}
            found.setdefault((row["table_name"], rule), new)["rows"] += 1
    return sorted(found.values(), key=lambda entry: (-entry["rows"], entry["table"], entry["rule"]))


def count(lake: Path) -> int:
    """Rows and files in the quarantine."""
    return store.row_count(lake, NAME)


def _holds_any(lake: Path, table_name: str, days: list[str]) -> bool:
    import pyarrow.compute as pc

    held = store.read_arrow(lake, NAME, columns=["delivery_date"], where=pc.field("table_name") == table_name)
    return held is not None and bool({value.isoformat() for value in held.column(0).to_pylist()} & set(days))


def _arrow(rows: Sequence[Refused], run_id: str) -> pa.Table:
    import pyarrow as pa

    texts = pa.list_(pa.string())
    schema = pa.schema(
        [
            ("table_name", pa.string()),
            ("delivery_date", pa.date32()),
            ("source_file", pa.string()),
            ("record_number", pa.int64()),
            ("line_number", pa.int64()),
            ("raw", pa.string()),
            ("rules", texts),
            ("reasons", texts),
            ("hints", texts),
            ("refused_at", pa.timestamp("us", "UTC")),
            ("run_id", pa.string()),
        ]
    )
    now = datetime.now(UTC)
    entries = [
        {
            **asdict(row),
            "delivery_date": date.fromisoformat(row.delivery_date),
            "raw": row.raw[:MOST_RAW] if row.raw else row.raw,
            "refused_at": now,
            "run_id": run_id,
        }
        for row in rows
    ]
    return pa.Table.from_pylist(entries, schema=schema)
