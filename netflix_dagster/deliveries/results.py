"""``quality.results``: how every rule fared, each time a table was built. The history of a rule over deliveries.

Its grain and its columns are in ``contracts.bookkeeping``. The newest build of a delivery is what counts; see the view
of it in docs/quality.md.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.bookkeeping import RESULTS, as_arrow
from netflix_dagster.lake import books, store
from netflix_dagster.landing.keys import as_columns, of_row
from netflix_dagster.storage import Place

if TYPE_CHECKING:
    from netflix_dagster.contracts.report import Check

NAME = RESULTS.name
NONE: Mapping[str, str | None] = MappingProxyType({})


def rows_of(
    table: str, checks: Mapping[str | None, list[Check]], run_id: str, attempt: Mapping[str, str | None] = NONE
) -> list[dict[str, Any]]:
    """How the rules of a table fared on some deliveries, as rows. ``attempt`` says which attempt at each delivery date
    was judged."""
    now = datetime.now(UTC)
    return [
        {
            "table_name": table,
            **as_columns(day),
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
            "attempt": attempt.get(day) if day else None,
        }
        for day, listed in checks.items()
        for check in listed
    ]


def record(lake: Place, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write some rows down, in one commit."""
    books.create(lake)
    if rows:
        store.write_arrow(lake, NAME, as_arrow(RESULTS, rows))


def measured(
    lake: Place, table: str, rules: set[str], stand: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """What some rules about deliveries measured, by rule and delivery date, the newest build of each.

    ``stand`` are the attempts, by delivery date, that count. What was measured before attempts were told apart counts
    for every date among them.
    """
    import pyarrow.compute as pc

    rows = books.read(
        lake,
        RESULTS,
        columns=["delivery_date", "delivery_hour", "rule", "measured", "recorded_at", "attempt"],
        where=(pc.field("table_name") == table)
        & pc.field("rule").isin(sorted(rules))
        & pc.field("measured").is_valid(),
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows.sort_by("recorded_at").to_pylist():
        day = of_row(row) if row["delivery_date"] else ""
        if day in stand and (row["attempt"] is None or row["attempt"] in stand[day]):
            found.setdefault(row["rule"], {})[day] = json.loads(row["measured"])
    return found
