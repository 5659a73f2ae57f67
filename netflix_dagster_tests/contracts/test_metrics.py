"""The language of metrics: what it abbreviates, and what it refuses when the code loads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

import netflix_dagster.tables  # noqa: F401  declares tables and metrics
from netflix_dagster.contracts import metrics
from netflix_dagster.contracts.contract import ContractError
from netflix_dagster.contracts.metrics import (
    CORE,
    FACTS,
    FIGURES,
    METRICS,
    Average,
    Count,
    Derived,
    Difference,
    Dimension,
    Fact,
    Figure,
    Metric,
    Minus,
    Previous,
    Ratio,
    Share,
    Sum,
    core,
    declare,
    leaves,
    parts,
)

FACT = Fact("gold.fact_engagement", "period", (Dimension("period", "Half-year", "period"),))
METRIC = Metric("m", "A figure", "hours", "team:x", "gold.fact_top10_global_weekly", Count(), by=("category",))


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What a test declares is forgotten."""
    held: list[Any] = [dict(FACTS), dict(METRICS), list(FIGURES), dict(metrics._SAYS)]
    yield
    for registry, before in zip((FACTS, METRICS, metrics._SAYS), (held[0], held[1], held[3]), strict=True):
        registry.clear()
        registry.update(before)  # type: ignore[arg-type]
    FIGURES[:] = held[2]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (Average("a"), Ratio(Sum("a"), Count())),
        (Share("a > 1"), Ratio(Count("a > 1"), Count())),
        (Difference(Average("a")), Minus(Ratio(Sum("a"), Count()), Previous(Ratio(Sum("a"), Count())))),
        (Sum("a"), Sum("a")),
    ],
)
def test_an_abbreviation_stands_for_what_renderers_say(said: Any, meant: Any) -> None:
    assert core(said) == meant and all(isinstance(part, CORE) for part in parts(core(said)))


def test_what_is_aggregated_is_aggregated_once() -> None:
    assert leaves(Ratio(Difference(Count()), Previous(Count()))) == [Count()]


@pytest.mark.parametrize(
    ("facts", "declared", "figures", "fault"),
    [
        ([], [replace(METRIC, fact="gold.nope")], [], "there is no fact gold.nope"),
        ([], [replace(METRIC, name="hours")], [], "the metric hours is declared twice"),
        ([], [replace(METRIC, by=("colour",))], [], "no dimension colour"),
        ([], [replace(METRIC, by=("week",))], [], "no dimension week besides its period"),
        ([], [replace(METRIC, expression=Sum("nope"))], [], "speaks of nope"),
        ([], [replace(METRIC, where="category RLIKE 'x'")], [], "says RLIKE"),
        ([], [replace(METRIC, expression=Sum("SUM(weekly_views)"))], [], "aggregates; declare a derived column"),
        ([], [replace(METRIC, expression=Difference(Count()))], [], "looks back a period"),
        ([], [replace(METRIC, expression=Previous(Previous(Count())), over_time="last")], [], "more than one period"),
        ([], [replace(METRIC, format="%d hours")], [], "is not a format"),
        ([], [replace(METRIC, owner="")], [], "an owner"),
        ([FACT], [], [], "the fact gold.fact_engagement is declared twice"),
        ([replace(FACT, table="gold.dim_week")], [], [], "the dimension period speaks of period"),
        ([replace(FACT, table="gold.dim_week", period="year")], [], [], "its period year is not one of its dimensions"),
        (
            [Fact("gold.dim_week", "y", (Dimension("y", "", "year"),), derived=(Derived("year", "int", "", "month"),))],
            [],
            [],
            "it has columns year already",
        ),
        ([], [], [Figure("gold.kpi_top10", "x", "nope")], "there is no metric nope"),
        ([], [], [Figure("gold.kpi_top10", "x", "hours", "country")], "hours is not cut by country"),
        ([], [], [Figure("gold.kpi_catalogue", "x", "hours")], "which the table does not read"),
        ([], [], [Figure("gold.kpi_top10", "x", "hours", "title", within="kind")], "of what the largest are kept"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_declared(
    facts: list[Fact], declared: list[Metric], figures: list[Figure], fault: str
) -> None:
    before = dict(FACTS), dict(METRICS), list(FIGURES)
    with pytest.raises(ContractError, match=fault):
        declare(facts, declared, figures)
    assert (dict(FACTS), dict(METRICS), list(FIGURES)) == before


def test_a_text_may_hold_any_word() -> None:
    declare([], [replace(METRIC, where="category = 'rlike nope ANY'")], [])
    assert METRICS["m"].dimensions == ("week", "category")


def test_a_renderer_that_cannot_say_a_metric_refuses_when_it_loads_and_when_the_metric_does() -> None:
    declare([], [METRIC], [])
    with pytest.raises(ContractError, match="metric net_growth: ink cannot say Minus"):
        metrics.renderer("ink", tuple(kind for kind in CORE if kind is not Minus))
    with pytest.raises(ContractError, match="metric n: ink cannot say Minus"):
        declare([], [replace(METRIC, name="n", expression=Minus(Count(), Count()))], [])


def test_every_figure_of_the_kpi_tables_is_a_metric() -> None:
    assert {figure.table for figure in FIGURES} == {"gold.kpi_catalogue", "gold.kpi_top10"}
    assert {figure.metric for figure in FIGURES} <= set(METRICS)
    owners = {metric.owner for metric in METRICS.values()}
    assert owners == {"team:catalogue", "team:charts", "team:engagement", "team:viewing"}
