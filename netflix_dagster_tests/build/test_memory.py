"""Large files in little memory: the limit is one that the system sets on the process, so exceeding it ends the test.

The limit is on data (``RLIMIT_DATA``): heaps, stacks and whatever else a process may write to, whether it has touched
it yet or not. So it is above what is resident.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.lake import store
from netflix_dagster_tests import bench_scale, scaled
from netflix_dagster_tests.bench_scale import Cost, Work
from netflix_dagster_tests.build.door import Door

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a limit on data limits no heap")
BUILD = """
import json, resource, sys
work = json.loads(sys.argv[1])
from netflix_dagster import tables
from netflix_dagster.build.runner import Session
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.bench_scale import peak_memory
resource.setrlimit(resource.RLIMIT_DATA, (work["limit"] << 20, work["limit"] << 20))
settings = Settings(landing=work["landing"], lake=work["lake"], sources=work["sources"], memory=work["memory"])
sources = load_sources(settings.sources)
tables.declare(sources)
with Session(settings, sources, "run", ["bronze.films"], {"films": ["2026-01-06"]}) as session:
    report = session.build("bronze.films")
print(json.dumps([report.total_rows, peak_memory()]))
"""


def built(landing: Path, sources: Path | None, *, memory: int, limit: int) -> list[int]:
    """Build bronze in a process of its own; returns its rows, and the megabytes that the process held at the most."""
    work = {"landing": str(landing), "lake": str(landing.parent / "lake"), "sources": str(sources)}
    command = [sys.executable, "-c", BUILD, json.dumps(work | {"memory": memory, "limit": limit})]
    # address space that is only reserved is no data
    environment = {**os.environ, "NETFLIX_ENGINE": "sail", "MIMALLOC_ARENA_EAGER_COMMIT": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


def films(records: int) -> Iterator[str]:
    """Records of about a thousand characters, no two alike."""
    yield "id,title,hours\n"
    remark = "a name that goes on and on, " * 35
    for n in range(records):
        yield f'{n},"{n} {remark[n % 28 :]}{n}",{n % 97}\n'


@linux
@pytest.mark.parametrize(
    ("records", "size", "memory", "limit", "most"),
    [
        pytest.param(120_000, 115_000_000, 1024, 1000, 600, id="116 MB"),
        pytest.param(1_020_000, 1_000_000_000, 1500, 2000, 1500, id="1 GB", marks=pytest.mark.soak),
    ],
)
def test_a_file_goes_into_bronze_in_bounded_memory(
    tmp_path: Path, records: int, size: int, memory: int, limit: int, most: int
) -> None:
    door = Door(tmp_path)
    file = tmp_path / "landing" / "films" / "2026-01-06" / "films.csv"
    file.parent.mkdir(parents=True)
    with file.open("w") as written:
        written.writelines(films(records))
    assert file.stat().st_size > size
    rows, peak = built(tmp_path / "landing", door.settings.sources, memory=memory, limit=limit)
    assert rows == records
    assert peak < most


def catalogue(house: Path, titles: int, memory: int | None) -> Cost:
    """Build two releases of a catalogue, one call each, in processes of their own; returns what the first took."""
    scaled.release(house / "landing", titles)
    first = bench_scale.measured(Work(str(house), memory=memory))
    scaled.release(house / "landing", titles, 1)
    bench_scale.measured(Work(str(house), memory=memory, days=[scaled.day(1)]))
    return first


def held(lake: Path, name: str) -> list[str]:
    """The rows of a table, but for when and by whom they were written."""
    rows = store.read_arrow(lake, name)
    assert rows is not None, f"{name} was never written"
    same = [column for column in TABLES[name].column_names if column not in ("loaded_at", "run_id")]
    return sorted(map(repr, rows.select(same).to_pylist()))


@pytest.mark.parametrize(
    ("titles", "most"),
    [pytest.param(500, 600, id="500 titles"), pytest.param(300_000, 1_100, id="87 MB", marks=pytest.mark.soak)],
)
def test_no_table_of_the_catalogue_has_other_rows_in_bounded_memory(tmp_path: Path, titles: int, most: int) -> None:
    catalogue(tmp_path / "free", titles, None)
    assert catalogue(tmp_path / "bounded", titles, 1024).memory < most
    for name in feed_tables("catalogue"):
        if store.exists(tmp_path / "free" / "lake-sail", name):
            free = held(tmp_path / "free" / "lake-sail", name)
            assert held(tmp_path / "bounded" / "lake-sail", name) == free, name
