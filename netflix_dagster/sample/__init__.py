"""Sample deliveries: a small invented catalogue, delivered with every kind of dirt of the real deliveries.

Charts and reports of viewing belong to it, see ``sample.charts`` and ``sample.engagement``; viewing events, many files
an hour, are made when they are asked for, see ``sample.events``.

No title, person or synopsis here exists; countries, ratings and genres do. The same bytes come out every time.

- ``netflix_catalogue`` 2024-03-15: ``type`` is the last column, careless dates are missing
- ``netflix_catalogue`` 2024-09-20: careless dates begin with a space
- ``netflix_titles``, ``_cast``, ``_category``, ``_countries``, ``_directors`` 2024-10-01: the release of 2024-09-20
  in the split form, with two records broken in two, and rows of titles that had left
- ``netflix_catalogue`` 2025-03-21: ``type`` is called ``show_type``; show_ids are s1, s2 … in alphabetical order
- ``netflix_catalogue`` 2026-02-20: the same show_ids, each for another title; ratings that are lengths; countries
  that begin with a comma; a column that nobody announced
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar

from netflix_dagster import storage
from netflix_dagster.sample.charts import chart_files, garbage_files
from netflix_dagster.sample.engagement import engagement_files
from netflix_dagster.storage import Place

P = TypeVar("P", Path, Place)
SEED = 20240315
RELEASES = (date(2024, 3, 15), date(2024, 9, 20), date(2025, 3, 21), date(2026, 2, 20))
SPLIT_DAY = date(2024, 10, 1)
FIRST_ADDITION = date(2019, 1, 1)
FIRST_NUMBER = 90_000_000
NEW = (104, 22, 20, 24)
"""How many invented titles each release adds."""
AWAY: tuple[set[int], ...] = (set(), {0, 1, 2, 3}, {2, 3, 4, 5, 6, 7}, {2, 3, 4, 20, 21, 22})
"""Which invented titles, by their place, a release lacks: 0 and 1 come back in the third, 5 to 7 in the fourth."""
CHANGING = 0.15
"""The share of titles that the next release changes."""


def _choices(listed: str) -> tuple[str, ...]:
    """The choices in a text, separated by bars; one that is written twice is chosen twice as often."""
    return tuple(" ".join(choice.split()) for choice in listed.split("|"))


MONTHS = _choices("January|February|March|April|May|June|July|August|September|October|November|December")
RATINGS = _choices("TV-MA|TV-MA|TV-MA|TV-14|TV-14|TV-PG|R|PG-13|PG|TV-Y|TV-Y7|TV-G|NR")
COUNTRIES = _choices("""United States|United States|India|United Kingdom|Japan|South Korea|France|Spain|Mexico|Nigeria|
    Turkey|Brazil|Germany|Egypt|Taiwan|Philippines|Argentina|Hong Kong|Canada|Norway""")
MOVIE_GENRES = _choices("International Movies|Dramas|Comedies|Thrillers|Documentaries|Action & Adventure")
SHOW_GENRES = _choices("International TV Shows|TV Dramas|TV Comedies|Crime TV Shows|Kids' TV|Docuseries|Reality TV")

FIRST_NAMES = _choices("""Odalys|Bertrix|Corvin|Ysolde|Tamsel|Ravik|Imogenia|Pelle|Zuleya|Anwick|Dorothée|Kaspian|
    Lumira|Oskari|Fenja|Thibor|Marisel|Joaquín|Nkemba|Harutaro|Soraiya|Wilhemar|Élodine|Brynjolf""")
LAST_NAMES = _choices("""Ferngate|Oskwith|Vellmar|Tarrowby|Quillane|Brúnstad|Mosskar|Dellanoy|Harrowmint|Kestrelli|
    Ondwari|Pashkoven|Lindqvara|Montrevel|Sarkhoti|Yamadori|Okonjira|Wexcombe|Alvarisco|Thornabee|Zdravski|Núñerez""")
PEOPLE = [f"{first} {last}" for place, first in enumerate(FIRST_NAMES) for last in LAST_NAMES[place % 4 :: 4]]
TITLE_FIRST = _choices("""Copper|Seventh|Borrowed|Velvet|Crooked|Midnightless|Paper|Salted|Winter's|Hollow|Glass|
    Unmapped|Lesser|Amber|Quiet|Thirteenth|Wandering|Lemon""")
TITLE_LAST = _choices("""Lighthouse|Ferry|Orchard|Ledger|Clockmaker|Harbourmaster|Almanac|Staircase|Beekeeper|Telegram|
    Parade|Cartographer|Marmalade|Monsoon|Understudy|Tramline""")
SUBTITLES = ("", "", "", "", ": The Return", ": Live from Tarrow Hall", " & Sons")
WHO = _choices("""A retired piano tuner|A night-shift baker|A colour-blind surveyor|A stubborn lighthouse keeper|
    A smuggler known as "the Wren"|An estranged cousin|An apprentice clockmaker|The last ferry pilot""")
WHERE = _choices("Port Ellery|the valley of Oss|upper Marravale|a drowned suburb|Saint Corbin|Kestrel Bay")
DOES = _choices("""finds a map that should not exist|inherits a debt nobody can name|must win back a stolen recipe|
    hides a stranger from the harbour police|rebuilds a theatre brick by brick|answers letters meant for the dead|
    enters a race around the lake|uncovers an election's oldest secret""")
TWIST = _choices("""while the river rises|before the first snow|as an old friend returns|and pays for it dearly|
    with help from a talking crow|only to fall in love instead|and the whole town takes sides|until the power fails""")

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Title:
    """One title as a release knows it. ``number`` is what it is known by here, and its show_id at first."""

    title: str
    description: str
    number: int = 0
    type: str = "Movie"
    directors: tuple[str, ...] = ()
    cast: tuple[str, ...] = ()
    countries: tuple[str, ...] = ("Chile",)
    added: date | None = date(2023, 11, 20)
    year: int = 2021
    rating: str = "TV-PG"
    length: int = 90
    genres: tuple[str, ...] = ("Dramas", "International Movies")

    @property
    def identity(self) -> tuple[str, str, int]:
        return (self.type, self.title, self.year)

    @property
    def duration(self) -> str:
        if self.type == "Movie":
            return f"{self.length} min"
        return f"{self.length} Season{'s' if self.length > 1 else ''}"

    @property
    def carelessly_dated(self) -> bool:
        """Somebody typed a space before the date; one reader drops such dates, others keep the space."""
        return self.number % 9 == 0


Show = partial(Title, type="TV Show", length=1, genres=("TV Dramas",))
AUNT, AUNT_SPACED, AUNT_SHOUTED, UNCLE = "Odalys Kestrelli", "Odalys  Kestrelli", "ODALYS KESTRELLI", "Corvin Wexcombe"
ODD_TITLES = [
    # a line break inside a value
    Title("The Tin Heron: A Chronicle of a\nTravelling Clock", "A clock crosses Europe by cart and barge."),
    Title("Detention Lake", "A class trip goes wrong in every way that could be imagined –\n and then some."),
    # taken for a day by a spreadsheet
    Title("Oct-01", "An autumn evening told from nine windows.", rating="R"),
    Show("14-Nov", "A small town waits for a verdict.", year=2020, length=2),
    # invisible characters, and spaces that are none
    Title("\u200bBrackwater Junction", "Two signalmen share one shift and one secret."),
    Title("Maru \u200b\u200bStation", "A stationmaster counts trains that never come.", cast=(UNCLE,)),
    Title("Salt\u00a0Meridian", "A salt trader's daughter sails\u00a0south to find her name."),
    Show("Aftermarket\u00a0", "Used cars, old debts, one honest mechanic."),
    # quotes
    Title('Call Me "Comet"', 'The band "Nine Lanterns" plays its last "quiet" concert.', cast=(AUNT,)),
    # different titles that share type, title and year
    Title("The Long Tideway", "A canal boat family moves inland.", year=2019, directors=(UNCLE,)),
    Title("The Long Tideway", "Divers look for a bell under the ice.", year=2019, length=112),
    Show("Paper Moths", "Origami as a contact sport.", length=3, genres=("Reality TV",)),
    Show("Paper Moths", "Forgers at a provincial mint.", genres=("Crime TV Shows",)),
    # added before the year of the release
    Show("Early Birds of Oss", "A choir prepares too soon.", year=2024),
    Title("Tomorrow's Understudy", "An actor rehearses the wrong play.", year=2024),
    # a comma after the last country; a country that is no more
    Title("Amber Road Toll", "A toll keeper lets everybody through.", countries=("Poland,",)),
    Title("Seven Cranes", "Dockers strike for better weather.", countries=("Germany", "United States,")),
    Title("Border Waltz", "A dance crosses a wall.", countries=("West Germany", "Austria"), year=1974),
    # people named twice, and written in several ways
    Title("The Echo Clause", "A lawyer must defend herself.", cast=(AUNT, UNCLE, AUNT), directors=(AUNT,)),
    Title("Twice Directed", "A film within a film.", cast=(AUNT_SPACED,), directors=(UNCLE, UNCLE)),
    Title("Loud Name", "A mayor changes the signs.", cast=(UNCLE, AUNT_SHOUTED), directors=(UNCLE,)),
    # not stated: rating, countries, day of addition
    Title("Unrated Gardens", "Hedges, trimmed.", rating="", countries=(), cast=(UNCLE,)),
    Title("No Letters Today", "A postman's silent week.", rating="", directors=(UNCLE,)),
    Show("Whenever", "A clock shop without clocks.", added=None),
]
"""Titles with something about them that a pipeline can trip over. They are in every release, unchanged."""


def write_sample(landing: P, garbage: bool = False) -> list[P]:
    """Write the sample deliveries into a landing folder and return their files; with ``garbage`` also those that
    the door refuses, because they are no data at all.

    It does not touch a file that is already there: somebody may have mended or spoilt it, to see what happens.
    """
    left_out = {} if garbage else garbage_files()
    return [_put(landing / place, data) for place, data in sorted(sample_files().items()) if place not in left_out]


def write_events(landing: P, hours: int, files: int, seed: int) -> int:
    """Write the viewing events of so many hours, each in so many files, and return how many files there are; one that
    is already there stays as it is."""
    from netflix_dagster.sample.events import event_files

    written = [_put(landing / place, data) for place, data in event_files(hours, files, seed=seed)]
    return len(written)


def sample_files() -> dict[str, bytes]:
    """The sample deliveries: ``<source>/<delivery date>/<file>`` and the bytes of the file."""
    return {**catalogue_files(), **chart_files(), **engagement_files()}


def catalogue_files() -> dict[str, bytes]:
    """The sample deliveries of the catalogue."""
    first, second, third, fourth = catalogue_releases()
    known = {title.number for title in second}
    left = [title for title in first if title.number not in known][:3]
    third.sort(key=lambda title: (title.title.casefold(), title.number))
    ids = {title.number: f"s{n}" for n, title in enumerate(third, 1)}
    releases = (
        _first_release(first),
        _second_release(second),
        _third_release(third, ids),
        _fourth_release(fourth, _reused_ids(fourth, third, ids)),
    )
    whole = {f"netflix_catalogue/{day}/netflix_titles.csv": data for day, data in zip(RELEASES, releases, strict=True)}
    return {**whole, **_split_files(second, left)}


def _put(path: P, data: bytes) -> P:
    if not storage.is_file(path):
        storage.write(path, data)
    return path


# --- the content of the releases


def catalogue_releases() -> list[list[Title]]:
    """The titles of each release of the catalogue, newest addition first."""
    rng = random.Random(SEED)
    names = [" ".join(words) for words in product(TITLE_FIRST, TITLE_LAST)]
    rng.shuffle(names)
    odd = [_scattered(title, n) for n, title in enumerate(ODD_TITLES, 1)]
    invented: list[Title] = []
    releases: list[list[Title]] = []
    since = FIRST_ADDITION
    for day, new, away in zip(RELEASES, NEW, AWAY, strict=True):
        invented = [_changed(rng, title) if rng.random() < CHANGING else title for title in invented]
        invented += [_invented(rng, len(invented) + n, names.pop(), since, day) for n in range(new)]
        there = [title for place, title in enumerate(invented) if place not in away]
        releases.append(sorted(odd + there, key=_recency, reverse=True))
        since = day
    return releases


def _scattered(title: Title, place: int) -> Title:
    """The title with a number, and added on a day of its own, so that it stands among ordinary ones."""
    added = title.added and title.added - timedelta(days=20 * place)
    return replace(title, number=FIRST_NUMBER + place, added=added)


def _recency(title: Title) -> tuple[date, int]:
    return (title.added or date.min, title.number)


def _invented(rng: random.Random, place: int, name: str, since: date, until: date) -> Title:
    """An ordinary title, added between two days and released at most a few years before."""
    kind = rng.choice(("Movie", "Movie", "TV Show"))
    added = since + timedelta(days=rng.randrange((until - since).days))
    return Title(
        number=FIRST_NUMBER + 1000 + place,
        type=kind,
        title=name + rng.choice(SUBTITLES),
        description=_synopsis(rng),
        directors=tuple(rng.sample(PEOPLE, rng.choice((0, 1, 1, 1, 2)))) if kind == "Movie" else (),
        cast=tuple(rng.sample(PEOPLE, rng.randint(0, 7))),
        countries=tuple(dict.fromkeys(rng.choices(COUNTRIES, k=rng.choice((0, 1, 1, 1, 2, 3))))),
        added=added,
        year=added.year - rng.choice((0, 0, 0, 1, 1, 2, 4, 9, 25)),
        rating=rng.choice(RATINGS),
        length=rng.randint(58, 165) if kind == "Movie" else rng.choice((1, 1, 1, 2, 3, 5)),
        genres=tuple(rng.sample(MOVIE_GENRES if kind == "Movie" else SHOW_GENRES, rng.randint(1, 3))),
    )


def _changed(rng: random.Random, title: Title) -> Title:
    """The title as the next release has it: one thing about it is different."""
    what = rng.choice(("rating", "description", "cast", "countries"))
    if what == "rating":
        return replace(title, rating=rng.choice([rating for rating in RATINGS if rating != title.rating]))
    if what == "description":
        return replace(title, description=_synopsis(rng))
    if what == "cast":
        return replace(title, cast=tuple(dict.fromkeys((*title.cast, *rng.sample(PEOPLE, 2)))))
    another = rng.choice([country for country in COUNTRIES if country not in title.countries])
    return replace(title, countries=(*title.countries, another))


def _synopsis(rng: random.Random) -> str:
    return f"{rng.choice(WHO)} in {rng.choice(WHERE)} {rng.choice(DOES)}, {rng.choice(TWIST)}."


# --- whole releases: a title a record, lists as comma-separated text


def _first_release(titles: list[Title]) -> bytes:
    rows = [_whole_row(title, str(title.number), _day_unless_careless) for title in titles]
    for row in rows:
        row["type"] = row.pop("type")
    return _csv(rows, final_line_break=False)


def _second_release(titles: list[Title]) -> bytes:
    rows = [_whole_row(title, str(title.number), _day_with_its_space) for title in titles]
    return _csv(rows, final_line_break=False)


def _third_release(titles: list[Title], ids: dict[int, str]) -> bytes:
    rows = [_whole_row(title, ids[title.number], _day_with_its_space) for title in titles]
    return _csv([{"show_type" if name == "type" else name: row[name] for name in row} for row in rows])


def _fourth_release(titles: list[Title], ids: dict[int, str]) -> bytes:
    rows = [_whole_row(title, ids[title.number], _named_day) for title in titles]
    for row in [row for row in rows if row["type"] == "Movie"][20:23]:
        row["rating"], row["duration"] = row["duration"], ""
    for row in [row for row in rows if ", " in row["country"]][4:8]:
        row["country"] = f", {row['country']}"
    for n, row in enumerate(rows):
        row["imdb_score"] = f"{4 + n % 47 / 10:.1f}" if n % 5 else ""
    return _csv(rows, line_break="\n")


def _reused_ids(titles: list[Title], before: list[Title], ids_before: dict[int, str]) -> dict[int, str]:
    """s1, s2 … counted in the order of the titles, but from such a start that no title keeps its show_id."""
    meant = {ids_before[title.number]: title.identity for title in before}
    for start in range(len(titles)):
        ids = {title.number: f"s{(start + n) % len(titles) + 1}" for n, title in enumerate(titles)}
        if all(meant.get(ids[title.number]) != title.identity for title in titles):
            return ids
    raise ValueError("every numbering leaves some title its show_id")


def _whole_row(title: Title, show_id: str, dated: Callable[[Title], str]) -> Row:
    return {
        "show_id": show_id,
        "type": title.type,
        "title": title.title,
        "director": ", ".join(title.directors),
        "cast": ", ".join(title.cast),
        "country": ", ".join(title.countries),
        "date_added": dated(title),
        "release_year": str(title.year),
        "rating": title.rating,
        "duration": title.duration,
        "listed_in": ", ".join(title.genres),
        "description": title.description,
    }


def _named_day(title: Title) -> str:
    day = title.added
    return f"{MONTHS[day.month - 1]} {day.day}, {day.year}" if day else ""


def _day_unless_careless(title: Title) -> str:
    return "" if title.carelessly_dated else _named_day(title)


def _day_with_its_space(title: Title) -> str:
    return f" {_named_day(title)}" if title.carelessly_dated and title.added else _named_day(title)


# --- the split form: titles, and what they list, in files of their own


def _split_files(titles: list[Title], left: list[Title]) -> dict[str, bytes]:
    """The five files of the split form. ``left``: titles no longer there, whose lists somebody forgot to remove."""
    files = {
        "netflix_titles": [record for title in titles for record in _records(_split_row(title))],
        "netflix_cast": _listed("cast", [(t, t.cast) for t in [*titles, *left]]),
        "netflix_category": _listed("listed_in", [(t, t.genres) for t in [*titles, *left]]),
        "netflix_countries": _listed("country", [(t, t.countries) for t in titles]),
        "netflix_directors": _listed("director", [(t, t.directors) for t in [*titles, *left]]),
    }
    return {f"{source}/{SPLIT_DAY}/{source}.csv": _csv(rows, bom=True) for source, rows in files.items()}


def _split_row(title: Title) -> Row:
    day = title.added
    return {
        "duration_minutes": str(title.length) if title.type == "Movie" else "",
        "duration_seasons": str(title.length) if title.type == "TV Show" else "",
        "type": title.type,
        "title": "1-Oct" if title.title == "Oct-01" else title.title,
        "date_added": f"{day.month}/{day.day}/{day.year}" if day else "",
        "release_year": str(title.year),
        "rating": title.rating,
        "description": title.description,
        "show_id": str(title.number),
    }


def _records(row: Row) -> list[Row]:
    """The row itself; or the two records that a lost line break makes of it, each filled up with empty fields.

    The first ends where the line ended; the second begins in the middle of the value and keeps its closing quote.
    """
    names, values = list(row), list(row.values())
    broken = next((place for place, value in enumerate(values) if "\n" in value), None)
    if broken is None:
        return [row]
    before, after = values[broken].split("\n")
    halves = [*values[:broken], before], [f'{after}"', *values[broken + 1 :]]
    return [dict(zip(names, half + [""] * (len(names) - len(half)), strict=True)) for half in halves]


def _listed(column: str, lists: list[tuple[Title, tuple[str, ...]]]) -> list[Row]:
    """One row an item: the first item of every title, then the second of every title, and so on."""
    longest = max(len(items) for _, items in lists)
    return [
        {column: items[place], "show_id": str(title.number)}
        for place in range(longest)
        for title, items in lists
        if place < len(items)
    ]


def _csv(rows: list[Row], *, line_break: str = "\r\n", final_line_break: bool = True, bom: bool = False) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator=line_break)
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue() if final_line_break else text.getvalue().removesuffix(line_break)
    return content.encode("utf-8-sig" if bom else "utf-8")
