"""A run that is killed under ``dagster dev`` comes back by itself, ends, and leaves the tables that it should."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from netflix_dagster.deliveries.life import Life
from netflix_dagster.lake import lock, store
from netflix_dagster_tests.browser.dagster_dev import DagsterDev
from netflix_dagster_tests.lakehouse import Lakehouse, as_csv, title

FIRST, SECOND = "2020-01-01", "2020-02-01"
RELEASE = as_csv(map(title, range(12)))
BACK_WITHIN = 60.0
"""Seconds in which a killed run is started again; how long it then takes is the machine's business."""


class SmallDev(DagsterDev):
    """One small release, and no chart."""

    def _landed(self) -> dict[str, list[str]]:
        self.land(FIRST)
        return {"catalogue": [FIRST]}

    def land(self, day: str) -> None:
        path = self.landing / "netflix_catalogue" / day / "file.csv"
        path.parent.mkdir(parents=True)
        path.write_text(RELEASE)

    def wait_until(self, what: str, lacking: object, seconds: float = 120.0) -> None:
        self._wait(seconds, what, lacking)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDev]:
    made = SmallDev(tmp_path_factory.mktemp("killed"))
    with made.running():
        yield made


def test_a_killed_run_comes_back_and_ends(dev: SmallDev, tmp_path: Path) -> None:
    dev.wait_until("the first delivery is built", lambda: None if _built(dev, FIRST) else "not yet")
    dev.land(SECOND)
    pid = _kill_at_work(dev)

    def taken_up() -> str | None:
        worker = _worker(dev)
        return None if worker not in (None, pid) or _built(dev, SECOND) else f"runs: {_statuses(dev)}"

    dev.wait_until("another process is at work on the delivery", taken_up, BACK_WITHIN)
    dev.wait_until("the delivery is built", lambda: None if _built(dev, SECOND) else f"runs: {_statuses(dev)}")
    dev.wait_until("every run has ended", lambda: None if not _under_way(dev) else f"runs: {_statuses(dev)}")
    assert not lock.is_held(dev.lake, "catalogue")

    quiet = Lakehouse(tmp_path)
    for day in (FIRST, SECOND):
        quiet.land("netflix_catalogue", day, RELEASE)
    quiet.build(FIRST, SECOND)
    built = Lakehouse(dev.lake.parent)
    assert built.contents() == quiet.contents()


def _built(dev: SmallDev, day: str) -> bool:
    """Whether a delivery stands and every table of its chain is built."""
    if not store.exists(dev.lake, "quality.deliveries"):
        return False
    life = Life.read(dev.lake)
    delivery = life.deliveries.get(("netflix_catalogue", day))
    return bool(delivery and delivery.standing and not life.due("catalogue", day))


def _worker(dev: SmallDev) -> int | None:
    """The process that builds the feed now."""
    file = dev.lake / lock.FOLDER / "catalogue.lock"
    if not lock.is_held(dev.lake, "catalogue"):
        return None
    found = re.search(r"process (\d+)", file.read_text())
    return int(found[1]) if found else None


def _kill_at_work(dev: SmallDev) -> int:
    """Kill the process of a run while it writes tables."""
    version = store.version(dev.lake, "silver.titles") or 0
    dev.wait_until(
        "a run has written a table of the delivery",
        lambda: None if (store.version(dev.lake, "silver.titles") or 0) > version else f"runs: {_statuses(dev)}",
    )
    worker = _worker(dev)
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    return worker


def _statuses(dev: SmallDev) -> list[str]:
    return [run["status"] for run in dev.runs()]


def _under_way(dev: SmallDev) -> list[str]:
    return [status for status in _statuses(dev) if status not in ("SUCCESS", "FAILURE", "CANCELED")]
