"""Sample chart deliveries: the viewing of an invented audience, with every kind of dirt of the real chart files.

Most titles are in the sample catalogue, some of them spelled in another way; some are in none of its releases, and
two only in the last. Weeks end on Sunday, files come on Tuesday and hold every week so far. The same bytes come out
every time.

- ``top10_global``: 2026-01-13 lacks the oldest week, which the next brings back; 2026-01-27 adds four columns;
  2026-02-17 calls one of these ``views`` and drops two. Weeks are ranked by hours first, by views later. Most files
  restate something of an old week
- ``top10_countries``: until 2026-01-20 the categories are called as if they separated languages; the oldest week is
  missing and comes back; a country changes its name
- ``most_popular``: the first 28 days of a title, from 2026-01-27 on the first 91
- on 2026-02-10 no data came: two web pages, and the body ``null``
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

SEED = 20260106
CHART_DAYS = tuple(date(2026, 1, 6) + timedelta(weeks=n) for n in (0, 1, 2, 3, 4, 6))
COUNTRY_DAYS = CHART_DAYS[0], CHART_DAYS[2], CHART_DAYS[4]
GARBAGE_DAY = date(2026, 2, 10)
WEEKS = tuple(date(2025, 12, 21) + timedelta(weeks=n) for n in range(9))
RANKED_BY_VIEWS = date(2026, 1, 18)
"""The first week with views, which is ranked by them."""
WIDER_FROM = CHART_DAYS[3]
"""The first delivery with the new columns, and with 91 days in place of 28."""
LAST_DAY = CHART_DAYS[-1]
RENAMED_ON = COUNTRY_DAYS[1]
"""The first delivery in which the categories of the countries have their right names."""
RANKS = range(1, 11)

TITLES = {
    "Films (English)": (
        "Thirteenth Parade",
        "Amber Lighthouse",
        "Detention Lake",
        "The Salt Ledger Affair",
        "THE LONG TIDEWAY",
        "Call Me Comet",
        "Nine Ferries Home",
        "Unmapped Ledger",
        "Tomorrow’s Understudy",
        "Harbour of Small Mercies",
        "The Echo Clause",
        "Velvet Tramline",
        "Quiet Orchard",
        "A Lantern for Ines",
    ),
    "Films (Non-English)": (
        "Border Waltz",
        "El faro de papel",
        "Seven Cranes",
        "Brackwäter Junction",
        "Lesser Clockmaker",
        "Les Marées lentes",
        "Maru Station",
        "Unmapped Monsoon",
        "Zimní hodinář",
        "amber road toll",
        "Salt Meridian",
        "La última parada",
        "Borrowed Almanac",
        "Suli Garam",
    ),
    "TV (English)": (
        "Paper Telegram",
        "Glass Almanac",
        "The Understairs",
        "Early Birds of Öss",
        "Seventh Orchard",
        "Winter's Staircase and Sons",
        "Midnightless Parade",
        "Paper Moths",
        "14-Nov",
        "Ferry Wars",
        "Copper Tramline",
        "Salted Monsoon",
        "Aftermarket",
        "Lighthouse & Order",
    ),
    "TV (Non-English)": (
        "Sonbahar Feneri",
        "Unmapped Almanac",
        "Los vecinos del faro",
        "Glass Monsoon",
        "Borrowed Staircase",
        "항구의 밤",
        "Thirteenth Lighthouse",
        "Nachtfähre 9",
        "Crooked Parade",
        "Seventh Harbourmaster",
        "Amber Ferry",
        "Unmapped Cartographer",
        "A Casa das Marés",
        "Winter's Almanac: The Return",
    ),
}
STAGGERED = "Amber Ferry"
"""A show that comes episode by episode, not everywhere on the same day."""
COUNTRIES = {"AR": "Argentina", "JP": "Japan", "TR": "Türkiye", "US": "United States"}
FORMER_COUNTRIES = {"TR": "Turkey"}

GLOBAL = ["week", "category", "weekly_rank", "show_title", "season_title", "weekly_hours_viewed"]
WEEKS_CHARTED = "cumulative_weeks_in_top_10"
LAUNCH = ["is_staggered_launch", "episode_launch_details"]
OLDER = [*GLOBAL, WEEKS_CHARTED]
WIDER = [*GLOBAL, "runtime", "weekly_views", WEEKS_CHARTED, *LAUNCH]
LAST = [*GLOBAL, "runtime", "views", WEEKS_CHARTED]

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Show:
    """A title in the charts, from the week of its debut on."""

    title: str
    season: str
    runtime: float
    debut: int
    hours: int

    def hours_in(self, week: int) -> int:
        """Hours viewed in a week, less every week."""
        return _about(self.hours * 0.72 ** max(week - self.debut, 0))

    def views_in(self, week: int) -> int:
        return _about(self.hours_in(week) / self.runtime)


@dataclass(frozen=True, slots=True)
class Place:
    """One rank of one chart of one week. No file has the ``hours`` of a country."""

    week: date
    category: str
    rank: int
    show: Show
    season: str
    hours: int
    weeks: int
    country: str = ""


def chart_files() -> dict[str, bytes]:
    """The sample deliveries of the charts: ``<source>/<delivery date>/<file>`` and the bytes of the file."""
    shows = _shows()
    return {
        **{_place("top10_global", day): _global_file(shows, day) for day in CHART_DAYS},
        **{_place("top10_countries", day): _country_file(shows, day) for day in COUNTRY_DAYS},
        **{_place("most_popular", day): _popular_file(shows, day) for day in CHART_DAYS},
        **garbage_files(),
    }


def garbage_files() -> dict[str, bytes]:
    """Files that are no delivery: a download answered with a page, or with nothing."""
    page = '<a href="https://charts.example/data/most-popular.tsv">Moved Permanently</a>.\n\n'
    moved = "<!DOCTYPE html>\n<html><head><title>Moved Permanently</title></head>\n<body>Moved.</body></html>\n"
    return {
        _place("top10_global", GARBAGE_DAY): moved.encode(),
        _place("top10_countries", GARBAGE_DAY): b"null",
        _place("most_popular", GARBAGE_DAY): page.encode(),
    }


def _place(source: str, day: date) -> str:
    names = {
        "top10_global": "all-weeks-global",
        "top10_countries": "all-weeks-countries",
        "most_popular": "most-popular",
    }
    return f"{source}/{day}/{names[source]}.tsv"


# --- viewing


def _about(number: float) -> int:
    """A number in ten thousands, as hours and views are stated."""
    return round(number / 10_000) * 10_000


def _shows() -> dict[str, list[Show]]:
    """The titles of each category: ten from the beginning, the others as the weeks go by."""
    rng = random.Random(SEED)
    return {
        category: [
            Show(
                title=title,
                season=f"{title}: {rng.choice(('Season 1', 'Season 2', 'Limited Series'))}" if "TV" in category else "",
                runtime=round(rng.uniform(4, 9) if "TV" in category else rng.uniform(1.2, 2.6), 4),
                debut=(n % 4) - 3 if n < 10 else 2 * (n - 9),
                hours=rng.randrange(24_000_000, 90_000_000),
            )
            for n, title in enumerate(titles)
        ]
        for category, titles in TITLES.items()
    }


def _ranked(shows: Iterable[Show], number: int) -> list[Show]:
    """The ten of the week of this number."""
    there = [show for show in shows if show.debut <= number]
    by_views = WEEKS[number] >= RANKED_BY_VIEWS
    there.sort(key=lambda show: show.views_in(number) if by_views else show.hours_in(number), reverse=True)
    return there[: len(RANKS)]


def _weeks_charted(show: Show, ranked: list[list[Show]], number: int) -> int:
    """How often the title has been among the ten, this week included. ``ranked``: the ten of every week."""
    return sum(show in ten for ten in ranked[: number + 1]) - min(show.debut, 0)


def _weeks_in(days: tuple[date, ...], day: date) -> list[tuple[int, date]]:
    """The weeks that the file of a day holds, newest first. The second file of a chart lacks the oldest week."""
    oldest = 1 if day == days[1] else 0
    return [(n, week) for n, week in enumerate(WEEKS) if n >= oldest and week < day][::-1]


# --- the worldwide chart


def _global_file(shows: dict[str, list[Show]], day: date) -> bytes:
    ranked = {category: [_ranked(found, n) for n in range(len(WEEKS))] for category, found in shows.items()}
    places = [
        Place(week, category, rank, show, show.season, show.hours_in(number), _weeks_charted(show, tens, number))
        for number, week in _weeks_in(CHART_DAYS, day)
        for category, tens in ranked.items()
        for rank, show in zip(RANKS, tens[number], strict=True)
    ]
    columns = OLDER if day < WIDER_FROM else LAST if day == LAST_DAY else WIDER
    return _tsv([_global_row(_as_first_stated(place, places, day)) for place in places], columns)


def _as_first_stated(place: Place, places: list[Place], day: date) -> Place:
    """The place as stated until a later delivery restates it."""
    week, category, rank = WEEKS.index(place.week), place.category, place.rank
    if day < CHART_DAYS[2] and week == 1 and category == "TV (English)" and rank in (9, 10):
        other = next(p for p in places if (p.week, p.category, p.rank) == (place.week, category, 19 - rank))
        return replace(other, rank=rank)
    if day < CHART_DAYS[3] and week == 2 and category == "TV (Non-English)" and rank < 3:
        return replace(place, season="")
    if day < CHART_DAYS[4] and week == 2 and category == "Films (English)" and rank < 4:
        return replace(place, hours=_about(place.hours * 0.9))
    if day < CHART_DAYS[5] and week == 4 and category == "Films (Non-English)" and rank == 5:
        return replace(place, weeks=place.weeks + 1)
    return place


def _global_row(place: Place) -> Row:
    show, viewed = place.show, place.week >= RANKED_BY_VIEWS
    staggered = viewed and show.title == STAGGERED
    views = str(_about(place.hours / show.runtime)) if viewed else ""
    return {
        "week": str(place.week),
        "category": place.category,
        "weekly_rank": str(place.rank),
        "show_title": show.title,
        "season_title": place.season or "N/A",
        "weekly_hours_viewed": str(place.hours),
        "runtime": "0" if staggered else f"{show.runtime:g}" if viewed else "",
        "weekly_views": views,
        "views": views,
        WEEKS_CHARTED: str(place.weeks),
        "is_staggered_launch": str(staggered).lower(),
        "episode_launch_details": _launches(place.weeks) if staggered else "",
    }


def _launches(weeks: int) -> str:
    """How many episodes are out in which countries, as JSON."""
    launches = ((2 * weeks, ["AR", "US"]), (2 * weeks + 2, ["JP", "TR"]))
    launched = [{"episodesLaunched": episodes, "countryList": countries} for episodes, countries in launches]
    return json.dumps(launched, separators=(",", ":"))


# --- the charts of countries


def _country_file(shows: dict[str, list[Show]], day: date) -> bytes:
    ranked = {(code, kind): _ranked_in(code, kind, shows, day) for code in COUNTRIES for kind in ("Films", "TV")}
    rows = [
        {
            "country_name": FORMER_COUNTRIES.get(code, name) if day < COUNTRY_DAYS[2] else name,
            "country_iso2": code,
            "week": str(week),
            "category": f"{kind} (English)" if day < RENAMED_ON else kind,
            "weekly_rank": str(rank),
            "show_title": show.title,
            "season_title": show.season or "N/A",
            WEEKS_CHARTED: str(_weeks_charted(show, ranked[code, kind], number)),
        }
        for code, name in COUNTRIES.items()
        for number, week in _weeks_in(COUNTRY_DAYS, day)
        for kind in ("Films", "TV")
        for rank, show in zip(RANKS, ranked[code, kind][number], strict=True)
    ]
    return _tsv(rows, list(rows[0]))


def _ranked_in(code: str, kind: str, shows: dict[str, list[Show]], day: date) -> list[list[Show]]:
    """The ten of every week in a country: what is watched everywhere, as this country likes it.

    In the first file two ranks are exchanged.
    """
    likes = random.Random(f"{SEED} {code} {kind}")
    there = [
        replace(show, hours=_about(show.hours * likes.uniform(0.2, 1)))
        for category, found in shows.items()
        if category.startswith(kind)
        for show in found
    ]
    ranked = [_ranked(there, number) for number in range(len(WEEKS))]
    if (code, kind) == ("JP", "TV") and day < COUNTRY_DAYS[1]:
        ranked[1][3:5] = reversed(ranked[1][3:5])
    return ranked


# --- the most popular


def _popular_file(shows: dict[str, list[Show]], day: date) -> bytes:
    """The hours of the first weeks of a title; those of the last debut are still growing."""
    number = sum(week < day for week in WEEKS) - 1
    days = 28 if day < WIDER_FROM else 91
    rows = []
    for category, found in shows.items():
        watched = {show: _first_hours(show, number, days // 7) for show in found if show.debut <= number}
        ranked = sorted(watched, key=lambda show: watched[show], reverse=True)[: len(RANKS)]
        for rank, show in zip(RANKS, ranked, strict=True):
            row = {
                "category": category,
                "rank": str(rank),
                "show_title": show.title,
                "season_title": show.season or "N/A",
                f"hours_viewed_first_{days}_days": str(watched[show]),
            }
            if days == 91:
                row["runtime"] = f"{show.runtime:g}"
                row["views_first_91_days"] = str(_about(watched[show] / show.runtime))
            rows.append(row)
    return _tsv(rows, list(rows[0]))


def _first_hours(show: Show, number: int, weeks: int) -> int:
    until = min(number, show.debut + weeks - 1)
    return sum(show.hours_in(week) for week in range(show.debut, until + 1))


def _tsv(rows: list[Row], columns: list[str]) -> bytes:
    """Tab-separated, quoted only where a value holds quotes, and without a final line break."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().removesuffix("\n").encode()
