"""The engine that runs the PySpark steps, as one session for the process.

``sail`` is embedded: a Spark Connect server in this process, no Java, up in a moment. ``spark`` is Apache Spark with
delta-spark, on this machine or on the cluster that ``NETFLIX_SPARK_MASTER`` names; a process that a cluster has
started, such as a job of Databricks, has a session already. ``remote`` is any Spark Connect endpoint, named by
``NETFLIX_SPARK_REMOTE``. Tables only use what Spark Connect offers, so the same functions run on all of them.
"""

from __future__ import annotations

import math
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from netflix_dagster import storage
from netflix_dagster.engine.spark import SparkError, as_it_is, classic, open_storage, ship_package

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from netflix_dagster.settings import Settings

_SAIL_ENVIRONMENT = {
    "RUST_LOG": "error",
    "SPARK_CONNECT_LOG_LEVEL": "CRITICAL",  # else logging that Dagster sets up wakes it: an error at every exit
    # Files are small: to split the writing of one among threads, and to describe each of its pages, costs a tenth.
    "SAIL_PARQUET__ALLOW_SINGLE_FILE_PARALLELISM": "false",
    "SAIL_PARQUET__STATISTICS_ENABLED": "chunk",
    # A writer holds a row group until it is full, of each table and thread.
    "SAIL_PARQUET__MAX_ROW_GROUP_SIZE": "65536",
    # Give memory back at once, and in pages, not in huge ones of which a few bytes in use keep 2 MB: half of the
    # memory at the peak, no slower (make bench).
    "MIMALLOC_PURGE_DELAY": "0",
    "MIMALLOC_ALLOW_THP": "0",
}
_POOL = 0.35
"""The share of the memory of a process that operators of the engine may hold; what they read and write, Arrow and
Python take the rest."""
_NO_ADDRESS = (
    "the engine remote is a Spark Connect endpoint, and none is named. Nothing was started. Set"
    " NETFLIX_SPARK_REMOTE=sc://host:port/, with ;token=... behind it if it asks for one"
)
_PORT, _ANSWERS_WITHIN = 15002, 10
"""The default port of Spark Connect, and the seconds within which the endpoint must answer."""
Opener = Callable[[Mapping[str, str]], "SparkSession"]
"""Makes a session with a Spark configuration."""

_lock = threading.Lock()
_session: SparkSession | None = None
_engine = ""
_server: Any = None


def _open(config: Mapping[str, str]) -> SparkSession:
    from pyspark.sql import SparkSession

    spark: SparkSession = SparkSession.builder.config(map=dict(config)).getOrCreate()
    return spark


_opener: Opener = _open


class EngineError(RuntimeError):
    """The engine cannot be started or reached; the message says what to do."""


def open_with(opener: Opener) -> None:
    """Have the session, once something needs it, made by ``opener``: Dagster has a resource of its own for that."""
    global _opener
    _opener = opener


def session(settings: Settings) -> SparkSession:
    """The Spark session of this process, started on first use with the engine of the settings.

    A process has one engine: PySpark uses either a JVM of its own or a server.
    """
    global _session, _engine
    with _lock:
        if _session is None:
            _session, _engine = _start(settings, _opener), settings.engine
        elif settings.engine != _engine:
            raise EngineError(
                f"this process already runs on {_engine} and cannot change to {settings.engine}; nothing was done."
                f" Start another process with NETFLIX_ENGINE={settings.engine}"
            )
        return _session


def missing(settings: Settings) -> str | None:
    """What the engine lacks to start, and how to get it; None when nothing is known to be missing."""
    if settings.engine == "remote" and settings.spark_remote is None:
        return _NO_ADDRESS
    if settings.engine == "spark":
        try:
            as_it_is() or classic(settings)
        except SparkError as error:
            return str(error)
    return None


def _start(settings: Settings, opener: Opener) -> SparkSession:
    try:
        if settings.engine == "sail":
            spark = opener({"spark.remote": _start_sail(settings)})
            _without_call_sites()
            # The server ends with this process: trying again when it is gone only delays the end of a cancelled run.
            spark.client.set_retry_policies([])  # type: ignore[operator]
        elif settings.engine == "remote":
            spark = _connect(settings, opener)
        elif as_it_is():
            spark = opener({})
        else:
            spark = opener(classic(settings))
            open_storage(spark, settings)
    except SparkError as error:
        raise EngineError(str(error)) from error
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def _without_call_sites() -> None:
    """Switch off PySpark's notes of where each expression was written. Spark's errors quote them, Sail's do not, and
    they take a tenth of the time of a small build."""
    from pyspark.errors import utils

    utils._enable_debugging_cache = False  # type: ignore[assignment]


def _bounded(megabytes: int) -> dict[str, str]:
    """What has Sail sort, aggregate and join on disk once its operators hold their share.

    A sort merges what it has spilled batch by batch, of each spill one: batches of 8,192 wide rows do not fit. Joins
    sort both sides then: what a hash join builds has no way to disk.
    """
    return {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(round(megabytes * _POOL * 2**20)),
        "SAIL_EXECUTION__BATCH_SIZE": "1024",
        "SAIL_OPTIMIZER__PREFER_HASH_JOIN": "false",
    }


def _of_cores() -> dict[str, str]:
    """On one core Sail 0.7.2 has one partition, loses the order of rows in a semi join and refuses its own plan."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return {"SAIL_EXECUTION__DEFAULT_PARALLELISM": "2"} if cores == 1 or _share_of_cores() < 2 else {}


def _share_of_cores() -> float:
    """How many cores the group of this process may use; a container may have less than one."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError):  # no such file, or "max": no limit
        return math.inf


def _start_sail(settings: Settings) -> str:
    global _server
    bounded = _bounded(settings.memory) if settings.memory else {}
    here = _of_cores() | storage.engine_environment(settings.landing, settings.lake)
    for name, value in (_SAIL_ENVIRONMENT | bounded | here).items():
        os.environ.setdefault(name, value)
    import pyarrow as pa
    from pysail.spark import SparkConnectServer

    pa.set_memory_pool(pa.system_memory_pool())

    _server = SparkConnectServer(ip="127.0.0.1", port=0)
    _server.start(background=True)
    _, port = _server.listening_address
    return f"sc://127.0.0.1:{port}"


def _connect(settings: Settings, opener: Opener) -> SparkSession:
    """A session on another machine, or in another process. The address may hold a token: it is never shown."""
    if settings.spark_remote is None:
        raise EngineError(_NO_ADDRESS)
    url = settings.spark_remote.get_secret_value()
    shown = url.partition(";")[0].rstrip("/")
    try:
        address = urlsplit(url)
        # PySpark retries an address that does not answer for ten minutes
        socket.create_connection((address.hostname or "", address.port or _PORT), timeout=_ANSWERS_WITHIN).close()
        spark = opener({"spark.remote": url})
        ship_package(spark)
    except Exception as error:
        why = str(error).replace(url, shown).splitlines() or [type(error).__name__]
        raise EngineError(
            f"the engine at {shown} does not answer as Spark Connect: {why[0]}. Nothing was built. See that it runs and"
            f" has Python {sys.version_info[0]}.{sys.version_info[1]} with pyarrow, and that NETFLIX_SPARK_REMOTE names"
            " it with a valid token"
        ) from None
    return spark
