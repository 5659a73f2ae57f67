"""Two lakes are alike when their tables hold the same rows, but for when and by which run they were written."""

from __future__ import annotations

import json
from pathlib import Path

from netflix_dagster import storage
from netflix_dagster.deliveries import life
from netflix_dagster.lake import store
from netflix_dagster_tests.lakehouse import DIFFERS

LANDED = "abfss://landing@devstoreaccount1.dfs.core.windows.net"
LAKE = "abfss://{zone}@devstoreaccount1.dfs.core.windows.net"
PLACES = ("--landing", LANDED, "--lake", LAKE)


def contents(lake: storage.Place) -> dict[str, list[str]]:
    """Every row of every table as text, in a fixed order. Not of the deliveries: their marks tell when files landed."""
    found = {}
    for name in (f"{layer}.{short}" for layer in store.LAYERS for short in store.tables(lake, layer)):
        if name != life.NAME and (held := store.read_arrow(lake, name)):
            kept = held.drop_columns([column for column in held.column_names if column in DIFFERS])
            found[name] = sorted(
                json.dumps(row, default=str, ensure_ascii=False, sort_keys=True) for row in kept.to_pylist()
            )
    return found


def upload(landing: Path) -> None:
    """Land in ADLS what has landed in a folder."""
    for file in sorted(landing.glob("*/*/*")):
        storage.write(storage.at(LANDED) / file.relative_to(landing).as_posix(), file.read_bytes())
