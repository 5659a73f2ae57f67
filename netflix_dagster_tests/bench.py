"""``make bench``: what the platform costs, measured now, on this machine. Nothing is asserted here.

On the real deliveries when they are there (``../shared/data/landing``, or ``NETFLIX_BENCH_LANDING``), else on the
sample. Every figure comes from one run of its own process, the first line of each from a warm file cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from netflix_dagster_tests import bench_dev, bench_engines, bench_events, bench_landing

ROOT = Path(__file__).parents[1]
SEEN = 10_000
EVENTS = 200


def main() -> None:
    """Run every measurement and print its line."""
    landing = Path(os.environ.get("NETFLIX_BENCH_LANDING", ROOT.parent / "shared" / "data" / "landing"))
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if not landing.is_dir():
            landing = scratch / "landing"
            _python("from netflix_dagster.sample import write_sample; write_sample(FOLDER)", landing)
        _say(f"deliveries: {landing}")
        _load()
        _compute(landing, scratch / "compute")
        _make_run(scratch / "sample", None)
        _make_run(scratch / "real", landing)
        _tick(scratch / "tick")
        _events(scratch / "events")
        _rules(scratch / "rules")
        _replay(landing, scratch / "replay")
        bench_dev.main(scratch / "dev")
        bench_engines.main(scratch / "engines")
        bench_landing.main(scratch / "adls")
        bench_events.main(scratch / "viewing")


def _load() -> None:
    code = "import time; t = time.perf_counter(); import netflix_dagster.definitions; print(time.perf_counter() - t)"
    seconds = min(float(_python(code)) for _ in range(3))
    _say(f"code location load                         {seconds:6.2f} s   (target 3)")


def _compute(landing: Path, lake: Path) -> None:
    code = """
import json, resource, time
from netflix_dagster.build.runner import Session
from netflix_dagster.contracts.graph import feed_tables
from netflix_dagster.engine import sessions
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.settings import Settings
import netflix_dagster.tables
import deltalake, pandas
settings, sources = Settings(landing=LANDING, lake=FOLDER), load_sources()
catalogue = feed_tables("catalogue")
split = [d.date for d in list_landing(settings.landing, sources, ["netflix_titles"]).deliveries][:1]
sessions.session(settings)
rounds = []
for _ in range(3):
    started = time.perf_counter()
    with Session(settings, sources, "bench", catalogue, {"catalogue": split}, again=True) as session:
        seconds = {name: round(session.build(name).seconds, 3) for name in catalogue}
    rounds.append(time.perf_counter() - started)
print(json.dumps({"first": rounds[0], "again": min(rounds[1:]), "tables": seconds,
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))
"""
    found = json.loads(_python(code, lake, landing))
    slowest = sorted(found["tables"].items(), key=lambda item: -item[1])[:4]
    _say(
        f"split files to all gold, in the process    {found['first']:6.2f} s   (target 3), again {found['again']:.2f} s"
    )
    _say(f"  slowest tables: {', '.join(f'{name} {seconds} s' for name, seconds in slowest)}")
    _say(f"  peak memory                              {found['memory']:6} MB  (target 1024)")


def _make_run(scratch: Path, landing: Path | None) -> None:
    """What ``make run`` does once the environment is there, into an empty lake, and again into a full one."""
    command = [str(Path(sys.executable).parent / "netflix-dagster")]
    what = "real deliveries" if landing else "sample"
    started = time.perf_counter()
    if landing is None:
        landing = scratch / "landing"
        subprocess.run([*command, "sample", str(landing)], check=True, capture_output=True)
    first = _run(command, landing, scratch / "lake")
    seconds = time.perf_counter() - started
    target = "(target 15)" if what == "sample" else ""
    _say(f"make run, warm, {what:<16}           {seconds:6.2f} s   {target}")
    _say(f"  peak memory                              {first['peak_memory_mb']:6} MB")
    started = time.perf_counter()
    _run(command, landing, scratch / "lake")
    _say(f"  a second time, nothing to do             {time.perf_counter() - started:6.2f} s")


def _run(command: list[str], landing: Path, lake: Path) -> dict[str, int]:
    call = [*command, "run", "--landing", str(landing), "--lake", str(lake), "--json"]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=_environment())
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _tick(scratch: Path) -> None:
    code = f"""
import time
from pathlib import Path
import dagster as dg
from netflix_dagster.defs.resources import Lake
from netflix_dagster.defs.sensors import Cursor, Runs, tick
from netflix_dagster.deliveries import life
from netflix_dagster.landing.deliveries import list_landing
from netflix_dagster.landing.sources import load_sources
from datetime import date, timedelta
from netflix_dagster_tests.bench_landing import as_built
sources = load_sources()
landing = Path(FOLDER) / "landing"
for n in range({SEEN}):
    day = (date(1998, 1, 1) + timedelta(days=n)).isoformat()
    folder = landing / "netflix_catalogue" / day
    folder.mkdir(parents=True)
    (folder / "titles.csv").write_text("show_id")
lake = Lake(landing=str(landing), lake=str(Path(FOLDER) / "lake"))
listing = list_landing(landing, sources)
life.record(lake.settings.lake, as_built(listing.deliveries))
feed, known = sources.feeds["catalogue"], [*{{delivery.date: None for delivery in listing.deliveries}}]
def asked(cursor):
    started = time.perf_counter()
    said = tick(feed, sources, lake, cursor, known, Runs(dg.DagsterInstance.ephemeral()))
    return time.perf_counter() - started, Cursor.load(said.cursor) if hasattr(said, "cursor") else cursor
first, cursor = asked(Cursor())
again, _ = asked(cursor)
print(first, again)
"""
    first, again = _python(code, scratch).split()
    _say(f"landing tick over {SEEN:,} seen files        {float(first):6.2f} s   (target 2)")
    _say(f"  nothing changed since the last           {float(again):6.2f} s")


def _events(scratch: Path) -> None:
    """What Dagster takes to write an event down: with its own event log, with ours, and many at once."""
    code = f"""
import os, time
from pathlib import Path
import dagster as dg
from dagster._core.events import StepMaterializationData
from dagster._core.test_utils import create_run_for_test
from netflix_dagster.cli.home import CONFIG, PACKAGED
from netflix_dagster.defs.event_rows import at_once
FOLDER.mkdir(parents=True)
(FOLDER / "dagster.yaml").write_bytes((CONFIG if CONFIG.exists() else PACKAGED).read_bytes())
(FOLDER / "theirs.yaml").write_text("telemetry: {{enabled: false}}")
os.environ["DAGSTER_HOME"] = str(FOLDER)
def write(instance, run):
    for n in range({EVENTS}):
        said = StepMaterializationData(dg.AssetMaterialization("some_table", partition=str(n)))
        event = dg.DagsterEvent("ASSET_MATERIALIZATION", run.job_name, event_specific_data=said)
        instance.report_dagster_event(event, run.run_id)
took = []
for config in ("theirs.yaml", "dagster.yaml"):
    with dg.DagsterInstance.from_config(str(FOLDER), config) as instance:
        run = create_run_for_test(instance, "some_job")
        write(instance, run)
        started = time.perf_counter(); write(instance, run); took.append(time.perf_counter() - started)
        if config == "dagster.yaml":
            started = time.perf_counter()
            with at_once(instance, run.run_id):
                write(instance, run)
            took.append(time.perf_counter() - started)
print(*(seconds / {EVENTS} * 1000 for seconds in took))
"""
    theirs, ours, together = map(float, _python(code, scratch).split())
    _say(f"an event in Dagster's own event log        {theirs:6.2f} ms")
    _say(f"  in ours, which stays open                {ours:6.2f} ms")
    _say(f"  in ours, {EVENTS} at once                   {together:6.2f} ms")


def _rules(scratch: Path) -> None:
    """Twenty row rules against one, in one run: annotate, stage, judge and write 300,000 rows."""
    code = """
import dataclasses, time
from contextlib import ExitStack
from netflix_dagster.build import judgement
from netflix_dagster.contracts import expectations
from netflix_dagster.engine import sessions
from netflix_dagster.lake import store
from netflix_dagster.settings import Settings
from netflix_dagster.contracts.contract import Column, Table, between, holds, in_set, matches, not_null
from pyspark.sql import functions as F
spark = sessions.session(Settings(engine="sail"))
numbers = [(F.col("id") * (n + 7) % 1000).alias(f"c{n}") for n in range(20)]
title = F.concat(F.lit("title "), F.col("id").cast("string")).alias("title")
day = F.lit("2020-01-01").cast("date").alias("delivery_date")
spark.range(300_000).select(day, "id", *numbers, title).write.parquet(str(FOLDER / "rows"))
def rule(n):
    kinds = [between(f"c{n}", 0, 990), not_null(f"c{n}"), in_set(f"c{n}", map(str, range(40)), "warn"),
             holds("both", f"c{n} + c{(n + 1) % 20} < 1900", ""), matches("title", "^title [0-9]+$")]
    return dataclasses.replace(kinds[n % 5], name=f"rule_{n}")
def once(count):
    rows = spark.read.parquet(str(FOLDER / "rows"))
    columns = tuple(Column(f.name, f.dataType.simpleString(), "") for f in rows.schema.fields)
    rules = tuple(map(rule, range(count)))
    table = Table("silver.trial", "", "", ("id",), columns, None, (), lambda: None, "per_delivery", rules)
    started = time.perf_counter()
    with ExitStack() as aside:
        judged, _ = judgement.judge(expectations.annotate(rows, table), table, FOLDER, aside)
        kept = expectations.kept(judged.frame, table).select(*table.column_names)
        kept.write.mode("overwrite").parquet(str(FOLDER / "kept"))
    return time.perf_counter() - started
once(1)
best = {1: 9e9, 20: 9e9}
for _ in range(5):
    for count in best:
        best[count] = min(best[count], once(count))
print(best[1], best[20])
"""
    scratch.mkdir()
    one, twenty = map(float, _python(code, scratch).split())
    _say(f"20 rules over 300,000 rows                 {twenty:6.2f} s   1 rule {one:.2f} s, ratio {twenty / one:.2f}")
    _say("                                                     (target 1.5)")


def _replay(landing: Path, scratch: Path) -> None:
    """A hundred weekly deliveries of the charts, a run each, in one process: what the last costs against the first.

    The very first also starts the engine. The middle one of the next five, and of the last five, is what counts.
    """
    days = sorted(landing.glob("top10_global/*"))
    if len(days) < 100:
        _say("100 weekly deliveries: not measured, the real deliveries are not there")
        return
    code = """
import os, shutil, statistics, time
from rich.console import Console
from netflix_dagster.cli.run import run_pending
from netflix_dagster.settings import Settings
settings = Settings(landing=FOLDER / "landing", lake=FOLDER / "lake")
os.environ.update(settings.as_environment())
quiet = Console(file=open(os.devnull, "w"))
seconds = []
for day in sorted(LANDING.glob("top10_global/*")):
    (file,) = day.iterdir()
    if file.stat().st_size > 1000 and len(seconds) < 100:  # else no data was delivered
        place = settings.landing / "top10_global" / day.name
        place.mkdir(parents=True)
        shutil.copyfile(file, place / file.name)
        started = time.perf_counter()
        run_pending(settings, None, False, quiet)
        seconds.append(time.perf_counter() - started)
print(seconds[0], statistics.median(seconds[1:6]), statistics.median(seconds[-5:]))
"""
    cold, first, last = map(float, _python(code, scratch, landing).split())
    _say(
        f"the last of 100 weekly deliveries          {last:6.2f} s   the first {first:.2f} s, ratio {last / first:.2f}"
    )
    _say(f"  the very first, with the engine's start  {cold:6.2f} s   (target 1.5)")


def _python(code: str, folder: Path | None = None, landing: Path | None = None) -> str:
    names = f"from pathlib import Path\nFOLDER = Path({str(folder)!r})\nLANDING = Path({str(landing)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", names + code], capture_output=True, text=True, check=False, env=_environment(), cwd=ROOT
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


def _environment() -> dict[str, str]:
    return {
        key: value
        for key, value in os.environ.items()
        if key not in ("DAGSTER_HOME", "NETFLIX_LANDING", "NETFLIX_LAKE")
    }


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
