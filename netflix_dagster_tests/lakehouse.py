"""A small lakehouse to test in: a landing folder, a lake, deliveries made by hand, the runner that builds them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.bookkeeping import QUARANTINE
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.contracts.report import Report
from netflix_dagster.deliveries.life import Delivery, Life
from netflix_dagster.lake import store
from netflix_dagster.landing.sources import Sources, load_sources
from netflix_dagster.settings import Settings
from netflix_dagster.storage import Place

DIFFERS = {"loaded_at", "run_id", "refused_at", "recorded_at"}
"""Columns that may differ between two builds of the same bytes."""
SPLIT_LISTS = {"cast": "cast", "category": "listed_in", "countries": "country", "directors": "director"}

Row = dict[str, str]
Tables = dict[str, list[str]]


def title(number: int, **said: str) -> Row:
    """A movie of a whole release, with every value stated; ``said`` replaces some."""
    return {
        "show_id": f"s{number}",
        "type": "Movie",
        "title": f"The Tin Heron {number}",
        "director": f"Ravik Ferngate, Zuleya Harrow {number}",
        "cast": f"Odalys Kestrelli, Corvin Wexcombe, Pelle Oskwith {number}",
        "country": "France, India",
        "date_added": "September 9, 2019",
        "release_year": str(2000 + number % 19),
        "rating": "PG",
        "duration": f"{80 + number} min",
        "listed_in": "Dramas, International Movies",
        "description": f"A clock crosses Europe by cart and barge, part {number}.",
    } | said


def as_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as a file with a header."""
    found = list(rows)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(found[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def split_files(titles: Iterable[Row]) -> dict[str, str]:
    """The same titles in the split form: a file for each of its sources."""
    files: dict[str, list[Row]] = {f"netflix_{name}": [] for name in ("titles", *SPLIT_LISTS)}
    for row in titles:
        minutes = row["duration"].removesuffix(" min")
        said = {name: row[name] for name in ("type", "title", "release_year", "rating", "description", "show_id")}
        files["netflix_titles"].append(
            {"duration_minutes": minutes, "duration_seasons": "", "date_added": "9/9/2019", **said}
        )
        for name, column in SPLIT_LISTS.items():
            files[f"netflix_{name}"] += [{column: i, "show_id": row["show_id"]} for i in row[column].split(", ")]
    return {source: as_csv(rows) for source, rows in files.items()}


@dataclass
class Lakehouse:
    """Where deliveries land and where the tables lie."""

    root: Path

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def tables(self) -> Path:
        return self.root / "lake"

    @property
    def settings(self) -> Settings:
        return Settings(landing=self.landing, lake=self.tables)

    @property
    def sources(self) -> Sources:
        return load_sources(self.settings.sources)

    def land(self, source: str, day: str, content: str | bytes, name: str = "file.csv") -> Path:
        """Put a file into a delivery."""
        path = self.landing / source / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def release(self, day: str, *titles: Row) -> Path:
        """Deliver a whole release."""
        return self.land("netflix_catalogue", day, as_csv(titles))

    def split(self, day: str, *titles: Row, without: Sequence[str] = ()) -> None:
        """Deliver a release in the split form."""
        for source, content in split_files(titles).items():
            if source not in without:
                self.land(source, day, content)

    def build(
        self, *days: str, feed: str = "catalogue", only: Iterable[str] | None = None, run_id: str = "test"
    ) -> dict[str, Report]:
        """Have the runner build some dates of a feed; raises what goes wrong. Returns the reports by table."""
        tables = feed_tables(feed) if only is None else only
        with Session(self.settings, self.sources, run_id, tables, {feed: days}) as session:
            return {name: session.build(name) for name in session.tables}

    @property
    def life(self) -> Life:
        return Life.read(self.tables)

    def delivery(self, source: str, day: str) -> Delivery:
        """What has become of a delivery."""
        return self.life.deliveries[source, day]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table as any reader of Delta finds them; none if it was never written."""
        if not store.exists(self.tables, table):
            return []
        found = DeltaTable(store.location(self.tables, table)).to_pyarrow_table().to_pylist()
        return [{name: value for name, value in row.items() if name not in DIFFERS} for row in found]

    def days(self, table: str) -> set[str]:
        """The delivery dates that a table holds."""
        return {str(row["delivery_date"]) for row in self.rows(table)}

    def contents(self, *layers: str) -> Tables:
        """Everything that the tables of some layers (all by default) hold, comparable."""
        names = [name for name, table in TABLES.items() if table.layer in (layers or ("bronze", "silver", "gold"))]
        return {name: sorted(map(repr, self.rows(name))) for name in names}

    def versions(self) -> dict[str, int | None]:
        """The Delta version of every table."""
        return {name: store.version(self.tables, name) for name in TABLES}

    def quarantined(self, table: str, day: str) -> list[dict[str, Any]]:
        """What of a delivery lies in the quarantine."""
        found = self.rows("quality.quarantine")
        return [row for row in found if row["table_name"] == table and row["delivery_date"].isoformat() == day]


def everything(lake: Place) -> Tables:
    """Every row of every table and of the quarantine, on a folder or in ADLS, comparable."""
    found = {}
    for name in (*TABLES, QUARANTINE.name):
        rows = store.read_arrow(lake, name)
        listed = rows.to_pylist() if rows is not None else []
        found[name] = sorted(repr({k: v for k, v in row.items() if k not in DIFFERS}) for row in listed)
    return found
