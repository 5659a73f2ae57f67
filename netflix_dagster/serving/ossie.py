"""The metrics as a semantic model of Apache Ossie (Open Semantic Interchange), for catalogues, BI tools and agents.

https://github.com/apache/ossie: one document, ``netflix.ossie.yaml``. The standard is a draft, and says of a metric one
aggregation over one dataset. What it has no words for stands in ``custom_extensions``: unit, owner, format, dimensions,
and what a metric is over time. A metric that looks back a period is the maximum of its view in the warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.metrics import ALL, CORE, FACTS, METRICS, Fact, Metric
from netflix_dagster.serving import metric_sql

VERSION = "0.2.0.dev0"
VENDOR, DIALECT = "COMMON", "DATABRICKS"
DATATYPES = {
    "string": "String",
    "date": "Date",
    "timestamp": "DateTimeTz",
    "boolean": "Boolean",
    "double": "Float",
    "int": "Integer",
    "bigint": "Integer",
}

metrics.renderer("Apache Ossie", CORE)


def export(folder: Path) -> Path:
    """Write the model and return where it went."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "netflix.ossie.yaml"
    said = yaml.safe_dump(model(), sort_keys=False, allow_unicode=True, width=120)
    path.write_text(said, encoding="utf-8", newline="\n")
    return path


def model() -> dict[str, Any]:
    """The semantic model: facts as datasets, and all metrics."""
    looking_back = [metric for metric in METRICS.values() if metrics.looks_back(metric.expression)]
    return {
        "version": VERSION,
        "semantic_model": [
            {
                "name": "netflix",
                "description": "What exists on Netflix, and what people watch there",
                "datasets": [*map(_dataset, FACTS.values()), *map(_view, looking_back)],
                "metrics": [_metric(metric) for metric in METRICS.values()],
            }
        ],
        "dialects": [DIALECT],
        "vendors": [VENDOR],
    }


def _dataset(fact: Fact) -> dict[str, Any]:
    contract = fact.contract
    columns = [_field(c.name, c.name, c.description, DATATYPES.get(c.type)) for c in contract.columns]
    columns += [_field(c.name, c.sql, c.meaning, DATATYPES.get(c.type)) for c in fact.derived]
    known = {column["name"] for column in columns}
    dimensions = {d.name: d for d in fact.dimensions}
    for column in columns:
        if column["name"] in dimensions:
            column["dimension"] = {"is_time": column["name"] == fact.period}
    columns += [
        _field(d.name, d.sql, d.meaning) | {"dimension": {"is_time": d.name == fact.period}}
        for d in fact.dimensions
        if d.name not in known
    ]
    return {
        "name": fact.name,
        "source": fact.table,
        "primary_key": list(contract.key),
        "description": contract.description,
        "fields": columns,
    }


def _view(metric: Metric) -> dict[str, Any]:
    period = metric.of.period
    return {
        "name": metric.name,
        "source": f"{metric_sql.SCHEMA}.{metric.name}",
        "primary_key": [period, "dimension", "member"],
        "description": f"{metric.meaning}, period by period, whole and by every dimension",
        "fields": [
            _field(period, period, metric.of.dimension(period).meaning) | {"dimension": {"is_time": True}},
            _field("dimension", "dimension", f"What it is cut by, {ALL}: not at all", "String") | {"dimension": {}},
            _field("member", "member", "What it is the figure of", "String") | {"dimension": {}},
            _field("value", "value", metric.meaning, "Float"),
        ],
    }


def _field(name: str, expression: str, meaning: str, datatype: str | None = None) -> dict[str, Any]:
    field: dict[str, Any] = {"name": name, "expression": _said(expression), "description": meaning}
    return field | ({"datatype": datatype} if datatype else {})


def _said(expression: str) -> dict[str, Any]:
    return {"dialects": [{"dialect": DIALECT, "expression": expression}]}


def _metric(metric: Metric) -> dict[str, Any]:
    looks_back = metrics.looks_back(metric.expression)
    name = metric.name
    expression = (
        f"MAX(CASE WHEN {name}.dimension = '{ALL}' THEN {name}.value END)"
        if looks_back
        else metric_sql.aggregation(metric)
    )
    more: Mapping[str, Any] = {
        "dataset": name if looks_back else metric.of.name,
        "unit": metric.unit,
        "owner": metric.owner,
        "format": metric.format,
        "dimensions": list(metric.dimensions),
        "over_time": metric.over_time,
    }
    return {
        "name": name,
        "expression": _said(expression),
        "description": metric.meaning,
        "datatype": "Float",
        "custom_extensions": [{"vendor_name": VENDOR, "data": json.dumps(more)}],
    }
