"""Azurite, the real emulator of blob and queue storage (npm), on random ports, in memory.

``make`` and ``.ci/run`` install it into ``.venv/azurite`` from the lock file beside this module.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key that every Azurite has; they are in its documentation and open nothing else."""
PROGRAM = Path(sys.prefix) / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
MENDED = Path(__file__).with_name("container_batch.js")
"""What Azurite lacks; Node.js loads it first."""
ZONES = ("landing", "quarantine", "bronze", "silver", "gold", "checkpoints", "serving")


def missing() -> str | None:
    """Why Azurite cannot be started here, and how to get it; None when it can."""
    if shutil.which("node") is None:
        return "Azurite needs Node.js 20 or newer on the path"
    if not PROGRAM.exists():
        return "Azurite is not installed: `make azurite` does it"
    return None


@dataclass
class Azurite:
    """A running Azurite. ``stop`` and ``start`` again keep the ports, and with a ``folder`` the data."""

    blob_port: int
    queue_port: int
    folder: Path | None = None
    options: tuple[str, ...] = ()
    scheme: str = "http"
    authority: Path | None = None
    """Who vouches for its certificate, when the scheme is https; Azurite is given that by ``options``."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def blob_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.blob_port}/{ACCOUNT}"

    @property
    def queue_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.queue_port}/{ACCOUNT}"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take this for its storage account, by the account's key."""
        return {
            "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
            "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURE_STORAGE_ENDPOINT": self.blob_url,
            "AZURE_STORAGE_QUEUE_ENDPOINT": self.queue_url,
            "AZURE_ALLOW_HTTP": "true",
        }

    def start(self) -> None:
        where = ["--location", str(self.folder)] if self.folder else ["--inMemoryPersistence"]
        ports = [
            "--blobPort",
            str(self.blob_port),
            "--queuePort",
            str(self.queue_port),
            "--tablePort",
            str(free_port()),
        ]
        node = ["node", "--require", str(MENDED), str(PROGRAM)]
        command = [*node, "--silent", "--skipApiVersionCheck", "--disableTelemetry", *where, *ports]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for port in (self.blob_port, self.queue_port):
            _wait(port, self.process)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def make_zones(self) -> None:
        """Make the containers of a lake, as the infrastructure does on Azure."""
        from azure.storage.blob import BlobServiceClient

        verify = str(self.authority) if self.authority else True
        with BlobServiceClient(self.blob_url, credential=KEY, connection_verify=verify) as service:
            there = {container.name for container in service.list_containers()}
            for zone in ZONES:
                if zone not in there:
                    service.create_container(zone)


@contextmanager
def azurite(folder: Path | None = None, *options: str) -> Iterator[Azurite]:
    """An Azurite with empty zones."""
    running = Azurite(free_port(), free_port(), folder, options)
    running.start()
    try:
        running.make_zones()
        yield running
    finally:
        running.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"Azurite ended at once with code {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"Azurite does not answer on port {port}")
