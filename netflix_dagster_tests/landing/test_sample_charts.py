"""The sample charts agree with themselves and with the sample catalogue, and show every kind of dirt."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from functools import cache
from itertools import pairwise

import pytest

from netflix_dagster.files.parsing import parse_bytes
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import catalogue_files
from netflix_dagster.sample.charts import (
    CHART_DAYS,
    COUNTRIES,
    COUNTRY_DAYS,
    GARBAGE_DAY,
    RANKED_BY_VIEWS,
    TITLES,
    WEEKS,
    chart_files,
)

NAMES = {"top10_global": "all-weeks-global", "top10_countries": "all-weeks-countries", "most_popular": "most-popular"}
DAYS = {"top10_global": CHART_DAYS, "top10_countries": COUNTRY_DAYS, "most_popular": CHART_DAYS}
OTHERWISE_SPELLED = {
    "THE LONG TIDEWAY": "The Long Tideway",
    "Call Me Comet": 'Call Me "Comet"',
    "Tomorrow’s Understudy": "Tomorrow's Understudy",
    "Brackwäter Junction": "\u200bBrackwater Junction",
    "amber road toll": "Amber Road Toll",
    "Salt Meridian": "Salt\u00a0Meridian",
    "Early Birds of Öss": "Early Birds of Oss",
    "Winter's Staircase and Sons": "Winter's Staircase & Sons",
    "Aftermarket": "Aftermarket\u00a0",
    "Maru Station": "Maru \u200b\u200bStation",
}
Row = dict[str, str]


def data(source: str, number: int) -> bytes:
    return chart_files()[f"{source}/{DAYS[source][number]}/{NAMES[source]}.tsv"]


@cache
def rows(source: str, number: int) -> list[Row]:
    """A readable delivery of a source, the first is 0."""
    return list(csv.DictReader(io.StringIO(data(source, number).decode(), newline=""), delimiter="\t", strict=True))


def header(source: str, number: int) -> set[str]:
    return set(rows(source, number)[0])


def place(row: Row) -> tuple[str, ...]:
    category = row["category"].removesuffix(" (English)") if "country_iso2" in row else row["category"]
    return (row.get("country_iso2", ""), row["week"], category, row["weekly_rank"])


def weeks(source: str, number: int) -> set[str]:
    return {row["week"] for row in rows(source, number)}


def restated(source: str, number: int, column: str) -> set[tuple[str, ...]]:
    """The places of which a delivery says something else in a column than the one before it."""
    said = {place(row): row[column] for row in rows(source, number - 1)}
    return {place(row) for row in rows(source, number) if said.get(place(row), row[column]) != row[column]}


@cache
def catalogue(*numbers: int) -> set[tuple[str, str]]:
    """The titles of some releases of the sample catalogue, as ``Films`` or ``TV`` and title."""
    found = set()
    releases = [file for name, file in sorted(catalogue_files().items()) if name.startswith("netflix_catalogue/")]
    for number in numbers:
        for row in csv.DictReader(io.StringIO(releases[number].decode(), newline=""), strict=True):
            kind = row.get("type") or row["show_type"]
            found.add(("Films" if kind == "Movie" else "TV", row["title"]))
    return found


def charted() -> set[tuple[str, str]]:
    return {(category.split()[0], title) for category, titles in TITLES.items() for title in titles}


def test_deliveries_are_few() -> None:
    dates = {name.split("/")[1] for name in chart_files()}
    assert dates == {str(day) for day in (*CHART_DAYS, GARBAGE_DAY)}
    assert len(CHART_DAYS) == 6 and len(COUNTRY_DAYS) == 3
    assert all(day.weekday() == 1 for day in (*CHART_DAYS, GARBAGE_DAY)), "files come on Tuesday"
    assert all(week.weekday() == 6 for week in WEEKS), "weeks end on Sunday"
    assert sum(map(len, chart_files().values())) < 250_000


@pytest.mark.parametrize("name", sorted(name for name in chart_files() if str(GARBAGE_DAY) not in name))
def test_every_other_delivery_is_accepted(name: str) -> None:
    parsed = parse_bytes(chart_files()[name], load_sources().sources[name.split("/")[0]], name)
    assert parsed.refusals == () and parsed.unknown_columns == ()


@pytest.mark.parametrize("source", sorted(NAMES))
def test_the_garbage_is_refused(source: str) -> None:
    name = f"{source}/{GARBAGE_DAY}/{NAMES[source]}.tsv"
    parsed = parse_bytes(chart_files()[name], load_sources().sources[source], name)
    assert len(parsed.refusals) == 1 and parsed.rows == ()


@pytest.mark.parametrize(("source", "number"), [(s, n) for s in NAMES if "top10" in s for n in range(len(DAYS[s]))])
def test_a_chart_has_each_of_its_places_once_for_every_week_so_far(source: str, number: int) -> None:
    day = DAYS[source][number]
    categories = 4 if source == "top10_global" else 2 * len(COUNTRIES)
    so_far = {str(week) for week in WEEKS if week < day}
    assert weeks(source, number) == (so_far - {str(WEEKS[0])} if number == 1 else so_far)
    assert len({place(row) for row in rows(source, number)}) == len(rows(source, number))
    assert len(rows(source, number)) == len(weeks(source, number)) * categories * 10


def test_a_rank_has_fewer_hours_or_views_than_the_one_before_it() -> None:
    for one, next_one in pairwise(rows("top10_global", 5)):
        if place(one)[:3] == place(next_one)[:3]:
            column = "views" if date.fromisoformat(one["week"]) >= RANKED_BY_VIEWS else "weekly_hours_viewed"
            assert int(one[column]) >= int(next_one[column])


def test_weeks_in_the_charts_grow() -> None:
    """As they were told in the end."""
    column = "cumulative_weeks_in_top_10"
    told = sorted((row["show_title"], row["week"], int(row[column])) for row in rows("top10_global", 5))
    for (title, _, before), (next_title, _, now) in pairwise(told):
        assert title != next_title or now == before + 1


def test_titles_are_in_the_catalogue_or_spelled_otherwise_or_unknown() -> None:
    known = charted() & catalogue(0, 1, 2, 3)
    spelled = {(kind, title) for kind, title in charted() if title in OTHERWISE_SPELLED}
    assert {(kind, OTHERWISE_SPELLED[title]) for kind, title in spelled} <= catalogue(0, 1, 2, 3)
    assert len(spelled) == len(OTHERWISE_SPELLED) and not spelled & known
    assert len(known) >= 20
    assert len(charted() - known - spelled) >= 10


def test_some_titles_come_with_the_last_release_only() -> None:
    late = charted() & (catalogue(3) - catalogue(0, 1, 2))
    assert late == {("Films", "Velvet Tramline"), ("TV", "Salted Monsoon")}
    assert {title for _, title in late} <= {row["show_title"] for row in rows("top10_global", 3)}


def every(source: str, number: int, column: str, weeks: Callable[[str], bool] = bool) -> set[str]:
    """What a delivery says in a column, of some weeks."""
    return {row[column] for row in rows(source, number) if weeks(row.get("week", "any"))}


def garbage(source: str) -> bytes:
    return chart_files()[f"{source}/{GARBAGE_DAY}/{NAMES[source]}.tsv"]


VIEWED = str(RANKED_BY_VIEWS)
LAUNCH = {"is_staggered_launch", "episode_launch_details"}
WIDER = {"runtime", "weekly_views", *LAUNCH}
DAYS_91 = {"hours_viewed_first_91_days", "views_first_91_days", "runtime"}
DIRT: list[tuple[str, Callable[[], bool]]] = [
    # files
    ("no final line break", lambda: not any(data(s, n).endswith(b"\n") for s in NAMES for n in range(len(DAYS[s])))),
    ("a web page", lambda: garbage("top10_global").startswith(b"<!DOCTYPE html>")),
    ("a link", lambda: garbage("most_popular").startswith(b"<a href=")),
    ("null", lambda: garbage("top10_countries") == b"null"),
    ("the oldest week is back", lambda: str(WEEKS[0]) in weeks("top10_global", 2) - weeks("top10_global", 1)),
    ("and of countries", lambda: str(WEEKS[0]) in weeks("top10_countries", 2) - weeks("top10_countries", 1)),
    # columns
    ("columns that come", lambda: header("top10_global", 3) - header("top10_global", 2) == WIDER),
    ("columns that go", lambda: header("top10_global", 4) - header("top10_global", 5) == {"weekly_views", *LAUNCH}),
    ("a column renamed", lambda: header("top10_global", 5) - header("top10_global", 4) == {"views"}),
    ("28 days", lambda: all("hours_viewed_first_28_days" in header("most_popular", n) for n in (0, 1, 2))),
    ("91 days", lambda: all(header("most_popular", n) >= DAYS_91 for n in (3, 4, 5))),
    # values
    ("N/A", lambda: all("N/A" in every(source, 0, "season_title") for source in NAMES)),
    ("empty", lambda: every("top10_global", 3, "runtime", lambda week: week < VIEWED) == {""}),
    ("views added to a week", lambda: "" not in every("top10_global", 3, "weekly_views", lambda week: week == VIEWED)),
    ("which was told before", lambda: VIEWED in weeks("top10_global", 2)),
    ("a runtime of 0", lambda: "0" in every("top10_global", 4, "runtime")),
    ("a staggered launch", lambda: every("top10_global", 4, "is_staggered_launch") == {"true", "false"}),
    ("JSON", lambda: any(json.loads(said or "[]") for said in every("top10_global", 4, "episode_launch_details"))),
    ("quotes written twice", lambda: data("top10_global", 4).count(b'""episodesLaunched""') > 2),
    ("an accent", lambda: any(not title.isascii() for _, title in charted())),
    # what is said anew
    ("nothing", lambda: not any(restated("top10_global", 1, column) for column in header("top10_global", 0))),
    ("places exchanged", lambda: len(restated("top10_global", 2, "show_title")) == 2),
    ("a season", lambda: len(restated("top10_global", 3, "season_title")) == 2),
    ("hours", lambda: len(restated("top10_global", 4, "weekly_hours_viewed")) == 3),
    ("weeks", lambda: len(restated("top10_global", 5, "cumulative_weeks_in_top_10")) == 1),
    ("places of a country exchanged", lambda: len(restated("top10_countries", 1, "show_title")) == 2),
    ("a country renamed", lambda: restated("top10_countries", 2, "country_name") != set()),
    ("categories by language", lambda: every("top10_countries", 0, "category") == {"Films (English)", "TV (English)"}),
    ("and without", lambda: every("top10_countries", 1, "category") == {"Films", "TV"}),
]


@pytest.mark.parametrize("present", [present for _, present in DIRT], ids=[name for name, _ in DIRT])
def test_dirt_is_there(present: Callable[[], bool]) -> None:
    assert present()
