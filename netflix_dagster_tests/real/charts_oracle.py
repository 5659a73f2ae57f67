"""The charts worked out a second time, in plain Python, from the delivered files alone.

Nothing of ``netflix_dagster`` is imported, and everything is done the simple way: one delivery after the other, one
record after the other. Where this and the tables disagree, one of them is wrong, and the delivered files say which.

A chart file holds every week so far, and says some of them anew. A *place* is a rank of a chart of a week; what a
delivery says of a place is a *statement*. A delivery that states a chart states all of it: places that it does not
list any more *end*. A chart that it omits stays. A record that cannot be understood is *refused* and says nothing; a
delivery with too many of these, or in which too many charts have lost places, is *held* and says nothing either: the
file that came before it for its date, if there is one, says what the date says.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

csv.field_size_limit(1 << 28)

Row = dict[str, Any]
Deliveries = Iterable[tuple[date, bytes]]
"""Delivery dates and files, in any order. A date may come again: its last file that is readable and not held counts."""

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


class Refused(Exception):
    """The record says something that cannot be understood."""


def _number(text: str | None, most: int) -> int | None:
    """A whole number from 0 to the most that can be; thousands may be set apart."""
    if text is None:
        return None
    digits, point, rest = text.partition(".")
    for mark in ", ":
        first, *others = digits.split(mark)
        if others and 1 <= len(first) <= 3 and all(len(group) == 3 for group in others):
            digits = first + "".join(others)
    if not (digits.isascii() and digits.isdigit()) or (point and set(rest) - {"0"}) or int(digits) > most:
        raise Refused(text)
    return int(digits)


def _runtime(text: str | None) -> float | None:
    """Hours. Zero is written where a staggered launch has none yet."""
    if text is None:
        return None
    if clock := re.fullmatch("([0-9]+):([0-5][0-9])", text):
        hours = int(clock[1]) + int(clock[2]) / 60
    elif re.fullmatch(r"[0-9]+(\.[0-9]*)?", text):
        hours = float(text)
    else:
        raise Refused(text)
    if hours > 1000:
        raise Refused(text)
    return hours or None


def _weeks(text: str | None) -> int | None:
    weeks = _number(text, 2000)
    if weeks == 0:
        raise Refused("no title has been in a chart for 0 weeks that is in it")
    return weeks


def _a_week(text: str | None) -> int | None:
    return _number(text, 5_000_000_000)


def _of_all(text: str | None) -> int | None:
    return _number(text, 50_000_000_000)


def _yes(text: str | None) -> bool | None:
    return None if text is None else {"true": True, "false": False}[text.lower()]


READERS: dict[str, Callable[[str | None], Any]] = {
    "weekly_hours_viewed": _a_week,
    "runtime": _runtime,
    "weekly_views": _a_week,
    "cumulative_weeks_in_top_10": _weeks,
    "is_staggered_launch": _yes,
}


def by_date(deliveries: Deliveries, *must_have: str) -> list[tuple[date, list[File]]]:
    """The files of each date that can be read, the newest first; oldest date first."""
    files: dict[date, list[File]] = {}
    for day, data in deliveries:
        file = read(data, *must_have)
        if file is not None:
            files.setdefault(day, []).insert(0, file)
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

    @property
    def chart(self) -> tuple[date, str | None, str]:
        return self.week, self.country, self.category


@dataclass
class Known:
    """What is known of a place, since when, and when it was last said otherwise."""

    said: Row
    first_stated: date
    last_changed: date
    ended: date | None = None


@dataclass
class Chart:
    """What some deliveries of one weekly chart come to."""

    fields: tuple[str, ...]
    places: dict[Place, Known] = field(default_factory=dict)
    restatements: list[Row] = field(default_factory=list)
    held: dict[date, str] = field(default_factory=dict)

    @property
    def standing(self) -> dict[Place, Known]:
        return {place: known for place, known in self.places.items() if known.ended is None}

    @property
    def weeks(self) -> set[date]:
        return {place.week for place in self.standing}

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
            for place, known in self.standing.items()
        ]

    def lost(self, said: Iterable[Place]) -> list[Place]:
        """The places that a delivery which says this of charts does not list any more."""
        now = set(said)
        charts = {place.chart for place in now}
        return [place for place in self.standing if place.chart in charts and place not in now]

    def end(self, place: Place, day: date) -> None:
        """A delivery states the chart without the place."""
        known = self.places[place]
        self._restate(place, day, "show_title", known.said["show_title"], None, known.last_changed)
        known.ended = day

    def state(self, place: Place, day: date, said: Row, has_seasons: bool) -> None:
        """A delivery says something of a place, newer than everything said before."""
        known = self.places.get(place)
        if known is None:
            self.places[place] = Known(said, day, day)
            return
        if known.ended is not None:
            self._restate(place, day, "show_title", None, said["show_title"], known.ended)
            self.places[place] = Known(said, known.first_stated, day)
            return
        before, now = known.said, completed(known.said, said, has_seasons)
        if now == before:
            return
        for name in self.fields:
            if now[name] != before[name] and not added(name, before, now):
                self._restate(place, day, name, before[name], now[name], known.last_changed)
        known.said, known.last_changed = now, day

    def _restate(self, place: Place, day: date, name: str, before: Any, now: Any, since: date) -> None:
        self.restatements.append(
            {
                "scope": place.scope,
                "week": place.week,
                "category": place.category,
                "weekly_rank": place.rank,
                "delivery_date": day,
                "field": name,
                "said_before": as_text(before),
                "said_now": as_text(now),
                "said_before_on": since,
            }
        )


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


def _chart(dates: list[tuple[date, list[File]]], fields: tuple[str, ...], renamed: dict[str, str]) -> Chart:
    chart = Chart(fields)
    for day, files in dates:
        for file in files:
            said, refused = _said(day, file, fields, renamed)
            lost = chart.lost(said)
            if why := _held(file, said, refused, lost):
                chart.held.setdefault(day, why)
                continue
            for place in lost:
                chart.end(place, day)
            for place, statement in said.items():
                chart.state(place, day, statement, "season_title" in file.columns)
            break
    return chart


def _held(file: File, said: Iterable[Place], refused: int, lost: list[Place]) -> str | None:
    if 2 * refused > len(file.records):
        return f"{refused} of {len(file.records)} records are refused"
    cut = {place.chart for place in lost}
    if len(cut) >= 3 and 100 * len(cut) > len({place.chart for place in said}):
        return f"{len(cut)} charts have lost {len(lost)} places"
    return None


def _said(day: date, file: File, fields: tuple[str, ...], renamed: dict[str, str]) -> tuple[dict[Place, Row], int]:
    """What a file says of each place, the first record of it, and how many records are refused."""
    said: dict[Place, Row] = {}
    refused = 0
    for record in file.records:
        try:
            place = _place(record, day, renamed)
            statement = {name: READERS.get(name, lambda text: text)(record.get(name)) for name in fields}
            if statement["show_title"] is None:
                raise Refused("no title")
        except Refused:
            refused += 1
            continue
        refused += said.setdefault(place, statement) != statement
    return said, refused


def _place(record: Row, day: date, renamed: dict[str, str]) -> Place:
    category = record["category"]
    if category is None or record["week"] is None or record["weekly_rank"] is None:
        raise Refused("no place")
    if "country_iso2" in record and record["country_iso2"] is None:
        raise Refused("no country")
    try:
        week = date.fromisoformat(record["week"])
    except ValueError as error:
        raise Refused(record["week"]) from error
    if not date(2000, 1, 1) <= week <= day + timedelta(days=7):
        raise Refused(record["week"])
    rank = _number(record["weekly_rank"], 2**31 - 1)
    assert rank is not None
    return Place(week, record.get("country_iso2"), renamed.get(category, category), rank)


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
    found: list[Row] = []
    for day, files in by_date(deliveries, "category", "rank", "show_title"):
        for file in files:
            rows, refused = _popular(day, file)
            if 2 * refused <= len(file.records):
                found += rows
                break
    return found


def _popular(day: date, file: File) -> tuple[list[Row], int]:
    """What a file says of each place, the first record of it, and how many records are refused."""
    rows: dict[tuple[str, int], Row] = {}
    refused = 0
    for record in file.records:
        days = _window(file, record)
        try:
            rank = _number(record["rank"], 2**31 - 1)
            said = {
                "delivery_date": day,
                "category": record["category"],
                "rank": rank,
                "show_title": record["show_title"],
                "season_title": record.get("season_title"),
                "window_days": days,
                "hours_viewed": _of_all(record.get(f"hours_viewed_first_{days}_days")),
                "views": _of_all(record.get(f"views_first_{days}_days")),
                "runtime": _runtime(record.get("runtime")),
            }
        except Refused:
            refused += 1
            continue
        assert rank is not None
        refused += rows.setdefault((record["category"], rank), said) != said
    return list(rows.values()), refused


def _window(file: File, record: Row) -> int:
    """The days that a record speaks of: 91 if it says anything of them, else 28 if of these, else what the file has."""
    for days in (91, 28):
        if record.get(f"hours_viewed_first_{days}_days") or record.get(f"views_first_{days}_days"):
            return days
    return 91 if "hours_viewed_first_91_days" in file.columns else 28


# Figures


Figures = dict[tuple[date, str, str], float]
"""By week, name and member."""


def kpi_top10(world: list[Row], countries: list[Row]) -> Figures:
    """Every figure of every week, from the places that stand. A figure of which a part is not stated is not known."""
    found: dict[tuple[date, str, str], Fraction] = {}
    charts: dict[tuple[date, str], list[Row]] = {}
    weeks: dict[date, list[Row]] = {}
    for row in world:
        charts.setdefault((row["week"], row["category"]), []).append(row)
        weeks.setdefault(row["week"], []).append(row)
    for (week, category), rows in charts.items():
        for kpi, value in _of_chart(rows).items():
            found[week, kpi, category] = value
        earlier = charts.get((week - timedelta(days=7), category))
        if earlier:
            before, now = ({(r["chart_title_key"], r["season_title"] or "") for r in part} for part in (earlier, rows))
            found[week, "retention", category] = Fraction(len(before & now), len(before))
    for week, rows in weeks.items():
        for kpi in ("hours", "views", "debuts"):
            parts = {category for day, category in charts if day == week}
            if all((week, kpi, category) in found for category in parts):
                found[week, kpi, "all"] = sum((found[week, kpi, category] for category in parts), Fraction(0))
        spoken = [row for row in rows if row["category"].endswith("English)")]
        kinds = {member: [row for row in spoken if _kind(row["category"]) == member] for member in ("film", "tv")}
        for member, part in {**kinds, "all": spoken}.items():
            hours = [row["weekly_hours_viewed"] for row in part]
            if hours and None not in hours and sum(hours):
                foreign = sum(row["weekly_hours_viewed"] for row in part if "(Non-English)" in row["category"])
                found[week, "non_english_share", member] = Fraction(foreign, sum(hours))
    reach: dict[tuple[date, str], dict[str, set[str]]] = {}
    for row in countries:
        titles = reach.setdefault((row["week"], _kind(row["category"])), {})
        titles.setdefault(row["chart_title_key"], set()).add(row["country_iso2"])
    for (week, kind), titles in reach.items():
        sizes = {title: len(where) for title, where in titles.items()}
        found[week, "country_reach_mean", kind] = Fraction(sum(sizes.values()), len(sizes))
        for title, size in sizes.items():
            if sum(other > size for other in sizes.values()) < 10:
                found[week, "country_reach", title] = Fraction(size)
    return {key: float(value) for key, value in found.items()}


def _kind(category: str) -> str:
    return "film" if category.startswith("Films") else "tv"


def _of_chart(rows: list[Row]) -> dict[str, Fraction]:
    """The figures of one chart of one week."""
    found: dict[str, Fraction] = {}
    hours = [row["weekly_hours_viewed"] for row in rows]
    views = [row["weekly_views"] for row in rows]
    weeks = [row["cumulative_weeks_in_top_10"] for row in rows]
    if None not in hours:
        found["hours"] = Fraction(sum(hours))
        if sum(hours):
            found["concentration"] = sum((Fraction(part, sum(hours)) ** 2 for part in hours), Fraction(0))
            found["leader_share"] = Fraction(max(hours), sum(hours))
    if None not in views:
        found["views"] = Fraction(sum(views))
        found["views_per_title"] = Fraction(sum(views), len(views))
    if None not in weeks:
        found["weeks_in_top10"] = Fraction(sum(weeks), len(weeks))
        found["debuts"] = Fraction(weeks.count(1))
        found["evergreen_share"] = Fraction(sum(number >= 10 for number in weeks), len(weeks))
    return found


# All of it


@dataclass(frozen=True)
class Charts:
    """The rows of the gold tables of the charts, by table."""

    rows: dict[str, list[Row]]
    held: dict[str, dict[date, str]] = field(default_factory=dict)

    @property
    def figures(self) -> Figures:
        world, countries = "gold.fact_top10_global_weekly", "gold.fact_top10_country_weekly"
        return kpi_top10(self.rows[world], self.rows[countries])

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
            },
            {"top10_global": all_of_it.held, "top10_countries": by_country.held},
        )


def landed(landing: Path, source: str) -> Sequence[tuple[date, bytes]]:
    """The deliveries of a landing folder, one file each."""
    return [
        (date.fromisoformat(path.parent.name), path.read_bytes()) for path in sorted((landing / source).glob("*/*.tsv"))
    ]
