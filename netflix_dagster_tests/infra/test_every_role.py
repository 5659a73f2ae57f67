"""Every role of ``infra/access.yaml`` at the door of every system: what is granted works, all else is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from netflix_dagster.azure import rights
from netflix_dagster_tests.emulators.data_plane import DataPlane
from netflix_dagster_tests.emulators.directory import Directory
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.serving import serving

ACCESS = rights.load()
WORDS = {"GET": "read", "PUT": "write", "DELETE": "delete", "POST": "send"}


@pytest.fixture(scope="module")
def azure() -> Iterator[str]:
    """The services of a stack whose role assignments are those of the file."""
    directory = Directory()
    for said in rights.assignments(ACCESS):
        directory.gives(said.principal, said.role, said.kind, said.name)
    with serving(DataPlane(directory).answer) as port:
        yield f"http://127.0.0.1:{port}"


def granted(principal: str) -> set[tuple[str, str, str]]:
    """What a principal may do, as the file says it: method, kind of thing, thing."""
    role, found = ACCESS.role(principal), set()
    for zone, right in role.zones.items():
        found |= {(method, "container", zone) for method in ("GET", "PUT", "DELETE")[: 3 if right == "write" else 1]}
    for queue, use in role.queues.items():
        methods = {"read": ["GET"], "send": ["POST"], "write": ["GET", "POST", "DELETE"]}[use]
        found |= {(method, "queue", queue) for method in methods}
    found |= {
        (method, "vault", "vault") for method in {"read": ["GET"], "write": ["GET", "PUT"]}.get(str(role.vault), [])
    }
    found |= {("POST", "logs", "logs")} if role.logs else set()
    return found | ({("POST", "telemetry", "telemetry")} if role.telemetry else set())


@pytest.mark.parametrize("principal", [*ACCESS.principals, "a stranger"])
def test_services_of_azure_let_in_whom_the_file_names(azure: str, principal: str) -> None:
    token, _ = Entra().token("https://azure", principal)
    tried: dict[tuple[str, str, str], int] = {}
    things = [("container", zone) for zone in rights.ZONES] + [("queue", queue) for queue in rights.QUEUES]
    with httpx.Client(base_url=azure, headers={"Authorization": f"Bearer {token}"}) as client:
        for kind, name in [*things, ("vault", "vault"), ("logs", "logs"), ("telemetry", "telemetry")]:
            for method in WORDS:
                tried[method, kind, name] = client.request(method, f"/{kind}/{name}").status_code
    allowed = {what for what, status in tried.items() if status == 200}
    assert allowed == (granted(principal) if principal in ACCESS.principals else set())
    assert {status for what, status in tried.items() if what not in allowed} <= {403, 405}


# Dagster: the webserver of `launch` and the read-only one of `view`, which are two apps behind two logins


CODE = """
import dagster as dg

@dg.op
def work() -> None: ...

@dg.job
def build() -> None:
    work()

defs = dg.Definitions(jobs=[build])
"""
LAUNCH = """mutation($to: JobOrPipelineSelector!) { launchRun(executionParams: {selector: $to, mode: "default"}) {
  __typename ... on UnauthorizedError { message } ... on PythonError { message } } }"""


@pytest.mark.parametrize("right", ["launch", "view"])
def test_who_may_view_dagster_launches_nothing(right: str, tmp_path: Path) -> None:
    import dagster as dg
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import PythonFileTarget
    from dagster_webserver.webserver import DagsterWebserver
    from starlette.testclient import TestClient

    file = tmp_path / "jobs.py"
    file.write_text(CODE)
    target = PythonFileTarget(str(file), attribute=None, working_directory=str(tmp_path), location_name="here")
    waits = {"run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"}}
    with (
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=waits) as instance,  # what is launched waits, for ever
        WorkspaceProcessContext(instance, target, read_only=right == "view") as context,
    ):
        client = TestClient(DagsterWebserver(context).create_asgi_app())

        def ask(query: str, **variables: Any) -> Any:
            answer = client.post("/graphql", json={"query": query, "variables": variables})
            return answer.json()["data"]

        seen = ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { name jobs { name } } } } }")
        (repository,) = seen["repositoriesOrError"]["nodes"]
        assert "build" in {job["name"] for job in repository["jobs"]}, "both see what there is"
        to = {"repositoryLocationName": "here", "repositoryName": repository["name"], "jobName": "build"}
        said = ask(LAUNCH, to=to)["launchRun"]
        assert (said["__typename"] == "UnauthorizedError") == (right == "view"), said
        assert (instance.get_runs_count() == 0) == (right == "view")
