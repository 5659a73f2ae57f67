"""``quality.deliveries``: what became of every delivery, each time it was taken up.

Grain: one attempt at one delivery (source, date). The latest row of a delivery is its state. The sensor and
``netflix-dagster run`` compare it with what lies in the landing folder: an equal fingerprint means seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from netflix_dagster.lake import store
from netflix_dagster.storage import Place

NAME = "quality.deliveries"
REOPENED = "reopened"
"""The fingerprint of a delivery that is to be built again: that of no file."""
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


def record(lake: Place, entries: Sequence[Entry]) -> None:
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


def latest(lake: Place) -> dict[tuple[str, str], Entry]:
    """The state of every delivery, by (source, date); ``attempt`` is how often it was taken up."""
    rows = store.read_arrow(lake, NAME)
    if rows is None:
        return {}
    state: dict[tuple[str, str], Entry] = {}
    for row in rows.sort_by("recorded_at").to_pylist():
        row["delivery_date"] = row["delivery_date"].isoformat()
        del row["recorded_at"]
        key = (row["source"], row["delivery_date"])
        before = state.get(key)
        state[key] = Entry(**row, attempt=before.attempt + 1 if before else 1)
    return state


def reopen(lake: Place, entries: Sequence[Entry]) -> None:
    """Have deliveries taken up again as if they had just arrived, by the sensor and by ``netflix-dagster run``."""
    record(lake, [replace(entry, fingerprint=REOPENED) for entry in entries])


def judge(lake: Place, feed: str, table: str, verdicts: Mapping[str, str | None], run_id: str) -> None:
    """Note which accepted deliveries of a feed a table after bronze holds back, and which of those that it held
    back it has taken now. ``verdicts`` is the reason, or None, by delivery date.
    """
    entries = []
    for entry in latest(lake).values():
        if entry.feed != feed or entry.delivery_date not in verdicts:
            continue
        reason = verdicts[entry.delivery_date]
        held_back_here = entry.status == "blocked" and (entry.reason or "").startswith(f"{table}: ")
        if reason and entry.status == "accepted":
            entries.append(replace(entry, status="blocked", reason=f"{table}: {reason}", run_id=run_id))
        elif not reason and held_back_here:
            entries.append(replace(entry, status="accepted", reason=None, run_id=run_id))
    record(lake, entries)
