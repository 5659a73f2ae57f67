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
from typing import Any

import pytest

from netflix_dagster_tests import scaled
from netflix_dagster_tests.build.door import Door

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a limit on data limits no heap")
BUILD = """
import json, resource, sys
work = json.loads(sys.argv[1])
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster import tables
from netflix_dagster.engine import sessions
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.bench_scale import peak_memory
resource.setrlimit(resource.RLIMIT_DATA, (work["limit"] << 20, work["limit"] << 20))
settings = Settings(landing=work["landing"], lake=work["lake"], sources=work["sources"], memory=work["memory"])
sources = load_sources(settings.sources)
tables.declare(sources)
table = work["table"]
with Session(settings, sources, "run", [table], {TABLES[table].feed: [work["day"]]}) as session:
    report = session.build(table)
print(json.dumps([report.total_rows, peak_memory()]))
"""


def built(landing: Path, table: str, day: str, *, memory: int, limit: int, sources: Path | None = None) -> list[int]:
    """Build a table in a process of its own; returns its rows, and the megabytes that the process held at the most."""
    work: dict[str, Any] = {"landing": str(landing), "lake": str(landing.parent / "lake"), "table": table, "day": day}
    work |= {"memory": memory, "limit": limit, "sources": str(sources) if sources else None}
    command = [sys.executable, "-c", BUILD, json.dumps(work)]
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
def test_a_file_goes_into_bronze_in_less_memory_than_its_size(tmp_path: Path) -> None:
    door, records = Door(tmp_path), 120_000
    file = tmp_path / "landing" / "films" / "2026-01-06" / "films.csv"
    file.parent.mkdir(parents=True)
    with file.open("w") as written:
        written.writelines(films(records))
    assert file.stat().st_size > 115_000_000
    rows, peak = built(
        tmp_path / "landing", "bronze.films", "2026-01-06", memory=1024, limit=1000, sources=door.settings.sources
    )
    assert rows == records
    assert peak < 600


@pytest.mark.soak
@linux
def test_a_release_of_a_gigabyte_passes_its_gates_into_bronze(tmp_path: Path) -> None:
    titles = 3_400_000
    file = scaled.release(tmp_path / "landing", titles)
    assert file.stat().st_size > 1_000_000_000
    bronze = f"bronze.{scaled.WHOLE}"
    rows, peak = built(tmp_path / "landing", bronze, scaled.day(0), memory=1500, limit=2000)
    assert rows == titles
    assert peak < 1500
