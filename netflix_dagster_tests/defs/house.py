"""A small house to test in: a landing folder, a lake and an ephemeral Dagster instance, and deliveries made by hand."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
from deltalake import DeltaTable

from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.jobs import feed_tables
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.sensors import RANGE_END, RANGE_START
from netflix_dagster.deliveries import ledger
from netflix_dagster.lake import store

PARTITIONS = "catalogue_deliveries"
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}
DIFFERS = {"loaded_at", "run_id", "refused_at", "recorded_at"}
"""Columns that may differ between two builds of the same bytes."""

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


SPLIT_LISTS = {"cast": "cast", "category": "listed_in", "countries": "country", "directors": "director"}


@dataclass
class House:
    """Where deliveries land, where the tables lie, and the Dagster instance that knows of them."""

    root: Path
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    result: dg.ExecuteInProcessResult | None = None
    """The run that built the house, if one did."""

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def tables(self) -> Path:
        return self.root / "lake"

    @property
    def lake(self) -> Lake:
        return Lake(landing=str(self.landing), lake=str(self.tables), engine="sail")

    def copy(self, root: Path) -> House:
        """Another house with the same deliveries and tables, of which a new instance knows the partitions."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        other = House(root)
        other.instance.add_dynamic_partitions(PARTITIONS, self.instance.get_dynamic_partitions(PARTITIONS))
        return other

    def land(self, source: str, day: str, content: str | bytes, name: str = "file.csv") -> Path:
        """Put a file into a delivery. The partition is made as well, as the sensor would do."""
        path = self.landing / source / day / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.instance.add_dynamic_partitions(PARTITIONS, [day])
        return path

    def release(self, day: str, *titles: Row) -> Path:
        """Deliver a whole release."""
        return self.land("netflix_catalogue", day, as_csv(titles))

    def split(self, day: str, *titles: Row, without: Sequence[str] = ()) -> None:
        """Deliver a release in the split form."""
        for source, content in split_files(titles).items():
            if source not in without:
                self.land(source, day, content)

    def run(self, *days: str, only: Iterable[str] | None = None) -> dg.ExecuteInProcessResult:
        """Run the feed's job for one delivery, or for the range from the first to the last."""
        if len(days) == 1:
            return self.execute(partition_key=days[0], only=only)
        return self.execute(tags={RANGE_START: days[0], RANGE_END: days[-1]}, only=only)

    def execute(
        self,
        *,
        partition_key: str | None = None,
        tags: Mapping[str, str] | None = None,
        only: Iterable[str] | None = None,
        job: str = "catalogue_delivery",
        config: Mapping[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job in this process, as a run request would."""
        here = {"landing": str(self.landing), "lake": str(self.tables)}
        return defs.resolve_job_def(job).execute_in_process(
            run_config={"loggers": QUIET, "resources": {"lake": {"config": here}}, "ops": dict(config or {})},
            instance=self.instance,
            partition_key=partition_key,
            tags=dict(tags or {}),
            asset_selection=[asset_key(name) for name in only] if only is not None else None,
            raise_on_error=False,
        )

    def request(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Run what a sensor has requested."""
        only = [".".join(key.path) for key in request.asset_selection or ()]
        return self.execute(partition_key=request.partition_key, tags=request.tags, only=only)

    @staticmethod
    def checks_of(feed: str) -> set[dg.AssetCheckKey]:
        """Every check on the tables of a feed's chain."""
        graph = defs.resolve_asset_graph()
        keys = [asset_key(name) for name in feed_tables(feed)]
        return {check for key in keys for check in graph.get_check_keys_for_assets([key])}

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, of none if it was never written."""
        if not store.exists(self.tables, table):
            return []
        found = DeltaTable(store.location(self.tables, table)).to_pyarrow_table().to_pylist()
        return [{name: value for name, value in row.items() if name not in DIFFERS} for row in found]

    def contents(self, *layers: str) -> Tables:
        """Everything that the tables of some layers (all by default) hold, comparable."""
        names = [name for name, table in TABLES.items() if table.layer in (layers or ("bronze", "silver", "gold"))]
        return {name: sorted(map(repr, self.rows(name))) for name in names}

    def versions(self) -> dict[str, int | None]:
        """The Delta version of every table."""
        return {name: store.version(self.tables, name) for name in TABLES}

    def standing(self, source: str, day: str) -> ledger.Entry:
        """What the ledger says of a delivery."""
        return ledger.latest(self.tables)[source, day]

    def quarantined(self, table: str, day: str) -> list[dict[str, Any]]:
        """What of a delivery lies in the quarantine."""
        found = self.rows("quality.quarantine")
        return [row for row in found if row["table_name"] == table and row["delivery_date"].isoformat() == day]


def checks(result: dg.ExecuteInProcessResult, table: str) -> dict[tuple[str, str | None], dg.AssetCheckEvaluation]:
    """The check evaluations of a run on one table, by check and partition."""
    found = [e for e in result.get_asset_check_evaluations() if e.asset_key == asset_key(table)]
    return {(e.check_name, e.partition): e for e in found}


def materialized(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], dg.AssetMaterialization]:
    """The materialisations of a run by table and partition."""
    events = [event.materialization for event in result.all_events if event.is_step_materialization]
    return {(".".join(event.asset_key.path), event.partition): event for event in events}
