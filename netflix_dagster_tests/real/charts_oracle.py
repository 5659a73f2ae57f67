"""The charts worked out a second time, in plain Python, from the delivered files alone.

Nothing of ``netflix_dagster`` is imported, and everything is done the simple way: one delivery after the other, one
record after the other. Where this and the tables disagree, one of them is wrong, and the delivered files say which.

A chart file holds every week so far, and says some of them anew. A *place* is a rank of a chart of a week; what a
delivery says of a place is a *statement*.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

csv.field_size_limit(1 << 28)

Row = dict[str, Any]
Deliveries = Iterable[tuple[date, bytes]]
"""Delivery dates and files, in any order. A date may come again: the last readable file of it counts."""

GLOBAL_FIELDS = (
    "show_title",
    "season_title",
    "weekly_hours_viewed",
    "runtime",
    "weekly_views",
    "cumulative_weeks_in_top_10",
    "is_staggered_launch",
    "episode_launch_details",
)
COUNTRY_FIELDS = ("country_name", "show_title", "season_title", "cumulative_weeks_in_top_10")
CARRIED = {
    "weekly_hours_viewed",
    "runtime",
    "weekly_views",
    "cumulative_weeks_in_top_10",
    "is_staggered_launch",
    "episode_launch_details",
}
"""Not every generation of the file has these, so that a file does not take them back by saying nothing."""
FORMERLY = {"Films (English)": "Films", "TV (English)": "TV"}
"""What the charts of countries called their categories, though they never split by language."""
OTHER_NAMES = {"views": "weekly_views"}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


# Reading


@dataclass(frozen=True)
class File:
    """A file that could be read: its columns, and its records with null for what is not stated."""

    columns: frozenset[str]
    records: list[Row]


def read(data: bytes, *must_have: str) -> File | None:
    """A delivered file; nothing if it is a page, ``null``, empty or something else than this chart."""
    lines = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter="\t", strict=True)
    header = [OTHER_NAMES.get(name.strip().lower(), name.strip().lower()) for name in next(lines, [])]
    if not set(must_have) <= set(header):
        return None
    records = [dict(zip(header, map(stated, cells), strict=True)) for cells in lines if cells]
    return File(frozenset(header), records) if records else None


def stated(cell: str) -> str | None:
    """A text in composed characters, without invisible ones and with single spaces; null for ``N/A`` and nothing."""
    visible = "".join(c for c in unicodedata.normalize("NFC", cell) if unicodedata.category(c) != "Cf")
    tidy = " ".join(visible.split())
    return None if tidy in ("", "N/A") else tidy


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _runtime(text: str | None) -> float | None:
    """Hours. Zero is written where a staggered launch has none yet."""
    return None if text is None else float(text) or None


def _yes(text: str | None) -> bool | None:
    return None if text is None else {"true": True, "false": False}[text.lower()]


READERS: dict[str, Callable[[str | None], Any]] = {
    "weekly_hours_viewed": _number,
    "runtime": _runtime,
    "weekly_views": _number,
    "cumulative_weeks_in_top_10": _number,
    "is_staggered_launch": _yes,
}


def by_date(deliveries: Deliveries, *must_have: str) -> list[tuple[date, File]]:
    """The deliveries that can be read, oldest first."""
    files: dict[date, File] = {}
    for day, data in deliveries:
        file = read(data, *must_have)
        if file is not None:
            files[day] = file
    return sorted(files.items(), key=lambda item: item[0])


# Weekly charts


@dataclass(frozen=True)
class Place:
    """A rank of a chart of a week. ``country`` is null in the global chart."""

    week: date
    country: str | None
    category: str
    rank: int

    @property
    def scope(self) -> str:
        return self.country or "global"


@dataclass
class Known:
    """What is known of a place, since when, and when it was last said otherwise."""

    said: Row
    first_stated: date
    last_changed: date


@dataclass
class Chart:
    """What some deliveries of one weekly chart come to."""

    fields: tuple[str, ...]
    places: dict[Place, Known] = field(default_factory=dict)
    restatements: list[Row] = field(default_factory=list)

    @property
    def weeks(self) -> set[date]:
        return {place.week for place in self.places}

    @property
    def facts(self) -> list[Row]:
        return [
            {
                "week": place.week,
                **({} if place.country is None else {"country_iso2": place.country}),
                "category": place.category,
                "weekly_rank": place.rank,
                **known.said,
                "chart_title_key": title_key(place.category, known.said["show_title"]),
                "first_stated": known.first_stated,
                "last_changed": known.last_changed,
            }
            for place, known in self.places.items()
        ]

    def state(self, place: Place, day: date, said: Row, has_seasons: bool) -> None:
        """A delivery says something of a place, newer than everything said before."""
        known = self.places.get(place)
        if known is None:
            self.places[place] = Known(said, day, day)
            return
        before, now = known.said, completed(known.said, said, has_seasons)
        if now == before:
            return
        for name in self.fields:
            if now[name] != before[name] and not added(name, before, now):
                self.restatements.append(
                    {
                        "scope": place.scope,
                        "week": place.week,
                        "category": place.category,
                        "weekly_rank": place.rank,
                        "delivery_date": day,
                        "field": name,
                        "said_before": as_text(before[name]),
                        "said_now": as_text(now[name]),
                        "said_before_on": known.last_changed,
                    }
                )
        known.said, known.last_changed = now, day


def completed(before: Row, said: Row, has_seasons: bool) -> Row:
    """A statement with what it leaves open as it was last stated, unless it is of another title."""
    if said["show_title"] != before["show_title"]:
        return said
    now = {name: before[name] if value is None and name in CARRIED else value for name, value in said.items()}
    if not has_seasons:
        now["season_title"] = before["season_title"]
    return now


def added(name: str, before: Row, now: Row) -> bool:
    """Whether something is said for the first time of the same title: that restates nothing."""
    return name in CARRIED and before[name] is None and before["show_title"] == now["show_title"]


def as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


def global_chart(deliveries: Deliveries) -> Chart:
    """The worldwide Top 10."""
    return _chart(by_date(deliveries, "week", "category", "weekly_rank", "show_title"), GLOBAL_FIELDS, {})


def country_chart(deliveries: Deliveries) -> Chart:
    """The Top 10 of countries."""
    must_have = ("country_iso2", "week", "category", "weekly_rank", "show_title")
    return _chart(by_date(deliveries, *must_have), COUNTRY_FIELDS, FORMERLY)


def _chart(files: list[tuple[date, File]], fields: tuple[str, ...], renamed: dict[str, str]) -> Chart:
    chart = Chart(fields)
    for day, file in files:
        seen: set[Place] = set()
        for record in file.records:
            category = record["category"]
            place = Place(
                date.fromisoformat(record["week"]),
                record.get("country_iso2"),
                renamed.get(category, category),
                int(record["weekly_rank"]),
            )
            if place in seen:
                continue
            seen.add(place)
            said = {name: READERS.get(name, lambda text: text)(record.get(name)) for name in fields}
            chart.state(place, day, said, "season_title" in file.columns)
    return chart


def title_key(category: str, show_title: str) -> str:
    """``film|red notice``: what it is, and the title in lower case, a day that a spreadsheet made of it in one form."""
    title = show_title.lower()
    months = "|".join(MONTHS)
    turned = re.fullmatch(rf"({months})-0?(\d{{1,2}})", title)
    if turned:
        title = f"{turned[2]}-{turned[1]}"
    straight = re.fullmatch(rf"0?(\d{{1,2}})-({months})", title)
    if straight:
        title = f"{straight[1]}-{straight[2]}"
    return f"{'film' if category.startswith('Films') else 'tv'}|{title}"


# Most popular


def most_popular(deliveries: Deliveries) -> list[Row]:
    """The lists of the most popular, as each delivery has them."""
    rows: dict[tuple[date, str, int], Row] = {}
    for day, file in by_date(deliveries, "category", "rank", "show_title"):
        [days] = [days for days in (28, 91) if f"hours_viewed_first_{days}_days" in file.columns]
        for record in file.records:
            rank = int(record["rank"])
            said = {
                "delivery_date": day,
                "category": record["category"],
                "rank": rank,
                "show_title": record["show_title"],
                "season_title": record.get("season_title"),
                "window_days": days,
                "hours_viewed": _number(record[f"hours_viewed_first_{days}_days"]),
                "views": _number(record.get(f"views_first_{days}_days")),
                "runtime": _runtime(record.get("runtime")),
            }
            rows.setdefault((day, record["category"], rank), said)
    return list(rows.values())


# All of it


@dataclass(frozen=True)
class Charts:
    """The rows of the gold tables of the charts, by table."""

    rows: dict[str, list[Row]]

    @classmethod
    def of(cls, landing: Path) -> Charts:
        return cls.from_deliveries(
            landed(landing, "top10_global"), landed(landing, "top10_countries"), landed(landing, "most_popular")
        )

    @classmethod
    def from_deliveries(cls, worldwide: Deliveries, countries: Deliveries, popular: Deliveries) -> Charts:
        all_of_it, by_country = global_chart(worldwide), country_chart(countries)
        return cls(
            {
                "gold.fact_top10_global_weekly": all_of_it.facts,
                "gold.fact_top10_country_weekly": by_country.facts,
                "gold.fact_top10_restatement": all_of_it.restatements + by_country.restatements,
                "gold.fact_most_popular": most_popular(popular),
                "gold.dim_week": [{"week": week} for week in sorted(all_of_it.weeks | by_country.weeks)],
            }
        )


def landed(landing: Path, source: str) -> Sequence[tuple[date, bytes]]:
    """The deliveries of a landing folder, one file each."""
    return [
        (date.fromisoformat(path.parent.name), path.read_bytes()) for path in sorted((landing / source).glob("*/*.tsv"))
    ]
