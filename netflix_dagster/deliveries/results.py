"""``quality.results``: how every rule fared, each time a table was built. The history of a rule over deliveries.

Grain: one rule, one delivery (null for tables that are judged as a whole), one build. The newest build of a delivery
is what counts; see the view of it in docs/quality.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from netflix_dagster.lake import store
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from netflix_dagster.contracts.report import Check

NAME = "quality.results"


def record(lake: Place, table: str, checks: Mapping[str | None, list[Check]], run_id: str) -> None:
    """Write down how the rules of a table fared on some deliveries."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("table_name", pa.string()),
            ("delivery_date", pa.date32()),
            ("rule", pa.string()),
            ("on_fail", pa.string()),
            ("rows", pa.int64()),
            ("broken", pa.int64()),
            ("share", pa.float64()),
            ("passed", pa.bool_()),
            ("measured", pa.string()),
            ("message", pa.string()),
            ("run_id", pa.string()),
            ("recorded_at", pa.timestamp("us", "UTC")),
        ]
    )
    now = datetime.now(UTC)
    rows = [
        {
            "table_name": table,
            "delivery_date": date.fromisoformat(day) if day else None,
            "rule": check.name,
            "on_fail": check.on_fail,
            "rows": check.rows,
            "broken": check.broken,
            "share": check.share,
            "passed": check.passed,
            "measured": json.dumps(check.measured) if check.measured is not None else None,
            "message": check.message,
            "run_id": run_id,
            "recorded_at": now,
        }
        for day, listed in checks.items()
        for check in listed
    ]
    if rows:
        store.write_arrow(lake, NAME, pa.Table.from_pylist(rows, schema=schema))


def measured(lake: Place, table: str, rules: set[str]) -> dict[str, dict[str, Any]]:
    """What some rules about deliveries measured, by rule and delivery date, the newest build of each."""
    import pyarrow.compute as pc

    rows = store.read_arrow(
        lake,
        NAME,
        columns=["delivery_date", "rule", "measured", "recorded_at"],
        where=(pc.field("table_name") == table)
        & pc.field("rule").isin(sorted(rules))
        & pc.field("measured").is_valid(),
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows.sort_by("recorded_at").to_pylist() if rows is not None else ():
        if row["delivery_date"] is not None:
            found.setdefault(row["rule"], {})[row["delivery_date"].isoformat()] = json.loads(row["measured"])
    return found
