"""What arrives in ADLS becomes runs, once: found by listing, told by events, or both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorEvaluationContext
from dagster._core.test_utils import create_run_for_test

from netflix_dagster.build import door
from netflix_dagster.definitions import defs, feeds, jobs
from netflix_dagster.defs import landing_events
from netflix_dagster.defs.landing_events import landing_events_sensor
from netflix_dagster.defs.partitions import feed_partitions
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.sensors import landing_sensor
from netflix_dagster.deliveries import decisions
from netflix_dagster.landing import events, watermark
from netflix_dagster.landing.deliveries import LandedFile, delivery_at
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder, write
from netflix_dagster_tests.defs.house import House, Watch
from netflix_dagster_tests.emulators.account import LANDING, empty, in_use, requests_counted, storage_account
from netflix_dagster_tests.emulators.azurite import Azurite
from netflix_dagster_tests.emulators.eventgrid import Queue, cloud_event, event
from netflix_dagster_tests.lakehouse import as_csv, split_files, title

SOURCES = load_sources()
CATALOGUE = SOURCES.sources["netflix_catalogue"]
DAYS = [f"2021-0{month}-01" for month in range(1, 8)]
RELEASE = as_csv([title(1), title(2)])
LISTING = landing_sensor(feeds["catalogue"])
EVENTS = landing_events_sensor(feeds, jobs)


class CloudHouse(House):
    """A house whose deliveries land in ADLS. Its lake is on this machine: that makes no difference here."""

    @property
    def landing(self) -> AzureFolder:  # type: ignore[override]
        return LANDING


@pytest.fixture(scope="module")
def account() -> Iterator[Azurite]:
    with storage_account() as running:
        yield running


@pytest.fixture
def house(account: Azurite, tmp_path: Path) -> Iterator[CloudHouse]:
    empty(account, "arrivals", "arrivals-poison")
    made = CloudHouse(tmp_path)
    with in_use({"NETFLIX_LANDING": str(LANDING), "NETFLIX_LANDING_EVENTS": "arrivals"}):
        yield made
    made.instance.dispose()


@pytest.fixture
def queue(account: Azurite, house: CloudHouse) -> Queue:
    return Queue(account, "arrivals")


@pytest.fixture
def listing(house: CloudHouse) -> Watch:
    return Watch(house, LISTING)


@pytest.fixture
def told(house: CloudHouse) -> Watch:
    """The sensor of event mode, after its first look at everything."""
    watch = Watch(house, EVENTS)
    watch.tick()
    return watch


def put(day: str, content: str = RELEASE, source: str = "netflix_catalogue", name: str = "x.csv") -> str:
    """Upload a file, and return its path."""
    write(LANDING / source / day / name, content.encode())
    return f"{source}/{day}/{name}"


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """Why steps of a run failed."""
    steps = [said for said in result.all_events if said.is_step_failure]
    return [f"{said.step_key}: {said.step_failure_data.error_display_string}" for said in steps]


# Listing


def test_what_has_landed_is_listed_and_requested_once(listing: Watch) -> None:
    for day in DAYS[:2]:
        put(day)
    assert listing.dates() == DAYS[:2]
    assert listing.dates() == []
    put(DAYS[2])
    assert listing.dates() == [DAYS[2]]
    listing.note_built()
    assert listing.dates() == []
    put(DAYS[2], RELEASE.replace("PG", "NC"))
    assert listing.dates() == [DAYS[2]]


def test_what_lands_under_an_old_date_is_found_when_everything_is_looked_at(
    listing: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(DAYS[6])
    assert listing.dates() == [DAYS[6]]
    listing.note_built()
    assert listing.dates() == []
    put(DAYS[0])
    assert listing.dates() == []
    monkeypatch.setattr(watermark, "EVERYTHING_EVERY", 0)
    assert listing.dates() == [DAYS[0]]


def test_a_delivery_that_is_opened_again_is_requested_at_once_however_old(listing: Watch) -> None:
    put(DAYS[0])
    put(DAYS[6])
    listing.tick()
    listing.note_built()
    assert listing.dates() == []
    decisions.reopen(listing.house.tables, [listing.house.delivery("netflix_catalogue", DAYS[0])])
    assert listing.dates() == [DAYS[0]]


def test_a_tick_without_news_lists_each_source_once_and_nothing_old(account: Azurite, listing: Watch) -> None:
    for day in DAYS:
        put(day)
    listing.tick()
    listing.note_built()
    listing.tick()
    cursor = listing.cursor
    with requests_counted(account) as counter:
        skipped = listing.tick()
        requests = counter.take()
    assert skipped.skip_reason is not None
    assert skipped.skip_reason.skip_message == f"nothing new from 2021-05-31 on in {LANDING}"
    assert len(requests) == len(SOURCES.of_feed("catalogue"))
    assert all("startFrom" in request and "2021-05-31" in request for request in requests)
    assert (listing.cursor, len(cursor or "") < 300) == (cursor, True)


def test_the_cap_of_a_tick_leaves_the_rest_to_the_next(listing: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    from netflix_dagster.defs import sensors

    monkeypatch.setattr(sensors, "MOST_PER_TICK", 3)
    for day in DAYS:
        put(day)
    assert listing.dates() + listing.dates() + listing.dates() == DAYS
    assert listing.dates() == []


# Events


def test_the_first_look_is_at_everything(house: CloudHouse) -> None:
    put(DAYS[0])
    watch = Watch(house, EVENTS)
    assert watch.dates() == [DAYS[0]]
    assert watch.dates() == []


def test_an_event_requests_the_delivery_that_it_names(told: Watch, queue: Queue) -> None:
    assert told.dates() == []
    queue.send(event(put(DAYS[1])), cloud_event(put(DAYS[0])))
    queue.send(event(put("2021-01-06", "week\n", "top10_global", "x.tsv")))
    requests = {request.job_name: request for request in told.requests()}
    assert set(requests) == {"catalogue_delivery", "charts_delivery"}
    assert requests["charts_delivery"].partition_key == "2021-01-06"
    partitions = {feed: told.house.instance.get_dynamic_partitions(feed_partitions(feed).name or "") for feed in feeds}
    assert partitions == {"catalogue": DAYS[:2], "charts": ["2021-01-06"], "engagement": [], "viewing": []}
    assert told.dates() == []


def test_events_that_come_twice_late_or_in_any_order_request_once(told: Watch, queue: Queue) -> None:
    paths = [put(day) for day in DAYS[:3]]
    queue.send(*(event(path) for path in (*reversed(paths), *paths)))
    assert told.dates() == DAYS[:3]
    queue.send(*(event(path) for path in paths))
    assert told.dates() == []
    told.note_built()
    queue.send(*(cloud_event(path) for path in paths))
    assert told.dates() == []
    told.tick()
    assert len(queue) == 0


def test_a_message_is_deleted_by_the_tick_after_the_one_that_took_it(told: Watch, queue: Queue) -> None:
    queue.send(event(put(DAYS[0])))
    assert told.dates() == [DAYS[0]]
    assert len(queue) == 1
    assert told.dates() == []
    assert len(queue) == 0
    assert json.loads(told.cursor or "")["taken"] == []


def test_a_crash_before_the_cursor_is_kept_loses_nothing(
    told: Watch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HIDDEN_FOR", 1)
    queue.send(event(put(DAYS[0])))
    (lost,) = told.evaluate().run_requests or ()
    while not (requests := told.requests()):
        pass
    assert [request.run_key for request in requests] == [lost.run_key]
    while len(queue):
        assert told.requests() == []


def test_messages_that_come_again_after_the_request_do_nothing(
    told: Watch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HIDDEN_FOR", 1)
    monkeypatch.setattr(events.Events, "delete", lambda self, messages: None)
    queue.send(event(put(DAYS[0])))
    assert told.dates() == [DAYS[0]]
    again = 0
    while not again:
        assert told.dates() == []
        again = len(json.loads(told.cursor or "")["taken"])


def test_a_run_that_ends_before_it_begins_is_asked_for_again(told: Watch, queue: Queue) -> None:
    queue.send(event(put(DAYS[0])))
    (request,) = told.requests()
    assert told.requests() == []
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    create_run_for_test(told.house.instance, request.job_name, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    assert told.requests() == []
    (again,) = told.requests()
    assert (again.partition_key, again.run_key) == (DAYS[0], f"{request.run_key}/1")
    assert told.requests() == []


def test_poison_goes_to_the_dead_letter_queue_and_stops_nothing(account: Azurite, told: Watch, queue: Queue) -> None:
    queue.send_text("not base64!")
    queue.send(event(f"netflix_trailers/{DAYS[0]}/x.csv"), event(put(DAYS[0])), event(f"bronze/{DAYS[0]}"))
    assert told.dates() == [DAYS[0]]
    reasons = sorted(letter["reason"].split(":")[0] for letter in Queue(account, "arrivals-poison").letters())
    assert reasons == [f"bronze/{DAYS[0]}", f"netflix_trailers/{DAYS[0]}/x.csv", "not base64"]
    told.tick()
    assert len(queue) == 0


def test_a_missed_event_is_found_by_the_occasional_look(told: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    put(DAYS[0])
    assert told.dates() == []
    monkeypatch.setattr(landing_events, "EVERYTHING_EVERY", 0)
    assert told.dates() == [DAYS[0]]
    assert told.dates() == []
    told.note_built()
    assert told.dates() == []
    assert json.loads(told.cursor or "")["requested"] == {"keys": {}, "tries": {}}


def test_the_same_file_by_event_and_by_look_is_ingested_once(
    told: Watch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(DAYS[0])
    queue.send(event(path))
    (by_event,) = told.requests()
    monkeypatch.setattr(landing_events, "EVERYTHING_EVERY", 0)
    assert told.requests() == []
    (by_listing,) = Watch(told.house, LISTING).requests()
    assert by_listing.run_key == by_event.run_key
    assert failures(told.house.request(by_event)) == []
    assert told.requests() == []
    queue.send(event(path))
    assert told.requests() == []
    assert Watch(told.house, LISTING).requests() == []
    said = [row["status"] for row in told.house.rows("quality.deliveries")]
    assert (said.count("accepted"), said.count("standing"), said.count("begun"), said.count("ended")) == (1, 1, 1, 1)


def test_a_file_without_bytes_waits_for_the_event_of_its_end(told: Watch, queue: Queue) -> None:
    path = put(DAYS[0], "")
    queue.send(event(path, api="CreateFile"), event(path, api="PutBlob"))
    assert told.dates() == []
    queue.send(event(put(DAYS[0]), api="FlushWithClose"))
    assert told.dates() == [DAYS[0]]


def test_a_removed_delivery_requests_nothing_and_a_removed_file_what_is_left(told: Watch, queue: Queue) -> None:
    from netflix_dagster.storage import remove

    paths = [put(DAYS[0]), put(DAYS[1], name="a.csv"), put(DAYS[1], name="b.csv")]
    told.house.instance.add_dynamic_partitions(feed_partitions("catalogue").name or "", DAYS)
    told.note_built()
    remove(LANDING / "netflix_catalogue" / DAYS[0])
    remove(LANDING / "netflix_catalogue" / DAYS[1])
    put(DAYS[1], name="a.csv")
    queue.send(event(paths[0], "BlobDeleted", "DeleteBlob"), event(paths[2], "BlobDeleted", "DeleteFile"))
    assert told.dates() == [DAYS[1]]


def test_a_file_that_joins_a_split_delivery_is_another_piece_of_work(told: Watch, queue: Queue) -> None:
    files = split_files([title(1)])
    queue.send(event(put(DAYS[0], files["netflix_titles"], "netflix_titles")))
    (first,) = told.requests()
    told.note_built()
    queue.send(event(put(DAYS[0], files["netflix_cast"], "netflix_cast")))
    (second,) = told.requests()
    assert (second.partition_key, second.tags["sources"]) == (DAYS[0], "netflix_cast")
    assert second.run_key != first.run_key


def test_a_delivery_that_is_opened_again_needs_no_event(told: Watch) -> None:
    put(DAYS[0])
    told.note_built()
    assert told.dates() == []
    decisions.reopen(told.house.tables, [told.house.delivery("netflix_catalogue", DAYS[0])])
    assert told.dates() == [DAYS[0]]
    assert told.dates() == []


def test_more_than_a_tick_takes_is_taken_by_the_next_ones(
    told: Watch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing_events, "MOST_MESSAGES", 4)
    monkeypatch.setattr(landing_events, "MOST_PER_TICK", 3)
    queue.send(*(event(put(day)) for day in DAYS))
    found = [told.dates() for _ in range(4)]
    assert sorted(day for days in found for day in days) == DAYS
    assert max(map(len, found)) == 3
    assert told.dates() == []
    assert len(queue) == 0


@pytest.mark.parametrize("old", [3, 60])
def test_what_an_event_costs_does_not_depend_on_what_lies_there(
    account: Azurite, house: CloudHouse, queue: Queue, old: int
) -> None:
    for number in range(old):
        put(f"20{number % 20:02}-{number // 20 + 1:02}-01")
    watch = Watch(house, EVENTS)
    watch.note_built()
    watch.tick()
    with requests_counted(account) as counter:
        assert watch.dates() == []
        quiet = counter.take()
        queue.send(event(put("2025-01-01")))
        counter.take()
        assert watch.dates() == ["2025-01-01"]
        asked = counter.take()
    assert quiet == []
    assert len(asked) == len(SOURCES.of_feed("catalogue"))
    assert all("prefix=" in request and "2025-01-01" in request for request in asked)


def test_from_upload_to_fresh_gold(told: Watch, queue: Queue) -> None:
    queue.send(event(put(DAYS[0])))
    (request,) = told.requests()
    assert failures(told.house.request(request)) == []
    assert {row["title"] for row in told.house.rows("gold.dim_title")} == {"The Tin Heron 1", "The Tin Heron 2"}
    delivery = delivery_at(LANDING, CATALOGUE, DAYS[0])
    assert delivery is not None
    standing = told.house.delivery("netflix_catalogue", DAYS[0]).standing
    assert standing is not None and standing.mark == delivery.fingerprint


def test_a_file_replaced_while_it_is_read_is_not_mixed_with_the_new_one(
    told: Watch, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_it_is = door.content_hash

    def replaced_after(file: LandedFile) -> str:
        content = as_it_is(file)
        queue.send(event(put(DAYS[0], as_csv([title(3)]))))
        return content

    queue.send(event(put(DAYS[0])))
    (request,) = told.requests()
    with monkeypatch.context() as patched:
        patched.setattr(door, "content_hash", replaced_after)
        result = told.house.request(request)
    assert "was replaced while it was being read" in failures(result)[0]
    assert told.house.rows("bronze.netflix_catalogue") == []
    (again,) = told.requests()
    assert again.run_key != request.run_key
    assert failures(told.house.request(again)) == []
    assert [row["title"] for row in told.house.rows("bronze.netflix_catalogue")] == ["The Tin Heron 3"]
    assert told.requests() == []


def test_the_daemon_can_resolve_what_the_sensor_requests(account: Azurite, house: CloudHouse, tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    put(DAYS[0])
    with (
        dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance,
        SensorEvaluationContext(
            instance_ref=instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=None,
            log_key=None,
            repository_name=None,
            repository_def=defs.get_repository_def(),
            resources={"lake": house.lake},
        ) as context,
    ):
        (request,) = EVENTS.evaluate_tick(context).run_requests or ()
    assert request.tags["dagster/partition"] == DAYS[0]
    assert request.job_name == "catalogue_delivery"


@pytest.mark.parametrize(
    ("queue_name", "sensors"),
    [
        ("arrivals", ["landing_events_sensor"]),
        (None, [f"{feed}_landing_sensor" for feed in feeds]),
    ],
)
def test_the_setting_decides_which_sensors_there_are(queue_name: str | None, sensors: list[str]) -> None:
    code = "from netflix_dagster.definitions import defs; print(*(sensor.name for sensor in defs.sensors))"
    said = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "DAGSTER_"))}
    said |= {"NETFLIX_LANDING": str(LANDING), **({"NETFLIX_LANDING_EVENTS": queue_name} if queue_name else {})}
    done = subprocess.run([sys.executable, "-c", code], env=said, capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split() if "landing" in name] == sensors


def test_a_folder_of_this_machine_has_no_events(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="only a landing folder in ADLS has events"):
        Settings(landing=tmp_path, landing_events="arrivals")
    assert Settings(landing=LANDING, landing_events="arrivals").as_environment()["NETFLIX_LANDING_EVENTS"] == "arrivals"


def test_without_a_queue_the_sensor_says_what_to_set(house: CloudHouse, tmp_path: Path) -> None:
    lake = Lake(landing=str(tmp_path), lake=str(tmp_path / "lake"))
    with (
        dg.build_sensor_context(instance=house.instance, resources={"lake": lake}) as context,
        pytest.raises(dg.Failure, match="NETFLIX_LANDING_EVENTS"),
    ):
        EVENTS(context)
