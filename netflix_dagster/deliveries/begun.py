"""``quality.begun``: what was begun without Dagster, and whether it came to its end.

Grain: one piece of work (feed, delivery date), when it is begun and again when it has ended. Dagster knows from its
runs which chain was killed on its way; a job of its own has only the lake to remember it by.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from netflix_dagster.deliveries.pending import Pending
from netflix_dagster.lake import store
from netflix_dagster.storage import Place

NAME = "quality.begun"


def begin(lake: Place, work: Sequence[Pending], run_id: str) -> None:
    """Remember some work before the first table is touched."""
    _record(lake, work, run_id, ended=False)


def end(lake: Place, work: Sequence[Pending], run_id: str) -> None:
    """The work went as far as it could: to its last table, or to a rule that holds the delivery back."""
    _record(lake, work, run_id, ended=True)


def unfinished(lake: Place) -> set[tuple[str, str]]:
    """The work that was begun last and has not ended, by feed and delivery date.

    A killed piece of which everything was refused stays here until its files change: there is nothing to finish.
    """
    rows = store.read_arrow(lake, NAME)
    state: dict[tuple[str, str], bool] = {}
    for row in rows.sort_by("recorded_at").to_pylist() if rows is not None else ():
        state[row["feed"], row["delivery_date"].isoformat()] = row["ended"]
    return {piece for piece, ended in state.items() if not ended}


def _record(lake: Place, work: Sequence[Pending], run_id: str, *, ended: bool) -> None:
    import pyarrow as pa

    schema = pa.schema(
        [
            ("feed", pa.string()),
            ("delivery_date", pa.date32()),
            ("run_id", pa.string()),
            ("ended", pa.bool_()),
            ("recorded_at", pa.timestamp("us", "UTC")),
        ]
    )
    now = datetime.now(UTC)
    rows = [(piece.feed, date.fromisoformat(piece.date), run_id, ended, now) for piece in work]
    columns = [list(column) for column in zip(*rows, strict=True)]
    if rows:
        store.write_arrow(lake, NAME, pa.table(columns, schema=schema))
