"""The job ``replay_quarantine``: it opens deliveries again, and the sensor takes them up though no file has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster_tests.defs.conftest import FIRST, SECOND
from netflix_dagster_tests.defs.house import House, Watch, checks
from netflix_dagster_tests.lakehouse import title

TITLES = "silver.titles"


def reopen(house: House, **chosen: str) -> Any:
    return house.execute(job="replay_quarantine", config={"reopen_deliveries": {"config": chosen}})


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watch:
    """Two releases with a title each that has no year, built; nothing is left to request.

    Not to be touched: ask for ``watch``.
    """
    watch = Watch(house := House(tmp_path_factory.mktemp("watched")))
    for day in (FIRST, SECOND):
        house.release(day, *map(title, (1, 2, 3)), title(9, release_year="soon"))
    assert house.run(FIRST, SECOND).success
    assert not watch.requests() and not watch.requests()
    return watch


@pytest.fixture
def watch(watched: Watch, tmp_path: Path) -> Watch:
    return Watch(watched.house.copy(tmp_path), cursor=watched.cursor)


def test_a_mended_rule_lets_the_rows_of_the_chosen_delivery_pass(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    house = watch.house
    assert [len(house.quarantined(TITLES, day)) for day in (FIRST, SECOND)] == [1, 1]
    table = TABLES[TITLES]
    mended = (replace(r, condition="true") if r.name == "release_year_not_null" else r for r in table.expectations)
    monkeypatch.setitem(TABLES, TITLES, replace(table, expectations=tuple(mended)))
    assert reopen(house, table=TITLES, delivery_date=FIRST).success
    (request,) = watch.requests()
    assert request.partition_key == FIRST
    result = house.request(request)
    assert checks(result, TITLES)["rows_conserved", FIRST].passed
    assert [len(house.quarantined(TITLES, day)) for day in (FIRST, SECOND)] == [0, 1]
    assert len([row for row in house.rows(TITLES) if row["delivery_date"].isoformat() == FIRST]) == 4
    assert not watch.requests()


def test_a_replay_that_changes_nothing_ends_in_the_same_tables(watch: Watch) -> None:
    house = watch.house
    before = house.contents(), [house.quarantined(TITLES, day) for day in (FIRST, SECOND)]
    assert reopen(house).success
    for request in watch.requests():
        assert house.request(request).success
    assert (house.contents(), [house.quarantined(TITLES, day) for day in (FIRST, SECOND)]) == before


def test_what_does_not_match_opens_nothing_and_what_cannot_match_fails(watch: Watch) -> None:
    assert reopen(watch.house, rule="no_such_rule").success
    assert not watch.requests()
    assert not reopen(watch.house, table="silver.title").success
    assert not reopen(watch.house, delivery_date="yesterday").success
