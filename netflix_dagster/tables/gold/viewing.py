"""What was watched, hour by hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, references, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_EVENTS = "silver.viewing_events"


@table(
    "gold.fact_viewing_hourly",
    feed="viewing",
    grain="one title in one country on one kind of device in one hour",
    key=("event_hour", "title_key", "country", "device"),
    reads=(_EVENTS, "gold.dim_title"),
    write="parts",
    part="event_hour",
    columns=[
        Column("event_hour", "string", "Hour in which the viewing began, as 2026-11-20T13 (UTC)", nullable=False),
        Column("event_date", "date", "Day of that hour (UTC)", False, (f"{_EVENTS}.event_date",)),
        Column(
            "title_key",
            "string",
            "The title in dim_title; a title that the catalogue lacks stays, under the key it would have",
            False,
            (f"{_EVENTS}.title_key",),
        ),
        Column("title", "string", "The title as players name it", False, (f"{_EVENTS}.title",)),
        Column("country", "string", "ISO 3166-1 alpha-2 code of the country", False, (f"{_EVENTS}.country",)),
        Column("device", "string", "What it was watched on, such as tv, phone", False, (f"{_EVENTS}.device",)),
        Column("events", "bigint", "Stretches of viewing that began in the hour", False, (f"{_EVENTS}.event_id",)),
        Column("viewers", "bigint", "Different profiles among them", False, (f"{_EVENTS}.profile_id",)),
        Column(
            "seconds_viewed", "bigint", "Seconds viewed in them", nullable=False, sources=(f"{_EVENTS}.seconds_viewed",)
        ),
        Column("hours_viewed", "double", "The same in hours", False, (f"{_EVENTS}.seconds_viewed",)),
        Column("late_events", "bigint", "Those that came in a later hour", False, (f"{_EVENTS}.hours_late",)),
    ],
    expectations=[
        references(("title_key",), "gold.dim_title", hint="the catalogue does not have the title (yet); the row stays"),
    ],
)
def fact_viewing_hourly(events: DataFrame, _titles: DataFrame) -> DataFrame:
    """Hours viewed and viewers of every title, by the hour in which the viewing began. A late event counts in that
    hour, not in the one in which it came; a stretch over several hours counts in its first."""
    from pyspark.sql import functions as F

    return (
        events.groupBy("event_hour", "title_key", "country", "device")
        .agg(
            F.min("event_date").alias("event_date"),
            F.max("title").alias("title"),
            F.count("*").alias("events"),
            F.count_distinct("profile_id").alias("viewers"),
            F.sum("seconds_viewed").alias("seconds_viewed"),
            F.count(F.when(F.col("hours_late") > 0, 1)).alias("late_events"),
        )
        .withColumn("hours_viewed", F.col("seconds_viewed") / F.lit(3600.0))
    )
