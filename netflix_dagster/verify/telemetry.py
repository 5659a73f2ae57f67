"""``verify telemetry``: that Application Insights takes a trace, and that a query finds it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any

from netflix_dagster.azure import identity as identities
from netflix_dagster.azure import telemetry, vault
from netflix_dagster.settings import Settings
from netflix_dagster.verify.identity import claims
from netflix_dagster.verify.steps import Grant, Lacking, Step, Target, Trial

QUERIES = "https://api.applicationinsights.io"
SENT = "a trace is taken"


def lacks(_: Settings) -> str | None:
    return None if os.environ.get(telemetry.CONNECTION) else f"{telemetry.CONNECTION} is not set"


def cost(_: Settings) -> str:
    return "one trace of some hundred bytes; it cannot be removed and ends with the retention of the workspace"


def steps(trial: Trial) -> Iterator[Step]:
    run = str(uuid.uuid4())
    yield Step(SENT, lambda: _sent(run), _may_write)
    yield Step("a query finds it", lambda: _arrived(trial, run), lambda: _may_read(trial), (SENT,))


def _connection() -> str:
    said = os.environ[telemetry.CONNECTION]
    return vault.resolve(said) if vault.is_reference(said) else said


def _part(name: str) -> str:
    parts = dict(part.partition("=")[::2] for part in _connection().split(";"))
    return parts.get(name, "")


def _sent(run: str) -> str:
    """One span by the exporter that runs use, without a second attempt and without keeping it for later."""
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    class Watched(SpanExporter):
        said: SpanExportResult | None = None

        def export(self, spans: Any) -> SpanExportResult:
            self.said = exporter.export(spans)
            return self.said

    exporter = AzureMonitorTraceExporter(
        connection_string=_connection(), retry_total=0, timeout=10.0, disable_offline_storage=True
    )
    watched, provider = Watched(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(watched))
    span = provider.get_tracer("netflix_dagster").start_span("verify", telemetry.below(run))
    span.end()
    if watched.said is not SpanExportResult.SUCCESS:
        raise Lacking(f"{_part('IngestionEndpoint')} did not take it: {watched.said}", _may_write())
    return f"by {_part('IngestionEndpoint')}"


def _arrived(trial: Trial, run: str) -> str:
    """Ask until it is there: what was taken can be asked for after some minutes."""
    import httpx

    scope, application = f"{QUERIES}/.default", _part("ApplicationId")
    if not application:
        raise Lacking("the connection string has no ApplicationId", _may_write())
    token = identities.token(scope, trial.settings.tenant).token
    trial.who = str(claims(token).get("oid", trial.who))
    began, query = time.monotonic(), f"dependencies | where operation_Id == '{uuid.UUID(run).hex}' | project name"
    while time.monotonic() - began < trial.wait:
        answer = httpx.post(
            f"{QUERIES}/v1/apps/{application}/query",
            json={"query": query},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        if answer.status_code in (401, 403):
            raise Lacking(f"{QUERIES} answers {answer.status_code}", _may_read(trial))
        if answer.raise_for_status().json()["tables"][0]["rows"]:
            return f"after {time.monotonic() - began:.0f} s"
        time.sleep(min(10.0, trial.wait / 10))
    raise RuntimeError(
        f"it was taken, and no query finds it in {trial.wait:.0f} s: look again later, or at its sampling"
    )


def _may_write() -> Grant:
    return Grant(
        "a connection string that Application Insights takes",
        "az monitor app-insights component show --app <name> --resource-group <group> --query connectionString"
        "    # local authentication must be on: --query disableLocalAuth",
    )


def _may_read(trial: Trial) -> Grant:
    return Grant(
        "Monitoring Reader on Application Insights",
        f"az role assignment create --assignee-object-id {trial.who} --role 'Monitoring Reader' --scope"
        ' "$(az monitor app-insights component show --app <name> --resource-group <group> --query id --output tsv)"',
    )


TARGET = Target("telemetry", "Application Insights", cost, lacks, steps)
