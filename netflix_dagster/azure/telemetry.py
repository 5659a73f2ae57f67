"""Sends traces and metrics to Application Insights, through OpenTelemetry.

``APPLICATIONINSIGHTS_CONNECTION_STRING`` switches it on; its value may be ``secret://name``. Without it nothing of
OpenTelemetry is imported. ``build.telemetry`` makes the traces and metrics.

The id of a run is the id of its trace, and the id of the root span follows from it. So every process that knows the
run, on this machine or on Databricks, joins its trace without further parameters.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import uuid
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from netflix_dagster.azure.redaction import hide, redact

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Link, Span, SpanContext

log = logging.getLogger("netflix_dagster.telemetry")

CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"
FLUSH_SECONDS = 5.0
"""How long a run waits at its end for its telemetry to be sent; a later run sends the rest."""
MOST_EVENTS = 2000
_SERVICE = "netflix_dagster"
_QUIET = ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED")
"""Switch off what the exporter would send to its maker about itself."""
_SECRET_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CONNECTION|WEBHOOK")

_given: ContextVar[SpanContext | None] = ContextVar("ids of the span that is started", default=None)


class Telemetry:
    """The tracer and the instruments of this process."""

    def __init__(self, spans: SpanExporter, metrics: MetricExporter) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        about = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", _SERVICE)})
        self._traces = TracerProvider(
            resource=about,
            id_generator=_ids(),
            span_limits=SpanLimits(max_events=MOST_EVENTS),
            shutdown_on_exit=False,  # it waits for half a minute when nobody answers
        )
        self._traces.add_span_processor(BatchSpanProcessor(spans))
        self._meters = MeterProvider([PeriodicExportingMetricReader(metrics)], about, shutdown_on_exit=False)
        self.tracer = self._traces.get_tracer(_SERVICE)
        self.meter = self._meters.get_meter(_SERVICE)
        self.instrument = cache(self._instrument)

    def _instrument(self, kind: str, name: str, unit: str) -> Any:
        return getattr(self.meter, f"create_{kind}")(name, unit)

    def root(self, run_id: str, name: str, attributes: Mapping[str, Any], links: Iterable[Link] = ()) -> Span:
        """Start the root span of a run, which Application Insights calls a request."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        token = _given.set(run_context(run_id))
        try:
            return self.tracer.start_span(
                name, Context(), SpanKind.CONSUMER, attributes=dict(attributes), links=tuple(links)
            )
        finally:
            _given.reset(token)

    def flush(self) -> None:
        """Send everything that is held, and wait at most ``FLUSH_SECONDS``: a dead endpoint must not delay a run."""
        done = threading.Thread(target=self._flush, daemon=True)
        done.start()
        done.join(FLUSH_SECONDS)

    def _flush(self) -> None:
        self._traces.force_flush()
        self._meters.force_flush()


@lru_cache(maxsize=1)
def telemetry() -> Telemetry | None:
    """The telemetry of this process, connected on first use; None when it is not switched on, or cannot be."""
    connection = os.environ.get(CONNECTION)
    if not connection:
        return None
    _hide_settings()
    try:
        return _application_insights(_resolved(connection))
    except Exception as error:
        log.warning(
            "No telemetry: %s cannot be used (%s: %s). Tables are built without it. Mend it, or unset it.",
            CONNECTION,
            type(error).__name__,
            redact(str(error)),
        )
        return None


def _application_insights(connection: str) -> Telemetry:
    for name in _QUIET:
        os.environ.setdefault(name, "true")
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

    # No second attempt at once: what was not sent is kept on disk, and a later call sends it.
    options: dict[str, Any] = {"connection_string": connection, "retry_total": 0, "timeout": 5.0, "read_timeout": 10}
    for name in ("azure.monitor.opentelemetry", "azure.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Telemetry(AzureMonitorTraceExporter(**options), AzureMonitorMetricExporter(**options))


def _resolved(connection: str) -> str:
    from netflix_dagster.azure.vault import is_reference, resolve

    return resolve(connection) if is_reference(connection) else connection


def run_context(run_id: str) -> SpanContext:
    """The root span of a run, for other processes than its own."""
    from opentelemetry.trace import SpanContext, TraceFlags

    try:
        trace = uuid.UUID(run_id).int
    except ValueError:
        trace = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:16])
    return SpanContext(trace, trace & (2**64 - 1) or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def below(run_id: str) -> Context | None:
    """The context in which a span is a child of the run's root; None without a run: the span starts its own trace."""
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(run_context(run_id))) if run_id else None


def _hide_settings() -> None:
    """Remove the values of secret settings from the text of errors."""
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name):
            hide(value)


def _ids() -> Any:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class RunIds(RandomIdGenerator):
        """Random ids, except for the root span of a run."""

        def generate_trace_id(self) -> int:
            given = _given.get()
            return given.trace_id if given else super().generate_trace_id()

        def generate_span_id(self) -> int:
            given = _given.get()
            return given.span_id if given else super().generate_span_id()

    return RunIds()
