"""What the charts have said of each place, statement by statement (SCD2), carried on as deliveries come.

A delivery that states a chart (week, category, country) states all of it: it changes the places of which it says
something else than the delivery before it, adds new ones, and ends those that it does not list any more. Of a chart
that it omits it says nothing: a shorter window is not a deletion. A place that comes back begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, holds, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

GLOBAL_PLACE = ("week", "category", "weekly_rank")
COUNTRY_PLACE = ("week", "country_iso2", "category", "weekly_rank")
GLOBAL_CARRIED = (
    "weekly_hours_viewed",
    "runtime",
    "weekly_views",
    "cumulative_weeks_in_top_10",
    "is_staggered_launch",
    "episode_launch_details",
)
COUNTRY_CARRIED = ("country_name", "cumulative_weeks_in_top_10")
"""What not every generation of the files states. A null there does not take back what was said of the same title."""
TITLE = ("show_title", "season_title")

_INTERVAL = [
    holds("valid_interval", "valid_to IS NULL OR valid_to > valid_from", "no statement ends before it begins", "fail"),
    holds("current_is_open", "is_current = (valid_to IS NULL)", "exactly the open statements are current", "fail"),
]


def _columns(read: str, place: Sequence[str], carried: Sequence[str]) -> list[Column]:
    said = {column.name: column for column in TABLES[read].columns}
    when = (f"{read}.delivery_date",)
    return [
        *(Column(name, said[name].type, said[name].description, nullable=False) for name in place),
        *(Column(name, said[name].type, said[name].description) for name in ("chart_title_key", *TITLE, *carried)),
        Column("valid_from", "date", "First delivery that says so", False, when),
        Column(
            "valid_to",
            "date",
            "Delivery that says otherwise or ends the place (exclusive); null while none does",
            sources=when,
        ),
        Column("is_current", "boolean", "Whether no newer delivery says otherwise or has ended the place", False, when),
    ]


@table(
    "silver.top10_global_history",
    feed="charts",
    grain="one statement about one place of one weekly chart of the world",
    key=(*GLOBAL_PLACE, "valid_from"),
    reads=("silver.top10_global",),
    write="incremental",
    columns=_columns("silver.top10_global", GLOBAL_PLACE, GLOBAL_CARRIED),
    expectations=_INTERVAL,
)
def top10_global_history(before: DataFrame, rows: DataFrame) -> DataFrame:
    """What the deliveries have said of each place of the weekly charts of the world, and from when to when.

    "What did we believe on D": ``valid_from <= D AND (valid_to IS NULL OR valid_to > D)``.
    """
    return _incremental(before, rows, GLOBAL_PLACE, GLOBAL_CARRIED)


@table(
    "silver.top10_countries_history",
    feed="charts",
    grain="one statement about one place of one weekly chart of one country",
    key=(*COUNTRY_PLACE, "valid_from"),
    reads=("silver.top10_countries",),
    write="incremental",
    columns=_columns("silver.top10_countries", COUNTRY_PLACE, COUNTRY_CARRIED),
    expectations=_INTERVAL,
)
def top10_countries_history(before: DataFrame, rows: DataFrame) -> DataFrame:
    """What the deliveries have said of each place of the weekly charts of countries, and from when to when."""
    return _incremental(before, rows, COUNTRY_PLACE, COUNTRY_CARRIED)


def _incremental(before: DataFrame, rows: DataFrame, place: Sequence[str], carried: Sequence[str]) -> DataFrame:
    """The history ``before`` with the statements of newer deliveries.

    Most places say again what stands. Only of the others, and of those that end, are all statements put in order and
    compared, each with the one before.
    """
    names = [*place, "chart_title_key", *TITLE, *carried, "valid_from", "valid_to", "is_current"]
    ends = _ends(before, rows, place)
    changed = _changed_places(before, rows, place, carried).unionByName(ends.select(*place)).distinct()
    untouched = before.join(changed, [*place], "left_anti")
    history = before.join(changed, [*place], "left_semi")
    said = rows.join(changed, [*place], "left_semi")
    grown = _statements(history.where("is_current"), said, ends, place, carried)
    closed = untouched.select(*names).unionByName(history.where("NOT is_current").select(*names))
    return closed.unionByName(grown.select(*names))


def _ends(before: DataFrame, rows: DataFrame, place: Sequence[str]) -> DataFrame:
    """The places that end, and the delivery ``said_on`` that ends each: it states the chart without them.

    What stands of a chart are the places of its last statement, so that each statement is compared with the one
    before it; the first with what stands already.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    *chart, rank = place
    ranks = F.collect_set(rank).alias("ranks")
    stands = before.where("is_current").groupBy(*chart).agg(ranks).withColumn("said_on", F.lit(None).cast("date"))
    stated = rows.groupBy(*chart, F.col("delivery_date").alias("said_on")).agg(ranks)
    earlier = F.lag("ranks").over(Window.partitionBy(*chart).orderBy(F.asc_nulls_first("said_on")))
    compared = stands.unionByName(stated).withColumn("gone", F.array_except(earlier, F.col("ranks")))
    return compared.where("size(gone) > 0").select(*chart, F.explode("gone").alias(rank), "said_on")


def _changed_places(before: DataFrame, rows: DataFrame, place: Sequence[str], carried: Sequence[str]) -> DataFrame:
    """The places of which some row says something else than what stands."""
    from pyspark.sql import functions as F

    standing = before.where("is_current").select(*place, F.struct(*TITLE, *carried).alias("stands"))
    other_season = F.col("season_stated") & ~F.col("season_title").eqNullSafe(F.col("stands.season_title"))
    differs = [
        F.col("stands").isNull(),
        ~F.col("show_title").eqNullSafe(F.col("stands.show_title")),
        other_season,
        *(F.col(name).isNotNull() & ~F.col(name).eqNullSafe(F.col(f"stands.{name}")) for name in carried),
    ]
    compared = rows.join(standing, [*place], "left")
    return compared.where(reduce(lambda one, other: one | other, differs)).select(*place)


def _statements(
    standing: DataFrame, rows: DataFrame, ends: DataFrame, place: Sequence[str], carried: Sequence[str]
) -> DataFrame:
    """What stands and what is said after it, one row for each statement that differs from the one before.

    An end is put in order as a statement without a title: nothing is carried over it.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    named = ("chart_title_key", *TITLE, *carried)
    stands = standing.select(*place, *named, F.col("valid_from").alias("said_on"), F.lit(True).alias("season_stated"))
    said = rows.select(*place, *named, F.col("delivery_date").alias("said_on"), "season_stated")
    in_order = Window.partitionBy(*place).orderBy("said_on")
    other_title = ~F.col("show_title").eqNullSafe(F.lag("show_title").over(in_order))
    told = stands.unionByName(said).unionByName(ends, allowMissingColumns=True)
    told = told.withColumn("other_title", F.when(other_title, 1).otherwise(0))
    told = told.withColumn("nth_title", F.sum("other_title").over(in_order))
    of_title = Window.partitionBy(*place, "nth_title").orderBy("said_on")
    so_far = of_title.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    season = F.when(F.col("season_stated"), F.coalesce("season_title", F.lit("")))
    told = told.withColumns(
        {
            "season_title": F.nullif(F.last(season, ignorenulls=True).over(so_far), F.lit("")),
            **{name: F.last(name, ignorenulls=True).over(so_far) for name in carried},
        }
    )
    statement = F.struct(*TITLE, *carried)
    changed = F.row_number().over(in_order) == 1
    changed = changed | ~statement.eqNullSafe(F.lag(statement).over(in_order))
    kept = told.withColumn("changed", changed).where("changed").withColumn("valid_from", F.col("said_on"))
    until = F.lead("valid_from").over(Window.partitionBy(*place).orderBy("valid_from"))
    until_then = kept.withColumn("valid_to", until).withColumn("is_current", F.col("valid_to").isNull())
    return until_then.where("show_title IS NOT NULL")
