"""How releases spell the people, countries and genres that titles list, and the spelling that is used most."""

from __future__ import annotations

from datetime import date
from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, table
from netflix_dagster.tables.silver.releases import accepted
from netflix_dagster.tables.silver.title_lists import LISTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PERSON, COUNTRY, GENRE = "person", "country", "genre"
_TABLES = tuple(name for name, _, _ in LISTS.values())
_KEYS = tuple(f"{name}.{item}_key" for name, item, _ in LISTS.values())
_ITEMS = tuple(f"{name}.{item}" for name, item, _ in LISTS.values())
_DAYS = tuple(f"{name}.delivery_date" for name in _TABLES)


def _added(before: DataFrame, built: DataFrame, _since: date, *_reads: DataFrame) -> DataFrame:
    return _named(before.unionByName(built.select(*before.columns)))


@table(
    "silver.spellings",
    feed="catalogue",
    grain="one spelling of one person, country or genre",
    key=("kind", "member_key", "spelling"),
    reads=("silver.releases", *_TABLES),
    goes_on=GoesOn(merge=_added, back=False),
    divided_by="member_key",
    columns=[
        Column("kind", "string", "person, country or genre", False, _KEYS),
        Column("member_key", "string", "The member as compared", False, _KEYS),
        Column("spelling", "string", "A spelling of it", False, _ITEMS),
        Column("name", "string", "The spelling of it that releases use most", False, _ITEMS),
        Column("times", "bigint", "How often releases use this spelling", False, _ITEMS),
        Column("is_cast", "boolean", "Whether a cast lists it", False, _KEYS[:1]),
        Column("is_director", "boolean", "Whether it is listed as a director", False, _KEYS[1:2]),
        Column("first_release", "date", "First release that uses this spelling", False, _DAYS),
        Column("last_release", "date", "Last release that uses this spelling", False, _DAYS),
    ],
)
def spellings(releases: DataFrame, *listed: DataFrame) -> DataFrame:
    """Every spelling that accepted releases use of the people, countries and genres that titles list, and how often."""
    from pyspark.sql import functions as F

    rows = [
        frame.select(
            "delivery_date",
            F.lit(item).alias("kind"),
            F.col(f"{item}_key").alias("member_key"),
            F.col(item).alias("spelling"),
            F.lit(name == "cast").alias("is_cast"),
            F.lit(name == "directors").alias("is_director"),
        )
        for (name, (_, item, _)), frame in zip(LISTS.items(), listed, strict=True)
    ]
    every = accepted(reduce(lambda one, other: one.unionByName(other), rows), releases)
    once = every.withColumns(
        {"times": F.lit(1), "first_release": F.col("delivery_date"), "last_release": F.col("delivery_date")}
    )
    return _named(once)


def _named(counted: DataFrame) -> DataFrame:
    """Counts of spellings put together, and the one of each member that is used most."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    together = counted.groupBy("kind", "member_key", "spelling").agg(
        F.sum("times").cast("bigint").alias("times"),
        F.max("is_cast").alias("is_cast"),
        F.max("is_director").alias("is_director"),
        F.min("first_release").alias("first_release"),
        F.max("last_release").alias("last_release"),
    )
    most = Window.partitionBy("kind", "member_key").orderBy(F.col("times").desc(), F.col("spelling").desc())
    return together.withColumn("name", F.first("spelling").over(most))
