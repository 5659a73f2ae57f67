"""Histories of deliveries, written at random from a seed: what lands, in which order, with every kind of dirt.

Each kind of dirt that a file really got is counted by its name (``Author.dirt``). One seed always writes one history.
"""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.platform import GROUPS, HEADERS, STRICT, Content, Platform, Policy

Row = dict[str, str]
DAYS = ("2023-03-01", "2023-06-20", "2023-07-05", "2023-11-30")
HOURS = tuple(f"{DAYS[2]}T{hour:02}" for hour in (0, 9, 10, 23))
WEEKS = ("2023-02-19", "2023-02-26", "2023-06-11", "2023-06-18", "2023-07-02")
WORLD = ("Films (English)", "Films (Non-English)", "TV (English)")
TITLES = (
    # what titles of a catalogue and of charts are called; some are alike but for one thing
    *(
        "The Tin Heron",
        "the tin heron",
        "Pokémon Harbour",
        "Pokemon Harbour",
        "C++",
        "C",
        "#Alive & Well",
        "Alive and Well",
    ),
    *(
        "दिल",
        "दल",
        "نمی\u200cدانم",
        "Oct-01",
        "1-Oct",
        "Barge | 2",
        "Barge",
        "Barge|2",
        "Clock\\Tower",
        "Loom: Part Two",
    ),
    *(
        "Maria",
        "Monster",
        "Night Ferry",
        "Salt",
        "Harrow Road",
        "Kestrel",
        "Wexcombe: Season 2",
        "👨\u200d👩\u200d👧 Home",
        "Ça Va",
    ),
)
PEOPLE = (
    "Ravik Ferngate",
    "Zuleya Harrow",
    "zuleya harrow",
    "Odalys Kestrelli",
    "Corvin Wexcombe",
    "Pelle Oskwith",
    "Ána Ló",
)
LANDS = ("France", "France", "India", "Poland", "UK", "United Kingdom", "Turkey", "Türkiye", "Soviet Union", "Atlantis")
GENRES = ("Dramas", "dramas", "Comedies", "Thrillers", "Docuseries", "International Movies")
ORDERS = ("billing_order", "credit_order", "country_order", "genre_order")
"""Orders that the split form states by the order of its records."""
CHARTED = (("FR", "France"), ("IN", "India"), ("TR", "Turkey"))


@dataclass(frozen=True)
class Step:
    """One thing that happens: ``land`` a content, ``build``, ``withdraw`` a delivery, ``accept`` what a gate holds."""

    what: str
    source: str = ""
    key: str = ""
    content: Any = None


class Author:
    """Writes one history. ``dirt`` counts what it put in."""

    def __init__(
        self,
        seed: int,
        rounds: int = 3,
        without: Collection[str] = (),
        policies: Mapping[str, Policy] = MappingProxyType({}),
    ) -> None:
        self.seed, self.rounds, self.without, self.policies = seed, rounds, without, policies
        self.random = random.Random(seed)
        self.dirt: Counter[str] = Counter()
        self.lean = self.random.choice((0.04, 0.1, 0.2))
        """How often a kind of dirt falls where it may: some histories are nearly clean."""

    def steps(self, platform: Platform) -> Iterator[Step]:
        """The steps of the history; ``platform`` is asked what there is to decide. Whoever asks applies each step."""
        for _ in range(self.rounds):
            for key in self.random.sample(DAYS, self.random.randint(1, 2)):
                yield from self._catalogue(key)
                for source in ("top10_global", "top10_countries", "most_popular"):
                    if self.random.random() < 0.55:
                        yield Step("land", source, key, self._spoiled(source, self.chart(source, key)))
                if self.random.random() < 0.55:
                    yield Step("land", "engagement", key, self.report(key))
            if self.random.random() < 0.5:
                for key in self.random.sample(HOURS, self.random.randint(1, 2)):
                    self.dirt["an hour of a feed that delivers by the hour"] += 1
                    yield Step("land", "plays", key, self._spoiled("plays", self.plays()))
            yield Step("build")
            yield from self._decisions(platform)

    def _decisions(self, platform: Platform) -> Iterator[Step]:
        decided = False
        for group in GROUPS:
            for key in platform.held_by_gate(group):
                if self.random.random() < 0.5:
                    self.dirt[f"accepted by a person: {group}"] += 1
                    decided = True
                    yield Step("accept", group, key)
        standing = [
            (s, k) for (s, k), d in platform.deliveries.items() if d.attempts and d.attempts[-1] not in d.withdrawn
        ]
        if standing and self.random.random() < 0.2:
            self.dirt["withdrawn"] += 1
            decided = True
            yield Step("withdraw", *self.random.choice(sorted(standing)))
        if decided:
            yield Step("build")

    def some(self, what: str, often: float = 1.0) -> bool:
        """Whether a kind of dirt falls here; counted when it does."""
        falls = self.random.random() < self.lean * often and what not in self.without
        self.dirt[what] += falls
        return falls

    # ---- the catalogue

    def _catalogue(self, key: str) -> Iterator[Step]:
        titles = self.titles(key)
        form = self.random.choice(("whole", "whole", "split", "both", "none"))
        if form == "both":
            self.dirt["both forms on one date"] += 1
        if form in ("whole", "both"):
            yield Step("land", "netflix_catalogue", key, self._spoiled("netflix_catalogue", self.whole(titles)))
        if form in ("split", "both"):
            if form == "both" and self.some("the split form numbers otherwise", 4):
                titles = [row | {"show_id": f"7{nth}"} for nth, row in enumerate(titles)]
            if form == "both" and self.some("the split form has other titles", 4):
                titles = titles[len(titles) // 2 :] + self._extra(3, 90)
            for source, content in self.split(titles).items():
                if source != "netflix_titles" and self.some("a split file does not come", 2):
                    continue
                yield Step("land", source, key, self._spoiled(source, content))

    def _base(self) -> list[Row]:
        """The titles of this history as they are without dirt."""
        author = random.Random(self.seed)
        rows = []
        for nth, name in enumerate(author.sample(TITLES, len(TITLES))[:20]):
            film = author.random() < 0.6
            rows.append(
                {
                    "show_id": f"s{nth + 1}",
                    "type": "Movie" if film else "TV Show",
                    "title": name,
                    "director": ", ".join(author.sample(PEOPLE[:2], author.randint(0, 2))),
                    "cast": ", ".join(author.sample(PEOPLE, author.randint(0, 4))),
                    "country": ", ".join(author.sample(LANDS, author.randint(0, 3))),
                    "date_added": author.choice(("September 9, 2019", "May 1, 2021", "January 31, 2020", "")),
                    "release_year": str(author.choice((2018, 2019, 2021, 2022))),
                    "rating": author.choice(("PG", "TV-MA", "R", "")),
                    "duration": f"{author.randint(60, 150)} min" if film else author.choice(("1 Season", "2 Seasons")),
                    "listed_in": ", ".join(author.sample(GENRES, author.randint(1, 2))),
                    "description": f"A clock crosses Europe by cart and barge, part {nth}.",
                }
            )
        return rows

    def _extra(self, count: int, since: int) -> list[Row]:
        row = self._base()[0]
        named = ({"title": f"Lantern {since + n}", "show_id": f"s{since + n}"} for n in range(count))
        return [row | said for said in named]

    def titles(self, key: str) -> list[Row]:
        """The release of a date: the titles, some gone, some changed, some dirty."""
        rows = self._base()[: self.random.choice((6, 14, 20, 20))]
        if len(rows) < 20:
            self.dirt["a release of other length"] += 1
        for _ in range(self.random.randint(0, 2)):
            rows.pop(self.random.randrange(len(rows)))
        if self.some("show ids renumbered", 2):
            for nth, row in enumerate(rows):
                row["show_id"] = f"s{len(rows) - nth}"
        for name in ("cast", "country", "description"):
            if self.some(f"{name} nearly empty", 0.5):
                for row in rows[1:]:
                    row[name] = ""
        for row in list(rows):
            self._dirty_title(row, rows)
        self.random.shuffle(rows)
        return rows

    def _dirty_title(self, row: Row, rows: list[Row]) -> None:
        if self.some("changed attribute", 2):
            row[self.random.choice(("rating", "description", "date_added"))] = self.random.choice(("", "PG-13"))
        for name in ("director", "cast", "country", "listed_in"):
            if self.some("changed list", 0.5):
                row[name] = ", ".join(self.random.sample((PEOPLE, LANDS)[name == "country"], 2))
        for what, change in TITLE_DIRT.items():
            if self.some(what, 0.25):
                row |= change(row)
        if self.some("twin: same type, title and year", 0.4):
            rows.append(
                row | {"show_id": row["show_id"] + "0", "description": "Another work.", "cast": "Pelle Oskwith"}
            )
        if self.some("exact duplicate of a record", 0.3):
            rows.append(dict(row))
        if self.some("duplicate that lists more", 0.3):
            rows.append(row | {"cast": row["cast"] + ", Late Comer"})
        if row["duration"].endswith(" min") and self.some("minutes and as many seasons under one show id", 0.3):
            rows.append(row | {"duration": row["duration"].replace("min", "Seasons")})
        if self.some("two titles claim one show id", 0.3):
            rows.append(row | {"title": "Usurper", "cast": "Usur Per", "country": "Japan"})

    def whole(self, titles: list[Row]) -> Content:
        header = list(HEADERS["netflix_catalogue"][0])
        if self.some("columns in another order", 2):
            self.random.shuffle(header)
        named = {"type": "show_type"} if self.some("a column under another name", 2) else {}
        if len(titles) > 8 and self.some("a delivery of two files", 1.5):
            half = len(titles) // 2
            ids = {row["show_id"] for row in titles[:half]}
            apart = titles[:half], [row for row in titles[half:] if row["show_id"] not in ids]
            files = zip("ab", apart, strict=True)
            return {f"{n}.csv": self._table("netflix_catalogue", header, rows, ",", named) for n, rows in files}
        return {"netflix_titles.csv": self._table("netflix_catalogue", header, titles, ",", named)}

    def split(self, titles: list[Row]) -> dict[str, Content]:
        lists = {"netflix_cast": "cast", "netflix_category": "listed_in"}
        lists |= {"netflix_countries": "country", "netflix_directors": "director"}
        files: dict[str, list[Row]] = {name: [] for name in ("netflix_titles", *lists)}
        for row in titles:
            length = row["duration"].partition(" ")[0]
            film = row["duration"].endswith("min")
            said = {name: row[name] for name in ("type", "title", "release_year", "rating", "description", "show_id")}
            said |= {"date_added": "9/9/2019" if row["date_added"].startswith("Sep") else row["date_added"]}
            lengths = {"duration_minutes": length if film else "", "duration_seasons": "" if film else length}
            files["netflix_titles"].append(said | lengths)
            for source, column in lists.items():
                if row is not next((r for r in titles if r["show_id"] == row["show_id"]), row):
                    continue
                for item in filter(None, (part.strip() for part in row[column].split(","))):
                    files[source].append({column: item, "show_id": row["show_id"]})
                    if self.some("trailing comma in a list file", 0.2):
                        files[source][-1][column] += ","
                    if self.some("duplicate in a list file", 0.2):
                        files[source].append(dict(files[source][-1]))
        for source, column in lists.items():
            if self.some("orphans in a list file"):
                files[source].append({column: "Nobody", "show_id": "s999"})
            if self.some("a list row without its title", 0.5):
                files[source].append({column: "Nobody", "show_id": ""})
        found = {source: {f"{source}.csv": self._lines(source, rows)} for source, rows in files.items() if rows}
        if len(titles) > 3 and self.some("a record broken in two", 4):
            broken = self._broken(files["netflix_titles"])
            found["netflix_titles"] = {"netflix_titles.csv": broken}
        return found  # type: ignore[return-value]

    def _lines(self, source: str, rows: list[Row]) -> bytes:
        return self._table(source, list(HEADERS[source][0]), rows, ",")

    def _broken(self, rows: list[Row]) -> bytes:
        """A file of split titles of which one record lost the line break within its description."""
        header = list(HEADERS["netflix_titles"][0])
        lines = [[row[name] for name in header] for row in rows]
        nth = self.random.randrange(len(lines))
        head, tail = [*lines[nth][:7], "A tale of"], ['two barges"', lines[nth][8]]
        pad = [[*part, *[""] * (len(header) - len(part))] for part in (head, tail)]
        return _as_text(header, [*lines[:nth], *pad, *lines[nth + 1 :]], ",", "\r\n").encode("utf-8-sig")

    # ---- charts

    def chart(self, source: str, key: str) -> Content:
        on = date.fromisoformat(key)
        rows = self._popular(on) if source == "most_popular" else self._weekly(source, on)
        header = [*HEADERS[source][0], *HEADERS[source][1]]
        may = HEADERS[source][1]
        older = self.random.random()
        if may and older < 0.3:
            self.dirt["an older generation of the file"] += 1
            gone = {name for name in may if self.random.random() < 0.5}
            header = [name for name in header if name not in gone]
            rows = [{name: value for name, value in row.items() if name not in gone} for row in rows]
        if self.some("a column that nobody knows", 2):
            header.append("is_seasonal")
            rows = [row | {"is_seasonal": "no"} for row in rows]
        return {"chart.tsv": self._table(source, header, rows, "\t")}

    def _weekly(self, source: str, on: date) -> list[Row]:
        weeks = [week for week in WEEKS if date.fromisoformat(week) <= on + timedelta(days=7)]
        if len(weeks) > 2 and self.some("the oldest week is not stated any more", 3):
            weeks = weeks[1:]
        rows = []
        if source == "top10_global":
            charts = [(week, category, "", "") for week in weeks for category in WORLD]
        else:
            old = self.some("categories under their former names", 2)
            names = ("Films (English)", "TV (English)") if old else ("Films", "TV")
            charts = [(week, category, *land) for week in weeks for category in names for land in CHARTED]
        lossy = self.some("many charts lack places", 1.5)
        for week, category, code, country in charts:
            places = self._places(week, category, code)
            if lossy:
                places = places[:-1]
            elif len(places) > 1 and self.some("a chart lacks a place", 0.3):
                places.pop(self.random.randrange(len(places)))
            if self.some("a chart lists no hours", 0.3):
                places = [row | {"weekly_hours_viewed": "0"} for row in places]
            for row in places:
                row |= {"country_name": country, "country_iso2": code}
                self._dirty_place(row, rows)
                rows.append(row)
        columns = (*HEADERS[source][0], *HEADERS[source][1])
        return [{name: row[name] for name in columns} for row in rows]

    def _places(self, week: str, category: str, code: str) -> list[Row]:
        author = random.Random(f"{self.seed} {week} {category.partition(' ')[0]} {code}")
        rows = []
        for rank, title in enumerate(author.sample(TITLES[:20], author.randint(2, 4)), 1):
            season = f"{title}: Season {author.randint(1, 2)}" if category.startswith("TV") else "N/A"
            hours = author.randint(1, 90) * 100_000
            rows.append(
                {
                    "week": week,
                    "category": category,
                    "weekly_rank": str(rank),
                    "show_title": title,
                    "season_title": season,
                    "weekly_hours_viewed": str(hours),
                    "runtime": author.choice(("1.9667", "1:58", "2", "0", "")),
                    "weekly_views": str(hours // 2),
                    "cumulative_weeks_in_top_10": str(author.choice((1, 2, 12))),
                    "is_staggered_launch": author.choice(("false", "FALSE", "true", "")),
                    "episode_launch_details": author.choice(("", '{"FR": 3}')),
                }
            )
        return rows

    def _dirty_place(self, row: Row, rows: list[Row]) -> None:
        if self.some("a restated number", 1):
            row["weekly_hours_viewed"] = str(self.random.randint(1, 90) * 100_000)
        if self.some("a restated title", 0.3):
            row["show_title"] = self.random.choice(TITLES)
        for what, change in PLACE_DIRT.items():
            if self.some(what, 0.12):
                row |= change(row)
        if self.some("a place stated twice alike", 0.15):
            rows.append(dict(row))
        if self.some("a place stated twice otherwise", 0.15):
            rows.append(row | {"show_title": "Usurper"})

    def _popular(self, on: date) -> list[Row]:
        rows = []
        for category in WORLD:
            for place in self._places("2023-01-01", category, ""):
                row = {name: place[name] for name in ("category", "show_title", "season_title", "runtime")}
                row["rank"] = place["weekly_rank"]
                both = self.some("hours of 28 and of 91 days in one row")
                for days in (28, 91):
                    stated = both or (days == 91) == (on > date(2023, 6, 18))
                    row[f"hours_viewed_first_{days}_days"] = place["weekly_hours_viewed"] if stated else ""
                    row[f"views_first_{days}_days"] = place["weekly_views"] if stated else ""
                for what, change in POPULAR_DIRT.items():
                    if self.some(what, 0.2):
                        row |= change(row)
                rows.append(row)
        return rows

    # ---- plays

    def plays(self) -> Content:
        """What was played in an hour."""
        rows = []
        for _ in range(self.random.choice((1, 3, 8, 25))):
            rows.append({"title": self.random.choice(TITLES), "minutes": str(self.random.randint(0, 300))})
            if self.some("minutes that are none", 0.7):
                rows[-1]["minutes"] = self.random.choice(("long", "", "-"))
        header = ["title", "minutes"]
        if self.some("a column that nobody knows", 3):
            header.append("is_seasonal")
            rows = [row | {"is_seasonal": self.random.choice(("yes", ""))} for row in rows]
        return {"plays.csv": self._table("plays", header, rows, ",")}

    # ---- engagement

    def report(self, key: str) -> Content:
        if self.some("a file that cannot be read", 1):
            return {"report.xlsx": self.random.choice((b"", b"<html><body>Moved</body></html>"))}
        half = self.random.choice((("January", "June"), ("July", "December")))
        above = f"What We Watched: Views from {half[0]} to {half[1]} 2023"
        name = "report.xlsx"
        if self.some("a report that names two periods", 1):
            above += ", and from January to June 2022"
        elif self.some("the period stands in the file name alone", 2):
            above, name = "Views", f"report_2023H{1 + (half[0] == 'July')}.xlsx"
        elif self.some("a report without its period", 0.5):
            above = "Views"
        kinds: tuple[str, ...] = ("Film", "TV")
        if self.some("a report that does not tell films from shows", 4):
            kinds = ("Engagement",)
        elif self.some("both kinds and neither in one workbook", 2):
            kinds = ("Film", "TV", "Engagement")
        header = ("Title", "Available Globally?", "Release Date", "Hours Viewed", "Runtime", "Views")
        sheets = []
        for kind in kinds:
            hidden = len(kinds) > 1 and self.some("a hidden sheet", 2)
            sheets.append(Sheet(kind, hidden, (above, ""), header, tuple(self._reported(kind))))
        return {name: tuple(sheets)}

    def _reported(self, kind: str) -> Iterator[tuple[str, ...]]:
        author = random.Random(self.seed)
        for title in author.sample(TITLES, 6):
            hours = self.random.randint(1, 900) * 100_000
            if kind == "TV":
                title += author.choice(("", ": Season 1", ": Limited Series", ": Part 2"))
            cells = [title, "Yes", author.choice(("", "2023-01-05", "2021-10-01")), str(hours), "1:45", str(hours // 2)]
            for what, change in REPORT_DIRT.items():
                if self.some(what, 0.2):
                    change(cells)
            yield tuple(cells)
            if self.some("two works of one name", 1):
                yield (cells[0], "No", self.random.choice(("2019-10-01", "", cells[2])), "700000", "2:10", "300000")
            if self.some("a title in two cases", 0.3):
                yield (cells[0].upper(), *cells[1:])
            if self.some("a row stated twice", 0.3):
                yield tuple(cells)

    # ---- files

    def _table(
        self,
        source: str,
        header: Sequence[str],
        rows: Iterable[Row],
        delimiter: str,
        named: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        names = [named.get(name, name) for name in header]
        if self.some("a header in capitals"):
            names = [name.upper() for name in names]
        ends = "\r\n" if self.some("lines end in CR LF", 3) else "\n"
        lines = [[row[name] for name in header] for row in rows]
        if self._is_lenient(source) and self.some("a header short of a column", 2):
            lines = [[*line, self.random.choice(("1", "2"))] for line in lines]
        self._malform(names, lines, often=2.0 if self._is_lenient(source) else 0.1)
        text = _as_text(names, lines, delimiter, ends)
        if len(text.split("\n")) < 40 and self.some("no final line break", 2):
            text = text.removesuffix(ends)
        return text.encode("utf-8-sig" if self.some("a byte order mark", 3) else "utf-8")

    def _is_lenient(self, source: str) -> bool:
        return self.policies.get(source, STRICT).tolerated > 0

    def _malform(self, names: list[str], lines: list[list[str]], often: float) -> None:
        """Put records that do not fit the header between the others, of a lenient source up to too many of them."""
        changes: dict[str, Callable[[list[str]], list[str]]] = {
            "a record with fields too many": lambda line: [*line, "x", "y"],
            "a record with a field too few": lambda line: line[: len(names) - 1],
            "the header again within": lambda _: names,
        }
        for what, change in changes.items():
            while lines and "a file that cannot be read" not in self.without and self.some(what, often):
                place = self.random.randrange(len(lines))
                lines.insert(place, change(lines[place]))

    def _spoiled(self, source: str, content: Content) -> Content:
        """The content, or one that no door lets in."""
        if not self.some("a file that cannot be read", 0.7):
            return content
        name, data = next(iter(content.items()))
        assert isinstance(data, bytes)
        what = self.random.choice(list(SPOILED))
        self.dirt[f"unreadable: {what}"] += 1
        return {**content, name: SPOILED[what](data)}


def policies(seed: int) -> dict[str, Policy]:
    """What the ``sources.yaml`` of a history says of its sources."""
    author = random.Random(f"{seed} policies")
    return {name: Policy(author.choice((0, 0, 0.1, 0.3)), author.random() < 0.4) for name in HEADERS}


def _as_text(header: Sequence[str], rows: Iterable[Sequence[str]], delimiter: str, ends: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ends)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _first_line(data: bytes) -> bytes:
    return data.splitlines(keepends=True)[0]


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "a web page": lambda _: b"<html><head><title>Moved Permanently</title></head></html>",
    "null": lambda _: b"null",
    "nothing": lambda _: b"",
    "a header alone": _first_line,
    "a record of other length": lambda data: data.rstrip() + b"\nx\n",
    "cut within quotes": lambda data: data.rstrip() + b'\n"half a rec',
    "not UTF-8": lambda data: data.rstrip() + b"\nCaf\xe9" + b"\t" * _first_line(data).count(b"\t"),
    "joined to itself": lambda data: data.rstrip() + b"\n" + data.removeprefix(b"\xef\xbb\xbf").rstrip() + b"\n",
    "a column is gone": lambda data: (
        data.replace(b"title", b"tittle").replace(b"TITLE", b"TITTLE").replace(b"show_id", b"no")
    ),
}
TITLE_DIRT: dict[str, Callable[[Row], Row]] = {
    "a title without a name": lambda row: {"title": ""},
    "a title of spaces": lambda row: {"title": " \u00a0 "},
    "a title without its number": lambda row: {"show_id": ""},
    "a year that is none": lambda row: {"release_year": "soon"},
    "no year": lambda row: {"release_year": ""},
    "no type": lambda row: {"type": ""},
    "an unknown type": lambda row: {"type": "Special"},
    "a type in another case": lambda row: {"type": row["type"].upper()},
    "an unknown rating": lambda row: {"rating": "66 and up"},
    "length in place of the rating": lambda row: {"rating": row["duration"], "duration": ""},
    "no length": lambda row: {"duration": ""},
    "a day with a leading space": lambda row: {"date_added": " " + row["date_added"]},
    "a day in the year 9999": lambda row: {"date_added": "January 1, 9999"},
    "a day before Netflix": lambda row: {"date_added": "January 1, 1899"},
    "a day that is none": lambda row: {"date_added": "February 30, 2020"},
    "a day in another form": lambda row: {"date_added": "2020-02-29"},
    "zero-width characters": lambda row: {"title": row["title"][:1] + "\u200b" + row["title"][1:] + "\ufeff"},
    "marks of direction": lambda row: {"title": "\u2067" + row["title"] + "\u2069"},
    "how an emoji is drawn": lambda row: {"title": row["title"] + "\ufe0f"},
    "a joiner where nothing joins": lambda row: {"title": row["title"] + "\u200d"},
    "no-break and double spaces": lambda row: {"title": row["title"].replace(" ", " \u00a0")},
    "decomposed letters": lambda row: {"title": unicodedata.normalize("NFD", row["title"])},
    "a title in another case": lambda row: {"title": row["title"].swapcase()},
    "quotes within": lambda row: {"description": 'He said "no", twice.'},
    "line breaks within": lambda row: {"description": "Two\r\nlines."},
    "a list that begins with a comma": lambda row: {"country": ", " + row["country"]},
    "a list that ends in commas": lambda row: {"cast": row["cast"] + ",,"},
    "a member twice": lambda row: {"cast": row["cast"].partition(",")[0] + ", " + row["cast"]},
    "a member twice in two cases": lambda row: {"country": row["country"] + ", " + row["country"].lower()},
    "a list in another order": lambda row: {"cast": ", ".join(reversed(row["cast"].split(", ")))},
    "a separator in the title": lambda row: {"title": row["title"] + "|2"},
}
PLACE_DIRT: dict[str, Callable[[Row], Row]] = {
    "an unknown category": lambda row: {"category": "Podcasts"},
    "a place without a title": lambda row: {"show_title": "N/A"},
    "a place without its rank": lambda row: {"weekly_rank": ""},
    "a rank that is none": lambda row: {"weekly_rank": "first"},
    "a rank beyond ten": lambda row: {"weekly_rank": "14"},
    "a week that is none": lambda row: {"week": "soon"},
    "a week to come": lambda row: {"week": "2029-01-07"},
    "a week that ends on a Saturday": lambda row: {"week": "2023-02-18"},
    "a week in another form": lambda row: {"week": "June 18, 2023"},
    "a decimal comma": lambda row: {"weekly_hours_viewed": "12,34"},
    "thousands set apart": lambda row: {"weekly_hours_viewed": "1,200,000"},
    "thousands set apart by spaces": lambda row: {"weekly_views": "1 200 000"},
    "a fraction of nothing": lambda row: {"weekly_hours_viewed": "1200000.0"},
    "the largest number": lambda row: {"weekly_hours_viewed": "9223372036854775807"},
    "a number beyond all": lambda row: {"weekly_views": "9" * 30},
    "less than nothing": lambda row: {"weekly_hours_viewed": "-5"},
    "hours not stated": lambda row: {"weekly_hours_viewed": "N/A"},
    "weeks not stated": lambda row: {"cumulative_weeks_in_top_10": ""},
    "no weeks at all": lambda row: {"cumulative_weeks_in_top_10": "0"},
    "a length with a comma": lambda row: {"runtime": "1,97"},
    "a launch that is neither": lambda row: {"is_staggered_launch": "perhaps"},
    "a country code in small letters": lambda row: {"country_iso2": row["country_iso2"].lower()},
    "a country renamed": lambda row: {
        "country_name": "Türkiye" if row["country_iso2"] == "TR" else row["country_name"]
    },
    "one name with two codes": lambda row: {"country_iso2": "XA" if row["country_iso2"] else ""},
    "a country that nobody knows": lambda row: {"country_name": "Lemuria"} if row["country_iso2"] else {},
    "a chart of no country": lambda row: {"country_iso2": ""},
    "a title in another case": lambda row: {"show_title": row["show_title"].swapcase()},
    "zero-width characters": lambda row: {"show_title": row["show_title"] + "\u200b"},
    "marks of direction": lambda row: {"show_title": "\u2067" + row["show_title"] + "\u2069"},
}
POPULAR_DIRT: dict[str, Callable[[Row], Row]] = {
    "a decimal comma": lambda row: {"hours_viewed_first_91_days": "12,34"},
    "hours not stated": lambda row: {"hours_viewed_first_91_days": "", "hours_viewed_first_28_days": ""},
    "an unknown category": lambda row: {"category": "Podcasts"},
    "a rank that is none": lambda row: {"rank": "first"},
    "a place without a title": lambda row: {"show_title": ""},
}


def _put(place: int, value: str) -> Callable[[list[str]], None]:
    def put(cells: list[str]) -> None:
        cells[place] = value

    return put


REPORT_DIRT: dict[str, Callable[[list[str]], None]] = {
    "a note below the table": _put(3, ""),
    "no title": _put(0, ""),
    "a title in two languages": lambda cells: _put(0, f"{cells[0]} // Ça {cells[0]}")(cells),
    "thousands set apart": _put(3, "1,200,000"),
    "a decimal comma": _put(3, "12,34"),
    "less than nothing": _put(3, "-100000"),
    "hours beyond all": _put(3, "60000000000"),
    "views that are none": _put(5, "many"),
    "a day that is none": _put(2, "February 30, 2023"),
    "a day in another form": _put(2, "August 31, 2022"),
    "a length that is not stated": _put(4, "*"),
    "a length that is none": _put(4, "90"),
    "neither yes nor no": _put(1, "perhaps"),
    "a day after the period": _put(2, "2024-05-01"),
}
