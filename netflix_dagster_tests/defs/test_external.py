"""Jobs of a Databricks workspace appear upstream, and their runs are told of once, seen by the real client."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from netflix_dagster.databricks.runs import JobNotFound
from netflix_dagster.defs.external import external_assets, external_key, external_sensors, landed_by
from netflix_dagster.landing.sources import PACKAGED, Sources, SourcesError, load_sources
from netflix_dagster_tests.emulators.databricks import Workspace
from netflix_dagster_tests.emulators.databricks import workspace as a_workspace

NOW = int(time.time() * 1000)
CRAWL, REPORT = 11, 12
JOBS = {
    "crawl": {"job": "Netflix crawl", "description": "Fetches the charts", "lands": ["top10_global", "most_popular"]},
    "report": {"job": REPORT, "description": "Fetches the half-year's report", "lands": ["engagement"]},
}


def sources_with(tmp_path: Path, jobs: object) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(PACKAGED.read_text() + "\n" + yaml.safe_dump({"external_jobs": jobs}))
    return path


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return load_sources(sources_with(tmp_path, JOBS))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    with a_workspace(tmp_path / "databricks") as made:
        made.jobs.names.update({CRAWL: "Netflix crawl", REPORT: "report"})
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


class Watch:
    """The sensor as the daemon runs it: the cursor is kept and the events are written down."""

    def __init__(self, sources: Sources) -> None:
        (self.sensor,) = external_sensors(sources)
        self.cursor: str | None = None
        self.instance = dg.DagsterInstance.ephemeral()

    def tick(self) -> list[tuple[str, str, str]]:
        """One look: the kind of event, the job and the state, in the order told."""
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            found = self.sensor(context)
        assert isinstance(found, dg.SensorResult)
        self.cursor = found.cursor
        self.events = list(found.asset_events)
        return [(type(e).__name__, e.asset_key.path[-1], str(e.metadata["state"].value)) for e in self.events]


def test_a_run_is_told_once_when_it_has_ended(workspace: Workspace, sources: Sources) -> None:
    watch = Watch(sources)
    assert watch.tick() == []
    workspace.jobs.started(CRAWL, 1, NOW - 9000)
    workspace.jobs.started(CRAWL, 2, NOW - 8000)
    workspace.jobs.started(REPORT, 3, NOW - 8000)
    assert watch.tick() == []
    workspace.jobs.ended(2, NOW - 5000, "SUCCESS")
    workspace.jobs.ended(3, NOW - 6000, "FAILED", "the source is gone")
    assert sorted(watch.tick()) == [
        ("AssetMaterialization", "crawl", "SUCCESS"),
        ("AssetObservation", "report", "FAILED"),
    ]
    assert watch.tick() == []
    workspace.jobs.ended(1, NOW - 4000, "SUCCESS")  # began before the one that is told
    assert watch.tick() == [("AssetMaterialization", "crawl", "SUCCESS")]
    said = watch.events[0].metadata
    assert said["seconds"].value == 5.0
    assert said["databricks_run_id"].value == "1"
    assert str(said["databricks_run"].value).endswith(f"#job/{CRAWL}/run/1")
    assert watch.tick() == []


def test_many_runs_over_several_pages_are_told_in_the_order_of_their_ends(
    workspace: Workspace, sources: Sources
) -> None:
    for number in range(7):
        workspace.jobs.started(CRAWL, number, NOW - 1000)  # all in one instant
        workspace.jobs.ended(number, NOW + 100 - number, "SUCCESS")
    watch = Watch(sources)
    watch.tick()
    assert [e.metadata["databricks_run_id"].value for e in watch.events] == [str(n) for n in reversed(range(7))]
    workspace.jobs.started(CRAWL, 99, NOW - 1000)  # in the same instant as the last that is told
    workspace.jobs.ended(99, NOW + 200, "CANCELED")
    assert watch.tick() == [("AssetObservation", "crawl", "CANCELED")]


def test_a_repaired_run_is_told_again(workspace: Workspace, sources: Sources) -> None:
    workspace.jobs.started(CRAWL, 1, NOW - 9000)
    workspace.jobs.ended(1, NOW - 8000, "FAILED")
    watch = Watch(sources)
    assert watch.tick() == [("AssetObservation", "crawl", "FAILED")]
    workspace.jobs.ended(1, NOW - 1000, "SUCCESS")
    assert watch.tick() == [("AssetMaterialization", "crawl", "SUCCESS")]


def test_the_first_look_does_not_tell_of_long_ago(workspace: Workspace, sources: Sources) -> None:
    workspace.jobs.started(CRAWL, 1, NOW - 10 * 24 * 3600 * 1000)
    workspace.jobs.ended(1, NOW - 10 * 24 * 3600 * 1000 + 5, "SUCCESS")
    assert Watch(sources).tick() == []


def test_a_job_that_is_not_there_does_not_hide_the_others(workspace: Workspace, sources: Sources) -> None:
    workspace.jobs.names[CRAWL] = "renamed"
    workspace.jobs.started(REPORT, 3, NOW - 8000)
    workspace.jobs.ended(3, NOW - 6000, "SUCCESS")
    watch = Watch(sources)
    assert watch.tick() == [("AssetMaterialization", "report", "SUCCESS")]
    workspace.jobs.names[CRAWL] = "Netflix crawl"
    workspace.jobs.started(CRAWL, 4, NOW - 5000)
    workspace.jobs.ended(4, NOW - 4000, "SUCCESS")
    assert watch.tick() == [("AssetMaterialization", "crawl", "SUCCESS")]


def test_a_workspace_that_shows_no_job_fails_the_tick(workspace: Workspace, tmp_path: Path) -> None:
    watch = Watch(load_sources(sources_with(tmp_path, {"crawl": JOBS["crawl"]})))
    workspace.jobs.names.clear()
    with pytest.raises(JobNotFound, match="no job that one may see called 'Netflix crawl'"):
        watch.tick()
    workspace.jobs.names.update({1: "Netflix crawl", 2: "netflix crawl"})
    with pytest.raises(JobNotFound, match="has 2 jobs"):
        watch.tick()
    assert watch.cursor is None


def test_a_busy_workspace_is_asked_again(workspace: Workspace, sources: Sources) -> None:
    workspace.jobs.started(REPORT, 3, NOW - 8000)
    workspace.jobs.ended(3, NOW - 6000, "SUCCESS")
    workspace.fail_next(1, 429, "REQUEST_LIMIT_EXCEEDED")
    assert Watch(sources).tick() == [("AssetMaterialization", "report", "SUCCESS")]
    assert not workspace.faults[0].times


def test_the_jobs_lie_upstream_of_what_they_land(sources: Sources) -> None:
    crawl, report = sources.external_jobs.values()
    assert [spec.key for spec in external_assets(sources)] == [external_key(crawl), external_key(report)]
    assert landed_by(sources, "bronze.top10_global") == [external_key(crawl)]
    assert landed_by(sources, "bronze.engagement") == [external_key(report)]
    assert landed_by(sources, "bronze.netflix_cast") == landed_by(sources, "silver.engagement") == []


def test_without_jobs_there_is_nothing_to_look_at() -> None:
    packaged = load_sources()
    assert packaged.external_jobs == {}
    assert (external_assets(packaged), external_sensors(packaged)) == ([], [])


def test_the_code_location_loads_without_a_workspace(tmp_path: Path) -> None:
    """In a process of its own, which knows of no workspace and no token."""
    program = """
from netflix_dagster.definitions import defs
import dagster as dg
graph = defs.resolve_asset_graph()
crawl = dg.AssetKey(["external", "crawl"])
print(graph.get(crawl).is_external, crawl in graph.get(dg.AssetKey(["bronze", "top10_global"])).parent_keys)
print([sensor.name for sensor in defs.sensors if "external" in sensor.name])
"""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "NETFLIX_"))}
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={**own, "NETFLIX_SOURCES": str(sources_with(tmp_path, JOBS)), "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.stdout.splitlines() == ["True True", "['external_jobs_sensor']"], said.stderr


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({"crawl": {"job": 1, "description": "x", "lands": ["nothing"]}}, "there is no source 'nothing'"),
        ({"crawl": {"job": 1, "description": "x", "cron": "daily"}}, "external_jobs.crawl.cron: this key is not known"),
        ({"crawl": {"description": "x"}}, "external_jobs.crawl.job: Field required"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_line(tmp_path: Path, jobs: object, said: str) -> None:
    path = sources_with(tmp_path, jobs)
    with pytest.raises(SourcesError, match=rf"{path}:\d+: .*{said}"):
        load_sources(path)
