"""The warehouse: gold, metrics and quality in one file that any DuckDB client opens, its figures those of the lake."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES, Contract
from netflix_dagster.contracts.metrics import METRICS
from netflix_dagster.lake import store
from netflix_dagster.serving import warehouse
from netflix_dagster.settings import Settings
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.figures import by_views

SERVED: dict[str, Contract] = {
    name: table for name, table in {**TABLES, **BOOKKEEPING}.items() if table.layer in warehouse.LAYERS
}


@pytest.fixture(scope="module")
def opened(built: Shell) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse that `run` has made."""
    with duckdb.connect(str(built.lake / "serving" / "warehouse.duckdb"), read_only=True) as connection:
        yield connection


def test_it_holds_every_table_as_the_lake_has_it(built: Shell, opened: duckdb.DuckDBPyConnection) -> None:
    taken = "SELECT table_name, delta_version, row_count FROM versions WHERE delta_version IS NOT NULL"
    found = {name: (version, rows) for name, version, rows in opened.execute(taken).fetchall()}
    there = {name: store.standing(built.lake, name) for name in SERVED if store.exists(built.lake, name)}
    assert found == there and len(found) > 25
    for name in ("gold.dim_title", "gold.kpi_catalogue", "quality.quarantine"):
        lakes = store.read_arrow(built.lake, name)
        assert lakes is not None
        columns = ", ".join(f'"{column}"' for column in lakes.column_names)
        served = opened.sql(f"SELECT {columns} FROM {name}").to_arrow_table().cast(lakes.schema)
        assert sorted(map(repr, served.to_pylist())) == sorted(map(repr, lakes.to_pylist()))


def test_every_table_and_column_says_what_it_means(opened: duckdb.DuckDBPyConnection) -> None:
    tables = opened.execute("SELECT schema_name || '.' || table_name, comment FROM duckdb_tables()").fetchall()
    assert all(said for _, said in tables) and len(tables) > 25
    columns = opened.execute(
        "SELECT schema_name || '.' || table_name, column_name, c.comment FROM duckdb_columns() AS c"
        " SEMI JOIN duckdb_tables() AS t USING (schema_name, table_name)"
    ).fetchall()
    silent = {(table, column) for table, column, said in columns if not said}
    assert {(table, column) for table, column in silent if column != "loaded_at"} == set()
    said = {(table, column): said for table, column, said in columns}
    assert said["gold.dim_title", "valid_from"] in {c.description for c in SERVED["gold.dim_title"].columns}


@pytest.mark.parametrize(("table", "period"), [("gold.kpi_catalogue", "delivery_date"), ("gold.kpi_top10", "week")])
def test_a_figure_of_the_sample_is_the_same_in_gold_and_in_its_view(
    opened: duckdb.DuckDBPyConnection, table: str, period: str
) -> None:
    gold = opened.execute(f"SELECT {period}, kpi, member, value FROM {table}").fetchall()
    found, expected = by_views(opened, table), {row[:3]: row[3] for row in gold}
    assert len(gold) > 500 and found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_definitions_are_in_it(opened: duckdb.DuckDBPyConnection) -> None:
    said = opened.execute("SELECT metric, meaning, unit, owner, fact, dimensions FROM metrics.definitions").fetchall()
    assert {row[0]: row[1:5] for row in said} == {
        m.name: (m.meaning, m.unit, m.owner, m.fact) for m in METRICS.values()
    }
    views = dict(
        opened.execute("SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'metrics'").fetchall()
    )
    assert views.keys() == METRICS.keys() and METRICS["hours"].meaning in views["hours"]


def test_it_opens_where_nothing_of_ours_is_and_after_a_move(built: Shell, tmp_path: Path) -> None:
    moved = shutil.copy(built.lake / "serving" / "warehouse.duckdb", tmp_path / "elsewhere.duckdb")
    asked = "SELECT sum(value) FROM metrics.hours WHERE dimension = 'all'"
    code = f"import duckdb; print(duckdb.connect({str(moved)!r}).execute({asked!r}).fetchall()[0][0])"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 1e9


def test_only_what_has_changed_is_written_and_readers_go_on_with_the_file_they_have(lake: Shell) -> None:
    settings = Settings(lake=str(lake.lake))
    file = warehouse.refresh(settings).file
    with duckdb.connect(str(file), read_only=True) as reader:
        before = reader.execute("SELECT table_name, taken_at FROM versions").fetchall()
        assert warehouse.refresh(settings).written == ()
        rows = store.read_arrow(lake.lake, "gold.dim_genre")
        assert rows is not None
        store.write_arrow(lake.lake, "gold.dim_genre", rows.slice(0, 1), replace="true")
        assert warehouse.refresh(settings).written == ("gold.dim_genre",)
        assert reader.execute("SELECT count(*) FROM gold.dim_genre").fetchall() == [(rows.num_rows,)]
    with duckdb.connect(str(file), read_only=True) as later:
        after = dict(later.execute("SELECT table_name, taken_at FROM versions").fetchall())
        assert later.execute("SELECT count(*) FROM gold.dim_genre").fetchall() == [(1,)]
    assert {name for name, taken in before if after[name] != taken} == {"gold.dim_genre"}
    assert [path.name for path in file.parent.glob(".warehouse*")] == []


def test_a_table_that_is_gone_a_changed_contract_and_a_broken_file_are_taken_up(
    lake: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(lake=str(lake.lake))
    file = warehouse.refresh(settings).file
    shutil.rmtree(lake.lake / "gold" / "fact_engagement")
    assert "gold.fact_engagement" not in warehouse.refresh(settings).versions
    with duckdb.connect(str(file), read_only=True) as connection:
        names = {row[0] for row in connection.execute("SELECT table_name FROM versions").fetchall()}
        views = {row[0] for row in connection.execute("SELECT view_name FROM duckdb_views()").fetchall()}
    assert "gold.fact_engagement" not in names and "engagement_hours" not in views and "hours" in views

    meant = warehouse._meanings
    monkeypatch.setattr(warehouse, "_meanings", lambda table: (meant(table)[0] + "!", meant(table)[1]))
    assert len(warehouse.refresh(settings).written) == len(names) - 1
    file.write_bytes(b"no database")
    assert len(warehouse.refresh(settings).written) == len(names) - 1


def test_a_file_that_is_mostly_free_is_written_anew(lake: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(lake=str(lake.lake))
    monkeypatch.setattr(warehouse, "MOST_FREE", -1.0)
    rows = store.read_arrow(lake.lake, "gold.dim_genre")
    assert rows is not None
    store.write_arrow(lake.lake, "gold.dim_genre", rows, replace="true")
    file = warehouse.refresh(settings).file
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM metrics.hours").fetchall()[0][0] > 0
        silent = "SELECT count(*) FROM duckdb_tables() WHERE comment IS NULL"
        assert connection.execute(silent).fetchall() == [(0,)]
    assert warehouse.refresh(settings).written == ()


def test_an_empty_lake_has_an_empty_warehouse(tmp_path: Path) -> None:
    made = warehouse.refresh(Settings(lake=str(tmp_path / "lake")))
    assert made.written == () and made.file.exists() and warehouse.refresh(Settings(lake=str(tmp_path / "lake")))
