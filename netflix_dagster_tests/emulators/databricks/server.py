"""The workspace's HTTP side: routes, authentication, errors, and faults on demand.

Statuses and codes are those of "Errors" in the REST reference; a path that is not there is ``ENDPOINT_NOT_FOUND``.
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from netflix_dagster_tests.emulators.databricks.catalog import Catalog
from netflix_dagster_tests.emulators.databricks.errors import Refused, invalid, missing
from netflix_dagster_tests.emulators.databricks.files import Files
from netflix_dagster_tests.emulators.databricks.jobs import Jobs
from netflix_dagster_tests.emulators.databricks.rights import ME, Rights
from netflix_dagster_tests.emulators.databricks.runs import Runs
from netflix_dagster_tests.emulators.serving import Asked, Said, serving

WORKER = Path(__file__).parent / "worker" / "python"
"""Python as workers of an engine get it: without the driver's environment, without a network."""


@dataclass
class Fault:
    """The next ``times`` requests whose path contains ``where`` are answered with an error."""

    status: int
    code: str
    times: int
    where: str = ""


@dataclass
class Workspace:
    """A running workspace: ``runs`` are those that were submitted, ``jobs`` those of others. ``asked`` holds every
    request as ``METHOD path``."""

    files: Files
    runs: Runs
    jobs: Jobs = field(default_factory=Jobs)
    token: str = field(default_factory=lambda: f"dapi{secrets.token_hex(16)}")
    url: str = ""
    scopes: dict[str, dict[str, str]] = field(default_factory=dict)
    rights: Rights = field(default_factory=Rights)
    people: dict[str, str] = field(default_factory=dict)
    """The names of others by their tokens: each may do what the catalog lets him."""
    catalog: Catalog = field(default_factory=Catalog)
    locations: list[dict[str, str]] = field(default_factory=list)
    tables: list[dict[str, Any]] = field(default_factory=list)
    """What Unity Catalog knows: external locations, and tables as its API shows them."""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    secrets_read: list[str] = field(default_factory=list)
    credentials: dict[str, Callable[[str], tuple[str, int]]] = field(default_factory=dict)
    """Service credentials: how each gets a token for a resource, and the second in which that ends."""

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be let in."""
        return {"DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": self.token}

    def fail_next(self, times: int, status: int, code: str = "TEMPORARILY_UNAVAILABLE", where: str = "") -> None:
        self.faults.append(Fault(status, code, times, where))

    def answer(self, asked: Asked) -> Said:
        """What the workspace says to a request."""
        said: dict[str, Any] = dict(asked.query)
        try:
            if asked.body and "json" in asked.headers.get("Content-Type", ""):
                said |= json.loads(asked.body)
            return Said(200, self._answer(asked, unquote(asked.path), said), {})
        except Refused as refused:
            wait = {"Retry-After": "1"} if refused.status in (429, 503) else {}
            return Said(refused.status, {"error_code": refused.code, "message": refused.message}, wait)
        except Exception as error:
            return Said.json({"error_code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}"}, 500)

    def _answer(self, asked: Asked, path: str, said: dict[str, Any]) -> Any:
        method, token = asked.method, asked.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(f"{method} {path}")
        for fault in self.faults:
            if fault.times and fault.where in path:
                fault.times -= 1
                raise Refused(fault.status, fault.code, "The service is temporarily unavailable")
        if not token:
            raise Refused(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type for this API.")
        who = ME if token == self.token else self.people.get(token)
        if who is None:
            raise Refused(403, "PERMISSION_DENIED", "Invalid access token.")
        if (method, path) == ("POST", "/api/2.0/sql/statements/"):
            return self.catalog.execute(who, said["statement"])
        if method == "PATCH" and path.startswith("/api/2.1/unity-catalog/permissions/"):
            kind, name = path.split("/")[-2:]
            return self.catalog.change(who, (kind, name), said["changes"])
        if who == ME:
            self.rights.judge(method, path, said)
        elif path == "/api/2.1/unity-catalog/temporary-service-credentials":
            self.catalog.credential(who, said["credential_name"])
        else:
            self.catalog.file(who, method, path)
        if path.startswith("/api/2.0/fs/"):
            kind, _, name = path.removeprefix("/api/2.0/fs/").partition("/")
            return self.files.api(method, kind, f"/{name}", asked.body, said.get("overwrite") == "true")
        if path.startswith("/api/2.0/dbfs/"):
            return self.files.dbfs(method, path.rsplit("/", 1)[-1], said)
        return self._service(method, path, said)

    def _service(self, method: str, path: str, said: dict[str, Any]) -> Any:
        _, _, version, *rest = path.split("/")
        name = "/".join(rest)
        if name.startswith("jobs/") and version in ("2.1", "2.2"):
            match method, name:
                case "POST", "jobs/runs/submit":
                    return self.runs.submit(said)
                case "POST", "jobs/run-now":
                    return self.runs.run_now(said)
                case "POST", "jobs/runs/repair":
                    return self.runs.repair(said)
                case "POST", "jobs/runs/cancel":
                    return self.runs.cancel(int(said.get("run_id", 0)))
                case "GET", "jobs/runs/get":
                    return self.runs.get(int(said.get("run_id", 0)), self.url)
                case "GET", "jobs/list":
                    return self.jobs.list(said)
                case "GET", "jobs/runs/list":
                    return self.jobs.list_runs(said)
                case "GET", "jobs/runs/get-output":
                    return self.runs.output(int(said.get("run_id", 0)))
        if name.startswith("unity-catalog/effective-permissions/"):
            kind, _, thing = name.removeprefix("unity-catalog/effective-permissions/").partition("/")
            return self.rights.effective(kind, thing, said.get("principal", ""))
        if name.startswith("unity-catalog/permissions/"):
            kind, _, thing = name.removeprefix("unity-catalog/permissions/").partition("/")
            return self.rights.permissions(kind, thing)
        match method, name:
            case "GET", "preview/scim/v2/Me":
                groups = [{"display": group} for group in self.rights.groups]
                return {"id": "1", "userName": ME, "displayName": "netflix-databricks", "groups": groups}
            case "GET", "unity-catalog/current-metastore-assignment":
                return {"metastore_id": "m-1", "workspace_id": 1, "default_catalog_name": "main"}
            case "GET", "unity-catalog/external-locations":
                return {"external_locations": self.locations}
            case "GET", "unity-catalog/tables":
                return {"tables": [table for table in self.tables if table["schema_name"] == said["schema_name"]]}
            case "POST", "unity-catalog/temporary-service-credentials":
                return self._token(said)
            case "GET", "clusters/get":
                if said.get("cluster_id") not in self.runs.clusters:
                    raise invalid(f"Cluster {said.get('cluster_id')} does not exist")
                return {"cluster_id": said["cluster_id"], "state": "RUNNING", **self.runs.clusters[said["cluster_id"]]}
            case "GET", "secrets/list":
                return {"secrets": [{"key": key} for key in self._scope(said)]}
            case "GET", "secrets/get":
                scope, key = self._scope(said), said.get("key", "")
                if key not in scope:
                    raise missing(f"Secret does not exist with scope: {said.get('scope')} and key: {key}")
                self.secrets_read.append(key)
                return {"key": key, "value": base64.b64encode(scope[key].encode()).decode()}
        raise Refused(404, "ENDPOINT_NOT_FOUND", f"No API found for '{method} {path}'")

    def _token(self, said: dict[str, Any]) -> dict[str, Any]:
        """``Generate temporary service credential``: of Azure one token of Entra, for the scopes that are asked for."""
        name = said.get("credential_name", "")
        if name not in self.credentials:
            raise Refused(404, "CREDENTIAL_DOES_NOT_EXIST", f"Credential '{name}' does not exist.")
        (scope,) = said.get("azure_options", {}).get("resources") or [""]
        if not scope.endswith("/.default"):
            raise invalid(f"{scope!r} is no scope that a token provider takes")
        token, ends = self.credentials[name](scope.removesuffix("/.default"))
        return {"azure_aad": {"aad_token": token}, "expiration_time": ends * 1000}

    def _scope(self, said: dict[str, Any]) -> dict[str, str]:
        if said.get("scope") not in self.scopes:
            raise missing(f"Scope {said.get('scope')} does not exist!")
        return self.scopes[said["scope"]]


@contextmanager
def workspace(root: Path) -> Iterator[Workspace]:
    """A workspace until the end of the block; then whatever still runs in it is ended."""
    files = Files(root / "files")
    runtime = {"DATABRICKS_RUNTIME_VERSION": "17.3", "PYSPARK_PYTHON": str(WORKER), "REAL_PYTHON": sys.executable}
    here = Workspace(files, Runs(root, files, runtime))
    with serving(here.answer) as port:
        here.url = f"http://127.0.0.1:{port}"
        here.runs.environment |= here.environment
        try:
            yield here
        finally:
            here.runs.stop_all()
