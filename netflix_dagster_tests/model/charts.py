"""The charts a second time: what each delivery states, which may speak, and what is known of each place since when."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from netflix_dagster_tests.model.catalogue import Row, Told
from netflix_dagster_tests.model.text import Record, day, tidy, words
from netflix_dagster_tests.real import charts_oracle
from netflix_dagster_tests.real.charts_oracle import FORMERLY, as_text

CATEGORIES = {
    # category -> kind, language
    "Films (English)": ("film", "English"),
    "Films (Non-English)": ("film", "Non-English"),
    "TV (English)": ("tv", "English"),
    "TV (Non-English)": ("tv", "Non-English"),
    "Films": ("film", None),
    "TV": ("tv", None),
}
PLACE = {
    "top10_global": ("week", "category", "weekly_rank"),
    "top10_countries": ("week", "country_iso2", "category", "weekly_rank"),
}
CARRIED = {
    "top10_global": (
        *("weekly_hours_viewed", "runtime", "weekly_views", "cumulative_weeks_in_top_10"),
        *("is_staggered_launch", "episode_launch_details"),
    ),
    "top10_countries": ("country_name", "cumulative_weeks_in_top_10"),
}
TITLE = ("show_title", "season_title")
FEW, MOST_CUT = 3, 100
"""A delivery in which so many charts lost places, and more than one in so many, was cut short."""
A_WEEK, OF_ALL, LONGEST, MOST_WEEKS = 5 * 10**9, 5 * 10**10, 1000, 2000


class Unclear(Exception):
    """A value is stated that cannot be read."""


def kind_of(category: str) -> str | None:
    return CATEGORIES.get(category, (None, None))[0]


def title_key(category: str, title: str) -> str:
    """What charts call a title; of a category that nobody knows it is not said whether it is a film."""
    return f"{kind_of(category) or 'any'}|{words(title)}"


def stated(text: str | None) -> str | None:
    said = tidy(text)
    return None if said == "N/A" else said


def whole(text: str | None, bits: int = 64) -> int | None:
    """A whole number; thousands may be set apart. Raises ``Unclear``."""
    if text is None:
        return None
    grouped = re.fullmatch(r"([+-]?)([0-9]{1,3}(?:(?:,[0-9]{3})+|(?: [0-9]{3})+)|[0-9]+)(?:\.0*)?", text)
    number = int(grouped[1] + re.sub("[ ,]", "", grouped[2])) if grouped else None
    if number is None or not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise Unclear(text)
    return number


def hours(text: str | None) -> float | None:
    """A length; a length of 0 is none. Raises ``Unclear``."""
    if text is None:
        return None
    if clock := re.fullmatch("([0-9]+):([0-5][0-9])", text):
        return (int(clock[1]) + int(clock[2]) / 60) or None
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text):
        raise Unclear(text)
    return None if re.fullmatch(r"0+(\.0*)?", text) else float(text)


@dataclass
class Numbers:
    """The numbers of one record, and the rules that they break."""

    said: dict[str, str | None]
    broken: set[str] = field(default_factory=set)

    def read(self, column: str, how: Any, low: float, high: float, of: str | None = None) -> Any:
        try:
            value = how(self.said.get(of or column))
        except Unclear:
            self.broken.add(f"{column}_readable")
            return None
        if value is not None and not low <= value <= high:
            self.broken.add(f"{column}_plausible")
        return value


def weekly(source: str, on: date, records: Iterable[Record]) -> Told:
    """The rows of a delivery of a weekly chart."""
    candidates = []
    for record in records:
        said = {name: stated(value) for name, value in record.said.items()}
        numbers = Numbers(said)
        category = said["category"]
        if source == "top10_countries" and category:
            category = FORMERLY.get(category, category)
        row: Row = {
            "delivery_date": on,
            "week": day(said["week"]),
            "category": category,
            "category_delivered": said["category"],
            "weekly_rank": _rank(said["weekly_rank"]),
            "show_title": said["show_title"],
            "season_title": said.get("season_title"),
            "season_stated": "season_title" in record.columns,
            "cumulative_weeks_in_top_10": numbers.read("cumulative_weeks_in_top_10", _int, 1, MOST_WEEKS),
        }
        if source == "top10_global":
            stepped = (said.get("is_staggered_launch") or "").lower()
            row |= {
                "weekly_hours_viewed": numbers.read("weekly_hours_viewed", whole, 0, A_WEEK),
                "runtime": numbers.read("runtime", hours, 0, LONGEST),
                "weekly_views": numbers.read("weekly_views", whole, 0, A_WEEK),
                "is_staggered_launch": {"true": True, "false": False}.get(stepped),
                "episode_launch_details": said.get("episode_launch_details"),
            }
        else:
            code = said["country_iso2"]
            row |= {"country_iso2": code.upper() if code else None, "country_name": said["country_name"]}
        missing = [name for name in (*PLACE[source], "show_title") if row[name] is None]
        broken = {f"{name}_not_null" for name in missing} | numbers.broken
        if row["week"] and not date(2000, 1, 1) <= row["week"] <= on + timedelta(days=7):
            broken.add("week_plausible")
        candidates.append((record, row, broken))
    return _told(candidates, PLACE[source], ("category_delivered",))


def _int(text: str | None) -> int | None:
    return whole(text, 32)


def _rank(text: str | None) -> int | None:
    try:
        return _int(text)
    except Unclear:
        return None


def popular(on: date, records: Iterable[Record]) -> Told:
    """The rows of a delivery of the most popular titles."""
    candidates = []
    for record in records:
        said = {name: stated(value) for name, value in record.said.items()}
        numbers = Numbers(said)

        def says(days: int, said: dict[str, str | None] = said) -> bool:
            return any(said.get(f"{name}_first_{days}_days") for name in ("hours_viewed", "views"))

        has_91 = "hours_viewed_first_91_days" in record.columns
        days = 91 if says(91) or (has_91 and not says(28)) else 28
        row: Row = {
            "delivery_date": on,
            "category": said["category"],
            "category_delivered": said["category"],
            "rank": _rank(said["rank"]),
            "show_title": said["show_title"],
            "season_title": said.get("season_title"),
            "window_days": days,
            "hours_viewed": numbers.read("hours_viewed", whole, 0, OF_ALL, f"hours_viewed_first_{days}_days"),
            "runtime": numbers.read("runtime", hours, 0, LONGEST),
            "views": numbers.read("views", whole, 0, OF_ALL, f"views_first_{days}_days"),
        }
        missing = [name for name in ("category", "rank", "show_title") if row[name] is None]
        candidates.append((record, row, {f"{name}_not_null" for name in missing} | numbers.broken))
    return _told(candidates, ("category", "rank"), ("category_delivered",))


def _told(candidates: list[tuple[Record, Row, set[str]]], key: Sequence[str], aside: Sequence[str]) -> Told:
    """Of the rows that break no rule the first of each key; equal ones are copies, others are refused."""
    told = Told()
    first: dict[tuple[Any, ...], Row] = {}
    for record, row, broken in sorted(candidates, key=lambda c: c[0].number):
        place = (record.file, record.number)
        if broken:
            told.refuse(place, *broken)
            continue
        row["chart_title_key"] = title_key(row["category"], row["show_title"])
        before = first.setdefault(tuple(row[name] for name in key), row)
        if before is row:
            row |= {"source_file": record.file, "record_number": record.number}
            told.keep(place, row)
        elif all(before[name] == value for name, value in row.items() if name not in aside):
            told.copies[place] += 1
        else:
            told.refuse(place, "unique_key")
    return told


# Which deliveries may speak


@dataclass
class Gate:
    """The gate of a weekly chart: asked in order of date, it knows the places that the accepted ones left."""

    source: str
    standing: dict[tuple[Any, ...], set[int]] = field(default_factory=dict)

    def verdict(self, told: Told, decided: tuple[str, str] | None) -> Row | None:
        """What is said of a delivery; None when it states no place, and so says nothing."""
        if not told.rows:
            return None
        now: dict[tuple[Any, ...], set[int]] = defaultdict(set)
        for row in told.rows:
            *chart, rank = (row[name] for name in PLACE[self.source])
            now[tuple(chart)].add(rank)
        gone = {chart: self.standing.get(chart, set()) - ranks for chart, ranks in now.items()}
        cut, lost = sum(map(bool, gone.values())), sum(map(len, gone.values()))
        wrong = cut >= FEW and MOST_CUT * cut > len(now)
        accepted = not wrong or decided is not None
        if accepted:
            self.standing |= now
        return {
            "delivery_date": told.rows[0]["delivery_date"],
            "charts_stated": len(now),
            "places_stated": sum(map(len, now.values())),
            "charts_cut": cut,
            "lost": lost,
            "accepted_by": decided[0] if decided and wrong else None,
            "accepted_because": decided[1] if decided and wrong else None,
            "is_accepted": accepted,
        }


# What is known of each place


def history(source: str, deliveries: Sequence[Told]) -> list[Row]:
    """Every statement about every place, from the delivery that makes it to the one that says otherwise."""
    key, carried = PLACE[source], CARRIED[source]
    open_: dict[tuple[Any, ...], Row] = {}
    closed: list[Row] = []

    def close(place: tuple[Any, ...], on: date) -> None:
        closed.append(open_.pop(place) | {"valid_to": on, "is_current": False})

    for told in deliveries:
        now = {tuple(row[name] for name in key): row for row in told.rows}
        charts = {place[:-1] for place in now}
        on = told.rows[0]["delivery_date"] if told.rows else date.min
        for place in [place for place in open_ if place[:-1] in charts and place not in now]:
            close(place, on)
        for place, row in now.items():
            said = {name: row[name] for name in (*key, "chart_title_key", *TITLE, *carried)}
            before = open_.get(place)
            if before and before["show_title"] == row["show_title"]:
                said |= {name: before[name] for name in carried if row[name] is None}
                if not row["season_stated"]:
                    said["season_title"] = before["season_title"]
            if before and all(before[name] == said[name] for name in (*TITLE, *carried)):
                continue
            if before:
                close(place, on)
            open_[place] = said | {"valid_from": on, "valid_to": None, "is_current": True}
    return closed + list(open_.values())


def facts(source: str, statements: list[Row]) -> list[Row]:
    """The places as they stand."""
    first: dict[tuple[Any, ...], date] = {}
    for row in statements:
        place = tuple(row[name] for name in PLACE[source])
        first[place] = min(row["valid_from"], first.get(place, row["valid_from"]))
    return [
        {name: value for name, value in row.items() if not name.startswith(("valid_", "is_current"))}
        | {
            "week_key": int(f"{row['week']:%Y%m%d}"),
            "kind": kind_of(row["category"]),
            "language": CATEGORIES.get(row["category"], (None, None))[1],
            "first_stated": first[tuple(row[name] for name in PLACE[source])],
            "last_changed": row["valid_from"],
        }
        for row in statements
        if row["is_current"]
    ]


def restatements(source: str, statements: list[Row]) -> list[Row]:
    """What was taken back, field by field; of a place that ends or comes back its title."""
    of: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sorted(statements, key=lambda r: r["valid_from"]):
        of[tuple(row[name] for name in PLACE[source])].append(row)
    found = []
    for rows in of.values():
        for nth, row in enumerate(rows):
            place = {name: row[name] for name in ("week", "category", "weekly_rank")}
            place["scope"] = row.get("country_iso2", "global")
            before = rows[nth - 1] if nth else None
            after = rows[nth + 1] if nth + 1 < len(rows) else None
            if before and before["valid_to"] == row["valid_from"]:
                for name in (*TITLE, *CARRIED[source]):
                    addition = name not in TITLE and before[name] is None and before["show_title"] == row["show_title"]
                    if before[name] != row[name] and not addition:
                        found.append(_restated(place, row["valid_from"], name, before, row, before["valid_from"]))
            elif before:
                found.append(_restated(place, row["valid_from"], "show_title", {}, row, before["valid_to"]))
            if row["valid_to"] and (after is None or after["valid_from"] != row["valid_to"]):
                found.append(_restated(place, row["valid_to"], "show_title", row, {}, row["valid_from"]))
    return found


def _restated(place: Row, on: date, name: str, before: Row, now: Row, since: date) -> Row:
    said = {"said_before": as_text(before.get(name)), "said_now": as_text(now.get(name)), "said_before_on": since}
    return place | {"delivery_date": on, "field": name} | said


def gold(world: Sequence[Told], countries: Sequence[Told], lists: Sequence[Told]) -> dict[str, list[Row]]:
    """The histories and the gold tables of the charts, from the deliveries that stand in order of date."""
    of_world, of_countries = history("top10_global", world), history("top10_countries", countries)
    global_facts, country_facts = facts("top10_global", of_world), facts("top10_countries", of_countries)
    figures = charts_oracle.kpi_top10(global_facts, [row for row in country_facts if row["kind"]])
    return {
        "silver.top10_global_history": of_world,
        "silver.top10_countries_history": of_countries,
        "gold.fact_top10_global_weekly": global_facts,
        "gold.fact_top10_country_weekly": country_facts,
        "gold.fact_top10_restatement": restatements("top10_global", of_world)
        + restatements("top10_countries", of_countries),
        "gold.fact_most_popular": [_popular(row) for told in lists for row in told.rows],
        "gold.dim_week": _weeks(global_facts, country_facts),
        "gold.kpi_top10": [
            {"week": week, "kpi": kpi, "member": member, "value": value}
            for (week, kpi, member), value in figures.items()
        ],
    }


def _popular(row: Row) -> Row:
    aside = ("category_delivered", "source_file", "record_number")
    kind, language = CATEGORIES.get(row["category"], (None, None))
    return {name: value for name, value in row.items() if name not in aside} | {"kind": kind, "language": language}


def _weeks(world: list[Row], countries: list[Row]) -> list[Row]:
    of_world, of_countries = ({row["week"] for row in rows} for rows in (world, countries))
    every = of_world | of_countries
    return [
        {
            "week_key": int(f"{week:%Y%m%d}"),
            "week": week,
            "week_start": week - timedelta(days=6),
            "iso_year": week.isocalendar()[0],
            "iso_week": week.isocalendar()[1],
            "quarter": (week.month + 2) // 3,
            "ranked_by": "hours" if week < date(2023, 6, 18) else "views",
            "has_global": week in of_world,
            "has_countries": week in of_countries,
            "is_latest": week == max(every),
        }
        for week in every
    ]
