"""Apache Spark in processes of its own: in somebody else's session, on Azure's storage, behind Spark Connect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyspark
import pytest

from netflix_dagster.engine import jars, spark
from netflix_dagster.lake import store
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.emulators.azurite import ACCOUNT, free_port, missing
from netflix_dagster_tests.emulators.cloud import cloud
from netflix_dagster_tests.emulators.tls import Authority

pytestmark = pytest.mark.soak
SOMEBODY = """
import json
from pyspark.sql import SparkSession
import netflix_dagster.tables
from netflix_dagster.build.runner import Session
from netflix_dagster.engine import sessions, spark
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import write_sample
from netflix_dagster.settings import get_settings
settings = get_settings()
write_sample(settings.landing)
theirs = SparkSession.builder.config(map=spark.classic(settings) | {"spark.app.name": "theirs"}).getOrCreate()
theirs.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
tables = ["bronze.netflix_catalogue", "silver.titles", "silver.releases"]
with Session(settings, load_sources(), "one", tables, {"catalogue": ["2024-09-20"]}) as session:
    built = session.build(tables[0])
ours = sessions.session(settings)
print(json.dumps([built.total_rows, ours.sparkContext.appName, ours.conf.get("spark.sql.session.timeZone")]))
"""
IN_AZURE = """
import json
from netflix_dagster.azure import access
from netflix_dagster.engine import sessions
from netflix_dagster.lake import staging, store
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.lake.test_store import contract, rows
settings = get_settings()
access.connect(settings)
lake, spark, table = settings.lake, sessions.session(settings), contract()
days = ["2020-01-01", "2020-01-02"]
store.write(rows(spark, (days[0], "a"), (days[1], "b")), lake, table, days)
store.write(rows(spark, (days[0], "c")), lake, table, days[:1])
with staging.staged(store.read(spark, lake, table), lake, table.name) as staged:
    found = staged.frame.collect()
print(json.dumps(sorted([str(row["delivery_date"]), row["id"]] for row in found)))
"""
FROM_AZURE = """
import json
from netflix_dagster.azure import access
from netflix_dagster.engine import sessions
from netflix_dagster.lake import store
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.lake.test_store import contract
settings = get_settings()
access.connect(settings)
found = store.read(sessions.session(settings), settings.lake, contract()).collect()
print(json.dumps(sorted([str(row["delivery_date"]), row["id"]] for row in found)))
"""
ELSEWHERE = """
import json
import netflix_dagster.tables
from netflix_dagster.build.runner import Session
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import write_sample
from netflix_dagster.settings import get_settings
settings = get_settings()
write_sample(settings.landing)
tables = ("bronze.netflix_catalogue", "silver.titles")
with Session(settings, load_sources(), "one", tables, {"catalogue": ["2024-09-20"]}) as session:
    print(json.dumps([session.build(name).total_rows for name in tables]))
"""
CONNECT = "org.apache.spark.sql.connect.service.SparkConnectServer"
STARTS_WITHIN = 300


def ran(code: str, **variables: str) -> Any:
    """What some code prints as JSON, run in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NETFLIX_")} | variables
    if "NETFLIX_SPARK_JARS" in os.environ:
        environment.setdefault("NETFLIX_SPARK_JARS", os.environ["NETFLIX_SPARK_JARS"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-8000:]
    return json.loads(done.stdout.splitlines()[-1])


def here(folder: Path) -> dict[str, str]:
    return {"NETFLIX_LANDING": str(folder / "landing"), "NETFLIX_LAKE": str(folder / "lake")}


def test_a_session_that_the_process_has_is_used_as_it_is(tmp_path: Path) -> None:
    rows, name, zone = ran(SOMEBODY, NETFLIX_ENGINE="spark", **here(tmp_path))
    assert rows == store.row_count(tmp_path / "lake", "bronze.netflix_catalogue") > 0
    assert (name, zone) == ("theirs", "UTC")


def test_tables_lie_in_azures_storage(tmp_path: Path) -> None:
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    properties = tmp_path / "spark.conf"
    properties.write_text("spark.hadoop.fs.azure.io.retry.max.retries 1\n")  # not thirty: a failure shows at once
    with cloud(tmp_path / "certificates") as azure:  # Spark opens abfss:// with TLS only
        where = {
            "NETFLIX_LANDING": str(tmp_path),
            "NETFLIX_LAKE": f"abfss://{{zone}}@{ACCOUNT}.dfs.core.windows.net/of",
        }
        environment = {**azure.storage.environment, **azure.authority.environment, **where}
        jvm = {"JAVA_TOOL_OPTIONS": f"-Djavax.net.ssl.trustStore={trusting(azure.authority)}"}
        by_spark = ran(IN_AZURE, NETFLIX_ENGINE="spark", NETFLIX_SPARK_CONF=str(properties), **environment, **jvm)
        by_sail = ran(FROM_AZURE, NETFLIX_ENGINE="sail", **environment)
    assert by_spark == by_sail == [["2020-01-01", "c"], ["2020-01-02", "b"]]


def trusting(authority: Authority) -> Path:
    """The certificate of an authority as Java reads it."""
    kept = authority.folder / "ca.jks"
    keytool = Path(jars.java()).with_name("keytool")
    said = ["-importcert", "-noprompt", "-file", str(authority.ca), "-keystore", str(kept)]
    subprocess.run([keytool, *said, "-storetype", "JKS", "-storepass", "public"], check=True, capture_output=True)
    return kept


def test_a_server_of_spark_connect_that_lacks_the_package_is_sent_it(tmp_path: Path) -> None:
    with connect_server(tmp_path / "server") as port:
        remote = {"NETFLIX_ENGINE": "remote", "NETFLIX_SPARK_REMOTE": f"sc://127.0.0.1:{port}"}
        bronze, silver = ran(ELSEWHERE, **remote, **here(tmp_path))
    assert bronze == store.row_count(tmp_path / "lake", "bronze.netflix_catalogue") > 0
    assert silver == store.row_count(tmp_path / "lake", "silver.titles") > 0


@contextmanager
def connect_server(folder: Path) -> Iterator[int]:
    """The Spark Connect server that PySpark brings along, with a Python that has all we need but not this package."""
    settings, port = get_settings(), free_port()
    venv.create(folder / "python")
    (site,) = (folder / "python").glob("lib/python*/site-packages")
    # .pth files that lie over there do not count, so this package, which is installed by one, is not found
    (site / "installed.pth").write_text(str(Path(pyspark.__file__).parents[1]))
    python = str(folder / "python" / "bin" / "python")
    config: Mapping[str, str] = spark.classic(settings) | {"spark.connect.grpc.binding.port": str(port)}
    said = [part for name, value in config.items() for part in ("--conf", f"{name}={value}")]
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    lacking = subprocess.run(
        [python, "-c", "import pyarrow, netflix_dagster.engine.spark"], capture_output=True, cwd=folder, text=True
    )
    assert "No module named 'netflix_dagster" in lacking.stderr, lacking.stderr
    environment = {**os.environ, "PYSPARK_PYTHON": python, "PYTHONPATH": ""}
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [str(submit), "--class", CONNECT, *said], stdout=log, stderr=log, env=environment, cwd=folder
        ) as server,
    ):
        try:
            answers(port, server, folder / "log")
            yield port
        finally:
            server.terminate()


def answers(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    import socket

    for _ in range(STARTS_WITHIN * 2):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"Spark Connect does not answer after {STARTS_WITHIN} s: {log.read_text()[-3000:]}")
