"""``dagster dev`` as a user starts it, on a new lake with the sample deliveries, and questions to its GraphQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from netflix_dagster.landing.sources import load_sources
from netflix_dagster.sample import write_sample

REPO = Path(__file__).parents[2]
LAST_TABLES = {"catalogue": "gold.kpi_catalogue", "charts": "gold.kpi_top10", "engagement": "gold.fact_engagement"}
"""What of each feed is built last."""
ANSWERS_WITHIN = 240.0
GOLD_WITHIN = 600.0
LOOKS_FOR_LOST_RUNS = "poll_interval_seconds: 10"
"""What is made shorter here."""

ENTRIES = """{ workspaceOrError { __typename ... on PythonError { message }
  ... on Workspace { locationEntries { name locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
RUNS = """{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"""
MATERIALIZED = """query($key: AssetKeyInput!, $partitions: [String!]) { assetNodeOrError(assetKey: $key) {
  ... on AssetNode { latestMaterializationByPartition(partitions: $partitions) { runId partition } } } }"""
ASSETS = """{ assetNodes { assetKey { path } groupName } }"""


class DagsterDev:
    """A landing folder, a lake, and the Dagster that watches over them."""

    def __init__(self, root: Path, built: tuple[Path, Path] | None = None) -> None:
        """``built``: landing folder and lake that `netflix-dagster run` has built; else new ones in ``root``."""
        self.landing, self.lake = built or (root / "landing", root / "lake")
        self.log = root / "dagster-dev.log"
        self.feeds = self._landed()
        self.deliveries = self.feeds["catalogue"]
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start, wait until it answers; in the end stop it and everything that it started."""
        home = self.lake / ".dagster"
        home.mkdir(parents=True, exist_ok=True)
        said = (REPO / "dagster.yaml").read_text()
        assert LOOKS_FOR_LOST_RUNS in said
        (home / "dagster.yaml").write_text(said.replace(LOOKS_FOR_LOST_RUNS, "poll_interval_seconds: 1"))
        command = [str(Path(sys.executable).with_name("dagster")), "dev", "-w", "workspace.yaml"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), "--host", "127.0.0.1"],
                cwd=REPO,
                env=self._environment(home),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # What a shell starts in the background ignores interrupts; Dagster would then ignore SIGTERM as well.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            )
        try:
            self._wait(ANSWERS_WITHIN, "dagster dev answers with a code location that loads", self._loaded)
            yield
        finally:
            self._stop()

    def wait_for_gold(self) -> None:
        """Wait until the newest delivery of every feed is in its last gold table and every run has ended."""
        self._wait(GOLD_WITHIN, f"the sensors have brought all of {self.feeds} to {LAST_TABLES}", self._in_gold)

    def runs(self) -> list[dict[str, Any]]:
        """Every run: its id, its status and its tags."""
        found: list[dict[str, Any]] = self.ask(RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def assets(self) -> dict[str, set[str]]:
        """Group by group the names of its assets."""
        groups: dict[str, set[str]] = {}
        for asset in self.ask(ASSETS)["assetNodes"]:
            groups.setdefault(asset["groupName"], set()).add(asset["assetKey"]["path"][-1])
        return groups

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data that GraphQL answers a query with."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = json.load(answer)
        assert not said.get("errors"), said["errors"]
        data: dict[str, Any] = said["data"]
        return data

    def _environment(self, home: Path) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("NETFLIX_", "DAGSTER_"))}
        return own | {
            "NETFLIX_ENV": "local",
            "NETFLIX_ENGINE": "sail",
            "NETFLIX_LANDING": str(self.landing),
            "NETFLIX_LAKE": str(self.lake),
            "DAGSTER_HOME": str(home),
        }

    def _loaded(self) -> str | None:
        try:
            workspace = self.ask(ENTRIES)["workspaceOrError"]
        except OSError as not_yet:
            return str(not_yet)
        entries = workspace.get("locationEntries") or []
        loads = [entry["locationOrLoadError"] for entry in entries]
        for failed in (load for load in [workspace, *loads] if load and load["__typename"] == "PythonError"):
            raise AssertionError(f"the code location does not load: {failed['message']}")
        return None if loads and all(loads) else "the code location is loading"

    def _in_gold(self) -> str | None:
        runs = self.runs()
        lost = [run for run in runs if run["status"] in ("FAILURE", "CANCELED")]
        assert not lost, f"a run that a sensor asked for did not succeed: {lost}"
        arrived = [feed for feed, table in LAST_TABLES.items() if self.is_in(table, self.feeds[feed][-1])]
        if len(arrived) == len(self.feeds) and all(run["status"] == "SUCCESS" for run in runs):
            return None
        return f"materialised: {arrived}, runs: {[run['status'] for run in runs]}"

    def is_in(self, table: str, delivery: str) -> bool:
        """Whether a table has been materialised for a delivery."""
        asset = self.ask(MATERIALIZED, key={"path": table.split(".")}, partitions=[delivery])["assetNodeOrError"]
        return any(asset.get("latestMaterializationByPartition", []))

    def _landed(self) -> dict[str, list[str]]:
        """The sample deliveries, and their dates feed by feed."""
        sources, found = load_sources().sources, dict[str, set[str]]()
        for file in write_sample(self.landing):
            found.setdefault(sources[file.parts[-3]].feed, set()).add(file.parent.name)
        return {feed: sorted(days) for feed, days in found.items()}

    def _wait(self, seconds: float, what: str, lacking: Callable[[], str | None]) -> None:
        until = time.monotonic() + seconds
        while lacks := lacking():
            if self.process.poll() is not None:
                raise AssertionError(f"dagster dev has ended with {self.process.returncode}")
            if time.monotonic() > until:
                raise AssertionError(f"not within {seconds:.0f} seconds: {what}; {lacks}")
            time.sleep(0.5)

    def _stop(self) -> None:
        """All of it at once: asked to end, its services take seconds to take leave of each other."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
