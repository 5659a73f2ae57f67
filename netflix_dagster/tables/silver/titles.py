"""Titles of every release, from both forms of delivery, with their identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import TABLES, Column, Takes, between, holds, in_set, not_null, table
from netflix_dagster.contracts.delivery_rules import null_share, row_count_change, stable
from netflix_dagster.tables.reference import RATINGS
from netflix_dagster.tables.silver.repair import REPAIR, join_broken_records
from netflix_dagster.tables.text import day, tidy, title_words

if TYPE_CHECKING:
    from pyspark.sql import Column as Expression
    from pyspark.sql import DataFrame
    from pyspark.sql.window import WindowSpec

TYPES = ("Movie", "TV Show")
FIRST_DAY = "1997-01-01"
"""No title was added before Netflix existed."""
DAYS_AHEAD = 366
"""A release may announce a title up to so many days ahead."""
SWAP = "rating_duration_swap"
_LENGTH = r"^\d+ (min|Seasons?)$"
_BOTH = ("bronze.netflix_catalogue", "bronze.netflix_titles")
_NUMBERS = ("bronze.netflix_catalogue.show_id", "bronze.netflix_titles.show_id")
_DURATION = ("bronze.netflix_catalogue.duration", "bronze.netflix_catalogue.rating")


def stated_in(form: Expression, source_file: Expression, record_number: Expression, show_id: Expression) -> Expression:
    """Where a delivery states a title: in a record of a whole file, or under a number of the split form."""
    from pyspark.sql import functions as F

    record = F.concat(F.lit("whole:"), source_file, F.lit("#"), record_number.cast("string"))
    return F.when(form == "whole", record).otherwise(F.concat(F.lit("split:"), show_id))


def identified(rows: DataFrame, shared: Expression) -> DataFrame:
    """The titles of each delivery with their keys, and where else the delivery states each of them.

    A title of the split form is a copy when a whole file of the same delivery has its type, title and year. Other
    titles that share all three are numbered. Few do: all others are alone, and no engine has to put them in order.
    """
    from pyspark.sql import functions as F

    alone = rows.where(~shared).withColumns(
        {"is_duplicate": F.lit(False), "title_key": F.col("natural_key"), "copies": F.array().cast("array<string>")}
    )
    return alone.unionByName(_compared(rows.where(shared)).select(*alone.columns))


def _compared(rows: DataFrame) -> DataFrame:
    """``identified``, of titles that share type, title and year: a record that is repeated shares them with itself.

    What a row must know of others comes before it in the order of its window: of a window without an order an engine
    keeps the whole delivery in memory.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    own = stated_in(F.col("form"), F.col("source_file"), F.col("record_number"), F.col("show_id"))
    alike = Window.partitionBy("delivery_date", "natural_key")
    in_whole = F.max((F.col("form") == "whole") & ~F.col("_copy")).over(_so_far(alike.orderBy(F.desc("form"))))
    stated = rows.withColumn("_stated_in", own).withColumn(
        "is_duplicate", ~F.col("_copy") & (F.col("form") == "split") & in_whole
    )
    namesakes = Window.partitionBy("delivery_date", "natural_key", F.col("_copy") | F.col("is_duplicate")).orderBy(
        "description", "duration_minutes", "duration_seasons", "show_id"
    )
    numbered_so = _so_far(Window.partitionBy("delivery_date", "form", "show_id").orderBy(F.desc("_copy")))
    again = F.collect_list(F.when(F.expr("_copy AND form = 'whole'"), F.col("_stated_in"))).over(numbered_so)
    copies_first = _so_far(alike.orderBy(F.desc("is_duplicate")))
    in_split = F.collect_list(F.when(F.col("is_duplicate"), F.col("_stated_in"))).over(copies_first)
    stated = stated.withColumns({"_nth": F.row_number().over(namesakes), "_again": again, "_in_split": in_split})
    none = F.array().cast("array<string>")
    first = F.when(F.col("_nth") == 1, F.col("_in_split"))  # Sail keeps the nulls of a list that a window collects
    return stated.withColumns(
        {
            "title_key": F.concat_ws("|", "natural_key", F.when(F.col("_nth") > 1, F.col("_nth").cast("string"))),
            "copies": F.array_sort(F.array_compact(F.concat(F.coalesce("_again", none), F.coalesce(first, none)))),
        }
    )


def _so_far(window: WindowSpec) -> WindowSpec:
    """The rows of a window up to the one that is looked at."""
    from pyspark.sql import Window

    return window.rowsBetween(Window.unboundedPreceding, Window.currentRow)


@table(
    "silver.titles",
    feed="catalogue",
    grain="one title of one release",
    key=("delivery_date", "form", "show_id"),
    reads=_BOTH,
    takes=(Takes(_BOTH[0], form="whole"), Takes(_BOTH[1], form="split", halves=REPAIR)),
    write="per_delivery",
    order="record_number",
    provenance=("source_file", "record_number", "title_key", "repairs", "copies"),
    identify=identified,
    alike=("delivery_date", "natural_key"),
    columns=[
        Column("delivery_date", "date", "The release: date of its delivery"),
        Column(
            "title_key",
            "string",
            "Durable identity: natural_key, and |2, |3 … for further titles that share it",
            sources=tuple(f"{b}.{c}" for b in _BOTH for c in ("type", "title", "release_year")),
        ),
        Column(
            "natural_key",
            "string",
            "type|title|year in lower case; a few titles of a release share it. A title with a backslash, or that"
            " ends like a year or number of the key, has its separators escaped",
            sources=tuple(f"{b}.{c}" for b in _BOTH for c in ("type", "title", "release_year")),
        ),
        Column(
            "show_id",
            "string",
            "Number of the title in this form of this release; renumbered and reused by other releases",
        ),
        Column("type", "string", "Movie or TV Show"),
        Column("type_flag", "int", "1 Movie, 2 TV Show, 0 anything else", sources=tuple(f"{b}.type" for b in _BOTH)),
        Column("title", "string", "Title as shown, tidied"),
        Column("short_title", "string", "The title before its first colon", sources=tuple(f"{b}.title" for b in _BOTH)),
        Column("date_added", "date", "Day the title was added to Netflix, null when not stated"),
        Column("release_year", "int", "Year of first release anywhere"),
        Column("rating", "string", "Maturity rating in full, such as TV-MA; null when not stated"),
        Column(
            "rating_family", "string", "System that the rating belongs to", sources=tuple(f"{b}.rating" for b in _BOTH)
        ),
        Column(
            "duration_minutes",
            "int",
            "Length of a movie in minutes; null for a show",
            sources=(*_DURATION, "bronze.netflix_titles.duration_minutes"),
        ),
        Column(
            "duration_seasons",
            "int",
            "Seasons of a show; null for a movie",
            sources=(*_DURATION, "bronze.netflix_titles.duration_seasons"),
        ),
        Column("description", "string", "Synopsis", length=4000),
        Column("form", "string", "whole or split: the form of delivery that the row came in"),
        Column("repairs", "array<string>", "What had to be repaired: joined_broken_record, rating_duration_swap"),
        Column("source_file", "string", "File that the row came in"),
        Column("record_number", "bigint", "Record of that file"),
        Column(
            "copies",
            "array<string>",
            "Where else the delivery states this title: whole:file#record, split:show_id",
            sources=_NUMBERS,
        ),
    ],
    delivery_rules=[
        row_count_change(),
        null_share("date_added", 0.3),
        null_share("description", 0.02),
        stable("type", TYPES),
    ],
    expectations=[
        not_null("show_id", hint="a record without its number cannot be placed; was a line broken in two?"),
        not_null("title", hint="a title without a name cannot be identified"),
        not_null("type", hint="write Movie or TV Show"),
        not_null("release_year", hint="the year is part of the title's identity; write it as four digits"),
        in_set("type", TYPES, hint="map the new kind in silver.titles or mend the file"),
        in_set("rating", tuple(r[0] for r in RATINGS), hint="add the rating to tables/reference.py"),
        between("release_year", 1900, 2100),
        holds(
            "date_added_readable",
            "date_added_text IS NULL OR date_added_read IS NOT NULL",
            "every stated day could be read",
            hint="write days as September 9, 2019, 9/9/2019 or 2019-09-09",
        ),
        holds(
            "date_added_plausible",
            "date_added_read IS NULL OR date_added IS NOT NULL",
            f"no title was added before {FIRST_DAY} or more than {DAYS_AHEAD} days after its release",
            hint="such a day counts as not stated; bronze keeps what was delivered",
        ),
        holds(
            "duration_stated",
            "duration_minutes IS NOT NULL OR duration_seasons IS NOT NULL",
            "every title has a length",
        ),
        holds(
            "released_before_added",
            "date_added IS NULL OR release_year IS NULL OR year(date_added) >= release_year",
            "no title was added before the year of its release",
            hint="known of a few titles; nothing is changed",
        ),
        holds(
            "title_not_mangled",
            "title IS NULL OR NOT title RLIKE '^([A-Z][a-z]{2}-[0-9]{2}|[0-9]{1,2}-[A-Z][a-z]{2})$'",
            "no title was turned into a date by a spreadsheet",
            hint="the original cannot be known; identity treats both spellings as one",
        ),
    ],
)
def titles(catalogue: DataFrame, netflix_titles: DataFrame) -> DataFrame:
    """Every title of every release, typed and repaired, as that release states it.

    Whole releases and split files of one date meet here; where both bring a title, the whole release counts.
    """
    from pyspark.sql import functions as F

    both = _from_whole(tidy(catalogue)).unionByName(_from_split(netflix_titles))
    plausible = F.col("date_added_read").between(
        F.lit(FIRST_DAY).cast("date"), F.date_add(F.col("delivery_date"), DAYS_AHEAD)
    )
    typed = both.withColumns({"type": spelled(TYPES), "date_added": F.when(plausible, F.col("date_added_read"))})
    return typed.select(
        "*",
        natural_key().alias("natural_key"),
        F.when(F.col("type") == "Movie", 1).when(F.col("type") == "TV Show", 2).otherwise(0).alias("type_flag"),
        F.trim(F.split("title", ":")[0]).alias("short_title"),
        _rating_family().alias("rating_family"),
    )


def spelled(types: Sequence[str]) -> Expression:
    """A known type in its usual spelling, whatever its upper and lower case; an unknown one as it is."""
    from pyspark.sql import functions as F

    spelled = F.col("type")
    for known in types:
        spelled = F.when(F.lower("type") == known.lower(), known).otherwise(spelled)
    return spelled


def natural_key() -> Expression:
    """``type|title|year`` of the columns ``type``, ``title`` and ``release_year``."""
    from pyspark.sql import functions as F

    words, year = title_words(F.col("title")), F.coalesce(F.col("release_year").cast("string"), F.lit("?"))
    kind, ambiguous = F.lower("type"), r"\\|\|-?\d+$"
    return F.concat_ws("|", _escaped(kind), F.when(words.rlike(ambiguous), _escaped(words)).otherwise(words), year)


def _escaped(text: Expression) -> Expression:
    """A part of a key in which no character is taken for the separator."""
    from pyspark.sql import functions as F

    return F.replace(F.replace(text, F.lit("\\"), F.lit("\\\\")), F.lit("|"), F.lit("\\|"))


def _from_whole(catalogue: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    swapped = F.col("rating").rlike(_LENGTH) & F.col("duration").isNull()
    length = F.when(swapped, F.col("rating")).otherwise(F.col("duration"))
    number = F.regexp_extract(length, r"^(\d+) ", 1).try_cast("int")
    return catalogue.select(
        "delivery_date",
        "show_id",
        "type",
        "title",
        day(F.col("date_added")).alias("date_added_read"),
        F.col("date_added").alias("date_added_text"),
        F.col("release_year").try_cast("int").alias("release_year"),
        F.when(~F.coalesce(swapped, F.lit(False)), F.col("rating")).alias("rating"),
        F.when(length.rlike(r"^\d+ min$"), number).alias("duration_minutes"),
        F.when(length.rlike(r"^\d+ Seasons?$"), number).alias("duration_seasons"),
        "description",
        F.lit("whole").alias("form"),
        F.when(swapped, F.array(F.lit(SWAP))).otherwise(F.array().cast("array<string>")).alias("repairs"),
        "source_file",
        "record_number",
    )


def _from_split(records: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    source = TABLES["bronze.netflix_titles"].source
    assert source is not None, "a bronze table has a source"
    whole = tidy(join_broken_records(records, source))
    return whole.select(
        "delivery_date",
        "show_id",
        "type",
        "title",
        day(F.col("date_added")).alias("date_added_read"),
        F.col("date_added").alias("date_added_text"),
        F.col("release_year").try_cast("int").alias("release_year"),
        "rating",
        F.col("duration_minutes").try_cast("int").alias("duration_minutes"),
        F.col("duration_seasons").try_cast("int").alias("duration_seasons"),
        "description",
        F.lit("split").alias("form"),
        "repairs",
        "source_file",
        "record_number",
    )


def _rating_family():  # type: ignore[no-untyped-def]
    from pyspark.sql import functions as F

    families: dict[str, list[str]] = {}
    for rating, _name, family, _audience, _age in RATINGS:
        families.setdefault(family, []).append(rating)
    chosen = F.when(F.col("rating").isNull(), F.lit(None).cast("string"))
    for family, ratings in families.items():
        chosen = chosen.when(F.col("rating").isin(ratings), F.lit(family))
    return chosen.otherwise(F.lit("Unknown"))
