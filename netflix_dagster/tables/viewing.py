"""Charts and reports of viewing: the identity of a title in them, and the meaning of a category."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netflix_dagster.tables.text import title_words

if TYPE_CHECKING:
    from pyspark.sql import Column

FILM, TV, ANY = "film", "tv", "any"
"""The kinds of title. ``any`` is what a chart or report does not tell: its category, or its sheet, says neither."""
CATEGORIES = {
    # category -> (kind, language)
    "Films (English)": (FILM, "English"),
    "Films (Non-English)": (FILM, "Non-English"),
    "TV (English)": (TV, "English"),
    "TV (Non-English)": (TV, "Non-English"),
    "Films": (FILM, None),
    "TV": (TV, None),
}
RENAMED = {
    "top10_countries": {"Films (English)": "Films", "TV (English)": "TV"},
}
"""Categories that a chart has renamed, by source: the old name, the new one. The charts of countries never separated
languages; until 2021-12-01 their categories had names as if they did."""


def chart_title_key(kind: Column, show_title: Column) -> Column:
    """Identity of a title in charts and reports: ``film|red notice``, ``tv|squid game``. Seasons share it.

    Of no kind it is ``any|red notice``: what is not known is no kind, and the key always begins with one.
    """
    from pyspark.sql import functions as F

    return F.concat(F.coalesce(kind, F.lit(ANY)), F.lit("|"), title_words(show_title))


def kind_of(category: Column) -> Column:
    """``film`` or ``tv``, from the category of a chart; null for a category that is not known."""
    return _of_category(category, 0)


def language_of(category: Column) -> Column:
    """``English`` or ``Non-English``; null where the chart does not separate them."""
    return _of_category(category, 1)


def current_category(category: Column, source: str) -> Column:
    """The category under the name that it has now."""
    from pyspark.sql import functions as F

    named = category
    for old, new in RENAMED.get(source, {}).items():
        named = F.when(category == old, new).otherwise(named)
    return named


def _of_category(category: Column, place: int) -> Column:
    from pyspark.sql import functions as F

    found = F.lit(None).cast("string")
    for name, meaning in CATEGORIES.items():
        if meaning[place]:
            found = F.when(category == name, meaning[place]).otherwise(found)
    return found
