"""Large files in little memory: the limit is one that the system sets on the process, so exceeding it ends the test.

Where no control group can be made (``bench_scale.limited``) the limit is on data: heaps, stacks and whatever else a
process may write to, whether it has touched it yet or not. So it is above what is resident.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from netflix_dagster.build import table
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings
from netflix_dagster_tests import bench_scale, scaled
from netflix_dagster_tests.bench_scale import Cost, Work
from netflix_dagster_tests.build.door import Door

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

sail = pytest.mark.skipif(os.environ.get("NETFLIX_ENGINE", "sail") != "sail", reason="the setting is one of Sail")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a limit on data limits no heap")
BUILD = """
import json, sys
work = json.loads(sys.argv[1])
from netflix_dagster import tables
from netflix_dagster.build.runner import Session
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster_tests.bench_scale import limited, peak_memory
settings = Settings(landing=work["landing"], lake=work["lake"], sources=work["sources"], memory=work["memory"])
sources = load_sources(settings.sources)
tables.declare(sources)
build = Session(settings, sources, "run", ["bronze.films"], {"films": ["2026-01-06"]})
with limited(work["limit"]), build as session:
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


def catalogue(house: Path, titles: int, memory: int | None, build: Callable[[Work], Cost]) -> int:
    """Build a release of a catalogue and then another, in calls of their own; returns the megabytes of the first."""
    scaled.release(house / "landing", titles)
    first = build(Work(str(house), memory=memory))
    scaled.release(house / "landing", titles, 1)
    build(Work(str(house), memory=memory, days=[scaled.day(1)]))
    return first.memory


def held(lake: Path, name: str) -> list[str]:
    """The rows of a table, but for when and by whom they were written."""
    rows = store.read_arrow(lake, name)
    assert rows is not None, f"{name} was never written"
    same = [column for column in TABLES[name].column_names if column not in ("loaded_at", "run_id")]
    return sorted(map(repr, rows.select(same).to_pylist()))


def assert_alike(one: Path, other: Path) -> None:
    written = [name for name in feed_tables("catalogue") if store.exists(one / "lake-sail", name)]
    assert {"silver.titles", "gold.kpi_catalogue"} <= set(written)
    for name in written:
        assert held(one / "lake-sail", name) == held(other / "lake-sail", name), name


@sail
def test_tables_that_are_computed_in_several_goes_have_the_same_rows(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue(tmp_path / "free", 150, None, bench_scale.build)
    goes: dict[str, int] = {}
    divide = table._goes

    def divided(of: Table, settings: Settings) -> list[Column]:
        found = divide(of, settings)
        goes[of.name] = len(found)
        return found

    monkeypatch.setattr(table, "_goes", divided)
    monkeypatch.setattr(table, "ROWS_A_MEGABYTE", 0.5)
    catalogue(tmp_path / "divided", 150, 1024, bench_scale.build)
    assert {name for name, number in goes.items() if number > 1} >= {"silver.title_history", "gold.bridge_title_cast"}
    assert_alike(tmp_path / "free", tmp_path / "divided")


@sail
@pytest.mark.soak
def test_a_catalogue_that_does_not_fit_comes_to_the_same_tables(tmp_path: Path) -> None:
    catalogue(tmp_path / "free", 300_000, None, bench_scale.measured)
    assert catalogue(tmp_path / "bounded", 300_000, 1024, bench_scale.measured) < 1_100
    assert_alike(tmp_path / "free", tmp_path / "bounded")


@sail
def test_bounded_operators_come_to_the_same_tables(tmp_path: Path) -> None:
    for house, memory in (("free", None), ("bounded", 1024)):
        scaled.release(tmp_path / house / "landing", 150)
        bench_scale.measured(Work(str(tmp_path / house), memory=memory))
    assert_alike(tmp_path / "free", tmp_path / "bounded")
