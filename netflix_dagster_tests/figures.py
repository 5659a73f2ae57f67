"""Figures as the warehouse computes them, to be compared with those of the gold tables."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from netflix_dagster.contracts.bookkeeping import arrow_schema
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.metrics import ALL, FACTS, METRICS, Figure, figures_of
from netflix_dagster.serving import metric_sql, warehouse
from netflix_dagster.serving.warehouse import define_views
from netflix_dagster.settings import Settings

Figures = dict[tuple[Any, str, str], float]
"""By period, kpi and member."""


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """A database with every fact, empty, and the views of the metrics over them."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA gold")
    for name in FACTS:
        connection.register("rows", arrow_schema(TABLES[name]).empty_table())
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
        connection.unregister("rows")
    define_views(connection)
    return connection


@contextmanager
def with_facts(facts: Mapping[str, Iterable[Mapping[str, Any]]]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with these facts, and the views of the metrics over them."""
    connection = _database()
    connection.execute("BEGIN")
    try:
        for name, rows in facts.items():
            schema = arrow_schema(TABLES[name])
            connection.register("rows", pa.Table.from_pylist([dict(row) for row in rows], schema=schema))
            connection.execute(f"INSERT INTO {name} SELECT * FROM rows")
            connection.unregister("rows")
        yield connection
    finally:
        connection.execute("ROLLBACK")


def by_views(connection: duckdb.DuckDBPyConnection, table: str) -> Figures:
    """All figures of a KPI table, from the views of their metrics."""
    found: Figures = {}
    for figure in figures_of(table):
        metric = METRICS[figure.metric]
        rows = connection.execute(
            f"SELECT {metric.of.period}, member, value FROM metrics.{metric.name} WHERE dimension = ?",
            [figure.by or ALL],
        ).fetchall()
        within = _within(connection, figure)
        alike: dict[tuple[Any, str | None], list[float]] = {}
        for period, member, value in rows:
            alike.setdefault((period, within.get(member)), []).append(-value)
        for values in alike.values():
            values.sort()
        for period, member, value in rows:
            larger = bisect_left(alike[period, within.get(member)], -value)
            if figure.top is None or larger < figure.top:
                found[period, figure.kpi, member] = value
    return found


def assert_gold_is_what_its_views_say(lake: Path, table: str) -> None:
    """Every figure of a KPI table of a lake, compared with the views of a warehouse that is made of the lake."""
    file = warehouse.refresh(Settings(lake=str(lake))).file
    period = TABLES[table].key[0]
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(f"SELECT {period}, kpi, member, value FROM {table}").fetchall()
        gold, views = {row[:3]: row[3] for row in rows}, by_views(connection, table)
    assert len(gold) == len(rows) > 500 and views.keys() == gold.keys()
    wrong = {key: (value, views[key]) for key, value in gold.items() if abs(value - views[key]) > 1e-12 * abs(value)}
    assert not wrong, f"{len(wrong)} figures differ, such as {list(wrong.items())[:3]}"


def by_statements(connection: duckdb.DuckDBPyConnection, table: str) -> Figures:
    """All figures of a KPI table that is not cut to its largest, as T-SQL says them, read back by sqlglot."""
    import sqlglot

    found: Figures = {}
    for figure in (figure for figure in figures_of(table) if figure.top is None):
        metric = METRICS[figure.metric]
        by = [metric.of.period, *([figure.by] if figure.by else [])]
        said = sqlglot.transpile(metric_sql.statement(metric, by, "tsql"), read="tsql", write="duckdb")[0]
        for left, meant in READ_BACK.items():
            said = said.replace(left, meant)
        for row in connection.execute(said).fetchall():
            found[row[0], figure.kpi, row[1] if figure.by else ALL] = row[-1]
    return found


READ_BACK = {"TEXT(MAX)": "TEXT", "+ CHR(31) +": "|| CHR(31) ||", "AS REAL)": "AS DOUBLE)"}
"""What sqlglot leaves as it is, or reads otherwise: FLOAT of T-SQL is a double."""


def _within(connection: duckdb.DuckDBPyConnection, figure: Figure) -> dict[str, str]:
    if figure.within is None:
        return {}
    fact = METRICS[figure.metric].of
    columns = (fact.dimension(figure.by or "").sql, fact.dimension(figure.within).sql)
    return dict(connection.execute(f"SELECT DISTINCT {', '.join(columns)} FROM {fact.table}").fetchall())
