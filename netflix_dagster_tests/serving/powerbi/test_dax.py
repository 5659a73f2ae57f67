"""A measure has the value of its metric: as an independent evaluator of DAX finds it, and as the warehouse has it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.contract import TABLES, ContractError
from netflix_dagster.contracts.metrics import ALL, FACTS, FIGURES, METRICS, Count, Metric
from netflix_dagster.lake import query
from netflix_dagster.serving import metric_sql
from netflix_dagster.serving.powerbi import dax
from netflix_dagster.storage import at
from netflix_dagster_tests.cli.shell import Shell
from netflix_dagster_tests.examples import examples
from netflix_dagster_tests.figures import with_facts
from netflix_dagster_tests.serving.powerbi import judge
from netflix_dagster_tests.tables.test_kpi_top10 import charts
from netflix_dagster_tests.tables.test_metrics import Facts, catalogues


@settings(max_examples=examples(2), deadline=None, phases=(Phase.reuse, Phase.generate))
@given(catalogues())
def test_figures_of_catalogues(facts: Facts) -> None:
    assert_measures_are_metrics(facts)


@settings(max_examples=examples(2), deadline=None, phases=(Phase.reuse, Phase.generate))
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


def test_measures_are_the_figures_of_gold(built: Shell) -> None:
    """The sample lake: of every figure of the KPI tables the first members of the newest period."""
    kpis = sorted({figure.table for figure in FIGURES})
    database = query.connect(at(built.lake), only=[*FACTS, *kpis])
    tables, compared = judge.load(database, list(FACTS)), set()
    for figure in FIGURES:
        metric, period = METRICS[figure.metric], TABLES[figure.table].key[0]
        rows = database.execute(
            f"SELECT {period}, member, value FROM {figure.table} WHERE kpi = ? AND (member = ?) = ? AND value IS NOT NULL"
            f" QUALIFY DENSE_RANK() OVER (ORDER BY {period} DESC) = 1 ORDER BY member LIMIT 2",
            [figure.kpi, ALL, figure.by is None],
        ).fetchall()
        for when, member, value in rows:
            members = {metric.of.period: when, **({figure.by: member} if figure.by else {})}
            assert judge.value(metric, tables, members) == pytest.approx(value, rel=1e-12), (figure.kpi, members)
            compared.add(figure.kpi)
    assert compared == {figure.kpi for figure in FIGURES}


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
