"""Every role of ``infra/access.yaml`` at the door of every system: what is granted works, all else is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from infra.access import BUNDLE, bundle_files, in_bundle, synapse_files, table_grants
from netflix_dagster.azure import identity, rights
from netflix_dagster.azure.rights import LAYERS, LOCATIONS
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.lake import store
from netflix_dagster.serving.synapse import scripts
from netflix_dagster.serving.synapse.applying import apply
from netflix_dagster.serving.synapse.server import Server, SynapseError, connected
from netflix_dagster.serving.synapse.tsql import of_files
from netflix_dagster_tests.emulators.data_plane import DataPlane
from netflix_dagster_tests.emulators.databricks import Workspace, workspace
from netflix_dagster_tests.emulators.directory import Directory
from netflix_dagster_tests.emulators.entra import Entra
from netflix_dagster_tests.emulators.powerbi import MODEL, WORKSPACE, PowerBI
from netflix_dagster_tests.emulators.serving import serving
from netflix_dagster_tests.infra.test_access import declared, readable, tables
from netflix_dagster_tests.serving.synapse.conftest import Served, Token, certificate, serve

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

__all__ = ["certificate", "declared", "serve"]
ACCESS = rights.load()
EVERYBODY = [*ACCESS.principals, "a stranger"]
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


@pytest.mark.parametrize("principal", EVERYBODY)
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


# Unity Catalog, Synapse and Power BI. What each is meant to do is said here once more and by hand, as in `readable`: a
# right that the file gains or loses is seen. What is tried is what the systems are told, not what the file says.


def called(principal: str) -> str:
    """What Entra calls a principal."""
    said = ACCESS.principals.get(principal)
    return (said.group or str(said.identity).format(stack="dev", region="weu")) if said else principal


CATALOG, RUNS = "netflix", ("bronze", "silver", "gold", "quality")
ENTERS = {
    **dict.fromkeys(("platform", "engineers", "databricks"), LAYERS),
    **dict.fromkeys(("analysts", "readers"), ("gold",)),
    "auditors": ("quality",),
}
FILES = {
    "platform": {"GET deliveries", "PUT deliveries", "GET checkpoints"},
    "engineers": {"GET deliveries", "PUT deliveries"},
    "databricks": {"GET deliveries", "GET checkpoints", "PUT checkpoints"},
}
MAKES = {
    "databricks": {"CREATE SCHEMA", *(f"CREATE TABLE IN {layer}" for layer in RUNS)}
    | {f"CREATE TABLE AT {zone}" for zone in LOCATIONS}
    | {f"INSERT INTO {layer}" for layer in RUNS}
}
"""Of Unity Catalog; the tables that each reads are those of ``readable``."""


@pytest.fixture(scope="module")
def unity(declared: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace whose owner has made the things of the catalog and granted what is made of the file: catalog and
    locations as Pulumi does, schemas and volumes as the bundle, tables by SQL."""
    with workspace(tmp_path_factory.mktemp("unity")) as there:
        there.people = {f"token of {one}": called(one) for one in EVERYBODY}
        names = {in_bundle(one): called(one) for one in ACCESS.principals}
        there.catalog.locations = {f"abfss://{zone}@lake/": zone for zone in LOCATIONS}
        there.catalog.held[("catalog", CATALOG)] = {}
        there.catalog.held |= {("external_location", zone): {} for zone in LOCATIONS} | {("credential", "jobs"): {}}
        there.credentials["jobs"] = lambda resource: (f"a token for {resource}", int(time.time()) + 3600)
        there.catalog.held |= {("table", f"{CATALOG}.{table}"): {} for table in tables()}
        said: list[tuple[str, str, str, list[str]]] = [
            (grant.kind, grant.name or CATALOG, called(grant.principal), list(grant.privileges))
            for grant in rights.grants(ACCESS)
            if grant.kind in ("catalog", "external_location", "credential")
        ]
        for kind, above in (("schema", CATALOG), ("volume", f"{CATALOG}.landing")):
            written = yaml.safe_load(bundle_files(ACCESS)[BUNDLE / "resources" / f"{kind}s.yml"])["resources"]
            for name, resource in written[f"{kind}s"].items():
                there.catalog.held[kind, f"{above}.{name}"] = {}
                for grant in resource["grants"]:
                    said.append((kind, f"{above}.{name}", names[grant["principal"]], grant["privileges"]))
        with httpx.Client(base_url=there.url, headers={"Authorization": f"Bearer {there.token}"}) as owner:
            for kind, name, who, privileges in said:
                changes = {"changes": [{"principal": who, "add": privileges}]}
                path = f"/api/2.1/unity-catalog/permissions/{kind}/{name}"
                assert owner.patch(path, json=changes).status_code == 200, (kind, name)
            for statement in table_grants(ACCESS, CATALOG):
                answer = owner.post("/api/2.0/sql/statements/", json={"statement": statement, "warehouse_id": "w"})
                assert answer.json()["status"]["state"] == "SUCCEEDED", statement
        for volume in ("deliveries", "checkpoints"):
            file = there.files.path(f"/Volumes/{CATALOG}/landing/{volume}/there")
            file.parent.mkdir(parents=True)
            file.write_bytes(b"a file")
        yield there


@pytest.mark.parametrize("principal", EVERYBODY)
def test_the_catalog_lets_each_do_what_he_was_granted(unity: Workspace, principal: str) -> None:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors import PermissionDenied
    from databricks.sdk.service.catalog import GenerateTemporaryServiceCredentialAzureOptions as For

    client = WorkspaceClient(host=unity.url, token=f"token of {principal}")

    def done(statement: str) -> bool:
        status = client.statement_execution.execute_statement(statement, "w").status
        assert status and status.state
        if status.state.value == "SUCCEEDED":
            return True
        message = str(status.error and status.error.message)
        assert message.startswith("[INSUFFICIENT_PERMISSIONS]") and message.endswith("SQLSTATE: 42501"), message
        return False

    columns = "(one INT) USING DELTA"
    tried = {
        "CREATE SCHEMA": f"CREATE SCHEMA {CATALOG}.more",
        **{f"CREATE TABLE IN {layer}": f"CREATE TABLE {CATALOG}.{layer}.more {columns}" for layer in LAYERS},
        **{
            f"CREATE TABLE AT {zone}": f"CREATE TABLE {CATALOG}.gold.more {columns} LOCATION 'abfss://{zone}@lake/more'"
            for zone in LOCATIONS
        },
        **{f"INSERT INTO {name.partition('.')[0]}": f"INSERT INTO {CATALOG}.{name} VALUES (1)" for name in tables()},
        "GRANT": f"GRANT SELECT ON TABLE {CATALOG}.gold.dim_title TO `{called(principal)}`",
        "GRANT ALL": f"GRANT ALL PRIVILEGES ON SCHEMA {CATALOG}.gold TO `{called(principal)}`",
    }
    assert {table for table in tables() if done(f"SELECT * FROM {CATALOG}.{table}")} == readable(principal)
    assert {layer for layer in LAYERS if done(f"USE {CATALOG}.{layer}")} == set(ENTERS.get(principal, ()))
    assert {what for what, statement in tried.items() if done(statement)} == MAKES.get(principal, set())
    filed = set()
    for volume in ("deliveries", "checkpoints"):
        folder = f"/Volumes/{CATALOG}/landing/{volume}"
        for what, act in _files(client, folder).items():
            try:
                act()
                filed.add(f"{what} {volume}")
            except PermissionDenied:
                continue
    assert filed == FILES.get(principal, set())
    try:
        client.credentials.generate_temporary_service_credential(
            "jobs", azure_options=For(resources=["https://a/.default"])
        )
        given = True
    except PermissionDenied:
        given = False
    assert given == (principal == "databricks"), "a token is as good as the rights of the identity behind it"


def _files(client: WorkspaceClient, folder: str) -> dict[str, Callable[[], object]]:
    return {
        "GET": lambda: client.files.download(f"{folder}/there"),
        "PUT": lambda: client.files.upload(f"{folder}/new", BytesIO(b"a file"), overwrite=True),
    }


# Synapse: the groups of the file have users, and read views of gold as the scripts grant it; the administrator of SQL
# makes them. Nobody else gets in.

FIGURES = {"gold.kpi_catalogue", "gold.kpi_top10"}
MANAGE = {
    "CREATE OR ALTER VIEW gold.more AS /* by hand */ SELECT 1 AS one": 262,
    "GRANT SELECT ON SCHEMA::gold TO [reader]": 15151,
    "ALTER ROLE [analyst] ADD MEMBER [data-readers]": 15151,
    "DROP VIEW gold.dim_title": 15247,
}
"""What only the administrator does, and how others are refused."""


@pytest.fixture(scope="module")
def gold(declared: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which every table of gold is, and has no rows."""
    lake = tmp_path_factory.mktemp("lake")
    for table in TABLES.values():
        if table.layer == "gold":
            store.create(lake, table)
    return lake


def test_synapse_lets_each_read_what_he_was_granted(
    gold: Path, serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path, text in synapse_files(ACCESS, tmp_path).items():
        path.write_text(text)
    monkeypatch.setattr(scripts, "CHECKOUT", tmp_path)
    served = serve(gold)
    apply(served.settings)
    (builder,) = [one for one in ACCESS.principals if ACCESS.role(one).synapse]
    served.server.people = {f"token of {one}": called(one) for one in EVERYBODY if one != builder}
    names = {name for name, table in TABLES.items() if table.layer == "gold"}
    found: dict[str, set[str]] = {}
    for one in EVERYBODY:
        token = Token(served.server.token if one == builder else f"token of {one}")
        monkeypatch.setattr(identity, "token", lambda scope, tenant=None, token=token: token)
        try:
            with connected(str(served.settings.synapse), served.settings.synapse_database) as pool:
                found[one] = {name for name in names if _read(pool, f"SELECT count(*) AS n FROM {name}")}
                by_path = {name for name in names if _read(pool, _of_files(name))}
                assert by_path == (set() if one == "readers" else names), "a credential opens all that it opens"
                for statement, number in MANAGE.items() if one != builder else ():
                    with pytest.raises(SynapseError, match=REFUSALS[number]):
                        pool.run(statement)
        except SynapseError as error:
            assert "Login failed for user '<token-identified principal>'" in str(error), one
    everything = dict.fromkeys(("platform", "engineers", "analysts", "builder"), names)
    assert found == everything | {"readers": FIGURES}
    with pytest.raises(SynapseError, match="Login failed"):
        monkeypatch.setattr(identity, "token", lambda scope, tenant=None: Token("nobody's"))
        with connected(str(served.settings.synapse), served.settings.synapse_database):
            pass


REFUSALS = {262: "permission denied in database", 15151: "or you do not have permission", 15247: "does not have perm"}
NOT_READ = "SELECT permission was denied on the object|Cannot find the CREDENTIAL|bulk load statement"


def _of_files(name: str) -> str:
    """The files of a table, past its view, by the data source of all of gold."""
    column, short = TABLES[name].columns[0], TABLES[name].short_name
    files = f"OPENROWSET(BULK '{short}', DATA_SOURCE = 'gold', FORMAT = 'DELTA')"
    return f"SELECT count(*) AS n FROM {files} WITH (\n[{column.name}] {of_files(column)}\n) AS files"


def _read(pool: Server, query: str) -> bool:
    try:
        return pool.rows(query) == [(0,)]
    except SynapseError as error:
        assert re.search(NOT_READ, str(error)), error
        return False


# Power BI: the roles of the workspace, as `verify access` has them made

VIEWS = {"find the model", "see the members"}
PUBLISHES = VIEWS | {"query", "refresh", "deploy"}
POWER_BI = {
    "platform": PUBLISHES | {"let somebody in"},
    "engineers": PUBLISHES,
    "analysts": VIEWS,
    "builder": PUBLISHES,
}


@pytest.mark.parametrize("principal", EVERYBODY)
def test_power_bi_lets_each_do_what_his_role_allows(principal: str) -> None:
    kinds = {one: "Group" if said.group else "App" for one, said in ACCESS.principals.items()}
    members = [(called(one), kinds[one], role) for one, role in rights.workspace_roles(ACCESS).items()]
    emulated = PowerBI({}, members=members, people={"token": called(principal)})
    item = {"type": "SemanticModel", "displayName": "Netflix"}
    somebody = {"identifier": "jane", "principalType": "User", "groupUserAccessRight": "Viewer"}
    group = f"/groups/{WORKSPACE}"
    asks: dict[str, tuple[str, str, Any]] = {
        "find the model": ("GET", f"{group}/datasets", None),
        "see the members": ("GET", f"{group}/users", None),
        "query": ("POST", f"{group}/datasets/{MODEL}/executeQueries", QUERY),
        "refresh": ("POST", f"{group}/datasets/{MODEL}/refreshes", {"type": "full"}),
        "deploy": ("POST", f"/v1/workspaces/{WORKSPACE}/items", item),
        "let somebody in": ("POST", f"{group}/users", somebody),
    }
    with (
        serving(emulated.answer) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer token"}) as client,
    ):
        said = {what: client.request(method, path, json=body) for what, (method, path, body) in asks.items()}
    assert {what for what, answer in said.items() if answer.is_success} == POWER_BI.get(principal, set())
    refused = {answer.status_code for answer in said.values() if not answer.is_success}
    assert refused <= ({403, 404} if principal in POWER_BI else {403})
    assert any(name == "jane" for name, _, _ in emulated.members) == (principal == "platform")


QUERY = {"queries": [{"query": 'EVALUATE ROW("hours", [hours])'}]}


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
