"""The REST API of Power BI, as strict as its documentation: one workspace with one semantic model.

``DOCUMENTED`` says which page each refusal follows. Time is what the test says: a refresh is in the next state of its
``script`` whenever it is looked at.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.serving import Asked, Said

WORKSPACE, MODEL = "6f1d2b1e-7c0a-4c55-9d3a-0a6d7a5a1f00", "0c4ce1a8-30a5-4ac5-8d9c-6a2f0bb1d9aa"
_LEARN = "https://learn.microsoft.com/"
_REFRESH = f"{_LEARN}power-bi/connect-data/asynchronous-refresh"
DOCUMENTED = {
    "token": (401, "TokenExpired", f"{_LEARN}rest/api/power-bi/"),
    "read only": (404, "PowerBIEntityNotFound", f"{_LEARN}power-bi/developer/embedded/datasets-permissions"),
    "users": (403, "PowerBINotAuthorizedException", f"{_LEARN}rest/api/power-bi/groups/add-group-user"),
    "item": (403, "InsufficientPrivileges", f"{_LEARN}rest/api/fabric/core/items/create-item"),
    "outside": (403, "PowerBINotAuthorizedException", f"{_LEARN}rest/api/power-bi/groups/get-group-users"),
    "workspace": (404, "PowerBIFolderNotFound", f"{_LEARN}rest/api/power-bi/datasets/get-datasets-in-group"),
    "model": (404, "PowerBIEntityNotFound", f"{_LEARN}rest/api/power-bi/datasets/refresh-dataset-in-group"),
    "throttled": (429, "TooManyRequests", f"{_LEARN}power-bi/developer/embedded/rest-api-throttling"),
    "busy": (400, "BadRequest", f"{_REFRESH}#response-codes"),
    "parameter": (400, "InvalidRequest", f"{_REFRESH}#parameters"),
    "object": (400, "InvalidRequest", f"{_REFRESH}#parameters"),
    "refresh": (404, "RefreshNotFound", f"{_REFRESH}#get-refreshesrequestid"),
    "query": (400, "BadRequest", f"{_LEARN}rest/api/power-bi/datasets/execute-queries-in-group"),
    "over": (400, "RefreshNotInProgress", f"{_REFRESH}#delete-refreshesrequestid"),
}
_PARAMETERS = {
    "type": str,
    "commitMode": str,
    "maxParallelism": int,
    "retryCount": int,
    "timeout": str,
    "objects": list,
    "applyRefreshPolicy": bool,
    "effectiveDate": str,
    "notifyOption": str,
}
_ON_MODELS = {
    "Viewer": {"Read"},
    "Contributor": {"Read", "Write", "Explore"},
    "Member": {"Read", "Write", "Explore", "Reshare"},
    "Admin": {"Read", "Write", "Explore", "Reshare"},
}
"""What a role in the workspace lets one do with its models, as the page of "read only" says it. Explore is the right to
build on a model, which a query takes."""
_TYPES = {"full", "clearValues", "calculate", "dataOnly", "automatic", "defragment"}
_MEMBER = ("displayName", "principalType", "groupUserAccessRight")
_YEARS = range(2012, 2027)


class Refused(Exception):
    """A refusal, by its name in ``DOCUMENTED``."""

    def __init__(self, name: str, why: str = "") -> None:
        status, code, page = DOCUMENTED[name]
        said = {"error": {"code": code, "message": f"{why} ({page})".strip()}}
        headers = {"Retry-After": "7"} if status == 429 else {}
        self.said = Said(status, said, headers)


@dataclass
class Refresh:
    id: str
    body: Mapping[str, Any]
    script: list[str]
    messages: list[dict[str, str]] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.script[0]

    @property
    def going_on(self) -> bool:
        return self.state in ("NotStarted", "InProgress")

    def as_json(self) -> dict[str, Any]:
        ended = {} if self.going_on else {"endTime": "2026-01-01T00:01:00Z"}
        return {
            "requestId": self.id,
            "startTime": "2026-01-01T00:00:00Z",
            "type": "Full",
            "refreshType": "ViaEnhancedApi",
            # "Unknown" while it goes on; a timeout is a failure whose extended status says more
            "status": {"NotStarted": "Unknown", "InProgress": "Unknown", "TimedOut": "Failed"}.get(
                self.state, self.state
            ),
            "extendedStatus": self.state,
            "messages": self.messages,
            **ended,
        }


@dataclass
class PowerBI:
    """``tokens`` are those of an administrator; ``throttle`` counts the requests that get no answer."""

    tables: Mapping[str, bool]
    """By name, whether a table has a refresh policy."""
    tokens: set[str] = field(default_factory=lambda: {"token-1"})
    scripts: list[list[str]] = field(default_factory=list)
    """How the next refreshes go; without one a refresh is completed at the second look."""
    messages: list[dict[str, str]] = field(default_factory=list)
    outside: bool = False
    """The caller is no member of the workspace."""
    throttle: int = 0
    refreshes: list[Refresh] = field(default_factory=list)
    partitions: dict[str, set[str]] = field(default_factory=dict)
    loaded: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    members: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, kind and role of those who are let in."""
    people: dict[str, str] = field(default_factory=dict)
    """The names of others by their tokens: each may do what his role allows."""
    measure: Callable[[str], Any] = lambda name: None
    """What a measure comes to where nothing is filtered."""

    def answer(self, asked: Asked) -> Said:
        self.asked.append(f"{asked.method} {asked.path}")
        try:
            return self._answer(asked)
        except Refused as refused:
            return refused.said

    def elsewhere(self, *script: str) -> Refresh:
        """A refresh that somebody else has started."""
        self.refreshes.insert(0, Refresh(str(uuid.uuid4()), {}, list(script)))
        return self.refreshes[0]

    def _answer(self, asked: Asked) -> Said:
        token = (asked.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in self.tokens and token not in self.people:
            raise Refused("token", "Access token has expired, resubmit with a new access token")
        roles = {name: role for name, _, role in self.members}
        role = "Admin" if token in self.tokens else roles.get(self.people[token])
        if asked.path == f"/v1/workspaces/{WORKSPACE}/items":  # of Fabric, by which items are deployed
            if role is None or "Write" not in _ON_MODELS[role]:
                raise Refused("item", "The caller does not have sufficient permissions to perform this operation")
            return Said.json({"id": MODEL, **json.loads(asked.body)}, 201)
        if self.outside or role is None:
            raise Refused("outside")
        if self.throttle:
            self.throttle -= 1
            raise Refused("throttled")
        root, _, path = asked.path.partition(f"/groups/{WORKSPACE}/")
        if not path or root:
            raise Refused("workspace")
        self._judge(role, asked.method, path)
        match asked.method, path.split("/"):
            case "GET", ["datasets"]:
                return Said.json({"value": [{"id": MODEL, "name": "Netflix"}]})
            case "GET", ["reports"]:
                return Said.json({"value": [{"id": "r", "name": "Netflix", "datasetId": MODEL}]})
            case "GET", ["dashboards"]:
                return Said.json({"value": []})
            case "GET", ["users"]:  # rest/api/power-bi/groups/get-group-users
                return Said.json({"value": [dict(zip(_MEMBER, one, strict=True)) for one in self.members]})
            case "POST", ["users"]:
                said = json.loads(asked.body)
                self.members.append((said["identifier"], *(said[key] for key in _MEMBER[1:])))
                return Said.json({})
            case _, ["datasets", model, *_] if model != MODEL:
                raise Refused("model")
            case "GET", ["datasets", _, "datasources"]:
                return Said.json({"value": []})
            case "POST", ["datasets", _, "executeQueries"]:
                return self._answered(json.loads(asked.body))
            case "POST", ["datasets", _, "refreshes"]:
                return self._start(json.loads(asked.body or b"{}"))
            case "GET", ["datasets", _, "refreshes"]:
                return Said.json({"value": [one.as_json() for one in self._looked()]})
            case "GET", ["datasets", _, "refreshes", one]:
                self._looked()
                refresh = self._found(one)
                return Said.json(refresh.as_json(), 202 if refresh.going_on else 200)
            case "DELETE", ["datasets", _, "refreshes", one]:
                refresh = self._found(one)
                if not refresh.going_on:
                    raise Refused("over")
                refresh.script = ["Cancelled"]
                return Said.json({})
        raise AssertionError(f"{asked.method} {path} is not in the documentation")

    def _judge(self, role: str, method: str, path: str) -> None:
        """Raise the refusal that a member deserves for what his role does not allow."""
        if (method, path) == ("POST", "users") and role not in ("Member", "Admin"):
            raise Refused("users")
        if "/" in path and method in ("POST", "DELETE"):
            needs = "Explore" if path.endswith("/executeQueries") else "Write"
            if needs not in _ON_MODELS[role]:
                raise Refused("read only", "please verify datasetId is correct and user have sufficient permissions")

    def _start(self, body: Mapping[str, Any]) -> Said:
        for name, value in body.items():
            if type(value) is not _PARAMETERS.get(name):
                raise Refused("parameter", f"{name} is no parameter of this type")
        if body.get("type", "automatic") not in _TYPES:
            raise Refused("parameter", "type")
        enhanced = set(body) - {"notifyOption"}
        objects = [(one["table"], one.get("partition")) for one in body.get("objects", [])]
        for table, partition in objects:
            if table not in self.tables:
                raise Refused("object", f"there is no table {table}")
            if partition is not None and partition not in self.partitions.get(table, {table}):
                raise Refused("object", f"{table} has no partition {partition}")
            if partition is not None and body.get("applyRefreshPolicy", True):
                raise Refused("object", "a refresh policy is applied to a table, not to a partition")
        if any(one.going_on for one in self.refreshes):
            raise Refused("busy", "another refresh is in progress")
        script = self.scripts.pop(0) if self.scripts else ["NotStarted", "InProgress", "Completed"]
        refresh = Refresh(str(uuid.uuid4()), body, script, self.messages)
        self.refreshes.insert(0, refresh)
        where = f"https://api.powerbi.com/v1.0/myorg/groups/{WORKSPACE}/datasets/{MODEL}/refreshes/{refresh.id}"
        return Said(202, b"", {"x-ms-request-id": refresh.id, **({"Location": where} if enhanced else {})})

    def _answered(self, body: Mapping[str, Any]) -> Said:
        """One query a request, and of DAX a single row of measures."""
        if body.keys() - {"queries", "serializerSettings", "impersonatedUserName"} or len(body["queries"]) != 1:
            raise Refused("query", "one query, and nothing that is not a parameter")
        said = body["queries"][0]["query"]
        pairs = re.findall(r'"([^"]+)", \[([^]]+)\]', said)
        if said != "EVALUATE ROW(" + ", ".join(f'"{name}", [{measure}]' for name, measure in pairs) + ")":
            raise Refused("query", "DAX that is not understood here")
        row = {f"[{name}]": self.measure(measure) for name, measure in pairs}
        return Said.json({"results": [{"tables": [{"rows": [row]}]}]})

    def _looked(self) -> list[Refresh]:
        """All refreshes; each that goes on comes one state further."""
        for refresh in self.refreshes:
            if len(refresh.script) > 1:
                refresh.script.pop(0)
                if refresh.state == "Completed":
                    self._done(refresh.body)
        return self.refreshes

    def _done(self, body: Mapping[str, Any]) -> None:
        for one in body.get("objects", []):
            table = one["table"]
            if self.tables[table] and body.get("applyRefreshPolicy", True):
                self.partitions[table] = {str(year) for year in _YEARS}
            self.loaded.append((table, one.get("partition")))

    def _found(self, request_id: str) -> Refresh:
        for refresh in self.refreshes:
            if refresh.id == request_id:
                return refresh
        raise Refused("refresh")
