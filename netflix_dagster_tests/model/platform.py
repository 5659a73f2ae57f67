"""The life of deliveries a second time: what landed, what was decided, what stands, and every row that follows.

A *content* is what lies for one source on one date: its files, by name. A date of a group of sources is tried as a
*combination* of contents, the newest first; the first that passes every gate stands.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from netflix_dagster_tests.model import catalogue, charts, engagement, links, plays
from netflix_dagster_tests.model.catalogue import Release, Row, Told
from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.text import Record, Unreadable, records

csv.field_size_limit(1 << 28)
Content = Mapping[str, bytes | tuple[Sheet, ...]]
"""Files by name: the bytes of a table, the sheets of a workbook."""
Combination = Mapping[str, Content]
Decided = tuple[str, str]

CATALOGUE = (
    *("netflix_catalogue", "netflix_titles", "netflix_cast", "netflix_category"),
    *("netflix_countries", "netflix_directors"),
)
GROUPS = {
    # group -> feed, sources
    "catalogue": ("catalogue", CATALOGUE),
    "top10_global": ("charts", ("top10_global",)),
    "top10_countries": ("charts", ("top10_countries",)),
    "most_popular": ("charts", ("most_popular",)),
    "engagement": ("engagement", ("engagement",)),
    "plays": ("plays", ("plays",)),
}
FEED = {source: feed for feed, sources in GROUPS.values() for source in sources}
HEADERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # source -> columns that must be there, columns that may be
    "netflix_catalogue": (
        (
            *("show_id", "type", "title", "director", "cast", "country", "date_added", "release_year", "rating"),
            *("duration", "listed_in", "description"),
        ),
        (),
    ),
    "netflix_titles": (
        (
            *("duration_minutes", "duration_seasons", "type", "title", "date_added", "release_year", "rating"),
            *("description", "show_id"),
        ),
        (),
    ),
    "netflix_cast": (("cast", "show_id"), ()),
    "netflix_category": (("listed_in", "show_id"), ()),
    "netflix_countries": (("country", "show_id"), ()),
    "netflix_directors": (("director", "show_id"), ()),
    "top10_global": (
        ("week", "category", "weekly_rank", "show_title"),
        ("season_title", *charts.CARRIED["top10_global"]),
    ),
    "top10_countries": (
        ("country_name", "country_iso2", "week", "category", "weekly_rank", "show_title"),
        ("season_title", "cumulative_weeks_in_top_10"),
    ),
    "most_popular": (
        ("category", "rank", "show_title"),
        (
            *("season_title", "runtime", "hours_viewed_first_28_days", "hours_viewed_first_91_days"),
            *("views_first_28_days", "views_first_91_days"),
        ),
    ),
    "plays": (("title", "minutes"), ()),
}
ALIASES = {"show_type": "type", "released": "release_year", "views": "weekly_views", "show_title": "title"}


def _names(source: str) -> dict[str, str]:
    must, may = HEADERS[source]
    names = {name: name for name in (*must, *may)}
    aliases = {other: name for other, name in ALIASES.items() if name in names and other not in names}
    return names | aliases


@dataclass(frozen=True)
class Policy:
    """What ``sources.yaml`` says of a source: the share of records that may be malformed, whether its table grows."""

    tolerated: float = 0
    evolves: bool = False


STRICT = Policy()


@dataclass
class Read:
    """A content that could be read: records of tables, or sheets of workbooks. ``malformed``: file, record, rule."""

    records: list[Record] = field(default_factory=list)
    malformed: set[tuple[str, int, str]] = field(default_factory=set)
    books: list[tuple[str, Sequence[Sheet]]] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)


def read(source: str, content: Content, tolerated: float = 0) -> Read:
    """The records of all files of a content. ``faulty`` names those that cannot be read: then none is taken."""
    found = Read()
    for name, data in sorted(content.items()):
        if isinstance(data, tuple):
            if any(sheet.rows for sheet in data):
                found.books.append((name, data))
            else:
                found.faulty.add(name)
            continue
        try:
            if source == "engagement":
                raise Unreadable("no workbook")
            must = set(HEADERS[source][0])
            delimiter = "\t" if FEED[source] == "charts" else ","
            taken, malformed = records(name, data, _names(source), must, delimiter, tolerated)
            found.records += taken
            found.malformed |= {(name, number, rule) for number, rule in malformed.items()}
        except Unreadable:
            found.faulty.add(name)
    return found


@dataclass
class Standing:
    """What of one date of one group stands, what its newest combination came to, and the verdict of its gate."""

    stands: Combination = field(default_factory=dict)
    told: Any = None
    newest_held: bool = False
    verdict: Row | None = None


@dataclass
class Delivered:
    """One source on one date: what lies there, and what builds have seen of it."""

    lies: Content | None = None
    attempts: list[Content] = field(default_factory=list)
    refused: bool = False
    withdrawn: list[Content] = field(default_factory=list)


class Platform:
    """Everything that has landed and been decided, and what it comes to."""

    def __init__(self, policies: Mapping[str, Policy] | None = None) -> None:
        self.policies = policies or {}
        self.deliveries: dict[tuple[str, str], Delivered] = defaultdict(Delivered)
        self.current: dict[tuple[str, str], dict[str, Content]] = defaultdict(dict)
        self.seen: dict[tuple[str, str], list[dict[str, Content]]] = defaultdict(list)
        self.accepted: list[tuple[str, str, Content, Decided]] = []
        self.arrived: list[tuple[str, str, Content]] = []
        self._told: list[tuple[str, str, Combination, Any]] = []
        self._standing: dict[str, dict[str, Standing]] = {}

    # ---- what happens

    def land(self, source: str, key: str, content: Content) -> None:
        self.deliveries[source, key].lies = content

    def build(self) -> None:
        """A build takes up everything that has landed."""
        self._standing.clear()
        changed = set()
        for (source, key), delivery in self.deliveries.items():
            content, newest = delivery.lies, delivery.attempts[-1] if delivery.attempts else None
            if content is None or content == newest:
                continue
            delivery.attempts = [a for a in delivery.attempts if a != content] + [content]
            delivery.refused = bool(self.read(source, content).faulty)
            if not delivery.refused and content not in delivery.withdrawn:
                self.current[FEED[source], key][source] = content
                self.arrived.append((source, key, content))
                changed.add((FEED[source], key))
        for place in changed:
            self.seen[place].append(dict(self.current[place]))

    def read(self, source: str, content: Content) -> Read:
        """What the door makes of a content."""
        return read(source, content, self.policies.get(source, STRICT).tolerated)

    def withdraw(self, source: str, key: str) -> None:
        self._standing.clear()
        delivery = self.deliveries[source, key]
        delivery.withdrawn += delivery.attempts
        place = (FEED[source], key)
        self.current[place].pop(source, None)
        self.seen[place].append(dict(self.current[place]))

    def accept(self, group: str, key: str, decided: Decided) -> None:
        """A person takes in what the gate holds: all that the newest combination brought anew."""
        standing = self.standing(group)[key]
        for source, content in self.candidates(group, key)[0].items():
            if standing.stands.get(source) != content:
                self.accepted.append((source, key, content, decided))
        self._standing.clear()

    # ---- what it comes to

    def keys(self, group: str) -> list[str]:
        feed, sources = GROUPS[group]
        return sorted({key for source, key in self.deliveries if source in sources and (feed, key) in self.seen})

    def candidates(self, group: str, key: str) -> list[dict[str, Content]]:
        """The combinations of a date that may stand, the newest first."""
        feed, sources = GROUPS[group]
        found: list[dict[str, Content]] = []
        for combination in reversed(self.seen[feed, key]):
            some = {source: content for source, content in combination.items() if source in sources}
            gone = any(content in self.deliveries[s, key].withdrawn for s, content in some.items())
            if some and not gone and some not in found:
                found.append(some)
        return found if any(source in sources for source in self.current[feed, key]) else []

    def standing(self, group: str) -> dict[str, Standing]:
        """What stands of each date, gone through in order."""
        if group not in self._standing:
            self._standing[group] = self._judged(group)
        return self._standing[group]

    def _judged(self, group: str) -> dict[str, Standing]:
        gate = self._gate(group)
        found = {}
        for key in self.keys(group):
            now = found[key] = Standing()
            for place, combination in enumerate(self.candidates(group, key)):
                told = self._tell(group, key, combination)
                if self._held(told):
                    now.newest_held |= place == 0
                    continue
                verdict = gate.verdict(told, self._decision(key, combination)) if gate else None
                if verdict and not verdict["is_accepted"]:
                    now.newest_held |= place == 0
                    now.verdict = now.verdict or verdict
                    continue
                now.stands, now.told, now.verdict = combination, told, verdict
                break
        return found

    def held_by_gate(self, group: str) -> list[str]:
        """The dates whose newest combination a person may accept: not where a file that the door refuses has come for
        all of it meanwhile."""
        found = []
        for key, standing in self.standing(group).items():
            candidates = self.candidates(group, key)
            if standing.newest_held and not self._held(self._tell(group, key, candidates[0])):
                new = [source for source, content in candidates[0].items() if standing.stands.get(source) != content]
                if not all(self.deliveries[source, key].refused for source in new):
                    found.append(key)
        return found

    def _decision(self, key: str, combination: Combination) -> Decided | None:
        """The decision about the content that arrived last is in force."""
        last = [a for a in self.arrived if a[1] == key and combination.get(a[0]) == a[2]]
        if not last:
            return None
        return next((d for s, k, content, d in self.accepted if (s, k, content) == last[-1]), None)

    def _gate(self, group: str) -> Any:
        if group == "catalogue":
            return catalogue.Gate()
        if group == "plays":
            return plays.Gate()
        return charts.Gate(group) if group in charts.PLACE else None

    @staticmethod
    def _held(told: Any) -> bool:
        """Whether too many rows of a delivery are refused."""
        return told.held_by is not None if isinstance(told, Release) else told.mostly_refused

    def _tell(self, group: str, key: str, combination: Combination) -> Any:
        for of, on, files, told in self._told:
            if (of, on, files) == (group, key, combination):
                return told
        found = {source: self.read(source, content) for source, content in combination.items()}
        on = date.fromisoformat(key.partition("T")[0])
        told: Any
        if group == "catalogue":
            told = catalogue.release(on, {source: one.records for source, one in found.items()})
        elif group == "engagement":
            told = engagement.report(on, found["engagement"].books)
        elif group == "plays":
            told = plays.hour(key, found["plays"].records)
        elif group == "most_popular":
            told = charts.popular(on, found["most_popular"].records)
        else:
            told = charts.weekly(group, on, found[group].records)
        self._told.append((group, key, combination, told))
        return told

    def tables(self) -> dict[str, list[Row]]:
        """Every row of silver and gold."""
        stands = {group: self.standing(group) for group in GROUPS}
        told = {group: [s.told for s in found.values() if s.stands] for group, found in stands.items()}
        found: dict[str, list[Row]] = {"silver.titles": [r for one in told["catalogue"] for r in one.titles.rows]}
        for name in catalogue.LISTS:
            found[f"silver.title_{name}"] = [row for one in told["catalogue"] for row in one.lists[name].rows]
        for group in ("top10_global", "top10_countries", "most_popular", "engagement", "plays"):
            aside = "season_stated" if group == "most_popular" else None
            rows = [row for one in told[group] for row in one.rows]
            found[f"silver.{group}"] = [{n: v for n, v in row.items() if n != aside} for row in rows]
        for group, name in (
            ("catalogue", "silver.releases"),
            *((g, f"silver.{g}_deliveries") for g in charts.PLACE),
            ("plays", "silver.play_hours"),
        ):
            found[name] = [s.verdict for s in stands[group].values() if s.verdict]
        found["silver.play_hours"] = [
            {n: v for n, v in row.items() if n != "is_accepted"} for row in found["silver.play_hours"]
        ]
        releases = [one for one in told["catalogue"] if one.titles.rows]
        found |= catalogue.gold(releases, catalogue.history(releases))
        found |= charts.gold(*(_with_rows(told[g]) for g in ("top10_global", "top10_countries", "most_popular")))
        found["gold.fact_engagement"] = engagement.facts(told["engagement"])
        found["gold.plays_by_title"] = plays.by_title(told["plays"])
        return found | links.gold(found, releases)

    def outcomes(self) -> dict[tuple[str, str], Told]:
        """What became of the records of what stands: by table and date."""
        found = {}
        for group in GROUPS:
            for key, standing in self.standing(group).items():
                told = standing.told
                if isinstance(told, Release):
                    found["silver.titles", key] = told.titles
                    found |= {(f"silver.title_{name}", key): one for name, one in told.lists.items()}
                elif told:
                    found[f"silver.{group}", key] = told
        return found

    def status(self, source: str, key: str) -> str | None:
        """What is to be said of the newest content of a delivery."""
        delivery = self.deliveries[source, key]
        if not delivery.attempts:
            return None
        newest = delivery.attempts[-1]
        if newest in delivery.withdrawn:
            return "withdrawn"
        if delivery.refused:
            return "refused"
        group = next(name for name, (_, sources) in GROUPS.items() if source in sources)
        return "standing" if self.standing(group)[key].stands.get(source) == newest else "held"


def _with_rows(told: Iterable[Told]) -> list[Told]:
    return [one for one in told if one.rows]
