"""Which title of the catalogue a chart or report means: it names titles, and numbers none of them."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, between, holds, references, table
from netflix_dagster.tables.text import folded, title_words

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame

INFERRED = "inferred"
METHODS = {
    # method -> (what matches, confidence with one candidate, with several)
    "title": ("title in lower case, and kind", 1.0, 0.7),
    "folded": ("title without accents and punctuation, and kind", 0.9, 0.6),
    INFERRED: ("nothing: the catalogue does not have it (yet)", 0.0, 0.0),
}
NAMED_IN = (
    # table -> the day since which it names the title; histories too, for titles that were named and are no more
    ("silver.top10_global_history", "valid_from"),
    ("silver.top10_countries_history", "valid_from"),
    ("gold.fact_most_popular", "delivery_date"),
    ("gold.fact_engagement", "first_stated"),
)
MADE_BEFORE, MADE_AFTER = 2, 1
"""Where a report lists several works of one name by release date, each means a title whose year in the catalogue is at
most so many years before, or after, that date: a film is shown at festivals first, a show goes on."""
_HISTORY = "silver.title_history"
_WORDS = (*(f"{name}.show_title" for name, _ in NAMED_IN), f"{_HISTORY}.title")


@table(
    "gold.bridge_title_chart",
    feed=None,
    grain="one title as charts and reports name it",
    key=("chart_title_key",),
    reads=(_HISTORY, *(name for name, _ in NAMED_IN)),
    columns=[
        Column(
            "chart_title_key",
            "string",
            "The title as charts name it: film|title, tv|title or any|title; |work after",
            False,
        ),
        Column("kind", "string", "film, tv, or any where the chart or report does not say", False),
        Column("show_title", "string", "The title as written, in its newest spelling", False),
        Column(
            "title_key",
            "string",
            "The title in dim_title; of an inferred member inferred|chart_title_key",
            False,
            (f"{_HISTORY}.title_key",),
        ),
        Column(
            "match_method",
            "string",
            "What matches: " + "; ".join(f"{k}: {v[0]}" for k, v in METHODS.items()),
            False,
            _WORDS,
        ),
        Column("confidence", "double", "0 (inferred) to 1 (same title and kind, one candidate)", False, _WORDS),
        Column("candidates", "int", "Titles of the catalogue that match this way", False, _WORDS),
        Column("is_inferred", "boolean", "Whether the catalogue does not have the title", False, _WORDS),
        Column(
            "first_seen",
            "date",
            "First delivery of a chart or report that names it",
            False,
            tuple(f"{name}.{column}" for name, column in NAMED_IN),
        ),
        Column(
            "in_catalogue_since",
            "date",
            "First release of the catalogue that has the title; null while inferred",
            sources=(f"{_HISTORY}.valid_from",),
        ),
    ],
    expectations=[
        references(("title_key",), _HISTORY, where="NOT is_inferred", on_fail="fail", hint="a fault of the code"),
        between("confidence", 0, 1, "fail"),
        holds(
            "inferred_or_matched",
            "is_inferred = (in_catalogue_since IS NULL)",
            "a title is either in the catalogue or inferred",
            "fail",
        ),
    ],
)
def bridge_title_chart(history: DataFrame, *tables: DataFrame) -> DataFrame:
    """Every title that a chart or report names, and the title of the catalogue that it most likely means.

    Of several candidates the one that is in the catalogue still, and the newest that was out by then, is taken. A
    title that the catalogue lacks is an inferred member of ``dim_title`` until a release brings it. Where a report
    lists several works of one name, each is matched with a title of about the year in which it was released.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    named = _named(tables)
    known = _known(history)
    found = _candidates(named, known)
    likeliest = Window.partitionBy("chart_title_key").orderBy(
        "place", F.col("is_current").desc(), F.col("out_by_then").desc(), F.col("release_year").desc(), "title_key"
    )
    same_method = Window.partitionBy("chart_title_key", "place")
    best = (
        found.withColumn("candidates", F.count("*").over(same_method).cast("int"))
        .withColumn("nth", F.row_number().over(likeliest))
        .where("nth = 1")
        .select("chart_title_key", "title_key", "match_method", "candidates", "in_catalogue_since", "sure", "less_sure")
    )
    return named.join(best, "chart_title_key", "left").select(
        "chart_title_key",
        "kind",
        "show_title",
        F.coalesce("title_key", F.concat_ws("|", F.lit(INFERRED), "chart_title_key")).alias("title_key"),
        F.coalesce("match_method", F.lit(INFERRED)).alias("match_method"),
        F.coalesce(F.when(F.col("candidates") == 1, F.col("sure")).otherwise(F.col("less_sure")), F.lit(0.0)).alias(
            "confidence"
        ),
        F.coalesce("candidates", F.lit(0)).alias("candidates"),
        F.col("title_key").isNull().alias("is_inferred"),
        "first_seen",
        "in_catalogue_since",
    )


def _named(tables: tuple[DataFrame, ...]) -> DataFrame:
    """The titles as charts and reports name them: once each, in the newest spelling. ``released`` is the year
    of a work that is identified by it, 0 of one that is identified by having none."""
    from pyspark.sql import functions as F

    rows = [
        frame.where("chart_title_key IS NOT NULL").select(
            "chart_title_key",
            F.split("chart_title_key", r"\|")[0].alias("kind"),
            "show_title",
            F.col(since).alias("seen"),
            (_released() if "work" in frame.columns else F.lit(None)).cast("int").alias("released"),
        )
        for frame, (_, since) in zip(tables, NAMED_IN, strict=True)
    ]
    every = reduce(lambda one, other: one.unionByName(other), rows)
    named = every.groupBy("chart_title_key", "kind").agg(
        F.max_by("show_title", F.struct("seen", "show_title")).alias("show_title"),
        F.min("seen").alias("first_seen"),
        F.max("released").alias("released"),
    )
    return folded(named.withColumn("words", title_words(F.col("show_title"))), "show_title")


def _released() -> Expression:
    from pyspark.sql import functions as F

    return F.when(F.col("work") != "", F.coalesce(F.year("release_date"), F.lit(0)))


def _known(history: DataFrame) -> DataFrame:
    """The titles of the catalogue, once each, as their newest version has them."""
    from pyspark.sql import functions as F

    newest = history.groupBy("title_key").agg(
        F.max("valid_from").alias("valid_from"), F.min("valid_from").alias("in_catalogue_since")
    )
    names = ("title_key", "type", "title", "release_year", "is_current", "in_catalogue_since")
    titles = history.join(newest, ["title_key", "valid_from"]).select(*names)
    kind = F.when(F.col("type") == "Movie", "film").when(F.col("type") == "TV Show", "tv")
    return folded(titles.withColumn("words", title_words(F.col("title"))), "title").withColumn("known_kind", kind)


def _candidates(named: DataFrame, known: DataFrame) -> DataFrame:
    """The titles of the same kind that match in some way. A film and a show of one name are as a rule two works.

    All ways are tried in one join: for each of them an engine would work out anew who is named and who is known.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    ways = F.posexplode(F.array("words", "folded")).alias("place", "by")  # in the order of METHODS
    names, titles = (frame.select("*", ways).drop("words", "folded") for frame in (named, known))
    pairs = names.where("by != ''").join(titles, ["place", "by"]).where("kind IN (known_kind, 'any')")
    of_its_time = F.col("released").between(1, 9999) & F.col("release_year").between(
        F.col("released") - MADE_BEFORE, F.col("released") + MADE_AFTER
    )
    same_title = Window.partitionBy("place", "kind", "title_key")
    taken = F.max(of_its_time).over(same_title)  # by a work that is identified by its year
    of_none = (F.col("released") == 0) & ~F.coalesce("taken", F.lit(False))
    pairs = pairs.withColumns({"of_its_time": of_its_time, "taken": taken})
    meant = pairs.where(F.col("released").isNull() | F.col("of_its_time") | of_none)
    by_then = F.coalesce(F.nullif("released", F.lit(0)), F.year("first_seen"))
    method, sure, less_sure = (
        F.element_at(F.array(*map(F.lit, said)), F.col("place") + 1)
        for said in zip(*((name, *about[1:]) for name, about in METHODS.items()), strict=True)
    )
    return meant.select(
        "chart_title_key",
        "title_key",
        "is_current",
        "release_year",
        (F.col("release_year") <= by_then).alias("out_by_then"),
        "in_catalogue_since",
        "place",
        method.alias("match_method"),
        sure.alias("sure"),
        less_sure.alias("less_sure"),
    )


@table(
    "gold.dim_title",
    feed=None,
    grain="one version of one title: a stretch of releases over which nothing of it changed",
    key=("title_sk",),
    reads=(_HISTORY, "gold.bridge_title_chart"),
    cluster_by=("title_key",),
    columns=[
        *TABLES[_HISTORY].columns,
        Column(
            "is_inferred",
            "boolean",
            "A title that only charts or reports name: the catalogue does not have it (yet)",
            False,
            ("gold.bridge_title_chart.is_inferred",),
        ),
    ],
)
def dim_title(history: DataFrame, bridge: DataFrame) -> DataFrame:
    """The titles: every version of those that the catalogue has named, and one row for each that only charts or
    reports name (an inferred member), until a release brings it.

    "The catalogue as of D": ``NOT is_inferred AND valid_from <= D AND (valid_to IS NULL OR valid_to > D)``.
    """
    from pyspark.sql import functions as F

    inferred = bridge.where("is_inferred").select(
        F.xxhash64("title_key", "first_seen").alias("title_sk"),
        "title_key",
        F.col("title_key").alias("natural_key"),
        F.when(F.col("kind") == "film", "Movie").when(F.col("kind") == "tv", "TV Show").alias("type"),
        F.col("show_title").alias("title"),
        F.trim(F.split("show_title", ":")[0]).alias("short_title"),
        F.col("first_seen").alias("valid_from"),
        F.lit(True).alias("is_current"),
        F.lit(True).alias("is_inferred"),
    )
    return history.withColumn("is_inferred", F.lit(False)).unionByName(inferred, allowMissingColumns=True)
