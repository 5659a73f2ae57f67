"""Rights: every role is tried against what each system is told, and what the file does not grant is refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import netflix_dagster
import netflix_dagster.tables
from infra.access import BUNDLE, bundle_files, table_grants
from netflix_dagster.azure import rights
from netflix_dagster.azure.rights import LAYERS, QUEUES, TABLE_ZONES, ZONES, Access, assignments, grants
from netflix_dagster.contracts.bookkeeping import BOOKKEEPING
from netflix_dagster.contracts.contract import TABLES
from netflix_dagster.landing.sources import load_sources
from netflix_dagster.serving import unity
from netflix_dagster.serving.powerbi import service
from netflix_dagster.settings import Settings
from netflix_dagster.storage import AzureFolder
from netflix_dagster.verify.access import workspace_faults
from netflix_dagster_tests.emulators.powerbi import WORKSPACE, PowerBI
from netflix_dagster_tests.emulators.serving import serving

ACCESS = rights.load()
ROOT = Path(netflix_dagster.__file__).parents[1]

ACTIONS = {
    "Storage Blob Data Reader": {("container", "read")},
    "Storage Blob Data Contributor": {("container", "read"), ("container", "write")},
    "Storage Queue Data Reader": {("queue", "read")},
    "Storage Queue Data Message Sender": {("queue", "send")},
    "Storage Queue Data Contributor": {("queue", "read"), ("queue", "send"), ("queue", "delete")},
    "Key Vault Secrets User": {("vault", "read")},
    "Key Vault Secrets Officer": {("vault", "read"), ("vault", "write")},
    "Log Analytics Reader": {("logs", "read")},
    "Monitoring Metrics Publisher": {("telemetry", "write")},
}
"""What each role lets one do, as Microsoft documents its data actions."""


@pytest.fixture(scope="module", autouse=True)
def declared() -> None:
    netflix_dagster.tables.declare(load_sources(None))


def allowed(principal: str, kind: str, name: str, action: str, access: Access = ACCESS) -> bool:
    """Whether Azure lets it: some assignment on just this thing holds a role with the action."""
    held = [a for a in assignments(access) if (a.principal, a.kind, a.name) == (principal, kind, name)]
    return any((kind, action) in ACTIONS[a.role] for a in held)


def may_read(principal: str, table: str, access: Access = ACCESS) -> bool:
    """Whether Unity Catalog shows a table: the way to it is open, and SELECT is granted on it or on its schema."""
    held = {(g.kind, g.name, p) for g in grants(access) if g.principal == principal for p in g.privileges}
    layer = table.partition(".")[0]
    way = {("catalog", "", "USE_CATALOG"), ("schema", layer, "USE_SCHEMA")}
    return way <= held and bool({("schema", layer, "SELECT"), ("table", table, "SELECT")} & held)


def may_change(principal: str, table: str, access: Access = ACCESS) -> bool:
    held = {(g.kind, g.name, p) for g in grants(access) if g.principal == principal for p in g.privileges}
    layer = table.partition(".")[0]
    return may_read(principal, table, access) and ("schema", layer, "MODIFY") in held


def tables() -> list[str]:
    return [*TABLES, *BOOKKEEPING]


def readable(role: str) -> set[str]:
    """The tables that a role is meant to read, said once more and by hand: what the file says is compared with it."""
    gold = {table for table in tables() if table.startswith("gold.")}
    return {
        "platform": set(tables()),
        "engineers": set(tables()),
        "analysts": gold,
        "readers": {"gold.kpi_catalogue", "gold.kpi_top10"},
        "auditors": {"quality.deliveries", "quality.results", "quality.columns"},
        "databricks": set(tables()),
    }.get(role, set())


@pytest.mark.parametrize("principal", ACCESS.principals)
def test_a_principal_reads_the_tables_that_it_is_meant_to_and_no_other(principal: str) -> None:
    assert {table for table in tables() if may_read(principal, table)} == readable(principal)


@pytest.mark.parametrize("principal", ACCESS.principals)
def test_only_runs_change_tables(principal: str) -> None:
    changes = {table for table in tables() if may_change(principal, table)}
    assert changes == (set(tables()) if principal == "databricks" else set())
    written = {zone for zone in TABLE_ZONES if allowed(principal, "container", zone, "write")}
    assert written == (set(TABLE_ZONES) if principal in ("builder", "jobs", "catalog") else set())


@pytest.mark.parametrize("principal", ACCESS.principals)
def test_azure_is_told_what_the_file_says_and_nothing_else(principal: str) -> None:
    """Every container, queue and service × every action: allowed exactly where the role says so."""
    role = ACCESS.role(principal)
    for zone in ZONES:
        right = role.zones.get(zone)  # type: ignore[call-overload]
        assert allowed(principal, "container", zone, "read") == (right is not None), zone
        assert allowed(principal, "container", zone, "write") == (right == "write"), zone
    for queue in QUEUES:
        use = role.queues.get(queue)  # type: ignore[call-overload]
        assert allowed(principal, "queue", queue, "delete") == (use == "write"), queue
        assert allowed(principal, "queue", queue, "send") == (use in ("write", "send")), queue
        assert allowed(principal, "queue", queue, "read") == (use in ("write", "read")), queue
    assert allowed(principal, "vault", "vault", "read") == (role.vault is not None)
    assert allowed(principal, "vault", "vault", "write") == (role.vault == "write")
    assert allowed(principal, "logs", "logs", "read") == (role.logs is not None)
    assert allowed(principal, "telemetry", "telemetry", "write") == (role.telemetry is not None)


def test_what_a_role_loses_in_the_file_it_loses_everywhere() -> None:
    said = yaml.safe_load(rights.FILE.read_text())
    del said["roles"]["analyst"]["layers"], said["roles"]["analyst"]["powerbi"]
    del said["roles"]["builder"]["zones"]["gold"]
    fewer = Access.model_validate(said)
    assert may_read("analysts", "gold.dim_title") and not may_read("analysts", "gold.dim_title", fewer)
    assert not [grant for grant in grants(fewer) if grant.principal == "analysts"]
    assert "analysts" in rights.workspace_roles(ACCESS) and "analysts" not in rights.workspace_roles(fewer)
    assert allowed("builder", "container", "gold", "write")
    assert not allowed("builder", "container", "gold", "read", fewer)
    schemas = yaml.safe_load(bundle_files(fewer)[BUNDLE / "resources" / "schemas.yml"])["resources"]["schemas"]
    assert "${var.analysts}" not in str(schemas)


def test_logins_are_of_people_and_each_has_one_door() -> None:
    assert ACCESS.logins("launch") == ["platform", "engineers"]
    assert ACCESS.logins("view") == ["analysts", "auditors"]
    assert {*ACCESS.logins("launch"), *ACCESS.logins("view")} <= set(ACCESS.groups())


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("roles.analyst.zones", {"everything": "read"}, "everything"),
        ("roles.analyst.zones", {"gold": "own"}, "'read' or 'write'"),
        ("roles.analyst.reason", "because", "at least 20 characters"),
        ("roles.analyst.reason", None, "valid string"),
        ("roles.engineer.zones.gold", "write", "written by runs only"),
        ("roles.engineer.layers.gold", "build", "made by runs only"),
        ("roles.reader.tables", ["gold.*"], "without wildcards"),
        ("roles.reader.tables", ["secrets.keys"], "is no table"),
        ("roles.analyst.tables", ["gold.dim_title"], "granted twice"),
        ("roles.analyst.volumes", {"deliveries": "read"}, "landing"),
        ("roles.analyst.colour", "red", "Extra inputs"),
        ("roles.reader.powerbi", "view", "may not read all of gold"),
        ("roles.builder.dagster", "launch", "only people log in"),
        ("roles.builder.synapse", None, "here are 0"),
        ("roles.platform.synapse", "administer", "here are 2: platform, builder"),
        ("principals.analysts.role", "king", "no role king"),
        ("principals.analysts.role", "reader", "nobody has the role analyst"),
        ("principals.analysts.service", "an identity too", "a group or a service"),
        ("principals.analysts.group", "jane.doe@example.com", "should match pattern"),
    ],
)
def test_a_right_that_makes_no_sense_is_refused(path: str, value: Any, why: str) -> None:
    said = yaml.safe_load(rights.FILE.read_text())
    *parents, last = path.split(".")
    place = said
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(ValueError, match=re.escape(why)):
        Access.model_validate(said)


def test_everything_that_rights_are_given_on_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zones are the containers that the package opens, layers the schemas of the bundle, tables have contracts."""
    monkeypatch.delenv("NETFLIX_LAKE", raising=False)  # make exports the lake of this machine
    lake = Settings(env="azure", account="lake", tenant="t", vault="v").lake
    assert isinstance(lake, AzureFolder)
    opened = {(lake / room).container for room in (*unity.LAYERS, "_staging", "_locks", "serving")} | {"landing"}
    assert opened <= set(ZONES)
    assert set(LAYERS) == {*unity.LAYERS, "landing"}
    bundle = [yaml.safe_load(path.read_text())["resources"] for path in sorted((BUNDLE / "resources").glob("*.yml"))]
    assert set(LAYERS) == {name for said in bundle for name in said.get("schemas", {})}
    volumes = {name for said in bundle for name in said.get("volumes", {})}
    assert volumes == {volume for role in ACCESS.roles.values() for volume in role.volumes}
    assert {table for role in ACCESS.roles.values() for table in role.tables} <= set(tables())


def test_the_bundle_grants_what_the_file_says() -> None:
    for path, text in bundle_files(ACCESS).items():
        assert path.read_text() == text, f"{path.name} is not what infra/access.yaml says: make access"


def test_the_groups_of_the_bundle_are_those_of_the_file() -> None:
    variables = yaml.safe_load((BUNDLE / "databricks.yml").read_text())["variables"]
    assert {name: variables[name]["default"] for name in ACCESS.groups()} == ACCESS.groups()


def test_a_grant_written_by_hand_is_found(tmp_path: Path) -> None:
    broken = copy.deepcopy(yaml.safe_load((BUNDLE / "resources" / "schemas.yml").read_text()))
    broken["resources"]["schemas"]["bronze"]["grants"].append({"principal": "jane", "privileges": ["SELECT"]})
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "schemas.yml").write_text(yaml.safe_dump(broken))
    (tmp_path / "resources" / "volumes.yml").write_text((BUNDLE / "resources" / "volumes.yml").read_text())
    anew = bundle_files(ACCESS, tmp_path)
    assert "jane" not in anew[tmp_path / "resources" / "schemas.yml"]


def test_single_tables_are_granted_by_sql() -> None:
    assert "GRANT SELECT ON TABLE `netflix`.gold.kpi_top10 TO `data-readers`" in table_grants(ACCESS, "netflix")
    assert len(table_grants(ACCESS, "netflix")) == sum(len(role.tables) for role in ACCESS.roles.values())


LET_IN = [
    ("data-platform", "Group", "Admin"),
    ("data-engineers", "Group", "Contributor"),
    ("data-analysts", "Group", "Viewer"),
    ("id-netflix-builder", "App", "Contributor"),
]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (LET_IN, []),
        (LET_IN[1:], ["the group data-platform is not there: make it Admin"]),
        ([*LET_IN[:2], ("data-analysts", "Group", "Member"), LET_IN[3]], ["data-analysts is Member: make it Viewer"]),
        ([*LET_IN, ("data-readers", "Group", "Viewer")], ["group data-readers is Viewer, of whom .* says nothing"]),
        ([*LET_IN, ("data-analysts", "User", "Viewer")], ["user data-analysts is Viewer, of whom .* says nothing"]),
        ([*LET_IN, ("elsewhere", "App", "Admin")], ["application elsewhere is Admin, which .* gives no service"]),
        (LET_IN[:3], ["0 applications are Contributor: the identity of builder has to be"]),
    ],
)
def test_a_workspace_of_power_bi_is_compared_with_the_file(
    members: list[tuple[str, str, str]], told: list[str]
) -> None:
    with serving(PowerBI({}, members=members).answer) as port:
        there = service.Workspace(WORKSPACE, lambda: "token-1", f"http://127.0.0.1:{port}")
        faults = list(workspace_faults(ACCESS, there.members(), WORKSPACE))
    assert all(re.search(one, fault.what) for one, fault in zip(told, faults, strict=True))
    for fault in faults:
        method = re.search("--method (post|put|delete)", fault.command)
        assert method and (method[1] == "delete") == ("remove it" in fault.what)


def test_who_reads_all_of_gold_has_a_role_in_power_bi_and_nobody_else() -> None:
    groups = ACCESS.groups()
    people = {name: role for name, role in rights.workspace_roles(ACCESS).items() if name in groups}
    assert people.keys() == {name for name in groups if "gold" in ACCESS.role(name).layers}
    assert {(groups[name], "Group", role) for name, role in people.items()} == set(LET_IN[:3])


def words() -> Iterator[str]:
    yield from (name for name in ACCESS.groups().values())


@pytest.mark.parametrize("group", words())
def test_docs_tell_of_each_group(group: str) -> None:
    assert group in (ROOT / "docs" / "deploy.md").read_text()
