"""Jobs of Azure Container Apps, as Azure Resource Manager serves them: each execution is a process of this machine.

What it refuses, and where that is documented (learn.microsoft.com):

- a token for another resource: rest/api/azure, "audience of the management endpoint";
- an ``api-version`` that is missing: azure-resource-manager/troubleshooting/error-missing-api-version;
- who lacks the action: role-based-access-control/built-in-roles/containers, *Container Apps Jobs Operator*;
- an override without image: container-apps/jobs, "you must include the job's existing configuration";
- an execution or job that does not exist: ``ResourceNotFound``, as all of Resource Manager.
"""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from netflix_dagster_tests.emulators.entra import claims
from netflix_dagster_tests.emulators.serving import Asked, Said

HOST = "management.azure.com"
JOB = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.App/jobs"
    r"/(?P<job>[^/]+)(?P<rest>/.*)?"
)


@dataclass
class Execution:
    """One container: a process, and whether somebody stopped it."""

    name: str
    template: dict[str, Any]
    process: subprocess.Popen[bytes]
    stopped: bool = False

    @property
    def status(self) -> str:
        code = self.process.poll()
        if code is None:
            return "Running"
        return "Stopped" if self.stopped else "Succeeded" if code == 0 else "Failed"


@dataclass
class ContainerApps:
    """One job in one resource group. ``environment`` is what a container has beside what its template says."""

    subscription: str
    group: str
    job: str
    environment: Mapping[str, str]
    executions: dict[str, Execution] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Actions that the caller has no right to: ``jobs/start/action``."""
    throttled: int = 0
    """So many requests to start are refused first."""
    deaf: bool = False
    """The next start is taken, and its answer lost."""
    down: bool = False
    page: int = 2
    asked: Counter[str] = field(default_factory=Counter)

    def answer(self, asked: Asked) -> Said:
        if self.down:
            return _error(503, "ServiceUnavailable", "The service is unavailable.")
        said = claims(asked.headers.get("Authorization"))
        if str(said.get("aud")).rstrip("/") != f"https://{HOST}" or float(str(said["exp"])) < time.time():
            return _error(401, "InvalidAuthenticationTokenAudience", "The access token is for the wrong audience.")
        if "api-version" not in asked.query:
            return _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required"
            )
        place = JOB.fullmatch(asked.path)
        known = place and (place["subscription"], place["group"]) == (self.subscription, self.group)
        if not place or not known or place["job"] != self.job:
            return _error(404, "ResourceNotFound", f"The Resource '{asked.path}' was not found.")
        return self._job(asked, place["rest"] or "")

    def _job(self, asked: Asked, rest: str) -> Said:
        parts = [part for part in rest.split("/") if part]
        match asked.method, parts:
            case "GET", []:
                return self._allowed("jobs/read") or Said.json(
                    {"name": self.job, "properties": {"template": self._own()}}
                )
            case "POST", ["start"]:
                return self._allowed("jobs/start/action") or self._start(json.loads(asked.body or b"{}"))
            case "GET", ["operations", name]:
                return Said.json({"name": name, "id": self._id(name)})
            case "GET", ["executions"]:
                return self._allowed("jobs/executions/read") or self._list(int(asked.query.get("skip", "0")), asked)
            case "GET", ["executions", name] if name in self.executions:
                return self._allowed("jobs/execution/read") or Said.json(self._shown(self.executions[name]))
            case "POST", ["executions", name, "stop"] if name in self.executions:
                return self._allowed("jobs/stop/execution/action") or self._stop(self.executions[name])
        return _error(404, "ResourceNotFound", f"The Resource '{asked.path}' was not found.")

    def _allowed(self, action: str) -> Said | None:
        self.asked[action] += 1
        if action not in self.refused:
            return None
        return _error(
            403,
            "AuthorizationFailed",
            f"The client does not have authorization to perform action 'Microsoft.App/{action}'",
        )

    def _own(self) -> dict[str, Any]:
        return {
            "containers": [
                {
                    "name": "run",
                    "image": "registry.azurecr.io/netflix-code@sha256:0",
                    "args": ["dagster", "api", "--help"],
                    "env": [{"name": "DAGSTER_INSTANCE", "value": "azure"}],
                    "resources": {"cpu": 2.0, "memory": "4Gi"},
                }
            ]
        }

    def _start(self, template: dict[str, Any]) -> Said:
        if self.throttled:
            self.throttled -= 1
            return _error(429, "TooManyRequests", "The request is being throttled.", Retry_After="0")
        (container,) = template.get("containers") or self._own()["containers"]
        if not container.get("image") or not container.get("name"):
            return _error(400, "ContainerAppImageRequired", "The following field(s) are either invalid or missing.")
        said = {item["name"]: item["value"] for item in container.get("env") or []}
        name = f"{self.job}-{secrets.token_hex(4)}"
        process = subprocess.Popen(
            container["args"], env={**self.environment, **said}, start_new_session=True, stderr=subprocess.DEVNULL
        )
        self.executions[name] = Execution(name, template, process)
        if self.deaf:
            self.deaf = False
            return _error(500, "InternalServerError", "An internal server error occurred.")
        poll = f"https://{HOST}{self._place}/operations/{name}?api-version=2025-07-01"
        return Said.json({"name": name, "id": self._id(name)}, 202, Location=poll, Retry_After="0")

    def _list(self, skip: int, asked: Asked) -> Said:
        newest = list(self.executions.values())[::-1]
        said: dict[str, Any] = {"value": [self._shown(one) for one in newest[skip : skip + self.page]]}
        if skip + self.page < len(newest):
            said["nextLink"] = f"https://{HOST}{asked.path}?api-version=2025-07-01&skip={skip + self.page}"
        return Said.json(said)

    def _stop(self, execution: Execution) -> Said:
        execution.stopped = True
        execution.process.send_signal(signal.SIGTERM)
        return Said.json(b"", 202)

    def _shown(self, execution: Execution) -> dict[str, Any]:
        properties = {"status": execution.status, "template": execution.template, "startTime": "2026-01-01T00:00:00Z"}
        return {"name": execution.name, "id": self._id(execution.name), "properties": properties}

    @property
    def _place(self) -> str:
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        return f"{group}/providers/Microsoft.App/jobs/{self.job}"

    def _id(self, name: str) -> str:
        return f"{self._place}/executions/{name}"


def _error(status: int, code: str, message: str, **headers: str) -> Said:
    return Said.json({"error": {"code": code, "message": message}}, status, **headers)
