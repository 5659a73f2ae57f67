"""A platform in the cloud, all of it here: a workspace of Databricks, zones in Azurite, and a Dagster instance."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG as RANGE_END
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG as RANGE_START
from deltalake import DeltaTable

from netflix_dagster import storage
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.defs.assets import table_assets
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.databricks import LakeOnDatabricks
from netflix_dagster.defs.jobs import feed_job
from netflix_dagster.lake import lock, store
from netflix_dagster.landing.sources import load_sources
from netflix_dagster_tests.defs.house import PARTITIONS, QUIET
from netflix_dagster_tests.emulators.azurite import ACCOUNT
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.lakehouse import DIFFERS, Row, as_csv

VOLUME = "/Volumes/main/netflix/wheels"
CLUSTER = "0101-120000-abcdefgh"
CHAIN = (
    "bronze.netflix_catalogue",
    "silver.titles",
    "silver.title_genres",
    "silver.releases",
    "gold.dim_genre",
)
"""A short chain: what each of these reads of the feed is among them or was never delivered."""


@dataclass
class Cloud:
    """Every test has a folder of its own in the zones, so that they do not meet."""

    workspace: Workspace
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @property
    def landing(self) -> storage.AzureFolder:
        return storage.AzureFolder(ACCOUNT, "landing", self.name)

    @property
    def tables(self) -> storage.AzureFolder:
        return storage.AzureFolder(ACCOUNT, storage.ZONE, self.name)

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that works on this lake."""
        return {"NETFLIX_LANDING": str(self.landing), "NETFLIX_LAKE": str(self.tables), "NETFLIX_COMPUTE": "databricks"}

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a process that has tables built in the workspace, but for the wheel."""
        return {
            **self.workspace.environment,
            "NETFLIX_DATABRICKS_CLUSTER": CLUSTER,
            "NETFLIX_DATABRICKS_ENGINE": "sail",
            "NETFLIX_DATABRICKS_POLL_SECONDS": "0.2",
            "NETFLIX_DATABRICKS_TAGS": json.dumps({"project": "netflix-dagster", "costcentre": "4711"}),
        }

    @cached_property
    def defs(self) -> dg.Definitions:
        """What the code location holds when tables are built on Databricks."""
        return dg.Definitions(
            assets=table_assets("databricks"),
            jobs=[feed_job(feed) for feed in load_sources(None).feeds.values()],
            resources={"lake": LakeOnDatabricks(landing=str(self.landing), lake=str(self.tables), engine="sail")},
            executor=dg.in_process_executor,
        )

    def release(self, day: str, *titles: Row) -> None:
        """Deliver a whole release of the catalogue."""
        storage.write(self.landing / "netflix_catalogue" / day / "file.csv", as_csv(titles).encode())
        self.instance.add_dynamic_partitions(PARTITIONS, [day])

    def run(
        self, *days: str, only: Iterable[str] | None = None, tags: Mapping[str, str] | None = None, run_id: str = ""
    ) -> dg.ExecuteInProcessResult:
        """Run the feed's job for one delivery, or for the range from the first to the last."""
        span = {} if len(days) == 1 else {RANGE_START: days[0], RANGE_END: days[-1]}
        return self.defs.resolve_job_def("catalogue_delivery").execute_in_process(
            run_config={"loggers": QUIET},
            instance=self.instance,
            partition_key=days[0] if len(days) == 1 else None,
            tags={**span, **(tags or {})},
            asset_selection=[asset_key(name) for name in only] if only is not None else None,
            raise_on_error=False,
            run_id=run_id or None,
        )

    def unlock(self) -> None:
        """What a killed job has locked is free after half a minute (``storage/test_lock.py``); here at once."""
        storage.remove(self.tables / lock.FOLDER)

    def upload(self, wheel: Path) -> str:
        """Put the wheel where the workspace installs it from; its path there."""
        from databricks.sdk import WorkspaceClient

        there = f"{VOLUME}/{wheel.name}"
        with wheel.open("rb") as file:
            WorkspaceClient(host=self.workspace.url, token=self.workspace.token).files.upload(
                there, file, overwrite=True
            )
        return there

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, of none if it was never written."""
        if store.version(self.tables, table) is None:
            return []
        place = storage.at(store.location(self.tables, table))
        found = DeltaTable(str(place), storage_options=storage.delta_options(place)).to_pyarrow_table().to_pylist()
        return sorted(({name: value for name, value in row.items() if name not in DIFFERS} for row in found), key=repr)

    def contents(self, names: Iterable[str] = ()) -> dict[str, list[dict[str, Any]]]:
        return {name: self.rows(name) for name in (names or TABLES)}

    def versions(self) -> dict[str, int | None]:
        return {name: store.version(self.tables, name) for name in TABLES}


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Why the run's step failed."""
    (failed,) = result.get_step_failure_events()
    data = failed.step_failure_data
    causes = [data.error, data.error.cause if data.error else None]
    text = data.user_failure_data.description if data.user_failure_data else None
    return text or "\n".join(str(cause.message) for cause in causes if cause)


def wait_for(true: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"waited in vain for: {what}"
        time.sleep(0.05)
