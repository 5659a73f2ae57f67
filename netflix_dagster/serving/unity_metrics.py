"""Metric views of Unity Catalog: the metrics of a fact as measures, to be cut by whatever dimension is asked for.

There is one for each fact, beside it in the schema of gold. A metric that looks back has no measure: Databricks
counts back in days, not in releases. It is an ordinary view of its values instead, ``gold.metric_<name>``. ::

    SELECT by_week, MEASURE(hours) FROM gold.metrics_of_fact_top10_global_weekly GROUP BY ALL
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.metrics import FACTS, METRICS, NOT_STATED, Dimension, Fact, Metric
from netflix_dagster.serving import metric_sql

VERSION = "1.1"
LAYER = "gold"


@dataclass(frozen=True, slots=True)
class View:
    """A view of the catalog; ``fact`` is the table it reads. The comment changes with all that it says."""

    name: str
    fact: str
    create: str
    comment: str


def views(catalog: str, schemas: Mapping[str, str] | None = None) -> Iterator[View]:
    """The views of all facts and metrics. ``schemas`` says where the layer gold has another name."""
    schema = f"`{catalog}`.`{(schemas or {}).get(LAYER, LAYER)}`"
    for fact in FACTS.values():
        said = definition(fact, f"{schema}.`{fact.contract.short_name}`")
        meaning = f"The metrics of {fact.table}: {', '.join(measure['name'] for measure in said['measures'])}"
        said["comment"] = _marked(meaning, said)
        create = f"WITH METRICS LANGUAGE YAML AS $$\n{_yaml(said)}$$"
        name = f"{schema}.`metrics_of_{fact.contract.short_name}`"
        yield View(name, fact.table, f"CREATE OR REPLACE VIEW {name} {create}", said["comment"])
    for metric in filter(_looks_back, METRICS.values()):
        name = f"{schema}.`metric_{metric.name}`"
        _, _, select = metric_sql.view(metric, "databricks").partition(" AS ")
        select = select.replace(f"FROM {metric.fact}", f"FROM {schema}.`{metric.of.contract.short_name}`")
        comment = _marked(f"{metric.meaning} ({metric.unit}), period by period, whole and by every dimension", select)
        quoted = comment.replace("\\", "\\\\").replace("'", "\\'")
        yield View(name, metric.fact, f"CREATE OR REPLACE VIEW {name} COMMENT '{quoted}' AS {select}", comment)


def definition(fact: Fact, source: str) -> dict[str, Any]:
    """The metric view of a fact, without its comment. Columns that the rows gain for metrics are part of its source."""
    derived = "".join(f", {column.sql} AS {column.name}" for column in fact.derived)
    mine = [metric for metric in METRICS.values() if metric.fact == fact.table and not _looks_back(metric)]
    return {
        "version": VERSION,
        "comment": "",
        "source": f"SELECT *{derived} FROM {source}" if derived else source,
        "dimensions": [_dimension(dimension, fact) for dimension in fact.dimensions],
        "measures": [_measure(metric) for metric in mine],
    }


def _dimension(dimension: Dimension, fact: Fact) -> dict[str, str]:
    said = dimension.sql
    if dimension.name != fact.period:
        said = f"COALESCE(CAST({said} AS STRING), '{NOT_STATED}')"
    return {"name": f"by_{dimension.name}", "expr": said, "comment": dimension.meaning}


def _measure(metric: Metric) -> dict[str, Any]:
    """The metric of whatever rows are asked for."""
    said: dict[str, Any] = {
        "name": metric.name,
        "expr": metric_sql.aggregation(metric),
        "comment": f"{metric.meaning} ({metric.unit})",
    }
    if metric.over_time == "last":
        said["window"] = [{"order": f"by_{metric.of.period}", "range": "current", "semiadditive": "last"}]
    return said


def _looks_back(metric: Metric) -> bool:
    return metrics.looks_back(metric.expression)


def _marked(meaning: str, said: object) -> str:
    return f"{meaning} [{hashlib.sha256(repr(said).encode()).hexdigest()[:12]}]"


def _yaml(said: Mapping[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(dict(said), sort_keys=False, allow_unicode=True, width=1000)
    return text
