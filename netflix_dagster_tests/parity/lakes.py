"""Two lakes of the same deliveries, each built by its own engine in its own process, and how they differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import quarantine
from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import store

OF_THE_RUN = frozenset(("loaded_at", "run_id", "refused_at"))
"""The columns that say when and by which run a row was written; nothing else may differ."""
COMMAND = Path(sys.executable).parent / "netflix-dagster"


def build(landing: Path, lake: Path, engine: str, **variables: str) -> dict[str, Any]:
    """Build a lake with ``netflix-dagster run --engine``, in a process of its own, and say what came of it."""
    call = [COMMAND, "run", "--landing", landing, "--lake", lake, "--engine", engine, "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NETFLIX_")}
    environment |= {name: os.environ[name] for name in ("NETFLIX_SPARK_JARS",) if name in os.environ} | variables
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=environment, cwd=lake.parent)
    assert done.returncode in (0, 3), done.stderr[-4000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def tables(lake: Path) -> list[str]:
    """Every table of the contract and of the quarantine that is there."""
    return [name for name in (*TABLES, quarantine.NAME) if store.exists(lake, name)]


def schema(lake: Path, name: str) -> dict[str, Any]:
    """The schema of a table as Delta keeps it."""
    kept: dict[str, Any] = json.loads(DeltaTable(store.location(lake, name)).schema().to_json())
    return kept


def rows(lake: Path, name: str) -> list[str]:
    """The rows of a table, each as one line of text that tells every value and its type apart, in order."""
    held: pa.Table = DeltaTable(store.location(lake, name)).to_pyarrow_table()
    columns = [column for column in held.column_names if column not in OF_THE_RUN]
    return sorted(repr(tuple(row[column] for column in columns)) for row in held.to_pylist())


def differences(one: Path, other: Path, name: str) -> list[str]:
    """What is only in the one lake or only in the other; some of it in words."""
    if (here := schema(one, name)) != (there := schema(other, name)):
        return [f"the schemas differ: {here} {there}"]
    mine, theirs = rows(one, name), rows(other, name)
    if mine == theirs:
        return []
    missing, more = sorted(set(mine) - set(theirs)), sorted(set(theirs) - set(mine))
    return [
        f"{len(mine)} rows and {len(theirs)}",
        *(f"- {row}" for row in missing[:3]),
        *(f"+ {row}" for row in more[:3]),
    ]


def states(lake: Path) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What became of every delivery."""
    found = Life.read(lake).deliveries.items()
    return {place: (d.status, d.newest.why, d.newest.records, d.newest.files, len(d.attempts)) for place, d in found}


def all_differences(one: Path, other: Path) -> dict[str, list[str]]:
    """The tables that differ between two lakes, and in what."""
    return {name: found for name in tables(one) if (found := differences(one, other, name))}
