"""``netflix-dagster run``: everything that is pending, in process, on the instance that ``dagster dev`` shows."""

from __future__ import annotations

import os
import re
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli.alone import alone, clear_lost_runs, started_by
from netflix_dagster.cli.hints import remedies
from netflix_dagster.cli.home import ensure_home
from netflix_dagster.cli.progress import Progress, listening, working
from netflix_dagster.cli.trouble import WrongCall
from netflix_dagster.settings import Settings
from netflix_dagster.storage import is_local

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance

    from netflix_dagster.contracts.report import Report
    from netflix_dagster.deliveries.pending import Pending
    from netflix_dagster.landing.deliveries import Listing

OK, FAILED, HELD_BACK = 0, 1, 3
_MODULE = re.compile(r"^(\w+\.)+(?=\w+: )")
"""What stands before the name of an exception's class."""


def run_pending(settings: Settings, source: str | None, again: bool, console: Console) -> dict[str, Any]:
    """Build all that is pending (of one source, if given) and return what it came to; see docs/cli.md.

    ``again`` also takes up what is held back.
    """
    started = time.perf_counter()
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources)
    if source is not None and source not in sources.sources:
        raise WrongCall(f"there is no source {source!r}; the sources are {', '.join(sources.sources)}")
    if is_local(settings.landing) and settings.landing.exists() and not settings.landing.is_dir():
        raise WrongCall(f"{settings.landing} is a file; --landing is the folder of <source>/<delivery date>/<file>")
    at_home(settings)
    console.print(f"landing {settings.landing}\nlake    {settings.lake}", markup=False, soft_wrap=True)

    from netflix_dagster.build import returned
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.deliveries.pending import pending
    from netflix_dagster.landing.deliveries import list_landing

    with at_work(settings, console) as (instance, progress):
        only = None if source is None else [source]
        with working("looking at what has landed", console):
            listing = list_landing(settings.landing, sources, only)
            known = Life.read(settings.lake)
            returned.take_note(settings.lake, listing, known)
            work = pending(listing, sources, known, again=again, changed_code=True, only=only)
        console.print(f"{len(listing.deliveries)} deliveries in landing, {len(work)} delivery dates to build")
        runs = build_all(instance, work, settings, progress)
        with working("bringing the warehouse and the dashboard up to date", console):
            served = serve(instance, settings) if runs else nothing_served(settings)
    return _summary(settings, listing, progress.reports, runs, served, time.perf_counter() - started)


def at_home(settings: Settings) -> None:
    """Dagster's home of the lake, for everything this process does from now on."""
    os.environ["DAGSTER_HOME"] = str(ensure_home(settings))


@contextmanager
def at_work(settings: Settings, console: Console) -> Iterator[tuple[DagsterInstance, Progress]]:
    """Alone on the lake: Dagster's instance, its lost runs closed, and who tells of progress."""
    from dagster import DagsterInstance

    with listening(console) as progress, alone(settings.lake), DagsterInstance.get() as instance:
        clear_lost_runs(instance, settings.lake, console)
        yield instance, progress


@dataclass(frozen=True, slots=True)
class Batch:
    """The deliveries of one feed, which one run builds; ``doubtful`` when the door refuses all of them."""

    pieces: tuple[Pending, ...]
    doubtful: bool

    @property
    def feed(self) -> str:
        return self.pieces[0].feed

    @property
    def tables(self) -> list[str]:
        from netflix_dagster.contracts.graph import build_order

        return build_order({name for piece in self.pieces for name in piece.tables})


def build_all(
    instance: DagsterInstance, work: Sequence[Pending], settings: Settings, progress: Progress
) -> list[dict[str, Any]]:
    """Build some work, run by run, and say what the runs came to.

    A table that belongs to no feed alone is built once, in the last run that is sure to reach it. A run to which no
    table is left is none: so it is when only such tables are due.
    """
    import netflix_dagster.tables  # noqa: F401  declares the tables
    from netflix_dagster.contracts.contract import TABLES

    with working("reading what has landed", progress.console):
        runs, plan = [], list(_batches(instance, work, settings))
    for place, batch in enumerate(plan):
        later = {name for other in plan[place + 1 :] if not other.doubtful for name in other.tables}
        now = [name for name in batch.tables if TABLES[name].feed or name not in later]
        if now:
            runs.append(_execute(instance, batch, now, progress, settings))
    return runs


def _batches(instance: DagsterInstance, work: Sequence[Pending], settings: Settings) -> Iterator[Batch]:
    """The runs to make: one a feed, for all its deliveries, wherever they stand among the partitions."""
    from netflix_dagster.defs.partitions import feed_partitions

    feeds = dict.fromkeys(piece.feed for piece in work)
    refused = _refused(work, settings) if len(feeds) > 1 else set()
    for feed in feeds:
        pieces = tuple(piece for piece in work if piece.feed == feed)
        name = feed_partitions(feed).name or ""
        known = set(instance.get_dynamic_partitions(name))
        instance.add_dynamic_partitions(name, [piece.date for piece in pieces if piece.date not in known])
        places = {(source, piece.date) for piece in pieces for source in piece.sources}
        yield Batch(pieces, doubtful=bool(places) and places <= refused)


def _refused(work: Sequence[Pending], settings: Settings) -> set[tuple[str, str]]:
    """The deliveries of the work that the door refuses; what it takes lies aside then, and is not read again."""
    from netflix_dagster.build.runner import receive
    from netflix_dagster.landing.sources import load_sources

    places = [(source, piece.date) for piece in work for source in piece.sources]
    return receive(settings, load_sources(settings.sources), places)


def _execute(
    instance: DagsterInstance, batch: Batch, tables: list[str], progress: Progress, settings: Settings
) -> dict[str, Any]:
    from netflix_dagster.cli.located import execute
    from netflix_dagster.definitions import defs
    from netflix_dagster.defs import several
    from netflix_dagster.defs.checks import asset_key
    from netflix_dagster.defs.jobs import job_name
    from netflix_dagster.defs.partitions import feed_partitions

    started = time.perf_counter()
    feed, pieces = batch.feed, batch.pieces
    days = [piece.date for piece in pieces]
    what = days[0] if len(days) == 1 else f"{len(days)} delivery dates, {days[0]} to {days[-1]}"
    tags = {"feed": feed, **started_by(settings.lake)}
    if len(days) > 1:
        tags |= several.tags(days, instance.get_dynamic_partitions(feed_partitions(feed).name or ""))
    with progress.run(f"{feed} {what}", tables):
        chosen = frozenset(asset_key(name) for name in tables)
        job = defs.resolve_job_def(job_name(feed)).get_subset(asset_selection=chosen, asset_check_selection=frozenset())
        result = execute(job, instance, tags, days[0] if len(days) == 1 else None)
    if not result.success and any(_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    return {
        "run_id": result.run_id,
        "feed": feed,
        "deliveries": days,
        "success": result.success and not _idle(progress, result.run_id),
        "errors": [] if result.success else _errors(result),
        "seconds": round(time.perf_counter() - started, 3),
    }


def serve(instance: DagsterInstance, settings: Settings) -> dict[str, Any]:
    """Bring what consumers open up to gold, and say what it came to."""
    from netflix_dagster.cli.located import execute
    from netflix_dagster.definitions import defs
    from netflix_dagster.defs.serving import refresh_serving

    started = time.perf_counter()
    result = execute(defs.resolve_job_def(refresh_serving.name), instance, started_by(settings.lake))
    if not result.success and any(_interrupted(event) for event in result.all_events):
        raise KeyboardInterrupt
    return {
        **nothing_served(settings),
        "errors": [] if result.success else _errors(result),
        "seconds": round(time.perf_counter() - started, 3),
    }


def nothing_served(settings: Settings) -> dict[str, Any]:
    """What consumers open, when it is as it was."""
    from netflix_dagster.serving.dashboard import NAME
    from netflix_dagster.serving.dashboard.site import INDEX
    from netflix_dagster.serving.warehouse import FILE

    found = {"warehouse": settings.serving / FILE, "dashboard": settings.serving / NAME / INDEX}
    there = {name: str(file) if file.exists() else None for name, file in found.items()}
    return {**there, "errors": [], "seconds": 0.0}


def _idle(progress: Progress, run_id: str) -> bool:
    """Whether a run left every table as it was, since all that it was asked for is refused or held."""
    return any(report.idle for report in progress.reports if report.run_id == run_id)


def _interrupted(event: DagsterEvent) -> bool:
    failure = (
        event.step_failure_data if event.is_step_failure else event.job_failure_data if event.is_run_failure else None
    )
    name = failure.error.cls_name if failure and failure.error else None
    return name == "DagsterExecutionInterruptedError" or event.event_type_value == "PIPELINE_CANCELED"


def _errors(result: Any) -> list[str]:
    """What failed, one text a table; that a delivery is refused or held is no failure."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            failure, table = event.step_failure_data, event.step_key.replace("__", ".", 1)
            if failure.user_failure_data is not None:
                said.append(str(failure.user_failure_data.description))
                continue
            error = failure.error.cause or failure.error if failure.error else None
            said.append(f"{table}: {_MODULE.sub('', error.message.strip()) if error else 'failed'}")
        elif event.is_run_failure and not any(e.is_step_failure for e in result.all_events):
            said.append(str(event.message))
    return said


def _warnings(reports: Sequence[Report]) -> list[dict[str, Any]]:
    """The rules that warned, those that most deliveries break first; ``message`` is about the newest of them."""
    warned: dict[tuple[str, str], dict[str, Any]] = {}
    for report in reports:
        for key, outcome in sorted(report.outcomes.items(), key=lambda of: of[0] or ""):
            for check in outcome.checks:
                if not check.passed and not check.blocking:
                    found = warned.setdefault((report.table, check.name), {"deliveries": 0})
                    found |= {"deliveries": found["deliveries"] + 1, "newest": key, "message": check.message}
    named = [{"table": table, "rule": rule, **found} for (table, rule), found in warned.items()]
    return sorted(named, key=lambda found: -found["deliveries"])


def _summary(
    settings: Settings,
    listing: Listing,
    reports: Sequence[Report],
    runs: list[dict[str, Any]],
    served: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    import netflix_dagster.tables  # noqa: F401  declares the tables
    from netflix_dagster.contracts.contract import TABLES
    from netflix_dagster.deliveries import life, quarantine
    from netflix_dagster.deliveries.life import Life
    from netflix_dagster.lake import store

    checks = [check for report in reports for o in report.outcomes.values() for check in o.checks]
    landed = {(delivery.source, delivery.date) for delivery in listing.deliveries}
    now = Life.read(settings.lake)
    held = [delivery.newest for delivery in now.held(landed)]
    standing = store.standings(settings.lake, (*TABLES, quarantine.NAME, life.NAME))
    runs_here = {run["run_id"] for run in runs}
    stand = [d.newest for place, d in now.deliveries.items() if place in landed and d.attempts and d.newest.stands]
    built = [attempt for attempt in stand if attempt.run_id in runs_here]
    failed = [run for run in runs if run["errors"]]
    exit_code = FAILED if failed or served["errors"] else HELD_BACK if held else OK
    return {
        "status": {OK: "ok", HELD_BACK: "held back", FAILED: "failed"}[exit_code],
        "exit_code": exit_code,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "landing": str(settings.landing),
        "lake": str(settings.lake),
        "dagster_home": str(settings.dagster_home),
        "deliveries": {
            "landed": len(landed),
            "built": len(built),
            "held_back": [{"source": e.source, "date": e.key, "status": e.status.value, "reason": e.why} for e in held],
        },
        "remedies": remedies(settings, held, now),
        "runs": runs,
        "tables": {
            name: {"rows": rows, "version": version}
            for name, (version, rows) in standing.items()
            if version is not None
        },
        "checks": {
            "passed": sum(check.passed for check in checks),
            "warned": sum(not check.passed and not check.blocking for check in checks),
            "failed": sum(not check.passed and check.blocking for check in checks),
            "warnings": _warnings(reports),
        },
        "quarantine": {"rows": quarantine.count(settings.lake), "reasons": quarantine.reasons(settings.lake)},
        "serving": served,
        "strays": list(listing.strays),
        "unknown_sources": list(listing.unknown_sources),
    }
