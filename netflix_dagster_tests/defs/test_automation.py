"""A table that belongs to no feed alone follows what it reads, and no bad delivery keeps it waiting."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import pytest

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster_tests.defs.house import House
from netflix_dagster_tests.lakehouse import as_csv, title

TITLES = ("bronze.netflix_catalogue", "bronze.netflix_titles", "silver.titles", "silver.releases")
FOLLOWERS = [name for name, table in TABLES.items() if table.feed is None and {*table.reads} & {*TITLES}]
DAY, NEXT, LAST = "2021-05-01", "2021-06-01", "2021-07-01"
SERVED = [*TITLES[:1], "silver.titles", "silver.title_cast", "silver.title_genres", "silver.releases"]
SERVED += ["silver.spellings", "gold.dim_person", "gold.dim_genre"]
"""Two tables of gold, and what they are built from."""
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


def test_a_change_of_silver_requests_it_once_and_no_bad_delivery_keeps_it_waiting(daemon: Daemon) -> None:
    """One lake from delivery to delivery; of two dates the earlier is bad."""
    house = daemon.house
    mangled = title(1, release_year="soon")
    house.release(NEXT, title(1), title(3, date_added="May 5, 2016"))
    assert daemon.tick() == []
    assert daemon.build(NEXT)
    assert daemon.tick() == FOLLOWERS
    assert daemon.tick() == []
    before = house.rows("gold.dim_date")
    assert house.execute(only=FOLLOWERS).success
    assert len(house.rows("gold.dim_date")) > len(before)
    assert daemon.tick() == []

    house.release(LAST, *(title(n, release_year="soon") for n in (1, 2, 3)), title(4))
    assert daemon.build(LAST)
    assert daemon.tick() == [], "what is held requests nothing"

    for bad, good, content in (("2021-08-01", "2021-09-01", "<html>"), ("2021-08-02", "2021-09-02", as_csv([mangled]))):
        house.land("netflix_catalogue", bad, content)
        assert daemon.build(bad)
        house.release(good, title(1))
        assert daemon.build(good)
        assert daemon.tick() == FOLLOWERS, content
        assert daemon.tick() == [], content

    house.release("2021-10-01", mangled)
    house.release("2021-11-01", title(1))
    assert house.run("2021-10-01", "2021-11-01", only=TITLES).success
    assert daemon.tick() == FOLLOWERS, "a bad delivery of a range"


def test_the_whole_chain_of_a_delivery_leaves_nothing_to_request(daemon: Daemon) -> None:
    daemon.house.release(NEXT, title(1))
    daemon.house.release(LAST, title(1))
    assert daemon.build(NEXT, tables=[*TITLES, *FOLLOWERS])
    assert daemon.tick() == []
    assert daemon.house.run(NEXT, LAST, only=[*TITLES, *FOLLOWERS]).success
    assert daemon.tick() == []


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
    assert house.run(DAY, only=SERVED).success
    assert requested() == 1
    assert "gold.dim_genre" in str(made()["written"]) and requested() == 0
    assert made()["written"] == "nothing" and requested() == 0
    assert house.execute(partition_key=DAY, only=["gold.dim_genre"]).success
    assert requested() == 1
    written = str(made()["written"]).split(", ")
    assert "gold.dim_genre" in written and "gold.dim_person" not in written and requested() == 0


def test_the_dashboard_tells_of_a_delivery_that_changes_no_gold(house: House) -> None:
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
    assert house.run(DAY, only=SERVED).success and house.execute(job="refresh_serving").success
    assert [requested() for _ in range(3)] == [[]] * 3

    def is_told(day: str) -> None:
        """A delivery has landed that is none: what is made of its run."""
        assert house.run(day, only=SERVED).success
        assert day not in shown()
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
        assert day in shown()
        assert [requested() for _ in range(3)] == [[]] * 3

    house.land("netflix_catalogue", NEXT, "<html>")
    is_told(NEXT)
    house.release(LAST, *(title(n, release_year="soon") for n in (1, 2, 3)), title(4))
    is_told(LAST)
