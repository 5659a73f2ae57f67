"""What was watched, half-year by half-year."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, holds, in_set, table
from netflix_dagster.tables.seasons import season_of, show_of
from netflix_dagster.tables.silver.engagement import MEASURES, UNDATED
from netflix_dagster.tables.viewing import ANY, FILM, TV, chart_title_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SILVER = "silver.engagement"
_OF_TITLE = ("kind", "title_words")
_KIND = (f"{_SILVER}.kind", f"{_SILVER}.title_delivered")


@table(
    "gold.fact_engagement",
    feed="engagement",
    grain="one work in one half-year: a title; where a report lists several works of that name, each of them",
    key=("period", "kind", "title_delivered", "work"),
    reads=(_SILVER,),
    columns=[
        Column("period", "string", "The half-year, such as 2023H1", nullable=False),
        Column("period_start", "date", "First day of the period", nullable=False),
        Column("period_end", "date", "Last day of the period", nullable=False),
        Column("kind", "string", "film or tv, perhaps from another report; any when none shows which", False, _KIND),
        Column("title_delivered", "string", "The title as the report gives it: English // native", False, length=2000),
        Column(
            "work",
            "string",
            "Which of several works of that name: its release date, or undated, and its minutes if needed;"
            " empty where no report lists several",
            False,
            (f"{_SILVER}.work",),
        ),
        Column("title", "string", "The English part of the title, the season included"),
        Column("native_title", "string", "The title in its own language, null when only one is given"),
        Column("show_title", "string", "The title without its season; of a film the title", True, _KIND),
        Column("season_title", "string", "The title when it names a season, null of anything else", True, _KIND),
        Column(
            "chart_title_key",
            "string",
            "Identity of the title in charts and reports: film|, tv| or any|title, and |work where there are several",
            False,
            (*_KIND, f"{_SILVER}.work"),
        ),
        *(Column(column.name, column.type, column.description) for column in MEASURES),
        Column("stated_on", "date", "The delivery that states it", False, (f"{_SILVER}.delivery_date",)),
        Column("first_stated", "date", "First delivery that names it", False, (f"{_SILVER}.delivery_date",)),
        Column("source_file", "string", "File that the row came in"),
        Column("record_number", "bigint", "Record of that file"),
    ],
    expectations=[
        in_set("kind", (FILM, TV, ANY), "fail"),
        holds("period_in_order", "period_start <= period_end", "a period ends after it begins", "fail"),
    ],
)
def fact_engagement(engagement: DataFrame) -> DataFrame:
    """Hours and views of every title in every half-year, as the newest report states them.

    A half-year that several deliveries state is settled title by title: the newest that names the title counts, with
    all works of that name that it lists, and a title that it leaves out stays, because a shorter report is not a
    deletion. Where a report does not separate films and shows, a title has the kind that all other reports give it;
    where one workbook has both forms, the sheet with kinds counts.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    stated = F.when(F.col("kind") != ANY, F.col("kind"))
    named = Window.partitionBy("title_words")
    only = F.when(F.min(stated).over(named) == F.max(stated).over(named), F.min(stated).over(named))
    resolved = engagement.withColumns(
        {"kind": F.coalesce(stated, only, F.col("kind")), "as_stated": stated.isNotNull()}
    )
    newest = _newest(resolved)

    # several works of one name: in any period, so that a work has the same identity in all of them
    in_report = [*_OF_TITLE, "period"]
    counted = newest.withColumns(
        {
            "works": F.count("*").over(Window.partitionBy(*in_report)),
            "of_date": F.count("*").over(Window.partitionBy(*in_report, "release_date")),
        }
    )
    several = F.max("works").over(Window.partitionBy(*_OF_TITLE)) > 1
    same_day = F.max("of_date").over(Window.partitionBy(*_OF_TITLE, "release_date")) > 1
    dated = F.coalesce(F.col("release_date").cast("string"), F.lit(UNDATED))
    work = F.when(several, F.when(same_day, F.col("work")).otherwise(dated)).otherwise("")
    kind = F.col("kind")
    shown = counted.withColumn("work", work).withColumn("show_title", show_of(kind, F.col("title")))
    key = chart_title_key(kind, F.col("show_title"))
    made = ("delivery_date", "season_title", "chart_title_key", "title_words")
    return shown.select(
        *(name for name in engagement.columns if name not in made),
        season_of(kind, F.col("title")).alias("season_title"),
        F.when(F.col("work") == "", key).otherwise(F.concat_ws("|", key, "work")).alias("chart_title_key"),
        F.col("delivery_date").alias("stated_on"),
        "first_stated",
    )


def _newest(resolved: DataFrame) -> DataFrame:
    """The rows of the newest delivery that names each title in a period, and the first that did.

    Of the same day the two kinds of a title stand side by side; a title of neither gives way to them, or they to it.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    title, of_kind = Window.partitionBy("period", "title_words"), Window.partitionBy("period", *_OF_TITLE)
    day, unsettled = F.col("delivery_date"), F.col("kind") == ANY
    ranked = resolved.select(
        "*",
        F.max(day).over(of_kind).alias("last_of_kind"),
        F.max(F.when(F.col("as_stated"), day)).over(of_kind).alias("last_stated"),
        F.max(F.when(unsettled, day)).over(title).alias("last_unsettled"),
        F.max(F.when(~unsettled, day)).over(title).alias("last_settled"),
        F.least(F.min(day).over(of_kind), F.min(F.when(unsettled, day)).over(title)).alias("first_stated"),
    )
    return ranked.where(
        "delivery_date = last_of_kind"
        " AND (as_stated OR last_stated IS NULL OR last_stated < delivery_date)"
        " AND (last_unsettled IS NULL OR last_settled IS NULL"
        f" OR (kind = '{ANY}') = (last_unsettled > last_settled))"
    )
