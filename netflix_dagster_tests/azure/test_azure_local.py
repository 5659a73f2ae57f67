"""``make azure-local`` as its user has it: started, used from a second shell, stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster_tests.azure.conftest import OURS
from netflix_dagster_tests.browser.dagster_dev import ENTRIES, RUNS
from netflix_dagster_tests.cli.shell import COMMAND
from netflix_dagster_tests.emulators import azurite
from netflix_dagster_tests.emulators.azurite import free_port

WITHIN = 480.0


@pytest.fixture
def local(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A running azure-local: the address of its Dagster, and its process."""
    if why := azurite.missing():
        assert not os.environ.get("CI"), why
        pytest.skip(why)
    port = free_port()
    command = [sys.executable, "-m", "netflix_dagster_tests.emulators.azure_local", "--folder", str(tmp_path / "azure")]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    )
    yield f"http://127.0.0.1:{port}/graphql", process
    if process.poll() is None:
        process.terminate()
        process.wait(60)


@pytest.mark.soak
def test_the_azure_profile_runs_without_an_account(local: tuple[str, subprocess.Popen[str]], tmp_path: Path) -> None:
    url, process = local
    wait(process, url, ENTRIES, lambda said: all_loaded(said["workspaceOrError"]))
    wait(process, url, RUNS, lambda said: "SUCCESS" in [run["status"] for run in said["runsOrError"]["results"]])

    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    query = (
        f"source {tmp_path}/azure/environment && {COMMAND} query --format csv 'SELECT count(*) FROM quality.deliveries'"
    )
    told = subprocess.run(["bash", "-c", query], cwd=tmp_path, env=own, capture_output=True, encoding="utf-8")
    assert told.returncode == 0 and int(told.stdout.split()[-1]) > 0, told.stderr

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    assert "Azure on this machine" in said and "Stopped." in said
    assert (tmp_path / "azure" / "storage").is_dir()
    with pytest.raises(OSError):
        ask(url, RUNS)
    assert not left_behind(str(tmp_path))


def wait(process: subprocess.Popen[str], url: str, query: str, done: Any) -> None:
    until, last = time.monotonic() + WITHIN, None
    while time.monotonic() < until:
        assert process.poll() is None, f"azure-local has ended with {process.returncode}"
        try:
            last = ask(url, query)
            if done(last):
                return
        except OSError as not_yet:
            last = not_yet
        time.sleep(1)
    raise AssertionError(f"not within {WITHIN:.0f} seconds; the last that was seen: {last}")


def all_loaded(workspace: Any) -> bool:
    loads = [entry["locationOrLoadError"] for entry in workspace.get("locationEntries") or []]
    failed = [load for load in [workspace, *loads] if load and load["__typename"] == "PythonError"]
    assert not failed, failed
    return bool(loads) and all(loads)


def ask(url: str, query: str) -> Any:
    request = urllib.request.Request(url, json.dumps({"query": query}).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def left_behind(folder: str) -> list[str]:
    """Processes whose command line or environment still speaks of a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if folder.encode() in said and int(process.name) != os.getpid():
            found.append(said.replace(b"\0", b" ").decode(errors="replace")[:200])
    return found
