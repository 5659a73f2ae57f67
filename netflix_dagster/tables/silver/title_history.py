"""Titles with their history (SCD2), folded from the releases in the order of their dates.

The fold is a function of all releases in silver, so deliveries may arrive in any order. It goes on from the release
before the first that has changed: the versions that hold there are continued, and what came after is folded again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, holds, table
from netflix_dagster.tables.silver.releases import accepted
from netflix_dagster.tables.silver.title_lists import LISTS, stated_last
from netflix_dagster.tables.text import unmangled

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame
    from pyspark.sql.window import WindowSpec

_SHARES = 64
"""So many partitions of a window share all titles."""
ATTRIBUTES = (
    "type",
    "type_flag",
    "title",
    "short_title",
    "date_added",
    "release_year",
    "rating",
    "rating_family",
    "duration_minutes",
    "duration_seasons",
    "description",
)
"""A change of one of these makes a new version of a title, as does a change of the members of a list, or of their order
in whole releases. A change of ``show_id`` does not: releases renumber it at will."""


def _continued(before: DataFrame, built: DataFrame, since: date, *_reads: DataFrame) -> DataFrame:
    """The versions that ended before ``since`` came, those that held as they go on, and those that began since.

    A version that held begins in ``built`` with a release that was looked at again; it is what it was, and goes on.
    """
    from pyspark.sql import functions as F

    day = F.lit(since)
    held = F.col("valid_to").isNull() | (F.col("valid_to") >= day)
    stood = before.where(F.col("valid_from") < day)
    was = stood.where(held).select("title_key", F.struct(*before.columns).alias("was"))
    now = built.where(held).withColumn("began", F.col("valid_from") >= day).join(was, "title_key", "left")
    goes_on = ("title_key", "show_id", "show_id_release", "valid_to", "is_current")
    rows = now.select(
        *(
            F.col(name)
            if name in goes_on
            else F.when(F.col("began"), F.col(name)).otherwise(F.col(f"was.{name}")).alias(name)
            for name in before.columns
        )
    )
    return stood.where(~held).unionByName(rows)


@table(
    "silver.title_history",
    feed="catalogue",
    grain="one version of one title: a stretch of releases over which nothing of it changed",
    key=("title_sk",),
    reads=("silver.releases", "silver.titles", *(name for name, _, _ in LISTS.values())),
    goes_on=GoesOn(merge=_continued, sees=stated_last, greatest=("form",)),
    cluster_by=("title_key",),
    divided_by="title_key",
    columns=[
        Column(
            "title_sk",
            "bigint",
            "Surrogate key of this version: hash of title_key and valid_from, the same in every rebuild",
            nullable=False,
            sources=("silver.titles.title_key", "silver.titles.delivery_date"),
        ),
        Column("title_key", "string", "Durable identity: type|title|year[|n]", False, ("silver.titles.title_key",)),
        Column("natural_key", "string", "type|title|year", False, ("silver.titles.natural_key",)),
        Column("show_id", "string", "Number of the title in show_id_release", sources=("silver.titles.show_id",)),
        Column(
            "show_id_release",
            "date",
            "Last release of this version: there show_id is valid",
            sources=("silver.titles.delivery_date",),
        ),
        Column("type", "string", "Movie or TV Show"),
        Column("type_flag", "int", "1 Movie, 2 TV Show, 0 anything else"),
        Column("title", "string", "Title as shown", sources=("silver.titles.title",)),
        Column("short_title", "string", "The title before its first colon"),
        Column("date_added", "date", "Day the title was added to Netflix"),
        Column("release_year", "int", "Year of first release anywhere"),
        Column("rating", "string", "Maturity rating, see dim_rating"),
        Column("rating_family", "string", "System that the rating belongs to"),
        Column("duration_minutes", "int", "Length of a movie in minutes"),
        Column("duration_seasons", "int", "Seasons of a show"),
        Column("description", "string", "Synopsis", length=4000),
        *(
            Column(
                f"{name}_release",
                "date",
                f"Release that states the {name} of this version",
                sources=(f"{t}.delivery_date",),
            )
            for name, (t, _, _) in LISTS.items()
        ),
        Column(
            "changed_columns",
            "array<string>",
            "Columns that differ from the version that ended when this one began; null when there is none",
            sources=tuple(f"silver.titles.{name}" for name in ATTRIBUTES),
        ),
        Column("valid_from", "date", "First release of this version", False, ("silver.titles.delivery_date",)),
        Column(
            "valid_to",
            "date",
            "First release in which it is no longer so (exclusive); null while it is so",
            sources=("silver.titles.delivery_date",),
        ),
        Column(
            "is_current", "boolean", "Whether it is so in the newest release", False, ("silver.titles.delivery_date",)
        ),
    ],
    expectations=[
        holds(
            "valid_interval", "valid_to IS NULL OR valid_to > valid_from", "no version ends before it begins", "fail"
        ),
        holds("current_is_open", "is_current = (valid_to IS NULL)", "exactly the open versions are current", "fail"),
    ],
)
def title_history(releases: DataFrame, titles: DataFrame, *listed: DataFrame) -> DataFrame:
    """Every title that any accepted release names, one row a version, from the first release that states it to the one
    that no longer does. A title that leaves and comes back has a gap.

    "The catalogue as of D": ``valid_from <= D AND (valid_to IS NULL OR valid_to > D)``.
    """
    from pyspark.sql import functions as F

    titles = accepted(titles, releases)
    listed = tuple(accepted(frame, releases) for frame in listed)
    compared = titles.select("title_key", "delivery_date", *_comparable())
    compared = compared.join(F.broadcast(_releases(titles, listed)), "delivery_date")
    for (name, (_, item, order)), frame in zip(LISTS.items(), listed, strict=True):
        compared = _with_list(compared, _list_marks(frame, item, order), name)
    versions = _versions(_compared(compared))
    stated = titles.select("title_key", F.col("delivery_date").alias("valid_from"), "natural_key", *ATTRIBUTES)
    numbered = titles.select("title_key", F.col("delivery_date").alias("show_id_release"), "show_id")
    return (
        versions.join(stated, ["title_key", "valid_from"])
        .join(numbered, ["title_key", "show_id_release"])
        .withColumn("title_sk", F.xxhash64("title_key", "valid_from"))
        .withColumn("is_current", F.col("valid_to").isNull())
    )


def _comparable() -> list[Expression]:
    """The attributes for comparison: long text as its hash, a title that a spreadsheet mangled in one form."""
    from pyspark.sql import functions as F

    as_compared = {
        "description": F.xxhash64("description"),
        "title": unmangled(F.col("title")),
        "short_title": unmangled(F.col("short_title")),
    }
    return [as_compared.get(name, F.col(name)).alias(name) for name in ATTRIBUTES]


def _releases(titles: DataFrame, listed: Sequence[DataFrame]) -> DataFrame:
    """The releases numbered in the order of their dates, with the date of the next, and for every list the last
    release that states its members, and the last that states their order (only whole releases do).

    A split delivery without its cast file does not mean that no title has a cast: the earlier cast stays.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    in_order = Window.partitionBy(F.lit(1)).orderBy("delivery_date")
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    releases = titles.select("delivery_date").distinct()
    for name, frame in zip(LISTS, listed, strict=True):
        states = frame.groupBy("delivery_date").agg((F.max("form") == "whole").alias("ordered"))
        releases = releases.join(
            states.select(
                "delivery_date",
                F.col("delivery_date").alias(f"{name}_stated"),
                F.when(F.col("ordered"), F.col("delivery_date")).alias(f"{name}_ordered"),
            ),
            "delivery_date",
            "left",
        )
    return releases.select(
        "delivery_date",
        F.row_number().over(in_order).alias("release"),
        F.lead("delivery_date").over(in_order).alias("next_release"),
        *(F.last(f"{n}_stated", ignorenulls=True).over(so_far).alias(f"{n}_release") for n in LISTS),
        *(F.last(f"{n}_ordered", ignorenulls=True).over(so_far).alias(f"{n}_ordered") for n in LISTS),
    )


def _list_marks(frame: DataFrame, item: str, order: str) -> DataFrame:
    """Per title and release a hash of the list's members and one of their order: equal hashes, equal lists.

    The order is that of the members, not their numbers: a repeated member leaves a gap in the numbers.
    """
    from pyspark.sql import functions as F

    ordered = F.transform(F.sort_array(F.collect_list(F.struct(order, item))), lambda listed: listed[item])
    return frame.groupBy("title_key", "delivery_date").agg(
        F.bit_xor(F.xxhash64(item)).alias("members"), F.xxhash64(F.concat_ws(",", ordered)).alias("in_order")
    )


def _with_list(stated: DataFrame, marks: DataFrame, name: str) -> DataFrame:
    """Add the hashes of one list as of each release; an order of other members is no order of these."""
    from pyspark.sql import functions as F

    members = marks.select("title_key", F.col("delivery_date").alias(f"{name}_release"), F.col("members").alias(name))
    ordered = marks.select(
        "title_key", F.col("delivery_date").alias(f"{name}_ordered"), F.col("members").alias("of_members"), "in_order"
    )
    stated = stated.join(members, ["title_key", f"{name}_release"], "left")
    stated = stated.join(ordered, ["title_key", f"{name}_ordered"], "left")
    known = F.col("of_members") == F.col(name)
    return stated.withColumn(f"{name}_order", F.when(known, F.col("in_order"))).drop("of_members", "in_order")


def _in_order() -> WindowSpec:
    """Rows of one title lie side by side, in the order of the releases. Engines pay for every partition of a window,
    so titles share a few: who looks at the row before asks whose it is."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    return Window.partitionBy(F.pmod(F.xxhash64("title_key"), F.lit(_SHARES))).orderBy("title_key", "release")


def _before(name: str) -> str:
    return f"before_{name}"


def _compared(stated: DataFrame) -> DataFrame:
    """Each title of each release with what has changed since the release before, null if it was not there."""
    from pyspark.sql import functions as F

    compared = ["title_key", "release", *ATTRIBUTES, *LISTS, *(f"{name}_order" for name in LISTS)]
    in_order = _in_order()
    stated = stated.withColumns({_before(name): F.lag(name).over(in_order) for name in compared})
    differs = [~F.col(name).eqNullSafe(F.col(_before(name))) for name in ATTRIBUTES]
    for name in LISTS:
        reordered = F.col(f"{name}_order") != F.col(_before(f"{name}_order"))
        differs.append(~F.col(name).eqNullSafe(F.col(_before(name))) | F.coalesce(reordered, F.lit(False)))
    changed = F.array_compact(
        F.array(*(F.when(d, F.lit(name)) for d, name in zip(differs, [*ATTRIBUTES, *LISTS], strict=True)))
    )
    same_title = F.col(_before("title_key")) == F.col("title_key")
    was_there = same_title & (F.col(_before("release")) == F.col("release") - 1)
    return stated.select(
        "title_key",
        "release",
        "delivery_date",
        "next_release",
        *(f"{name}_release" for name in LISTS),
        F.when(was_there, changed).alias("changed_columns"),
    )


def _versions(compared: DataFrame) -> DataFrame:
    """One row a version: a run of releases without change and without a gap, the first of which begins it."""
    from pyspark.sql import functions as F

    in_order = _in_order()
    begins = F.col("changed_columns").isNull() | (F.size("changed_columns") > 0)
    marked = compared.withColumn("begins", begins)
    marked = marked.withColumn("ends", F.coalesce(F.lead("begins").over(in_order), F.lit(True)))
    last = {
        name: F.when(F.col("ends"), F.col(name)).otherwise(F.lead(name).over(in_order))
        for name in ("delivery_date", "next_release")
    }
    bounds = marked.where("begins OR ends").withColumns({f"last_{name}": day for name, day in last.items()})
    return bounds.where("begins").select(
        "title_key",
        F.col("delivery_date").alias("valid_from"),
        "changed_columns",
        *(f"{name}_release" for name in LISTS),
        F.col("last_delivery_date").alias("show_id_release"),
        F.col("last_next_release").alias("valid_to"),
    )
