"""What the charts come to, week by week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, between, table
from netflix_dagster.tables import figures

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_WORLD, _COUNTRIES = "gold.fact_top10_global_weekly", "gold.fact_top10_country_weekly"


@table(
    "gold.kpi_top10",
    feed="charts",
    grain="one figure of one member of one week",
    key=("week", "kpi", "member"),
    reads=(_WORLD, _COUNTRIES),
    columns=[
        Column("week", "date", "Sunday on which the week ends", nullable=False),
        Column("week_key", "int", "The week in dim_week", nullable=False),
        Column("kpi", "string", "Name of the figure, such as hours or retention", False, (f"{_WORLD}.category",)),
        Column(
            "member",
            "string",
            "What it is the figure of: a category, film, tv, all, or a title",
            False,
            (f"{_WORLD}.category", f"{_WORLD}.chart_title_key"),
        ),
        Column(
            "value",
            "double",
            "The figure",
            False,
            tuple(f"{_WORLD}.{c}" for c in ("weekly_hours_viewed", "weekly_views", "cumulative_weeks_in_top_10")),
        ),
        Column("unit", "string", "hours, views, weeks, titles, share, index or countries", False, (f"{_WORLD}.week",)),
    ],
    expectations=[between("value", 0, 1e13)],
)
def kpi_top10(world: DataFrame, countries: DataFrame) -> DataFrame:
    """Of the charts of the world, by category: hours, views, debuts, retention, evergreens, concentration; of those of
    countries: how many have a title. What each means is said in tables/metrics.py.

    A figure that cannot be known is absent, never 0: when one of its places does not state what it is made of, and a
    share of nothing (a chart whose hours sum to 0).
    """
    from pyspark.sql import functions as F

    found = figures.figures("gold.kpi_top10", {_WORLD: world, _COUNTRIES: countries})
    week_key = F.date_format("period", "yyyyMMdd").cast("int")
    return found.select(F.col("period").alias("week"), week_key.alias("week_key"), "kpi", "member", "value", "unit")
