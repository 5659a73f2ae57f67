"""Upkeep changes files, never rows."""

from __future__ import annotations

import os
import time

import pytest

from netflix_dagster.lake import store
from netflix_dagster_tests.defs.conftest import SECOND
from netflix_dagster_tests.defs.house import House

DAY = 24 * 3600
NOW = {"maintain_lake": {"config": {"retention_hours": 0, "nobody_works": True}}}


def data_files(house: House, table: str) -> int:
    return len([p for p in (house.tables / table.replace(".", "/")).rglob("*.parquet") if "_delta_log" not in p.parts])


@pytest.fixture
def worn(built: House) -> House:
    """A house that was built again, so that its tables have files that no current version needs."""
    assert built.run(SECOND, only=["bronze.netflix_catalogue", "silver.titles", "gold.dim_rating"]).success
    return built


def test_maintenance_keeps_the_rows_and_removes_what_nobody_needs(worn: House) -> None:
    tables, said = worn.contents(), worn.rows("quality.deliveries")
    files = {name: data_files(worn, name) for name in ("silver.titles", "gold.dim_rating", "quality.deliveries")}
    result = worn.execute(job="lake_maintenance", config=NOW)
    assert result.success
    assert worn.contents() == tables
    (output,) = [
        event for event in result.all_events if event.step_key == "maintain_lake" and event.is_successful_output
    ]
    told = {row.data["table"]: row.data for row in output.step_output_data.metadata["tables"].records}
    assert told["silver.titles"]["files"] == 3
    assert told["gold.dim_rating"]["files_opened_before"] >= told["gold.dim_rating"]["files_opened_now"] == 1
    assert told["silver.title_history"]["clustered_by"] == "title_key"
    assert sorted(map(repr, worn.rows("quality.deliveries"))) == sorted(map(repr, said))
    assert {name: data_files(worn, name) for name in files} == {
        "silver.titles": 3,  # a partition each
        "gold.dim_rating": 1,
        "quality.deliveries": 1,
    }
    assert all(count > data_files(worn, name) for name, count in files.items())


def test_maintenance_keeps_what_time_travel_may_still_ask_for(worn: House) -> None:
    files = data_files(worn, "gold.dim_rating")
    version = store.version(worn.tables, "gold.dim_rating")
    assert worn.execute(job="lake_maintenance").success
    assert data_files(worn, "gold.dim_rating") >= files > 1
    delta = store.delta(worn.tables, "gold.dim_rating")
    assert delta is not None
    delta.load_as_version((version or 0) - 1)
    assert delta.to_pyarrow_table().num_rows > 0


def test_files_that_somebody_may_be_writing_are_not_removed(built: House) -> None:
    files = data_files(built, "gold.dim_rating")
    soon = {"maintain_lake": {"config": {"retention_hours": 1}}}
    assert not built.execute(job="lake_maintenance", config=soon).success
    assert data_files(built, "gold.dim_rating") == files


def test_what_killed_runs_left_in_staging_vanishes_after_a_day(built: House) -> None:
    staging = built.tables / store.STAGING
    old, young = staging / "silver.titles-old", staging / "silver.titles-young"
    for aside, age in ((old, 1.1 * DAY), (young, 0.9 * DAY)):
        aside.mkdir(parents=True)
        (aside / "part-0.parquet").write_bytes(b"left behind")
        os.utime(aside, (time.time() - age, time.time() - age))
    assert built.execute(job="lake_maintenance").success
    assert [path.name for path in staging.iterdir()] == [young.name]


def test_deliveries_can_be_built_on_a_maintained_lake(worn: House) -> None:
    tables = worn.contents()
    assert worn.execute(job="lake_maintenance", config=NOW).success
    assert worn.run(SECOND, only=["bronze.netflix_catalogue", "silver.titles", "gold.dim_rating"]).success
    assert worn.contents() == tables
