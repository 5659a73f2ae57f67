"""The engine that runs the PySpark steps, as one session for the process.

``sail`` is embedded: a Spark Connect server in this process, no Java, up in a moment. Tables only use what Spark
Connect offers, so the same functions run on Apache Spark and on Databricks.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SAIL_ENVIRONMENT = {
    "RUST_LOG": "error",
    "SPARK_CONNECT_LOG_LEVEL": "CRITICAL",  # else logging that Dagster sets up wakes it: an error at every exit
    "MIMALLOC_PURGE_DELAY": "0",  # give memory back at once: a third less at the peak, no slower (make bench)
}

_lock = threading.Lock()
_session: SparkSession | None = None
_server: Any = None


class EngineError(RuntimeError):
    """The engine cannot be had here; the message says how to get it."""


def session(engine: str = "sail") -> SparkSession:
    """The process's Spark session, started on first use."""
    global _session
    with _lock:
        if _session is None:
            if engine != "sail":
                raise EngineError(f"the engine {engine!r} is not available yet; set NETFLIX_ENGINE=sail")
            _session = _connect(_start_sail())
            # The server ends with this process: to try it again when it is gone only delays the end of a cancelled run.
            _session.client.set_retry_policies([])  # type: ignore[operator]
        return _session


def _start_sail() -> str:
    global _server
    for name, value in _SAIL_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import pyarrow as pa
    from pysail.spark import SparkConnectServer

    pa.set_memory_pool(pa.system_memory_pool())

    _server = SparkConnectServer(ip="127.0.0.1", port=0)
    _server.start(background=True)
    _, port = _server.listening_address
    return f"sc://127.0.0.1:{port}"


def _connect(url: str) -> SparkSession:
    from pyspark.sql import SparkSession

    spark: SparkSession = SparkSession.builder.remote(url).getOrCreate()  # type: ignore[attr-defined]
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark
