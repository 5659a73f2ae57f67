"""What a landing folder in ADLS costs, measured on Azurite: ticks over many seen files, and from upload to gold.

Part of ``make bench``; alone: ``python -m netflix_dagster_tests.bench_landing``. Azurite answers in milliseconds: in
Azure each request takes some more, which is why their number is told as well.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from netflix_dagster.contracts.graph import touched_tables
from netflix_dagster.defs import landing_events, sensors
from netflix_dagster.defs.resources import Lake
from netflix_dagster.deliveries import life
from netflix_dagster.deliveries.life import Event, Status
from netflix_dagster.landing.deliveries import Delivery, list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.storage import AzureFolder, write
from netflix_dagster_tests.browser.dagster_dev import LAST_TABLES, DagsterDev
from netflix_dagster_tests.emulators.account import LANDING, empty, in_use, requests_counted
from netflix_dagster_tests.emulators.azurite import ACCOUNT, Azurite, azurite, missing
from netflix_dagster_tests.emulators.eventgrid import Queue, event

SEEN = 10_000
QUEUE = "arrivals"


def main(folder: Path) -> None:
    """Run every measurement and print its line."""
    if why := missing():
        _say(f"landing in ADLS: not measured. {why}")
        return
    settings = {"NETFLIX_LANDING": str(LANDING), "NETFLIX_LANDING_EVENTS": QUEUE}
    with azurite() as account, in_use({**account.environment, **settings}):
        empty(account, QUEUE, f"{QUEUE}-poison")
        _upload_to_gold(account, folder / "dev")
        empty(account, QUEUE, f"{QUEUE}-poison")
        _ticks(account, folder / "ticks")


def _ticks(account: Azurite, folder: Path) -> None:
    sources = load_sources()
    feed, known = sources.feeds["catalogue"], {name: set[str]() for name in sources.feeds}
    days = [(date(1998, 1, 1) + timedelta(days=n)).isoformat() for n in range(SEEN)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda day: write(LANDING / "netflix_catalogue" / day / "titles.csv", b"show_id"), days))
    lake = Lake(landing=str(LANDING), lake=str(folder))
    found = list_landing(LANDING, sources).deliveries
    life.record(folder, as_built(found))

    runs = sensors.Runs(dg.DagsterInstance.ephemeral())

    def listed(cursor: sensors.Cursor) -> sensors.Cursor:
        said = sensors.tick(feed, sources, lake, cursor, set(), runs)
        return sensors.Cursor.load(said.cursor) if hasattr(said, "cursor") else cursor

    def told(cursor: landing_events.Cursor) -> landing_events.Cursor:
        return landing_events.Cursor.load(landing_events.tick(sources, lake.settings, cursor, known, runs).cursor)

    for name, take, start in (("listing", listed, sensors.Cursor()), ("events", told, landing_events.Cursor())):
        after = start
        for what in ("everything", "nothing new"):
            before, started = after, time.perf_counter()
            after = take(before)  # type: ignore[operator]
            seconds = time.perf_counter() - started
            with requests_counted(account) as counter:
                take(before)  # type: ignore[operator]
                requests = len(counter.take())
            _say(
                f"ADLS, tick over {SEEN:,} seen, {name}, {what:<12} {seconds:6.2f} s   (target 3), {requests} requests"
            )


def as_built(deliveries: Iterable[Delivery]) -> list[Event]:
    """The events by which deliveries of the catalogue, as they lie in landing now, stand in every table."""
    events = []
    for delivery in deliveries:
        tables = tuple(touched_tables("catalogue", [delivery.source]))
        about: Any = {"feed": "catalogue", "key": delivery.date, "source": delivery.source, "fingerprint": "f"}
        ended: Any = {"feed": "catalogue", "key": delivery.date, "tables": tables, "outcome": "built"}
        events.append(Event(Status.ACCEPTED, mark=delivery.fingerprint, files=1, bytes=7, records=1, **about))
        events += [Event(Status.STANDING, **about), Event(Status.ENDED, run_id="bench", **ended)]
    return events


class CloudDev(DagsterDev):
    """``dagster dev`` whose deliveries land in ADLS, in event mode; its tables lie there as well."""

    def __init__(self, root: Path, account: Azurite) -> None:
        super().__init__(root)
        self.account = account
        for file in sorted(self.landing.glob("*/*/*")):
            self.bring(file, file.parent.name)

    def bring(self, file: Path, day: str) -> str:
        """Upload a file of the sample as a delivery of a date."""
        source = file.parts[-3]
        write(LANDING / source / day / file.name, file.read_bytes())
        return f"{source}/{day}/{file.name}"

    def _environment(self, home: Path) -> dict[str, str]:
        return super()._environment(home) | {
            **self.account.environment,
            "NETFLIX_LANDING": str(LANDING),
            "NETFLIX_LANDING_EVENTS": QUEUE,
            "NETFLIX_LAKE": str(AzureFolder(ACCOUNT, "{zone}")),
        }


def _upload_to_gold(account: Azurite, folder: Path) -> None:
    dev = CloudDev(folder, account)
    release = sorted(dev.landing.glob("netflix_catalogue/*/*"))[-1]
    with dev.running():
        dev.wait_for_gold()
        for number in (1, 2):
            day = (date.fromisoformat(release.parent.name) + timedelta(days=number)).isoformat()
            started = time.perf_counter()
            Queue(account, QUEUE).send(event(dev.bring(release, day)))
            while not dev._is_in(LAST_TABLES["catalogue"], day):
                time.sleep(0.2)
            seconds = time.perf_counter() - started
            _say(f"ADLS, from upload to gold, by event         {seconds:6.2f} s   (target 5 + 15)")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.pop("DAGSTER_HOME", None)
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
