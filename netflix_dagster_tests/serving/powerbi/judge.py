"""An independent reader of TMDL and evaluator of DAX, pbix-mcp: the measures of the committed model in a filter
context, over tables as the model loads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from pbix_mcp.dax.engine import evaluate_measure
from pbix_mcp.formats.tmdl_reader import parse_tmdl_folder

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.metrics import NOT_STATED, Fact, Metric
from netflix_dagster.serving.powerbi import dax, source

PROJECT = Path(__file__).parents[3] / "infra/powerbi"
Loaded = dict[str, dict[str, Any]]


@cache
def model() -> dict[str, Any]:
    """The committed model, as the reader understands it."""
    read: dict[str, Any] = parse_tmdl_folder(str(PROJECT / "Netflix.SemanticModel/definition"))
    return read


@cache
def measures() -> dict[str, str]:
    """The expression of every measure."""
    return {measure["name"]: measure["expression"] for table in model()["tables"] for measure in table["measures"]}


def load(database: duckdb.DuckDBPyConnection, facts: Sequence[str]) -> Loaded:
    """The tables as the model has them: what their queries answer, days as DAX has them; of the others the columns."""
    found = {
        table["name"]: {"columns": [column["name"] for column in table["columns"]], "rows": []}
        for table in model()["tables"]
    }
    for name in facts:
        asked = database.execute(source.query(TABLES[name], "duckdb"))
        loaded = found[TABLES[name].short_name]
        assert loaded["columns"] == [column[0] for column in asked.description]
        loaded["rows"] = [[_as_dax(value) for value in row] for row in asked.fetchall()]
    return found


def value(metric: Metric, tables: Loaded, members: Mapping[str, Any]) -> Any:
    """The measure where dimensions, or columns ``table.column``, have these members; None where it is blank."""
    context = {_column(metric.of, name): [_member(metric.of, name, member)] for name, member in members.items()}
    return evaluate_measure(dax.name(metric), tables, dict(measures()), context, relationships=_relationships())


def expression(said: str, tables: Loaded) -> Any:
    """Any expression, where nothing is filtered."""
    return evaluate_measure("asked", tables, {"asked": said}, {})


def _relationships() -> list[dict[str, Any]]:
    return [
        {
            "FromTable": said["from_table"],
            "FromColumn": said["from_column"],
            "ToTable": said["to_table"],
            "ToColumn": said["to_column"],
            "IsActive": said["is_active"],
        }
        for said in model()["relationships"]
    ]


def _column(fact: Fact, name: str) -> str:
    return name if "." in name else f"{fact.name}.{source.column_of(fact, name)}"


def _member(fact: Fact, name: str, member: Any) -> Any:
    """A member as its column has it: ``metric_sql`` says all but the period as texts."""
    if member == NOT_STATED:
        return None
    if isinstance(member, str) and "." not in name:
        types = {column.name: column.type for column in source.loaded(fact.contract)}
        return int(member) if types[source.column_of(fact, name)] == "int" else member
    return _as_dax(member)


def _as_dax(value: Any) -> Any:
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else value
