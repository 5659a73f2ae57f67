"""``quality.deliveries``: what became of every delivery, each time it was taken up.

Grain: one attempt at one delivery (source, date). The latest row of a delivery is its state. The sensor and
``netflix-dagster run`` compare it with what lies in the landing folder: an equal fingerprint means seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from netflix_dagster.lake import store

NAME = "quality.deliveries"
Status = Literal["accepted", "refused", "blocked"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt: accepted into bronze, refused at the door, or blocked by an expectation of a later table."""

    feed: str
    source: str
    delivery_date: str
    fingerprint: str
    status: Status
    reason: str | None
    files: int
    bytes: int
    records: int
    run_id: str
    attempt: int = 1


def record(lake: Path, entries: Sequence[Entry]) -> None:
    """Write down what became of some deliveries."""
    if not entries:
        return
    import pyarrow as pa

    schema = pa.schema(
        [
            ("feed", pa.string()),
            ("source", pa.string()),
            ("delivery_date", pa.date32()),
            ("fingerprint", pa.string()),
            ("status", pa.string()),
            ("reason", pa.string()),
            ("files", pa.int64()),
            ("bytes", pa.int64()),
            ("records", pa.int64()),
            ("run_id", pa.string()),
            ("recorded_at", pa.timestamp("us", "UTC")),
        ]
    )
    now = datetime.now(UTC)
    rows = [
        {
            **{key: value for key, value in asdict(entry).items() if key != "attempt"},
            "delivery_date": date.fromisoformat(entry.delivery_date),
            "recorded_at": now,
        }
        for entry in entries
    ]
    store.write_arrow(lake, NAME, pa.Table.from_pylist(rows, schema=schema))


def latest(lake: Path) -> dict[tuple[str, str], Entry]:
    """The state of every delivery, by (source, date); ``attempt`` is how often it was taken up."""
    delta = store.delta(lake, NAME)
    if delta is None:
        return {}
    rows = delta.to_pyarrow_table().sort_by("recorded_at").to_pylist()
    state: dict[tuple[str, str], Entry] = {}
    for row in rows:
        row["delivery_date"] = row["delivery_date"].isoformat()
        del row["recorded_at"]
        key = (row["source"], row["delivery_date"])
        before = state.get(key)
        state[key] = Entry(**row, attempt=before.attempt + 1 if before else 1)
    return state


def block(lake: Path, feed: str, reasons: dict[str, str], run_id: str) -> None:
    """Note that accepted deliveries of a feed were held back after bronze: ``reasons`` by delivery date."""
    record(
        lake,
        [
            replace(entry, status="blocked", reason=reasons[entry.delivery_date], run_id=run_id)
            for entry in latest(lake).values()
            if entry.feed == feed
            and entry.delivery_date in reasons
            and entry.status == "accepted"
        ],
    )
