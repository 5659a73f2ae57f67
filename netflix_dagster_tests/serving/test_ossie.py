"""The exported semantic model says what the metrics say, and its expressions come to the same figures."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.metrics import FACTS, METRICS
from netflix_dagster.serving import metric_sql, ossie
from netflix_dagster_tests.figures import with_facts

DAY, NEXT = date(2024, 1, 7), date(2024, 1, 14)
PLACE = {"kind": "film", "language": "English", "category": "Films (English)", "week_key": 1}
FACT_ROWS: dict[str, list[dict[str, Any]]] = {
    "gold.fact_release_title": [
        {"release_date": DAY, "title_key": "a", "type": "Movie", "duration_minutes": 90, "release_year": 2000},
        {"release_date": DAY, "title_key": "b", "type": "Movie", "duration_minutes": 100, "date_added": DAY},
        {"release_date": NEXT, "title_key": "b", "type": "TV Show", "duration_seasons": 2, "release_year": 2020},
    ],
    "gold.fact_top10_global_weekly": [
        {**PLACE, "week": DAY, "weekly_rank": 1, "chart_title_key": "film|a", "weekly_hours_viewed": 30},
        {**PLACE, "week": DAY, "weekly_rank": 2, "chart_title_key": "film|b", "weekly_hours_viewed": 10},
        {**PLACE, "week": NEXT, "weekly_rank": 1, "chart_title_key": "film|b", "weekly_hours_viewed": None},
    ],
}
(MODEL,) = ossie.model()["semantic_model"]
DATASETS = {dataset["name"]: dataset for dataset in MODEL["datasets"]}
SAID = {metric["name"]: metric for metric in MODEL["metrics"]}


def test_the_file_is_the_model(tmp_path: Path) -> None:
    assert yaml.safe_load(ossie.export(tmp_path / "out").read_text(encoding="utf-8")) == ossie.model()


def test_it_has_what_the_draft_asks_for() -> None:
    assert list(ossie.model()) == ["version", "semantic_model", "dialects", "vendors"]
    for dataset in DATASETS.values():
        assert {"name", "source", "primary_key", "description", "fields"} == set(dataset)
        names = [field["name"] for field in dataset["fields"]]
        assert len(names) == len(set(names))
        assert all({"name", "expression"} < set(field) for field in dataset["fields"])
    for said in (*SAID.values(), *(field for dataset in DATASETS.values() for field in dataset["fields"])):
        (dialect,) = said["expression"]["dialects"]
        assert dialect["dialect"] == "DATABRICKS" and dialect["expression"]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_says_everything(name: str) -> None:
    metric, said = METRICS[name], SAID[name]
    more = json.loads(said["custom_extensions"][0]["data"])
    assert said["description"] == metric.meaning and more["unit"] == metric.unit and more["owner"] == metric.owner
    assert more["dataset"] in DATASETS and more["over_time"] == metric.over_time
    fields = {field["name"] for field in DATASETS[metric.of.name]["fields"] if "dimension" in field}
    assert set(more["dimensions"]) == set(metric.dimensions) <= fields


@pytest.mark.parametrize("name", [n for n, m in METRICS.items() if not metrics.looks_back(m.expression)])
def test_an_expression_comes_to_the_same_figures(name: str) -> None:
    metric = METRICS[name]
    period, fact = metric.of.period, FACTS[metric.fact]
    derived = "".join(f", {metric_sql._in('duckdb', c.sql)} AS {c.name}" for c in fact.derived)
    (said,) = SAID[name]["expression"]["dialects"]
    by = fact.dimension(period).sql
    rows, value = f"SELECT *{derived} FROM {fact.table}", f"{said['expression']} AS value"
    with with_facts(FACT_ROWS) as database:
        expected = database.execute(metric_sql.statement(metric, [period])).fetchall()
        asked = f"SELECT {by}, {value} FROM ({rows}) GROUP BY 1"
        found = database.execute(f"SELECT * FROM ({asked}) WHERE value IS NOT NULL").fetchall()
        assert sorted(found) == sorted(expected)
        of_nothing = database.execute(f"SELECT {value} FROM ({rows} WHERE false)").fetchall()
        assert of_nothing == [(None,)], "what cannot be known is absent, never 0"
