"""Tables in ADLS: book-keeping, writers at the same moment, small reads, time travel, upkeep."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from netflix_dagster import storage
from netflix_dagster.build import door
from netflix_dagster.build.door import Door, FileChanged
from netflix_dagster.deliveries import attempts, life
from netflix_dagster.deliveries.life import Event, Life, Status
from netflix_dagster.files.parsing import parse_file
from netflix_dagster.lake import maintenance, staging, store
from netflix_dagster.lake.query import QueryError, connect, query
from netflix_dagster.landing.deliveries import LandedFile
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import sample_files
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder, StorageError
from netflix_dagster_tests.emulators.account import requests_counted
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite
from netflix_dagster_tests.lake.test_store import contract

NAME = "quality.things"


def things(first: int, rows: int = 1) -> pa.Table:
    return pa.table({"number": pa.array(range(first, first + rows), pa.int64()), "name": [f"n{first}"] * rows})


def numbers(lake: storage.Place) -> list[int]:
    held = store.read_arrow(lake, NAME)
    return sorted(held.column("number").to_pylist()) if held else []


def data_files(lake: AzureFolder, name: str = NAME) -> list[str]:
    found = (file.path for file in storage.stored(store.folder(lake, name)))
    return [path for path in found if path.endswith(".parquet") and "_delta_log" not in path]


def by_delivery(lake: AzureFolder, days: int) -> None:
    """A table with a file for each delivery, ten rows in each."""
    place = store.folder(lake, NAME)
    for day in range(1, days + 1):
        write_deltalake(
            str(place),
            things(day * 10, 10).append_column("delivery_date", pa.array([date(2026, 1, day)] * 10)),
            mode="append",
            partition_by=["delivery_date"],
            storage_options=storage.delta_options(place),
        )


def test_a_table_that_was_never_written(lake: AzureFolder) -> None:
    assert not store.exists(lake, NAME)
    assert store.standing(lake, NAME) == (None, 0)
    assert store.delta(lake, NAME) is store.read_arrow(lake, NAME) is store.last_note(lake, NAME) is None
    assert (store.tables(lake, "quality"), store.delivery_files(lake, NAME), Life.read(lake).deliveries) == ([], {}, {})
    store.write_arrow(lake, NAME, things(0, 0))
    store.write_arrow(lake, NAME, things(0, 0), replace="number = 1")
    assert not store.exists(lake, NAME)


def test_rows_are_added_and_replaced(lake: AzureFolder) -> None:
    store.write_arrow(lake, NAME, things(1, 3))
    store.write_arrow(lake, NAME, things(7).append_column("more", pa.array(["x"])))
    store.write_arrow(lake, NAME, things(2), replace="number = 2")
    assert numbers(lake) == [1, 2, 3, 7]
    store.write_arrow(lake, NAME, things(0, 0), replace="number > 2")
    assert (numbers(lake), store.exists(lake, NAME), store.standing(lake, NAME)) == ([1, 2], True, (3, 2))
    assert store.tables(lake, "quality") == ["things"]
    held = store.read_arrow(lake, NAME, columns=["name"], where=pc.field("number") == 2)
    assert held is not None
    assert held.to_pydict() == {"name": ["n2"]}


def test_many_small_writes_are_joined_and_opened_by_a_checkpoint(lake: AzureFolder, account: Azurite) -> None:
    for number in range(40):
        store.write_arrow(lake, NAME, things(number))
    held = store.delta(lake, NAME)
    assert held is not None
    assert (numbers(lake), len(held.file_uris()) <= 17) == (list(range(40)), True)
    with requests_counted(account) as counter:
        store.version(lake, NAME)
        commits = {path for path in counter.take() if ".json" in path}
    assert 0 < len(commits) <= 10


def test_writers_at_the_same_moment_lose_nothing(lake: AzureFolder) -> None:
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda number: store.write_arrow(lake, NAME, things(number)), range(12)))
    assert numbers(lake) == list(range(12))


def test_the_life_of_deliveries_of_a_lake_in_adls(lake: AzureFolder) -> None:
    about: dict[str, Any] = {"feed": "charts", "key": "2026-01-06", "source": "top10_global", "fingerprint": "f"}
    life.record(lake, [Event(Status.ACCEPTED, records=3, run_id="run", **about)])
    life.record(lake, [Event(Status.HELD, table_name="silver.top10_global", rule="few", reason="too few", **about)])
    (found,) = Life.read(lake).deliveries.values()
    assert (found.status, found.newest.why, found.newest.records) == ("held", "silver.top10_global: too few", 3)
    assert (Life.read(lake).version, found.standing) == (store.version(lake, life.NAME), None)


def test_only_files_that_can_hold_the_rows_are_fetched(lake: AzureFolder, account: Azurite) -> None:
    by_delivery(lake, 4)
    with requests_counted(account) as counter:
        counter.take()
        one = store.read_arrow(lake, NAME, where=pc.field("delivery_date") == date(2026, 1, 3))
        fetched_for_one = [path for path in counter.take() if "part-" in path]
        some = store.read_arrow(lake, NAME, first=12, columns=["number"])
        fetched_for_some = [path for path in counter.take() if "part-" in path]
        none = store.read_arrow(lake, NAME, where=pc.field("number") > 1000)
        fetched_for_none = [path for path in counter.take() if "part-" in path]
    assert one is not None and some is not None and none is not None
    assert (one.column("number").to_pylist(), set(one.column("delivery_date").to_pylist())) == (
        list(range(30, 40)),
        {date(2026, 1, 3)},
    )
    assert (some.num_rows, some.column_names, none.num_rows) == (12, ["number"], 0)
    assert (len(fetched_for_one), len(fetched_for_some), len(fetched_for_none)) == (1, 2, 0)
    assert store.delivery_rows(lake, NAME) == {f"2026-01-0{day}": 10 for day in range(1, 5)}


def test_a_file_that_was_taken_away_is_named(lake: AzureFolder) -> None:
    by_delivery(lake, 2)
    storage.remove(store.folder(lake, NAME) / "delivery_date=2026-01-01")
    with pytest.raises(FileNotFoundError, match="delivery_date=2026-01-01"):
        store.read_arrow(lake, NAME)
    kept = store.read_arrow(lake, NAME, where=pc.field("delivery_date") == date(2026, 1, 2))
    assert kept is not None
    assert kept.num_rows == 10


def test_sql_fetches_the_tables_that_it_reads(lake: AzureFolder, account: Azurite) -> None:
    by_delivery(lake, 3)
    store.write_arrow(lake, "quality.others", pa.table({"number": [11, 35]}))
    with requests_counted(account) as counter:
        connection = connect(lake)
        assert [row[0] for row in connection.sql("SHOW TABLES").fetchall()] == ["others", "things"]
        assert connection.sql("SELECT current_setting('enable_progress_bar')").fetchall() == [(False,)]
        assert not [path for path in counter.take() if "part-" in path]
        assert connection.sql("SELECT name FROM things JOIN others USING (number) ORDER BY 1").fetchall() == [
            ("n10",),
            ("n30",),
        ]
        assert len([path for path in counter.take() if "part-" in path]) == 4
        with pytest.raises(duckdb.Error, match="disabled"):
            connection.sql("SELECT * FROM read_csv('/etc/hostname')").fetchall()
    assert query(lake, "SELECT count(*) AS n FROM quality.things").to_pylist() == [{"n": 30}]
    with pytest.raises(QueryError, match="things"):
        query(lake, "SELECT * FROM quality.thinks")


def test_tables_as_they_stood(lake: AzureFolder) -> None:
    store.write_arrow(lake, NAME, things(1))
    time.sleep(0.05)
    then = datetime.now(UTC)
    time.sleep(0.05)
    store.write_arrow(lake, NAME, things(2))
    assert query(lake, "SELECT number FROM things", then).to_pylist() == [{"number": 1}]
    assert query(lake, "SELECT count(*) AS n FROM things").to_pylist() == [{"n": 2}]
    with pytest.raises(QueryError, match=r"There were no tables in .* at 2020"):
        query(lake, "SELECT number FROM things", datetime(2020, 1, 1, tzinfo=UTC))


def test_upkeep_joins_files_and_removes_the_old_ones(lake: AzureFolder) -> None:
    for number in range(5):
        store.write_arrow(lake, NAME, things(number))
    assert len(data_files(lake)) == 5
    assert maintenance.maintain(lake, retention_hours=0, nobody_works=True) == {NAME: maintenance.Done(5, 5, 1, 5, 1)}
    assert (len(data_files(lake)), numbers(lake)) == (1, list(range(5)))


def test_what_is_left_in_staging_vanishes_after_a_day(lake: AzureFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = lake / store.STAGING
    storage.write(staging / "silver.x-1" / "part-0.parquet", b"x")
    storage.write(AzureFolder(ACCOUNT, "checkpoints", f"{lake.path}/of others"), b"y")
    maintenance.clear_staging(lake)
    assert storage.folders(staging) == ["silver.x-1"]
    monkeypatch.setattr(maintenance, "ABANDONED_AFTER", -1)
    maintenance.clear_staging(lake)
    assert storage.folders(staging) == []
    assert storage.is_file(AzureFolder(ACCOUNT, "checkpoints", f"{lake.path}/of others"))


def test_few_rows_are_written_from_here(lake: AzureFolder) -> None:
    table, days = contract(), ["2026-01-01", "2026-01-02"]
    rows = pa.table({"delivery_date": [date.fromisoformat(day) for day in days], "id": ["a", "b"]})
    store.write_batches(rows.to_batches, lake, table, days)
    store.write_batches(list, lake, table, days[:1])
    held = store.read_arrow(lake, table.name)
    assert held is not None and held.to_pylist() == [{"delivery_date": date(2026, 1, 2), "id": "b"}]


def test_rows_in_staging_are_fetched_for_as_long_as_they_are_judged(lake: AzureFolder) -> None:
    written = pa.BufferOutputStream()
    pq.write_table(things(1, 3), written)
    aside = lake / store.STAGING / "silver.x-1"
    storage.write(aside / "part-0.parquet", written.getvalue().to_pybytes())
    storage.write(aside / "_SUCCESS", b"")
    with staging.at_hand(aside) as files:
        assert pq.read_table(*files) == things(1, 3)
    assert not any(Path(file).exists() for file in files)


def test_a_container_that_is_not_there_is_no_empty_table(account: Azurite) -> None:
    nowhere = AzureFolder(ACCOUNT, "nowhere")
    for ask in (store.exists, store.delta, store.standing, store.read_arrow):
        with pytest.raises(StorageError, match="ContainerNotFound"):
            ask(nowhere, NAME)


def test_a_delivered_file_is_read_where_it_lies_and_not_when_it_was_replaced(
    lake: AzureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, landing = load_sources(), AzureFolder(ACCOUNT, "landing", lake.path)
    data = next(data for name, data in sample_files().items() if name.startswith("top10_global/"))
    file = landing / "top10_global" / "2026-01-06" / "the charts #1 100% ü.tsv"
    storage.write(file, data)
    parsed = parse_file(str(file), sources.sources["top10_global"])
    assert (parsed.refusals, parsed.records > 100) == ((), True)

    place, settings = ("top10_global", "2026-01-06"), Settings(landing=landing, lake=lake)
    (event,) = Door(settings, sources, "run").receive(Life(), [place])
    assert (event.status, event.records, event.files) == (Status.ACCEPTED, parsed.records, 1)
    assert event.fingerprint and attempts.is_kept(lake, *place, event.fingerprint)

    def then_replaced(landed: LandedFile) -> str:
        found = hashed(landed)
        storage.write(file, data.replace(b"\n", b"\n\n", 1))
        return found

    hashed = door.content_hash
    monkeypatch.setattr(door, "content_hash", then_replaced)
    with pytest.raises(FileChanged, match="was replaced"):
        Door(settings, sources, "run").receive(Life(), [place])
    storage.remove(landing)
    assert [refusal.reason for refusal in parse_file(str(file), sources.sources["top10_global"]).refusals] == [
        "cannot be read: it is gone"
    ]


ENDS = """
import sys
from netflix_dagster import storage
from netflix_dagster.azure import access
from netflix_dagster.lake import query, store
from netflix_dagster.settings import get_settings
access.connect(get_settings())
lake = storage.at(sys.argv[1])
print(store.read_arrow(lake, "quality.things", first=2).num_rows, end=" ")
print(query.query(lake, "SELECT * FROM things LIMIT 3").num_rows, end=" ")
print(query.query(lake, "SELECT sum(number) AS n FROM things").to_pylist()[0]["n"])
"""


@pytest.mark.parametrize("processes", [12, pytest.param(80, marks=pytest.mark.soak)])
def test_a_process_that_has_read_tables_ends_as_it_should(lake: AzureFolder, processes: int, tmp_path: Path) -> None:
    """Reads that stop early are what aborted processes at their end, one in ten."""
    for number in range(6):
        store.write_arrow(lake, NAME, things(number * 100_000, 100_000))

    def ended(_: int) -> tuple[int, str, str]:
        call = [sys.executable, "-c", ENDS, str(lake)]
        done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path, timeout=120)
        return done.returncode, done.stdout.strip(), done.stderr.strip()

    with ThreadPoolExecutor(3) as at_once:
        assert set(at_once.map(ended, range(processes))) == {(0, f"2 3 {sum(range(600_000))}", "")}
