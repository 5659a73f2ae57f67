"""A write is whole or not at all, touches only its deliveries, and never trusts an engine with the schema."""

from __future__ import annotations

import shutil
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from netflix_dagster.contracts.contract import Column, ContractError, Table
from netflix_dagster.lake import store
from netflix_dagster.lake.maintenance import maintain
from netflix_dagster.lake.staging import staged

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import DataFrame, SparkSession

    Put = Callable[[DataFrame, Path, Table, list[str]], None]

NAME = "silver.trial"


def contract(*extra: Column, write: str = "per_delivery", id_type: str = "string") -> Table:
    columns = (Column("delivery_date", "date", ""), Column("id", id_type, ""), *extra)
    return Table(NAME, "", "", ("id",), columns, "catalogue", (), lambda: None, write)  # type: ignore[arg-type,return-value]


def rows(spark: SparkSession, *pairs: tuple[str, str], more: str = "") -> DataFrame:
    said = " UNION ALL ".join(f"SELECT DATE'{day}' AS delivery_date, '{id_}' AS id{more}" for day, id_ in pairs)
    return spark.sql(said)


def held(lake: Path) -> list[tuple[Any, ...]]:
    delta = store.delta(lake, NAME)
    assert delta is not None
    return sorted((str(r["delivery_date"]), r["id"]) for r in delta.to_pyarrow_table().to_pylist())


def written_from_here(frame: DataFrame, lake: Path, table: Table, deliveries: list[str]) -> None:
    rows = frame.toArrow()
    store.write_batches(rows.to_batches, lake, table, deliveries)


@pytest.fixture(params=[store.write, written_from_here], ids=["by the engine", "from here"])
def put(request: pytest.FixtureRequest) -> Put:
    """A way to write deliveries: many rows are written by the engine, few from this process."""
    way: Put = request.param
    return way


def test_writing_a_delivery_again_replaces_it_and_no_other(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    put(rows(spark, ("2020-01-01", "a"), ("2020-01-02", "b")), tmp_path, contract(), ["2020-01-01", "2020-01-02"])
    put(rows(spark, ("2020-01-01", "c")), tmp_path, contract(), ["2020-01-01"])
    assert held(tmp_path) == [("2020-01-01", "c"), ("2020-01-02", "b")]


def test_a_delivery_that_came_to_nothing_leaves_no_rows(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    put(rows(spark, ("2020-01-01", "a"), ("2020-01-02", "b")), tmp_path, contract(), ["2020-01-01", "2020-01-02"])
    put(rows(spark, ("2020-01-01", "a")).where("false"), tmp_path, contract(), ["2020-01-01"])
    assert held(tmp_path) == [("2020-01-02", "b")]


def test_the_first_write_may_be_empty(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    put(rows(spark, ("2020-01-01", "a")).where("false"), tmp_path, contract(), ["2020-01-01"])
    assert held(tmp_path) == []
    put(rows(spark, ("2020-01-01", "a")), tmp_path, contract(), ["2020-01-01"])
    assert held(tmp_path) == [("2020-01-01", "a")]


@pytest.mark.parametrize("write", ["per_delivery", "whole"])
def test_a_table_is_there_with_its_first_rows_or_not_at_all(tmp_path: Path, write: str) -> None:
    table, found = contract(write=write), pa.table({"delivery_date": [date(2020, 1, 1)], "id": ["a"]})
    store.write_batches(found.to_batches, tmp_path, table, ["2020-01-01"], "a note")
    first = store.delta(tmp_path, NAME)
    assert first is not None and store.last_note(tmp_path, NAME) == "a note"
    first.load_as_version(0)
    assert first.to_pyarrow_table().num_rows == 1, "no reader finds it before it has rows"
    store.create(tmp_path / "other", table)
    made = store.delta(tmp_path / "other", NAME)
    assert made is not None and (made.schema(), made.protocol()) == (first.schema(), first.protocol())
    said, promised = first.metadata(), made.metadata()
    assert (said.partition_columns, said.configuration) == (promised.partition_columns, promised.configuration)


def test_whoever_looks_at_a_table_sees_each_commit_and_holds_what_it_saw(tmp_path: Path) -> None:
    table, target = contract(), store.location(tmp_path, NAME)

    def ours(day: str) -> None:
        found = pa.table({"delivery_date": [date.fromisoformat(day)], "id": ["a"]})
        store.write_batches(found.to_batches, tmp_path, table, [day])

    def anew() -> None:
        shutil.rmtree(target)
        ours("2020-01-01")  # with as many commits as there were: none but the files tell

    steps = {
        "made": lambda: ours("2020-01-01"),
        "made anew": anew,
        "written here": lambda: ours("2020-01-02"),
        "written by another program": lambda: write_deltalake(
            target, DeltaTable(target).to_pyarrow_table(), mode="append"
        ),
        "gained a column": lambda: store.evolve(tmp_path, contract(Column("year", "int", ""))),
        "put back": lambda: DeltaTable(target).restore(0),
        "joined": lambda: DeltaTable(target).optimize.compact(),
    }
    assert store.look(tmp_path, NAME) is None
    held: list[tuple[DeltaTable, object]] = []
    for what, step in steps.items():
        step()
        seen, there = store.look(tmp_path, NAME), store.delta(tmp_path, NAME)
        assert seen is not None and there is not None and _state(seen) == _state(there), what
        assert store.look(tmp_path, NAME) is seen, f"{what}: a table that did not change is opened once"
        assert all(_state(earlier) == then for earlier, then in held), f"{what}: it changed in somebody's hands"
        held.append((seen, _state(seen)))
    shutil.rmtree(target)
    assert store.look(tmp_path, NAME) is None


def _state(found: DeltaTable) -> object:
    return found.version(), found.metadata().id, found.schema().json(), sorted(found.file_uris())


def test_a_table_never_written_reads_as_empty(spark: SparkSession, tmp_path: Path) -> None:
    frame = store.read(spark, tmp_path, contract(), ["2020-01-01"])
    assert (frame.columns, frame.count()) == (["delivery_date", "id"], 0)
    assert store.version(tmp_path, NAME) is None and store.row_count(tmp_path, NAME) == 0


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (contract(Column("year", "int", "")), "year is missing, the contract says int"),
        (contract(id_type="bigint"), "id is string, the contract says (bigint|int64)"),
    ],
)
def test_a_function_that_breaks_its_contract_writes_nothing(
    spark: SparkSession, tmp_path: Path, put: Put, table: Table, reason: str
) -> None:
    with pytest.raises(ContractError, match=reason):
        put(rows(spark, ("2020-01-01", "a")), tmp_path, table, ["2020-01-01"])
    assert not store.exists(tmp_path, NAME)


def test_a_column_that_the_contract_gained_is_added(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    put(rows(spark, ("2020-01-01", "a")), tmp_path, contract(), ["2020-01-01"])
    wider = contract(Column("year", "int", ""), Column("tags", "array<string>", ""))
    put(rows(spark, ("2020-01-02", "b"), more=", 7 AS year, array('x') AS tags"), tmp_path, wider, ["2020-01-02"])
    delta = store.delta(tmp_path, NAME)
    assert delta is not None
    found = {r["id"]: (r["year"], r["tags"]) for r in delta.to_pyarrow_table().to_pylist()}
    assert found == {"a": (None, None), "b": (7, ["x"])}


def test_a_column_whose_type_changed_is_refused_with_what_to_do(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    put(rows(spark, ("2020-01-01", "a")), tmp_path, contract(), ["2020-01-01"])
    numbers = spark.sql("SELECT DATE'2020-01-01' AS delivery_date, 1L AS id")
    with pytest.raises(ContractError, match=r"id is string in the table and bigint in the contract.*Move .*away"):
        put(numbers, tmp_path, contract(id_type="bigint"), ["2020-01-01"])
    assert held(tmp_path) == [("2020-01-01", "a")]


def test_two_writers_of_one_table_lose_nothing(spark: SparkSession, tmp_path: Path, put: Put) -> None:
    days = [f"2020-01-{n:02}" for n in range(1, 9)]
    put(rows(spark, *((day, "old") for day in days)), tmp_path, contract(), days)
    failures: list[BaseException] = []

    def replace(mine: list[str]) -> None:
        try:
            for day in mine:
                put(rows(spark, (day, "new")), tmp_path, contract(), [day])
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=replace, args=(days[n::2],)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    assert held(tmp_path) == [(day, "new") for day in days]


def test_staging_is_gone_after_use_and_after_a_failure(spark: SparkSession, tmp_path: Path) -> None:
    with staged(rows(spark, ("2020-01-01", "a")), tmp_path, NAME) as aside:
        assert aside.frame.count() == aside.count() == aside.rows(["id"]).num_rows == 1
        assert len(list((tmp_path / store.STAGING).iterdir())) == 1
    with pytest.raises(ZeroDivisionError), staged(rows(spark, ("2020-01-01", "a")), tmp_path, NAME):
        raise ZeroDivisionError
    assert list((tmp_path / store.STAGING).iterdir()) == []


def test_maintenance_compacts_and_removes_and_keeps_every_row(spark: SparkSession, tmp_path: Path) -> None:
    days = [f"2020-01-{n:02}" for n in range(1, 6)]
    for day in days:
        store.write(rows(spark, (day, "a"), (day, "b")), tmp_path, contract(), [day])
        store.write(rows(spark, (day, "c"), (day, "d")), tmp_path, contract(), [day])
    before, files = held(tmp_path), len(list((tmp_path / "silver" / "trial").rglob("*.parquet")))
    done = maintain(tmp_path, retention_hours=0, nobody_works=True)
    assert held(tmp_path) == before
    assert done[NAME].removed >= 5
    assert len(list((tmp_path / "silver" / "trial").rglob("*.parquet"))) < files
