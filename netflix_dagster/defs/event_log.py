"""Dagster's SQLite event log, its databases kept open, many events written together.

Dagster opens and closes the database for every event that it writes, which takes most of the time: an event costs
several times what it costs here (``make bench``). A hundred deliveries with their checks are thousands of events.
``dagster.yaml`` names this class. It writes the tables of Dagster's own, which reads them as its own; what one event
says of many partitions becomes a row of each (``event_rows``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, EVENT_TYPE_TO_PIPELINE_RUN_STATUS
from dagster._core.events import DagsterEventType as Kind
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as Status
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorageWatchdog
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData, serialize_value
from sqlalchemy import bindparam
from sqlalchemy import event as sql_event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool, QueuePool
from watchdog.events import FileSystemEvent
from watchdog.observers import Observer

from netflix_dagster.defs.event_rows import evaluation_texts, planned_texts, spoken_for

Row = dict[str, Any]
_EVENTS = SqlEventLogStorageTable.insert()
_CHECKS = AssetCheckExecutionsTable.insert()
_PLANNED_CHECK = AssetCheckExecutionsTable.delete().where(
    *(
        AssetCheckExecutionsTable.c[name].is_not_distinct_from(bindparam(f"its_{name}"))
        for name in ("asset_key", "check_name", "run_id", "partition")
    )
)
_INDEXED = {*ASSET_EVENTS, *ASSET_CHECK_EVENTS, *EVENT_TYPE_TO_PIPELINE_RUN_STATUS}
BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
"""Dagster's setting of how many events it hands over together at the most; without it, one by one."""
_A_WHILE = 0.05
"""Seconds after which a message that waits looks whether it is to wait."""
MOST_OPEN = 8
"""Databases kept open at a time: one a run, and the index of all runs."""


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """The event log in ``history/runs`` of the instance's home, where Dagster keeps it by default."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._in_hand: dict[str, Connection] = {}
        self._is_at_once = False
        self._messages: list[EventLogEntry] = []
        self._of_messages = threading.Lock()
        self._tables: set[str] = set()
        self._asset_columns: bool | None = None
        os.environ.setdefault(BATCH_SIZE, "10000")

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Only now is it known where home is: ``DAGSTER_HOME``, or a folder that Dagster made for the moment."""
        place = os.path.join(instance.root_directory, "history", "runs")
        super().__init__(place, self._inst_data)  # type: ignore[misc]
        self._db_lock = threading.RLock()  # type: ignore[assignment]
        super().register_instance(instance)

    @classmethod
    def config_type(cls) -> Any:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> OpenSqliteEventLogStorage:
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def at_once(self, run_id: str) -> Iterator[None]:
        """Write all events of this thread about one run in one transaction; none of them if it fails."""
        with self._db_lock, ExitStack() as open_until_then:
            if run_id in self._in_hand:
                yield
                return
            open_until_then.callback(self._write_messages)
            open_until_then.callback(self._in_hand.clear)
            self._is_at_once = True
            for shard in (INDEX_SHARD_NAME, run_id):
                self._in_hand[shard] = open_until_then.enter_context(self._connect(shard))
            yield

    def store_event(self, event: EventLogEntry) -> None:
        """Write one event. A message that is logged while another thread writes ``at_once`` is left to that thread.

        Whoever logs holds the lock of Python's logging, as the thread that reads what a job on Databricks says. To
        wait here for the database would be for ever: the thread that has it logs, too.
        """
        if event.dagster_event is not None:
            return self.store_event_batch([event])
        while not self._db_lock.acquire(timeout=_A_WHILE):
            with self._of_messages:
                if self._is_at_once:
                    return self._messages.append(event)
        try:
            self.store_event_batch([event])
        finally:
            self._db_lock.release()

    def _write_messages(self) -> None:
        with self._of_messages:
            self._is_at_once, messages, self._messages = False, self._messages, []
        self.store_event_batch(messages)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Write events as Dagster hands them over: one, or what a run plans and materialises together.

        Of one batch the materialisations of a table are in the order of their deliveries, so that the newest delivery
        is what the UI shows as the latest.
        """
        events = _by_delivery(events)
        for run_id in dict.fromkeys(event.run_id for event in events):
            mine = [(event, self._event_to_row(event)) for event in events if event.run_id == run_id]
            with self.at_once(run_id) if len(mine) > 1 else nullcontext():
                with self.run_connection(run_id) as connection:
                    connection.execute(_EVENTS, [row for _, row in mine])
                indexed = [(event, row) for event, row in mine if event.dagster_event_type in _INDEXED]
                if indexed:
                    with self.index_connection() as connection:
                        self._index(connection, indexed)

    def _index(self, connection: Connection, events: Sequence[tuple[EventLogEntry, Row]]) -> None:
        """Write what is asked of all runs together: assets, checks, how runs went."""
        newest: dict[tuple[Any, Any], tuple[EventLogEntry, int]] = {}
        ids: list[int] = []
        of_assets: list[EventLogEntry] = []
        for event, row in events:
            kind = event.dagster_event_type
            for each in _rows(event, row):
                (event_id,) = connection.execute(_EVENTS, each).inserted_primary_key or (0,)
            if kind in ASSET_EVENTS:
                of_assets.append(event)
                ids.append(event_id)
                newest[event.get_dagster_event().asset_key, kind] = event, event_id
            if kind == Kind.ASSET_CHECK_EVALUATION and event.run_id:
                self._index_evaluation(connection, event, event_id, row)
            elif kind in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(event, event_id)
        if of_assets:
            self._store_asset_event_tags(connection, of_assets, ids)
        for event, event_id in newest.values():
            self._store_asset_event(connection, event, event_id)

    def _index_evaluation(self, connection: Connection, event: EventLogEntry, event_id: int, row: Row) -> None:
        evaluation: Any = event.get_dagster_event().event_specific_data
        days, target = spoken_for(evaluation), evaluation.target_materialization_data
        texts: dict[str | None, tuple[str, int | None]]
        if days:
            made = self.get_latest_storage_id_by_partition(evaluation.asset_key, Kind.ASSET_MATERIALIZATION, set(days))
            texts = {day: (text, made.get(day)) for day, text in evaluation_texts(event, made)}
        else:
            texts = {evaluation.partition: (row["event"], target.storage_id if target else None)}
        about = {
            "asset_key": evaluation.asset_key.to_string(),
            "check_name": evaluation.check_name,
            "run_id": event.run_id,
        }
        status = Status.SUCCEEDED if evaluation.passed else Status.FAILED
        rows = [
            {
                **about,
                "partition": day,
                "execution_status": status.value,
                "evaluation_event": text,
                "evaluation_event_timestamp": row["timestamp"],
                "evaluation_event_storage_id": event_id,
                "materialization_event_storage_id": made_as,
            }
            for day, (text, made_as) in texts.items()
        ]
        planned = [{f"its_{name}": value for name, value in (about | {"partition": day}).items()} for day in texts]
        connection.execute(_PLANNED_CHECK, planned)
        connection.execute(_CHECKS, rows)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """The rows of a check that is to be executed, as Dagster writes them, but not the whole event in each."""
        planned: Any = event.get_dagster_event().event_specific_data
        subset = planned.partitions_subset
        rows = [
            {
                "asset_key": planned.asset_key.to_string(),
                "check_name": planned.check_name,
                "run_id": event.run_id,
                "partition": day,
                "execution_status": Status.PLANNED.value,
                "evaluation_event": None if subset else serialize_value(event),
                "evaluation_event_timestamp": self._event_insert_timestamp(event),
                "evaluation_event_storage_id": event_id,
            }
            for day in (subset.get_partition_keys() if subset else [None])
        ]
        with self.index_connection() as connection:
            connection.execute(_CHECKS, rows)

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        return True

    def _has_asset_key_index_cols_on_connection(self, conn: Connection) -> bool:
        if self._asset_columns is None:
            self._asset_columns = super()._has_asset_key_index_cols_on_connection(conn)
        return self._asset_columns

    def has_table(self, table_name: str) -> bool:
        """Asked for every event; a table that is there stays there."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            if shard in self._in_hand:
                yield self._in_hand[shard]
                return
            with self._engine(shard).connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None)
        if engine is None:
            engine = create_engine(
                self.conn_string_for_shard(shard),
                poolclass=QueuePool,
                pool_size=1,
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
            )
            sql_event.listen(engine, "connect", _without_waiting_for_the_disk)
        self._engines[shard] = engine
        if shard not in self._initialized_dbs:
            if not self._begin_from_empty(shard):
                self._initdb(engine)
            self._initialized_dbs.add(shard)
        while len(self._engines) > MOST_OPEN:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def _begin_from_empty(self, shard: str) -> bool:
        """Make the database of a new run as a copy of an empty one: to make its tables takes fifty times as long."""
        place, empty = Path(self.path_for_shard(shard)), Path(self._base_dir).parent / f"empty-{dg.__version__}"
        if place.exists() or shard == INDEX_SHARD_NAME:
            return False
        with tempfile.TemporaryDirectory(prefix=".new-", dir=empty.parent) as folder:
            copy = Path(folder) / "copy"
            if not empty.exists():
                engine = create_engine(f"sqlite:///{copy}", poolclass=NullPool)
                self._initdb(engine)
                engine.dispose()
                _put(copy, empty)
            if empty.exists():
                shutil.copyfile(empty, copy)
                _put(copy, place)
        return place.exists()

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Dagster's own, but for what is looked at: the page of a run in the UI hears of its events by this."""
        observer: Any = self._obs
        if not observer:
            self._obs = observer = Observer()  # type: ignore[assignment]
            observer.start()
        watch = _Watch(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (watch, observer.schedule(watch, self._base_dir, recursive=True))

    def forget(self, run_id: str) -> bool:
        """Remove the log of a run; what it built and judged stays in the index of all runs."""
        place = Path(self.path_for_shard(run_id))
        if not place.exists():
            return False
        with self._db_lock:
            if run_id in self._engines:
                self._engines.pop(run_id).dispose()
            self._initialized_dbs.discard(run_id)
            for file in (place, *(Path(f"{place}{more}") for more in ("-wal", "-shm"))):
                file.unlink(missing_ok=True)
        return True

    def pack(self) -> None:
        """Give the pages of deleted rows back to the disk."""
        with self._db_lock, self._engine(INDEX_SHARD_NAME).connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            alone.exec_driver_sql("VACUUM")
            alone.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def wipe(self) -> None:
        self._close()
        super().wipe()

    def dispose(self) -> None:
        self._close()
        super().dispose()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()


def _put(made: Path, place: Path) -> None:
    """Put a file into its place unless another process was first, or the file system knows no links."""
    with suppress(OSError):
        os.link(made, place)
    made.unlink()


def _without_waiting_for_the_disk(connection: Any, _: Any) -> None:
    """A power failure may lose the newest events, and harms no database: what was built is known in the lake."""
    connection.execute("PRAGMA synchronous=NORMAL")


class _Watch(SqliteEventLogStorageWatchdog):
    """Looks at the write-ahead log as well: of a database that is kept open, events stand there for a long time."""

    def __init__(self, storage: SqliteEventLogStorage, run_id: str, callback: Any, cursor: str | None) -> None:
        super().__init__(storage, run_id, callback, cursor)
        self._patterns = [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: FileSystemEvent) -> None:
        self._process_log()


def _rows(event: EventLogEntry, row: Row) -> list[Row]:
    """The rows of an event in the index: one, or one for each partition that a run is to materialise."""
    if (
        event.dagster_event_type != Kind.ASSET_MATERIALIZATION_PLANNED
        or not event.get_dagster_event().partitions_subset
    ):
        return [row]
    return [{**row, "partition": day, "event": text} for day, text in planned_texts(event)]


def _by_delivery(events: Sequence[EventLogEntry]) -> list[EventLogEntry]:
    """The events in their order, but for the materialisations: they are in the order of their deliveries."""
    places = [n for n, event in enumerate(events) if event.dagster_event_type == Kind.ASSET_MATERIALIZATION]
    ordered = sorted((events[n] for n in places), key=lambda event: event.get_dagster_event().partition or "")
    result = list(events)
    for place, event in zip(places, ordered, strict=True):
        result[place] = event
    return result
