"""The history of each place of the charts, one row a statement (SCD2), built incrementally.

A delivery that states a chart (week, category, country) states all of it: it changes the places that it states
otherwise than the delivery before it, adds new ones, and ends those that it does not list any more. It changes nothing
of a chart that it omits: a shorter window is not a deletion. A place that comes back begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, holds, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GLOBAL_PLACE = ("week", "category", "weekly_rank")
COUNTRY_PLACE = ("week", "country_iso2", "category", "weekly_rank")
GLOBAL_ATTRIBUTES = (
    "weekly_hours_viewed",
    "runtime",
    "weekly_views",
    "cumulative_weeks_in_top_10",
    "is_staggered_launch",
    "episode_launch_details",
)
COUNTRY_ATTRIBUTES = ("country_name", "cumulative_weeks_in_top_10")
"""Attributes that not every generation of the files states. A null there does not take back an earlier value of the
same title."""
TITLE = ("show_title", "season_title")

_INTERVAL = [
    holds("valid_interval", "valid_to IS NULL OR valid_to > valid_from", "no statement ends before it begins", "fail"),
    holds("current_is_open", "is_current = (valid_to IS NULL)", "exactly the open statements are current", "fail"),
]


def _columns(read: str, place: Sequence[str], attributes: Sequence[str]) -> list[Column]:
    delivered = {column.name: column for column in TABLES[read].columns}
    when = (f"{read}.delivery_date",)
    return [
        *(replace(delivered[name], nullable=False, sources=()) for name in place),
        *(replace(delivered[name], nullable=True, sources=()) for name in ("chart_title_key", *TITLE, *attributes)),
        Column("valid_from", "date", "First delivery that states it", False, when),
        Column(
            "valid_to",
            "date",
            "Delivery that states otherwise or ends the place (exclusive); null while none does",
            sources=when,
        ),
        Column(
            "is_current", "boolean", "Whether no newer delivery states otherwise or has ended the place", False, when
        ),
    ]


@table(
    "silver.top10_global_history",
    feed="charts",
    grain="one statement about one place of one weekly chart of the world",
    key=(*GLOBAL_PLACE, "valid_from"),
    reads=("silver.top10_global",),
    write="incremental",
    columns=_columns("silver.top10_global", GLOBAL_PLACE, GLOBAL_ATTRIBUTES),
    expectations=_INTERVAL,
)
def top10_global_history(before: DataFrame, rows: DataFrame) -> DataFrame:
    """Every statement of the deliveries about each place of the weekly charts of the world, and from when to when.

    "The chart as believed on D": ``valid_from <= D AND (valid_to IS NULL OR valid_to > D)``.
    """
    return _incremental(before, rows, GLOBAL_PLACE, GLOBAL_ATTRIBUTES)


@table(
    "silver.top10_countries_history",
    feed="charts",
    grain="one statement about one place of one weekly chart of one country",
    key=(*COUNTRY_PLACE, "valid_from"),
    reads=("silver.top10_countries",),
    write="incremental",
    cluster_by=("country_iso2", "week"),
    columns=_columns("silver.top10_countries", COUNTRY_PLACE, COUNTRY_ATTRIBUTES),
    expectations=_INTERVAL,
)
def top10_countries_history(before: DataFrame, rows: DataFrame) -> DataFrame:
    """Every statement of the deliveries about each place of the weekly charts of countries, and from when to when."""
    return _incremental(before, rows, COUNTRY_PLACE, COUNTRY_ATTRIBUTES)


def _incremental(before: DataFrame, rows: DataFrame, place: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    """The history ``before`` with the statements of newer deliveries.

    Most places are stated as they stand, or as they are first stated. Only the statements of the others, and of places
    that end, are put in order and compared, each with the one before: of each place alone that takes an engine long.
    """
    names = [*place, "chart_title_key", *TITLE, *attributes, "valid_from", "valid_to", "is_current"]
    ends = _ends(before, rows, place)
    stand = before.select(*names).unionByName(_first(before, rows, place, attributes).select(*names))
    changed = _changed_places(stand, rows, place, attributes).unionByName(ends.select(*place)).distinct()
    untouched = stand.join(changed, [*place], "left_anti")
    history = before.join(changed, [*place], "left_semi")
    newer = rows.join(changed, [*place], "left_semi")
    grown = _statements(history.where("is_current"), newer, ends, place, attributes)
    closed = untouched.select(*names).unionByName(history.where("NOT is_current").select(*names))
    return closed.unionByName(grown.select(*names))


def _ends(before: DataFrame, rows: DataFrame, place: Sequence[str]) -> DataFrame:
    """The places that end, and the delivery ``stated_on`` that ends each: it states the chart without them.

    The current places of a chart are those of its last statement. So each statement is compared with the one before
    it, and the first with the current places.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    *chart, rank = place
    ranks = F.collect_set(rank).alias("ranks")
    stands = before.where("is_current").groupBy(*chart).agg(ranks).withColumn("stated_on", F.lit(None).cast("date"))
    stated = rows.groupBy(*chart, F.col("delivery_date").alias("stated_on")).agg(ranks)
    earlier = F.lag("ranks").over(Window.partitionBy(*chart).orderBy(F.asc_nulls_first("stated_on")))
    compared = stands.unionByName(stated).withColumn("gone", F.array_except(earlier, F.col("ranks")))
    return compared.where("size(gone) > 0").select(*chart, F.explode("gone").alias(rank), "stated_on")


def _first(before: DataFrame, rows: DataFrame, place: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    """The first statement about each place that has none before, as it stands when all later ones agree."""
    from pyspark.sql import functions as F

    new = rows.join(before.where("is_current").select(*place), [*place], "left_anti")
    since = new.groupBy(*place).agg(F.min("delivery_date").alias("delivery_date"))
    return new.join(since, [*place, "delivery_date"], "left_semi").withColumns(
        {
            "season_title": F.when(F.col("season_stated"), F.nullif("season_title", F.lit(""))),
            "valid_from": F.col("delivery_date"),
            "valid_to": F.lit(None).cast("date"),
            "is_current": F.lit(True),
        }
    )


def _changed_places(before: DataFrame, rows: DataFrame, place: Sequence[str], attributes: Sequence[str]) -> DataFrame:
    """The places that some row states otherwise than the current row of the history."""
    from pyspark.sql import functions as F

    standing = before.where("is_current").select(*place, F.struct(*TITLE, *attributes).alias("stands"))
    other_season = F.col("season_stated") & ~F.col("season_title").eqNullSafe(F.col("stands.season_title"))
    differs = [
        F.col("stands").isNull(),
        ~F.col("show_title").eqNullSafe(F.col("stands.show_title")),
        other_season,
        *(F.col(name).isNotNull() & ~F.col(name).eqNullSafe(F.col(f"stands.{name}")) for name in attributes),
    ]
    compared = rows.join(standing, [*place], "left")
    return compared.where(reduce(lambda one, other: one | other, differs)).select(*place)


def _statements(
    standing: DataFrame, rows: DataFrame, ends: DataFrame, place: Sequence[str], attributes: Sequence[str]
) -> DataFrame:
    """The current rows and the statements after them, one row for each statement that differs from the one before.

    An end takes part as a statement without a title: no attribute is carried over it.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    named = ("chart_title_key", *TITLE, *attributes)
    stands = standing.select(*place, *named, F.col("valid_from").alias("stated_on"), F.lit(True).alias("season_stated"))
    newer = rows.select(*place, *named, F.col("delivery_date").alias("stated_on"), "season_stated")
    in_order = Window.partitionBy(*place).orderBy("stated_on")
    other_title = ~F.col("show_title").eqNullSafe(F.lag("show_title").over(in_order))
    statements = stands.unionByName(newer).unionByName(ends, allowMissingColumns=True)
    statements = statements.withColumn("other_title", F.when(other_title, 1).otherwise(0))
    statements = statements.withColumn("nth_title", F.sum("other_title").over(in_order))
    of_title = Window.partitionBy(*place, "nth_title").orderBy("stated_on")
    so_far = of_title.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    season = F.when(F.col("season_stated"), F.coalesce("season_title", F.lit("")))
    statements = statements.withColumns(
        {
            "season_title": F.nullif(F.last(season, ignorenulls=True).over(so_far), F.lit("")),
            **{name: F.last(name, ignorenulls=True).over(so_far) for name in attributes},
        }
    )
    statement = F.struct(*TITLE, *attributes)
    changed = F.row_number().over(in_order) == 1
    changed = changed | ~statement.eqNullSafe(F.lag(statement).over(in_order))
    kept = statements.withColumn("changed", changed).where("changed").withColumn("valid_from", F.col("stated_on"))
    until = F.lead("valid_from").over(Window.partitionBy(*place).orderBy("valid_from"))
    until_then = kept.withColumn("valid_to", until).withColumn("is_current", F.col("valid_to").isNull())
    return until_then.where("show_title IS NOT NULL")
