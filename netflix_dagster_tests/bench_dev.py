"""What a person waits for under ``dagster dev``: a landed file in gold, and a backfill of two partitions."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import netflix_dagster.tables  # noqa: F401  declares the tables
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster_tests.browser.dagster_dev import LAST_TABLES, DagsterDev

FEED, SOURCE = "catalogue", "netflix_catalogue"
BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""
WITHIN = 600.0


def main(scratch: Path) -> None:
    """Print a line for each. The sample is built first, by the sensors."""
    dagster = DagsterDev(scratch)
    with dagster.running():
        dagster.wait_for_gold()
        sys.stdout.write(f"landed file to gold, under dagster dev     {_landed(dagster):6.2f} s" + "\n")
        sys.stdout.write(f"backfill of two partitions, as in the UI   {_backfill(dagster):6.2f} s" + "\n")


def _landed(dagster: DagsterDev) -> float:
    """The newest release lands once more, a day later: until its last gold table is there."""
    last = sorted((dagster.landing / SOURCE).iterdir())[-1]
    day = (date.fromisoformat(last.name) + timedelta(days=1)).isoformat()
    aside = dagster.landing / SOURCE / f".{day}"
    shutil.copytree(last, aside)
    started = time.perf_counter()
    aside.rename(dagster.landing / SOURCE / day)
    return _until(started, lambda: dagster.is_in(LAST_TABLES[FEED], day))


def _backfill(dagster: DagsterDev) -> float:
    days = dagster.deliveries[:2]
    tables = [name.split(".") for name, table in TABLES.items() if table.feed == FEED]
    params = {"partitionNames": days, "assetSelection": [{"path": path} for path in tables]}
    started = time.perf_counter()
    launched = dagster.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def is_over() -> bool:
        status = dagster.ask(STATUS, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        assert status not in ("FAILED", "COMPLETED_FAILED", "CANCELED"), status
        return bool(status == "COMPLETED_SUCCESS")

    return _until(started, is_over)


def _until(started: float, is_so: Callable[[], bool]) -> float:
    while not is_so():
        if time.perf_counter() - started > WITHIN:
            raise TimeoutError(f"not within {WITHIN:.0f} seconds")
        time.sleep(0.2)
    return time.perf_counter() - started
