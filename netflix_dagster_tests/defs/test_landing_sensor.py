"""What arrives in the landing folder becomes partitions and runs, once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorEvaluationContext

from netflix_dagster.contracts.contract import downstream_of
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.jobs import feed_tables
from netflix_dagster.defs.sensors import MOST_PER_TICK, ONE_BY_ONE, RANGE_END, RANGE_START, Cursor
from netflix_dagster.deliveries import ledger
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.defs.house import PARTITIONS, House, as_csv, materialized, split_files, title

DAYS = [f"2021-0{month}-01" for month in range(1, 8)]
RELEASE = as_csv([title(1), title(2)])
SENSOR = next(sensor for sensor in defs.sensors or () if sensor.name == "catalogue_landing_sensor")


class Watch:
    """The sensor as the daemon runs it: partitions are added and the cursor is kept from tick to tick."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        with dg.build_sensor_context(
            instance=self.house.instance, cursor=self.cursor, resources={"lake": self.house.lake}
        ) as context:
            found = SENSOR(context)
        if isinstance(found, dg.SkipReason):
            return dg.SensorResult(skip_reason=found)
        assert isinstance(found, dg.SensorResult)
        for request in found.dynamic_partitions_requests or ():
            self.house.instance.add_dynamic_partitions(PARTITIONS, list(request.partition_keys))
        self.cursor = found.cursor
        return found

    def requests(self) -> list[dg.RunRequest]:
        return list(self.tick().run_requests or ())

    def land(self, source: str, day: str, content: str = RELEASE, name: str = "file.csv") -> Path:
        """Put a file into a delivery; the partition is the sensor's business."""
        path = self.house.landing / source / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def note_accepted(self) -> None:
        """Write into the ledger that all that has landed was accepted, as the runs would."""
        found = list_landing(self.house.landing, load_sources()).deliveries
        entry = ledger.Entry("catalogue", "", "", "", "accepted", None, 1, 1, 1, "some run")
        places = [{"source": d.source, "delivery_date": d.date, "fingerprint": d.fingerprint} for d in found]
        ledger.record(self.house.tables, [ledger.replace(entry, **place) for place in places])


@pytest.fixture
def watch(house: House) -> Watch:
    return Watch(house)


def test_a_missing_landing_folder_is_an_empty_one(watch: Watch) -> None:
    found = watch.tick()
    assert not found.run_requests
    assert found.skip_reason is not None


def test_a_few_new_deliveries_get_a_partition_and_a_run_each(watch: Watch) -> None:
    for day in DAYS[:ONE_BY_ONE]:
        watch.land("netflix_catalogue", day)
    requests = watch.requests()
    assert [request.partition_key for request in requests] == DAYS[:ONE_BY_ONE]
    assert len({request.run_key for request in requests}) == ONE_BY_ONE
    assert watch.house.instance.get_dynamic_partitions(PARTITIONS) == DAYS[:ONE_BY_ONE]
    chain = set(downstream_of(["bronze.netflix_catalogue"])) & set(feed_tables("catalogue"))
    for request in requests:
        assert set(request.asset_selection or ()) == {asset_key(name) for name in chain}
        assert request.tags["delivery"] == request.partition_key


def test_many_new_deliveries_share_one_run(watch: Watch) -> None:
    watch.land("netflix_cast", DAYS[0], split_files([title(1)])["netflix_cast"])
    for day in reversed(DAYS[1:]):
        watch.land("netflix_catalogue", day)
    (request,) = watch.requests()
    assert request.partition_key is None
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (DAYS[0], DAYS[-1])
    assert {asset_key("bronze.netflix_catalogue"), asset_key("bronze.netflix_cast")} <= set(request.asset_selection)
    assert asset_key("bronze.netflix_titles") not in set(request.asset_selection)
    assert watch.house.instance.get_dynamic_partitions(PARTITIONS) == DAYS


def test_older_deliveries_that_come_late_are_a_range_of_their_own(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[3])
    watch.requests()
    watch.note_accepted()
    late = [*DAYS[:3], *DAYS[4:]]
    for day in late:
        watch.land("netflix_catalogue", day)
    (request,) = watch.requests()
    result = watch.house.execute(tags=request.tags, only=["bronze.netflix_catalogue"])
    assert {day for _, day in materialized(result)} == set(late)


def test_what_was_requested_is_not_requested_again_before_its_run_is_through(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0])
    assert len(watch.requests()) == 1
    skipped = watch.tick()
    assert not skipped.run_requests
    assert skipped.skip_reason is not None
    watch.land("netflix_catalogue", DAYS[1])
    assert [request.partition_key for request in watch.requests()] == [DAYS[1]]


def test_nothing_new_is_a_skip_that_says_so(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0])
    watch.requests()
    watch.note_accepted()
    watch.tick()
    skipped = watch.tick()
    assert skipped.skip_reason is not None
    assert skipped.skip_reason.skip_message.startswith("nothing new among 1 deliveries")


def test_a_changed_file_is_requested_again_under_another_key(watch: Watch) -> None:
    path = watch.land("netflix_catalogue", DAYS[0])
    (first,) = watch.requests()
    watch.note_accepted()
    path.write_text(RELEASE + RELEASE.splitlines()[1].replace("s1", "s3") + "\r\n")
    (second,) = watch.requests()
    assert second.partition_key == first.partition_key
    assert second.run_key != first.run_key


def test_a_file_replaced_by_one_of_equal_size_and_time_is_seen(watch: Watch, tmp_path: Path) -> None:
    path = watch.land("netflix_catalogue", DAYS[0])
    watch.requests()
    watch.note_accepted()
    times = path.stat()
    other = tmp_path / "other.csv"
    other.write_text(RELEASE.replace("PG", "NC"))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert len(watch.requests()) == 1


def test_a_file_that_joins_a_split_delivery_requests_the_chain_of_its_source(watch: Watch) -> None:
    files = split_files([title(1)])
    watch.land("netflix_titles", DAYS[0], files["netflix_titles"])
    watch.requests()
    watch.note_accepted()
    watch.land("netflix_directors", DAYS[0], files["netflix_directors"])
    (request,) = watch.requests()
    selected = {".".join(key.path) for key in request.asset_selection or ()}
    assert request.partition_key == DAYS[0]
    assert {"bronze.netflix_directors", "silver.title_directors", "gold.dim_person"} <= selected
    assert not selected & {"bronze.netflix_titles", "silver.titles", "silver.title_cast", "gold.dim_genre"}


def test_a_removed_delivery_requests_nothing(watch: Watch) -> None:
    path = watch.land("netflix_catalogue", DAYS[0])
    watch.land("netflix_catalogue", DAYS[1])
    watch.requests()
    watch.note_accepted()
    shutil.rmtree(path.parent)
    assert watch.requests() == []


def test_a_refused_delivery_waits_for_a_better_file(watch: Watch) -> None:
    path = watch.land("netflix_catalogue", DAYS[0], "<html>")
    (request,) = watch.requests()
    assert not watch.house.request(request).success
    assert watch.requests() == []
    path.write_text(RELEASE)
    (request,) = watch.requests()
    assert request.partition_key == DAYS[0]


def test_the_cursor_stays_small_with_two_thousand_deliveries(watch: Watch) -> None:
    days = [
        f"20{year:02}-{month:02}-{day:02}" for year in range(10, 20) for month in range(1, 13) for day in range(1, 18)
    ]
    for day in days[:2000]:
        watch.land("netflix_catalogue", day)
    ranges = []
    for _ in range(4):
        (request,) = watch.requests()
        ranges.append((request.tags[RANGE_START], request.tags[RANGE_END]))
        assert len(watch.cursor or "") < 25 * MOST_PER_TICK * len(ranges)
    assert ranges[0][0] == days[0]
    assert ranges[-1][1] == days[1999]
    assert watch.requests() == []
    watch.note_accepted()
    assert watch.requests() == []
    assert len(watch.cursor or "") < 100
    assert Cursor.load(watch.cursor).requested == ()


def test_requests_run_and_leave_nothing_to_request(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0])
    (request,) = watch.requests()
    assert watch.house.request(request).success
    for day in DAYS[1:]:
        watch.land("netflix_catalogue", day)
    (request,) = watch.requests()
    assert watch.house.request(request).success
    assert watch.requests() == []
    assert {row["delivery_date"].isoformat() for row in watch.house.rows("silver.titles")} == set(DAYS)
    assert {row["release_date"].isoformat() for row in watch.house.rows("gold.fact_catalogue_change")} == {DAYS[0]}


def test_the_daemon_can_resolve_what_the_sensor_requests(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    watch = Watch(House(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path / "dagster"))))
    watch.land("netflix_catalogue", DAYS[0])
    with SensorEvaluationContext(
        instance_ref=watch.house.instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        log_key=None,
        repository_name=None,
        repository_def=defs.get_repository_def(),
        resources={"lake": watch.house.lake},
    ) as context:
        (request,) = SENSOR.evaluate_tick(context).run_requests or ()
    assert request.tags["dagster/partition"] == DAYS[0]
    assert request.tags["dagster/sensor_name"] == SENSOR.name
