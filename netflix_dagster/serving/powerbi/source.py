"""What a table of the model is loaded with: a query in the words of the source that it asks.

A query names its columns and never says ``*``: a column that gold gains is not loaded before the model has it. Facts
gain their derived columns here, and the dimensions that are more than a column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts.contract import Column, ContractError, Table
from netflix_dagster.contracts.metrics import FACTS, Fact
from netflix_dagster.serving import metric_sql

Source = Literal["synapse", "databricks", "warehouse"]
"""Synapse serverless; Databricks SQL; the warehouse as a DuckDB file."""
DIALECTS: dict[Source, metric_sql.Dialect] = {"synapse": "tsql", "databricks": "databricks", "warehouse": "duckdb"}
CALENDARS = ("dim_date", "dim_week")
"""The tables through which periods are filtered."""
TYPES = {
    "string": "string",
    "int": "int64",
    "bigint": "int64",
    "double": "double",
    "boolean": "boolean",
    "date": "dateTime",
}
"""The types of the contracts in the model. A column of another type, a list, is not shown there."""
_AS_TEXT = re.compile(r"CAST\((\w+) AS STRING\)")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A column that a query loads: ``sql`` in the words of Databricks."""

    name: str
    type: str
    description: str
    sql: str


def column_of(fact: Fact, dimension: str) -> str:
    """The column of the model that a dimension of a fact is: its own column, or one that the query adds."""
    sql = fact.dimension(dimension).sql
    if sql in fact.columns:
        return sql
    text = _AS_TEXT.fullmatch(sql)
    return text[1] if text and text[1] in fact.columns else dimension


def loaded(table: Table) -> list[Loaded]:
    """The columns of a table of gold in the model: its own, those derived for metrics, then computed dimensions."""
    columns = [_own(column) for column in table.columns if column.type in TYPES]
    fact = FACTS.get(table.name)
    if fact is None:
        return columns
    columns += [Loaded(c.name, c.type, c.meaning, c.sql) for c in fact.derived]
    known = set(fact.columns)
    for dimension in fact.dimensions:
        if (name := column_of(fact, dimension.name)) in known:
            continue
        if unknown := [column.name for column in fact.derived if column.name in dimension.sql]:
            raise ContractError(f"{fact.table}: the dimension {name} is made of {', '.join(unknown)}: derive it")
        columns.append(Loaded(name, "string", dimension.meaning, dimension.sql))
    return columns


def query(table: Table, dialect: metric_sql.Dialect) -> str:
    """The SELECT that loads a table."""
    said = [
        column.sql if column.sql == column.name else f"{metric_sql.said(dialect, column.sql)} AS {column.name}"
        for column in loaded(table)
    ]
    return f"SELECT {', '.join(said)} FROM {table.name}"


def _own(column: Column) -> Loaded:
    return Loaded(column.name, column.type, column.description, column.name)
