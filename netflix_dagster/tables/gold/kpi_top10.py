"""What the charts come to, week by week."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, between, table

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

EVERGREEN_WEEKS = 10
"""Weeks in the Top 10 from which a title counts as evergreen."""
WIDEST = 10
"""How many places of the ranking of titles by country reach are kept (ties included)."""
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
    """Of the charts of the world, by category: ``hours``, ``views``, ``views_per_title``, ``weeks_in_top10`` (mean),
    ``debuts``, ``retention`` (share of last week's titles that stayed), ``evergreen_share`` (10 weeks or more),
    ``concentration`` (Herfindahl index of the hours: 0.1 evenly spread, 1 all on one), ``leader_share``; by kind
    ``non_english_share`` of the hours. Of the charts of countries: ``country_reach``, the countries whose Top 10 has
    the title, for the widest ten of each kind, and ``country_reach_mean``.

    A figure that cannot be known is absent, never 0: when one of its places does not state what it is made of, and a
    share of nothing (a chart whose hours sum to 0).
    """
    figures = [*_sums(world), *_shares(world), _retention(world), *_languages(world), *_reach(countries)]
    everything = reduce(lambda one, other: one.unionByName(other), figures)
    return everything.where("value IS NOT NULL")


def _figure(frame: DataFrame, kpi: str, member: Expression, value: Expression, unit: str) -> DataFrame:
    from pyspark.sql import functions as F

    found = frame.groupBy("week", "week_key", member.alias("member")).agg(value.cast("double").alias("value"))
    return found.select("week", "week_key", F.lit(kpi).alias("kpi"), "member", "value", F.lit(unit).alias("unit"))


def _sum(column: str | Expression) -> Expression:
    """The sum of whole numbers, if every row states one. As decimals: no sum of them overflows, and it is the same in
    every order."""
    from pyspark.sql import functions as F

    stated = F.col(column) if isinstance(column, str) else column
    whole = F.sum(stated.cast("decimal(20,0)"))
    return F.when(F.count(stated) == F.count("*"), whole.cast("double"))


def _mean(column: str | Expression) -> Expression:
    from pyspark.sql import functions as F

    return _share(_sum(column), F.count("*"))


def _share(part: Expression, whole: Expression) -> Expression:
    """A part of a whole; of nothing there is no share."""
    from pyspark.sql import functions as F

    return part / F.nullif(whole.cast("double"), F.lit(0.0))


def _sums(world: DataFrame) -> list[DataFrame]:
    from pyspark.sql import functions as F

    category, everyone = F.col("category"), F.lit("all")
    hours, views = _sum("weekly_hours_viewed"), _sum("weekly_views")
    debut = _sum((F.col("cumulative_weeks_in_top_10") == 1).cast("int"))
    return [
        *(_figure(world, "hours", member, hours, "hours") for member in (category, everyone)),
        *(_figure(world, "views", member, views, "views") for member in (category, everyone)),
        _figure(world, "views_per_title", category, _mean("weekly_views"), "views"),
        _figure(world, "weeks_in_top10", category, _mean("cumulative_weeks_in_top_10"), "weeks"),
        *(_figure(world, "debuts", member, debut, "titles") for member in (category, everyone)),
    ]


def _shares(world: DataFrame) -> list[DataFrame]:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    chart = Window.partitionBy("week", "category")
    evergreen = (F.col("cumulative_weeks_in_top_10") >= EVERGREEN_WEEKS).cast("int")
    hours = F.col("weekly_hours_viewed").cast("decimal(20,0)")
    total = F.when(F.count("weekly_hours_viewed").over(chart) == F.count("*").over(chart), F.sum(hours).over(chart))
    share = _share(F.col("weekly_hours_viewed").cast("double"), total)
    shared = world.withColumn("share", share)
    square = (F.col("share") * F.col("share")).try_cast("decimal(16,15)")  # in any order, on any engine the same
    return [
        _figure(world, "evergreen_share", F.col("category"), _mean(evergreen), "share"),
        _figure(shared, "concentration", F.col("category"), F.sum(square), "index"),
        _figure(shared, "leader_share", F.col("category"), F.max("share"), "share"),
    ]


def _retention(world: DataFrame) -> DataFrame:
    """Of the titles (seasons apart) of the week before, the share that is in the chart still."""
    from pyspark.sql import functions as F

    key = ["category", "chart_title_key", "season"]
    season = F.coalesce("season_title", F.lit(""))
    listed = world.select("week", "week_key", "category", "chart_title_key", season.alias("season")).distinct()
    weeks = listed.select("week", "week_key", "category").distinct()
    before = listed.select(F.date_add("week", 7).alias("week"), *key)
    still = listed.select("week", *key, F.lit(1.0).alias("stayed"))
    compared = weeks.join(before, ["week", "category"]).join(still, ["week", *key], "left")
    stayed = F.avg(F.coalesce("stayed", F.lit(0.0)))  # of ones and zeros
    return _figure(compared, "retention", F.col("category"), stayed, "share")


def _languages(world: DataFrame) -> list[DataFrame]:
    from pyspark.sql import functions as F

    spoken = world.where("language IS NOT NULL")
    foreign = F.when(F.col("language") == "Non-English", F.col("weekly_hours_viewed")).otherwise(0)
    share = _share(_sum(foreign), _sum("weekly_hours_viewed"))
    return [_figure(spoken, "non_english_share", member, share, "share") for member in (F.col("kind"), F.lit("all"))]


def _reach(countries: DataFrame) -> list[DataFrame]:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    told = countries.where("kind IS NOT NULL")  # of a category that is not known there is no kind to sum by
    reach = told.groupBy("week", "week_key", "kind", "chart_title_key").agg(
        F.count_distinct("country_iso2").alias("reached")
    )
    widest = Window.partitionBy("week", "kind").orderBy(F.col("reached").desc())
    placed = reach.withColumn("place", F.rank().over(widest)).where(F.col("place") <= WIDEST)
    return [
        _figure(placed, "country_reach", F.col("chart_title_key"), F.max("reached"), "countries"),
        _figure(reach, "country_reach_mean", F.col("kind"), F.avg("reached"), "countries"),
    ]
