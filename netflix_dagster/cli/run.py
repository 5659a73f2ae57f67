"""``netflix-dagster run``: everything that is pending, in process, on the instance that ``dagster dev`` shows."""

from __future__ import annotations

import logging
import os
import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from netflix_dagster.cli.home import ensure_home
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from netflix_dagster.compute.report import Report
    from netflix_dagster.landing.pending import Pending

OK, FAILED, HELD_BACK = 0, 1, 3
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Progress(logging.Handler):
    """Listens to what ``compute.build`` says, shows it, and keeps the reports."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.reports: list[Report] = []

    def emit(self, record: logging.LogRecord) -> None:
        report: Report | None = getattr(record, "report", None)
        if report is None:
            return
        self.reports.append(report)
        checks = [check for o in report.outcomes.values() for check in o.checks if not check.passed]
        held = sum(1 for o in report.outcomes.values() if o.held_back)
        notes = [f"{len(checks)} findings"] if checks else []
        notes += [f"[red]{held} held back[/red]"] if held else []
        self.console.print(
            f"  {report.table:<32} {report.total_rows:>9,} rows  {report.seconds:5.2f} s  {', '.join(notes)}"
        )


def run_pending(settings: Settings, source: str | None, console: Console) -> dict[str, Any]:
    """Build all that is pending (of one source, if given) and return what it came to; see docs/cli.md."""
    started = time.perf_counter()
    os.environ["DAGSTER_HOME"] = str(ensure_home(settings))
    console.print(f"landing {settings.landing}\nlake    {settings.lake}")

    from dagster import DagsterInstance

    from netflix_dagster.landing.deliveries import list_landing
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources)
    if source is not None and source not in sources.sources:
        raise SystemExit(f"there is no source {source!r}; the sources are {', '.join(sources.sources)}")
    listing = list_landing(settings.landing, sources, None if source is None else [source])
    with DagsterInstance.get() as instance, _progress(console) as progress:
        from netflix_dagster.landing.pending import pending
        from netflix_dagster.lake import ledger

        work = pending(listing, sources, ledger.latest(settings.lake), _unfinished(instance))
        console.print(f"{len(listing.deliveries)} deliveries in landing, {len(work)} delivery dates to build")
        runs = [_execute(instance, batch, console) for batch in _batches(instance, work, settings)]
    return _summary(settings, listing, progress.reports, runs, time.perf_counter() - started)


def _unfinished(instance: DagsterInstance) -> Any:
    """Whether a delivery's chain never reached the end: a table is older than one that it reads."""
    from dagster import DagsterEventType

    from netflix_dagster.defs.checks import asset_key
    from netflix_dagster.defs.jobs import feed_tables
    from netflix_dagster.lake.contract import TABLES

    built: dict[str, dict[str, int]] = {}
    whole: dict[str, int] = {}

    def built_at(name: str, date: str) -> int:
        if TABLES[name].feed is None:
            if name not in whole:
                event = instance.get_latest_materialization_event(asset_key(name))
                record = instance.fetch_materializations(asset_key(name), limit=1).records if event else []
                whole[name] = record[0].storage_id if record else 0
            return whole[name]
        if name not in built:
            built[name] = dict(
                instance.get_latest_storage_id_by_partition(asset_key(name), DagsterEventType.ASSET_MATERIALIZATION)
            )
        return built[name].get(date, 0)

    def unfinished(feed: str, date: str) -> bool:
        for name in feed_tables(feed):
            at = built_at(name, date)
            reads = [built_at(read, date) for read in TABLES[name].reads]
            if TABLES[name].reads and (at == 0 or at < max(reads)):
                return True
        return False

    return unfinished


def _batches(instance: DagsterInstance, work: Sequence[Pending], settings: Settings) -> Iterator[list[Pending]]:
    """The runs to make: deliveries that stand side by side among the partitions share one run.

    Deliveries that will be refused get a run each, so that the partitions of the others show no failure.
    """
    from netflix_dagster.defs.partitions import feed_partitions

    for feed in dict.fromkeys(piece.feed for piece in work):
        pieces = [piece for piece in work if piece.feed == feed]
        bad = [piece for piece in pieces if len(pieces) > 1 and _will_be_refused(piece, settings)]
        good = [piece for piece in pieces if piece not in bad]
        name = feed_partitions(feed).name or ""
        known = set(instance.get_dynamic_partitions(name))
        instance.add_dynamic_partitions(name, [piece.date for piece in (*good, *bad) if piece.date not in known])
        place = {key: index for index, key in enumerate(instance.get_dynamic_partitions(name))}
        batch: list[Pending] = []
        for piece in sorted(good, key=lambda p: place[p.date]):
            if batch and place[piece.date] != place[batch[-1].date] + 1:
                yield batch
                batch = []
            batch.append(piece)
        if batch:
            yield batch
        yield from ([piece] for piece in bad)


def _will_be_refused(piece: Pending, settings: Settings) -> bool:
    from netflix_dagster.compute.ingest import inspect
    from netflix_dagster.landing.deliveries import delivery_at
    from netflix_dagster.landing.sources import load_sources

    sources = load_sources(settings.sources).sources
    found = [(sources[name], delivery_at(settings.landing, sources[name], piece.date)) for name in piece.sources]
    return any(inspect(delivery, source).refusals for source, delivery in found if delivery)


def _execute(instance: DagsterInstance, batch: list[Pending], console: Console) -> dict[str, Any]:
    from netflix_dagster.definitions import defs
    from netflix_dagster.defs.checks import asset_key
    from netflix_dagster.defs.jobs import job_name
    from netflix_dagster.defs.sensors import RANGE_END, RANGE_START, touched_tables

    started = time.perf_counter()
    feed, first, last = batch[0].feed, batch[0].date, batch[-1].date
    arrived = sorted({source for piece in batch for source in piece.sources})
    console.print(
        f"[bold]{feed}[/bold]: " + (first if first == last else f"{len(batch)} deliveries, {first} to {last}")
    )
    tags = {"feed": feed} if len(batch) == 1 else {"feed": feed, RANGE_START: first, RANGE_END: last}
    result = defs.resolve_job_def(job_name(feed)).execute_in_process(
        instance=instance,
        partition_key=first if len(batch) == 1 else None,
        tags=tags,
        asset_selection=[asset_key(name) for name in touched_tables(feed, arrived)],
        run_config=_QUIET,
        raise_on_error=False,
    )
    return {
        "run_id": result.run_id,
        "feed": feed,
        "deliveries": [piece.date for piece in batch],
        "success": result.success,
        "errors": [] if result.success else _errors(result),
        "seconds": round(time.perf_counter() - started, 3),
    }


def _errors(result: Any) -> list[str]:
    """What failed, one line a step; a delivery that is held back says so itself."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            cause = error.cause or error if error else None
            said.append(f"{event.step_key}: {cause.message.strip() if cause else 'failed'}")
    return said


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    log = logging.getLogger("netflix_dagster.build")
    handler = Progress(console)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    propagate, log.propagate = log.propagate, False
    try:
        yield handler
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def _summary(settings: Settings, listing: Any, reports: Sequence[Report], runs: list[Any], seconds: float) -> Any:
    import netflix_dagster.tables  # noqa: F401  declares the tables
    from netflix_dagster.lake import ledger, quarantine, store
    from netflix_dagster.lake.contract import TABLES

    checks = [check for report in reports for o in report.outcomes.values() for check in o.checks]
    landed = {(delivery.source, delivery.date) for delivery in listing.deliveries}
    state = {key: entry for key, entry in ledger.latest(settings.lake).items() if key in landed}
    held = [
        {"source": e.source, "date": e.delivery_date, "status": e.status, "reason": e.reason}
        for e in state.values()
        if e.status != "accepted"
    ]
    failed = [run for run in runs if not run["success"] and not set(run["deliveries"]) <= {h["date"] for h in held}]
    exit_code = FAILED if failed else HELD_BACK if held else OK
    tables = {
        name: {"rows": store.row_count(settings.lake, name), "version": store.version(settings.lake, name)}
        for name in (*TABLES, quarantine.NAME, ledger.NAME)
        if store.exists(settings.lake, name)
    }
    return {
        "status": {OK: "ok", HELD_BACK: "held back", FAILED: "failed"}[exit_code],
        "exit_code": exit_code,
        "seconds": round(seconds, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "landing": str(settings.landing),
        "lake": str(settings.lake),
        "dagster_home": str(settings.dagster_home),
        "deliveries": {"landed": len(landed), "built": sum(len(run["deliveries"]) for run in runs), "held_back": held},
        "runs": runs,
        "tables": tables,
        "checks": {
            "passed": sum(check.passed for check in checks),
            "warned": sum(not check.passed and not check.blocking for check in checks),
            "failed": sum(not check.passed and check.blocking for check in checks),
        },
        "quarantine": {"rows": quarantine.count(settings.lake), "reasons": quarantine.reasons(settings.lake)},
        "strays": list(listing.strays),
        "unknown_sources": list(listing.unknown_sources),
    }
