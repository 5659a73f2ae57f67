"""One delivery from landing to gold: a release of the sample catalogue, in a lake of its own beside the real one."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

from netflix_dagster import storage
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place
from netflix_dagster.verify.steps import Trial

SOURCE = "netflix_catalogue"
TABLES = (
    "bronze.netflix_catalogue",
    "silver.titles",
    "silver.title_genres",
    "silver.releases",
    "gold.dim_genre",
)
"""A short way from bronze to gold. What each of these reads is among them, or was never delivered."""
ZONES = (*store.LAYERS, store.STAGING, "_attempts", "_locks")
_LONGEST = 900


def scratch(trial: Trial, name: str) -> Settings:
    """Settings whose lake, and landing in it, are a folder beside the tables of the lake; it is removed in the end."""
    lake: Any = storage.at(f"{trial.settings.lake}/_{trial.name}-{name}")
    for container in dict.fromkeys((lake / zone).container for zone in ZONES):
        folder = replace(lake, container=container)
        trial.leaves(f"the folder {folder}", partial(storage.remove, folder))
    return trial.settings.model_copy(update={"lake": lake, "landing": lake / store.STAGING / "landing"})


def land(settings: Settings) -> tuple[str, int]:
    """Land one delivery. Returns its date, and how many records it has."""
    from netflix_dagster.sample import catalogue_files

    path, data = min((path, data) for path, data in catalogue_files().items() if path.startswith(f"{SOURCE}/"))
    source, day, file = path.split("/")
    storage.write(settings.landing / source / day / file, data)
    return day, sum(1 for _ in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def build_here(settings: Settings, day: str, run_id: str) -> None:
    """Build the tables in a process of its own on this machine, with the engine of the settings."""
    own = {"NETFLIX_SOURCES", "NETFLIX_LANDING_EVENTS"}  # the packaged sources, and a landing folder without events
    environment = {**os.environ, **settings.as_environment()}
    said = ["--tables", ",".join(TABLES), "--deliveries", day, "--run-id", run_id]
    with TemporaryDirectory(prefix="netflix-verify-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "netflix_dagster.databricks.step", *said],
            env={name: value for name, value in environment.items() if name not in own},
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            timeout=_LONGEST,
            check=False,
        )
    if done.returncode:
        why = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise RuntimeError(f"the build ended with code {done.returncode}: {why[0]}")


def judged(settings: Settings, records: int) -> str:
    """Says how many rows each table has. Raises when bronze lacks a record, or a table has no row."""
    rows = {name: _rows(settings.lake, name) for name in TABLES}
    if rows[TABLES[0]] != records or not all(rows.values()):
        raise RuntimeError(f"{records} records landed and the tables have {rows}; a table is wrong or was not written")
    return ", ".join(f"{name} {count} rows" for name, count in rows.items())


def _rows(lake: Place, table: str) -> int:
    found = store.delta(lake, table)
    return 0 if found is None else int(found.count())
