"""Nothing brings a table to the driver or into one task, unless a contract bounds how large it may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build import judgement
from netflix_dagster.contracts import expectations
from netflix_dagster.contracts.contract import TABLES, Write, between, holds, in_set, not_null
from netflix_dagster.lake import bounded, store
from netflix_dagster.lake.staging import staged
from netflix_dagster.tables import gathering
from netflix_dagster_tests.contracts.test_expectations import DDL, contract
from netflix_dagster_tests.defs.test_architecture import PACKAGE
from netflix_dagster_tests.examples import examples

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOMS = ("engine", "lake", "contracts", "deliveries", "tables", "build", "databricks", "pipelines")
"""The rooms that build tables. Those behind them read what is to be shown, in queries of DuckDB."""
TOGETHER = {"collect", "toArrow", "toPandas", "toLocalIterator", "to_table", "to_pyarrow_table", "head", "tail", "take"}
BOUNDED = {
    "contracts/expectations.py measure collect": "a row for each delivery of the build",
    "contracts/tallies.py by_engine toArrow": "groups of rules that rows break, by delivery",
    "engine/spark.py ship_package collect": "one row",
    "lake/remote.py __arrow_c_stream__ to_table": "what a query of DuckDB reads, outside of builds",
    "lake/remote.py to_table to_table": "no row: the schema of the columns",
    "lake/remote.py head to_table": "no row: the schema of the columns; then as many rows as asked for",
    "lake/staging.py staged toArrow": "no row: an empty frame",
    "lake/store.py rows head": "as many rows as asked for",
}
"""Every call in these rooms that brings rows here, with what bounds them. Others go through ``lake.bounded``."""
ONE_TASK = {
    "engine/spark.py ship_package coalesce": "one row",
    "tables/gathering.py delivery_by_delivery partitionBy": "a delivery has at most ``gathers`` rows",
    "tables/silver/title_history.py _releases partitionBy": "a row for each release",
}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a method in these rooms, with its module, its function and its name."""
    for room in ROOMS:
        for path in sorted((PACKAGE / room).rglob("*.py")):
            for function in ast.walk(ast.parse(path.read_text())):
                if isinstance(function, ast.FunctionDef):
                    for node in _own(function):
                        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                            yield f"{path.relative_to(PACKAGE)} {function.name} {node.func.attr}", node


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """What is in a function, but for the functions in it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef):
            yield node
            yield from _own(node)  # type: ignore[arg-type]


def arrows_take(call: ast.Call) -> bool:
    """Whether a call is that of Arrow's ``take`` or of a place's ``head``: these have no engine behind them."""
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr == "take" or ast.unparse(call.func.value).startswith("_at(")


def test_every_call_that_brings_rows_here_is_listed_with_its_bound() -> None:
    found = {which for which, call in calls() if which.split()[-1] in TOGETHER and not arrows_take(call)}
    assert found == {name.strip() for name in BOUNDED}


def test_nothing_comes_together_in_one_task_but_where_the_contract_says_so() -> None:
    found = {
        which
        for which, call in calls()
        if which.split()[-1] in ("coalesce", "repartition", "partitionBy")
        and [ast.unparse(said) for said in call.args] in (["1"], ["F.lit(1)"])
    }
    assert found == set(ONE_TASK)
    gather = {path for path in (PACKAGE / "tables").rglob("*.py") if "delivery_by_delivery(" in path.read_text()}
    declared = {Path(t.function.__code__.co_filename) for t in TABLES.values() if t.gathers is not None}
    assert gather - {PACKAGE / "tables" / "gathering.py"} == declared


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["d1", "d2"]),
        st.sampled_from(["1", "2", "3", None]),
        st.sampled_from(["Movie", "Opera", None]),
        st.sampled_from([1800, 2000, None]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("write", ["per_delivery", "whole"])
@given(rows=ROWS)
@settings(max_examples=examples(6), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_engine_counts_many_rows_as_arrow_counts_few(
    spark: SparkSession, tmp_path: Path, write: Write, rows: list[tuple[Any, ...]]
) -> None:
    said = holds("early", "year > 1900", "", because="kind")
    rules = (not_null("kind"), in_set("kind", ("Movie",)), between("year", 1900, 2100, "drop"), said)
    table = contract(*rules, write=write)
    annotated = expectations.annotate(spark.createDataFrame(rows, DDL), table)
    judged = []
    for most in (store.FEW_ROWS, 0):
        with pytest.MonkeyPatch.context() as patch, ExitStack() as aside:
            patch.setattr(store, "FEW_ROWS", most)
            kept, found = judgement.judge(annotated, table, tmp_path, aside)
            judged.append((found, sorted(map(repr, kept.rows().to_pylist()))))
    assert judged[0] == judged[1]
    assert sum(tally.rows for tally in judged[1][0].values()) == len(rows)


def test_more_bytes_than_a_process_may_hold_are_refused_and_not_read(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staged(spark.range(10_000), tmp_path, "silver.trial") as aside:
        assert aside.rows(["id"]).num_rows == 10_000
        monkeypatch.setattr(bounded, "AT_HAND", 1_000)
        with pytest.raises(bounded.TooManyRows, match=r"silver\.trial: .* every table is as it was"):
            aside.rows(["id"])


def test_a_delivery_of_too_many_rows_is_refused_and_several_are_not(spark: SparkSession) -> None:
    days = [date(2020, 1, n) for n in (1, 2, 3)]
    frame = spark.createDataFrame([(day, n) for n in range(40) for day in reversed(days)], "delivery_date date, n int")
    schema = pa.schema([("delivery_date", pa.date32()), ("rows", pa.int64())])

    def count(deliveries: Iterator[pa.Table]) -> Iterator[dict[str, Any]]:
        for of_one in deliveries:
            (day,) = set(of_one.column("delivery_date").to_pylist())
            yield {"delivery_date": day, "rows": of_one.num_rows}

    def counted(most: int) -> list[tuple[date, int]]:
        folded = gathering.delivery_by_delivery(frame, count, schema, "delivery_date date, rows bigint", most)
        return [(row["delivery_date"], row["rows"]) for row in folded.collect()]

    assert counted(40) == [(day, 40) for day in days]
    with pytest.raises(Exception, match="has more than 39 rows"):
        counted(39)
