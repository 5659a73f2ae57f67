"""The catalogue worked out a second time, in plain Python, from the delivered files alone.

Nothing of ``netflix_dagster`` is imported, and everything is done the simple way. Where this and the tables
disagree, one of them is wrong, and the delivered files say which.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

WHOLE = (date(2019, 11, 20), date(2020, 1, 20), date(2021, 1, 18))
SPLIT = (date(2020, 2, 1),)
RELEASES = tuple(sorted((*WHOLE, *SPLIT)))

LISTS = {
    # list -> column of the whole form, source of the split form
    "cast": ("cast", "netflix_cast"),
    "directors": ("director", "netflix_directors"),
    "countries": ("country", "netflix_countries"),
    "genres": ("listed_in", "netflix_category"),
}
FAMILIES = {
    "TV Parental Guidelines": ("TV-Y", "TV-Y7", "TV-Y7-FV", "TV-G", "TV-PG", "TV-14", "TV-MA"),
    "MPA film rating": ("G", "PG", "PG-13", "R", "NC-17"),
    "Unrated": ("NR", "UR"),
}
ATTRIBUTES = (
    "type",
    "type_flag",
    "title",
    "short_title",
    "date_added",
    "release_year",
    "rating",
    "rating_family",
    "duration_minutes",
    "duration_seasons",
    "description",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RANKINGS = ("top_cast", "top_directors", "longest_movies", "co_production_pairs")
TOP = 100
"""These rankings end with those that share the hundredth place."""

# Reading


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig")


def records(text: str) -> list[dict[str, str]]:
    """The records as delivered, untouched."""
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def mended(text: str) -> str:
    """The split titles with the lost line breaks taken out. An empty line takes the place of each second half.

    A record that broke ends in commas. On the next line stands the rest of it: what was left of the broken value
    with its closing quote, doubled, and as many commas at the end as the record has fields on the line above.
    """
    broken = r'^(?P<head>[^\r\n]*?),+\r\n" ?(?P<value>[^"\r\n]*)"""(?P<rest>,[^\r\n]*?),+\r\n'

    def whole(found: re.Match[str]) -> str:
        fields = next(csv.reader([found["head"]]))
        fields[-1] = f"{fields[-1]} {found['value']}"
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(fields)
        return f"{line.getvalue()}{found['rest']}\r\n\r\n"

    return re.sub(broken, whole, text, flags=re.MULTILINE)


def tidy(text: str | None) -> str | None:
    """Without format characters and marks for emoji, white space folded, composed; nothing is None."""
    if not text:
        return None
    seen = text if text.isascii() else "".join(c for c in text if unicodedata.category(c) != "Cf" and c != "\ufe0f")
    return unicodedata.normalize("NFC", " ".join(seen.split())) or None


def day(text: str | None) -> date | None:
    if not text:
        return None
    return datetime.strptime(text, "%m/%d/%Y" if "/" in text else "%B %d, %Y").date()


def unmangled(title: str) -> str:
    """A title that a spreadsheet made a day of, "Oct-01" or "1-Oct", in one spelling."""
    month, _, number = title.partition("-") if title[:1].isalpha() else title.partition("-")[::-1]
    if month.capitalize() in MONTHS and number.isdigit() and len(number) <= 2:
        return f"{int(number)}-{month}"
    return title


# A title of a release


@dataclass(frozen=True)
class Listed:
    """A member of a list of a title, by its place in the list as delivered."""

    name: str
    place: int
    record: int


@dataclass
class Title:
    """What one release says of one title."""

    delivery_date: date
    form: str
    source_file: str
    record_number: int
    repairs: list[str]
    show_id: str
    type: str
    title: str
    date_added: date | None
    release_year: int
    rating: str | None
    duration_minutes: int | None
    duration_seasons: int | None
    description: str | None
    lists: dict[str, list[Listed]] = field(repr=False)
    title_key: str = ""

    @property
    def type_flag(self) -> int:
        return {"Movie": 1, "TV Show": 2}.get(self.type, 0)

    @property
    def short_title(self) -> str:
        return self.title.partition(":")[0].strip()

    @property
    def rating_family(self) -> str | None:
        return next((family for family, ratings in FAMILIES.items() if self.rating in ratings), None)

    @property
    def natural_key(self) -> str:
        return f"{self.type.lower()}|{unmangled(self.title).lower()}|{self.release_year}"

    @property
    def attributes(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in ATTRIBUTES)

    def names(self, listed: str) -> list[str]:
        """The members of a list in the order of delivery."""
        return [member.name for member in self.lists[listed]]


def listed(said: Iterable[tuple[int, str | None]]) -> list[Listed]:
    """The members that (record, comma-separated text) name, each once, in whatever case."""
    everything = [(name, record) for record, text in said for part in (text or "").split(",") if (name := tidy(part))]
    found: dict[str, Listed] = {}
    for place, (name, record) in enumerate(everything, 1):
        found.setdefault(name.lower(), Listed(name, place, record))
    return list(found.values())


def whole_release(landing: Path, release: date) -> Iterator[Title]:
    path = landing / "netflix_catalogue" / str(release) / "netflix_titles.csv"
    for number, row in enumerate(records(text_of(path)), 1):
        said = {name: tidy(value) for name, value in row.items()}
        length, unit = str(said["duration"]).split()
        yield Title(
            delivery_date=release,
            form="whole",
            source_file=path.name,
            record_number=number,
            repairs=[],
            show_id=str(said["show_id"]),
            type=str(said["type"]),
            title=str(said["title"]),
            date_added=day(said["date_added"]),
            release_year=int(str(said["release_year"])),
            rating=said["rating"],
            duration_minutes=int(length) if unit == "min" else None,
            duration_seasons=int(length) if unit in ("Season", "Seasons") else None,
            description=said["description"],
            lists={name: listed([(number, row[column])]) for name, (column, _) in LISTS.items()},
        )


def split_release(landing: Path, release: date) -> Iterator[Title]:
    rows: dict[str, dict[str, list[tuple[int, str | None]]]] = {name: {} for name in LISTS}
    for name, (column, source) in LISTS.items():
        for number, row in enumerate(records(text_of(landing / source / str(release) / f"{source}.csv")), 1):
            rows[name].setdefault(row["show_id"], []).append((number, row[column]))
    path = landing / "netflix_titles" / str(release) / "netflix_titles.csv"
    header, *lines = csv.reader(io.StringIO(mended(text_of(path)), newline=""), strict=True)
    for number, fields in enumerate(lines, 1):
        if not fields:
            continue
        said = {name: tidy(value) for name, value in zip(header, fields, strict=True)}
        minutes, seasons = said["duration_minutes"], said["duration_seasons"]
        yield Title(
            delivery_date=release,
            form="split",
            source_file=path.name,
            record_number=number,
            repairs=["joined_broken_record"] if [] in lines[number : number + 1] else [],
            show_id=str(said["show_id"]),
            type=str(said["type"]),
            title=str(said["title"]),
            date_added=day(said["date_added"]),
            release_year=int(str(said["release_year"])),
            rating=said["rating"],
            duration_minutes=int(minutes) if minutes else None,
            duration_seasons=int(seasons) if seasons else None,
            description=said["description"],
            lists={name: listed(rows[name].pop(str(said["show_id"]), [])) for name in LISTS},
        )
    orphans = {name: list(left) for name, left in rows.items() if left}
    if orphans:
        raise AssertionError(f"rows of titles that are not there: {orphans}")


def identified(titles: list[Title]) -> list[Title]:
    """The titles of a release with their durable keys: namesakes are numbered in the order of their descriptions."""
    namesakes: dict[str, list[Title]] = {}
    for title in titles:
        namesakes.setdefault(title.natural_key, []).append(title)
    for key, found in namesakes.items():
        found.sort(key=lambda t: (t.description or "", t.duration_minutes or 0, t.duration_seasons or 0, t.show_id))
        for number, title in enumerate(found, 1):
            title.title_key = key if number == 1 else f"{key}|{number}"
    return titles


# The history


@dataclass
class Version:
    """A stretch of releases over which nothing of a title changed. ``stated`` is what its first release said."""

    stated: Title
    last: Title
    changed: list[str] | None
    valid_from: date
    valid_to: date | None = None


class Catalogue:
    """Some releases, and what follows from them."""

    def __init__(self, titles: dict[date, list[Title]]) -> None:
        self.titles = {release: titles[release] for release in sorted(titles)}
        self.releases = tuple(self.titles)

    @classmethod
    def of(cls, landing: Path) -> Catalogue:
        """Every release of a landing folder."""
        found = {release: list(whole_release(landing, release)) for release in WHOLE}
        found |= {release: list(split_release(landing, release)) for release in SPLIT}
        return cls({release: identified(titles) for release, titles in found.items()})

    def only(self, releases: Iterable[date]) -> Catalogue:
        """The same as if only these releases had been delivered."""
        return Catalogue({release: self.titles[release] for release in releases})

    def by_key(self, release: date) -> dict[str, Title]:
        return {title.title_key: title for title in self.titles[release]}

    @cached_property
    def versions(self) -> list[Version]:
        """Every version of every title, found by going through the releases and keeping the open ones at hand."""
        closed: list[Version] = []
        still: dict[str, Version] = {}
        order: dict[str, dict[str, list[str]]] = {}
        for release in self.releases:
            now = self.by_key(release)
            for key in [key for key in still if key not in now]:
                still[key].valid_to = release
                closed.append(still.pop(key))
                del order[key]
            for key, title in now.items():
                before = still.get(key)
                known = order.setdefault(key, {})
                changed = None if before is None else differences(before.last, title, known)
                if before is None or changed:
                    if before is not None:
                        before.valid_to = release
                        closed.append(before)
                    still[key] = Version(title, title, changed, release)
                still[key].last = title
                remember_order(title, known)
        return [*closed, *still.values()]

    @cached_property
    def changes(self) -> list[tuple[date, str, str]]:
        """(release, title_key, added | changed | removed), found by comparing each release with the one before."""
        first = self.releases[0]
        found = [(first, key, "added") for key in self.by_key(first)]
        for before, after in pairwise(self.releases):
            old, new = self.by_key(before), self.by_key(after)
            found += [(after, key, "added") for key in new.keys() - old.keys()]
            found += [(after, key, "removed") for key in old.keys() - new.keys()]
        return found + [(v.valid_from, v.stated.title_key, "changed") for v in self.versions if v.changed]

    @cached_property
    def spellings(self) -> dict[str, Counter[str]]:
        """Everyone in a cast or a director's chair, by name in lower case: how often each spelling was used."""
        found: dict[str, Counter[str]] = {}
        for titles in self.titles.values():
            for title in titles:
                for name in (*title.names("cast"), *title.names("directors")):
                    found.setdefault(name.lower(), Counter())[name] += 1
        return found

    def person(self, name: str) -> str:
        """The spelling that is used most for a person; of two used alike the later in the alphabet."""
        used = self.spellings[name.lower()]
        return max(used, key=lambda spelling: (used[spelling], spelling))

    def kpis(self, release: date) -> dict[tuple[str, str], float]:
        """Every figure of a release by (kpi, member), the rankings whole."""
        return dict(figures(self, release))


def differences(before: Title, after: Title, order: dict[str, list[str]]) -> list[str]:
    """What of a title changed. ``order`` is that of its lists as the last whole release stated it."""
    found = [
        name
        for name, was, is_ in zip(ATTRIBUTES, before.attributes, after.attributes, strict=True)
        if was != is_ and not ("title" in name and unmangled(was) == unmangled(is_))
    ]
    for name in LISTS:
        reordered = after.form == "whole" and order.get(name, after.names(name)) != after.names(name)
        if set(before.names(name)) != set(after.names(name)) or reordered:
            found.append(name)
    return found


def remember_order(title: Title, order: dict[str, list[str]]) -> None:
    """Whole releases state the order of a list; a split one only ends what was known of other members."""
    for name in LISTS:
        if title.form == "whole":
            order[name] = title.names(name)
        elif set(order.get(name, ())) != set(title.names(name)):
            order.pop(name, None)


# Figures


def figures(catalogue: Catalogue, release: date) -> Iterator[tuple[tuple[str, str], float]]:
    titles = catalogue.titles[release]
    yield ("titles", "all"), len(titles)
    yield from counted("titles_by_type", (t.type for t in titles))
    yield from counted("titles_by_rating", (t.rating for t in titles))
    yield from counted("titles_by_rating_family", (t.rating_family for t in titles))
    yield from counted("titles_by_release_year", (t.release_year for t in titles))
    yield from counted("titles_by_month_added", (f"{t.date_added:%Y-%m}" if t.date_added else None for t in titles))
    yield from counted("titles_by_country", (name for t in titles for name in t.names("countries")))
    yield from counted("titles_by_genre", (name for t in titles for name in t.names("genres")))
    for kpi, name in (("top_cast", "cast"), ("top_directors", "directors")):
        people = ({person.lower() for person in t.names(name)} for t in titles)
        yield from counted(kpi, (catalogue.person(person) for each in people for person in each))
    yield from growth(catalogue, release)
    yield from lengths(titles)
    yield from co_productions([sorted(t.names("countries")) for t in titles if t.lists["countries"]])


def counted(kpi: str, members: Iterable[Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for member, count in Counter(members).items():
        yield (kpi, "(not stated)" if member is None else str(member)), count


def growth(catalogue: Catalogue, release: date) -> Iterator[tuple[tuple[str, str], float]]:
    place = catalogue.releases.index(release)
    if place == 0:
        return
    yield from counted("titles_by_change", (change for on, _, change in catalogue.changes if on == release))
    now, before = len(catalogue.titles[release]), len(catalogue.titles[catalogue.releases[place - 1]])
    yield ("net_growth", "all"), now - before
    yield ("net_growth_share", "all"), (now - before) / before


def lengths(titles: list[Title]) -> Iterator[tuple[tuple[str, str], float]]:
    for kind in sorted({t.type for t in titles}):
        lags = [t.date_added.year - t.release_year for t in titles if t.type == kind and t.date_added]
        yield ("lag_to_addition_mean", kind), mean(lags)
        yield ("lag_to_addition_median", kind), median(lags)
    minutes = {t.title_key: t.duration_minutes for t in titles if t.duration_minutes is not None}
    seasons = [t.duration_seasons for t in titles if t.duration_seasons is not None]
    yield ("movie_minutes_mean", "all"), mean(minutes.values())
    yield ("movie_minutes_median", "all"), median(minutes.values())
    yield ("show_seasons_mean", "all"), mean(seasons)
    yield from counted("shows_by_seasons", seasons)
    for key, length in minutes.items():
        yield ("longest_movies", key), length


def co_productions(countries: list[list[str]]) -> Iterator[tuple[tuple[str, str], float]]:
    """Titles of several countries; the share is of the titles that state a country at all."""
    several = [found for found in countries if len(found) > 1]
    yield ("co_productions", "all"), len(several)
    yield ("co_production_share", "all"), len(several) / len(countries)
    yield from counted(
        "co_production_pairs", (" & ".join(pair) for found in several for pair in combinations(found, 2))
    )


def ranked(values: dict[tuple[str, str], float]) -> dict[tuple[str, str], int]:
    """The dense rank of every figure within its kpi, largest first; the long rankings are cut."""
    by_kpi: dict[str, list[float]] = {}
    for (kpi, _), value in values.items():
        by_kpi.setdefault(kpi, []).append(value)
    found = {}
    for kpi, kpi_values in by_kpi.items():
        everything, distinct = sorted(kpi_values), sorted(set(kpi_values))
        for (other, member), value in values.items():
            larger = len(everything) - bisect_right(everything, value)
            if other == kpi and not (kpi in RANKINGS and larger >= TOP):
                found[kpi, member] = 1 + len(distinct) - bisect_right(distinct, value)
    return found
