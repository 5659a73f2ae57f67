"""The lakehouse from Python: every form, every moment, without an engine."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from netflix_dagster import lakehouse
from netflix_dagster.lake import store
from netflix_dagster_tests.cli.shell import Shell


@pytest.fixture(scope="module")
def house(built: Shell) -> lakehouse.Lakehouse:
    return lakehouse.open(built.lake)


def test_a_table_in_every_form(house: lakehouse.Lakehouse) -> None:
    rows = house.table("gold.dim_title")
    assert rows.to_arrow().num_rows == len(rows.to_pandas()) == store.row_count(house.lake, "gold.dim_title")
    assert house.table("dim_title").to_arrow().equals(rows.to_arrow())
    assert rows.to_duckdb().execute("SELECT count(*) FROM gold.dim_title").fetchall() == [(rows.to_arrow().num_rows,)]
    assert {"gold.dim_title", "silver.titles", "bronze.netflix_titles", "quality.quarantine"} <= set(house.tables())


def test_polars_where_it_is_installed(house: lakehouse.Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(lakehouse.LakehouseError, match="pip install polars"):
        house.table("dim_week").to_polars()


def test_a_metric_is_what_gold_says(house: lakehouse.Lakehouse) -> None:
    said = house.sql("SELECT week, member, value FROM gold.kpi_top10 WHERE kpi = 'hours' AND member != 'all'")
    gold = {(row["week"], row["member"]): row["value"] for row in said.to_arrow().to_pylist()}
    rows = house.metric("hours", by=["week", "category"]).to_arrow().to_pylist()
    assert {(row["week"], row["category"]): row["value"] for row in rows} == gold
    newest = max(week for week, _ in gold)
    of_week = house.metric("hours", by="category", where="value > 0").to_arrow()
    assert of_week.num_rows == len({category for _, category in gold})
    (stock,) = house.metric("titles").to_arrow().to_pylist()
    per_release = house.metric("titles", by=["release"], where="value > 0").to_arrow().to_pylist()
    assert stock["value"] == per_release[-1]["value"]
    (kept,) = house.metric("retention", where="value BETWEEN 0 AND 1").to_arrow().to_pylist()
    views = house.sql(f"SELECT value FROM metrics.retention WHERE week = '{newest}' AND dimension = 'all'")
    assert [kept] == views.to_arrow().to_pylist()


def test_a_table_as_it_stood(lake: Shell) -> None:
    house = lakehouse.open(str(lake.lake))
    before, rows = datetime.now(UTC), house.table("gold.dim_genre").to_arrow()
    store.write_arrow(lake.lake, "gold.dim_genre", rows.slice(0, 1), replace="true")
    assert house.table("gold.dim_genre").to_arrow().num_rows == 1
    for moment in (before, before.isoformat()):
        assert house.table("gold.dim_genre", as_of=moment).to_arrow().num_rows == rows.num_rows > 1


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (lambda house: house.table("gold.nope"), "there is no table gold.nope"),
        (lambda house: house.metric("ours"), "the metrics are titles, "),
        (lambda house: house.metric("hours", by=["country"]), "it is by week, category, kind, language, title"),
        (lambda house: house.metric("hours", where="nope = 1").to_arrow(), "nope"),
        (lambda house: house.sql("DROP TABLE dim_title").to_arrow(), "write a SELECT"),
        (lambda house: house.table("dim_title", as_of="soon"), "write it as 2026-01-31"),
        (lambda house: house.table("dim_title", as_of="2001-01-01").to_arrow(), "There were no tables"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(house: lakehouse.Lakehouse, asked: object, answer: str) -> None:
    with pytest.raises(lakehouse.LakehouseError, match=answer):
        asked(house)  # type: ignore[operator]


def test_no_engine_is_started_and_dagster_is_not_needed(built: Shell) -> None:
    code = (
        "import sys; from netflix_dagster import lakehouse; lakehouse.open().metric('hours', by=['week']).to_pandas();"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'dagster', 'pysail', 'pyspark', 'sqlglot'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=built.environment(NETFLIX_LAKE=built.lake), capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
