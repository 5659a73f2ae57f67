"""The charts, typed: the weekly Top 10 of the world and of countries, and the most popular titles of all time. Every
delivery as it is; the histories tell what it changes of earlier ones.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import (
    TABLES,
    Column,
    Expectation,
    Takes,
    between,
    holds,
    in_set,
    not_null,
    table,
)
from netflix_dagster.contracts.delivery_rules import null_share, recent, row_count_change, stable
from netflix_dagster.landing.sources import Source
from netflix_dagster.tables.text import day, tidy
from netflix_dagster.tables.viewing import CATEGORIES, chart_title_key, current_category, kind_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

MOST_A_WEEK = 5e9
"""Hours, or views, that no title has in a week. The most that was ever stated is 0.6e9 hours."""
MOST_OF_ALL = 5e10
"""Hours, or views, that no title has in 91 days. The most that was ever stated is 2.2e9 hours."""
LONGEST = 1_000
"""Hours that nothing lasts, all episodes together. The longest that was ever stated is 20."""
MOST_WEEKS = 2_000
"""Weeks that no title is in a chart: more than Netflix has existed."""
_NOT_STATED = "N/A"
_WHOLE = r"^[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+|[0-9]{1,3}( [0-9]{3})+)(\.0*)?$"
"""A whole number; thousands may be set apart, by commas or by spaces. ``12,34`` is none: it may be 12.34 or 1234."""
_CLOCK = r"^([0-9]+):([0-5][0-9])$"
_LENGTH = r"^[+-]?[0-9]+(\.[0-9]*)?$"
_NO_LENGTH = r"^0+(\.0*)?$|^0+:00$"

_DELIVERY = Column("delivery_date", "date", "Date of the delivery that states it")
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
            "The title as charts name it: film|title or tv|title in lower case, any|title where the category is not"
            " known; seasons share it",
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


def _readable(column: str, what: str) -> Expectation:
    """A stated number can be read. Otherwise the row is refused: its value is not known, and it is not null."""
    return holds(
        f"{column}_readable",
        f"{column}_text IS NULL OR {column} IS NOT NULL",
        f"{column} is {what} where it is stated",
        "drop",
        hint="write 1234567 or 1,234,567; with a decimal comma it is not known which number is meant",
    )


_A_WHOLE, _A_LENGTH = "a whole number", "a length in hours, such as 1.9667 or 1:58,"
_DELIVERY_RULES = [row_count_change(), recent("week", 14), stable("category", tuple(CATEGORIES))]
_WEEKS = Column("cumulative_weeks_in_top_10", "int", "Weeks in this Top 10 so far, this one included")
_RULES = [
    not_null("week", hint="write the Sunday on which the week ends as 2021-11-14"),
    not_null("weekly_rank", hint="a place is a number from 1"),
    not_null("show_title", hint="a place needs a title"),
    not_null("category", hint="a place belongs to a category"),
    in_set("category", CATEGORIES, hint="a new or renamed category: add its meaning to tables/viewing.py"),
    between("weekly_rank", 1, 10),
    holds(
        "week_plausible",
        "week BETWEEN DATE '2000-01-01' AND date_add(delivery_date, 7)",
        "a chart is of a week that has been",
        "drop",
        hint="is the year right? Days are 2021-11-14, November 14, 2021 or 11/14/2021",
    ),
    holds("week_ends_on_sunday", "dayofweek(week) = 1", "a week ends on a Sunday"),
    _readable("cumulative_weeks_in_top_10", _A_WHOLE),
    between("cumulative_weeks_in_top_10", 1, MOST_WEEKS, "drop"),
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
        Column("episode_launch_details", "string", "JSON: how many episodes were out in which countries", length=4000),
        *_ORIGIN,
    ],
    delivery_rules=_DELIVERY_RULES,
    expectations=[
        *_RULES,
        _readable("weekly_hours_viewed", _A_WHOLE),
        _readable("runtime", _A_LENGTH),
        _readable("weekly_views", _A_WHOLE),
        between("weekly_hours_viewed", 0, MOST_A_WEEK, "drop"),
        between("runtime", 0, LONGEST, "drop"),
        between("weekly_views", 0, MOST_A_WEEK, "drop"),
        holds(
            "is_staggered_launch_readable",
            "is_staggered_launch_text IS NULL OR is_staggered_launch IS NOT NULL",
            "whether a launch was staggered is true or false",
            hint="it is null in silver; see bronze for what was written",
        ),
        holds(
            "views_fit_hours",
            "abs(weekly_views * runtime - weekly_hours_viewed) <= 0.15 * weekly_hours_viewed + 200000",
            "views are hours divided by runtime, as far as rounding allows",
        ),
    ],
)
def top10_global(rows: DataFrame) -> DataFrame:
    """The weekly Top 10 of the world as each delivery states it. Deliveries are cumulative: each states every week."""
    from pyspark.sql import functions as F

    kept = _titled(_stated(tidy(rows)), "top10_global")
    return kept.select(
        *_common(kept),
        *_whole("weekly_hours_viewed"),
        *_hours("runtime"),
        *_whole("weekly_views"),
        *_whole("cumulative_weeks_in_top_10", "int"),
        F.lower("is_staggered_launch").try_cast("boolean").alias("is_staggered_launch"),
        F.col("is_staggered_launch").alias("is_staggered_launch_text"),
        "episode_launch_details",
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
        *_whole("cumulative_weeks_in_top_10", "int"),
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
            "Days after the launch that count: 28 until 2023-06, 91 since; of a row that states both, 91",
            sources=(
                "bronze.most_popular.source_header",
                "bronze.most_popular.hours_viewed_first_28_days",
                "bronze.most_popular.hours_viewed_first_91_days",
            ),
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
        not_null("show_title", hint="a place needs a title"),
        not_null("category", hint="a place belongs to a category"),
        in_set("category", CATEGORIES, hint="a new or renamed category: add its meaning to tables/viewing.py"),
        between("rank", 1, 10),
        _readable("hours_viewed", _A_WHOLE),
        _readable("runtime", _A_LENGTH),
        _readable("views", _A_WHOLE),
        between("hours_viewed", 0, MOST_OF_ALL, "drop"),
        between("runtime", 0, LONGEST, "drop"),
        between("views", 0, MOST_OF_ALL, "drop"),
        holds("hours_stated", "hours_viewed IS NOT NULL", "hours are stated, over 28 or 91 days"),
    ],
)
def most_popular(rows: DataFrame) -> DataFrame:
    """The most popular titles of all time by category, as each delivery lists them.

    Since 2023-06 the lists count the first 91 days instead of 28, and rank by views instead of hours. A row has hours
    and views of one window, never the hours of the one under the days of the other.
    """
    from pyspark.sql import functions as F

    kept = _titled(_stated(tidy(rows)), "most_popular")
    over_91 = F.expr(_any_stated(91)) | (F.col("over_91") & ~F.expr(_any_stated(28)))
    of_window = {
        "window_days": F.when(over_91, 91).otherwise(28).cast("int"),
        "hours_viewed": F.when(over_91, F.col("hours_viewed_first_91_days")).otherwise(
            F.col("hours_viewed_first_28_days")
        ),
        "views": F.when(over_91, F.col("views_first_91_days")).otherwise(F.col("views_first_28_days")),
    }
    kept = kept.withColumns(of_window)
    return kept.select(
        *_common(kept, rank="rank"), "window_days", *_whole("hours_viewed"), *_hours("runtime"), *_whole("views")
    )


def _any_stated(days: int) -> str:
    return f"hours_viewed_first_{days}_days IS NOT NULL OR views_first_{days}_days IS NOT NULL"


def _stated(rows: DataFrame) -> DataFrame:
    """The rows with null where the file says ``N/A``."""
    from pyspark.sql import functions as F

    texts = [f.name for f in rows.schema.fields if f.dataType.simpleString() == "string"]
    return rows.withColumns({name: F.when(F.col(name) != _NOT_STATED, F.col(name)) for name in texts})


def _titled(rows: DataFrame, source: str) -> DataFrame:
    from pyspark.sql import functions as F

    fields = ", ".join(f"`{f.name}` {f.dataType.simpleString()}" for f in rows.schema.fields)
    flagged = rows.mapInArrow(_with_columns(source), f"{fields}, season_stated boolean, over_91 boolean")
    category = current_category(F.col("category"), source)
    return flagged.withColumns(
        {
            "category_delivered": F.col("category"),
            "category": category,
            "chart_title_key": chart_title_key(kind_of(category), F.col("show_title")),
        }
    )


def _with_columns(source: str) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Adds to every row whether its file has a column for the season, and one for 91 days. The names of the source
    decide, aliases included: a header ``is_seasonal`` is neither."""
    known = TABLES[f"bronze.{source}"].source
    assert known is not None

    def flagged(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        @lru_cache(maxsize=64)
        def flags(header: str | None) -> tuple[bool, bool]:
            columns = _columns_of(header or "", known)
            return "season_title" in columns, "hours_viewed_first_91_days" in columns

        for batch in batches:
            headers = batch.column(batch.schema.get_field_index("source_header")).to_pylist()
            found = [pa.array([flags(header)[place] for header in headers], pa.bool_()) for place in (0, 1)]
            names = [*batch.schema.names, "season_stated", "over_91"]
            yield pa.RecordBatch.from_arrays([*batch.columns, *found], names=names)

    return flagged


def _columns_of(header: str, source: Source) -> set[str | None]:
    """The columns of the source that a delivered header has."""
    return {source.canonical(name) for line in csv.reader([header]) for name in line}


def _common(rows: DataFrame, rank: str = "weekly_rank") -> list[str | Expression]:
    from pyspark.sql import functions as F

    names = ["delivery_date", "category", "category_delivered", "chart_title_key", "show_title", "season_title"]
    week = [day(F.col("week")).alias("week")] if "week" in rows.columns else []
    return [*names, "season_stated", "source_file", "record_number", _whole(rank, "int")[0], *week]


def _whole(name: str, kind: str = "bigint") -> list[Expression]:
    """A whole number, with or without separators of thousands or a fraction of zeros; and its text."""
    from pyspark.sql import functions as F

    text = F.col(name)
    digits = F.regexp_replace(F.regexp_replace(text, "[, ]", ""), r"\.0*$", "")
    return [F.when(text.rlike(_WHOLE), digits).try_cast(kind).alias(name), text.alias(f"{name}_text")]


def _hours(name: str) -> list[Expression]:
    """A length in hours, from 1.9667 or 1:58; and its text. A length of 0 counts as not stated."""
    from pyspark.sql import functions as F

    text = F.col(name)
    minutes = F.regexp_extract(text, _CLOCK, 2).try_cast("double") / F.lit(60)
    clock = F.regexp_extract(text, _CLOCK, 1).try_cast("double") + minutes
    hours = F.when(text.rlike(_CLOCK), clock).when(text.rlike(_LENGTH), text.try_cast("double"))
    stated = ~text.rlike(_NO_LENGTH)
    return [F.when(stated, hours).alias(name), F.when(stated, text).alias(f"{name}_text")]
