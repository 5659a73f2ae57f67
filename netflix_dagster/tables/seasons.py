"""Splits a title of a report into the show and the words after it that name a season."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column

_COUNTED = "One|Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|[IVXl]+|[0-9]+[A-Za-z]?"
_SEASON = "Season|Series|Staffel|Temporada|Stagione|Saison|Sæson|Sesong|Säsong|Sezon|Seizoen|シーズン"
SURE = (
    rf"(?i): (?:(?:{_SEASON}) ?(?:{_COUNTED})\b|The Final Season\b|Limited Series\b|Mini-?Series\b"
    r"|[0-9]+(?:ª|st|nd|rd|th) (?:season|temporada)\b).*$"
)
"""What only a show has after its title: ``: Season 2``, ``: Limited Series``, ``: Staffel 3``, and all after it. In any
case: a title in capitals is the same title."""
LIKELY = rf"(?i): (?:(?:Part|Volume|Vol\.|Book|Chapter|Chapters|Collection|Batch) (?:{_COUNTED})\b.*|Collection)$"
"""What shows and films have: ``: Part 3``, ``: Volume 1``. Of a film it belongs to the title."""


def names_a_season(title: Column) -> Column:
    """Whether the title can only be a show's."""
    return title.rlike(SURE)


def show_of(kind: Column, title: Column) -> Column:
    """The title without its season. A film, or a title that may be one, stays whole."""
    from pyspark.sql import functions as F

    show = F.regexp_replace(F.regexp_replace(title, SURE, ""), LIKELY, "")
    return F.when((kind == "tv") & (show != ""), show).otherwise(title)


def season_of(kind: Column, title: Column) -> Column:
    """The full title where it names a season, as the charts write it (``Squid Game: Season 1``); else null."""
    from pyspark.sql import functions as F

    return F.when(show_of(kind, title) != title, title)
