"""What people decide in the UI: a delivery is taken away, and all deliveries are listed, by jobs."""

from __future__ import annotations

import dagster as dg
import pytest

from netflix_dagster.deliveries.life import Status
from netflix_dagster_tests.defs.conftest import FIRST, SECOND
from netflix_dagster_tests.defs.house import House, Watch
from netflix_dagster_tests.lakehouse import title

CATALOGUE = "netflix_catalogue"


def withdraw(house: House, day: str, because: str = "it was a test") -> dg.ExecuteInProcessResult:
    said = {"source": CATALOGUE, "delivery_date": day, "because": because, "by": "ravik"}
    return house.execute(job="withdraw_delivery", config={"take_away": {"config": said}})


def listed(house: House) -> list[str]:
    """What the job ``list_deliveries`` says in its log."""
    result = house.execute(job="list_deliveries")
    assert result.success
    return [entry.user_message for entry in house.instance.all_logs(result.run_id) if CATALOGUE in entry.user_message]


@pytest.fixture
def watch(house: House) -> Watch:
    """Two releases that are built: the sensor has nothing to request."""
    watch = Watch(house)
    house.release(FIRST, title(1), title(2))
    house.release(SECOND, title(1), title(2), title(3))
    assert house.run(FIRST, SECOND).success
    assert watch.requests() == []
    return watch


def test_a_delivery_that_is_withdrawn_leaves_every_table_and_is_not_taken_up_again(watch: Watch) -> None:
    house = watch.house
    assert withdraw(house, SECOND).success
    assert house.days("silver.titles") == {FIRST, SECOND}, "the next build removes its rows"
    (request,) = watch.requests()
    assert request.partition_key == SECOND
    assert house.request(request).success
    assert house.days(f"bronze.{CATALOGUE}") == house.days("silver.titles") == {FIRST}
    assert {row["title"] for row in house.rows("gold.dim_title")} == {"The Tin Heron 1", "The Tin Heron 2"}
    assert house.delivery(CATALOGUE, SECOND).status is Status.WITHDRAWN
    assert watch.requests() == [], "though its file lies in landing"
    assert not withdraw(house, SECOND).success, "it is withdrawn"

    house.release(SECOND, title(1), title(4))
    (request,) = watch.requests()
    assert house.request(request).success
    assert house.delivery(CATALOGUE, SECOND).status is Status.STANDING
    assert house.days("silver.titles") == {FIRST, SECOND}


def test_who_withdraws_a_delivery_says_why_and_which(house: House) -> None:
    assert not withdraw(house, FIRST).success, "nothing was delivered"
    house.release(FIRST, title(1))
    assert house.run(FIRST, only=[f"bronze.{CATALOGUE}"]).success
    assert not withdraw(house, FIRST, because=" ").success
    assert house.delivery(CATALOGUE, FIRST).status is Status.ACCEPTED


def test_the_deliveries_are_listed_with_what_became_of_them(house: House) -> None:
    house.release(FIRST, title(1))
    house.land(CATALOGUE, SECOND, "null")
    house.run(FIRST, SECOND, only=[f"bronze.{CATALOGUE}"])
    first, second = listed(house)
    assert first == f"{FIRST} {CATALOGUE} accepted"
    assert second.startswith(f"{SECOND} {CATALOGUE} refused: ") and "there is no data" in second
