"""One run for scattered deliveries: these are built and marked, what is held is not, what lies between is untouched."""

from __future__ import annotations

import dagster as dg

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs import several
from netflix_dagster.defs.checks import asset_key
from netflix_dagster_tests.defs.conftest import FIRST, SECOND, SPLIT
from netflix_dagster_tests.defs.house import PARTITIONS, House, checks, materialized
from netflix_dagster_tests.lakehouse import title

CATALOGUE, TITLES = "bronze.netflix_catalogue", "silver.titles"
CHAIN = [CATALOGUE, TITLES, "silver.title_cast", "silver.releases", "silver.title_history", "gold.dim_title"]


def run(house: House, *days: str) -> dg.ExecuteInProcessResult:
    return house.execute(tags=several.tags(days, house.instance.get_dynamic_partitions(PARTITIONS)), only=CHAIN)


def test_scattered_deliveries_share_a_run_and_no_other_is_marked(built: House) -> None:
    partitions = built.instance.get_dynamic_partitions(PARTITIONS)
    first, between, last = partitions[0], partitions[1], partitions[2]
    before = built.contents()
    result = run(built, last, first)
    assert result.success
    fed = {name for name in CHAIN if TABLES[name].feed}
    marked = materialized(result)
    assert {day for name, day in marked if name in fed} == {first, last}
    assert {name for name, _ in marked} == set(CHAIN)
    assert {day for _, day in checks(result, TITLES)} == {first, last}, f"nothing is said of {between}"
    assert built.contents() == before
    for name in fed:  # as Dagster itself would have logged it
        tags = marked[name, first].tags or {}
        assert tags["dagster/code_version"] == TABLES[name].code_version and "dagster/data_version" in tags
    assert [day for name, day in marked if name == TITLES] == sorted([first, last]), "the newest is the latest"


def test_a_refused_delivery_shares_the_run_and_is_not_marked(built: House) -> None:
    built.release(FIRST, title(1), title(2), title(3), title(5), title(6), title(7))
    built.land("netflix_catalogue", SECOND, "null")
    result = run(built, FIRST, SECOND)
    assert result.success
    assert {day for _, day in materialized(result) if day} == {FIRST}
    verdicts = {day: check.passed for (name, day), check in checks(result, CATALOGUE).items() if name == "readable"}
    assert verdicts == {FIRST: True, SECOND: False}


def test_until_a_table_is_built_its_deliveries_show_as_under_way(built: House) -> None:
    result = run(built, FIRST, SPLIT)
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    planned = [entry.dagster_event for entry in built.instance.all_logs(result.run_id, of_type=kind)]
    days = {event.partition for event in planned if event and event.asset_key == asset_key(TITLES)}
    assert days == {FIRST, SPLIT}
