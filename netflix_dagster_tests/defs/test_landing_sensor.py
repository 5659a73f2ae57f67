"""What arrives in the landing folder becomes partitions and runs, once."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorEvaluationContext
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG as RANGE_END
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG as RANGE_START
from dagster._core.test_utils import create_run_for_test

from netflix_dagster.build import conservation, returned
from netflix_dagster.build.door import content_hash
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import downstream_of, feed_tables, touched_tables
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.sensors import MOST_PER_TICK, ONE_BY_ONE, Cursor, Requested
from netflix_dagster.deliveries import life, pending
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.lake import lock
from netflix_dagster_tests.defs.house import PARTITIONS, SENSOR, House, Watch, materialized
from netflix_dagster_tests.lakehouse import as_csv, split_files, title

DAYS = [f"2021-0{month}-01" for month in range(1, 8)]
RELEASE = as_csv([title(1), title(2)])


@pytest.fixture
def watch(house: House) -> Watch:
    return Watch(house)


def test_a_missing_landing_folder_is_an_empty_one(watch: Watch) -> None:
    assert watch.skips() == "every delivery is taken up"


def test_a_few_new_deliveries_get_a_partition_and_a_run_each(watch: Watch) -> None:
    for day in DAYS[:ONE_BY_ONE]:
        watch.land("netflix_catalogue", day, RELEASE)
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
        watch.land("netflix_catalogue", day, RELEASE)
    (request,) = watch.requests()
    assert request.partition_key is None
    assert (request.tags[RANGE_START], request.tags[RANGE_END]) == (DAYS[0], DAYS[-1])
    assert {asset_key("bronze.netflix_catalogue"), asset_key("bronze.netflix_cast")} <= set(request.asset_selection)
    assert asset_key("bronze.netflix_titles") not in set(request.asset_selection)
    assert watch.house.instance.get_dynamic_partitions(PARTITIONS) == DAYS


def test_older_deliveries_that_come_late_share_a_run_that_marks_no_other(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[3], RELEASE)
    watch.requests()
    watch.note_built()
    late = [*DAYS[:3], *DAYS[4:]]
    for day in late:
        watch.land("netflix_catalogue", day, RELEASE)
    (request,) = watch.requests()
    result = watch.house.execute(tags=request.tags, only=["bronze.netflix_catalogue"])
    assert {day for _, day in materialized(result)} == set(late)


def test_what_was_requested_is_not_requested_again_before_its_run_is_through(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    assert len(watch.requests()) == 1
    assert watch.skips() == "every delivery is on its way"
    watch.land("netflix_catalogue", DAYS[1], RELEASE)
    assert [request.partition_key for request in watch.requests()] == [DAYS[1]]


def test_nothing_new_is_a_skip_that_says_so(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.requests()
    watch.note_built()
    watch.tick()
    assert watch.skips().startswith("nothing new among 1 deliveries")


def test_a_changed_file_is_requested_again_under_another_key(watch: Watch) -> None:
    path = watch.land("netflix_catalogue", DAYS[0], RELEASE)
    (first,) = watch.requests()
    watch.note_built()
    path.write_text(RELEASE + RELEASE.splitlines()[1].replace("s1", "s3") + "\r\n")
    (second,) = watch.requests()
    assert second.partition_key == first.partition_key
    assert second.run_key != first.run_key


def test_a_file_replaced_by_one_of_equal_size_and_time_is_seen(watch: Watch, tmp_path: Path) -> None:
    path = watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.requests()
    watch.note_built()
    times = path.stat()
    other = tmp_path / "other.csv"
    other.write_text(RELEASE.replace("PG", "NC"))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert len(watch.requests()) == 1


def test_a_landing_folder_that_is_restored_from_a_copy_requests_nothing(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in DAYS[:2]:
        watch.land("netflix_catalogue", day, RELEASE)
    watch.requests()
    watch.note_built()
    watch.tick()
    shutil.copytree(watch.house.landing, tmp_path / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(watch.house.landing)
    shutil.copytree(tmp_path / "copy", watch.house.landing, copy_function=shutil.copyfile)
    with monkeypatch.context() as patched:
        patched.setattr(returned, "MOST_IN_A_TICK", len(RELEASE))
        patched.setattr(life, "record", lambda lake, events: list(events))
        assert [r.partition_key for r in watch.evaluate().run_requests or ()] == [DAYS[1]], "a look reads only so much"
    assert watch.skips() == "every delivery is taken up"
    monkeypatch.setattr(returned, "content_hash", lambda file: pytest.fail(f"{file.path} was read once more"))
    watch.tick()
    assert watch.skips() == "nothing new among 2 deliveries in " + str(watch.house.landing)


def test_a_changed_delivery_of_the_same_size_is_read_once_until_it_is_judged(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.requests()
    watch.note_built()
    read: list[str] = []
    monkeypatch.setattr(returned, "content_hash", lambda file: read.append(file.path) or content_hash(file))
    changed = watch.land("netflix_catalogue", DAYS[0], RELEASE.replace("PG", "NC"))
    assert watch.dates() == [DAYS[0]]
    assert [watch.skips() for _ in range(3)] == ["every delivery is on its way"] * 3
    assert read == [str(changed)]
    watch.land("netflix_catalogue", DAYS[0], RELEASE.replace("PG", "TV"))
    watch.tick()
    assert read == [str(changed)] * 2, "another content is read"


def test_tables_that_other_code_has_built_are_named_and_left_to_people(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.requests()
    tables = tuple(feed_tables("catalogue"))
    versions = tuple(TABLES[name].code_version for name in tables)
    watch.note_built()
    told = {"feed": "catalogue", "key": DAYS[0], "tables": tables, "run_id": "y"}
    life.record(watch.house.tables, [Event(Status.ENDED, **told, code_versions=versions, outcome="built")])
    assert watch.skips() == "every delivery is taken up"
    with monkeypatch.context() as patched:
        patched.setitem(TABLES, "silver.titles", replace(TABLES["silver.titles"], variant="other"))
        said = watch.skips()
        assert "other code than this has built" in said and "of 1 delivery dates" in said
        assert said.endswith("materialize these partitions, or `netflix-dagster run`")
        assert watch.skips() == said, "also when nothing is new"
    watch.tick()
    assert watch.skips().startswith("nothing new among 1 deliveries")


def test_a_file_that_joins_a_split_delivery_requests_the_chain_of_its_source(watch: Watch) -> None:
    files = split_files([title(1)])
    watch.land("netflix_titles", DAYS[0], files["netflix_titles"])
    watch.requests()
    watch.note_built()
    watch.land("netflix_directors", DAYS[0], files["netflix_directors"])
    (request,) = watch.requests()
    selected = {".".join(key.path) for key in request.asset_selection or ()}
    assert request.partition_key == DAYS[0]
    assert selected == set(touched_tables("catalogue", ["netflix_directors"]))
    assert {"bronze.netflix_directors", "silver.title_directors", "gold.dim_person"} <= selected
    assert not selected & {"bronze.netflix_titles", "silver.titles", "silver.title_cast"}


def test_a_delivery_that_leaves_landing_is_told_once_and_its_rows_stay(watch: Watch) -> None:
    built = watch.house
    for day in DAYS[: ONE_BY_ONE + 1]:
        watch.land("netflix_catalogue", day, RELEASE)
    (request,) = watch.requests()
    assert built.request(request).success
    assert watch.requests() == []
    tables = built.contents()
    kept = shutil.move(built.landing / "netflix_catalogue" / DAYS[1], built.root / "kept")
    assert watch.requests() == [] and watch.requests() == []
    delivery = built.delivery("netflix_catalogue", DAYS[1])
    assert delivery.status is Status.WITHDRAWN and delivery.standing is not None
    assert [row["status"] for row in built.rows("quality.deliveries")].count("withdrawn") == 1
    assert built.contents() == tables

    shutil.move(kept, built.landing / "netflix_catalogue" / DAYS[1])
    for request in watch.requests():
        assert request.partition_key == DAYS[1]
        assert built.request(request).success
    assert built.delivery("netflix_catalogue", DAYS[1]).status is Status.STANDING
    assert built.contents() == tables and watch.requests() == []


def test_a_landing_folder_that_is_not_there_takes_nothing_away(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.note_built()
    assert watch.requests() == []
    shutil.rmtree(watch.house.landing)
    assert watch.requests() == []
    assert watch.house.delivery("netflix_catalogue", DAYS[0]).status is Status.STANDING


def test_a_refused_delivery_waits_for_a_better_file(watch: Watch) -> None:
    path = watch.land("netflix_catalogue", DAYS[0], "<html>")
    (request,) = watch.requests()
    assert materialized(watch.house.request(request)) == {}
    assert watch.house.delivery("netflix_catalogue", DAYS[0]).status is Status.REFUSED
    assert watch.requests() == []
    path.write_text(RELEASE)
    (request,) = watch.requests()
    assert request.partition_key == DAYS[0]


def begin(watch: Watch, run_id: str) -> None:
    """Write down that a run has begun to build the first day, as it does before it touches a table."""
    life.record(
        watch.house.tables,
        [Event(Status.BEGUN, "catalogue", DAYS[0], tables=tuple(feed_tables("catalogue")), run_id=run_id)],
    )


@pytest.fixture
def lost_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "LOST_AFTER", timedelta())


def test_a_build_whose_process_died_is_asked_for_again_once_it_counts_as_lost(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    (first,) = watch.requests()
    instance = watch.house.instance
    run = create_run_for_test(instance, first.job_name, tags=first.tags, status=dg.DagsterRunStatus.STARTED)
    begin(watch, run.run_id)
    assert watch.skips() == "every delivery is on its way", "Dagster's own retry comes first"

    monkeypatch.setattr(pending, "LOST_AFTER", timedelta())
    with lock.alone(watch.house.tables, "catalogue", "a build that is alive"):
        assert watch.skips() == "every delivery is on its way"
    assert status_of(watch, run) is dg.DagsterRunStatus.STARTED
    (again,) = watch.requests()
    assert again.partition_key == DAYS[0] and again.run_key != first.run_key
    assert set(again.asset_selection or ()) == {asset_key(name) for name in feed_tables("catalogue")}
    assert status_of(watch, run) is dg.DagsterRunStatus.FAILURE, "the queue does not wait for it"
    assert watch.requests() == []


def status_of(watch: Watch, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = watch.house.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags.get("dagster/will_retry") != "true", "the sensor asks for it"
    return found.status


def test_a_run_that_has_ended_is_not_closed_again(watch: Watch, lost_at_once: None) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    watch.requests()
    run = create_run_for_test(watch.house.instance, "catalogue_delivery", status=dg.DagsterRunStatus.CANCELED)
    begin(watch, run.run_id)
    assert len(watch.requests()) == 1
    assert status_of(watch, run) is dg.DagsterRunStatus.CANCELED


def test_a_build_that_goes_wrong_three_times_is_left_to_a_person(
    watch: Watch, lost_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one date the runs fail, of the other they are killed."""
    for day, how in ((DAYS[0], "fails"), (DAYS[1], "is killed")):
        watch.land("netflix_catalogue", day, RELEASE)
        with monkeypatch.context() as patch:
            patch.setattr(conservation, "prove_bronze", None)
            if how == "is killed":
                patch.setattr(Session, "_end", lambda session: None)
            for _ in range(pending.MOST_TRIES):
                (request,) = watch.requests()
                assert request.partition_key == day, how
                assert not watch.house.request(request).success, how
            said = watch.skips()
        assert watch.skips() == said, how
    both = f"catalogue {DAYS[0]}, catalogue {DAYS[1]}"
    assert said == f"2 delivery dates failed 3 times and wait for `netflix-dagster run`: {both}"
    for day in DAYS[:2]:
        watch.land("netflix_catalogue", day, as_csv([title(1), title(2), title(3)]))
    requests = watch.requests()
    assert [request.partition_key for request in requests] == DAYS[:2], "another file is other work"
    assert watch.house.run(*DAYS[:2]).success
    assert watch.requests() == []


def test_what_ends_before_it_begins_is_asked_for_three_times(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    keys = set()
    for _ in range(pending.MOST_TRIES):
        (request,) = watch.requests()
        keys.add(request.run_key)
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        create_run_for_test(watch.house.instance, request.job_name, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    assert len(keys) == pending.MOST_TRIES
    assert watch.skips().startswith("1 delivery dates failed 3 times and wait")


def test_the_cursor_stays_small_with_two_thousand_deliveries(watch: Watch) -> None:
    days = [
        f"20{year:02}-{month:02}-{day:02}" for year in range(10, 20) for month in range(1, 13) for day in range(1, 18)
    ]
    for day in days[:2000]:
        watch.land("netflix_catalogue", day, RELEASE)
    ranges = []
    for _ in range(4):
        (request,) = watch.requests()
        ranges.append((request.tags[RANGE_START], request.tags[RANGE_END]))
        assert len(watch.cursor or "") < 25 * MOST_PER_TICK * len(ranges)
    assert ranges[0][0] == days[0]
    assert ranges[-1][1] == days[1999]
    assert watch.requests() == []
    watch.note_built()
    assert watch.requests() == []
    assert len(watch.cursor or "") < 200
    assert Cursor.load(watch.cursor).requested == Requested()


def test_requests_run_and_leave_nothing_to_request(watch: Watch) -> None:
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
    (request,) = watch.requests()
    assert watch.house.request(request).success
    for day in DAYS[1:]:
        watch.land("netflix_catalogue", day, RELEASE)
    (request,) = watch.requests()
    assert watch.house.request(request).success
    assert watch.requests() == []
    assert {row["delivery_date"].isoformat() for row in watch.house.rows("silver.titles")} == set(DAYS)
    assert {row["release_date"].isoformat() for row in watch.house.rows("gold.fact_catalogue_change")} == {DAYS[0]}


def test_the_daemon_can_resolve_what_the_sensor_requests(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    watch = Watch(House(tmp_path, dg.DagsterInstance.local_temp(str(tmp_path / "dagster"))))
    watch.land("netflix_catalogue", DAYS[0], RELEASE)
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
