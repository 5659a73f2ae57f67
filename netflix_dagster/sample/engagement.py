"""Sample engagement reports: two invented half-years, as workbooks, with every kind of dirt of the real reports.

Most titles are in the sample catalogue or the sample charts; nothing else exists. The same bytes come out every time.

- ``engagement`` 2025-07-17 (January to June 2025): one sheet, films and seasons together, days are real days; no
  length and no views
- ``engagement`` 2026-01-22 (July to December 2025): the sheets TV and Film, days are text, lengths ``h:mm``, some of
  them an asterisk

Both begin with an empty column and a preamble; the header is in row 6. Titles are written ``English // native``, some
with two native forms, some with spaces that are none.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date

from netflix_dagster.sample.workbook import Cell, workbook

SEED = 20250717
FIRST_DAY, SECOND_DAY = date(2025, 7, 17), date(2026, 1, 22)
FILE = "What_We_Watched.xlsx"
TITLE = "What We Watched: A Netflix Engagement Report"
HEADER = ("Title", "Available Globally?", "Release Date", "Hours Viewed")
LATER_HEADER = (*HEADER, "Runtime", "Views")

SHOWS = (
    "Paper Telegram: Season 1",
    "Paper Telegram: Season 2",
    "Glass Almanac: Limited Series",
    "The Understairs: Season 1",
    "Early Birds of Oss: Season 1",
    "Seventh Orchard: Season 3: Homecoming",
    "Winter's Staircase & Sons: Part 1",
    "Winter's Staircase & Sons: Part 2",
    "Midnightless Parade: Volume 1",
    "Paper Moths: Season 1",
    "Paper Moths: Season 2 (Part 2)",
    "Paper Moths: Season 3",
    "Aftermarket: Series 4",
    "14-Nov: Season 1",
    "Lemon Cartographer: Book One: Air",
    "Hollow Clockmaker: Collection 2",
    "Whenever",
    "The Harbour Choir: Season 1 // Il coro del porto: Stagione\u00a01",
    "The Ferry Pilots: Season 1 // 나루터 사람들: 시즌 1",
    "Nine Lanterns: Season 1 // 九盞燈: 第 1 季 // 九盏灯: 第 1 季",
    "Der letzte Fährmann: Staffel 2",
    "Saint Corbin Nights: Limited Series // Les nuits de Saint-Corbin : mini-série",
)
FILMS = (
    "Thirteenth Parade",
    "Amber Lighthouse",
    "Detention Lake",
    "The Tin Heron: A Chronicle of a Travelling Clock",
    "The Long Tideway",
    'Call Me "Comet"',
    "Oct-01",
    "Unmapped Ledger",
    "Tomorrow's Understudy",
    "The Echo Clause",
    "Velvet  Tramline",
    "Quiet Orchard",
    "Border Waltz",
    "Seven Cranes",
    "Salt Meridian",
    "Amber Road Toll",
    "Lesser Clockmaker: Part II",
    "The Paper Lighthouse // El faro de papel",
    "The Slow Tides // Les Marées\u00a0lentes",
    "The Clockmaker in Winter // 冬日鐘錶匠 // 冬日钟表匠",
    "마지막 정거장",
    "Maru Station // マル駅",
)


@dataclass(frozen=True, slots=True)
class Watched:
    """A season or film and how often it was watched through in the two half-years; 0 is not in the report."""

    title: str
    everywhere: bool
    released: date | None
    minutes: int
    views: tuple[int, int]

    def hours(self, half: int) -> int:
        return max(1, round(self.views[half] * self.minutes / 60 / 100_000)) * 100_000


def engagement_files() -> dict[str, bytes]:
    """The sample reports: ``engagement/<delivery date>/<file>`` and the bytes of the file."""
    rng = random.Random(SEED)
    shows = [_watched(rng, title, rng.randint(150, 900), place) for place, title in enumerate(SHOWS)]
    films = [_watched(rng, title, rng.randint(48, 165), place) for place, title in enumerate(FILMS)]
    above = "Hours viewed from January to June 2025"
    first = {"Engagement": _rows(above, HEADER, [_first(watched) for watched in _most(shows + films, 0)])}
    above = "Views from July to December 2025"
    second = {
        "TV": _rows(above, LATER_HEADER, [_second(watched) for watched in _most(shows, 1)]),
        "Film": _rows(above, LATER_HEADER, [_second(watched) for watched in _most(films, 1)]),
    }
    return {
        f"engagement/{FIRST_DAY}/{FILE}": workbook(first),
        f"engagement/{SECOND_DAY}/{FILE}": workbook(second),
    }


def _watched(rng: random.Random, title: str, minutes: int, place: int) -> Watched:
    everywhere = rng.random() < 0.6
    released = date(2025, 1, 9) + (date(2025, 6, 20) - date(2025, 1, 9)) * rng.random() if everywhere else None
    first, second = (100_000 * round(rng.paretovariate(0.9)) for _ in range(2))
    if place % 11 == 7:  # new in the second half
        return Watched(title, True, date(2025, 8, 28), minutes, (0, second))
    return Watched(title, everywhere, released, minutes, (first, 0 if place % 11 == 10 else second))


def _most(watched: list[Watched], half: int) -> list[Watched]:
    """What the report of a half-year names, the most watched first."""
    named = [one for one in watched if one.views[half]]
    return sorted(named, key=lambda one: (-one.hours(half), one.title))


def _rows(above: str, header: tuple[str, ...], rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    blank: tuple[Cell, ...] = ()
    return [(None, *row) for row in (blank, (TITLE,), (above,), blank, blank, header, *rows)]


def _first(watched: Watched) -> tuple[Cell, ...]:
    return (watched.title, _yes(watched), watched.released, watched.hours(0))


def _second(watched: Watched) -> tuple[Cell, ...]:
    length = "*" if watched.title.startswith("Whenever") else f"{watched.minutes // 60}:{watched.minutes % 60:02d}"
    released = watched.released.isoformat() if watched.released else None
    return (watched.title, _yes(watched), released, watched.hours(1), length, watched.views[1])


def _yes(watched: Watched) -> str:
    return "Yes" if watched.everywhere else "No"
