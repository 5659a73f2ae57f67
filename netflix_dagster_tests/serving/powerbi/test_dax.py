"""A measure has the value of its metric: as an independent evaluator of DAX finds it, and as the warehouse has it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.contract import ContractError
from netflix_dagster.contracts.metrics import METRICS, Count, Metric
from netflix_dagster.serving import metric_sql
from netflix_dagster.serving.powerbi import dax
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.figures import with_facts
from netflix_dagster_tests.serving.powerbi import judge
from netflix_dagster_tests.tables.test_kpi_top10 import charts
from netflix_dagster_tests.tables.test_metrics import Facts, catalogues


@settings(max_examples=examples(3), deadline=None, phases=(Phase.reuse, Phase.generate))
@given(catalogues())
def test_figures_of_catalogues(facts: Facts) -> None:
    assert_measures_are_metrics(facts)


@settings(max_examples=examples(3), deadline=None, phases=(Phase.reuse, Phase.generate))
@given(charts())
def test_figures_of_charts(told: tuple[list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    world, countries = told
    assert_measures_are_metrics({"gold.fact_top10_global_weekly": world, "gold.fact_top10_country_weekly": countries})


def test_figures_of_reports() -> None:
    row = {"kind": "film", "chart_title_key": "film|a", "work": "", "title_delivered": "a"}
    rows = [
        {**row, "period": "2023H1", "hours_viewed": 7, "views": None},
        {**row, "period": "2023H2", "hours_viewed": 5, "views": 3},
        {**row, "period": "2023H2", "hours_viewed": None, "views": 4, "kind": "tv", "chart_title_key": "tv|b"},
    ]
    assert_measures_are_metrics({"gold.fact_engagement": rows})


def assert_measures_are_metrics(facts: Facts) -> None:
    """Every metric of these facts, whole and by every dimension, in every period and in the newest."""
    with with_facts(facts) as database:
        tables = judge.load(database, list(facts))
        for metric in (metric for metric in METRICS.values() if metric.fact in facts):
            period = metric.of.period
            for by in ([], [period], *([period, dimension] for dimension in metric.by)):
                asked = database.execute(metric_sql.statement(metric, by)).fetchall()
                expected: dict[tuple[Any, ...], float] = defaultdict(lambda: None)  # type: ignore[arg-type]
                expected |= {row[:-1]: row[-1] for row in asked}
                for members in _contexts(database, metric, by):
                    found = judge.value(metric, tables, dict(zip(by, members, strict=True)))
                    told = f"{metric.name} by {dict(zip(by, members, strict=True))}"
                    if expected[members] is None:
                        assert found is None, told
                    else:
                        assert found == pytest.approx(expected[members], rel=1e-12), told


def _contexts(database: Any, metric: Metric, by: list[str]) -> list[tuple[Any, ...]]:
    """Every pair of a period and a member that there is, also those of which the metric does not speak."""
    if not by:
        return [()]
    sql = {name: metric.of.dimension(name).sql for name in by}
    said = [
        sql[name] if name == metric.of.period else f"COALESCE(CAST({sql[name]} AS STRING), '{metrics.NOT_STATED}')"
        for name in by
    ]
    each = [
        [row[0] for row in database.execute(f"SELECT DISTINCT {one} FROM {metric.fact}").fetchall()] for one in said
    ]
    return [(one,) for one in each[0]] if len(each) == 1 else [(one, two) for one in each[0] for two in each[1]]


def test_a_metric_that_dax_cannot_say_is_refused() -> None:
    odd = Metric("odd", "Odd", "titles", "team:x", "gold.fact_release_title", Count("SUBSTRING(title, 1, 1) = 'a'"))
    with pytest.raises(ContractError, match=r"metric odd: .*DAX cannot say .*SUBSTRING"):
        metrics.declare([], [odd], [])
    assert "odd" not in METRICS


def test_null_is_neither_true_nor_false() -> None:
    words = dax.Words(METRICS["titles"].of)
    year, rating = "'fact_release_title'[release_year]", "'fact_release_title'[rating]"
    assert words.true("NOT (release_year > 2000)") == f"((NOT ISBLANK({year}) && {year} <= 2000))"
    assert words.false("rating IN ('a', 'b')") == (
        f'((NOT ISBLANK({rating}) && {rating} <> "a") && (NOT ISBLANK({rating}) && {rating} <> "b"))'
    )
    assert words.true("rating IS NULL OR release_year BETWEEN 1 AND 2").startswith(f"(ISBLANK({rating}) || (")
