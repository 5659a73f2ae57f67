"""The lakehouse and the model side by side: every row, every record, every delivery."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from netflix_dagster.build.pending_work import build_pending
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.deliveries import decisions
from netflix_dagster.sample.workbook import packed, parts
from netflix_dagster_tests.lakehouse import Lakehouse
from netflix_dagster_tests.model.catalogue import Row
from netflix_dagster_tests.model.engagement import Sheet
from netflix_dagster_tests.model.histories import Step
from netflix_dagster_tests.model.platform import GROUPS, Platform, read

WHO, WHY = "somebody", "it is right all the same"
MOST_BUILDS = 4
KEYS = {"person_sk": "gold.dim_person", "country_sk": "gold.dim_country", "genre_sk": "gold.dim_genre"}
"""Surrogate keys, and the dimension that says of what."""


class Both:
    """A lakehouse and the model of it, to which the same things happen."""

    def __init__(self, root: Path) -> None:
        self.house, self.model = Lakehouse(root), Platform()
        self._read: dict[str, list[Row]] = {}

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
            held = [d for d in self.house.life.held() if d.key == step.key and d.source in sources]
            decisions.accept(self.house.tables, held[0].source, step.key, WHY, WHO)

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
        if missing := {n for n, t in TABLES.items() if t.layer != "bronze"} - expected.keys():
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
            day = date.fromisoformat(key)
            kept = Counter(_place(row, table) for row in self.rows(table) if row["delivery_date"] == day)
            if kept != +told.kept:
                yield f"{table} of {key} keeps {kept - told.kept} and lacks {+told.kept - kept}"
            refused = Counter(
                (_place(json.loads(row["row"]), table), *sorted(row["rules"]))
                for row in quarantine
                if row["table_name"] == table and row["delivery_date"] == day
            )
            wanted = Counter((place, *rules) for place, every in told.refused.items() for rules in every)
            if lacks := wanted - refused:
                yield f"the quarantine of {table}, {key} lacks {lacks} of {refused}"
        for (source, key), delivery in self.model.deliveries.items():
            if not delivery.attempts:
                continue
            standing = self.model.standing(_group(source)).get(key)
            found = read(source, standing.stands.get(source, {}) if standing else {})
            records = {(r.file, r.number) for r in found.records}
            for name, sheets in found.books:
                records |= {(name, n + 1) for n in range(sum(len(sheet.rows) for sheet in sheets))}
            bronze = {
                (row["source_file"], row["record_number"])
                for row in self.rows(f"bronze.{source}")
                if str(row["delivery_date"]) == key
            }
            if bronze != records:
                yield f"bronze.{source} of {key} holds {len(bronze)} records, {len(records)} stand"
            if delivery.refused:
                faulty = read(source, delivery.attempts[-1]).faulty
                told = {
                    row["source_file"]
                    for row in quarantine
                    if row["table_name"] == f"bronze.{source}" and str(row["delivery_date"]) == key
                }
                if not faulty <= told:
                    yield f"{source} of {key}: {faulty - told} is refused and not told"

    def _deliveries(self) -> Iterable[str]:
        found = self.house.life.deliveries
        for source, key in self.model.deliveries:
            status = self.model.status(source, key)
            if status and str(found[source, key].status) != status:
                yield f"{source} of {key} is {found[source, key].status}, the model says {status}"


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
