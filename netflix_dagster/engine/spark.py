"""Configures Apache Spark: Delta, the resources of this machine, Azure's storage, and our package on a cluster.

``NETFLIX_SPARK_CONF`` names a file of Spark properties, as ``spark-submit --properties-file`` takes; its properties
override those of this module.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import netflix_dagster
from netflix_dagster import storage
from netflix_dagster.engine import jars
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

_STARTED_BY_A_CLUSTER = ("DATABRICKS_RUNTIME_VERSION", "PYSPARK_GATEWAY_PORT")
"""Variables that are set in processes started by Databricks or ``spark-submit``."""
_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # Spark's own choice, INT96, is read by others as nanoseconds
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
}
_QUIET = {
    "spark.app.name": "netflix_dagster",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    # Spark's own choice would show keys of storage accounts
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|account[.]key|signature",
}
_PROPERTY = re.compile(r"\s*([^\s=:#!]+)\s*[=:\s]\s*(.*?)\s*")


class SparkError(RuntimeError):
    """Apache Spark cannot be started; the message says what is missing."""


def as_it_is() -> bool:
    """Whether this process has a session already, or was started by a cluster that gives it one."""
    if any(name in os.environ for name in _STARTED_BY_A_CLUSTER):
        return True
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() is not None


def classic(settings: Settings) -> dict[str, str]:
    """The configuration of a session of Apache Spark that this process starts itself."""
    try:
        jars.java()
        found = jars.found(settings.spark_jars)
    except jars.JarsError as error:
        raise SparkError(str(error)) from error
    config = {**_DELTA, **_QUIET, "spark.master": settings.spark_master, "spark.jars": ",".join(map(str, found))}
    if settings.spark_master.startswith("local"):
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        config |= _local()
    return config | properties(settings.spark_conf)


def _local() -> dict[str, str]:
    """Spark's defaults are made for clusters: two hundred tasks for every join, fifty to read a table's log, and code
    compiled as for a server that runs for days.

    Java keeps 48 MB for code that it compiles so. A build of all tables fills that, and from then on Java interprets.
    """
    cores = str(os.cpu_count() or 1)
    return {
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
        "spark.sql.shuffle.partitions": cores,
        "spark.databricks.delta.snapshotPartitions": cores,
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }


def open_storage(spark: SparkSession, settings: Settings) -> None:
    """Let the session open the storage of the lake and of the landing folder.

    Credentials are set in the session and not at its start, where a command line would show them.
    """
    for place in (settings.landing, settings.lake):
        for name, value in storage.spark_options(place).items():
            spark.conf.set(name, value)


def properties(path: Path | None) -> dict[str, str]:
    """The properties of a file: ``name value`` or ``name=value`` on each line, ``#`` before comments."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SparkError(
            f"NETFLIX_SPARK_CONF: {path} cannot be read ({error.strerror}); nothing was started"
        ) from error
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        entry = _PROPERTY.fullmatch(line)
        if not entry or not entry[1].startswith("spark."):
            raise SparkError(f"{path}, line {number}: {line.strip()!r} is no Spark property; write spark.name value")
        found[entry[1]] = entry[2]
    return found


def ship_package(spark: SparkSession) -> None:
    """Send this package to a Spark Connect server on which it is not installed, or in another version.

    Its dependencies (pyarrow, pydantic, ...) have to be installed on the cluster.
    """

    def fingerprint() -> str:
        """A hash of the package's code. It does not import the package: a worker of the engine that has imported an
        older version would not see the one that is sent."""
        import hashlib
        from importlib.util import find_spec

        found, digest = find_spec("netflix_dagster"), hashlib.sha256()
        if found is None or found.origin is None:
            return ""
        root = Path(found.origin).parent
        for file in sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def probe(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for _ in batches:
            yield pa.RecordBatch.from_arrays([pa.array([fingerprint()])], names=["there"])

    here = fingerprint()
    answer = spark.range(1).coalesce(1).mapInArrow(probe, "there string").collect()
    if any(row["there"] == here for row in answer):
        return
    root = Path(netflix_dagster.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "netflix_dagster.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in root.rglob("*"):
                if "__pycache__" not in file.parts:
                    archive.write(file, Path(root.name) / file.relative_to(root))
        spark.addArtifacts(str(packed), pyfile=True)
