"""What a run tells of its work: a trace from landing to gold, and metrics. Where it goes: ``azure.telemetry``.

A trace is a run. Its root is the run, below it is a span for every table, and below those of bronze one for every
delivery that was taken up in landing. A table's span holds an event ``delivery`` for each delivery it was built for,
and an ``exception`` for each that it holds back. All names are those below; infra/monitor asks for no others.

Nothing here may harm or hold up a build.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure.redaction import redact
from netflix_dagster.azure.telemetry import CONNECTION, Telemetry, below, run_context, telemetry
from netflix_dagster.contracts.contract import Table
from netflix_dagster.contracts.report import Outcome, Report
from netflix_dagster.deliveries.life import Life
from netflix_dagster.landing.deliveries import Delivery
from netflix_dagster.landing.sources import Source
from netflix_dagster.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span

log = logging.getLogger("netflix_dagster.telemetry")

RUN, JOB, FEED = "netflix.run", "netflix.job", "netflix.feed"
DELIVERY, DELIVERIES = "netflix.delivery", "netflix.deliveries"
SOURCE, TABLE, LAYER, STATUS = "netflix.source", "netflix.table", "netflix.layer", "netflix.status"
ROWS, QUARANTINED, COPIES = "netflix.rows", "netflix.quarantined", "netflix.copies"
BYTES, FILES, UPLOADED_AT, WAITED = "netflix.bytes", "netflix.files", "netflix.uploaded_at", "netflix.waited"
DURATION, SHARE, FRESHNESS = "netflix.duration", "netflix.quarantine_share", "netflix.freshness"
EXPECTED = "netflix.expected_every_days"
ATTRIBUTES = (
    *(RUN, JOB, FEED, DELIVERY, DELIVERIES, SOURCE, TABLE, LAYER, STATUS),
    *(ROWS, QUARANTINED, COPIES, BYTES, FILES, UPLOADED_AT, WAITED, EXPECTED),
)
"""Of spans and their events. Metrics have of these only what there is little of: table, layer, feed and its cadence."""
METRICS: Mapping[str, tuple[str, str]] = {
    ROWS: ("counter", "{row}"),
    QUARANTINED: ("counter", "{row}"),
    BYTES: ("counter", "By"),
    DURATION: ("histogram", "s"),
    SHARE: ("histogram", "1"),
    FRESHNESS: ("histogram", "d"),
}
"""Kind and unit. There is no gauge: one is sent again every minute, also when nobody has measured anew."""
LANDING, DELIVERED, EXCEPTION, HELD_BACK = "landing", "delivery", "exception", "HeldBack"

_open: set[str] = set()
"""The runs whose root span this process holds: they hand over what is told when they end."""


def on() -> bool:
    """Whether anybody is to be told; connects nothing yet."""
    return bool(os.environ.get(CONNECTION))


def flush() -> None:
    """Hand over what was measured."""
    if out := telemetry():
        out.flush()


@dataclass(slots=True)
class Ending:
    """How a run ended: the reason, if it failed."""

    failed: str | None = None


@contextmanager
def run(run_id: str, job: str, about: Mapping[str, Any], parent: str | None = None) -> Iterator[Ending]:
    """The root of a run's trace, linked with the run that this one repeats."""
    ending, out = Ending(), telemetry()
    if out is None:
        yield ending
        return
    span = out.root(run_id, job, {RUN: run_id, JOB: job, **about}, _links([parent] if parent else []))
    _open.add(run_id)
    try:
        yield ending
    except BaseException as error:
        ending.failed = f"the run was interrupted ({type(error).__name__})"
        raise
    finally:
        if ending.failed:
            _fail(span, ending.failed)
        span.end()
        _open.discard(run_id)
        out.flush()


@contextmanager
def building(
    table: Table, deliveries: Sequence[str], settings: Settings, run_id: str
) -> Iterator[Callable[[Report], None]]:
    """The span of one table. What is yielded takes the report of what was built."""
    out = telemetry()
    if out is None:
        yield _nobody
        return
    about = _about(table)
    said: dict[str, Any] = {**about, RUN: run_id, DELIVERIES: len(deliveries), **_which(deliveries)}
    links = _links(_earlier_runs(table, deliveries, settings, run_id)) if table.layer == "bronze" else []
    starting = out.tracer.start_as_current_span(
        table.name, below(run_id), attributes=said, links=links, record_exception=False, set_status_on_exception=False
    )
    try:
        with starting as span:
            try:
                yield partial(_tell_or_go_on, out, span, about)
            except Exception as error:
                span.set_attribute(STATUS, "failed")
                _exception(span, type(error).__name__, str(error), about)
                _fail(span, str(error))
                raise
    finally:
        if run_id not in _open:
            out.flush()


@contextmanager
def landed(delivery: Delivery, source: Source) -> Iterator[None]:
    """The span of one delivery that is read where it landed, when it was uploaded and how long it waited."""
    out = telemetry()
    if out is None or not _inside():
        yield
        return
    uploaded = max((file.modified_ns for file in delivery.files), default=0) / 1e9
    size = sum(file.size for file in delivery.files)
    said: dict[str, Any] = {
        FEED: source.feed,
        SOURCE: source.name,
        DELIVERY: delivery.date,
        FILES: len(delivery.files),
        BYTES: size,
        UPLOADED_AT: _instant(uploaded),
        WAITED: max(0.0, datetime.now(UTC).timestamp() - uploaded),
    }
    with out.tracer.start_as_current_span(LANDING, attributes=said):
        yield
    _measure(out, BYTES, size, {TABLE: f"bronze.{source.name}", LAYER: "bronze", FEED: source.feed})


def fresh(feed: str, days: float, expected: int) -> None:
    """Tell how many days ago a feed last brought a delivery, and every how many days it should."""
    if out := telemetry():
        _measure(out, FRESHNESS, days, {FEED: feed, EXPECTED: str(expected)})


def _tell_or_go_on(out: Telemetry, span: Span, about: Mapping[str, str], report: Report) -> None:
    try:
        _tell(out, span, about, report)
    except Exception:
        log.warning("%s is built, but what came of it could not be told", report.table, exc_info=True)


def _tell(out: Telemetry, span: Span, about: Mapping[str, str], report: Report) -> None:
    """Rows, deliveries and what is held back, on the table's span and as metrics."""
    asked = {day: o for day, o in report.outcomes.items() if day is None or day in report.deliveries}
    rows, refused = (sum(getattr(o, name) for o in asked.values()) for name in ("rows", "quarantined"))
    copies, held_back = sum(o.copies for o in asked.values()), [o for o in asked.values() if o.held_back]
    as_it_was = report.idle and not held_back  # what it holds was measured when it was written
    status = "unchanged" if as_it_was else "built" if not held_back else "held back"
    status = status if len(held_back) in (0, len(asked)) else "partly held back"
    if as_it_was:
        span.set_attribute(STATUS, status)
        return
    span.set_attributes({ROWS: rows, QUARANTINED: refused, COPIES: copies, STATUS: status})
    for day, outcome in asked.items():
        which = {**about, **({DELIVERY: day} if day else {})}
        if day:
            span.add_event(DELIVERED, {**which, **_of(outcome)})
        if outcome.held_back:
            _exception(span, HELD_BACK, outcome.held_back, which)
            _fail(span, outcome.held_back)
    _measure(out, ROWS, rows, about)
    _measure(out, QUARANTINED, refused, about)
    _measure(out, DURATION, report.seconds, about)
    if rows + refused:
        _measure(out, SHARE, refused / (rows + refused), about)


def _of(outcome: Outcome) -> dict[str, Any]:
    status = "held back" if outcome.held_back else "built" if outcome.delivered else "not delivered"
    return {ROWS: outcome.rows, QUARANTINED: outcome.quarantined, COPIES: outcome.copies, STATUS: status}


def _about(table: Table) -> dict[str, str]:
    return {TABLE: table.name, LAYER: table.layer, **({FEED: table.feed} if table.feed else {})}


def _which(deliveries: Sequence[str]) -> dict[str, str]:
    if not deliveries:
        return {}
    first, last = min(deliveries), max(deliveries)
    return {DELIVERY: first if first == last else f"{first}..{last}"}


def _earlier_runs(table: Table, deliveries: Sequence[str], settings: Settings, run_id: str) -> list[str]:
    """The runs that took up these deliveries last: a retry, and a mended file, lead back to them."""
    try:
        known = Life.read(settings.lake).deliveries
    except Exception as error:
        log.debug("no links to earlier runs: %s", error)
        return []
    found = (known.get((table.short_name, day)) for day in deliveries)
    return sorted({entry.newest.run_id for entry in found if entry and entry.attempts} - {run_id, ""})


def _links(run_ids: Iterable[str]) -> list[Link]:
    from opentelemetry.trace import Link

    return [Link(run_context(run_id)) for run_id in run_ids]


def _measure(out: Telemetry, name: str, value: float, about: Mapping[str, str]) -> None:
    kind, unit = METRICS[name]
    instrument = out.instrument(kind, name, unit)
    getattr(instrument, _VERBS[kind])(value, dict(about))


_VERBS = {"counter": "add", "histogram": "record"}


def _exception(span: Span, kind: str, message: str, about: Mapping[str, str]) -> None:
    span.add_event(EXCEPTION, {"exception.type": kind, "exception.message": redact(message), **about})


def _fail(span: Span, why: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, redact(why)))


def _instant(seconds: float) -> str:
    """A time of a file as text; a file may bear any number."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} s"


def _inside() -> bool:
    from opentelemetry.trace import get_current_span

    return get_current_span().get_span_context().is_valid


def _nobody(_report: Report) -> None:
    """Nobody is told."""
