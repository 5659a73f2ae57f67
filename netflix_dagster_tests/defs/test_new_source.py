"""A running code location takes up a new source by the UI's reload; users of ``dg`` see it too."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._grpc.client import DagsterGrpcClient

from netflix_dagster.landing.sources import PACKAGED

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
PETS = "No;Name\n" + "".join(f"P{n:03};Pet {n}\n" for n in range(1, 31))


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "DAGSTER_"))}
    own = {"NETFLIX_SOURCES": str(folder / "own.yaml"), "DAGSTER_HOME": str(folder / "home")}
    return {**kept, **own, "PYTHONPATH": str(ROOT)}


def add_pets(folder: Path) -> None:
    (folder / "pets.csv").write_text(PETS)
    command = [str(BIN / "netflix-dagster"), "source", "add", "pets", "--file", "pets.csv", "--yes"]
    subprocess.run(command, cwd=folder, env=environment(folder), check=True, capture_output=True)


@pytest.mark.soak
def test_reloading_a_code_server_brings_the_tables_of_a_source_that_was_added(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "own.yaml").write_bytes(PACKAGED.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    module = ["-m", "netflix_dagster.definitions", "--port", str(port), "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [str(BIN / "dagster"), "code-server", "start", *module],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        client = DagsterGrpcClient(port=port, host="127.0.0.1")
        assert "pets" not in waited(client)
        add_pets(tmp_path)
        client.reload_code(timeout=180)
        said = waited(client)
        assert "pets_landing_sensor" in said and "silver__pets" in said and "pets_delivery" in said
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # with the process that it keeps the definitions in
        server.wait(timeout=60)


def waited(client: DagsterGrpcClient) -> str:
    """What the server says of its definitions, once it is up."""
    until = time.monotonic() + 180
    while True:
        try:
            return definitions_of(client)
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def definitions_of(client: DagsterGrpcClient) -> str:
    origin = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=client.port, location_name="netflix_dagster")
    return str(client.external_repository(RemoteRepositoryOrigin(origin, "__repository__")))


@pytest.mark.soak
def test_dg_checks_and_lists_the_tables_of_a_source_that_was_added(tmp_path: Path) -> None:
    add_pets(tmp_path)
    env = {**environment(tmp_path), "PATH": f"{BIN}:{os.environ['PATH']}"}
    checked = subprocess.run([str(BIN / "dg"), "check", "defs"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert checked.returncode == 0 and "All definitions loaded successfully" in checked.stdout + checked.stderr
    done = subprocess.run(
        [str(BIN / "dg"), "list", "defs", "--json"], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    found: Any = json.loads(done.stdout)
    keys = {asset["asset_key"] for asset in found["assets"]}
    assert {"bronze/pets", "silver/pets", "origin/top10_global", "gold/dim_title"} <= keys
