"""A lakehouse and an ephemeral Dagster instance that builds it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG as RANGE_END
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_START_TAG as RANGE_START

from netflix_dagster.build.door import content_hash, fingerprint
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.definitions import defs
from netflix_dagster.defs.checks import asset_key
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster_tests.lakehouse import Lakehouse

SENSOR: dg.SensorDefinition | None = next(
    (sensor for sensor in defs.sensors or () if sensor.name == "catalogue_landing_sensor"), None
)
"""None where a queue tells of what lands."""
PARTITIONS = "catalogue_deliveries"
QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


@dataclass
class House(Lakehouse):
    """A lakehouse and the Dagster instance that knows of it."""

    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)
    result: dg.ExecuteInProcessResult | None = None
    """The run that built the house, if one did."""

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
        path = super().land(source, day, content, name)
        self.instance.add_dynamic_partitions(PARTITIONS, [day])
        return path

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
        whole = defs.resolve_job_def(job)
        chosen = frozenset(map(asset_key, only)) if only is not None else None
        part = whole.get_subset(asset_selection=chosen, asset_check_selection=frozenset()) if chosen else whole
        return part.execute_in_process(
            run_config={"loggers": QUIET, "resources": {"lake": {"config": here}}, "ops": dict(config or {})},
            instance=self.instance,
            partition_key=partition_key,
            tags=dict(tags or {}),
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


@dataclass
class Watch:
    """A landing sensor as the daemon runs it: partitions are added and the cursor is kept from tick to tick."""

    house: House
    sensor: dg.SensorDefinition = SENSOR
    cursor: str | None = None

    def evaluate(self) -> dg.SensorResult:
        """A tick of which the daemon keeps nothing: it crashes."""
        with dg.build_sensor_context(
            instance=self.house.instance, cursor=self.cursor, resources={"lake": self.house.lake}
        ) as context:
            found = self.sensor(context)
        if isinstance(found, dg.SkipReason):
            return dg.SensorResult(skip_reason=found, cursor=self.cursor)
        assert isinstance(found, dg.SensorResult)
        return found

    def tick(self) -> dg.SensorResult:
        found = self.evaluate()
        for request in found.dynamic_partitions_requests or ():
            self.house.instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
        self.cursor = found.cursor
        return found

    def requests(self) -> list[dg.RunRequest]:
        return list(self.tick().run_requests or ())

    def dates(self) -> list[str]:
        """The delivery dates that a tick requests one by one."""
        return sorted(str(request.partition_key) for request in self.requests())

    def skips(self) -> str:
        """Why a tick requests nothing."""
        found = self.tick()
        assert not found.run_requests and found.skip_reason is not None
        return str(found.skip_reason.skip_message)

    def land(self, source: str, day: str, content: str, name: str = "file.csv") -> Path:
        """Put a file into a delivery; the partition is the sensor's business."""
        return Lakehouse.land(self.house, source, day, content, name)

    def note_built(self) -> None:
        """Write down that all that has landed was accepted, stands and is in every table, as the runs would."""
        sources, told = self.house.sources, []
        for found in list_landing(self.house.landing, sources).deliveries:
            feed = sources.sources[found.source].feed
            attempt = Event(
                Status.ACCEPTED,
                feed,
                found.date,
                found.source,
                fingerprint=fingerprint(found, [content_hash(file) for file in found.files]),
                mark=found.fingerprint,
                files=len(found.files),
                bytes=sum(file.size for file in found.files),
            )
            ended = Event(Status.ENDED, feed, found.date, tables=tuple(feed_tables(feed)), outcome="built", run_id="x")
            told += [attempt, replace(attempt, status=Status.STANDING), ended]
        life.record(self.house.tables, told)


def checks(result: dg.ExecuteInProcessResult, table: str) -> dict[tuple[str, str | None], dg.AssetCheckEvaluation]:
    """The check evaluations of a run on one table, by check and partition."""
    found = [e for e in result.get_asset_check_evaluations() if e.asset_key == asset_key(table)]
    return {(e.check_name, e.partition): e for e in found}


def materialized(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], dg.AssetMaterialization]:
    """The materialisations of a run by table and partition."""
    events = [event.materialization for event in result.all_events if event.is_step_materialization]
    return {(".".join(event.asset_key.path), event.partition): event for event in events}


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """Why steps of a run failed."""
    steps = [said for said in result.all_events if said.is_step_failure]
    return [f"{said.step_key}: {said.step_failure_data.error_display_string}" for said in steps]
