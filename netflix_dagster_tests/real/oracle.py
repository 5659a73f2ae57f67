"""The catalogue worked out a second time, in plain Python, from the delivered files alone.

Nothing of ``netflix_dagster`` is imported and no trick of speed is played: what this says and what the tables say
can only agree when both are right, or when both make the same mistake.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

WHOLE = ("2019-11-20", "2020-01-20", "2021-01-18")
SPLIT = ("2020-02-01",)
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
"""Rankings end with the members that share the hundredth place."""

# Reading


def records(path: Path) -> list[dict[str, str]]:
    """The records of a file as delivered, untouched."""
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def mend(text: str) -> str:
    """Put the lost line breaks of the split titles back: on a line ending in commas follows the rest of its record.

    The rest brings the closing quote of the broken value along, doubled, and has commas at its end as well.
    """
    broken = r'^(?P<head>[^\r\n]*?),*,\r\n"(?P<value>[^"\r\n]*)"""(?P<rest>,[^\r\n]*?),+\r\n'

    def whole(found: re.Match[str]) -> str:
        fields = next(csv.reader([found["head"]]))
        fields[-1] = f"{fields[-1]} {found['value']}"
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(fields)
        return f"{line.getvalue()}{found['rest']}\r\n"

    return re.sub(broken, whole, text, flags=re.MULTILINE)


def mended_records(path: Path) -> list[dict[str, str]]:
    """The records of the split titles, the broken ones mended."""
    text = mend(path.read_bytes().decode("utf-8-sig"))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def tidy(text: str | None) -> str | None:
    """Without format characters, white space folded, composed; nothing is None."""
    seen = "".join(c for c in text or "" if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFC", " ".join(seen.split())) or None


def day(text: str | None) -> date | None:
    if not text:
        return None
    form = "%m/%d/%Y" if "/" in text else "%B %d, %Y"
    return datetime.strptime(text, form).date()


def members(texts: Iterable[str | None]) -> dict[str, int]:
    """What some comma-separated texts list, each once, with its number in the order of delivery."""
    everything = [name for text in texts for part in (text or "").split(",") if (name := tidy(part))]
    found: dict[str, int] = {}
    for number, name in enumerate(everything, 1):
        found.setdefault(name, number)
    return found


# A title of a release


@dataclass
class Title:
    """What one release says of one title."""

    delivery_date: str
    show_id: str
    type: str
    title: str
    date_added: date | None
    release_year: int
    rating: str | None
    duration_minutes: int | None
    duration_seasons: int | None
    description: str | None
    form: str
    lists: dict[str, dict[str, int]] = field(repr=False)
    title_key: str = ""

    @property
    def type_flag(self) -> int:
        return {"Movie": 1, "TV Show": 2}.get(self.type, 0)

    @property
    def short_title(self) -> str:
        return self.title.partition(":")[0].strip()

    @property
    def rating_family(self) -> str | None:
        if self.rating is None:
            return None
        return next((family for family, ratings in FAMILIES.items() if self.rating in ratings), "Unknown")

    @property
    def natural_key(self) -> str:
        return f"{self.type.lower()}|{unmangled(self.title).lower()}|{self.release_year}"

    @property
    def compared(self) -> dict[str, Any]:
        """The attributes by which two releases are compared; "Oct-01" and "1-Oct" are one spelling."""
        said = {name: getattr(self, name) for name in ATTRIBUTES}
        return said | {"title": unmangled(self.title), "short_title": unmangled(self.short_title)}


def unmangled(title: str) -> str:
    """A title that a spreadsheet made a day of, "Oct-01" or "1-Oct", in one spelling."""
    month, _, number = title.partition("-") if title[:1].isalpha() else title.partition("-")[::-1]
    if month.capitalize() in MONTHS and number.isdigit() and len(number) <= 2:
        return f"{int(number)}-{month}"
    return title


def whole_release(landing: Path, release: str) -> Iterator[Title]:
    for row in records(landing / "netflix_catalogue" / release / "netflix_titles.csv"):
        said = {name: tidy(value) for name, value in row.items()}
        rating, duration = said["rating"], said["duration"]
        if duration is None and rating and rating.endswith(" min"):
            rating, duration = None, rating
        number, unit = (duration or "0 none").split()
        yield Title(
            release,
            str(said["show_id"]),
            str(said["type"]),
            str(said["title"]),
            day(said["date_added"]),
            int(str(said["release_year"])),
            rating,
            int(number) if unit == "min" else None,
            int(number) if unit in ("Season", "Seasons") else None,
            said["description"],
            "whole",
            {name: members([row[column]]) for name, (column, _) in LISTS.items()},
        )


def split_release(landing: Path, release: str) -> Iterator[Title]:
    listed: dict[str, dict[str, list[str]]] = {}
    for name, (column, source) in LISTS.items():
        for row in records(landing / source / release / f"{source}.csv"):
            listed.setdefault(row["show_id"].strip(), {}).setdefault(name, []).append(row[column])
    for row in mended_records(landing / "netflix_titles" / release / "netflix_titles.csv"):
        said = {name: tidy(value) for name, value in row.items()}
        minutes, seasons = said["duration_minutes"], said["duration_seasons"]
        mine = listed.pop(str(said["show_id"]), {})
        yield Title(
            release,
            str(said["show_id"]),
            str(said["type"]),
            str(said["title"]),
            day(said["date_added"]),
            int(str(said["release_year"])),
            said["rating"],
            int(minutes) if minutes else None,
            int(seasons) if seasons else None,
            said["description"],
            "split",
            {name: members(mine.get(name, [])) for name in LISTS},
        )
    if listed:
        raise AssertionError(f"listed for titles that are not there: {sorted(listed)}")


def identify(titles: list[Title]) -> list[Title]:
    """Give every title of a release its durable key: namesakes are numbered by what they are about."""
    namesakes: dict[str, list[Title]] = {}
    for title in titles:
        namesakes.setdefault(title.natural_key, []).append(title)
    for key, found in namesakes.items():
        found.sort(key=lambda t: (t.description or "", t.duration_minutes or 0, t.duration_seasons or 0, t.show_id))
        for number, title in enumerate(found, 1):
            title.title_key = key if number == 1 else f"{key}|{number}"
    return titles


# What gold says


@dataclass
class Version:
    """A stretch of releases over which nothing of a title changed. ``stated`` is what its first release said."""

    stated: Title
    changed: list[str] | None
    valid_from: str
    valid_to: str | None = None
    last: Title = None  # type: ignore[assignment]

    @property
    def title_key(self) -> str:
        return self.stated.title_key


class Catalogue:
    """All releases, and what follows from them."""

    def __init__(self, landing: Path, releases: Iterable[str] = RELEASES) -> None:
        self.landing = landing
        self.releases = tuple(sorted(releases))
        self.titles: dict[str, list[Title]] = {
            release: identify(list((whole_release if release in WHOLE else split_release)(landing, release)))
            for release in self.releases
        }

    def by_key(self, release: str) -> dict[str, Title]:
        return {title.title_key: title for title in self.titles[release]}

    @cached_property
    def versions(self) -> list[Version]:
        """Every version of every title, found by walking through the releases and keeping a list of the open ones."""
        closed: list[Version] = []
        open_: dict[str, Version] = {}
        ordered: dict[tuple[str, str], list[str]] = {}
        for release in self.releases:
            now = self.by_key(release)
            for key in [key for key in open_ if key not in now]:
                gone = open_.pop(key)
                gone.valid_to = release
                closed.append(gone)
                ordered = {place: names for place, names in ordered.items() if place[0] != key}
            for key, title in now.items():
                before = open_.get(key)
                changed = None if before is None else differences(before.last, title, ordered)
                if before is None or changed:
                    if before is not None:
                        before.valid_to = release
                        closed.append(before)
                    open_[key] = Version(title, changed, release)
                open_[key].last = title
                for name in LISTS:
                    if title.form == "whole":
                        ordered[key, name] = list(in_order(title.lists[name]))
                    elif sorted(ordered.get((key, name), [])) != sorted(title.lists[name]):
                        ordered.pop((key, name), None)
        return [*closed, *open_.values()]

    @cached_property
    def changes(self) -> set[tuple[str, str, str, tuple[str, ...] | None]]:
        """(release, title_key, added | changed | removed, what changed), found by comparing neighbours."""
        first = self.releases[0]
        found: set[tuple[str, str, str, tuple[str, ...] | None]] = {
            (first, key, "added", None) for key in self.by_key(first)
        }
        for version in self.versions:
            if version.changed:
                found.add((version.valid_from, version.title_key, "changed", tuple(version.changed)))
        for before, after in pairwise(self.releases):
            old, new = self.by_key(before), self.by_key(after)
            found |= {(after, key, "added", None) for key in new.keys() - old.keys()}
            found |= {(after, key, "removed", None) for key in old.keys() - new.keys()}
        return found

    @cached_property
    def spellings(self) -> dict[str, Counter[str]]:
        """Everyone in a cast or a director's chair, by name in lower case: how often each spelling was used."""
        found: dict[str, Counter[str]] = {}
        for titles in self.titles.values():
            for title in titles:
                for name in (*title.lists["cast"], *title.lists["directors"]):
                    found.setdefault(name.lower(), Counter())[name] += 1
        return found

    def person(self, name: str) -> str:
        """The spelling that is used most for a person, of two used alike the later in the alphabet."""
        used = self.spellings[name.lower()]
        return max(used, key=lambda spelling: (used[spelling], spelling))

    def kpis(self, release: str) -> dict[tuple[str, str], float]:
        """Every figure of a release by (kpi, member), the rankings whole."""
        return dict(figures(self, release))


def in_order(listed: dict[str, int]) -> list[str]:
    return sorted(listed, key=lambda name: listed[name])


def differences(before: Title, after: Title, ordered: dict[tuple[str, str], list[str]]) -> list[str]:
    """What of a title changed; the order of a list only counts where whole releases state it."""
    one, other = before.compared, after.compared
    found = [name for name in ATTRIBUTES if one[name] != other[name]]
    for name in LISTS:
        was, is_ = before.lists[name], after.lists[name]
        known = ordered.get((after.title_key, name))
        if set(was) != set(is_) or (after.form == "whole" and known is not None and known != in_order(is_)):
            found.append(name)
    return found


# Figures


def figures(catalogue: Catalogue, release: str) -> Iterator[tuple[tuple[str, str], float]]:
    titles = catalogue.titles[release]
    yield ("titles", "all"), len(titles)
    yield from counted("titles_by_type", (t.type for t in titles))
    yield from counted("titles_by_rating", (t.rating for t in titles))
    yield from counted("titles_by_rating_family", (t.rating_family for t in titles))
    yield from counted("titles_by_release_year", (t.release_year for t in titles))
    yield from counted("titles_by_month_added", (f"{t.date_added:%Y-%m}" if t.date_added else None for t in titles))
    yield from counted("titles_by_country", (name for t in titles for name in t.lists["countries"]))
    yield from counted("titles_by_genre", (name for t in titles for name in t.lists["genres"]))
    for kpi, name in (("top_cast", "cast"), ("top_directors", "directors")):
        people = ({person.lower() for person in t.lists[name]} for t in titles)
        yield from counted(kpi, (catalogue.person(person) for each in people for person in each))
    yield from growth(catalogue, release)
    yield from lengths(titles)
    yield from together([sorted(t.lists["countries"]) for t in titles if t.lists["countries"]])


def counted(kpi: str, members: Iterable[Any]) -> Iterator[tuple[tuple[str, str], float]]:
    for member, count in Counter(members).items():
        yield (kpi, "(not stated)" if member is None else str(member)), count


def growth(catalogue: Catalogue, release: str) -> Iterator[tuple[tuple[str, str], float]]:
    place = catalogue.releases.index(release)
    if place == 0:
        return
    yield from counted("titles_by_change", (change for on, _, change, _ in catalogue.changes if on == release))
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


def together(countries: list[list[str]]) -> Iterator[tuple[tuple[str, str], float]]:
    """Titles of several countries; the share is of the titles that state a country at all."""
    several = [found for found in countries if len(found) > 1]
    yield ("co_productions", "all"), len(several)
    yield ("co_production_share", "all"), len(several) / len(countries)
    yield from counted("co_production_pairs", (" & ".join(pair) for found in several for pair in combinations(found, 2)))


def ranked(values: dict[tuple[str, str], float]) -> dict[tuple[str, str], int]:
    """The dense rank of every figure within its kpi, largest first; the long rankings end with place TOP."""
    by_kpi: dict[str, list[float]] = {}
    for (kpi, _), value in values.items():
        by_kpi.setdefault(kpi, []).append(value)
    found = {}
    for (kpi, member), value in values.items():
        if kpi in RANKINGS and sum(other > value for other in by_kpi[kpi]) >= TOP:
            continue
        found[kpi, member] = 1 + len({other for other in by_kpi[kpi] if other > value})
    return found
