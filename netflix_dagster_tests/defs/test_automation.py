"""A table that belongs to no feed alone follows what it reads, and no bad delivery keeps it waiting."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.lakehouse import title

TITLES = ("bronze.netflix_catalogue", "bronze.netflix_titles", "silver.titles", "silver.releases")
FOLLOWERS = [name for name, table in TABLES.items() if table.feed is None and {*table.reads} & {*TITLES}]
DAY, NEXT, LAST = "2021-05-01", "2021-06-01", "2021-07-01"
STARTED = dg.DagsterRunStatus.STARTED
SENSOR = next(sensor for sensor in defs.sensors or () if sensor.name == "lake_automation")


class Daemon:
    """The automation sensor, tick by tick."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cursor = None

    def tick(self) -> list[str]:
        """The tables that this tick requests."""
        found = dg.evaluate_automation_conditions(
            defs=defs, instance=self.house.instance, cursor=self.cursor, asset_selection=SENSOR.asset_selection
        )
        self.cursor = found.cursor
        return [name for name in TABLES if found.get_num_requested(asset_key(name))]

    def build(self, day: str, *, tables: Sequence[str] = TITLES) -> bool:
        return self.house.run(day, only=tables).success


@pytest.fixture
def daemon(house: House) -> Daemon:
    """A first delivery is built, what follows it too, and the daemon has seen it."""
    made = Daemon(house)
    house.release(DAY, title(1), title(2))
    assert made.tick() == []
    assert made.build(DAY, tables=[*TITLES, *FOLLOWERS])
    assert made.tick() == []
    return made


def test_a_change_of_silver_requests_it_once(daemon: Daemon) -> None:
    daemon.house.release(NEXT, title(1), title(3, date_added="May 5, 2016"))
    assert daemon.tick() == []
    assert daemon.build(NEXT)
    assert daemon.tick() == FOLLOWERS
    assert daemon.tick() == []
    before = daemon.house.rows("gold.dim_date")
    assert daemon.house.execute(only=FOLLOWERS).success
    assert len(daemon.house.rows("gold.dim_date")) > len(before)
    assert daemon.tick() == []


def test_the_whole_chain_of_a_delivery_leaves_nothing_to_request(daemon: Daemon) -> None:
    daemon.house.release(NEXT, title(1))
    daemon.house.release(LAST, title(1))
    assert daemon.build(NEXT, tables=[*TITLES, *FOLLOWERS])
    assert daemon.tick() == []
    assert daemon.house.run(NEXT, LAST, only=[*TITLES, *FOLLOWERS]).success
    assert daemon.tick() == []


def test_a_delivery_that_is_held_requests_nothing(daemon: Daemon) -> None:
    daemon.house.release(NEXT, *(title(n, release_year="soon") for n in (1, 2, 3)), title(4))
    assert daemon.build(NEXT)
    assert daemon.tick() == []


@pytest.mark.parametrize("bad", ["<html>", "held"])
def test_a_bad_delivery_does_not_keep_the_good_ones_waiting(daemon: Daemon, bad: str) -> None:
    if bad == "held":
        daemon.house.release(NEXT, title(1, release_year="soon"))
    else:
        daemon.house.land("netflix_catalogue", NEXT, bad)
    assert daemon.build(NEXT)
    daemon.house.release(LAST, title(1))
    assert daemon.build(LAST)
    assert daemon.tick() == FOLLOWERS


def test_a_bad_delivery_within_a_range_does_not_keep_the_good_ones_waiting(daemon: Daemon) -> None:
    daemon.house.release(NEXT, title(1, release_year="soon"))
    daemon.house.release(LAST, title(1))
    assert daemon.house.run(NEXT, LAST, only=TITLES).success
    assert daemon.tick() == FOLLOWERS


def test_the_warehouse_follows_gold_and_takes_only_what_has_changed(house: House) -> None:
    key, cursor = asset_key("serving.warehouse"), None

    def requested() -> int:
        nonlocal cursor
        found = dg.evaluate_automation_conditions(
            defs=defs, instance=house.instance, cursor=cursor, asset_selection=SENSOR.asset_selection
        )
        cursor = found.cursor
        return found.get_num_requested(key)

    def made() -> dict[str, object]:
        result = house.execute(job="refresh_serving")
        assert result.success
        (event,) = result.asset_materializations_for_node("serving__warehouse")
        return {name: said.value for name, said in event.metadata.items()}

    house.release(DAY, title(1), title(2))
    requested()  # the daemon has looked before anything is there
    assert house.run(DAY).success
    assert requested() == 1
    assert "gold.dim_genre" in str(made()["written"]) and requested() == 0
    assert made()["written"] == "nothing" and requested() == 0
    assert house.execute(partition_key=DAY, only=["gold.dim_genre"]).success
    assert requested() == 1
    written = str(made()["written"]).split(", ")
    assert "gold.dim_genre" in written and "gold.dim_person" not in written and requested() == 0


@pytest.mark.parametrize("bad", ["refused", "held"])
def test_the_dashboard_tells_of_a_delivery_that_changes_no_gold(house: House, bad: str) -> None:
    sensor = next(sensor for sensor in defs.sensors or () if sensor.name == "quality_sensor")
    refresh, cursor = defs.resolve_job_def("refresh_serving"), None

    def requested() -> list[dg.RunRequest]:
        nonlocal cursor
        with dg.build_sensor_context(instance=house.instance, cursor=cursor, resources={"lake": house.lake}) as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        cursor = found.cursor
        return list(found.run_requests or ())

    def shown() -> str:
        pages = house.tables / "serving" / "dashboard"
        return "".join(path.read_text() for path in pages.glob("data-*/quality.js"))

    assert requested() == []  # there is no lake yet
    house.release(DAY, title(1), title(2))
    assert house.run(DAY).success and house.execute(job="refresh_serving").success
    assert [requested() for _ in range(3)] == [[]] * 3
    if bad == "held":
        house.release(NEXT, *(title(n, release_year="soon") for n in (1, 2, 3)), title(4))
    else:
        house.land("netflix_catalogue", NEXT, "<html>")
    assert house.run(NEXT).success
    assert NEXT not in shown()
    assert requested() == []  # gold may have changed: what follows it has a tick to do so
    with_a_run = house.instance.create_run_for_job(defs.resolve_job_def("list_deliveries"), status=STARTED)
    assert requested() == [] and requested() == []
    house.instance.delete_run(with_a_run.run_id)
    assert requested() == []
    (request,) = requested()
    asked = refresh.get_subset(asset_selection=frozenset(request.asset_selection or ()))
    assert {key.to_user_string() for key in asked.asset_layer.selected_asset_keys} >= {
        "serving/dashboard",
        "serving/warehouse",
    }
    assert house.execute(job="refresh_serving").success
    assert NEXT in shown()
    assert [requested() for _ in range(3)] == [[]] * 3
