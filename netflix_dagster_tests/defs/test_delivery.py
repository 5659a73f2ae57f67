"""A delivery becomes a partition of every table of its feed, and Dagster can tell what became of it."""

from __future__ import annotations

import logging
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import AssetObservationData

from netflix_dagster.contracts.contract import TABLES, Table
from netflix_dagster.contracts.graph import feed_tables, touched_tables
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.dashboard import gold_overview
from netflix_dagster.deliveries.life import Status
from netflix_dagster.lake import store
from netflix_dagster_tests.defs.conftest import FIRST, SECOND, SPLIT
from netflix_dagster_tests.defs.house import PARTITIONS, House, checks, materialized
from netflix_dagster_tests.lakehouse import split_files, title

DAY = "2021-05-01"
CATALOGUE = "bronze.netflix_catalogue"
WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


def test_one_delivery_travels_from_landing_to_gold(house: House) -> None:
    undated = title(6, release_year="soon")
    house.release(DAY, title(1), title(2), title(1), undated, title(3, type="Series"))
    result = house.run(DAY)
    assert result.success
    assert all_evaluated(house, result, DAY)

    tables = feed_tables("catalogue")
    events = materialized(result)
    assert set(events) == {(name, DAY if TABLES[name].feed else None) for name in tables}
    for (name, _), event in events.items():
        metadata = {key: value.value for key, value in event.metadata.items()}
        rows = house.rows(name)
        assert metadata["dagster/row_count"] == len(rows)
        made = store.version(house.tables, name) is not None  # with its first rows, in one commit
        assert metadata["delta_version"] == (0 if made else -1)
        assert ("preview" in metadata) == bool(rows)
        if rows:
            assert metadata["preview"].count("\n") == 1 + min(len(rows), 5)

    catalogue, titles, cast, absent = (
        {key: value.value for key, value in events[name, DAY].metadata.items()}
        for name in (CATALOGUE, "silver.titles", "silver.title_cast", "bronze.netflix_cast")
    )
    counted = ("dagster/partition_row_count", "quarantined", "copies_removed")
    assert [catalogue[name] for name in counted] == [5, 0, 0]
    assert [titles[name] for name in counted] == [3, 1, 1]
    assert [cast[name] for name in counted] == [9, 3, 3]
    assert catalogue["seconds_of_delivery"] > 0 and titles["seconds_of_delivery"] > 0, "what the UI plots by partition"
    assert absent["delivered"] is False
    assert "delivered" not in catalogue

    found = checks(result, "silver.titles")
    assert {partition for _, partition in found} == {DAY}
    year, kind = found["release_year_not_null", DAY], found["type_known", DAY]
    assert (year.passed, year.severity, year.metadata["broken"].value) == (False, WARN, 1)
    assert (kind.passed, kind.severity, kind.metadata["broken"].value) == (False, WARN, 1)
    assert found["mostly_kept", DAY].passed
    assert found["mostly_kept", DAY].severity == ERROR
    readable = checks(result, CATALOGUE)["readable", DAY]
    assert (readable.passed, readable.severity, readable.blocking) == (True, ERROR, True)
    assert readable.metadata["rows"].value == 5
    assert {partition for _, partition in checks(result, "gold.dim_title")} == {None}

    (refused,) = house.quarantined("silver.titles", DAY)
    assert refused["rules"] == ["release_year_not_null"]
    assert (refused["source_file"], refused["record_number"]) == ("file.csv", 4)
    assert house.delivery("netflix_catalogue", DAY).status is Status.STANDING


@pytest.mark.parametrize("table", [CATALOGUE, "silver.titles"])
def test_a_date_on_which_nothing_landed_says_so_where_somebody_asks_for_it(house: House, table: str) -> None:
    house.instance.add_dynamic_partitions(PARTITIONS, [DAY])
    result = house.run(DAY, only=[table])
    assert result.success and not materialized(result)
    observed = [event.event_specific_data for event in result.all_events if event.is_asset_observation]
    (said,) = [data.asset_observation for data in observed if isinstance(data, AssetObservationData)]
    assert (said.asset_key, said.partition) == (asset_key(table), DAY)
    assert f"Nothing was built for {DAY}" in str(said.description) and str(house.landing) in str(said.description)
    assert f"netflix-dagster land FILE --source netflix_catalogue --date {DAY}" in str(said.description)
    log = [entry.user_message for entry in house.instance.all_logs(result.run_id) if entry.level == logging.WARNING]
    assert log == [said.description]


def all_evaluated(house: House, result: dg.ExecuteInProcessResult, *days: str) -> bool:
    """Whether the run evaluated every check: on each of its deliveries, or once on a table that is one whole.

    It says nothing of the dates on which a source delivered nothing.
    """

    delivered = house.life.deliveries

    def judged(table: Table) -> list[str | None]:
        if not table.judged_by_delivery:
            return [None]
        absent = table.layer == "bronze"
        return [day for day in days if not absent or (table.short_name, day) in delivered]

    found = [(e.asset_key, e.check_name, e.partition) for e in result.get_asset_check_evaluations()]
    expected = {
        (key.asset_key, key.name, day)
        for key in House.checks_of("catalogue")
        for day in judged(TABLES[".".join(key.asset_key.path)])
    }
    return len(found) == len(expected) and set(found) == expected


def test_a_range_evaluates_every_check_on_each_of_its_deliveries(original: House) -> None:
    assert original.result is not None
    assert all_evaluated(original, original.result, FIRST, SECOND, SPLIT)


def test_a_range_of_a_single_delivery_is_told_like_that_delivery(built: House) -> None:
    result = built.run(FIRST, FIRST, only=[CATALOGUE, "silver.titles"])
    assert result.success
    assert {partition for _, partition in checks(result, "silver.titles")} == {FIRST}
    assert ("silver.titles", FIRST) in materialized(result)


def test_the_events_of_a_range_carry_the_rows_of_each_delivery(built: House) -> None:
    events = materialized(built.run(FIRST, SPLIT, only=[CATALOGUE]))
    rows = {day: event.metadata["dagster/partition_row_count"].value for (_, day), event in events.items()}
    assert rows == {FIRST: 5, SECOND: 5, SPLIT: 0}


def test_the_overview_of_gold_links_dashboard_warehouse_dictionary_and_every_table(built: House) -> None:
    said = gold_overview(lake=built.lake).metadata
    serving, text = built.tables / "serving", str(said["overview"].value)
    assert said["dashboard"].value == (serving / "dashboard" / "index.html").as_uri()
    assert said["warehouse"].value == str(serving / "warehouse.duckdb")
    assert all(
        place in text for place in (str(serving / "dashboard" / "index.html"), str(serving / "warehouse.duckdb"))
    )
    assert "docs/data-dictionary.md" in text and (Path(__file__).parents[2] / "docs/data-dictionary.md").exists()
    counted = {name: len(built.rows(name)) for name in feed_tables("catalogue") if TABLES[name].layer == "gold"}
    for name, rows in counted.items():
        assert f"| [{name}](/assets/gold/{name.split('.')[1]}) | {rows:,} | " in text


def test_building_a_delivery_again_changes_nothing(built: House) -> None:
    before = built.contents()
    history = ("silver.releases", "silver.title_history", "gold.dim_title")
    assert built.run(SECOND, only=[CATALOGUE, "silver.titles", "silver.title_cast", *history]).success
    assert built.contents() == before


SOURCES = ("netflix_titles", "netflix_cast", "netflix_category", "netflix_countries", "netflix_directors")


@pytest.mark.parametrize("order", [SOURCES, SOURCES[::-1]], ids=["titles first", "titles last"])
def test_a_split_delivery_may_arrive_file_by_file(house: House, order: tuple[str, ...]) -> None:
    rows = [title(1), title(2), title(3)]
    files = split_files(rows)
    for source in order:
        house.land(source, DAY, files[source])
        waited = order[: order.index(source) + 1] if order[-1] == "netflix_titles" else [source]
        touched = touched_tables("catalogue", waited)  # what waits is tried again
        result = house.run(DAY, only=[name for name in touched if TABLES[name].layer != "gold"])
        lacking = checks(result, f"bronze.{source}")["delivery_complete", DAY]
        assert lacking.passed == (source == order[-1])
        assert result.success
        lists_wait = "netflix_titles" not in order[: order.index(source) + 1]
        assert (house.delivery(source, DAY).status is Status.HELD) == lists_wait
        assert not (lists_wait and house.rows("silver.title_cast"))
    found = {name: len(house.rows(f"silver.{name}")) for name in ("titles", "title_cast", "title_genres")}
    assert found == {"titles": 3, "title_cast": 9, "title_genres": 6}
    assert house.quarantined("silver.title_cast", DAY) == []
    assert {house.delivery(source, DAY).status for source in SOURCES} == {Status.STANDING}


def test_files_of_both_forms_on_one_date_are_one_release(built: House) -> None:
    def silver() -> dict[str, list[str]]:
        titles = [{name: said for name, said in row.items() if name != "copies"} for row in built.rows("silver.titles")]
        return built.contents("silver") | {"silver.titles": sorted(map(repr, titles))}

    before = silver()
    built.split(SECOND, title(1), title(2, rating="TV-MA"), *map(title, (3, 5, 6)))
    assert built.run(SECOND, only=[name for name in feed_tables("catalogue") if TABLES[name].layer != "gold"]).success
    assert silver() == before
    said = [row["copies"] for row in built.rows("silver.titles") if row["delivery_date"].isoformat() == SECOND]
    assert all(any(said) for said in said), "of each record it is told which one says the same"
