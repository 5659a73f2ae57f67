"""The management API of one data factory, over TLS, with the real pipelines behind it.

Answers and refusals after https://learn.microsoft.com/rest/api/datafactory (version 2018-06-01); where it says nothing
the stricter answer is given. A run goes on in a thread of its own.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from netflix_dagster_tests.emulators.data_factory.engine import ActivityRun, Factory, Failed, Run
from netflix_dagster_tests.emulators.entra import claims
from netflix_dagster_tests.emulators.serving import Asked, Said, serving

SUBSCRIPTION, GROUP, NAME = "11111111-2222-3333-4444-555555555555", "rg-netflix-test", "adf-netflix-test"
_ROOT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.DataFactory/factories/"
_PAGE = 3
"""So few of what a query finds are sent at once that every test turns pages; the service sends 100."""
_RUN_FILTERS = {"PipelineName", "RunStart", "RunEnd", "Status"}
_ACTIVITY_FILTERS = {"ActivityName", "ActivityRunStart", "ActivityRunEnd", "ActivityType", "Status"}


class Refused(Exception):
    """An error of the service: status, code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Fault:
    """The next requests whose path contains ``where`` are answered so; ``after``: it is done all the same."""

    status: int
    where: str
    times: int = 1
    after: bool = False
    wait: int | None = 0


@dataclass
class Service:
    """A running factory. ``asked`` holds each request as ``METHOD what``."""

    factory: Factory
    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)
    forbidden: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a process that works with this factory."""
        said = {"NAME": NAME, "GROUP": GROUP, "SUBSCRIPTION": SUBSCRIPTION, "URL": self.url, "POLL_SECONDS": "0.05"}
        return {f"NETFLIX_DATA_FACTORY_{name}": value for name, value in said.items()}

    def started(self) -> list[Run]:
        """The runs that were asked for, without those that they started."""
        children = {child.id for run in self.factory.runs.values() for child in run.children}
        return [run for run in self.factory.runs.values() if run.id not in children]

    def answer(self, asked: Asked) -> Said:
        path = asked.path.removeprefix(_ROOT + NAME).lstrip("/")
        self.asked.append(f"{asked.method} {path}")
        fault = next((one for one in self.faults if one.times and one.where in path), None)
        if fault:
            fault.times -= 1
            if fault.after:
                self._answer(asked, path)
            headers = {} if fault.wait is None else {"Retry-After": str(fault.wait)}
            return Said(
                fault.status, _error("TooManyRequests" if fault.status == 429 else "InternalError", "later"), headers
            )
        try:
            return Said.json(self._answer(asked, path))
        except Refused as refused:
            return Said.json(_error(refused.code, str(refused)), refused.status)
        except Failed as failed:
            return Said.json(_error("BadRequest", str(failed)), 400)

    def _answer(self, asked: Asked, path: str) -> Any:
        said = claims(asked.headers.get("Authorization"))
        if said.get("aud") != "https://management.azure.com":
            raise Refused(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        if self.forbidden:
            raise Refused(403, "AuthorizationFailed", "The client does not have authorization to perform action")
        if asked.query.get("api-version") != "2018-06-01":
            raise Refused(400, "MissingApiVersionParameter", "The api-version query parameter is required: 2018-06-01")
        if not asked.path.startswith(_ROOT):
            raise Refused(404, "ResourceGroupNotFound", f"Resource group of {asked.path} could not be found.")
        if not asked.path.startswith(_ROOT + NAME + "/"):
            raise Refused(404, "ResourceNotFound", f"The Resource {asked.path} was not found.")
        body = json.loads(asked.body) if asked.body else {}
        if asked.body and asked.headers.get("Content-Type") != "application/json":
            raise Refused(415, "UnsupportedMediaType", "The content media type has to be application/json")
        match asked.method, path.split("/"):
            case "POST", ["pipelines", name, "createRun"]:
                return {"runId": self._start(name, body).id}
            case "POST", ["queryPipelineRuns"]:
                return self._pages(self._queried(body, _RUN_FILTERS, list(self.factory.runs.values()), _run), body)
            case "GET", ["pipelineruns", run]:
                return _run(self._run(run))
            case "POST", ["pipelineruns", run, "cancel"]:
                self._cancel(self._run(run), asked.query.get("isRecursive"))
                return {}
            case "POST", ["pipelineruns", run, "queryActivityruns"]:
                of = self._run(run)
                found = self._queried(body, _ACTIVITY_FILTERS, list(of.activities), lambda one: _activity(one, of))
                return self._pages(found, body)
        raise Refused(404, "NotFound", f"No API found for {asked.method} {path}")

    def _start(self, name: str, parameters: dict[str, Any]) -> Run:
        if name not in self.factory.contents["pipeline"]:
            raise Refused(404, "EntityNotFound", f"Pipeline '{name}' was not found.")
        run = self.factory.begin(name, parameters)
        thread = threading.Thread(target=self.factory.go, args=(run,), daemon=True)
        self.threads.append(thread)
        thread.start()
        return run

    def _run(self, identifier: str) -> Run:
        if identifier not in self.factory.runs:
            raise Refused(404, "RunNotFound", f"Pipeline run with id '{identifier}' was not found.")
        return self.factory.runs[identifier]

    def _cancel(self, run: Run, recursive: str | None) -> None:
        """Without ``isRecursive`` those that it has started go on."""
        if run.status in ("Queued", "InProgress"):
            if recursive != "true":
                raise Refused(400, "BadRequest", "a run that has started others has to be cancelled with them here")
            run.status = "Canceling"
            run.stopped.set()

    def _queried(
        self, body: dict[str, Any], operands: set[str], found: Sequence[Any], show: Any
    ) -> list[dict[str, Any]]:
        times = []
        for name in ("lastUpdatedAfter", "lastUpdatedBefore"):
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", str(body.get(name, ""))):
                raise Refused(400, "BadRequest", f"{name} is required, in ISO 8601")
            times.append(datetime.fromisoformat(body[name]))
        shown = [show(one) for one in found if times[0] <= _updated(one) <= times[1]]
        for one in body.get("filters") or []:
            if set(one) != {"operand", "operator", "values"} or one["operand"] not in operands:
                raise Refused(400, "BadRequest", f"Invalid filter {one}: the operands are {sorted(operands)}")
            if one["operator"] not in ("Equals", "NotEquals", "In", "NotIn") or not isinstance(one["values"], list):
                raise Refused(400, "BadRequest", f"Invalid operator of the filter {one}")
            key = one["operand"][0].lower() + one["operand"][1:]
            shown = [
                entry for entry in shown if (entry[key] in one["values"]) == (not one["operator"].startswith("Not"))
            ]
        return shown

    def _pages(self, found: list[dict[str, Any]], body: dict[str, Any]) -> dict[str, Any]:
        at = int(body.get("continuationToken") or 0)
        more = {"continuationToken": str(at + _PAGE)} if at + _PAGE < len(found) else {}
        return {"value": found[at : at + _PAGE], **more}


def _updated(one: Run | ActivityRun) -> datetime:
    return one.updated if isinstance(one, Run) else one.ended or one.began


def _run(run: Run) -> dict[str, Any]:
    """A run as the service shows it: every parameter is text."""
    ended = run.ended
    return {
        "id": f"{_ROOT}{NAME}/pipelineruns/{run.id}",
        "runId": run.id,
        "runGroupId": run.id,
        "isLatest": True,
        "pipelineName": run.pipeline,
        "parameters": {name: _text(value) for name, value in run.parameters.items()},
        "runDimensions": {},
        "invokedBy": {"id": "x", "name": "Manual", "invokedByType": "Manual"},
        "lastUpdated": _time(run.updated),
        "runStart": _time(run.began),
        "runEnd": _time(ended),
        "durationInMs": _milliseconds(run.began, ended),
        "status": run.status,
        "message": run.message,
    }


def _activity(one: ActivityRun, run: Run) -> dict[str, Any]:
    nothing = {"errorCode": "", "message": "", "failureType": "", "target": one.name}
    return {
        "pipelineName": run.pipeline,
        "pipelineRunId": run.id,
        "activityName": one.name,
        "activityType": one.kind,
        "activityRunId": one.id,
        "linkedServiceName": "",
        "status": one.status,
        "activityRunStart": _time(one.began),
        "activityRunEnd": _time(one.ended),
        "durationInMs": _milliseconds(one.began, one.ended),
        "input": one.input,
        "output": one.output,
        "error": {**nothing, **one.error},
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _time(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None


def _milliseconds(began: datetime, ended: datetime | None) -> int | None:
    return int((ended - began).total_seconds() * 1000) if ended else None


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


@contextmanager
def data_factory(factory: Factory, certificate: tuple[Path, Path]) -> Iterator[Service]:
    """The service until the end of the block; then what still runs in it is cancelled."""
    service = Service(factory)
    with serving(service.answer, certificate) as port:
        service.url = f"https://localhost:{port}"
        try:
            yield service
        finally:
            for run in list(factory.runs.values()):
                run.stopped.set()
            for thread in service.threads:
                thread.join(5)
