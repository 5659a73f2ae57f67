"""What each release changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, in_set, references, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@table(
    "gold.fact_catalogue_change",
    feed="catalogue",
    grain="one title that one release added, changed or removed",
    key=("release_date", "title_key"),
    reads=("silver.title_history",),
    goes_on=GoesOn(slices="release_date"),
    divided_by="title_key",
    columns=[
        Column("release_date", "date", "The release that made the change", False, ("silver.title_history.valid_from",)),
        Column("date_key", "int", "The release date in dim_date", False, ("silver.title_history.valid_from",)),
        Column("title_key", "string", "The title", nullable=False),
        Column("title_sk", "bigint", "The version that began, of a removed title the one that ended", nullable=False),
        Column("natural_key", "string", "type|title|year; a few titles of a release share it", nullable=False),
        Column(
            "change",
            "string",
            "added, changed or removed",
            False,
            ("silver.title_history.valid_from", "silver.title_history.valid_to"),
        ),
        Column("changed_columns", "array<string>", "What a changed title changed"),
        Column(
            "is_return",
            "boolean",
            "An added title that an earlier release had and another lacked",
            False,
            ("silver.title_history.valid_from",),
        ),
        Column(
            "is_baseline",
            "boolean",
            "The first release known: its titles count as added",
            False,
            ("silver.title_history.valid_from",),
        ),
    ],
    expectations=[
        in_set("change", ("added", "changed", "removed"), "fail"),
        references(("title_sk",), "silver.title_history", on_fail="fail", hint="a fault of the code"),
    ],
)
def fact_catalogue_change(history: DataFrame) -> DataFrame:
    """Added, changed, removed: each title of each release that differs from the release before."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    versions = history.select("title_key", "title_sk", "natural_key", "changed_columns", "valid_from", "valid_to")
    of_title = Window.partitionBy("title_key").orderBy("valid_from")
    versions = versions.withColumn("nth", F.row_number().over(of_title)).withColumn(
        "next_from", F.lead("valid_from").over(of_title)
    )
    first = history.agg(F.min("valid_from").alias("first_release"))
    began = versions.select(
        F.col("valid_from").alias("release_date"),
        "title_key",
        "title_sk",
        "natural_key",
        F.when(F.col("changed_columns").isNull(), "added").otherwise("changed").alias("change"),
        "changed_columns",
        (F.col("changed_columns").isNull() & (F.col("nth") > 1)).alias("is_return"),
    )
    ended = versions.where("valid_to IS NOT NULL AND NOT valid_to <=> next_from").select(
        F.col("valid_to").alias("release_date"),
        "title_key",
        "title_sk",
        "natural_key",
        F.lit("removed").alias("change"),
        F.lit(None).cast("array<string>").alias("changed_columns"),
        F.lit(False).alias("is_return"),
    )
    return (
        began.unionByName(ended)
        .crossJoin(F.broadcast(first))
        .select(
            "*",
            F.date_format("release_date", "yyyyMMdd").cast("int").alias("date_key"),
            (F.col("release_date") == F.col("first_release")).alias("is_baseline"),
        )
    )
