"""The figures that a content analyst asks of the catalogue, release by release, in one long table."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, table
from netflix_dagster.tables.silver.releases import accepted

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

TOP = 100
"""How many members the rankings of people, pairs of countries and long movies keep (ties included)."""

_READS = (
    "silver.releases",
    "silver.titles",
    "silver.title_cast",
    "silver.title_directors",
    "silver.title_countries",
    "silver.title_genres",
    "gold.dim_person",
    "gold.fact_catalogue_change",
)


@table(
    "gold.kpi_catalogue",
    feed="catalogue",
    grain="one figure of one member of one release",
    key=("delivery_date", "kpi", "member"),
    reads=_READS,
    columns=[
        Column("delivery_date", "date", "The release", nullable=False),
        Column("kpi", "string", "Name of the figure, such as titles_by_country", False, ("silver.titles.type",)),
        Column(
            "member",
            "string",
            "What it is the figure of, such as France; all for the whole release",
            False,
            ("silver.titles.type",),
        ),
        Column("value", "double", "The figure", sources=("silver.titles.show_id", "silver.titles.duration_minutes")),
        Column("unit", "string", "titles, share, years, minutes or seasons", False, ("silver.titles.type",)),
        Column(
            "rank",
            "int",
            "Dense rank of the value within the kpi of the release, largest first",
            False,
            ("silver.titles.show_id",),
        ),
    ],
)
def kpi_catalogue(
    releases: DataFrame,
    titles: DataFrame,
    title_cast: DataFrame,
    title_directors: DataFrame,
    title_countries: DataFrame,
    title_genres: DataFrame,
    dim_person: DataFrame,
    changes: DataFrame,
) -> DataFrame:
    """Counts by type, rating, country, genre and month added; growth; lag from release to addition; lengths and
    their ranking; co-productions; the people with the most titles.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    titles, title_cast, title_directors, title_countries, title_genres = (
        accepted(frame, releases) for frame in (titles, title_cast, title_directors, title_countries, title_genres)
    )
    title_countries, title_genres = _spelled(title_countries, "country"), _spelled(title_genres, "genre")
    figures = [
        *_sizes(titles),
        *_members(title_countries, title_genres),
        *_growth(titles, changes),
        *_lag(titles),
        *_lengths(titles),
        *_co_productions(title_countries),
        _people(title_cast, dim_person, "top_cast"),
        _people(title_directors, dim_person, "top_directors"),
    ]
    ranked = Window.partitionBy("delivery_date", "kpi").orderBy(F.col("value").desc())
    everything = reduce(lambda one, other: one.unionByName(other), figures).where("value IS NOT NULL")
    cut = F.col("kpi").isin("top_cast", "top_directors", "longest_movies", "co_production_pairs")
    numbered = everything.withColumn("rank", F.dense_rank().over(ranked)).withColumn("place", F.rank().over(ranked))
    return numbered.where(~cut | (F.col("place") <= TOP))


def _spelled(listed: DataFrame, item: str) -> DataFrame:
    """The rows with every item in the spelling that is used most: "france" is no other country than "France"."""
    from pyspark.sql import functions as F

    used = listed.groupBy(f"{item}_key", item).agg(F.count("*").alias("times"))
    names = used.groupBy(f"{item}_key").agg(F.max_by(item, F.struct("times", item)).alias(item))
    return listed.drop(item).join(F.broadcast(names), f"{item}_key")


def _figure(frame: DataFrame, kpi: str, member: Expression, value: Expression, unit: str) -> DataFrame:
    from pyspark.sql import functions as F

    return (
        frame.groupBy("delivery_date", member.alias("member"))
        .agg(value.cast("double").alias("value"))
        .select("delivery_date", F.lit(kpi).alias("kpi"), "member", "value", F.lit(unit).alias("unit"))
    )


def _count(frame: DataFrame, kpi: str, column: str) -> DataFrame:
    from pyspark.sql import functions as F

    member = F.coalesce(F.col(column).cast("string"), F.lit("(not stated)"))
    return _figure(frame, kpi, member, F.count("*"), "titles")


def _sizes(titles: DataFrame) -> list[DataFrame]:
    from pyspark.sql import functions as F

    month = titles.select("delivery_date", F.substring(F.col("date_added").cast("string"), 1, 7).alias("month"))
    return [
        _figure(titles, "titles", F.lit("all"), F.count("*"), "titles"),
        *(
            _count(titles, f"titles_by_{column}", column)
            for column in ("type", "rating", "rating_family", "release_year")
        ),
        _count(month, "titles_by_month_added", "month"),
    ]


def _members(title_countries: DataFrame, title_genres: DataFrame) -> list[DataFrame]:
    return [
        _count(title_countries, "titles_by_country", "country"),
        _count(title_genres, "titles_by_genre", "genre"),
    ]


def _people(credits: DataFrame, dim_person: DataFrame, kpi: str) -> DataFrame:
    """Titles per person, under the name of the dimension: a spelling in another case is no other person."""
    credited = credits.select("delivery_date", "title_key", "person_key").distinct()
    return _count(credited.join(dim_person.select("person_key", "name"), "person_key"), kpi, "name")


def _growth(titles: DataFrame, changes: DataFrame) -> list[DataFrame]:
    """What each release added, changed and removed, and its net growth, also as a share of the release before."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    moved = changes.where("NOT is_baseline").withColumn("delivery_date", F.col("release_date"))
    sizes = titles.groupBy("delivery_date").agg(F.count("*").alias("size"))
    before = F.lag("size").over(Window.partitionBy(F.lit(1)).orderBy("delivery_date"))
    growth = sizes.withColumn("before", before).where("before IS NOT NULL").withColumn("net", F.expr("size - before"))
    return [
        _count(moved, "titles_by_change", "change"),
        _figure(growth, "net_growth", F.lit("all"), F.max("net"), "titles"),
        _figure(growth, "net_growth_share", F.lit("all"), F.max(F.col("net") / F.col("before")), "share"),
    ]


def _lag(titles: DataFrame) -> list[DataFrame]:
    """Years from a title's release anywhere to its addition to Netflix."""
    from pyspark.sql import functions as F

    dated = titles.where("date_added IS NOT NULL").withColumn("lag", F.year("date_added") - F.col("release_year"))
    return [
        _figure(dated, "lag_to_addition_mean", F.col("type"), F.avg("lag"), "years"),
        _figure(dated, "lag_to_addition_median", F.col("type"), F.median("lag"), "years"),
    ]


def _lengths(titles: DataFrame) -> list[DataFrame]:
    from pyspark.sql import functions as F

    movies = titles.where("duration_minutes IS NOT NULL")
    shows = titles.where("duration_seasons IS NOT NULL")
    return [
        _figure(movies, "movie_minutes_mean", F.lit("all"), F.avg("duration_minutes"), "minutes"),
        _figure(movies, "movie_minutes_median", F.lit("all"), F.median("duration_minutes"), "minutes"),
        _figure(shows, "show_seasons_mean", F.lit("all"), F.avg("duration_seasons"), "seasons"),
        _count(shows, "shows_by_seasons", "duration_seasons"),
        _figure(movies, "longest_movies", F.col("title_key"), F.max("duration_minutes"), "minutes"),
    ]


def _co_productions(title_countries: DataFrame) -> list[DataFrame]:
    """Titles that more than one country produced, their share, and which countries produce together."""
    from pyspark.sql import functions as F

    per_title = title_countries.groupBy("delivery_date", "title_key").agg(F.count("*").alias("countries"))
    together = F.when(F.col("countries") > 1, 1).otherwise(0)
    key = ["delivery_date", "title_key"]
    first = title_countries.select(*key, F.col("country").alias("one"))
    second = title_countries.select(*key, F.col("country").alias("other"))
    pairs = first.join(second, key).where("one < other").withColumn("pair", F.concat_ws(" & ", "one", "other"))
    return [
        _figure(per_title, "co_productions", F.lit("all"), F.sum(together), "titles"),
        _figure(per_title, "co_production_share", F.lit("all"), F.avg(together), "share"),
        _count(pairs, "co_production_pairs", "pair"),
    ]
