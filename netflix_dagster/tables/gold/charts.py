"""The charts as facts: each place as the newest delivery states it, and what deliveries have restated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, between, holds, table
from netflix_dagster.tables.silver.chart_history import (
    COUNTRY_ATTRIBUTES,
    COUNTRY_PLACE,
    GLOBAL_ATTRIBUTES,
    GLOBAL_PLACE,
    TITLE,
)
from netflix_dagster.tables.viewing import kind_of, language_of

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

RANKED_BY_VIEWS_SINCE = "2023-06-18"
"""The first week that was ranked by views; the weeks before were ranked by hours."""
_GLOBAL, _COUNTRIES = "silver.top10_global_history", "silver.top10_countries_history"
_FIELDS = tuple(f"{_GLOBAL}.{name}" for name in (*TITLE, *GLOBAL_ATTRIBUTES))


def _columns(history: str, place: Sequence[str], attributes: Sequence[str]) -> list[Column]:
    of_history = {column.name: column for column in TABLES[history].columns}
    described = (f"{history}.category",)
    return [
        *(of_history[name] for name in place),
        Column("week_key", "int", "The week in dim_week, as yyyymmdd", False, (f"{history}.week",)),
        Column("kind", "string", "film or tv, from the category", sources=described),
        Column("language", "string", "English or Non-English; null where charts do not tell", sources=described),
        *(of_history[name] for name in ("chart_title_key", *TITLE, *attributes)),
        Column("first_stated", "date", "First delivery that stated the place", False, (f"{history}.valid_from",)),
        Column("last_changed", "date", "Delivery that first stated it so", False, (f"{history}.valid_from",)),
    ]


@table(
    "gold.fact_top10_global_weekly",
    feed="charts",
    grain="one place of one weekly chart of the world",
    key=GLOBAL_PLACE,
    reads=(_GLOBAL,),
    columns=_columns(_GLOBAL, GLOBAL_PLACE, GLOBAL_ATTRIBUTES),
    expectations=[holds("kind_known", "kind IS NOT NULL", "every category is known", hint="see tables/viewing.py")],
)
def fact_top10_global_weekly(history: DataFrame) -> DataFrame:
    """The weekly Top 10 of the world: hours, views and weeks of every place, as the newest delivery that states the
    chart has it. A place that this delivery does not list any more is gone; a chart that newer deliveries omit stays.

    Ranked by hours until the week of 2023-06-11, by views since.
    """
    return _current(history, GLOBAL_PLACE)


@table(
    "gold.fact_top10_country_weekly",
    feed="charts",
    grain="one place of one weekly chart of one country",
    key=COUNTRY_PLACE,
    reads=(_COUNTRIES,),
    cluster_by=("country_iso2", "week"),
    columns=_columns(_COUNTRIES, COUNTRY_PLACE, COUNTRY_ATTRIBUTES),
    expectations=[holds("kind_known", "kind IS NOT NULL", "every category is known", hint="see tables/viewing.py")],
)
def fact_top10_country_weekly(history: DataFrame) -> DataFrame:
    """The weekly Top 10 of each country: titles and weeks of every place, as the newest delivery that states the
    chart has it. Netflix states no hours by country.
    """
    return _current(history, COUNTRY_PLACE)


@table(
    "gold.fact_top10_restatement",
    feed="charts",
    grain="one field of one place that one delivery restated",
    key=("scope", "week", "category", "weekly_rank", "delivery_date", "field"),
    reads=(_GLOBAL, _COUNTRIES),
    columns=[
        Column("scope", "string", "global, or the ISO code of the country", False, (f"{_COUNTRIES}.country_iso2",)),
        Column("week", "date", "Sunday on which the week ends", nullable=False),
        Column("category", "string", "Category under the name that it has now", nullable=False),
        Column("weekly_rank", "int", "Place in the chart", nullable=False),
        Column(
            "delivery_date",
            "date",
            "The delivery that states the new value",
            False,
            (f"{_GLOBAL}.valid_from", f"{_GLOBAL}.valid_to"),
        ),
        Column("field", "string", "What was restated, such as weekly_hours_viewed", False, (f"{_GLOBAL}.show_title",)),
        Column("said_before", "string", "The old value, as text; null: not stated", True, _FIELDS, 4000),
        Column("said_now", "string", "The new value, as text; null: not stated", True, _FIELDS, 4000),
        Column("said_before_on", "date", "The delivery that stated the old value", False, (f"{_GLOBAL}.valid_from",)),
    ],
)
def fact_top10_restatement(world: DataFrame, countries: DataFrame) -> DataFrame:
    """What the charts have restated: each field that a delivery states otherwise than the one before it. For a place
    that a delivery ends, or that comes back, this is its title: stated before and not now, or the other way round.

    A number that an earlier generation of the files did not have yet is an addition, not a restatement.
    """
    from pyspark.sql import functions as F

    of_world = _restated(world.withColumn("scope", F.lit("global")), GLOBAL_ATTRIBUTES)
    of_countries = _restated(countries.withColumn("scope", F.col("country_iso2")), COUNTRY_ATTRIBUTES)
    return of_world.unionByName(of_countries)


@table(
    "gold.fact_most_popular",
    feed="charts",
    grain="one place of one list of the most popular titles, as of one delivery",
    key=("delivery_date", "category", "rank"),
    reads=("silver.most_popular",),
    write="per_delivery",
    columns=[
        *(
            column
            for column in TABLES["silver.most_popular"].columns
            if column.name not in ("category_delivered", "source_file", "record_number")
        ),
        Column("kind", "string", "film or tv, from the category", sources=("silver.most_popular.category",)),
        Column("language", "string", "English or Non-English", sources=("silver.most_popular.category",)),
    ],
)
def fact_most_popular(rows: DataFrame) -> DataFrame:
    """The most popular titles of all time as each delivery listed them: a snapshot a delivery, the newest is the
    list of today.
    """
    from pyspark.sql import functions as F

    return rows.withColumns({"kind": kind_of(F.col("category")), "language": language_of(F.col("category"))})


@table(
    "gold.dim_week",
    feed="charts",
    grain="one week for which there is a chart",
    key=("week_key",),
    reads=("gold.fact_top10_global_weekly", "gold.fact_top10_country_weekly"),
    columns=[
        Column("week_key", "int", "The week as yyyymmdd of its last day", nullable=False),
        Column("week", "date", "Sunday on which the week ends", nullable=False),
        *(
            Column(name, kind, meaning, False, ("gold.fact_top10_global_weekly.week",))
            for name, kind, meaning in (
                ("week_start", "date", "Monday on which it begins"),
                ("iso_year", "int", "ISO 8601 year of the week"),
                ("iso_week", "int", "ISO 8601 week, 1 to 53"),
                ("year", "int", "Year of its Sunday"),
                ("quarter", "int", "Quarter of its Sunday, 1 to 4"),
                ("month", "int", "Month of its Sunday, 1 to 12"),
                ("ranked_by", "string", "What the charts of the world were ranked by: hours, or views since 2023-06"),
                ("has_global", "boolean", "Whether there is a chart of the world"),
                ("has_countries", "boolean", "Whether there are charts of countries"),
                ("is_latest", "boolean", "Whether it is the newest week"),
            )
        ),
    ],
    expectations=[
        holds("week_ends_on_sunday", "dayofweek(week) = 1", "a week ends on a Sunday"),
        between("iso_week", 1, 53),
    ],
)
def dim_week(world: DataFrame, countries: DataFrame) -> DataFrame:
    """The weeks of the charts. A week runs from Monday to Sunday."""
    from pyspark.sql import functions as F

    seen = world.select("week", F.lit(True).alias("world")).distinct()
    seen = seen.unionByName(countries.select("week", F.lit(False).alias("world")).distinct())
    weeks = seen.groupBy("week").agg(F.max("world").alias("has_global"), F.max(~F.col("world")).alias("has_countries"))
    newest = weeks.agg(F.max("week").alias("newest"))
    thursday = F.date_sub("week", 3)  # the ISO year of a week is that of its Thursday
    return weeks.crossJoin(F.broadcast(newest)).select(
        _key(F.col("week")).alias("week_key"),
        "week",
        F.date_sub("week", 6).alias("week_start"),
        F.year(thursday).cast("int").alias("iso_year"),
        F.weekofyear("week").cast("int").alias("iso_week"),
        F.year("week").cast("int").alias("year"),
        F.quarter("week").cast("int").alias("quarter"),
        F.month("week").cast("int").alias("month"),
        F.when(F.col("week") < F.lit(RANKED_BY_VIEWS_SINCE).cast("date"), "hours")
        .otherwise("views")
        .alias("ranked_by"),
        "has_global",
        "has_countries",
        (F.col("week") == F.col("newest")).alias("is_latest"),
    )


def _current(history: DataFrame, place: Sequence[str]) -> DataFrame:
    """The places as they stand. Of most the first statement does, so the others alone are looked up."""
    from pyspark.sql import functions as F

    before = history.where("NOT is_current").groupBy(*place).agg(F.min("valid_from").alias("stated_before"))
    return (
        history.where("is_current")
        .join(before, [*place], "left")
        .withColumns(
            {
                "first_stated": F.coalesce("stated_before", "valid_from"),
                "week_key": _key(F.col("week")),
                "kind": kind_of(F.col("category")),
                "language": language_of(F.col("category")),
                "last_changed": F.col("valid_from"),
            }
        )
    )


def _restated(history: DataFrame, attributes: Sequence[str]) -> DataFrame:
    """Each statement after the first, field by field, where it differs from the one before."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    fields, place = (*TITLE, *attributes), ("scope", "week", "category", "weekly_rank")
    columns = (*place, "delivery_date", "said_before_on", "restated")
    ever_ended = history.where("NOT is_current").select(*place).distinct()
    history = history.join(ever_ended, [*place], "left_semi")  # of most places the first statement stands
    in_order = Window.partitionBy(*place).orderBy("valid_from")
    before = F.lag(F.struct(F.col("valid_from").alias("stated_on"), *fields)).over(in_order)
    since, until = F.lag("valid_to").over(in_order), F.lead("valid_from").over(in_order)
    placed = history.withColumns({"before": before, "ended_on": since, "until": until})
    pairs = placed.where("before IS NOT NULL AND ended_on = valid_from")
    other_title = ~F.col("show_title").eqNullSafe(F.col("before.show_title"))
    compared = [
        F.when(
            ~F.col(name).eqNullSafe(F.col(f"before.{name}"))
            & (other_title | F.lit(name in TITLE) | F.col(f"before.{name}").isNotNull()),
            F.struct(
                F.lit(name).alias("field"),
                F.col(f"before.{name}").cast("string").alias("said_before"),
                F.col(name).cast("string").alias("said_now"),
            ),
        )
        for name in fields
    ]
    restated = pairs.withColumns({"delivery_date": F.col("valid_from"), "said_before_on": F.col("before.stated_on")})
    restated = restated.withColumn("restated", F.explode(F.array_compact(F.array(*compared))))
    ended = placed.where("valid_to IS NOT NULL AND (until IS NULL OR until > valid_to)").withColumns(
        {
            "delivery_date": F.col("valid_to"),
            "said_before_on": F.col("valid_from"),
            "restated": _of_title(F.col("show_title"), F.lit(None).cast("string")),
        }
    )
    back = placed.where("ended_on < valid_from").withColumns(
        {
            "delivery_date": F.col("valid_from"),
            "said_before_on": F.col("ended_on"),
            "restated": _of_title(F.lit(None).cast("string"), F.col("show_title")),
        }
    )
    every = restated.select(*columns).unionByName(ended.select(*columns)).unionByName(back.select(*columns))
    return every.select("*", "restated.field", "restated.said_before", "restated.said_now").drop("restated")


def _of_title(before: Expression, now: Expression) -> Expression:
    from pyspark.sql import functions as F

    return F.struct(F.lit("show_title").alias("field"), before.alias("said_before"), now.alias("said_now"))


def _key(day: Expression) -> Expression:
    from pyspark.sql import functions as F

    return F.date_format(day, "yyyyMMdd").cast("int")
