"""The page *Runs*: what each run built and how long it took, table by table where Dagster tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from netflix_dagster.deliveries.life import Event, Status

MOST_RUNS = 300
"""Runs that the page shows, the newest; it says how many there are."""


@dataclass(frozen=True, slots=True)
class TableBuilt:
    """One table built in one run: how long it took, in seconds, and what it holds since."""

    table: str
    run_id: str
    seconds: float
    rows: int
    at: str


def chunks(events: Iterable[Event], built: Sequence[TableBuilt]) -> dict[str, Any]:
    """``runs``; empty while nothing was built."""
    runs: dict[tuple[str, str], dict[str, Any]] = {}
    days: dict[tuple[str, str], int] = {}
    for event in events:
        if event.source and event.status in (Status.ACCEPTED, Status.REFUSED, Status.HELD) and event.at:
            day = (event.at.date().isoformat(), event.status.value)
            days[day] = days.get(day, 0) + 1
        if event.status not in (Status.BEGUN, Status.ENDED) or not event.run_id or event.at is None:
            continue
        run = runs.setdefault(
            (event.run_id, event.feed),
            {
                "run": event.run_id,
                "feed": event.feed,
                "begun": event.at,
                "ended": None,
                "dates": set(),
                "outcome": None,
            },
        )
        run["dates"].add(event.key)
        if event.status is Status.ENDED:
            run["ended"] = event.at
            run["outcome"] = "failed" if "failed" in (run["outcome"], event.outcome) else event.outcome
    listed = [_told(run) for run in list(runs.values())[-MOST_RUNS:]]
    return {
        "runs": {
            "total": len(runs),
            "runs": listed,
            "days": [{"day": day, "status": status, "deliveries": n} for (day, status), n in sorted(days.items())],
            "tables": [asdict(one) for one in built],
        }
    }


def _told(run: dict[str, Any]) -> dict[str, Any]:
    dates = sorted(run["dates"])
    seconds = (run["ended"] - run["begun"]).total_seconds() if run["ended"] else None
    return {
        "run": run["run"],
        "feed": run["feed"],
        "begun": run["begun"].isoformat(timespec="seconds"),
        "seconds": seconds,
        "dates": len(dates),
        "first": dates[0],
        "last": dates[-1],
        "outcome": run["outcome"] or "did not end",
    }
