"""The dimensions that titles share: people, countries, genres, ratings and days.

Their surrogate keys are hashes of their natural keys: the same in every rebuild, whatever arrived first.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, GoesOn, holds, table
from netflix_dagster.tables.reference import RATINGS, countries, country_codes, country_keys
from netflix_dagster.tables.silver.releases import accepted
from netflix_dagster.tables.silver.spellings import COUNTRY, PERSON

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

FIRST_YEAR, LAST_YEAR = 1990, 2100
"""The years that ``dim_date`` may hold. No day that a rule lets stand lies outside; a calendar must end somewhere."""
BOTH = "Both"
_SPELLINGS = "silver.spellings"
_COUNTRY_NAMES = ("silver.spellings.spelling", "gold.fact_top10_country_weekly.country_name")


@table(
    "gold.dim_person",
    feed="catalogue",
    grain="one person, by name: spellings that differ in case only are one person",
    key=("person_sk",),
    reads=("silver.spellings",),
    columns=[
        Column("person_sk", "bigint", "Surrogate key: hash of person_key", False, (f"{_SPELLINGS}.member_key",)),
        Column("person_key", "string", "The name in lower case", False, (f"{_SPELLINGS}.member_key",)),
        Column("name", "string", "The spelling used most", False, (f"{_SPELLINGS}.name",)),
        Column("is_cast", "boolean", "Was in the cast of some title", nullable=False),
        Column("is_director", "boolean", "Directed some title", nullable=False),
        Column("first_release", "date", "First release that names the person", nullable=False),
        Column("last_release", "date", "Last release that names the person", nullable=False),
    ],
)
def dim_person(spellings: DataFrame) -> DataFrame:
    """Everyone that a release names in a cast or as a director. Namesakes are one person here."""
    from pyspark.sql import functions as F

    people = spellings.where(F.col("kind") == PERSON).groupBy(F.col("member_key").alias("person_key"))
    return people.agg(
        F.max("name").alias("name"),
        F.max("is_cast").alias("is_cast"),
        F.max("is_director").alias("is_director"),
        F.min("first_release").alias("first_release"),
        F.max("last_release").alias("last_release"),
    ).withColumn("person_sk", F.xxhash64("person_key"))


@table(
    "gold.dim_country",
    feed=None,
    grain="one country, whatever releases of the catalogue and charts call it",
    key=("country_sk",),
    reads=("silver.spellings", "gold.fact_top10_country_weekly"),
    columns=[
        Column("country_sk", "bigint", "Surrogate key: hash of country_key", False, _COUNTRY_NAMES),
        Column(
            "country_key",
            "string",
            "The everyday name in lower case; for a code that ISO does not know, the code",
            False,
            (*_COUNTRY_NAMES, "gold.fact_top10_country_weekly.country_iso2"),
        ),
        Column("country", "string", "The name as the newest release or chart writes it", False, _COUNTRY_NAMES),
        Column(
            "iso_alpha2",
            "string",
            "ISO 3166-1 alpha-2 code by name, else as charts state it; of former countries the code they had",
            sources=(*_COUNTRY_NAMES, "gold.fact_top10_country_weekly.country_iso2"),
        ),
        Column("iso_alpha3", "string", "ISO 3166-1 alpha-3 code", sources=_COUNTRY_NAMES),
        Column(
            "exists_today", "boolean", "False for former countries such as the Soviet Union", sources=_COUNTRY_NAMES
        ),
        Column("in_catalogue", "boolean", "Whether a title was produced there", False, _COUNTRY_NAMES[:1]),
        Column("in_charts", "boolean", "Whether it has a Top 10 of its own", False, _COUNTRY_NAMES[1:]),
    ],
    expectations=[
        holds(
            "iso_code_known",
            "iso_alpha2 IS NOT NULL",
            "every country has an ISO code",
            hint="add the name to tables/reference.py",
        ),
        holds(
            "one_code_a_name",
            "codes < 2",
            "charts give a country one ISO code",
            hint="which code is right? One that ISO gives to a country counts, else the name does",
        ),
    ],
)
def dim_country(spellings: DataFrame, charts: DataFrame) -> DataFrame:
    """Every country that a release or a chart names, with its ISO code: a conformed dimension.

    Charts identify a country by its code: renamed it stays one, and two with one name stay two. Releases give its
    name, which tables/reference.py maps to the same key.
    """
    from pyspark.sql import functions as F

    spark = spellings.sparkSession
    produced = spellings.where(F.col("kind") == COUNTRY).select(
        F.col("member_key").alias("country_key"),
        F.col("spelling").alias("country"),
        F.lit(None).cast("string").alias("code"),
        F.col("last_release").alias("seen"),
        "times",
        F.lit(False).alias("charted"),
    )
    by_code = spark.createDataFrame(list(country_codes().items()), "country_iso2 string, of_code string")
    by_name = spark.createDataFrame(list(country_keys().items()), "name string, of_name string")
    charted = charts.withColumn("name", F.lower("country_name")).join(F.broadcast(by_code), "country_iso2", "left")
    charted = charted.join(F.broadcast(by_name), "name", "left").select(
        F.coalesce("of_code", "of_name", F.lower("country_iso2"), "name").alias("country_key"),
        F.col("country_name").alias("country"),
        F.col("country_iso2").alias("code"),
        F.col("last_changed").alias("seen"),
        F.lit(1).cast("bigint").alias("times"),
        F.lit(True).alias("charted"),
    )
    stated = charted.groupBy(F.lower("country").alias("said")).agg(F.count_distinct("code").alias("codes"))
    spelled = produced.unionByName(charted).where("country IS NOT NULL").groupBy("country_key", "country")
    named = spelled.agg(
        F.max("seen").alias("seen"),
        F.sum("times").alias("times"),
        F.max("code").alias("code"),
        F.max(~F.col("charted")).alias("in_catalogue"),
        F.max("charted").alias("in_charts"),
    )
    named = named.join(F.broadcast(stated), F.lower("country") == F.col("said"), "left")
    every = named.groupBy("country_key").agg(
        F.max("codes").alias("codes"),
        F.max_by("country", F.struct("seen", "times", "country")).alias("country"),
        F.max("code").alias("code"),
        F.max("in_catalogue").alias("in_catalogue"),
        F.max("in_charts").alias("in_charts"),
    )
    known = countries()
    codes = spark.createDataFrame(
        [(name, *known[name]) for name in sorted(set(country_keys().values()))],
        "country_key string, iso_alpha2 string, iso_alpha3 string, exists_today boolean",
    )
    found = every.where("country_key IS NOT NULL").join(F.broadcast(codes), "country_key", "left")
    return found.withColumns(
        {
            "country_sk": F.xxhash64("country_key"),
            "iso_alpha2": F.coalesce("iso_alpha2", "code"),
            "exists_today": F.when(F.col("in_charts"), F.lit(True)).otherwise(F.col("exists_today")),
        }
    )


def _genres_added(before: DataFrame, built: DataFrame, _since: date, *_reads: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    same = F.min("lists") == F.max("lists")
    every = before.unionByName(built.select(*before.columns))
    lists = F.when(same, F.min("lists")).otherwise(BOTH).alias("lists")
    return every.groupBy("genre_sk", "genre_key").agg(F.max("genre").alias("genre"), lists)


@table(
    "gold.dim_genre",
    feed="catalogue",
    grain="one genre that titles are listed in",
    key=("genre_sk",),
    reads=("silver.releases", "silver.title_genres", "silver.titles"),
    goes_on=GoesOn(merge=_genres_added, back=False),
    columns=[
        Column("genre_sk", "bigint", "Surrogate key: hash of genre_key", False, ("silver.title_genres.genre_key",)),
        Column("genre_key", "string", "The name in lower case", nullable=False),
        Column("genre", "string", "The name as releases write it", nullable=False),
        Column("lists", "string", "What it lists: Movie, TV Show or Both", sources=("silver.titles.type",)),
    ],
)
def dim_genre(releases: DataFrame, title_genres: DataFrame, titles: DataFrame) -> DataFrame:
    """The genres (Netflix's "listed in") and the kinds of title that they list."""
    from pyspark.sql import functions as F

    kinds = accepted(titles, releases).select("delivery_date", "title_key", "type")
    seen = title_genres.join(kinds, ["delivery_date", "title_key"]).groupBy("genre_key")
    found = seen.agg(F.max("genre").alias("genre"), F.min("type").alias("first"), F.max("type").alias("last"))
    return found.select(
        F.xxhash64("genre_key").alias("genre_sk"),
        "genre_key",
        "genre",
        F.when(F.col("first") == F.col("last"), F.col("first")).otherwise(BOTH).alias("lists"),
    )


def _ratings_added(before: DataFrame, built: DataFrame, _since: date, *_reads: DataFrame) -> DataFrame:
    return built.select(*before.columns).unionByName(before.join(built, "rating", "left_anti"))


@table(
    "gold.dim_rating",
    feed="catalogue",
    grain="one maturity rating",
    key=("rating",),
    reads=("silver.releases", "silver.titles"),
    goes_on=GoesOn(merge=_ratings_added, back=False),
    columns=[
        Column("rating", "string", "The rating in full, such as TV-MA", nullable=False),
        Column("name", "string", "Its meaning", sources=("silver.titles.rating",)),
        Column("rating_family", "string", "The system it belongs to", nullable=False),
        Column("audience", "string", "Kids, Older kids, Teens, Adults or Not rated", sources=("silver.titles.rating",)),
        Column(
            "minimum_age",
            "int",
            "Age from which the title is suitable, null when the rating states none",
            sources=("silver.titles.rating",),
        ),
        Column("severity", "int", "Order of the ratings of a family, mildest first", sources=("silver.titles.rating",)),
    ],
    expectations=[
        holds("name_known", "name IS NOT NULL", "every rating is explained", hint="add it to tables/reference.py")
    ],
)
def dim_rating(releases: DataFrame, titles: DataFrame) -> DataFrame:
    """The known maturity ratings and those that some release has used."""
    from pyspark.sql import functions as F

    known = titles.sparkSession.createDataFrame(
        [(*rating, order) for order, rating in enumerate(RATINGS, 1)],
        "rating string, name string, known_family string, audience string, minimum_age int, severity int",
    )
    used = (
        accepted(titles, releases)
        .where("rating IS NOT NULL")
        .groupBy("rating")
        .agg(F.max("rating_family").alias("rating_family"))
    )
    return used.join(known, "rating", "full").withColumn("rating_family", F.coalesce("known_family", "rating_family"))


def _days_added(before: DataFrame, built: DataFrame, _since: date, *_reads: DataFrame) -> DataFrame:
    every = before.select("date", "is_release").unionByName(built.select("date", "is_release"))
    return _calendar(every.select("date"), every.where("is_release").select("date").distinct())


@table(
    "gold.dim_date",
    feed=None,
    grain="one calendar day",
    key=("date_key",),
    reads=("silver.releases", "silver.titles"),
    goes_on=GoesOn(merge=_days_added, back=False),
    columns=[
        Column("date_key", "int", "The day as yyyymmdd", False, ("silver.titles.date_added",)),
        Column("date", "date", "The day", False, ("silver.titles.date_added",)),
        Column("year", "int", "Year", False, ("silver.titles.date_added",)),
        Column("quarter", "int", "Quarter, 1 to 4", False, ("silver.titles.date_added",)),
        Column("month", "int", "Month, 1 to 12", False, ("silver.titles.date_added",)),
        Column("month_name", "string", "Month in English", False, ("silver.titles.date_added",)),
        Column("year_month", "string", "yyyy-mm", False, ("silver.titles.date_added",)),
        Column("iso_week", "int", "ISO 8601 week, 1 to 53", False, ("silver.titles.date_added",)),
        Column("day_of_month", "int", "Day of the month", False, ("silver.titles.date_added",)),
        Column("day_of_week", "int", "ISO 8601 day, 1 Monday to 7 Sunday", False, ("silver.titles.date_added",)),
        Column("day_name", "string", "Day in English", False, ("silver.titles.date_added",)),
        Column("is_weekend", "boolean", "Saturday or Sunday", False, ("silver.titles.date_added",)),
        Column(
            "is_release",
            "boolean",
            "A catalogue release was delivered that day",
            False,
            ("silver.titles.delivery_date",),
        ),
    ],
)
def dim_date(releases: DataFrame, titles: DataFrame) -> DataFrame:
    """Every day from the first year to the last in which a title was added or a release delivered: a conformed
    dimension.
    """
    from pyspark.sql import functions as F

    titles = accepted(titles, releases)
    delivered = titles.select(F.col("delivery_date").alias("date")).distinct()
    return _calendar(titles.select(F.col("date_added").alias("date")).unionByName(delivered), delivered)


def _calendar(days: DataFrame, delivered: DataFrame) -> DataFrame:
    """All days of the years of some ``days``; those on which a release was ``delivered`` are marked."""
    from pyspark.sql import functions as F

    known = days.select(F.col("date").alias("day")).where(F.year("date").between(FIRST_YEAR, LAST_YEAR))
    bounds = known.agg(F.min("day").alias("low"), F.max("day").alias("high")).where("low IS NOT NULL")
    first = F.make_date(F.year("low"), F.lit(1), F.lit(1))
    last = F.make_date(F.year("high"), F.lit(12), F.lit(31))
    days = bounds.select(F.explode(F.sequence(first, last)).alias("date"))
    releases = delivered.select("date", F.lit(True).alias("released"))
    day_of_week = (F.dayofweek("date") + 5) % 7 + 1
    return days.join(F.broadcast(releases), "date", "left").select(
        "date",
        F.date_format("date", "yyyyMMdd").cast("int").alias("date_key"),
        F.year("date").cast("int").alias("year"),
        F.quarter("date").cast("int").alias("quarter"),
        F.month("date").cast("int").alias("month"),
        F.date_format("date", "MMMM").alias("month_name"),
        F.substring(F.col("date").cast("string"), 1, 7).alias("year_month"),
        F.weekofyear("date").cast("int").alias("iso_week"),
        F.dayofmonth("date").cast("int").alias("day_of_month"),
        day_of_week.cast("int").alias("day_of_week"),
        F.date_format("date", "EEEE").alias("day_name"),
        (day_of_week >= 6).alias("is_weekend"),
        F.coalesce("released", F.lit(False)).alias("is_release"),
    )
