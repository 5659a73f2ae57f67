"""The engagement reports: what was watched in a half-year, title by title."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from netflix_dagster.contracts.contract import Column, Takes, between, holds, not_null, table
from netflix_dagster.files.kinds import MONTH_NAME, MONTHS
from netflix_dagster.tables.seasons import names_a_season, season_of, show_of
from netflix_dagster.tables.text import day, tidy, title_words
from netflix_dagster.tables.viewing import ANY, FILM, TV, chart_title_key

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column as SparkColumn
    from pyspark.sql import DataFrame

UNSTATED = "*"
"""How a report writes a length that it does not state."""
UNDATED = "undated"
"""In place of the release date of a work that has none."""
MOST = 50_000_000_000
"""Hours, or views, that no title has in a period: half of what all titles together had in the first half of 2023."""
_BRONZE = "bronze.engagement"
_TITLE = (f"{_BRONZE}.title", f"{_BRONZE}.sheet")
_SPELLED = ("title", "native_title", "show_title", "season_title")
"""A title that is spelled in two cases is one title: the first spelling stays."""
_PERIOD = (f"{_BRONZE}.preamble", f"{_BRONZE}.source_file")
_TO = r"\s*(?:to|through|until|[-–—])\s*"
_SPANS = (
    # pattern, and which groups hold first month, its year, last month, its year
    (rf"(?i)\b({MONTH_NAME})\.?,?\s*([0-9]{{4}})?{_TO}({MONTH_NAME})\.?,?\s*([0-9]{{4}})", (1, 2, 3, 4)),
    (rf"(?i)([0-9]{{4}})[\s_-]*({MONTH_NAME}){_TO}({MONTH_NAME})", (2, 1, 3, 1)),
)
_HALVES = (
    # pattern, and which groups hold the half and the year
    (r"(?i)(?:^|[^a-z0-9])H([12])[\s_-]*([0-9]{4})", (1, 2)),
    (r"(?i)([0-9]{4})[\s_-]*H([12])", (2, 1)),
    (r"(?i)\b(first|second) half of ([0-9]{4})", (1, 2)),
)

MEASURES = (
    Column("available_globally", "boolean", "Whether it is offered in all countries"),
    Column("release_date", "date", "First day on Netflix, null for what Netflix licensed"),
    Column("hours_viewed", "bigint", "Hours watched in the period, rounded to 100,000 by Netflix"),
    Column(
        "runtime_minutes",
        "int",
        "Length, of a season all episodes together; null when not stated",
        True,
        (f"{_BRONZE}.runtime",),
    ),
    Column("views", "bigint", "Hours watched by length, rounded to 100,000 by Netflix; null before 2023H2"),
)


@table(
    "silver.engagement",
    feed="engagement",
    grain="one work (a title, its release date and length) of one period in one delivery",
    key=("delivery_date", "period", "kind", "title_words", "work"),
    reads=(_BRONZE,),
    takes=(Takes(_BRONZE),),
    write="per_delivery",
    order="record_number",
    provenance=("source_file", "record_number", "title_delivered", *_SPELLED),
    columns=[
        Column("delivery_date", "date", "Date of the delivery"),
        Column("period", "string", "The half-year, such as 2023H1; another span as 2023-01..2023-12", True, _PERIOD),
        Column("period_start", "date", "First day of the period", True, _PERIOD),
        Column("period_end", "date", "Last day of the period", True, _PERIOD),
        Column("kind", "string", "film or tv; any when neither the sheet nor a season shows which", True, _TITLE),
        Column("title_delivered", "string", "The title as the report gives it: English // native", True, _TITLE),
        Column("title_words", "string", "The title as compared: in lower case", True, _TITLE),
        Column(
            "work",
            "string",
            "Which of the works of that name: its release date (or undated) and its minutes, such as 2019-10-01|118",
            True,
            (f"{_BRONZE}.release_date", f"{_BRONZE}.runtime"),
        ),
        Column("title", "string", "The English part of the title, the season included"),
        Column("native_title", "string", "The title in its own language, null when only one is given", True, _TITLE),
        Column("show_title", "string", "The title without its season; of a film the title", True, _TITLE),
        Column("season_title", "string", "The title when it names a season, null of anything else", True, _TITLE),
        Column("chart_title_key", "string", "Identity of the title in the charts; null of kind any", True, _TITLE),
        *MEASURES,
        Column("source_file", "string", "File that the row came in"),
        Column("record_number", "bigint", "Record of that file"),
    ],
    expectations=[
        not_null(
            "period",
            hint="write the half-year above the header (Views from July to December 2023) or in the file name (2023H2)",
        ),
        holds(
            "one_period",
            "periods_named < 2",
            "a report is about one period",
            "drop",
            hint="the text above the header (or the file's name) names two periods; leave one, and land it again",
        ),
        holds(
            "sheet_visible",
            "sheet_state IS NULL",
            "a hidden sheet does not count where a visible sheet has the same columns",
            "drop",
            hint="show the sheet if it counts, or delete it",
        ),
        not_null("title_delivered", hint="a record without a title: a note below the table?"),
        not_null("hours_viewed", hint="hours are a whole number; a note below the table, or a second header?"),
        holds("hours_not_negative", "hours_viewed >= 0", "nobody watches less than nothing", "drop"),
        holds("hours_plausible", f"hours_viewed <= {MOST}", f"no title has more than {MOST:,} hours", "drop"),
        between("views", 0, MOST, "drop"),
        holds(
            "release_date_readable",
            "release_date_text IS NULL OR release_date IS NOT NULL",
            "every stated day could be read: it identifies works of one name",
            "drop",
            hint="write days as 2023-08-31, August 31, 2023 or 8/31/2023",
        ),
        holds(
            "available_globally_readable",
            "available_text IS NULL OR available_globally IS NOT NULL",
            "available globally is Yes or No",
            hint="write Yes or No, or add the new word to silver.engagement",
        ),
        holds(
            "runtime_readable",
            f"runtime_text IS NULL OR runtime_text = '{UNSTATED}' OR runtime_minutes IS NOT NULL",
            "every stated length could be read: it identifies works of one name",
            "drop",
            hint="write lengths as hours:minutes, such as 7:34; an asterisk where there is none",
        ),
        holds(
            "views_readable",
            "views_text IS NULL OR views IS NOT NULL",
            "every stated number of views could be read",
            "drop",
            hint="views are a whole number",
        ),
        holds(
            "views_are_hours_by_length",
            "abs(views - hours_viewed * 60D / nullif(runtime_minutes, 0))"
            " <= 51000 + (3000000 + views / 2) / nullif(runtime_minutes, 0)",
            "views are the hours by the length, as far as the rounding of all three lets one see",
            hint="known of titles whose length changed; nothing is changed here",
        ),
        between("runtime_minutes", 1, 60_000, hint="a length is hours:minutes"),
        holds(
            "released_by_the_end",
            "release_date IS NULL OR period_end IS NULL OR release_date <= period_end",
            "no title was watched before its release",
            hint="known of a few titles; nothing is changed",
        ),
        holds("known_kind", f"kind <> '{ANY}'", "the report separates films and shows", hint="reports do since 2023H2"),
    ],
)
def engagement(reports: DataFrame) -> DataFrame:
    """Every title of every engagement report, typed: hours and views of a half-year, as that delivery states them.

    Two works may have one name in one half-year. Their release dates and lengths identify them.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    tidied = tidy(reports.withColumn("title_delivered", F.col("title")).drop("title"))
    schema = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in tidied.schema.fields)
    dated = tidied.mapInArrow(
        _with_period, f"{schema}, period string, period_start date, period_end date, periods_named int"
    )
    parted = dated.select(
        "*",
        F.coalesce(_part(1), F.col("title_delivered")).alias("title"),
        _part(2).alias("native_title"),
    )
    kinds = parted.withColumn("kind", _kind(F.col("sheet"), F.col("title")))
    kind, title = F.col("kind"), F.col("title")
    seen = F.max(F.when(F.col("sheet_state").isNull(), 1)).over(Window.partitionBy("delivery_date", "source_file"))
    kinds = kinds.withColumn("sheet_state", F.when(seen == 1, F.col("sheet_state")))
    released = day(F.regexp_replace("release_date", " 00:00:00$", ""))
    minutes = _minutes(F.col("runtime"))
    work = F.concat_ws("|", F.coalesce(released.cast("string"), F.lit(UNDATED)), minutes.cast("string"))
    shown = kinds.withColumn("show_title", show_of(kind, title)).withColumn("season_title", season_of(kind, title))
    return shown.select(
        "delivery_date",
        "period",
        "period_start",
        "period_end",
        "kind",
        "title_delivered",
        title_words(F.col("title_delivered")).alias("title_words"),
        work.alias("work"),
        "title",
        "native_title",
        "show_title",
        "season_title",
        F.when(kind != ANY, chart_title_key(kind, F.col("show_title"))).alias("chart_title_key"),
        _yes_or_no(F.col("available_globally")).alias("available_globally"),
        released.alias("release_date"),
        _number(F.col("hours_viewed")).alias("hours_viewed"),
        minutes.alias("runtime_minutes"),
        _number(F.col("views")).alias("views"),
        "source_file",
        "record_number",
        "sheet_state",
        "periods_named",
        F.col("available_globally").alias("available_text"),
        F.col("release_date").alias("release_date_text"),
        F.col("runtime").alias("runtime_text"),
        F.col("views").alias("views_text"),
    )


def _part(number: int) -> SparkColumn:
    """The English (1) or the native part (2) of a title that has both."""
    from pyspark.sql import functions as F

    found = F.regexp_extract("title_delivered", r"^(.+?) // (.+)$", number)
    return F.when(found != "", found)


def _kind(sheet: SparkColumn, title: SparkColumn) -> SparkColumn:
    """``film`` or ``tv`` from the name of the sheet; otherwise a title that names a season is a show."""
    from pyspark.sql import functions as F

    return (
        F.when(sheet.rlike(r"(?i)\b(films?|movies?)\b") & ~sheet.rlike(r"(?i)\b(tv|shows?|series)\b"), FILM)
        .when(sheet.rlike(r"(?i)\b(tv|shows?|series)\b") & ~sheet.rlike(r"(?i)\b(films?|movies?)\b"), TV)
        .when(names_a_season(title), TV)
        .otherwise(ANY)
    )


def _with_period(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Adds to every row the period that its preamble names, or else its file; and how many periods that text names.

    It is written in Python: an expression of the engine would be repeated in every rule about a period, and planning
    would take longer than the work.
    """
    import pyarrow as pa

    for batch in batches:
        named = zip(batch.column("preamble").to_pylist(), batch.column("source_file").to_pylist(), strict=True)
        found = [_period(preamble or "", file or "") for preamble, file in named]
        columns = [pa.array([one[place] for one in found], kind) for place, kind in enumerate(_period_types())]
        names = [*batch.schema.names, "period", "period_start", "period_end", "periods_named"]
        yield pa.RecordBatch.from_arrays([*batch.columns, *columns], names=names)


def _period_types() -> tuple[pa.DataType, ...]:
    import pyarrow as pa

    return (pa.string(), pa.date32(), pa.date32(), pa.int32())


_Period = tuple[str | None, date | None, date | None]


@lru_cache(maxsize=64)
def _period(*texts: str) -> tuple[str | None, date | None, date | None, int]:
    """Name, first and last day of the first period in the first text that names one; and how many that text names."""
    for text in texts:
        named = list(dict.fromkeys(_periods_in(text)))
        if named:
            return (*named[0], len(named))
    return (None, None, None, 0)


def _periods_in(text: str) -> Iterator[_Period]:
    for pattern, (month, year, to_month, to_year) in _SPANS:
        for found in re.finditer(pattern, text):
            yield _span(found[year] or found[to_year], found[month], found[to_year], found[to_month])
    for pattern, (half, of_year) in _HALVES:
        for found in re.finditer(pattern, text):
            second = found[half].lower() in ("2", "second")
            yield _span(found[of_year], "jul" if second else "jan", found[of_year], "dec" if second else "jun")


def _span(year: str, month: str, to_year: str, to_month: str) -> _Period:
    begins, ends = (MONTHS.index(name[:3].lower()) + 1 for name in (month, to_month))
    if not 1900 <= int(year) <= int(to_year) <= 2200 or (year, begins) > (to_year, ends):
        return (None, None, None)
    first, last = date(int(year), begins, 1), date(int(to_year), ends, monthrange(int(to_year), ends)[1])
    half = {(1, 6): "H1", (7, 12): "H2"}.get((begins, ends)) if year == to_year else None
    return (f"{year}{half}" if half else f"{first:%Y-%m}..{last:%Y-%m}", first, last)


def _yes_or_no(text: SparkColumn) -> SparkColumn:
    from pyspark.sql import functions as F

    lower = F.lower(text)
    return F.when(lower.isin("yes", "y", "true", "1"), True).when(lower.isin("no", "n", "false", "0"), False)


def _number(text: SparkColumn) -> SparkColumn:
    """A whole number, with or without commas between the thousands."""
    from pyspark.sql import functions as F

    return F.when(text.rlike(r"^-?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)$"), F.replace(text, F.lit(","), F.lit(""))).try_cast(
        "bigint"
    )


def _minutes(text: SparkColumn) -> SparkColumn:
    """Minutes of ``h:mm`` or ``h:mm:ss``; seconds are rounded off."""
    from pyspark.sql import functions as F

    clock = r"^([0-9]{1,4}):([0-5][0-9])(?::([0-5][0-9]))?$"
    hours, minutes = (F.regexp_extract(text, clock, n).try_cast("int") for n in (1, 2))
    return F.when(text.rlike(clock), hours * 60 + minutes)
