"""Bridges: the members of a title's lists, for every version of the title, with weights that sum to 1.

A measure of titles multiplied by the weight can be summed over people, countries or genres without counting a
title twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from netflix_dagster.contracts.contract import Column, GoesOn, holds, table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def _declare(name: str, *, silver: str, member: str, order: str, order_means: str, release: str, what: str) -> None:
    """Declare ``gold.<name>``: ``member`` of silver's list, as stated in the release that the version refers to."""

    def bridge(history: DataFrame, listed: DataFrame) -> DataFrame:
        return _bridge(history, listed, member=member, order=order, release=release)

    bridge.__doc__ = f"{what} of every version of every title."
    table(
        f"gold.{name}",
        feed="catalogue",
        grain=f"one {member} of one version of one title",
        key=("title_sk", f"{member}_sk"),
        reads=("silver.title_history", silver),
        goes_on=GoesOn(merge=_continued, sees=_stated_last, narrowed={"silver.title_history": "valid_from"}),
        divided_by="title_key",
        columns=[
            Column(
                "title_sk", "bigint", "Version of the title, as in dim_title", False, ("silver.title_history.title_sk",)
            ),
            Column("title_key", "string", "The title", False, ("silver.title_history.title_key",)),
            Column(f"{member}_sk", "bigint", f"The {member}, see dim_{member}", False, (f"{silver}.{member}_key",)),
            Column(order, "int", order_means),
            Column(
                "weight",
                "double",
                "1 / number of members; sums to 1 for every title_sk",
                False,
                (f"{silver}.{member}_key",),
            ),
            Column(
                "is_current",
                "boolean",
                "Whether it is so in the newest release",
                False,
                ("silver.title_history.is_current",),
            ),
        ],
        expectations=[
            holds("weights_sum_to_one", "abs(total_weight - 1) < 1e-9", "the weights of a title sum to 1", "fail")
        ],
    )(bridge)


def _stated_last(earlier: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[str]:
    """The last release that states the list: versions that begin later may still have it."""
    for found in earlier.values():
        stated = [day for day, said in found.items() if said["rows"]]
        yield from [max(stated)] if stated else []


def _continued(before: DataFrame, built: DataFrame, since: date, history: DataFrame, _listed: DataFrame) -> DataFrame:
    """The members of the versions that began earlier, which stay, and of those that began since."""
    from pyspark.sql import functions as F

    earlier = history.where(F.col("valid_from") < F.lit(since)).select("title_sk", "is_current")
    return built.unionByName(before.drop("is_current").join(earlier, "title_sk"), allowMissingColumns=True)


def _bridge(history: DataFrame, listed: DataFrame, *, member: str, order: str, release: str) -> DataFrame:
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    versions = history.select("title_sk", "title_key", F.col(release).alias("delivery_date"), "is_current")
    listed = listed.join(versions, ["title_key", "delivery_date"], "left_semi")
    members = listed.groupBy("title_key", "delivery_date", f"{member}_key").agg(F.min(order).alias(order))
    sizes = members.groupBy("title_key", "delivery_date").agg(F.count("*").alias("size"))
    rows = (
        versions.join(sizes, ["title_key", "delivery_date"])
        .join(members, ["title_key", "delivery_date"])
        .withColumn("weight", F.lit(1.0) / F.col("size"))
        .withColumn(f"{member}_sk", F.xxhash64(f"{member}_key"))
    )
    return rows.withColumn("total_weight", F.sum("weight").over(Window.partitionBy("title_sk")))


_declare(
    "bridge_title_cast",
    silver="silver.title_cast",
    member="person",
    order="billing_order",
    order_means="Billing order, from 1",
    release="cast_release",
    what="The cast",
)
_declare(
    "bridge_title_director",
    silver="silver.title_directors",
    member="person",
    order="credit_order",
    order_means="Order of credit, from 1",
    release="directors_release",
    what="The directors",
)
_declare(
    "bridge_title_country",
    silver="silver.title_countries",
    member="country",
    order="country_order",
    order_means="Order as delivered, from 1",
    release="countries_release",
    what="The countries of production",
)
_declare(
    "bridge_title_genre",
    silver="silver.title_genres",
    member="genre",
    order="genre_order",
    order_means="Order as delivered, from 1",
    release="genres_release",
    what="The genres",
)
