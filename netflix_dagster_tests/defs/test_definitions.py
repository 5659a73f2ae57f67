"""The definitions load fast and clean, and tell of every table all that its contract says."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import netflix_dagster
from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.expectations import MOSTLY, UNIQUE
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.origins import origin_key
from netflix_dagster.defs.serving import SERVING
from netflix_dagster.landing.sources import load_sources

PACKAGE = Path(netflix_dagster.__file__).parent
SOURCES = load_sources()
GRAPH = defs.resolve_asset_graph()
HEAVY = ("pyspark", "pysail", "deltalake", "pandas", "dagster_azure", "dagster_databricks", "dagster_pyspark")

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def asset(table: Table) -> dg.AssetsDefinition:
    return GRAPH.get(asset_key(table.name)).assets_def


def spec(table: Table) -> dg.AssetSpec:
    return asset(table).get_asset_spec(asset_key(table.name))


def test_the_definitions_can_be_loaded() -> None:
    dg.Definitions.validate_loadable(defs)


def test_there_is_an_asset_for_every_table_and_every_origin_and_for_nothing_else() -> None:
    origins = {origin_key(source.name) for source in SOURCES.sources.values() if source.origin}
    expected = {asset_key(name) for name in TABLES} | origins
    assert {key for key in GRAPH.get_all_asset_keys() if key.path[0] != SERVING} == expected


def test_what_consumers_open_follows_gold() -> None:
    warehouse = GRAPH.get(dg.AssetKey([SERVING, "warehouse"]))
    assert warehouse.parent_keys == {asset_key(name) for name, table in TABLES.items() if table.layer == "gold"}
    assert warehouse.automation_condition is not None


@every_table
def test_an_asset_is_built_from_what_its_table_reads(table: Table) -> None:
    origin = {origin_key(table.source.name)} if table.source and table.source.origin else set()
    assert GRAPH.get(asset_key(table.name)).parent_keys == {asset_key(read) for read in table.reads} | origin


@every_table
def test_an_asset_tells_what_its_table_is(table: Table) -> None:
    said = spec(table)
    assert said.group_name == table.layer
    assert said.kinds >= {"deltalake", "pyspark"}
    assert said.owners and all(owner.startswith("team:") for owner in said.owners)
    assert said.tags["layer"] == table.layer
    assert said.tags.get("feed") == table.feed
    assert said.description is not None
    assert said.description.startswith(table.description)
    assert table.grain in said.description
    assert said.code_version == table.code_version


@every_table
def test_an_asset_has_the_columns_of_the_contract(table: Table) -> None:
    schema = spec(table).metadata["dagster/column_schema"]
    found = [(c.name, c.type, c.description, c.constraints.nullable) for c in schema.columns]
    assert found == [(c.name, c.type, c.description, c.nullable) for c in table.columns]


@every_table
def test_every_column_after_bronze_comes_from_columns_that_exist(table: Table) -> None:
    lineage = spec(table).metadata["dagster/column_lineage"].deps_by_column
    assert set(lineage) <= set(table.column_names)
    for deps in lineage.values():
        for dep in deps:
            read = ".".join(dep.asset_key.path)
            assert dep.column_name in TABLES[read].column_names
            assert read in upstream_of(table)
    if table.layer == "gold":
        assert set(lineage) == set(table.column_names)
    shown = spec(table).metadata["made_from"].value.replace("\\", "") if lineage else ""
    told = dict(line.strip("| ").split(" | ") for line in shown.splitlines()[2:])
    said = {
        name: {f"{'.'.join(dep.asset_key.path)}.{dep.column_name}" for dep in deps} for name, deps in lineage.items()
    }
    assert {name: set(text.split(", ")) for name, text in told.items()} == said, "the UI itself shows no such lineage"


def upstream_of(table: Table) -> set[str]:
    return set(table.reads).union(*(upstream_of(TABLES[read]) for read in table.reads))


@every_table
def test_an_asset_leads_to_the_code_that_builds_it(table: Table) -> None:
    (reference,) = spec(table).metadata["dagster/code_references"].code_references
    path = Path(reference.file_path)
    assert path.is_relative_to(PACKAGE / "tables")
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    starts = {min([f.lineno, *(d.lineno for d in f.decorator_list)]) for f in functions}
    assert reference.line_number in starts


@every_table
def test_an_asset_is_built_in_one_run_for_the_deliveries_of_its_feed(table: Table) -> None:
    found = asset(table)
    assert found.op.pool is None, "a lock in the lake keeps a feed to one writer, and ends with its process"
    assert found.backfill_policy == dg.BackfillPolicy.single_run()
    assert found.partitions_def == (
        dg.DynamicPartitionsDefinition(name=f"{table.feed}_deliveries") if table.feed else None
    )


@every_table
def test_a_table_of_no_feed_alone_follows_what_it_reads_and_no_build_says_that_a_feed_is_fresh(table: Table) -> None:
    said = spec(table)
    assert (said.automation_condition is None) == (table.feed is not None)
    assert said.freshness_policy is None, "a delivery that is built again resets it; the life of the deliveries counts"


@every_table
def test_every_expectation_is_a_check_told_apart_by_delivery_where_rows_are(table: Table) -> None:
    found = {check.name: check for check in asset(table).check_specs}
    expected = {rule.name: rule.on_fail == "fail" for rule in table.expectations}
    if table.layer == "bronze":
        expected |= {"readable": True, "known_columns": False, "delivery_complete": False}
    else:
        expected |= {UNIQUE: not table.per_delivery}
        expected |= {MOSTLY: True} if table.per_delivery else {}
    assert expected.items() <= {name: check.blocking for name, check in found.items()}.items()
    for check in found.values():
        assert check.description
        assert check.partitions_def == (asset(table).partitions_def if table.judged_by_delivery else None)


def test_every_feed_has_a_job_over_its_whole_chain() -> None:
    for feed in SOURCES.feeds:
        job = defs.resolve_job_def(f"{feed}_delivery")
        assert job.asset_layer.selected_asset_keys == {asset_key(name) for name in feed_tables(feed)}
        assert {asset_key(source.bronze) for source in SOURCES.of_feed(feed)} <= job.asset_layer.selected_asset_keys


def test_what_people_decide_about_deliveries_and_upkeep_are_jobs() -> None:
    names = {job.name for job in defs.get_repository_def().get_all_jobs()}
    decisions = {"accept_delivery", "withdraw_delivery", "list_deliveries", "replay_quarantine"}
    assert decisions | {"lake_maintenance"} | {f"{feed}_delivery" for feed in SOURCES.feeds} <= names


def test_sensors_and_the_schedule_run_by_themselves() -> None:
    repository = defs.get_repository_def()
    sensors = {sensor.name: sensor for sensor in repository.sensor_defs}
    others = {"lake_automation", "quality_sensor", "feed_freshness"}
    assert set(sensors) == {f"{feed}_landing_sensor" for feed in SOURCES.feeds} | others
    assert {sensor.default_status for sensor in sensors.values()} == {dg.DefaultSensorStatus.RUNNING}
    for feed in SOURCES.feeds:
        assert sensors[f"{feed}_landing_sensor"].job_name == f"{feed}_delivery"
    schedules = {schedule.name: schedule for schedule in repository.schedule_defs}
    upkeep = schedules.pop("lake_maintenance_weekly")
    assert (upkeep.job_name, upkeep.default_status) == ("lake_maintenance", dg.DefaultScheduleStatus.RUNNING)
    fetched = {f"{source.name}_origin_schedule" for source in SOURCES.sources.values() if source.origin}
    assert set(schedules) == fetched, "one for each origin"
    assert {schedule.default_status for schedule in schedules.values()} == {dg.DefaultScheduleStatus.STOPPED}


def test_loading_imports_nothing_heavy_and_warns_of_nothing_of_ours(tmp_path: Path) -> None:
    code = f"""
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import netflix_dagster.definitions
    netflix_dagster.definitions.defs.get_repository_def()
heavy = [name for name in {HEAVY} if name in sys.modules]
print(json.dumps([heavy, [[str(w.filename), str(w.message)] for w in caught]]))
"""
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    heavy, caught = json.loads(told.stdout)
    assert heavy == []
    assert [text for file, text in caught if Path(file).is_relative_to(PACKAGE)] == []
    assert told.stderr == ""
