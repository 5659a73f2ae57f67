"""The real deliveries on Azure's protocols: events request the runs, a managed identity opens the storage over TLS.

What the lake holds in the end is what it holds on a folder, whose deliveries the sensors find by listing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster_tests.azure.conftest import OURS, azure, environment, running_cloud  # noqa: F401  fixtures
from netflix_dagster_tests.cli.shell import COMMAND
from netflix_dagster_tests.emulators.azurite import KEY
from netflix_dagster_tests.emulators.cloud import Cloud
from netflix_dagster_tests.emulators.eventgrid import encoded, event

REPO = Path(__file__).parents[2]
QUEUE = "landing-events"
STORAGE = "https://storage.azure.com"


def arrive(cloud: Cloud, landing: Path) -> int:
    """Upload what lies in a folder, and tell of each file as Event Grid does; of some twice, the last one first."""
    from azure.storage.blob import ContainerClient
    from azure.storage.queue import QueueClient

    verify = str(cloud.authority.ca)
    files = sorted(landing.glob("*/*/*"))
    names = [file.relative_to(landing).as_posix() for file in files]
    with ContainerClient(cloud.storage.blob_url, "landing", credential=KEY, connection_verify=verify) as container:
        for file, name in zip(files, names, strict=True):
            container.upload_blob(name, file.read_bytes())
    for queue in (QUEUE, f"{QUEUE}-poison"):
        with QueueClient(cloud.storage.queue_url, queue, credential=KEY, connection_verify=verify) as client:
            client.create_queue()
            for name in reversed(names + names[:5]) if queue == QUEUE else ():
                client.send_message(encoded(event(name)))
    return len(files)


def sensed(at: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What comes of it when the sensors tick in an environment; Dagster's databases lie in a folder of their own."""
    at.mkdir()
    inside = environment | {"DAGSTER_HOME": str(at / "home")}
    subprocess.run([COMMAND, "home"], cwd=at, env=inside, check=True, capture_output=True)
    program = [sys.executable, "-m", "netflix_dagster_tests.real.sensed", str(at / "answer.json")]
    done = subprocess.run(
        program, cwd=at, env=inside | {"PYTHONPATH": str(REPO)}, capture_output=True, encoding="utf-8", timeout=3600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((at / "answer.json").read_text())
    return found


def some_of(landing: Path, to: Path) -> Path:
    """A release of the catalogue, one in the split form, and the first few deliveries of the charts."""
    for source in sorted(landing.iterdir()):
        for day in sorted(source.iterdir())[: 1 if source.name.startswith("netflix_") else 2]:
            if source.name != "engagement":
                (to / source.name).mkdir(parents=True, exist_ok=True)
                (to / source.name / day.name).symlink_to(day)
    return to


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_what_arrives_in_azure_ends_in_the_same_gold_as_in_a_folder(
    landing: Path,
    azure: Cloud,  # noqa: F811
    tmp_path: Path,
    record_testsuite_property: Callable[[str, object], None],
    whole: bool,
) -> None:
    source = landing if whole else some_of(landing, tmp_path / "some")
    own = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    places = {"NETFLIX_LANDING": str(source), "NETFLIX_LAKE": str(tmp_path / "lake")}
    expected = sensed(tmp_path / "folder", own | places)
    arrived = arrive(azure, source)
    built = sensed(tmp_path / "cloud", environment(azure, NETFLIX_LANDING_EVENTS=QUEUE))
    for where, found in (("a folder", expected), ("Azure", built)):
        record_testsuite_property(f"seconds in {where}", sum(run["seconds"] for run in found["runs"]))
        assert [run["errors"] for run in found["runs"] if run["errors"]] == []
    assert sorted(run["job"] for run in built["runs"]) == sorted(run["job"] for run in expected["runs"])
    assert sum(entry["files"] for entry in built["deliveries"].values()) == arrived
    assert built["deliveries"] == expected["deliveries"]
    assert built["tables"].keys() == expected["tables"].keys()
    assert [name for name, rows in expected["tables"].items() if rows != built["tables"][name]] == []
    assert built["tables"]["gold.dim_title"][0] > 5000
    assert azure.entra.issued[STORAGE] > 0
