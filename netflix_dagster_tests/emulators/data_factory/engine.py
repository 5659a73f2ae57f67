"""Runs the pipelines of a factory's JSON: control flow as the service does it, data on folders of this machine.

The outcome of a pipeline is that of its leaves; a skipped leaf counts as what it waits for
(https://learn.microsoft.com/azure/data-factory/tutorial-pipeline-failure-error-handling). Copies really copy, in two
pieces, and the rename of ADLS really renames: who lists landing meanwhile sees what they would see there.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from netflix_dagster_tests.emulators.data_factory.expressions import ExpressionError, Scope, evaluate

Json = dict[str, Any]


class Failed(Exception):
    """An activity fails; its code and message are those that the service would show."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stopped(Exception):
    """The run was cancelled."""


@dataclass
class Web:
    """What a URL answers: the whole file, of which a range is sent when asked for; JSON for an API."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """A copy gets so many bytes only, and does not notice."""


@dataclass
class World:
    """What the activities reach: the web, the private network, storage accounts by their URL, file shares.

    ``faults`` are activities, by pipeline and name, that fail so many times more; ``slow`` waits until it is set.
    """

    web: dict[str, Web] = field(default_factory=dict)
    private: dict[str, Web] = field(default_factory=dict)
    stores: dict[str, Path] = field(default_factory=dict)
    shares: dict[str, Path] = field(default_factory=dict)
    faults: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    slow: threading.Event | None = None

    def get(self, url: str, by: str) -> Web:
        self.asked.append(url)
        there = self.private if by == "on-premises" else self.web
        found = there.get(url)
        if found is None or found.status >= 400:
            raise Failed(
                "2108", f"Error calling the endpoint '{url}'. Response status code: {found.status if found else 404}"
            )
        return found


@dataclass
class ActivityRun:
    name: str
    kind: str
    status: str = "InProgress"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    input: Json = field(default_factory=dict)
    output: Json = field(default_factory=dict)
    error: Json = field(default_factory=dict)


@dataclass
class Run:
    """A run of a pipeline; ``path`` holds every activity with its outcome, as a walk through the pipeline."""

    pipeline: str
    parameters: Json
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Queued"
    message: str = ""
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    activities: list[ActivityRun] = field(default_factory=list)
    children: list[Run] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def path(self) -> list[str]:
        return [f"{one.name}: {one.status}" for one in self.activities]

    def everything(self) -> list[Run]:
        """The run and all that it started."""
        return [self, *(one for child in self.children for one in child.everything())]


class Factory:
    """A factory as its JSON says: ``contents`` by kind and name, its global parameters."""

    def __init__(self, contents: Mapping[str, Mapping[str, Json]], parameters: Mapping[str, str], world: World) -> None:
        self.contents, self.globals, self.world = contents, dict(parameters), world
        self.runs: dict[str, Run] = {}
        self.walked: set[tuple[str, str, str]] = set()
        """Every activity that ended, by pipeline, name and how."""

    @classmethod
    def of_folder(cls, folder: Path, world: World) -> Factory:
        """The factory of a folder in Git."""
        kinds = ("pipeline", "dataset", "linkedService", "integrationRuntime", "trigger")
        contents = {
            kind: {path.stem: json.loads(path.read_text())["properties"] for path in (folder / kind).glob("*.json")}
            for kind in kinds
        }
        (factory,) = (folder / "factory").glob("*.json")
        said = json.loads(factory.read_text())["properties"]["globalParameters"]
        return cls(contents, {name: one["value"] for name, one in said.items()}, world)

    def begin(self, pipeline: str, parameters: Mapping[str, Any], parent: Run | None = None) -> Run:
        """A run that waits for its start. Refused are parameters that the pipeline has not, and missing ones."""
        declared = self.contents["pipeline"][pipeline].get("parameters", {})
        if unknown := set(parameters) - set(declared):
            raise Failed("BadRequest", f"The pipeline {pipeline} has no parameter {', '.join(sorted(unknown))}")
        given = {name: one["defaultValue"] for name, one in declared.items() if "defaultValue" in one} | dict(
            parameters
        )
        if missing := set(declared) - set(given):
            raise Failed("BadRequest", f"The pipeline {pipeline} needs the parameters {', '.join(sorted(missing))}")
        kinds = {"String": str, "Int": int, "Bool": bool, "Array": list, "Object": dict}
        for name, value in given.items():
            if type(value) is not kinds[declared[name]["type"]]:
                raise Failed(
                    "BadRequest", f"The parameter {name} of {pipeline} is {value!r}, no {declared[name]['type']}"
                )
        run = Run(pipeline, given)
        if parent:
            parent.children.append(run)
            run.stopped = parent.stopped
        self.runs[run.id] = run
        return run

    def run(self, pipeline: str, **parameters: Any) -> Run:
        """Run a pipeline to its end."""
        return self.go(self.begin(pipeline, parameters))

    def go(self, run: Run) -> Run:
        run.status = "InProgress"
        try:
            run.status, run.message = _Pipeline(self, run).walk()
        except Stopped:
            run.status = "Cancelled"
        run.ended = run.updated = datetime.now(UTC)
        return run


class _Pipeline:
    """One run of one pipeline."""

    def __init__(self, factory: Factory, run: Run) -> None:
        self.factory, self.here, self.world = factory, run, factory.world
        self.said = factory.contents["pipeline"][run.pipeline]
        self.variables: dict[str, Any] = dict.fromkeys(self.said.get("variables", {}), "")
        self.outputs: dict[str, Json] = {}

    def walk(self) -> tuple[str, str]:
        return self._activities(self.said["activities"], None)

    def _scope(self, item: Any) -> Scope:
        run = self.here
        pipeline = {
            "RunId": run.id,
            "Pipeline": run.pipeline,
            "TriggerTime": run.began.isoformat().replace("+00:00", "Z"),
            "parameters": run.parameters,
            "globalParameters": self.factory.globals,
        }
        scope: dict[str, Callable[..., Any]] = {
            "pipeline": lambda: pipeline,
            "variables": self._variable,
            "activity": self._seen,
        }
        return scope if item is None else {**scope, "item": lambda: item}

    def _variable(self, name: str) -> Any:
        if name not in self.variables:
            raise ExpressionError(f"the variable {name} is not declared")
        return self.variables[name]

    def _seen(self, name: str) -> Json:
        if name not in self.outputs:
            raise ExpressionError(f"the activity {name} has not been run before this one, or is inside of another")
        return self.outputs[name]

    def _activities(self, activities: Sequence[Json], item: Any) -> tuple[str, str]:
        """Run some activities, each after those that it waits for; their outcome together, and why."""
        ended: dict[str, str] = {}
        errors: dict[str, str] = {}
        left = list(activities)
        while left:
            ready = [one for one in left if all(on["activity"] in ended for on in one.get("dependsOn", []))]
            if not ready:
                raise Failed(
                    "BadRequest", f"activities wait for each other or for none: {[one['name'] for one in left]}"
                )
            for one in ready:
                left.remove(one)
                name = one["name"]
                if name in ended:
                    raise Failed("BadRequest", f"two activities are called {name}")
                ended[name], errors[name] = self._activity(one, item, ended)
        return _outcome(activities, ended, errors)

    def _activity(self, said: Json, item: Any, ended: Mapping[str, str]) -> tuple[str, str]:
        told = ActivityRun(said["name"], said["type"])
        wanted = [(ended[on["activity"]], on["dependencyConditions"]) for on in said.get("dependsOn", [])]
        if any(
            how not in conditions and not ("Completed" in conditions and how != "Skipped") for how, conditions in wanted
        ):
            told.status = "Skipped"
        else:
            self.here.activities.append(told)
            tries = int(said.get("policy", {}).get("retry", 0)) + 1
            while tries:
                tries -= 1
                try:
                    self._do(said, item, told)
                    told.status, tries = "Succeeded", 0
                except (Failed, ExpressionError) as error:
                    code = getattr(error, "code", "BadRequest")
                    told.status, told.error = (
                        "Failed",
                        {"errorCode": code, "message": str(error), "failureType": "UserError"},
                    )
                except Stopped:
                    told.status, told.ended = "Cancelled", datetime.now(UTC)
                    raise
        told.ended = self.here.updated = datetime.now(UTC)
        self.factory.walked.add((self.here.pipeline, told.name, told.status))
        return told.status, str(told.error.get("message", ""))

    def _do(self, said: Json, item: Any, told: ActivityRun) -> None:
        if self.here.stopped.is_set():
            raise Stopped
        fault = (self.here.pipeline, said["name"])
        if self.world.faults.get(fault, 0) > 0:
            self.world.faults[fault] -= 1
            raise Failed("2200", f"{said['name']} failed because the test wants it")
        act = getattr(self, f"_{said['type'].lower()}", None)
        if act is None:
            raise Failed("BadRequest", f"activities of type {said['type']} are not known here")
        told.output = act(said, item, told) or {}
        self.outputs[said["name"]] = {"output": told.output, "status": "Succeeded"}

    def _given(self, said: Any, item: Any) -> Any:
        return evaluate(said, self._scope(item))

    # Control flow

    def _inner(self, activities: Sequence[Json], item: Any) -> None:
        status, why = self._activities(activities, item)
        if status != "Succeeded":
            raise Failed("ActionFailed", f"Activity failed because an inner activity failed: {why}")

    def _setvariable(self, said: Json, item: Any, _told: ActivityRun) -> Json:
        name, value = said["typeProperties"]["variableName"], self._given(said["typeProperties"]["value"], item)
        if name not in self.variables or not isinstance(value, str):
            raise Failed("BadRequest", f"the variable {name} of type String cannot be {value!r}")
        self.variables[name] = value
        return {"name": name, "value": value}

    def _fail(self, said: Json, item: Any, _told: ActivityRun) -> None:
        given = self._given(said["typeProperties"], item)
        raise Failed(given["errorCode"], given["message"])

    def _filter(self, said: Json, _item: Any, _told: ActivityRun) -> Json:
        items = self._given(said["typeProperties"]["items"], None)
        kept = [one for one in items if self._true(said["typeProperties"]["condition"], one)]
        return {"itemsCount": len(items), "filteredItemsCount": len(kept), "value": kept}

    def _true(self, said: Any, item: Any) -> bool:
        value = self._given(said, item)
        if not isinstance(value, bool):
            raise Failed("BadRequest", f"a condition is {value!r}, neither true nor false")
        return value

    def _ifcondition(self, said: Json, item: Any, _told: ActivityRun) -> None:
        branch = "ifTrueActivities" if self._true(said["typeProperties"]["expression"], item) else "ifFalseActivities"
        self._inner(said["typeProperties"].get(branch, []), item)

    def _switch(self, said: Json, item: Any, _told: ActivityRun) -> None:
        on = self._given(said["typeProperties"]["on"], item)
        cases = {case["value"]: case["activities"] for case in said["typeProperties"]["cases"]}
        self._inner(cases.get(on, said["typeProperties"].get("defaultActivities", [])), item)

    def _foreach(self, said: Json, _item: Any, _told: ActivityRun) -> None:
        inside, failures = said["typeProperties"]["activities"], []
        for one in self._given(said["typeProperties"]["items"], None):
            try:
                self._inner(inside, one)
            except Failed as error:
                failures.append(str(error))
        if failures:
            raise Failed("ActionFailed", f"Activity failed because an inner activity failed: {failures[0]}")

    def _executepipeline(self, said: Json, item: Any, told: ActivityRun) -> Json:
        name = said["typeProperties"]["pipeline"]["referenceName"]
        child = self.factory.begin(name, self._given(said["typeProperties"]["parameters"], item), self.here)
        told.output = {"pipelineRunId": child.id, "pipelineName": name}
        self.factory.go(child)
        if child.status == "Cancelled":
            raise Stopped
        if child.status != "Succeeded":
            raise Failed("PipelineFailed", f"Operation on target {said['name']} failed: {child.message}")
        return told.output

    # Data

    def _place(self, reference: Json, item: Any) -> tuple[str, Json, str]:
        """Where a dataset lies: the type of its linked service, its location with what the service says, by whom."""
        data = self.factory.contents["dataset"][reference["referenceName"]]
        given = self._given(reference.get("parameters", {}), item)
        _same("dataset", reference["referenceName"], data["parameters"], given)
        location = evaluate(data["typeProperties"]["location"], {"dataset": lambda: given})
        named = data["linkedServiceName"]
        service = self.factory.contents["linkedService"][named["referenceName"]]
        handed = evaluate(named.get("parameters", {}), {"dataset": lambda: given})
        _same("linked service", named["referenceName"], service.get("parameters", {}), handed)
        said = evaluate(service["typeProperties"], {"linkedService": lambda: handed})
        return service["type"], {**said, **location}, service["connectVia"]["referenceName"]

    def _path(self, reference: Json, item: Any) -> Path | None:
        """The file of this machine that stands for a dataset of storage or a share."""
        kind, where, _ = self._place(reference, item)
        if kind == "AzureBlobFS":
            store = self.world.stores.get(where["url"])
            if store is None or not (store / where["fileSystem"]).is_dir():
                raise Failed("2011", f"{where['url']}{where['fileSystem']}: the container does not exist")
            return store / where["fileSystem"] / where["folderPath"] / where["fileName"]
        if kind == "FileServer":
            return self.world.shares[where["host"]] / where["folderPath"] / where["fileName"]
        return None

    def _getmetadata(self, said: Json, item: Any, _told: ActivityRun) -> Json:
        path, fields = self._path(said["typeProperties"]["dataset"], item), said["typeProperties"]["fieldList"]
        if path is None:
            raise Failed("3700", "Get Metadata does not work on HTTP")
        if not path.is_file():
            if "exists" not in fields:
                raise Failed("3500", f"Field 'size' failed: the required file {path.name} is missing")
            return {"exists": False}
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat().replace("+00:00", "Z")
        known = {"exists": True, "size": path.stat().st_size, "lastModified": changed, "itemType": "File"}
        return {name: known[name] for name in fields}

    def _webactivity(self, said: Json, item: Any, _told: ActivityRun) -> Json:
        asked = self._given(said["typeProperties"], item)
        by = asked.get("connectVia", {}).get("referenceName", "")
        if asked["method"] == "PUT":
            return self._rename(asked)
        found = self.world.get(asked["url"], by)
        if not isinstance(found.body, bytes):
            return {"Response": json.dumps(found.body), "ADFWebActivityResponseHeaders": found.headers}
        if asked["headers"].get("Range") != "bytes=0-0" or len(found.body) == 0:
            raise Failed("2001", "The length of execution output is over limit (around 4MB currently)")
        headers = {"Content-Range": f"bytes 0-0/{len(found.body)}", **found.headers}
        return {"Response": found.body[:1].decode("latin-1"), "ADFWebActivityResponseHeaders": headers}

    def _rename(self, asked: Json) -> Json:
        """Path - Create of ADLS Gen2 with a source to rename."""
        url = urlsplit(asked["url"])
        store = self.world.stores.get(f"{url.scheme}://{url.netloc}/")
        if store is None or asked["authentication"] != {"type": "MSI", "resource": "https://storage.azure.com/"}:
            raise Failed("2108", "Response status code: 401 NoAuthenticationInformation")
        source = store / unquote(asked["headers"]["x-ms-rename-source"]).lstrip("/")
        if asked["body"] or not source.is_file():
            raise Failed("2108", "Response status code: 404 SourcePathNotFound")
        source.rename(store / unquote(url.path).lstrip("/"))
        return {"Response": "", "ADFWebActivityResponseHeaders": {}}

    def _copy(self, said: Json, item: Any, _told: ActivityRun) -> Json:
        kind, where, by = self._place(said["inputs"][0], item)
        expected = {
            "HttpServer": "HttpReadSettings",
            "AzureBlobFS": "AzureBlobFSReadSettings",
            "FileServer": "FileServerReadSettings",
        }
        if said["typeProperties"]["source"]["storeSettings"]["type"] != expected[kind]:
            raise Failed("2200", f"a dataset of {kind} is read with {expected[kind]}")
        target = self._path(said["outputs"][0], item)
        assert target is not None
        if kind == "HttpServer":
            found = self.world.get(where["url"] + where["relativeUrl"], by)
            content = found.body[: found.cut]
        else:
            path = self._path(said["inputs"][0], item)
            if path is None or not path.is_file():
                raise Failed("2200", f"UserErrorSourceBlobNotExist: the file {path and path.name} does not exist")
            content = path.read_bytes()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content[: len(content) // 2])
        self.world.meanwhile()
        while self.world.slow and not self.world.slow.wait(0.02):
            if self.here.stopped.is_set():
                raise Stopped
        target.write_bytes(content)
        return {"dataRead": len(content), "dataWritten": len(content), "filesWritten": 1, "copyDuration": 1}

    def _delete(self, said: Json, item: Any, _told: ActivityRun) -> Json:
        path = self._path(said["typeProperties"]["dataset"], item)
        assert path is not None
        path.unlink(missing_ok=True)
        return {"filesDeleted": 1}


def _same(what: str, name: str, declared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if set(declared) != set(given):
        raise Failed("BadRequest", f"the {what} {name} takes {sorted(declared)}, and is given {sorted(given)}")
    for parameter, value in given.items():
        if not isinstance(value, str):
            raise Failed("BadRequest", f"{parameter} of the {what} {name} is {value!r}, no text")


def _outcome(activities: Sequence[Json], ended: Mapping[str, str], errors: Mapping[str, str]) -> tuple[str, str]:
    """Succeeded if every leaf has; a skipped one is judged by what it waits for."""
    before = {one["name"]: [on["activity"] for on in one.get("dependsOn", [])] for one in activities}
    waited_for = {name for names in before.values() for name in names}
    judged = [name for name in before if name not in waited_for]
    for name in judged:
        if ended[name] == "Skipped":
            judged += [one for one in before[name] if one not in judged]
        elif ended[name] == "Failed":
            return "Failed", f"Operation on target {name} failed: {errors[name]}"
    return "Succeeded", ""
