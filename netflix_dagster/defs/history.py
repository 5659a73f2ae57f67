"""How long Dagster's history of a lake reaches back, and that what goes gives its space back.

The newest state is never old: of every partition the last materialisation and the last attempt at one, of every check
the last outcome on each delivery. What came before them goes after a time, and so do the logs of runs that ended
before it. SQLite keeps the pages of deleted rows for itself until it is told to pack its file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from sqlalchemy import text

from netflix_dagster.defs.event_log import OpenSqliteEventLogStorage

_SUPERSEDED = [
    """DELETE FROM event_logs WHERE timestamp < :before
        AND dagster_event_type IN ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED', 'ASSET_OBSERVATION')
        AND id NOT IN (SELECT max(id) FROM event_logs WHERE asset_key IS NOT NULL GROUP BY asset_key, partition)
        AND id NOT IN (SELECT max(id) FROM event_logs WHERE asset_key IS NOT NULL
                       GROUP BY asset_key, partition, dagster_event_type HAVING dagster_event_type NOT LIKE '%PLANNED')
    """,
    """DELETE FROM event_logs WHERE timestamp < :before
        AND dagster_event_type IN ('ASSET_CHECK_EVALUATION', 'ASSET_CHECK_EVALUATION_PLANNED')
        AND id NOT IN (SELECT evaluation_event_storage_id FROM asset_check_executions WHERE id IN
                       (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition))
    """,
    """DELETE FROM asset_check_executions WHERE evaluation_event_timestamp < :before
        AND id NOT IN (SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name, partition)
    """,
    "DELETE FROM asset_event_tags WHERE event_id NOT IN (SELECT id FROM event_logs)",
]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the history: rows of the index and logs of runs that are gone, bytes that are free again."""

    rows: int = 0
    logs: int = 0
    freed: int = 0

    def __str__(self) -> str:
        return f"{self.rows} superseded events and the logs of {self.logs} runs are gone, {self.freed:,} bytes are free"


def prune(instance: dg.DagsterInstance, keep_days: int) -> Pruned:
    """Remove what is superseded and older than some days. Another kind of storage than ours keeps its own house."""
    storage = instance.event_log_storage
    if not isinstance(storage, OpenSqliteEventLogStorage):
        return Pruned()
    index = Path(storage.path_for_shard(INDEX_SHARD_NAME))
    before = time.time() - keep_days * 86400
    size = _size(index.parent)
    stamp = datetime.fromtimestamp(before, UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    with storage.index_connection() as connection:
        rows = sum(connection.execute(text(sql), _about(sql, stamp)).rowcount for sql in _SUPERSEDED)
    ended = [
        record.dagster_run.run_id
        for record in instance.get_run_records(dg.RunsFilter(updated_before=datetime.fromtimestamp(before, UTC)))
        if record.dagster_run.is_finished
    ]
    logs = sum(storage.forget(run_id) for run_id in ended)
    storage.pack()
    return Pruned(rows, logs, max(0, size - _size(index.parent)))


def _about(sql: str, before: str) -> dict[str, str]:
    return {"before": before} if ":before" in sql else {}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
