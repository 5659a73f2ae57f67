"""The lakehouse and the model side by side: every row, every record, every delivery."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import decisions
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.sample.workbook import packed, parts
from netflix_dagster_tests.deliveries import plays
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.model.catalogue import Row
from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.histories import Step
from netflix_dagster_tests.model.platform import GROUPS, HEADERS, STRICT, Content, Platform, Policy

WHO, WHY = "somebody", "it is right all the same"
MOST_BUILDS = 4
ELSEWHERE = {"viewing"}
"""Feeds that histories do not deliver: a fold of its own says what the tables of each hold (tables/test_viewing.py)."""
KEYS = {"person_sk": "gold.dim_person", "country_sk": "gold.dim_country", "genre_sk": "gold.dim_genre"}
"""Surrogate keys, and the dimension that says of what."""


class House(Lakehouse):
    """A lakehouse whose sources have policies, and to which plays are delivered by the hour as well."""

    policies: Mapping[str, Policy] = MappingProxyType({})

    @cached_property
    def sources(self) -> Sources:  # type: ignore[override]
        packaged = plays.sources(self.root)
        said = yaml.safe_load((self.root / "plays.yaml").read_text())
        for name, policy in self.policies.items():
            assert name in packaged.sources
            said["sources"][name]["on_drift"] = "evolve" if policy.evolves else "rescue"
            if policy.tolerated:
                said["sources"][name]["malformed"] = {"quarantine": policy.tolerated}
        (self.root / "plays.yaml").write_text(yaml.safe_dump(said))
        return load_sources(self.root / "plays.yaml")


class Both:
    """A lakehouse and the model of it, to which the same things happen. The tables are declared until it is closed."""

    def __init__(self, root: Path, policies: Mapping[str, Policy] | None = None) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.house, self.model = House(root), Platform(policies)
        self.house.policies = policies or {}
        self._read: dict[str, list[Row]] = {}

    def __enter__(self) -> Both:
        plays.declare(self.house.sources)
        return self

    def __exit__(self, *_: object) -> None:
        plays.forget()

    def apply(self, step: Step) -> None:
        """Have one step happen to both."""
        if step.what == "land":
            self.model.land(step.source, step.key, step.content)
            self._land(step)
        elif step.what == "build":
            self.model.build()
            for _ in range(MOST_BUILDS):  # what a build changes of other dates is due after it
                done = build_pending(self.house.settings, self.house.sources)
                assert not done.failed, done.failed
                if not done.work:
                    return
            raise AssertionError(f"something is due after {MOST_BUILDS} builds: {done.work}")
        elif step.what == "withdraw":
            self.model.withdraw(step.source, step.key)
            decisions.withdraw(self.house.tables, step.source, step.key, WHY, WHO)
        elif step.what == "accept":
            self.model.accept(step.source, step.key, (WHO, WHY))
            _, sources = GROUPS[step.source]
            there = [d for d in self.house.life.held() if d.key == step.key and d.source in sources]
            held = [d.source for d in there if decisions.may_be_overruled(d.newest)]  # another may be refused
            decisions.accept(self.house.tables, held[0], step.key, WHY, WHO)

    def _land(self, step: Step) -> None:
        folder = self.house.landing / step.source / step.key
        for old in folder.glob("*"):
            old.unlink()
        for name, data in step.content.items():
            self.house.land(step.source, step.key, data if isinstance(data, bytes) else workbook(data), name)

    def differences(self) -> list[str]:
        """Everything in which the two differ, in words."""
        self._read.clear()
        return [*self._rows(), *self._records(), *self._deliveries()]

    def rows(self, table: str) -> list[Row]:
        """The rows of a table, read once a comparison."""
        if table not in self._read:
            self._read[table] = self.house.rows(table)
        return self._read[table]

    def _rows(self) -> Iterable[str]:
        expected = self.model.tables()
        here = {name for name, table in TABLES.items() if table.layer != "bronze" and table.feed not in ELSEWHERE}
        if missing := here - expected.keys():
            yield f"the model knows nothing of {sorted(missing)}"
        known = self._known()
        for name, rows in expected.items():
            if name == "gold.dim_rating" and not self.rows(name):
                continue  # what ratings mean is known before any title has one; a table is there when it is built
            columns = sorted(set().union(*rows)) if rows else []
            found = [self._without_keys(row, known) for row in self.rows(name)]
            there, wanted = (Counter(shown(row, columns) for row in side) for side in (found, rows))
            for row in list((there - wanted).elements())[:4]:
                yield f"{name} has {row}"
            for row in list((wanted - there).elements())[:4]:
                yield f"{name} lacks {row}"

    def _known(self) -> dict[str, dict[int, Any]]:
        known = {
            column: {row[column]: row[f"{column.removesuffix('_sk')}_key"] for row in self.rows(name)}
            for column, name in KEYS.items()
        }
        versions = self.rows("silver.title_history")
        known["title_sk"] = {row["title_sk"]: (row["title_key"], row["valid_from"]) for row in versions}
        for column, members in known.items():
            assert len(set(members.values())) == len(members), f"two {column} of one member"
        return known

    @staticmethod
    def _without_keys(row: Row, known: dict[str, dict[int, Any]]) -> Row:
        return row | {column: members.get(row[column]) for column, members in known.items() if column in row}

    def _records(self) -> Iterable[str]:
        """Each record of what stands has exactly one outcome in each table that takes it."""
        quarantine = self.rows("quality.quarantine")
        for (table, key), told in self.model.outcomes().items():
            kept = Counter(_place(row, table) for row in self.rows(table) if of_row(row) == key)
            if kept != +told.kept:
                yield f"{table} of {key} keeps {kept - told.kept} and lacks {+told.kept - kept}"
            refused = Counter(
                (_place(json.loads(row["row"]), table), *sorted(row["rules"]))
                for row in quarantine
                if row["table_name"] == table and of_row(row) == key
            )
            wanted = Counter((place, *rules) for place, every in told.refused.items() for rules in every)
            if lacks := wanted - refused:
                yield f"the quarantine of {table}, {key} lacks {lacks} of {refused}"
        for (source, key), delivery in self.model.deliveries.items():
            if not delivery.attempts:
                continue
            standing = self.model.standing(_group(source)).get(key)
            stands = standing.stands.get(source, {}) if standing else {}
            bronze = [row for row in self.rows(f"bronze.{source}") if of_row(row) == key]
            yield from (f"bronze.{source} of {key} {said}" for said in self._bronze(source, stands, bronze))
            faults = [row for row in quarantine if row["table_name"] == f"bronze.{source}" and of_row(row) == key]
            if delivery.refused:
                faulty = self.model.read(source, delivery.attempts[-1]).faulty
                if untold := faulty - {row["source_file"] for row in faults}:
                    yield f"{source} of {key}: {untold} is refused and not told"
            elif stands and stands == delivery.attempts[-1]:
                aside = {(row["source_file"], row["record_number"], *row["rules"]) for row in faults}
                if aside != (malformed := self.model.read(source, stands).malformed):
                    yield f"the quarantine of bronze.{source}, {key} holds {aside}, set aside are {malformed}"

    def _bronze(self, source: str, stands: Content, rows: list[Row]) -> Iterable[str]:
        """What bronze should hold of a delivery: each record as its file says it."""
        found = self.model.read(source, stands)
        if source == "engagement":
            numbers = {(name, n + 1) for name, sheets in found.books for n in range(sum(len(s.rows) for s in sheets))}
            if {(row["source_file"], row["record_number"]) for row in rows} != numbers:
                yield f"holds {len(rows)} records, {len(numbers)} stand"
            return
        evolves = self.model.policies.get(source, STRICT).evolves
        names = [name for part in HEADERS[source] for name in part]
        wanted = []
        for record in found.records:
            grown = {h.lower(): v for h, v in record.unknown.items() if evolves and h.isidentifier()}
            rest = {h: v for h, v in record.unknown.items() if not (evolves and h.isidentifier())}
            place = {"source_file": record.file, "record_number": record.number}
            wanted.append({**dict.fromkeys(names), **record.said, **grown, "rescued_data": rest or None, **place})
        columns = sorted({"is_seasonal", "rescued_data"}.union(*wanted))
        rescued = [{**row, "rescued_data": json.loads(row["rescued_data"] or "null")} for row in rows]
        there, meant = (Counter(shown(row, columns) for row in side) for side in (rescued, wanted))
        yield from (f"has {row}" for row in list((there - meant).elements())[:2])
        yield from (f"lacks {row}" for row in list((meant - there).elements())[:2])

    def _deliveries(self) -> Iterable[str]:
        found = self.house.life.deliveries
        for source, key in self.model.deliveries:
            status = self.model.status(source, key)
            if status and str(found[source, key].status) != status:
                yield f"{source} of {key} is {found[source, key].status}, the model says {status}"


def of_row(row: Row) -> str:
    """The delivery of a row: its date, or date and hour."""
    hour = row.get("delivery_hour")
    return str(row["delivery_date"]) + (f"T{hour:02}" if hour is not None else "")


def _group(source: str) -> str:
    return next(name for name, (_, sources) in GROUPS.items() if source in sources)


_ITEM = {"cast": "person", "directors": "person", "countries": "country", "genres": "genre"}


def _place(row: Row, table: str) -> tuple[Any, ...]:
    """The record, and of a list its member, that a row of a table is of."""
    place = (row["source_file"], row["record_number"])
    if table == "silver.titles":
        return row["form"], *place
    if table.startswith("silver.title_"):
        return row["form"], *place, row[_ITEM[table.removeprefix("silver.title_")]]
    return place


def shown(row: Row, columns: list[str]) -> str:
    """Some columns of a row, comparable."""
    return repr({name: _plain(row.get(name)) for name in columns})


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9e}"
    if isinstance(value, date):
        return str(value)
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value


def workbook(sheets: Iterable[Sheet]) -> bytes:
    """The sheets as the bytes of a workbook. What looks like a number is one."""
    cells = {s.name: [[text] if text else [] for text in s.preamble] + [list(s.header)] for s in sheets}
    for sheet in sheets:
        cells[sheet.name] += [[_cell(text) for text in row] for row in sheet.rows]
    written = parts(cells)  # type: ignore[arg-type]
    for sheet in sheets:
        if sheet.hidden:
            named = f'<sheet name="{sheet.name}" '
            written["xl/workbook.xml"] = written["xl/workbook.xml"].replace(named, f'{named}state="hidden" ')
    return packed(written)


def _cell(text: str) -> str | int | None:
    return int(text) if text.isascii() and text.isdigit() else text or None
