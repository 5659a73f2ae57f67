"""A standalone cluster of Apache Spark on this machine: a master, two workers of one core, a Spark Connect server.

Each is a process of its own with an empty environment, in a folder of its own. Python functions run in an environment
that holds the wheel for clusters and what it asks for, in the versions of ``uv.lock``. The server asks for a token and
is reached over TLS, through a proxy that ends it: Spark Connect itself speaks none.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyspark

import netflix_dagster
from netflix_dagster.engine import spark
from netflix_dagster.settings import get_settings
from netflix_dagster_tests.emulators.azurite import free_port
from netflix_dagster_tests.emulators.tls import Authority, ended_here
from netflix_dagster_tests.infra import wheel

HOST = "127.0.0.1"
HOME = Path(pyspark.__file__).parent
ROOT = Path(netflix_dagster.__file__).parents[1]
WORKERS = 2
STARTS_WITHIN = 300
BROUGHT = ("pyarrow", "pandas")
"""What a cluster's Python has besides the wheel and what it asks for; Databricks Runtime brings it as well."""
SMALL = {
    # for two cores: Spark's own choices are two hundred tasks a shuffle, and fifty to read a table's log
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.executor.memory": "1g",
    "spark.driver.memory": "2g",
    "spark.driver.host": HOST,
    "spark.driver.bindAddress": HOST,
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
    "spark.executor.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=256m",
}


@dataclass
class Cluster:
    """A running cluster. ``remote`` is the address of its Connect server without the token."""

    folder: Path
    python: Path
    master: str
    state: str
    token: str
    remote: str = ""
    authority: Authority | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to have its tables built here."""
        assert self.authority
        address = {"NETFLIX_ENGINE": "remote", "NETFLIX_SPARK_REMOTE": f"{self.remote};token={self.token}"}
        return {**address, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(self.authority.ca)}

    def alive(self) -> int:
        """How many workers the master counts on."""
        with urlopen(f"{self.state}/json/", timeout=10) as answer:
            said: dict[str, Any] = json.load(answer)
        return sum(worker["state"] == "ALIVE" for worker in said["workers"])

    def kill_a_worker(self) -> None:
        """End a worker as a machine ends whose plug is pulled: with its executor and what runs in it."""
        worker = self.workers.pop()
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def complete(self) -> None:
        """Start as many workers as are lacking, and wait until the master has them."""
        while len(self.workers) < WORKERS:
            self.workers.append(self._worker())
        waited(lambda: self.alive() >= WORKERS, "the workers", self.folder, *self.workers)

    def _worker(self) -> subprocess.Popen[bytes]:
        here = self.folder / f"worker-{secrets.token_hex(3)}"
        said = ["--host", HOST, "--webui-port", "0", "--cores", "1", "--memory", "1g", "--work-dir", str(here / "work")]
        return started("org.apache.spark.deploy.worker.Worker", [*said, self.master], here)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A cluster in a folder, until the end of the block."""
    port, state, connect = free_port(), free_port(), free_port()
    made = Cluster(
        folder, worker_python(folder), f"spark://{HOST}:{port}", f"http://{HOST}:{state}", secrets.token_hex()
    )
    with ExitStack() as stack:
        said = ["--host", HOST, "--port", str(port), "--webui-port", str(state)]
        process = started("org.apache.spark.deploy.master.Master", said, folder / "master")
        stack.callback(end, process)
        waited(lambda: made.alive() == 0, "the master", folder, process)
        stack.callback(lambda: [end(worker) for worker in made.workers])
        made.complete()
        config = spark.classic(get_settings().model_copy(update={"spark_master": made.master})) | SMALL
        stack.enter_context(connect_server(config, connect, folder / "connect", made.python, token=made.token))
        made.authority = Authority(folder / "certificates")
        fronted = stack.enter_context(ended_here(made.authority.issue(HOST), connect))
        made.remote = f"sc://{HOST}:{fronted}/;use_ssl=true"
        yield made


def worker_python(folder: Path) -> Path:
    """An environment of its own: the wheel for clusters and what it asks for, constrained by ``uv.lock``."""
    python, constraints = folder / "python" / "bin" / "python", folder / "constraints.txt"
    exported = ["--no-dev", "--extra", "azure", "--no-emit-project", "--no-hashes", "--output-file", str(constraints)]
    wheel.uv(["export", "--quiet", "--frozen", *exported], cwd=ROOT)
    wheel.uv(["venv", "--quiet", "--python", sys.executable, str(folder / "python")])
    built = wheel.build(folder / "wheel")
    pip = ["pip", "install", "--quiet", "--python", str(python), "--constraint", str(constraints)]
    wheel.uv([*pip, str(built.path), *BROUGHT])
    return python


@contextmanager
def connect_server(
    config: Mapping[str, str], port: int, folder: Path, python: Path, *, token: str = "", home: Path = HOME
) -> Iterator[None]:
    """A server of Spark Connect until the end of the block. ``home`` is its Spark, ``python`` runs its functions."""
    config = {**config, "spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": HOST}
    said = [part for name, value in config.items() for part in ("--conf", f"{name}={value}")]
    # Python functions of Connect run with the server's PYSPARK_PYTHON; spark.pyspark.python does not reach them
    environment = {"PYSPARK_PYTHON": str(python)} | ({"SPARK_CONNECT_AUTHENTICATE_TOKEN": token} if token else {})
    submit = ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", *said, "spark-internal"]
    server = _process([str(home / "bin" / "spark-submit"), *submit], folder, environment, home)
    try:
        answers = lambda: socket.create_connection((HOST, port), timeout=1).close() is None  # noqa: E731
        waited(answers, "Spark Connect", folder.parent, server)
        yield
    finally:
        end(server)


def started(program: str, arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """A program of Spark as a process, with its log in the folder."""
    return _process([str(HOME / "bin" / "spark-class"), program, *arguments], folder, {"SPARK_DAEMON_MEMORY": "256m"})


def _process(call: list[str], folder: Path, environment: dict[str, str], home: Path = HOME) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "LANG") if name in os.environ}
    own = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": HOST}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            call, cwd=folder, env={**plain, **own, **environment}, stdout=log, stderr=log, start_new_session=True
        )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def waited(there: Callable[[], bool], what: str, folder: Path, *of: subprocess.Popen[bytes]) -> None:
    """Wait until something is there; fail with the ends of all logs when it takes too long, or a process has ended."""
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and all(process.poll() is None for process in of):
        try:
            if there():
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {STARTS_WITHIN} s\n{logs(folder)}")


def logs(folder: Path) -> str:
    """The ends of the logs of all processes."""
    return "\n".join(f"{log.parent.name}: {log.read_text(errors='replace')[-3000:]}" for log in folder.glob("*/log"))
