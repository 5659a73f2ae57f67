"""Runs of the pipelines of a data factory: started, found again, followed, cancelled, and why they failed.

The pipelines are those of ``infra/adf``. A run is found again by one of its parameters (``REQUESTED_BY``), which the
service keeps with the run: nothing has to be written down between the start of a run and the end of this process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from azure.mgmt.datafactory import DataFactoryManagementClient
    from azure.mgmt.datafactory.models import ActivityRun, PipelineRun, RunFilterParameters

T = TypeVar("T")
PIPELINE = "land_sources"
"""The pipeline that lands sources; its parameter ``sources`` names them."""
REQUESTED_BY = "requested_by"
"""The parameter of that pipeline that says for whom it runs."""
SCOPE = "https://management.azure.com/.default"
OVER = ("Succeeded", "Failed", "Cancelled")
_LOST = ("Failed", "Cancelled", "Canceling")
"""States of runs with which nobody goes on."""
_AROUND = timedelta(days=2)
"""How far around a run its activities are looked for; the service keeps them for 45 days."""
_LONGEST_CANCEL = 120.0
_EVERYONE = frozenset({"GET", "POST"})


class DataFactoryError(RuntimeError):
    """The data factory did not do what was asked; the message says what is safe and what to do now."""


class DataFactorySettings(BaseSettings):
    """Which data factory. Environment variables ``NETFLIX_DATA_FACTORY_...``; without a name there is none."""

    model_config = SettingsConfigDict(env_prefix="NETFLIX_DATA_FACTORY_", env_file=".env", extra="ignore")

    name: str = Field("", pattern=r"^([A-Za-z0-9]+(-[A-Za-z0-9]+)*)?$", description="the factory; empty: none")
    group: str = Field("", description="its resource group")
    subscription: str = Field("", description="the subscription of that group")
    url: str = Field("https://management.azure.com", description="the management API, of other clouds or tests")
    timeout_seconds: int = Field(7200, gt=0, description="after which a run that is still at work is cancelled")
    poll_seconds: float = Field(10, gt=0, description="how often to ask how a run goes on")
    patience_seconds: float = Field(300, gt=0, description="how long a service that is busy or away is asked again")

    @model_validator(mode="after")
    def _whole(self) -> DataFactorySettings:
        if self.name and not (self.group and self.subscription):
            raise ValueError(
                "NETFLIX_DATA_FACTORY_NAME also needs NETFLIX_DATA_FACTORY_GROUP and NETFLIX_DATA_FACTORY_SUBSCRIPTION"
            )
        return self


@dataclass(frozen=True, slots=True)
class Activity:
    """One activity of a run, or of a run that it started: ``pipeline`` and ``parameters`` are of the run it is in."""

    id: str
    name: str
    kind: str
    status: str
    pipeline: str
    run: str
    parameters: dict[str, Any]
    seconds: float
    output: dict[str, Any]
    error: str

    def __str__(self) -> str:
        moved = self.output.get("dataWritten")
        details = f" in {self.seconds:g} s" + (f", {moved:,} bytes" if isinstance(moved, int) else "")
        error = f": {self.error}" if self.error else ""
        return f"{_source(self.parameters) or self.pipeline}: {self.name}: {self.status}{details}{error}"


@dataclass(frozen=True, slots=True)
class Landed:
    """A file that a run has landed as a delivery."""

    source: str
    delivery: str
    file: str
    bytes: int
    seconds: float
    run: str


class Factory:
    """The data factory of the settings. Every call waits out throttling and short outages."""

    def __init__(self, settings: DataFactorySettings) -> None:
        self.settings = settings
        self._client: DataFactoryManagementClient | None = None

    @property
    def client(self) -> DataFactoryManagementClient:
        """The client, made when it is first asked: until then nobody looks for an identity."""
        if self._client is None:
            try:
                from azure.mgmt.datafactory import DataFactoryManagementClient
            except ImportError as error:
                raise DataFactoryError(
                    "The client of Data Factory is not installed: pip install 'netflix-dagster[azure,data-factory]'"
                ) from error
            from netflix_dagster.azure.identity import credential

            self._client = DataFactoryManagementClient(
                credential(),
                self.settings.subscription,
                self.settings.url,
                credential_scopes=[SCOPE],
                connection_timeout=20,
                read_timeout=60,
                retry_on_methods=_EVERYONE,
                retry_total=0,
            )
        return self._client

    def start(self, sources: Sequence[str], requested_by: str) -> str:
        """Start the pipeline for some sources, whatever weekday it is; the run's id.

        An answer that got lost may be that of a run that has begun: before another try the run is looked for.
        """
        parameters = {"sources": list(sources), "any_day": True, REQUESTED_BY: requested_by}

        def begin() -> str:
            answer = self.client.pipelines.create_run(*self._where, PIPELINE, parameters)
            return str(answer.run_id)

        return self._patiently("started", begin, instead=lambda: self.find(requested_by))

    def find(self, requested_by: str) -> str | None:
        """The newest run of the pipeline for that request which is at work, waits or has succeeded."""
        from azure.mgmt.datafactory.models import RunQueryFilter

        now = datetime.now(UTC)
        asked = self._window(now - _AROUND, now + _AROUND)
        asked.filters = [RunQueryFilter(operand="PipelineName", operator="Equals", values_property=[PIPELINE])]
        found = [
            run
            for run in self._pages("looked for", self.client.pipeline_runs.query_by_factory, asked)
            if (run.parameters or {}).get(REQUESTED_BY) == requested_by and run.status not in _LOST
        ]
        newest = max(found, key=lambda run: run.run_start or now, default=None)
        return str(newest.run_id) if newest else None

    def look(self, run: str) -> PipelineRun:
        """The state of a run."""
        return self._patiently("seen", lambda: self.client.pipeline_runs.get(*self._where, run))

    def activities(self, run: str) -> Iterator[Activity]:
        """The activities of a run and of all runs that it started, in the order of their starts."""
        of = self.look(run)
        began = of.run_start or datetime.now(UTC)
        asked = self._window(began - _AROUND, began + _AROUND)
        call = self.client.activity_runs.query_by_pipeline_run
        found: list[ActivityRun] = list(self._pages("seen", call, asked, run))
        for one in sorted(found, key=lambda one: one.activity_run_start or began):
            yield _activity(one, of)
            if started := _mapping(one.output).get("pipelineRunId"):
                yield from self.activities(str(started))

    def cancel(self, run: str) -> bool:
        """Cancel a run and all that it started, and wait until it has ended. Returns whether it has."""
        self._patiently("cancelled", lambda: self.client.pipeline_runs.cancel(*self._where, run, is_recursive=True))
        until = monotonic() + _LONGEST_CANCEL
        while self.look(run).status not in OVER:
            if monotonic() > until:
                return False
            sleep(min(self.settings.poll_seconds, 2))
        return True

    def page(self, run: str) -> str:
        """Where people look at a run."""
        where = self.settings
        factory = (
            f"/subscriptions/{where.subscription}/resourceGroups/{where.group}"
            f"/providers/Microsoft.DataFactory/factories/{where.name}"
        )
        return f"https://adf.azure.com/en/monitoring/pipelineruns/{run}?factory={quote(factory, safe='')}"

    @property
    def _where(self) -> tuple[str, str]:
        return self.settings.group, self.settings.name

    def _window(self, after: datetime, before: datetime) -> RunFilterParameters:
        from azure.mgmt.datafactory.models import RunFilterParameters

        return RunFilterParameters(last_updated_after=after, last_updated_before=before)

    def _pages(self, what: str, call: Callable[..., Any], asked: RunFilterParameters, *of: str) -> Iterator[Any]:
        """What a query finds, page by page."""
        while True:
            answer = self._patiently(what, lambda: call(*self._where, *of, asked))
            yield from answer.value or []
            if not answer.continuation_token:
                return
            asked.continuation_token = answer.continuation_token

    def _patiently(self, what: str, call: Callable[[], T], instead: Callable[[], T | None] = lambda: None) -> T:
        """Repeat a call while the service is busy or away, as it asks for or less and less often; before each further
        try, ``instead`` may have the answer already."""
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
        from azure.core.exceptions import ServiceRequestError as NotReached
        from azure.core.exceptions import ServiceResponseError as Unanswered

        until, pause = monotonic() + self.settings.patience_seconds, 1.0
        while True:
            try:
                return call()
            except ClientAuthenticationError as error:
                raise self._refused(what, error) from error
            except (HttpResponseError, NotReached, Unanswered) as error:
                response = getattr(error, "response", None)
                status = response.status_code if response is not None else None
                if status is not None and status not in (408, 429) and status < 500:
                    raise self._refused(what, error) from error
                wait = _asked_to_wait(response) or pause
                if monotonic() + wait > until:
                    raise DataFactoryError(
                        f"The data factory {self.settings.name} is busy or cannot be reached: nothing could be {what}"
                        f" within {self.settings.patience_seconds:g} seconds. What it has begun goes on there; run"
                        f" again to go on with it. It said: {_words(error)}"
                    ) from error
            sleep(wait)
            pause = min(pause * 2, 30.0)
            if (answer := instead()) is not None:
                return answer

    def _refused(self, what: str, error: Exception) -> DataFactoryError:
        return DataFactoryError(
            f"The data factory {self.settings.name} refuses: nothing could be {what}. Landing is as it was. This"
            " identity needs the role Data Factory Contributor on the factory, and the pipelines of infra/adf have to"
            f" be in it. It said: {_words(error)}"
        )


def landed(activities: Sequence[Activity]) -> list[Landed]:
    """The files that some activities have landed: those that were renamed into place."""
    copies = {one.run: one for one in activities if one.kind == "Copy" and one.status == "Succeeded"}
    found = []
    for one in activities:
        if one.name == "Publish" and one.status == "Succeeded" and one.run in copies:
            copy, said = copies[one.run], one.parameters
            written = int(copy.output.get("dataWritten") or 0)
            found.append(Landed(said["source"], said["delivery"], said["file"], written, copy.seconds, one.run))
    return found


def reasons(activities: Sequence[Activity]) -> list[str]:
    """Why a run failed: what its activities say that failed by themselves, not for another one's sake."""
    outer = ("ExecutePipeline", "ForEach", "IfCondition", "Switch")
    failed = [one for one in activities if one.status == "Failed"]
    own = [one for one in failed if one.kind not in outer and one.name != "Not landed"] or failed
    return list(dict.fromkeys(f"{one.name}{_of(one)}: {one.error or 'no reason given'}" for one in own))


def _of(one: Activity) -> str:
    return f" of {source}" if (source := _source(one.parameters)) else ""


def _source(parameters: dict[str, Any]) -> str:
    """The source that a run is about; none of the run about all of them."""
    entry = parameters.get("entry")
    return str(entry["source"] if isinstance(entry, dict) else parameters.get("source", ""))


def _activity(run: ActivityRun, of: PipelineRun) -> Activity:
    error = _mapping(run.error)
    return Activity(
        id=str(run.activity_run_id),
        name=str(run.activity_name),
        kind=str(run.activity_type),
        status=str(run.status),
        pipeline=str(of.pipeline_name),
        run=str(of.run_id),
        parameters={name: _value(text) for name, text in (of.parameters or {}).items()},
        seconds=(run.duration_in_ms or 0) / 1000,
        output=_mapping(run.output),
        error=str(error.get("message") or ""),
    )


def _value(text: Any) -> Any:
    """A parameter of a run: the service keeps all of them as text, objects as JSON."""
    if isinstance(text, str) and text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _mapping(said: Any) -> dict[str, Any]:
    return dict(said) if hasattr(said, "items") else {}


def _asked_to_wait(response: Any) -> float | None:
    """The seconds of a Retry-After, if there is one."""
    said = response.headers.get("Retry-After") if response is not None else None
    return float(said) if said and str(said).isdecimal() else None


def _words(error: Exception) -> str:
    from netflix_dagster.azure.redaction import redact

    message = getattr(error, "message", None) or str(error)
    return redact(" ".join(str(message).split()))[:500]
