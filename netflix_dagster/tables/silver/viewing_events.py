"""Viewing events: stretches of watching, as players report them, thousands of small files an hour.

Players report at least once, and when they can: the same event comes in several files and hours, and some come days
late. Every delivery is typed and judged by itself; ``silver.viewing_events`` has each event once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, Takes, between, holds, in_set, matches, not_null, table
from netflix_dagster.landing.silver import Silver
from netflix_dagster.tables.silver.titles import TYPES, natural_key, spelled
from netflix_dagster.tables.text import tidy
from netflix_dagster.tables.typed import converted

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

DEVICES = ("tv", "phone", "tablet", "computer", "console")
LATEST = 30 * 24
"""Hours after which an event is not taken any more: what an hour came to is final some day."""
LONGEST = 24 * 3600
"""Seconds that no player reports as one stretch."""
_BRONZE, _DELIVERED = "bronze.viewing_events", "silver.viewing_events_delivered"
_TYPED = Silver(types={"started_at": "timestamp", "release_year": "bigint", "seconds_viewed": "bigint"})
_WORDS = ("event_id", "profile_id", "type", "title", "release_year", "country", "device")
_STATED = ("started_at", "seconds_viewed", "profile_id", "title_key", "country", "device")
"""What two reports of one event must agree on."""


@table(
    _DELIVERED,
    feed="viewing",
    grain="one event as one delivery reports it",
    key=("delivery_date", "delivery_hour", "event_id"),
    reads=(_BRONZE,),
    takes=(Takes(_BRONZE),),
    write="per_delivery",
    order="source_file, record_number",
    provenance=("source_file", "record_number"),
    columns=[
        Column("delivery_date", "date", "Day of the delivery"),
        Column("delivery_hour", "int", "Hour of the delivery, 0 to 23 (UTC)"),
        Column("event_id", "string", "Identity of the event, as the player made it"),
        Column("profile_id", "string", "The profile that watched"),
        Column(
            "title_key",
            "string",
            "The title, as in dim_title: type|title|year; of several titles with these the first",
            sources=tuple(f"{_BRONZE}.{name}" for name in ("type", "title", "release_year")),
        ),
        Column("type", "string", "Movie or TV Show"),
        Column("title", "string", "Title as the player names it"),
        Column("release_year", "int", "Year of first release"),
        Column("country", "string", "ISO 3166-1 alpha-2 code of the country where it was watched"),
        Column("device", "string", "What it was watched on, such as tv, phone"),
        Column("started_at", "timestamp", "When the stretch began (UTC)"),
        Column("seconds_viewed", "bigint", "Seconds watched"),
        Column(
            "event_hour", "string", "Hour in which it began, as 2026-11-20T13 (UTC)", sources=(f"{_BRONZE}.started_at",)
        ),
        Column("event_date", "date", "Day on which it began (UTC)", sources=(f"{_BRONZE}.started_at",)),
        Column(
            "hours_late",
            "int",
            "Hours from the hour in which it began to that of the delivery",
            sources=tuple(f"{_BRONZE}.{name}" for name in ("started_at", "delivery_date", "delivery_hour")),
        ),
        Column("source_file", "string", "File that the row came in"),
        Column("record_number", "bigint", "Record of that file"),
    ],
    expectations=[
        *(not_null(name, hint="ask who runs the players") for name in ("event_id", "profile_id", "title", "device")),
        not_null("country", hint="a viewing is in a country"),
        matches("country", "^[A-Z]{2}$", "drop", "write the ISO code, such as US"),
        holds("type_known", "type IN ('Movie', 'TV Show')", "a title is a Movie or a TV Show"),
        in_set("device", DEVICES, hint="a new kind of device: add it to tables/silver/viewing_events.py"),
        not_null("started_at", hint="write the moment as 2026-11-20T13:05:09Z"),
        not_null("seconds_viewed", hint="write whole seconds"),
        between("seconds_viewed", 0, LONGEST, "drop", "a stretch of watching ends within a day"),
        holds(
            "not_before_it_began", "hours_late >= -1", "no event comes before it began", "drop", "is the clock right?"
        ),
        holds(
            "not_too_late",
            f"hours_late <= {LATEST}",
            f"an event comes within {LATEST // 24} days",
            "drop",
            "what its hour came to is final by then; is the clock right?",
        ),
    ],
)
def viewing_events_delivered(records: DataFrame) -> DataFrame:
    """The events of every delivery, typed and judged. An event that comes twice in one delivery counts once; two
    different events of a delivery cannot have one id: the first, by file and record, stays."""
    from pyspark.sql import functions as F

    days = ("delivery_date date", "delivery_hour int")
    names = (*_WORDS, "started_at", "seconds_viewed", "source_file", "record_number")
    kinds = {**_TYPED.types, "record_number": "bigint"}
    schema = ", ".join((*days, *(f"{name} {kinds.get(name, 'string')}" for name in names), "event_hour string"))
    rows = tidy(records.select("delivery_date", "delivery_hour", *names)).mapInArrow(_typed, schema)
    rows = rows.withColumns(
        {
            "type": spelled(TYPES),
            "release_year": F.col("release_year").try_cast("int"),
            "country": F.upper("country"),
            "device": F.lower("device"),
            "event_date": F.substring("event_hour", 1, 10).try_cast("date"),
        }
    )
    days_late = F.datediff("delivery_date", "event_date") * 24
    late = (days_late + F.col("delivery_hour") - F.substring("event_hour", 12, 2).try_cast("int")).cast("int")
    return rows.select("*", natural_key().alias("title_key"), late.alias("hours_late"))


def _typed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The batches with moments and numbers read, and the hour in which each event began."""
    import pyarrow.compute as pc

    for batch in converted(_TYPED, (*_WORDS, "started_at", "seconds_viewed"))(batches):
        typed = batch.select([name for name in batch.schema.names if not name.startswith("_")])
        yield typed.append_column("event_hour", pc.strftime(typed["started_at"], "%Y-%m-%dT%H"))


@table(
    "silver.viewing_events",
    feed="viewing",
    grain="one event",
    key=("event_hour", "event_id"),
    reads=(_DELIVERED,),
    write="parts",
    part="event_hour",
    columns=[
        *(column for column in TABLES[_DELIVERED].columns),
        Column("reports", "int", "Deliveries that report it", False, (f"{_DELIVERED}.event_id",)),
        Column(
            "reported_alike",
            "boolean",
            "Whether they all say the same of it",
            False,
            tuple(f"{_DELIVERED}.{name}" for name in _STATED),
        ),
    ],
    expectations=[
        holds(
            "reported_alike",
            "reported_alike",
            "every report of an event says the same of it",
            hint="the first one counts; all of them are in silver.viewing_events_delivered",
        )
    ],
)
def viewing_events(delivered: DataFrame) -> DataFrame:
    """Every event once, as the first delivery reports it that stands: by day, then hour, whenever they arrived.

    An event is its id and the hour in which it began: reports of one id from two hours are two events.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    same = Window.partitionBy("event_hour", "event_id")
    in_order = same.orderBy("delivery_date", "delivery_hour")
    said = F.xxhash64(*_STATED)
    return (
        delivered.withColumn("_said", said)
        .withColumns(
            {
                "_nth": F.row_number().over(in_order),
                "reports": F.count("*").over(same).cast("int"),
                "reported_alike": F.min("_said").over(same) == F.max("_said").over(same),
            }
        )
        .where("_nth = 1")
        .drop("_nth", "_said")
    )
