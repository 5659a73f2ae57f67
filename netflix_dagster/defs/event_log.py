"""Dagster's SQLite event log, its databases kept open.

Dagster opens and closes the database for every event that it writes, which takes most of the time: an event costs
four times what it costs here (``make bench``). A hundred deliveries with their checks are thousands of events.
``dagster.yaml`` names this class; what is written, and where, is the same as without it.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import dagster as dg
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorageWatchdog
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool
from watchdog.events import FileSystemEvent
from watchdog.observers import Observer

BATCH_SIZE = "DAGSTER_EVENT_BATCH_SIZE"
"""Dagster's setting of how many events it hands over together at the most; without it, one by one."""
MOST_OPEN = 8
"""Databases kept open at a time: one a run, and the index of all runs."""


class OpenSqliteEventLogStorage(SqliteEventLogStorage):
    """The event log in ``history/runs`` of the instance's home, where Dagster keeps it by default."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._in_hand: dict[str, Connection] = {}
        self._tables: set[str] = set()
        os.environ.setdefault(BATCH_SIZE, "500")

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
            open_until_then.callback(self._in_hand.clear)
            for shard in (INDEX_SHARD_NAME, run_id):
                self._in_hand[shard] = open_until_then.enter_context(self._connect(shard))
            yield

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """What Dagster hands over together: the events that a run plans, the partitions that it materialises."""
        for run_id in dict.fromkeys(event.run_id for event in events):
            with self.at_once(run_id):
                for event in events:
                    if event.run_id == run_id:
                        self.store_event(event)

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
        self._engines[shard] = engine
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        while len(self._engines) > MOST_OPEN:
            self._engines.popitem(last=False)[1].dispose()
        return engine

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Dagster's own, but for what is looked at: the page of a run in the UI hears of its events by this."""
        observer: Any = self._obs
        if not observer:
            self._obs = observer = Observer()  # type: ignore[assignment]
            observer.start()
        watch = _Watch(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (watch, observer.schedule(watch, self._base_dir, recursive=True))

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


class _Watch(SqliteEventLogStorageWatchdog):
    """Looks at the write-ahead log as well: of a database that is kept open, events stand there for a long time."""

    def __init__(self, storage: SqliteEventLogStorage, run_id: str, callback: Any, cursor: str | None) -> None:
        super().__init__(storage, run_id, callback, cursor)
        self._patterns = [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: FileSystemEvent) -> None:
        self._process_log()


@contextmanager
def at_once(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Write many events of a run together where the instance's event log can."""
    storage = instance.event_log_storage
    if isinstance(storage, OpenSqliteEventLogStorage):
        with storage.at_once(run_id):
            yield
    else:
        yield
