"""What was watched, half-year by half-year."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, holds, in_set, table
from netflix_dagster.tables.seasons import season_of, show_of
from netflix_dagster.tables.silver.engagement import ANY, MEASURES
from netflix_dagster.tables.viewing import FILM, TV, chart_title_key

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SILVER = "silver.engagement"
_KIND = (f"{_SILVER}.kind", f"{_SILVER}.title_delivered")


@table(
    "gold.fact_engagement",
    feed="engagement",
    grain="one title in one half-year",
    key=("period", "kind", "title_delivered"),
    reads=(_SILVER,),
    columns=[
        Column("period", "string", "The half-year, such as 2023H1", nullable=False),
        Column("period_start", "date", "First day of the period", nullable=False),
        Column("period_end", "date", "Last day of the period", nullable=False),
        Column("kind", "string", "film or tv, if need be as another report has it; any when none tells", False, _KIND),
        Column("title_delivered", "string", "The title as the report gives it: English // native", nullable=False),
        Column("title", "string", "The English part of the title, the season included"),
        Column("native_title", "string", "The title in its own language, null when only one is given"),
        Column("show_title", "string", "The title without its season; of a film the title", True, _KIND),
        Column("season_title", "string", "The title when it names a season, null of anything else", True, _KIND),
        Column(
            "chart_title_key",
            "string",
            "Identity of the title in charts and reports: film|, tv| or any|title",
            False,
            _KIND,
        ),
        *(Column(column.name, column.type, column.description) for column in MEASURES),
        Column("stated_on", "date", "The delivery that says so", False, (f"{_SILVER}.delivery_date",)),
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

    A half-year that several deliveries state is settled title by title: the newest that names the title counts, and
    a title that it leaves out stays, because a shorter report is not a deletion. Where a report does not tell films
    from shows, a title is what every other report of it says.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    told = F.when(F.col("kind") != ANY, F.col("kind"))
    named = Window.partitionBy("title_delivered")
    only = F.when(F.min(told).over(named) == F.max(told).over(named), F.min(told).over(named))
    resolved = engagement.withColumn("kind", F.coalesce(told, only, F.col("kind")))

    # of the same day the two kinds of a title stand side by side; a title of neither gives way to them, or they to it
    title = Window.partitionBy("period", "title_delivered")
    one = Window.partitionBy("period", "kind", "title_delivered").orderBy(F.desc("delivery_date"))
    unsettled = F.col("kind") == ANY
    ranked = resolved.select(
        "*",
        F.row_number().over(one).alias("nth"),
        F.max(F.when(unsettled, F.col("delivery_date"))).over(title).alias("last_unsettled"),
        F.max(F.when(~unsettled, F.col("delivery_date"))).over(title).alias("last_settled"),
    )
    newest = ranked.where(
        "nth = 1 AND (last_unsettled IS NULL OR last_settled IS NULL"
        f" OR (kind = '{ANY}') = (last_unsettled > last_settled))"
    )
    kind = F.col("kind")
    shown = newest.withColumn("show_title", show_of(kind, F.col("title")))
    return shown.select(
        *(name for name in engagement.columns if name not in ("delivery_date", "season_title", "chart_title_key")),
        season_of(kind, F.col("title")).alias("season_title"),
        chart_title_key(kind, F.col("show_title")).alias("chart_title_key"),
        F.col("delivery_date").alias("stated_on"),
    )
