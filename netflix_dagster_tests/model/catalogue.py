"""The catalogue a second time: from the files of a date to its titles and lists, and from all dates to gold.

A record that a rule refuses takes part in nothing. What a record says again is a copy.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any

from netflix_dagster_tests.model.text import Record, day, tidy, unmangled, words
from netflix_dagster_tests.real.oracle import ATTRIBUTES, FAMILIES, RANKINGS, TOP

Row = dict[str, Any]
LISTS = {
    # list -> column of the whole form, source and column of the split form, item, order
    "cast": ("cast", "netflix_cast", "person", "billing_order"),
    "directors": ("director", "netflix_directors", "person", "credit_order"),
    "countries": ("country", "netflix_countries", "country", "country_order"),
    "genres": ("listed_in", "netflix_category", "genre", "genre_order"),
}
TYPES = {"movie": "Movie", "tv show": "TV Show"}
COUNTRIES = {
    # name -> what it is compared by, ISO code of two and of three letters, whether it exists
    "france": ("france", "FR", "FRA", True),
    "india": ("india", "IN", "IND", True),
    "poland": ("poland", "PL", "POL", True),
    "united kingdom": ("united kingdom", "GB", "GBR", True),
    "uk": ("united kingdom", "GB", "GBR", True),
    "turkey": ("turkey", "TR", "TUR", True),
    "türkiye": ("turkey", "TR", "TUR", True),
    "south korea": ("south korea", "KR", "KOR", True),
    "soviet union": ("soviet union", "SU", None, False),
    "japan": ("japan", "JP", "JPN", True),
}
"""What countries that the histories name are; any other name is a country by itself, without a code."""


@dataclass
class Told:
    """What one table makes of a delivery: the rows that it keeps, and what became of each record, or item of one."""

    rows: list[Row] = field(default_factory=list)
    kept: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    refused: dict[tuple[Any, ...], list[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(list))
    copies: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    delivered: Row = field(default_factory=dict)

    def keep(self, place: tuple[Any, ...], row: Row) -> None:
        self.rows.append(row)
        self.kept[place] += 1

    def refuse(self, place: tuple[Any, ...], *rules: str) -> None:
        self.refused[place].append(tuple(sorted(rules)))

    @property
    def mostly_refused(self) -> bool:
        refused = sum(map(len, self.refused.values()))
        return 2 * refused > refused + self.kept.total() + self.copies.total()


@dataclass
class Release:
    """The titles and lists of one combination of files of one date."""

    on: date
    titles: Told
    lists: dict[str, Told]

    @property
    def held_by(self) -> str | None:
        """The first table that keeps too little of the delivery."""
        if self.titles.mostly_refused:
            return "silver.titles"
        return next((f"silver.title_{name}" for name, told in self.lists.items() if told.mostly_refused), None)


def release(on: date, files: Mapping[str, Sequence[Record]]) -> Release:
    """The release that the files of a date, by their source, come to."""
    said = [_whole(on, r) for r in files.get("netflix_catalogue", ())]
    said += [_split(on, r, repairs) for r, repairs in _mended(files.get("netflix_titles", ()))]
    titles, again = _judged(said)
    copies = _identified(titles.rows, again, titles)
    lists = {name: _listed(name, on, files, titles.rows, copies) for name in LISTS}
    return Release(on, titles, lists)


# Titles


def _whole(on: date, record: Record) -> Row:
    said = {name: tidy(value) for name, value in record.said.items()}
    length, rating, repairs = said["duration"], said["rating"], []
    if length is None and rating and re.fullmatch(r"[0-9]+ (min|Seasons?)", rating):
        length, rating, repairs = rating, None, ["rating_duration_swap"]
    minutes = re.fullmatch("([0-9]+) min", length or "")
    seasons = re.fullmatch("([0-9]+) Seasons?", length or "")
    lengths = (int(minutes[1]) if minutes else None, int(seasons[1]) if seasons else None)
    return _title(on, "whole", record, said | {"rating": rating}, lengths, repairs)


def _split(on: date, record: Record, repairs: list[str]) -> Row:
    said = {name: tidy(value) for name, value in record.said.items()}
    lengths = (_number(said["duration_minutes"]), _number(said["duration_seasons"]))
    return _title(on, "split", record, said, lengths, repairs)


def _mended(records: Sequence[Record]) -> Iterable[tuple[Record, list[str]]]:
    """The records of split titles; two halves of one, each without its number, are one again."""
    rest = list(records)
    while rest:
        head = rest.pop(0)
        stretch = [head]
        while head.said["show_id"] is None and rest and rest[0].said["show_id"] is None and rest[0].file == head.file:
            stretch.append(rest.pop(0))
        while stretch:
            first = stretch.pop(0)
            whole = _joined(first, stretch[0]) if stretch else None
            if whole:
                stretch.pop(0)
                yield whole, ["joined_broken_record"]
            else:
                yield first, []
                if stretch:
                    yield stretch.pop(0), []


def _joined(head: Record, tail: Record) -> Record | None:
    names = list(head.said)
    one, other = ([record.said[name] for name in names] for record in (head, tail))
    for fields in (one, other):
        while fields and fields[-1] is None:
            fields.pop()
    if not one or not other or len(one) + len(other) - 1 != len(names):
        return None
    value = f"{(one[-1] or '').rstrip()} {(other[0] or '').lstrip()}".strip()
    if value.count('"') % 2 and value.endswith('"'):
        value = value[:-1]
    said = dict(zip(names, [*one[:-1], value, *other[1:]], strict=True))
    return Record(head.file, head.number, said, head.columns)


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[+-]?[0-9]{1,9}", text) else None


def _title(
    on: date,
    form: str,
    record: Record,
    said: dict[str, Any],
    lengths: tuple[int | None, int | None],
    repairs: list[str],
) -> Row:
    kind, added, year = said["type"], day(said["date_added"]), _number(said["release_year"])
    kind = TYPES.get(kind.lower(), kind) if kind else None
    plausible = added and date(1997, 1, 1) <= added <= on + timedelta(days=366)
    family = next((name for name, ratings in FAMILIES.items() if said["rating"] in ratings), "Unknown")
    title = said["title"]
    return {
        "delivery_date": on,
        "show_id": said["show_id"],
        "natural_key": natural_key(kind, title, year),
        "type": kind,
        "type_flag": {"Movie": 1, "TV Show": 2}.get(kind or "", 0),
        "title": title,
        "short_title": title.split(":")[0].strip() if title else None,
        "date_added": added if plausible else None,
        "release_year": year,
        "rating": said["rating"],
        "rating_family": family if said["rating"] else None,
        "duration_minutes": lengths[0],
        "duration_seasons": lengths[1],
        "description": said["description"],
        "form": form,
        "repairs": repairs,
        "source_file": record.file,
        "record_number": record.number,
    }


def natural_key(kind: str | None, title: str | None, year: int | None) -> str:
    """``type|title|year``. Where a title could be taken for more than one part of it, its separators are escaped."""

    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace("|", "\\|")

    named = words(title or "")
    ambiguous = "\\" in named or re.search(r"\|-?[0-9]+$", named)
    parts = [escaped(kind.lower())] if kind else []
    return "|".join([*parts, escaped(named) if ambiguous else named, "?" if year is None else str(year)])


_CONTENT = ("natural_key", *ATTRIBUTES)


def _judged(said: list[Row]) -> tuple[Told, list[Row]]:
    """The titles that may stay, and the repeats of them."""
    told, again = Told(), []
    first: dict[tuple[str, str], Row] = {}
    for row in sorted(said, key=lambda r: r["record_number"]):
        place = (row["form"], row["source_file"], row["record_number"])
        missing = [name for name in ("show_id", "title", "type", "release_year") if row[name] is None]
        if missing:
            told.refuse(place, *(f"{name}_not_null" for name in missing))
            continue
        before = first.setdefault((row["form"], row["show_id"]), row)
        if before is row:
            told.keep(place, row)
        elif all(before[name] == row[name] for name in _CONTENT):
            told.copies[place] += 1
            again.append(row)
        else:
            told.refuse(place, "unique_key")
    return told, again


def said_in(row: Row) -> str:
    """Where a delivery speaks of a title."""
    return f"whole:{row['source_file']}#{row['record_number']}" if row["form"] == "whole" else f"split:{row['show_id']}"


def _identified(rows: list[Row], again: list[Row], told: Told) -> dict[str, str]:
    """Give each title its key, take out what a whole file says as well, and return where else a title is said."""
    whole = {row["natural_key"] for row in rows if row["form"] == "whole"}
    doubles = [row for row in rows if row["form"] == "split" and row["natural_key"] in whole]
    for row in doubles:
        rows.remove(row)
        place = (row["form"], row["source_file"], row["record_number"])
        told.kept[place] -= 1
        told.copies[place] += 1
    namesakes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        namesakes[row["natural_key"]].append(row)
    elsewhere: dict[str, str] = {}
    for key, found in namesakes.items():
        found.sort(key=lambda r: [(r[n] is not None, r[n]) for n in _TELL_APART])
        for number, row in enumerate(found, 1):
            row["title_key"] = key if number == 1 else f"{key}|{number}"
            repeats = (r for r in again if r["form"] == row["form"] == "whole" and r["show_id"] == row["show_id"])
            copies = [said_in(r) for r in repeats]
            if number == 1:
                copies += [said_in(r) for r in doubles if r["natural_key"] == key]
            row["copies"] = sorted(copies)
            elsewhere.update(dict.fromkeys(copies, row["title_key"]))
    return elsewhere


_TELL_APART = ("description", "duration_minutes", "duration_seasons", "show_id")


# Lists


def _listed(
    name: str, on: date, files: Mapping[str, Sequence[Record]], titles: list[Row], copies: Mapping[str, str]
) -> Told:
    whole_column, source, item, order = LISTS[name]
    own = {said_in(row): row["title_key"] for row in titles}
    found: list[Row] = []
    numbers: Counter[str | None] = Counter()
    for form, origin in (("whole", "netflix_catalogue"), ("split", source)):
        for record in sorted(files.get(origin, ()), key=lambda r: (r.file, r.number)):
            show_id = tidy(record.said["show_id"])
            where = f"whole:{record.file}#{record.number}" if form == "whole" else f"split:{show_id}"
            for part in (tidy(record.said[whole_column]) or "").split(","):
                if not (member := part.strip()):
                    continue
                counted = where if form == "whole" or show_id else None
                numbers[counted] += 1
                found.append(
                    {
                        "delivery_date": on,
                        "show_id": show_id,
                        f"{item}_key": COUNTRIES.get(member.lower(), (member.lower(),))[0]
                        if item == "country"
                        else member.lower(),
                        item: member,
                        order: numbers[counted],
                        "form": form,
                        "source_file": record.file,
                        "record_number": record.number,
                        "_where": where,
                    }
                )
    told = Told()
    says_it = {(own[row["_where"]], row[f"{item}_key"]) for row in found if row["_where"] in own}
    first: set[tuple[str, str]] = set()
    for row in sorted(found, key=lambda r: (r[order], r["record_number"])):
        where, key = row.pop("_where"), row[f"{item}_key"]
        place = (row["form"], row["source_file"], row["record_number"], row[item])
        if where in copies and (row["form"] == "split" or (copies[where], key) in says_it):
            told.copies[place] += 1
        elif where not in own or row["show_id"] is None:
            rules = ["show_id_not_null"] * (row["show_id"] is None) + ["title_delivered"] * (where not in own)
            told.refuse(place, *rules)
        elif (own[where], key) in first:
            told.copies[place] += 1
        else:
            first.add((own[where], key))
            told.keep(place, row | {"title_key": own[where]})
    return told


# Releases


MOST_LOST, MOST_VALUES_LOST, FEW = Fraction(1, 5), Fraction(1, 10), 10
STATED = ("date_added", "rating", "duration", "description")


def values(told: Release) -> dict[str, Counter[str]]:
    """How many values each title of a release states of each list and column."""
    found: dict[str, Counter[str]] = {name: Counter() for name in (*LISTS, *STATED)}
    for name in LISTS:
        for row in told.lists[name].rows:
            found[name][row["title_key"]] += 1
    for row in told.titles.rows:
        for name in STATED:
            given = (row["duration_minutes"], row["duration_seasons"]) if name == "duration" else (row[name],)
            found[name][row["title_key"]] += any(value is not None for value in given)
    return found


@dataclass
class Gate:
    """The gate of the releases: asked in order of date, it knows the accepted ones before."""

    before: Release | None = None
    last: dict[str, tuple[Release, Counter[str]]] = field(default_factory=dict)

    def verdict(self, now: Release, decided: tuple[str, str] | None) -> Row | None:
        """What is said of a release; None when it names no title, and so says nothing."""
        if not now.titles.rows:
            return None
        keys, stated = {row["natural_key"] for row in now.titles.rows}, values(now)
        of = {row["natural_key"] for row in self.before.titles.rows} if self.before else set()
        lost, titles = len(of - keys), {row["title_key"] for row in now.titles.rows}
        cut = lost >= FEW and lost > MOST_LOST * len(of)
        thinned = []
        for name in (*LISTS, *STATED):
            if name not in self.last or (name in LISTS and not stated[name].total()):
                continue
            release, was = self.last[name]
            common = [r["title_key"] for r in release.titles.rows if r["title_key"] in titles]
            gone = sum(max(was[key] - stated[name][key], 0) for key in common)
            if gone >= FEW and gone > MOST_VALUES_LOST * sum(was[key] for key in common):
                thinned.append(name)
        wrong = cut or bool(thinned)
        accepted = not wrong or decided is not None
        row = {
            "delivery_date": now.on,
            "titles": len(keys),
            "compared_with": self.before.on if self.before else None,
            "lost": lost if self.before else None,
            "lost_share": lost / len(of) if self.before else None,
            "thinned": thinned,
            "accepted_by": decided[0] if decided and wrong else None,
            "accepted_because": decided[1] if decided and wrong else None,
            "is_accepted": accepted,
        }
        if accepted:
            self.before = now
            self.last |= {n: (now, stated[n]) for n in (*LISTS, *STATED) if n in STATED or stated[n].total()}
        return row


# History


def history(releases: Sequence[Release]) -> list[Row]:
    """Every version of every title of the accepted releases, in order of their dates."""
    closed: list[Row] = []
    still: dict[str, Row] = {}
    states: dict[str, date | None] = dict.fromkeys(LISTS)
    members: dict[str, dict[str, dict[str, list[str]]]] = {}
    ordered: dict[str, Any] = dict.fromkeys(LISTS)
    for release in releases:
        on = release.on
        for name, told in release.lists.items():
            if told.rows:
                states[name] = on
                item, order = LISTS[name][2:]
                listed: dict[str, list[str]] = defaultdict(list)
                for row in sorted(told.rows, key=lambda r: r[order]):
                    listed[row["title_key"]].append(row[item])
                members[name] = listed  # type: ignore[assignment]
                if any(row["form"] == "whole" for row in told.rows):
                    ordered[name] = listed
        now = {row["title_key"]: row for row in release.titles.rows}
        for key in [key for key in still if key not in now]:
            closed.append(still.pop(key) | {"valid_to": on, "is_current": False})
        for key, row in now.items():
            lists = {name: members.get(name, {}).get(key) for name in LISTS}
            orders = {name: (ordered[name] or {}).get(key) for name in LISTS}
            orders = {n: o if o and lists[n] and set(o) == set(lists[n] or ()) else None for n, o in orders.items()}
            before = still.get(key)
            changed = None if before is None else _differences(before, row, lists, orders)
            if before is None or changed:
                if before is not None:
                    closed.append(before | {"valid_to": on, "is_current": False})
                still[key] = {
                    **{name: row[name] for name in ("title_key", "natural_key", *ATTRIBUTES)},
                    **{f"{name}_release": states[name] for name in LISTS},
                    "changed_columns": changed,
                    "valid_from": on,
                    "valid_to": None,
                    "is_current": True,
                }
            still[key] |= {"show_id": row["show_id"], "show_id_release": on}
            still[key] |= {"_last": row, "_lists": lists, "_orders": orders}
    return [{k: v for k, v in row.items() if k[0] != "_"} for row in (*closed, *still.values())]


def _differences(before: Row, row: Row, lists: dict[str, Any], orders: dict[str, Any]) -> list[str]:
    last, found = before["_last"], []
    for name in ATTRIBUTES:
        was, now = last[name], row[name]
        if was != now and not ("title" in name and unmangled(was) == unmangled(now)):
            found.append(name)
    for name in LISTS:
        other = set(before["_lists"][name] or ()) != set(lists[name] or ())
        known = before["_orders"][name] and orders[name]
        if other or (known and before["_orders"][name] != orders[name]):
            found.append(name)
    return found


# Gold


def gold(releases: Sequence[Release], versions: list[Row]) -> dict[str, list[Row]]:
    """The gold tables of the catalogue alone."""
    changes = _changes(versions)
    found = {
        "silver.title_history": versions,
        "gold.fact_catalogue_change": changes,
        "silver.spellings": _spellings(releases),
        "gold.dim_person": _people(releases),
        "gold.dim_genre": _genres(releases),
        "gold.dim_rating": _ratings(releases),
        "gold.dim_date": _dates(releases),
        "gold.fact_release_title": _snapshots(releases),
        "gold.fact_release_listing": _listings(releases),
        "gold.kpi_catalogue": _kpis(releases, changes),
    }
    for name, bridge in (("cast", "cast"), ("directors", "director"), ("countries", "country"), ("genres", "genre")):
        found[f"gold.bridge_title_{bridge}"] = _bridge(name, releases, versions)
    return found


def _bridge(name: str, releases: Sequence[Release], versions: list[Row]) -> list[Row]:
    item, order = LISTS[name][2:]
    rows = []
    for release in releases:
        of: dict[str, list[Row]] = defaultdict(list)
        for row in release.lists[name].rows:
            of[row["title_key"]].append(row)
        for version in versions:
            listed = of.get(version["title_key"], []) if version[f"{name}_release"] == release.on else []
            rows += [
                {
                    "title_sk": (version["title_key"], version["valid_from"]),
                    "title_key": version["title_key"],
                    f"{item}_sk": row[f"{item}_key"],
                    order: row[order],
                    "weight": 1 / len(listed),
                    "is_current": version["is_current"],
                }
                for row in listed
            ]
    return rows


def _changes(versions: list[Row]) -> list[Row]:
    first = min((v["valid_from"] for v in versions), default=None)
    of: dict[str, list[Row]] = defaultdict(list)
    for version in sorted(versions, key=lambda v: v["valid_from"]):
        of[version["title_key"]].append(version)
    rows = []
    for key, found in of.items():
        for nth, version in enumerate(found):
            added = version["changed_columns"] is None
            about = {"title_key": key, "title_sk": (key, version["valid_from"]), "natural_key": version["natural_key"]}
            said = {"change": "added" if added else "changed", "changed_columns": version["changed_columns"]}
            rows.append(about | said | {"release_date": version["valid_from"], "is_return": added and nth > 0})
            follows = found[nth + 1]["valid_from"] if nth + 1 < len(found) else None
            if version["valid_to"] and version["valid_to"] != follows:
                ended = {"change": "removed", "changed_columns": None, "is_return": False}
                rows.append(about | ended | {"release_date": version["valid_to"]})
    return [row | {"is_baseline": row["release_date"] == first} for row in rows]


def _people(releases: Sequence[Release]) -> list[Row]:
    spelled: dict[str, Counter[str]] = defaultdict(Counter)
    seen: dict[str, set[Any]] = defaultdict(set)
    for release in releases:
        for name in ("cast", "directors"):
            for row in release.lists[name].rows:
                spelled[row["person_key"]][row["person"]] += 1
                seen[row["person_key"]] |= {name, release.on}
    return [
        {
            "person_key": key,
            "name": max(names, key=lambda name: (names[name], name)),
            "is_cast": "cast" in seen[key],
            "is_director": "directors" in seen[key],
            "first_release": min(s for s in seen[key] if isinstance(s, date)),
            "last_release": max(s for s in seen[key] if isinstance(s, date)),
        }
        for key, names in spelled.items()
    ]


def _spellings(releases: Sequence[Release]) -> list[Row]:
    used: dict[tuple[str, str], dict[str, list[tuple[date, str]]]] = defaultdict(lambda: defaultdict(list))
    for release in releases:
        for name in LISTS:
            item = LISTS[name][2]
            for row in release.lists[name].rows:
                used[item, row[f"{item}_key"]][row[item]].append((release.on, name))
    return [
        {
            "kind": kind,
            "member_key": key,
            "spelling": spelling,
            "name": max(spelled, key=lambda name: (len(spelled[name]), name)),
            "times": len(uses),
            "is_cast": any(name == "cast" for _, name in uses),
            "is_director": any(name == "directors" for _, name in uses),
            "first_release": min(uses)[0],
            "last_release": max(uses)[0],
        }
        for (kind, key), spelled in used.items()
        for spelling, uses in spelled.items()
    ]


def _genres(releases: Sequence[Release]) -> list[Row]:
    spelled, kinds = defaultdict(set), defaultdict(set)
    for release in releases:
        type_of = {row["title_key"]: row["type"] for row in release.titles.rows}
        for row in release.lists["genres"].rows:
            spelled[row["genre_key"]].add(row["genre"])
            kinds[row["genre_key"]].add(type_of[row["title_key"]])
    return [
        {"genre_key": key, "genre": max(names), "lists": min(kinds[key]) if len(kinds[key]) == 1 else "Both"}
        for key, names in spelled.items()
    ]


def _ratings(releases: Sequence[Release]) -> list[Row]:
    known = {rating: family for family, ratings in FAMILIES.items() for rating in ratings}
    used = {row["rating"] for release in releases for row in release.titles.rows if row["rating"]}
    return [{"rating": r, "rating_family": known.get(r, "Unknown")} for r in {*known, *used}]


def _dates(releases: Sequence[Release]) -> list[Row]:
    days = {release.on for release in releases if release.titles.rows}
    every = days | {row["date_added"] for r in releases for row in r.titles.rows if row["date_added"]}
    if not every:
        return []
    found, at, end = [], date(min(every).year, 1, 1), date(max(every).year, 12, 31)
    while at <= end:
        names = {"month_name": f"{at:%B}", "day_name": f"{at:%A}", "year_month": f"{at:%Y-%m}"}
        found.append(
            {
                "date": at,
                "date_key": int(f"{at:%Y%m%d}"),
                "quarter": (at.month + 2) // 3,
                "iso_week": at.isocalendar()[1],
                "day_of_week": at.isoweekday(),
                "is_weekend": at.isoweekday() > 5,
                "is_release": at in days,
                **names,
            }
        )
        at += timedelta(days=1)
    return found


_TOLD_OF_TITLE = (
    *("title_key", "type", "title", "release_year", "date_added", "rating", "rating_family"),
    *("duration_minutes", "duration_seasons"),
)


def _snapshots(releases: Sequence[Release]) -> list[Row]:
    """Every title of every release, as this release has it."""
    return [
        {"release_date": release.on} | {name: row[name] for name in _TOLD_OF_TITLE}
        for release in releases
        for row in release.titles.rows
    ]


def _listings(releases: Sequence[Release]) -> list[Row]:
    """Everything that a list of a title names, once, by what it is compared by; and the pairs of its countries."""
    people = {row["person_key"]: row["name"] for row in _people(releases)}
    rows: list[Row] = []
    for name, kind in (("cast", "cast"), ("directors", "director"), ("countries", "country"), ("genres", "genre")):
        item = LISTS[name][2]
        spelled = people if item == "person" else _used_most(releases, name)
        for release in releases:
            listed: dict[str, set[str]] = defaultdict(set)
            for row in release.lists[name].rows:
                listed[row["title_key"]].add(row[f"{item}_key"])
            for key, members in listed.items():
                rows += _numbered(release.on, key, kind, [(member, spelled[member]) for member in members])
                if kind == "country":
                    pairs = [" & ".join(pair) for pair in combinations(sorted(spelled[one] for one in members), 2)]
                    rows += _numbered(release.on, key, "country pair", [(pair, pair) for pair in pairs])
    return rows


def _numbered(on: date, key: str, kind: str, members: list[tuple[str, str]]) -> Iterable[Row]:
    for position, (member, name) in enumerate(sorted(members), 1):
        of = {"release_date": on, "title_key": key, "list": kind}
        yield of | {"member_key": member, "member": name, "position": position, "members": len(members)}


def _kpis(releases: Sequence[Release], changes: list[Row]) -> list[Row]:
    """Every figure of every release that names titles."""
    told = [release for release in releases if release.titles.rows]
    names = {name: _used_most(told, name) for name in LISTS}
    people = {row["person_key"]: row["name"] for row in _people(releases)}
    rows: list[Row] = []
    for nth, release in enumerate(told):
        found: dict[tuple[str, str], Any] = dict(_figures(release, names, people))
        if nth:
            now, before = len(release.titles.rows), len(told[nth - 1].titles.rows)
            found |= {("net_growth", "all"): now - before, ("net_growth_share", "all"): Fraction(now - before, before)}
            moved = Counter(row["change"] for row in changes if row["release_date"] == release.on)
            found |= {("titles_by_change", change): count for change, count in moved.items()}
        of: dict[str, list[Any]] = defaultdict(list)
        for (kpi, _), value in found.items():
            of[kpi].append(value)
        for (kpi, member), value in found.items():
            larger = [other for other in of[kpi] if other > value]
            if kpi not in RANKINGS or len(larger) < TOP:
                said = {"delivery_date": release.on, "kpi": kpi, "member": member}
                rows.append(said | {"value": float(value), "rank": 1 + len(set(larger))})
    return rows


def _used_most(releases: Sequence[Release], name: str) -> dict[str, str]:
    """Every member of a list in the spelling that is used most."""
    item, used = LISTS[name][2], defaultdict(Counter)
    for release in releases:
        for row in release.lists[name].rows:
            used[row[f"{item}_key"]][row[item]] += 1
    return {key: max(names, key=lambda n: (names[n], n)) for key, names in used.items()}


def _figures(
    release: Release, names: dict[str, dict[str, str]], people: dict[str, str]
) -> Iterable[tuple[tuple[str, str], Any]]:
    titles = release.titles.rows

    def counted(kpi: str, members: Iterable[Any]) -> Iterable[tuple[tuple[str, str], Any]]:
        for member, count in Counter("(not stated)" if m is None else str(m) for m in members).items():
            yield (kpi, member), count

    yield ("titles", "all"), len(titles)
    for column in ("type", "rating", "rating_family", "release_year"):
        yield from counted(f"titles_by_{column}", (t[column] for t in titles))
    yield from counted("titles_by_month_added", (t["date_added"] and f"{t['date_added']:%Y-%m}" for t in titles))
    listed = {name: release.lists[name].rows for name in LISTS}
    yield from counted("titles_by_country", (names["countries"][r["country_key"]] for r in listed["countries"]))
    yield from counted("titles_by_genre", (names["genres"][r["genre_key"]] for r in listed["genres"]))
    for kpi, name in (("top_cast", "cast"), ("top_directors", "directors")):
        yield from counted(kpi, (people[r["person_key"]] for r in listed[name]))
    for kind in {t["type"] for t in titles}:
        lags = [t["date_added"].year - t["release_year"] for t in titles if t["type"] == kind and t["date_added"]]
        if lags:
            yield ("lag_to_addition_mean", kind), _mean(lags)
            yield ("lag_to_addition_median", kind), _median(lags)
    minutes = {t["title_key"]: t["duration_minutes"] for t in titles if t["duration_minutes"] is not None}
    seasons = [t["duration_seasons"] for t in titles if t["duration_seasons"] is not None]
    if minutes:
        yield ("movie_minutes_mean", "all"), _mean(list(minutes.values()))
        yield ("movie_minutes_median", "all"), _median(list(minutes.values()))
    if seasons:
        yield ("show_seasons_mean", "all"), _mean(seasons)
    yield from counted("shows_by_seasons", seasons)
    for key, length in minutes.items():
        yield ("longest_movies", key), length
    produced: dict[str, list[str]] = defaultdict(list)
    for row in listed["countries"]:
        produced[row["title_key"]].append(names["countries"][row["country_key"]])
    if produced:
        several = [found for found in produced.values() if len(found) > 1]
        yield ("co_productions", "all"), len(several)
        yield ("co_production_share", "all"), Fraction(len(several), len(produced))
        pairs = (" & ".join(pair) for found in several for pair in combinations(sorted(found), 2))
        yield from counted("co_production_pairs", pairs)


def _mean(values: Sequence[int]) -> Fraction:
    return Fraction(sum(values), len(values))


def _median(values: Sequence[int]) -> Fraction:
    found, half = sorted(values), len(values) // 2
    return Fraction(found[half]) if len(found) % 2 else Fraction(found[half - 1] + found[half], 2)
