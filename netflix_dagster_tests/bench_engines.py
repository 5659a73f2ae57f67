"""Sail against Apache Spark: the same deliveries built by both, the sample and a hundred times its rows.

Part of ``make bench``; alone: ``python -m netflix_dagster_tests.bench_engines``. What is measured are the tables of the
catalogue, from bronze to gold, in one process each: the first time (the engine has just started) and once more.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from netflix_dagster.engine.sessions import missing
from netflix_dagster.sample import write_sample
from netflix_dagster.settings import Settings

TIMES = 100
SOURCE = "netflix_catalogue"
BUILD = """
import json, time
import netflix_dagster.tables
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.engine import sessions
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import get_settings
settings = get_settings()
days = sorted(folder.name for folder in (settings.landing / "netflix_catalogue").iterdir())
sources, names = load_sources(), feed_tables("catalogue")
started = time.perf_counter()
sessions.session(settings)
seconds, rows = [time.perf_counter() - started], 0
for _ in range(2):
    started = time.perf_counter()
    with Session(settings, sources, "bench", names, {"catalogue": days}, again=True) as session:
        rows = sum(session.build(name).total_rows for name in names)
    seconds.append(time.perf_counter() - started)
print(json.dumps({"seconds": seconds, "rows": rows}))
"""


def main(folder: Path, times: int = TIMES) -> None:
    """Run both engines on both sizes and print what they took, and the ratio."""
    if why := missing(Settings(engine="spark")):
        _say(f"sail against spark: not measured. {why}")
        return
    write_sample(folder / "sample")
    for what, landing in (
        ("the sample", multiplied(folder / "sample", folder / "small", 1)),
        (f"{times} times its rows", multiplied(folder / "sample", folder / "large", times)),
    ):
        took = {engine: _built(landing, folder / f"{landing.name}_{engine}", engine) for engine in ("sail", "spark")}
        sail, spark = took["sail"]["seconds"], took["spark"]["seconds"]
        if took["sail"]["rows"] != took["spark"]["rows"]:
            sys.exit(f"the engines built {took['sail']['rows']} rows and {took['spark']['rows']}")
        _say(f"catalogue to gold, {what}: {took['sail']['rows']:,} rows in all tables")
        for name, place in (("engine started", 0), ("first", 1), ("again", 2)):
            ratio = spark[place] / sail[place]
            _say(f"  {name:<15} sail {sail[place]:7.2f} s   spark {spark[place]:7.2f} s   ratio {ratio:5.1f}")


def multiplied(sample: Path, landing: Path, times: int) -> Path:
    """The releases of the sample with each title so many times, each under a name and number of its own."""
    for file in sorted((sample / SOURCE).glob("*/*.csv")):
        with file.open(encoding="utf-8-sig", newline="") as delivered:
            header, *records = csv.reader(delivered)
        number, title = header.index("show_id"), header.index("title")
        place = landing / SOURCE / file.parent.name / file.name
        place.parent.mkdir(parents=True)
        with place.open("w", encoding="utf-8", newline="") as copy:
            writer = csv.writer(copy)
            writer.writerow(header)
            for n in range(times):
                for record in records:
                    own = list(record)
                    if n and own[title] and own[number]:
                        own[title], own[number] = f"{own[title]} {n}", f"{own[number]}{n:03}"
                    writer.writerow(own)
    return landing


def _built(landing: Path, lake: Path, engine: str) -> dict[str, list[float]]:
    places = {"NETFLIX_LANDING": str(landing), "NETFLIX_LAKE": str(lake), "NETFLIX_ENGINE": engine}
    call = [sys.executable, "-c", BUILD]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, **places})
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
