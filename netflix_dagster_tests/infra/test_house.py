"""What a platform in production lives through: two daemons, a daemon that was away, a database that starts again.

All services of ``compose.yaml`` as processes, on a real PostgreSQL and Azurite (``house.py``). In the end there are the
same tables as on a machine on which nothing of that happened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from netflix_dagster_tests.emulators.azurite import ACCOUNT, KEY, missing
from netflix_dagster_tests.infra.house import House, house
from netflix_dagster_tests.infra.test_containers import keep

pytestmark = pytest.mark.soak
DATES = ("netflix_catalogue/", "most_popular/")
TABLES = ("silver.titles", "silver.title_cast", "gold.dim_title", "gold.fact_release_title", "gold.fact_most_popular")


def test_two_daemons_one_that_was_away_and_a_database_that_starts_again_end_in_the_same_tables(tmp_path: Path) -> None:
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    with house(tmp_path) as running:
        running.prepare()
        keep(running, *DATES)
        expected = undisturbed(running, tmp_path)
        held_back = set_aside(running, "most_popular/")
        for service in ("code", "webserver"):
            running.start(service)
        running.wait("the webserver knows the code location", running.located)
        running.start("daemon")
        running.start("daemon", "second daemon")  # a deployment that overlaps: both tick, both dequeue
        running.wait("a run has begun", lambda: running.runs("STARTED") or running.runs("SUCCESS"))
        running.restart_database()
        running.kill("daemon")
        running.kill("second daemon")
        put_back(running, held_back)  # lands while no daemon is there to see it
        running.start("daemon")
        done = running.wait("every run has ended", running.over, seconds=1800)
        # A run whose process met a database that was away is tried again; nothing is left undone, nothing done twice.
        assert done["SUCCESS"] >= 2 and set(done) <= {"SUCCESS", "FAILURE"}, done
        found = {name: rows(name, **running.storage_options) for name in TABLES}
        for name in TABLES:
            assert found[name].equals(expected[name]), name
        ticks = running.ticks()
        assert len(ticks) == len(set(ticks)), "a run was asked for twice"


def undisturbed(running: House, folder: Path) -> dict[str, pa.Table]:
    """The tables that `netflix-dagster run` makes of the same files in a folder."""
    from azure.storage.blob import ContainerClient

    landing = folder / "undisturbed" / "landing"
    with ContainerClient(running.storage.blob_url, "landing", credential=KEY) as there:
        for name in there.list_blob_names():
            (landing / name).parent.mkdir(parents=True, exist_ok=True)
            (landing / name).write_bytes(there.download_blob(name).readall())
    program = str(Path(sys.executable).with_name("netflix-dagster"))
    said = {
        "NETFLIX_LANDING": str(landing),
        "NETFLIX_LAKE": str(folder / "undisturbed" / "lake"),
        "PYTHONPATH": os.getcwd(),
    }
    ran = subprocess.run([program, "run"], env={**os.environ, **said}, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 3), ran.stderr
    return {name: rows(name, folder / "undisturbed" / "lake") for name in TABLES}


def rows(name: str, lake: Path | None = None, **options: str) -> pa.Table:
    """The rows of a table in an order that says nothing, without the moment when they were written."""
    from deltalake import DeltaTable

    layer, _, short = name.partition(".")
    place = str(lake / layer / short) if lake else f"abfss://{layer}@{ACCOUNT}.dfs.core.windows.net/{short}"
    found = pa.table(DeltaTable(place, storage_options=options or None).to_pyarrow_table())
    of_time = [column for column in found.column_names if column == "loaded_at"]
    found = found.drop_columns(of_time).select(sorted(set(found.column_names) - set(of_time)))
    texts = [repr(row) for row in found.to_pylist()]
    return found.take(sorted(range(len(texts)), key=texts.__getitem__))


def set_aside(running: House, prefix: str) -> dict[str, bytes]:
    """Take files out of landing, to land them later."""
    from azure.storage.blob import ContainerClient

    with ContainerClient(running.storage.blob_url, "landing", credential=KEY) as landing:
        names = [name for name in landing.list_blob_names() if name.startswith(prefix)]
        taken = {name: landing.download_blob(name).readall() for name in names}
        for name in names:
            landing.delete_blob(name)
    assert taken
    return taken


def put_back(running: House, files: dict[str, Any]) -> None:
    from azure.storage.blob import ContainerClient

    with ContainerClient(running.storage.blob_url, "landing", credential=KEY) as landing:
        for name, content in files.items():
            landing.upload_blob(name, content)
