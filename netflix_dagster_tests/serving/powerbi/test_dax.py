"""A measure has the value of its metric: as an independent evaluator of DAX finds it, and as the warehouse has it."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date
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
            f"SELECT {period}, member, value FROM {figure.table}"
            " WHERE kpi = ? AND (member = ?) = ? AND value IS NOT NULL"
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


CONDITIONS = (
    *("duration_minutes > 1", "NOT (duration_minutes > 1)", "rating = 'R' AND duration_minutes <> 2", "rating IS NULL"),
    *("rating = 'R' OR duration_minutes < 2", "NOT (rating = 'R' OR duration_minutes < 2)", "rating IS NOT NULL"),
    *("rating IN ('R', 'PG')", "rating NOT IN ('R', 'X')", "duration_minutes BETWEEN 1 AND 2", "TRUE"),
    *("duration_minutes NOT BETWEEN 1 AND 2", "COALESCE(duration_minutes, 0) = 0", "YEAR(date_added) = 2020"),
    *("duration_minutes + release_year = 3", "date_added IS NOT NULL", "NULLIF(duration_minutes, 2) IS NULL"),
)
VALUES = (
    *("duration_minutes * 2 - release_year", "COALESCE(duration_minutes, release_year, 7)", "YEAR(date_added)"),
    *("CASE WHEN duration_minutes > 1 THEN 5 WHEN rating IS NULL THEN release_year ELSE 0 END", "MONTH(date_added)"),
    *("CASE WHEN rating = 'R' THEN 1 END", "NULLIF(duration_minutes, 2)", "CAST(duration_minutes AS DOUBLE)"),
    *("duration_minutes / NULLIF(release_year, 0)", "-duration_minutes", "CAST(release_year AS INT)"),
)


def test_the_words_of_sql_mean_the_same() -> None:
    """SQL's three truths, counted in DAX and in DuckDB, of rows that state everything, something and nothing."""
    minutes, ratings, years, days = (None, 0, 1, 2), (None, "R", "PG"), (None, 0, 2), (None, date(2020, 2, 3))
    rows = [
        dict(zip(("duration_minutes", "rating", "release_year", "date_added"), row, strict=True))
        | {"title_key": str(nth), "release_date": date(2020, 1, 1)}
        for nth, row in enumerate(itertools.product(minutes, ratings, years, days))
    ]
    words, fact = dax.Words(METRICS["titles"].of), "'fact_release_title'"
    with with_facts({"gold.fact_release_title": rows}) as database:
        tables = judge.load(database, ["gold.fact_release_title"])

        def counted(condition: str) -> int:
            return judge.expression(f"COUNTROWS(FILTER({fact}, {condition})) + 0", tables)

        def asked(sql: str) -> Any:
            return database.execute(f"SELECT {sql} FROM gold.fact_release_title").fetchone()[0]  # type: ignore[index]

        for said in CONDITIONS:
            assert counted(words.true(said)) == asked(f"COUNT(*) FILTER ({said})"), said
            assert counted(words.false(said)) == asked(f"COUNT(*) FILTER (NOT ({said}))"), said
        for said in VALUES:
            assert counted(words.stated(said) or "TRUE()") == asked(f"COUNT({said})"), said
            assert judge.expression(f"SUMX({fact}, {words.value(said)})", tables) == pytest.approx(
                asked(f"SUM({said})")
            ), said
    for unknown in ("UPPER(rating) = 'R'", "rating LIKE 'R%'", "SUM(release_year) OVER () > 1", "invented = 1"):
        with pytest.raises(ContractError, match="DAX cannot say"):
            words.true(unknown)
