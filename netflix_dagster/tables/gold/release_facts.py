"""The catalogue as facts: every title of every release, and everything that its lists name."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, in_set, table
from netflix_dagster.tables.silver.releases import accepted
from netflix_dagster.tables.silver.spellings import COUNTRY, GENRE, PERSON

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_TITLES = "silver.titles"
CAST, DIRECTOR, PAIR = "cast", "director", "country pair"
_LISTS = ("silver.title_cast", "silver.title_directors", "silver.title_countries", "silver.title_genres")
_NAMES = ("silver.spellings.name",)
_KEYS = ("silver.title_cast.person_key", "silver.title_countries.country_key", "silver.title_genres.genre_key")


@table(
    "gold.fact_release_title",
    feed="catalogue",
    grain="one title of one release",
    key=("release_date", "title_key"),
    reads=("silver.releases", _TITLES),
    goes_on=GoesOn(slices="release_date"),
    divided_by="title_key",
    cluster_by=("release_date", "title_key"),
    columns=[
        Column("release_date", "date", "The release", False, (f"{_TITLES}.delivery_date",)),
        Column("title_key", "string", "The title", nullable=False),
        Column("type", "string", "Movie or TV Show"),
        Column("title", "string", "The title as this release writes it"),
        Column("release_year", "int", "Year of first release"),
        Column("date_added", "date", "Day the title was added to Netflix"),
        Column("rating", "string", "Maturity rating, such as TV-MA"),
        Column("rating_family", "string", "The system that the rating belongs to"),
        Column("duration_minutes", "int", "Length of a movie"),
        Column("duration_seasons", "int", "Seasons of a show"),
    ],
)
def fact_release_title(releases: DataFrame, titles: DataFrame) -> DataFrame:
    """What the catalogue held: a snapshot of every accepted release. Do not add releases up: a title is in as many of
    them as it stayed.
    """
    from pyspark.sql import functions as F

    return accepted(titles, releases).withColumn("release_date", F.col("delivery_date"))


@table(
    "gold.fact_release_listing",
    feed="catalogue",
    grain="one member of one list of one title of one release",
    key=("release_date", "list", "title_key", "member_key"),
    reads=("silver.releases", *_LISTS, "silver.spellings"),
    goes_on=GoesOn(slices="release_date", lookups={"silver.spellings": ("kind", "member_key", "name")}),
    divided_by="title_key",
    cluster_by=("list", "release_date"),
    columns=[
        Column("release_date", "date", "The release", False, tuple(f"{name}.delivery_date" for name in _LISTS)),
        Column("title_key", "string", "The title", nullable=False),
        Column("list", "string", "cast, director, country, genre, or country pair", False, _NAMES),
        Column("member_key", "string", "The member in lower case; of a pair its name", False, _KEYS),
        Column("member", "string", "Its name in the spelling used most; of a pair: Canada & France", False, _NAMES),
        Column("position", "int", "Which member of the list it is, in alphabetical order: 1 once a list", False, _KEYS),
        Column("members", "bigint", "How many members the list has", False, _KEYS),
    ],
    expectations=[in_set("list", (CAST, DIRECTOR, COUNTRY, GENRE, PAIR), "fail")],
)
def fact_release_listing(
    releases: DataFrame,
    title_cast: DataFrame,
    title_directors: DataFrame,
    title_countries: DataFrame,
    title_genres: DataFrame,
    spellings: DataFrame,
) -> DataFrame:
    """Who and what the titles of each accepted release list: cast, directors, countries, genres, and which two
    countries produced a title together. It has no measure: count its rows, of one list at a time.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    listed = {
        CAST: (title_cast, PERSON),
        DIRECTOR: (title_directors, PERSON),
        COUNTRY: (title_countries, COUNTRY),
        GENRE: (title_genres, GENRE),
    }
    rows = [
        frame.select(
            "delivery_date",
            F.col("delivery_date").alias("release_date"),
            "title_key",
            F.lit(name).alias("list"),
            F.lit(kind).alias("kind"),
            F.col(f"{kind}_key").alias("member_key"),
        )
        for name, (frame, kind) in listed.items()
    ]
    names = spellings.where("spelling = name").select("kind", "member_key", F.col("name").alias("member"))
    every = reduce(lambda one, other: one.unionByName(other), rows).join(names, ["kind", "member_key"])
    of_title = Window.partitionBy("release_date", "list", "title_key")
    counted = accepted(every, releases).withColumns(
        {
            "position": F.row_number().over(of_title.orderBy("member_key")),
            "members": F.count("*").over(of_title),
        }
    )
    together = F.collect_list(F.when(F.col("list") == COUNTRY, F.col("member"))).over(of_title)
    produced = counted.where(F.col("list") == COUNTRY).withColumn("together", together).where("members > 1")
    pairs = (
        produced.withColumn("other", F.explode("together"))
        .where("member < other")
        .withColumn("member", F.concat_ws(" & ", "member", "other"))
        .withColumns({"list": F.lit(PAIR), "member_key": F.col("member")})
        .withColumns(
            {
                "position": F.row_number().over(of_title.orderBy("member_key")),
                "members": F.expr("members * (members - 1) DIV 2"),
            }
        )
    )
    return counted.unionByName(pairs.select(*counted.columns))
