"""The charts of what people watch, typed: the weekly Top 10 of the world and of countries, and the most popular
titles of all time. Every delivery as it was said; what it changed of earlier ones is in the histories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Takes, between, holds, in_set, not_null, table
from netflix_dagster.contracts.delivery_rules import null_share, recent, row_count_change, stable
from netflix_dagster.tables.text import day, tidy
from netflix_dagster.tables.viewing import CATEGORIES, chart_title_key, current_category, kind_of

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

_NOT_STATED = "N/A"
_HEADER = "lower(source_header)"

_DELIVERY = Column("delivery_date", "date", "Date of the delivery that says so")
_ORIGIN = [
    Column("source_file", "string", "File that the row came in"),
    Column("record_number", "bigint", "Record of that file"),
]
_PROVENANCE = ("source_file", "record_number", "category_delivered")


def _place(source: str) -> list[Column]:
    return [
        Column("week", "date", "Sunday on which the week ends"),
        Column("category", "string", "Category under the name that it has now", sources=(f"{source}.category",)),
        Column("category_delivered", "string", "Category as written", sources=(f"{source}.category",)),
        Column("weekly_rank", "int", "Place in the chart of the week and category, from 1"),
    ]


def _named(source: str) -> list[Column]:
    return [
        Column(
            "chart_title_key",
            "string",
            "The title as charts name it: film|title or tv|title in lower case; seasons share it",
            sources=(f"{source}.show_title", f"{source}.category"),
        ),
        Column("show_title", "string", "Title of the film or show"),
        Column("season_title", "string", "Title of the season; null for films"),
        Column(
            "season_stated",
            "boolean",
            "Whether the file has a column for the season at all",
            sources=(f"{source}.source_header",),
        ),
    ]


_DELIVERY_RULES = [row_count_change(), recent("week", 14), stable("category", tuple(CATEGORIES))]
_WEEKS = Column("cumulative_weeks_in_top_10", "int", "Weeks in this Top 10 so far, this one included")
_RULES = [
    not_null("week", hint="write the Sunday on which the week ends as 2021-11-14"),
    not_null("weekly_rank", hint="a place is a number from 1"),
    not_null("show_title", hint="a place without a title says nothing"),
    not_null("category", hint="a place belongs to a category"),
    in_set("category", CATEGORIES, hint="a new or renamed category: say what it stands for in tables/viewing.py"),
    between("weekly_rank", 1, 10),
    holds("week_ends_on_sunday", "dayofweek(week) = 1", "a week ends on a Sunday"),
    between("cumulative_weeks_in_top_10", 1, 2000),
]


@table(
    "silver.top10_global",
    feed="charts",
    grain="one place of one weekly chart of the world, as one delivery states it",
    key=("delivery_date", "week", "category", "weekly_rank"),
    reads=("bronze.top10_global",),
    takes=(Takes("bronze.top10_global"),),
    write="per_delivery",
    order="record_number",
    provenance=_PROVENANCE,
    columns=[
        _DELIVERY,
        *_place("bronze.top10_global"),
        *_named("bronze.top10_global"),
        Column("weekly_hours_viewed", "bigint", "Hours viewed in the week"),
        Column("runtime", "double", "Length in hours; null where it is not stated or the launch is staggered"),
        Column("weekly_views", "bigint", "Views in the week: hours divided by length, since 2023-06"),
        _WEEKS,
        Column("is_staggered_launch", "boolean", "Whether the season was launched in steps"),
        Column("episode_launch_details", "string", "JSON: how many episodes were out in which countries"),
        *_ORIGIN,
    ],
    delivery_rules=_DELIVERY_RULES,
    expectations=[
        *_RULES,
        between("weekly_hours_viewed", 0, 5e9),
        holds(
            "numbers_readable",
            "numbers_lost = 0",
            "hours, runtime, views and weeks are numbers where they are stated",
            hint="the value is null in silver; see bronze for what was written",
        ),
        holds(
            "views_fit_hours",
            "abs(weekly_views * runtime - weekly_hours_viewed) <= 0.15 * weekly_hours_viewed + 200000",
            "views are hours divided by runtime, as far as rounding allows",
        ),
    ],
)
def top10_global(rows: DataFrame) -> DataFrame:
    """The weekly Top 10 of the world as each delivery states it. Deliveries are cumulative: each says every week."""
    from pyspark.sql import functions as F

    kept = _titled(_stated(tidy(rows)), "top10_global")
    numbers = ("weekly_hours_viewed", "runtime", "weekly_views", "cumulative_weeks_in_top_10")
    return kept.select(
        *_common(kept),
        _whole("weekly_hours_viewed"),
        _hours("runtime"),
        _whole("weekly_views"),
        _whole("cumulative_weeks_in_top_10", "int"),
        F.lower("is_staggered_launch").try_cast("boolean").alias("is_staggered_launch"),
        "episode_launch_details",
        _lost(numbers).alias("numbers_lost"),
    )


@table(
    "silver.top10_countries",
    feed="charts",
    grain="one place of one weekly chart of one country, as one delivery states it",
    key=("delivery_date", "week", "country_iso2", "category", "weekly_rank"),
    reads=("bronze.top10_countries",),
    takes=(Takes("bronze.top10_countries"),),
    write="per_delivery",
    order="record_number",
    provenance=_PROVENANCE,
    columns=[
        _DELIVERY,
        Column("country_iso2", "string", "ISO 3166-1 alpha-2 code of the country"),
        Column("country_name", "string", "Country in English"),
        *_place("bronze.top10_countries"),
        *_named("bronze.top10_countries"),
        _WEEKS,
        *_ORIGIN,
    ],
    delivery_rules=_DELIVERY_RULES,
    expectations=[
        *_RULES,
        not_null("country_iso2", hint="a chart of a country needs its ISO code"),
        holds("country_is_a_code", "country_iso2 RLIKE '^[A-Z]{2}$'", "a country code has two capital letters"),
        holds("numbers_readable", "numbers_lost = 0", "weeks are numbers where they are stated"),
    ],
)
def top10_countries(rows: DataFrame) -> DataFrame:
    """The weekly Top 10 of each country as each delivery states it, without hours: countries state none."""
    from pyspark.sql import functions as F

    kept = _titled(_stated(tidy(rows)), "top10_countries")
    return kept.select(
        *_common(kept),
        F.upper("country_iso2").alias("country_iso2"),
        "country_name",
        _whole("cumulative_weeks_in_top_10", "int"),
        _lost(("cumulative_weeks_in_top_10",)).alias("numbers_lost"),
    )


@table(
    "silver.most_popular",
    feed="charts",
    grain="one place of one list of the most popular titles of all time, as of one delivery",
    key=("delivery_date", "category", "rank"),
    reads=("bronze.most_popular",),
    takes=(Takes("bronze.most_popular"),),
    write="per_delivery",
    order="record_number",
    provenance=_PROVENANCE,
    columns=[
        _DELIVERY,
        *(c for c in _place("bronze.most_popular") if c.name.startswith("category")),
        Column("rank", "int", "Place in the list, from 1"),
        *(c for c in _named("bronze.most_popular") if c.name != "season_stated"),
        Column(
            "window_days",
            "int",
            "Days after the launch that count: 28 until 2023-06, 91 since",
            sources=("bronze.most_popular.source_header",),
        ),
        Column(
            "hours_viewed",
            "bigint",
            "Hours viewed in these days",
            sources=(
                "bronze.most_popular.hours_viewed_first_28_days",
                "bronze.most_popular.hours_viewed_first_91_days",
            ),
        ),
        Column("runtime", "double", "Length in hours"),
        Column(
            "views",
            "bigint",
            "Views in these days: hours divided by length",
            sources=("bronze.most_popular.views_first_28_days", "bronze.most_popular.views_first_91_days"),
        ),
        *_ORIGIN,
    ],
    delivery_rules=[row_count_change(), null_share("hours_viewed", 0.05), stable("category", tuple(CATEGORIES))],
    expectations=[
        not_null("rank", hint="a place is a number from 1"),
        not_null("show_title", hint="a place without a title says nothing"),
        not_null("category", hint="a place belongs to a category"),
        in_set("category", CATEGORIES, hint="a new or renamed category: say what it stands for in tables/viewing.py"),
        between("rank", 1, 10),
        holds("numbers_readable", "numbers_lost = 0", "hours, runtime and views are numbers where they are stated"),
        holds("hours_stated", "hours_viewed IS NOT NULL", "hours are stated, over 28 or 91 days"),
    ],
)
def most_popular(rows: DataFrame) -> DataFrame:
    """The most popular titles of all time by category, as each delivery lists them.

    Since 2023-06 the lists count the first 91 days instead of 28, and rank by views instead of hours.
    """
    from pyspark.sql import functions as F

    kept = _titled(_stated(tidy(rows)), "most_popular")
    over_91 = F.expr(f"{_HEADER} LIKE '%91%'")
    hours = ("hours_viewed_first_28_days", "hours_viewed_first_91_days")
    views = ("views_first_28_days", "views_first_91_days")
    return kept.select(
        *_common(kept, rank="rank"),
        F.when(over_91, 91).otherwise(28).cast("int").alias("window_days"),
        F.coalesce(*(_whole(name) for name in reversed(hours))).alias("hours_viewed"),
        _hours("runtime"),
        F.coalesce(*(_whole(name) for name in reversed(views))).alias("views"),
        _lost((*hours, "runtime", *views)).alias("numbers_lost"),
    )


def _stated(rows: DataFrame) -> DataFrame:
    """The rows with null where the file says that it says nothing."""
    from pyspark.sql import functions as F

    texts = [f.name for f in rows.schema.fields if f.dataType.simpleString() == "string"]
    return rows.withColumns({name: F.when(F.col(name) != _NOT_STATED, F.col(name)) for name in texts})


def _titled(rows: DataFrame, source: str) -> DataFrame:
    from pyspark.sql import functions as F

    category = current_category(F.col("category"), source)
    return rows.withColumns(
        {
            "category_delivered": F.col("category"),
            "category": category,
            "chart_title_key": chart_title_key(kind_of(category), F.col("show_title")),
            "season_stated": F.expr(f"{_HEADER} LIKE '%season%'"),
        }
    )


def _common(rows: DataFrame, rank: str = "weekly_rank") -> list[str | Expression]:
    from pyspark.sql import functions as F

    names = ["delivery_date", "category", "category_delivered", "chart_title_key", "show_title", "season_title"]
    week = [day(F.col("week")).alias("week")] if "week" in rows.columns else []
    return [*names, "season_stated", "source_file", "record_number", _whole(rank, "int"), *week]


def _digits(name: str) -> Expression:
    from pyspark.sql import functions as F

    return F.regexp_replace(F.col(name), "[, ]", "")


def _whole(name: str, kind: str = "bigint") -> Expression:
    """A whole number, with or without separators of thousands or a fraction of nothing."""
    from pyspark.sql import functions as F

    return F.regexp_replace(_digits(name), r"\.0*$", "").try_cast(kind).alias(name)


def _hours(name: str) -> Expression:
    """A length in hours, from 1.9667 or 1:58; a length of 0 is none."""
    from pyspark.sql import functions as F

    clock = r"^(\d+):(\d{2})$"
    text = _digits(name)
    minutes = F.regexp_extract(text, clock, 1).try_cast("double") + F.regexp_extract(text, clock, 2).try_cast(
        "double"
    ) / F.lit(60)
    hours = F.when(text.rlike(clock), minutes).otherwise(text.try_cast("double"))
    return F.when(hours > 0, hours).alias(name)


def _lost(names: tuple[str, ...]) -> Expression:
    """How many of these columns state something that is no number; all but the runtime are whole numbers."""
    from functools import reduce

    from pyspark.sql import functions as F

    length = r"^-?\d+(\.\d+)?$|^\d+:\d{2}$"
    lost = [
        F.when(F.col(name).isNotNull() & unread, 1).otherwise(0)
        for name in names
        for unread in [~_digits(name).rlike(length) if name == "runtime" else _whole(name).isNull()]
    ]
    return reduce(lambda one, other: one + other, lost)
