"""The event log that stays open is Dagster's own: each reads what the other writes, alone and at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventBatchMetadata, generate_event_batch_id
from dagster._core.log_manager import DagsterLogManager
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG
from dagster._core.test_utils import create_run_for_test

from netflix_dagster.cli.home import CONFIG, PACKAGED
from netflix_dagster.defs.event_log import MOST_OPEN, OpenSqliteEventLogStorage
from netflix_dagster.defs.event_rows import at_once, passed_together, spoken_for
from netflix_dagster.defs.history import prune

KEY = dg.AssetKey(["silver", "titles"])
CHECK = dg.AssetCheckKey(KEY, "title_not_null")
DAYS = dg.DynamicPartitionsDefinition(name="catalogue_deliveries")
LONGEST_WAIT = 60
Open = Callable[[str], dg.DagsterInstance]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dagster home that can be opened with our event log and with Dagster's own."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copyfile(CONFIG if CONFIG.exists() else PACKAGED, tmp_path / "dagster.yaml")
    (tmp_path / "theirs.yaml").write_text("telemetry: {enabled: false}\n")
    return tmp_path


@pytest.fixture
def opened(home: Path) -> Iterator[Open]:
    """Opens the home as ``ours`` or as ``theirs``."""
    instances: list[dg.DagsterInstance] = []

    def open_it(whose: str) -> dg.DagsterInstance:
        instance = dg.DagsterInstance.from_config(str(home), {"ours": "dagster.yaml"}.get(whose, f"{whose}.yaml"))
        expected = {"ours": OpenSqliteEventLogStorage, "theirs": SqliteEventLogStorage}[whose]
        assert type(instance.event_log_storage) is expected
        instances.append(instance)
        return instance

    yield open_it
    for instance in instances:
        instance.dispose()


@dg.asset(key=KEY, partitions_def=DAYS, check_specs=[dg.AssetCheckSpec(CHECK.name, asset=KEY, partitions_def=DAYS)])
def titles() -> Iterator[object]:
    """An asset as ours are: its events, and checks that are logged one by one."""
    yield dg.MaterializeResult(metadata={"rows": 7}, check_results=[dg.AssetCheckResult(passed=False)])


def tell(instance: dg.DagsterInstance, run: dg.DagsterRun, *texts: str) -> None:
    """Write a materialisation of a run for each text, which stands in its description."""
    for text in texts:
        instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value="ASSET_MATERIALIZATION",
                job_name=run.job_name,
                event_specific_data=_materialized(text),
            ),
            run.run_id,
        )


def _materialized(text: str) -> object:
    from dagster._core.events import StepMaterializationData

    return StepMaterializationData(dg.AssetMaterialization(KEY, description=text, partition=text))


def told(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What ``tell`` wrote of a run, as the log of the run has it."""
    events = [entry.dagster_event for entry in instance.all_logs(run_id)]
    return [str(e.event_specific_data.materialization.description) for e in events if e and e.is_step_materialization]


def listed(instance: dg.DagsterInstance) -> list[str]:
    """The same of all runs, as the index of all runs has it, oldest first."""
    found = instance.fetch_materializations(KEY, limit=10_000, ascending=True).records
    return [str(r.asset_materialization.description) for r in found if r.asset_materialization]


def a_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    return create_run_for_test(instance, "some_job")


@dg.asset(
    key=KEY,
    partitions_def=DAYS,
    check_specs=[dg.AssetCheckSpec(CHECK.name, asset=KEY, partitions_def=DAYS)],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def many_titles() -> Iterator[object]:
    """The same for all partitions of a run; its check is logged, one evaluation a delivery."""
    context = dg.AssetExecutionContext.get()
    yield dg.MaterializeResult()
    for day in context.partition_keys:
        context.log_event(dg.AssetCheckEvaluation(KEY, CHECK.name, True, metadata={}, partition=day))
    yield dg.Output(None, dg.AssetCheckSpec(CHECK.name, asset=KEY).get_python_identifier())


def test_after_a_run_over_many_dates_the_newest_is_the_latest_and_no_check_shows_as_skipped(opened: Open) -> None:
    days = [f"2026-01-{day:02}" for day in (20, 6, 27, 13, 3)]
    instance = opened("ours")
    instance.add_dynamic_partitions(DAYS.name or "", days)
    tags = {ASSET_PARTITION_RANGE_START_TAG: days[0], ASSET_PARTITION_RANGE_END_TAG: days[-1]}
    assert dg.materialize([many_titles], instance=instance, tags=tags).success
    found = instance.fetch_materializations(KEY, limit=100, ascending=True).records
    assert [record.partition_key for record in found] == sorted(days)
    latest = instance.get_latest_materialization_event(KEY)
    assert latest is not None and latest.asset_materialization is not None
    assert latest.asset_materialization.partition == max(days)
    history = instance.event_log_storage.get_asset_check_execution_history(CHECK, limit=100)
    assert sorted((str(check.partition), check.status.value) for check in history) == [
        (day, "SUCCEEDED") for day in sorted(days)
    ], "one that is planned and stays so shows as skipped"


@pytest.mark.parametrize(("writer", "reader"), [("ours", "theirs"), ("theirs", "ours"), ("ours", "ours")])
def test_one_reads_what_the_other_writes(opened: Open, writer: str, reader: str) -> None:
    writing = opened(writer)
    writing.add_dynamic_partitions(DAYS.name or "", ["2020-01-01"])
    result = dg.materialize([titles], instance=writing, partition_key="2020-01-01")
    written = [(entry.timestamp, entry.message, entry.dagster_event) for entry in writing.all_logs(result.run_id)]
    assert len(written) > 10

    reading = opened(reader)
    assert [
        (entry.timestamp, entry.message, entry.dagster_event) for entry in reading.all_logs(result.run_id)
    ] == written
    assert reading.get_materialized_partitions(KEY) == {"2020-01-01"}
    event = reading.get_latest_materialization_event(KEY)
    assert event is not None and event.asset_materialization is not None
    assert event.asset_materialization.metadata["rows"].value == 7
    (check,) = reading.event_log_storage.get_asset_check_execution_history(CHECK, limit=10)
    assert check.event is not None and check.run_id == result.run_id
    (evaluation,) = [e.asset_check_evaluation for e in [check.event] if e.asset_check_evaluation] or [None]
    assert evaluation is not None and (evaluation.passed, evaluation.partition) == (False, "2020-01-01")
    stored = reading.get_run_by_id(result.run_id)
    assert stored is not None and stored.status == dg.DagsterRunStatus.SUCCESS

    run = a_run(reading)
    tell(reading, run, "the other way round")
    assert told(writing, run.run_id) == ["the other way round"], "also by one that was open before"


def test_one_event_of_many_deliveries_is_a_row_of_each_as_a_hundred_events_would_be(opened: Open) -> None:
    """A check that passed on all: the state of every partition, and what it judged, as Dagster's own log says it."""
    days = [f"2020-01-{day:02}" for day in range(1, 21)] + ['a "quoted" \\ key']
    ours, theirs = opened("ours"), opened("theirs")
    run = a_run(ours)
    tell(ours, run, *days)
    alike = [
        dg.AssetCheckEvaluation(KEY, CHECK.name, True, metadata={"rows": 5, "broken": 0}, partition=day) for day in days
    ]
    (together,) = passed_together(alike)
    event = dg.DagsterEvent("ASSET_CHECK_EVALUATION", run.job_name, event_specific_data=together, message="m")
    ours.report_dagster_event(event, run.run_id)
    for instance in (ours, theirs):
        storage = instance.event_log_storage
        assert len(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)) == 1
        infos = {info.partition_key: info for info in storage.get_asset_check_partition_info([CHECK])}
        assert set(infos) == set(days)
        for record in storage.get_asset_check_execution_history(CHECK, limit=100):
            info, found = infos[record.partition], record.evaluation
            assert record.status.value == info.latest_execution_status.value == "SUCCEEDED"
            assert info.latest_target_materialization_storage_id == info.latest_materialization_storage_id
            assert found is not None and found.target_materialization_data is not None
            assert found.partition == record.partition
            assert found.target_materialization_data.storage_id == info.latest_materialization_storage_id
            assert found.metadata["rows"].value == 5 * len(days) and "deliveries" not in found.metadata


def test_what_failed_stays_an_event_of_its_own() -> None:
    found = [
        dg.AssetCheckEvaluation(KEY, CHECK.name, day != "2", metadata={"rows": 1}, partition=day) for day in "1234"
    ]
    alone, together = passed_together(found)
    assert (alone.partition, alone.passed) == ("2", False)
    assert spoken_for(together) == ["1", "3", "4"]


def test_a_run_that_plans_a_thousand_partitions_plans_them_in_one_event(opened: Open) -> None:
    """Each is under way, and failed when the run has ended without it."""
    from dagster._core.events import AssetMaterializationPlannedData

    days = [f"d{n}" for n in range(1000)]
    ours, theirs = opened("ours"), opened("theirs")
    run = a_run(ours)
    data = AssetMaterializationPlannedData(
        KEY, partition=None, partitions_subset=DAYS.subset_with_partition_keys(days).to_serializable_subset()
    )
    ours.report_dagster_event(DagsterEvent.build_asset_materialization_planned_event("j", "s", data), run.run_id)
    tell(ours, run, "d7")
    assert len(ours.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)) == 1
    for instance in (ours, theirs):
        found = instance.event_log_storage.get_latest_asset_partition_materialization_attempts_without_materializations(
            KEY
        )
        assert set(found) == set(days) - {"d7"}
        assert {run_id for run_id, _ in found.values()} == {run.run_id}


def test_materializations_of_a_batch_are_in_the_order_of_their_deliveries(opened: Open) -> None:
    ours = opened("ours")
    run = a_run(ours)
    batch = generate_event_batch_id()
    for n, day in enumerate(("2020-03-01", "2020-01-01", "2020-02-01"), 1):
        event = dg.DagsterEvent("ASSET_MATERIALIZATION", run.job_name, event_specific_data=_materialized(day))
        ours.report_dagster_event(event, run.run_id, batch_metadata=DagsterEventBatchMetadata(batch, n == 3))
    assert listed(ours) == ["2020-01-01", "2020-02-01", "2020-03-01"]
    latest = ours.get_latest_materialization_event(KEY)
    assert latest is not None and latest.asset_materialization is not None
    assert latest.asset_materialization.partition == "2020-03-01"


def test_a_log_that_theirs_has_begun_ours_goes_on_with(opened: Open) -> None:
    theirs, ours = opened("theirs"), opened("ours")
    run = a_run(theirs)
    tell(theirs, run, "1")
    tell(ours, run, "2")
    tell(theirs, run, "3")
    for instance in (theirs, ours):
        assert told(instance, run.run_id) == listed(instance) == ["1", "2", "3"]


def test_at_once_is_all_or_nothing(opened: Open) -> None:
    ours, theirs = opened("ours"), opened("theirs")
    run = a_run(ours)
    tell(ours, run, "before")
    with pytest.raises(RuntimeError, match="in the middle"), at_once(ours, run.run_id):
        tell(ours, run, "1", "2")
        assert told(ours, run.run_id) == ["before", "1", "2"], "who writes sees it"
        raise RuntimeError("in the middle")
    for instance in (ours, theirs):
        assert told(instance, run.run_id) == listed(instance) == ["before"]

    with at_once(ours, run.run_id):
        tell(ours, run, "3", "4")
        assert told(theirs, run.run_id) == listed(theirs) == ["before"], "others see it when it is whole"
    tell(ours, run, "after")
    for instance in (ours, theirs):
        assert told(instance, run.run_id) == listed(instance) == ["before", "3", "4", "after"]


def test_at_once_where_the_event_log_cannot(opened: Open) -> None:
    theirs = opened("theirs")
    run = a_run(theirs)
    with at_once(theirs, run.run_id):
        tell(theirs, run, "1", "2")
    assert told(theirs, run.run_id) == listed(theirs) == ["1", "2"]


def test_at_once_that_cannot_begin_harms_nothing(opened: Open, home: Path) -> None:
    ours = opened("ours")
    run = a_run(ours)
    tell(ours, run, "before")
    (home / "history" / "runs" / "odd.db").mkdir()
    with pytest.raises(Exception, match="unable to open database"), at_once(ours, "odd"):
        pytest.fail("there is nothing to write to", pytrace=False)
    tell(ours, run, "after")
    assert told(ours, run.run_id) == listed(ours) == ["before", "after"]


def test_more_runs_than_databases_are_kept_open(opened: Open) -> None:
    ours, theirs = opened("ours"), opened("theirs")
    runs = [a_run(ours) for _ in range(3 * MOST_OPEN)]
    for turn in ("first", "second"):
        for place, run in enumerate(runs):
            tell(ours, run, f"{turn} {place}")
        assert _open_databases() <= MOST_OPEN
    for instance in (ours, theirs):
        for place, run in enumerate(runs):
            assert told(instance, run.run_id) == [f"first {place}", f"second {place}"]
        assert len(listed(instance)) == 2 * len(runs)
    ours.event_log_storage.dispose()
    assert _open_databases() == 0
    assert told(ours, runs[0].run_id) == ["first 0", "second 0"], "it opens them again"


def _open_databases() -> int:
    """How many event databases this process holds open; asked of the kernel, where it tells."""
    handles = Path("/proc/self/fd")
    if not handles.is_dir():
        pytest.skip("this system does not list a process's open files in /proc")
    found = set()
    for handle in handles.iterdir():
        try:
            found.add(os.readlink(handle))
        except FileNotFoundError:  # the listing's own handle
            continue
    return len({name for name in found if name.endswith(".db") and "/history/runs/" in name})


def test_threads_share_it(opened: Open) -> None:
    ours, theirs = opened("ours"), opened("theirs")
    runs, many = [a_run(ours) for _ in range(2 * MOST_OPEN)], 6
    together = threading.Barrier(4)

    def work(mine: Sequence[dg.DagsterRun]) -> None:
        together.wait(LONGEST_WAIT)
        for run in mine:
            with at_once(ours, run.run_id):
                tell(ours, run, *map(str, range(many)))
            tell(ours, run, "alone")
            assert told(ours, run.run_id) == [*map(str, range(many)), "alone"]

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work, runs[n::4]) for n in range(4)]:
            done.result(LONGEST_WAIT)
    for instance in (ours, theirs):
        assert sorted(listed(instance)) == sorted([*map(str, range(many)), "alone"] * len(runs))
        assert {tuple(told(instance, run.run_id)) for run in runs} == {(*map(str, range(many)), "alone")}


def test_who_logs_does_not_wait_for_who_writes_at_once_and_logs(opened: Open) -> None:
    """Python's logging has a lock of its own: one thread has it and wants the database, the other the reverse."""
    ours, theirs = opened("ours"), opened("theirs")
    run, begun = a_run(ours), threading.Event()
    log = DagsterLogManager.create([], dagster_run=run, instance=ours)

    def aside() -> None:
        begun.wait(LONGEST_WAIT)
        for n in range(20):
            log.info(f"aside {n}")

    def together() -> None:
        with at_once(ours, run.run_id):
            begun.set()
            for n in range(20):
                log.info(f"here {n}")
                time.sleep(0.01)
            tell(ours, run, "1")

    threads = [threading.Thread(target=work, daemon=True) for work in (aside, together)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_WAIT / 4)
        assert not thread.is_alive(), "each waits for the other"
    for instance in (ours, theirs):
        said = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.dagster_event is None]
        assert sorted(said) == sorted(f"{who} {n}" for who in ("aside", "here") for n in range(20))
        assert told(instance, run.run_id) == ["1"]


WRITER = """
import sys
from netflix_dagster_tests.defs.test_event_log import a_run, at_once, dg, tell

whose, home, together = sys.argv[1:]
with dg.DagsterInstance.from_config(home, f"{whose}.yaml") as instance:
    run = a_run(instance)
    print(run.run_id, flush=True)
    sys.stdin.readline()
    for n in range(20):
        tell(instance, run, f"{run.run_id} {n}")
    with at_once(instance, run.run_id):
        tell(instance, run, *(f"{run.run_id} {n}" for n in range(20, 40)))
"""


def test_processes_write_at_the_same_time(opened: Open, home: Path) -> None:
    """Two of ours and one of theirs, into the index of all runs; none waits in vain, nothing is lost."""
    ours = opened("ours")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, whose, str(home), ""],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for whose in ("dagster", "dagster", "theirs")
    ]
    runs = [_line(writer) for writer in writers]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    mine = a_run(ours)
    tell(ours, mine, *(f"{mine.run_id} {n}" for n in range(40)))
    for writer in writers:
        _, err = writer.communicate(timeout=LONGEST_WAIT)
        assert writer.returncode == 0, err
    expected = {run_id: [f"{run_id} {n}" for n in range(40)] for run_id in (*runs, mine.run_id)}
    for instance in (ours, opened("theirs")):
        assert {run_id: told(instance, run_id) for run_id in expected} == expected
        found = listed(instance)
        assert len(found) == sum(map(len, expected.values()))
        for run_id, texts in expected.items():
            assert [text for text in found if text.startswith(run_id)] == texts, "each in its order"


def _line(writer: subprocess.Popen[str]) -> str:
    assert writer.stdout is not None
    said = writer.stdout.readline().strip()
    assert said, writer.communicate(timeout=LONGEST_WAIT)[1]
    return said


def test_who_watches_a_run_hears_of_its_events_while_it_is_under_way(opened: Open) -> None:
    """As the page of a run in the UI does, in another process than the run."""
    writing, watching = opened("ours"), opened("ours")
    run = a_run(writing)
    tell(writing, run, "before")
    heard: list[str] = []
    enough = threading.Event()

    def hear(entry: dg.EventLogEntry, cursor: str) -> None:
        heard.append(cursor)
        if len(heard) >= 2:
            enough.set()

    watching.event_log_storage.watch(run.run_id, None, hear)
    tell(writing, run, "while it watches")
    assert enough.wait(LONGEST_WAIT), f"heard {heard}"
    watching.event_log_storage.end_watch(run.run_id, hear)
    assert told(watching, run.run_id) == ["before", "while it watches"]


def test_retention_keeps_the_state_of_every_partition_and_gives_the_space_back(opened: Open, home: Path) -> None:
    days = [f"d{n}" for n in range(100)]
    ours, theirs = opened("ours"), opened("theirs")
    runs = [a_run(ours) for _ in range(4)]
    for run in runs:
        with at_once(ours, run.run_id):
            tell(ours, run, *days)
            for day in days:
                said = dg.AssetCheckEvaluation(KEY, CHECK.name, day != "d7", metadata={"rows": 1}, partition=day)
                ours.report_dagster_event(
                    dg.DagsterEvent("ASSET_CHECK_EVALUATION", run.job_name, event_specific_data=said, message="m"),
                    run.run_id,
                )
        ours.report_run_canceled(run)
    newest = {record.partition_key: record.storage_id for record in _newest(theirs)}
    checks = {info.partition_key: info for info in theirs.event_log_storage.get_asset_check_partition_info([CHECK])}

    young = prune(ours, keep_days=1)
    assert (young.rows, young.logs) == (0, 0), "what is young stays"
    assert len(listed(theirs)) == 400
    done = prune(ours, keep_days=0)
    assert (done.logs, done.rows >= 900, done.freed > 300_000) == (4, True, True)
    for instance in (ours, theirs):
        assert {record.partition_key: record.storage_id for record in _newest(instance)} == newest
        storage = instance.event_log_storage
        assert {info.partition_key: info for info in storage.get_asset_check_partition_info([CHECK])} == checks
        assert len(listed(instance)) == len(days)
    (failed,) = [info for info in checks.values() if info.latest_execution_status.value == "FAILED"]
    assert failed.partition_key == "d7"
    run = a_run(ours)
    tell(ours, run, "after")
    assert told(theirs, run.run_id) == ["after"]


def _newest(instance: dg.DagsterInstance) -> Sequence[dg.EventLogRecord]:
    found = instance.fetch_materializations(KEY, limit=1000, ascending=True).records
    return list({record.partition_key: record for record in found}.values())
