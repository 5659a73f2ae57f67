"""Who may do what: ``access.yaml``, typed, and what each system is told of it.

    python -m infra.access bundle            write the grants into the Databricks bundle
    python -m infra.access sql CATALOG       print the grants on single tables, to run when the tables exist
    python -m infra.access synapse           write the scripts of Synapse, its roles and grants among them
    python -m infra.access powerbi [ID]      print who has which role in the workspace of Power BI; with its id, compare

``infra/azure`` makes the role assignments and the grants on catalogs from the same functions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from netflix_dagster.serving.powerbi.service import Member
    from netflix_dagster.serving.synapse.serverless import Reader

HERE = Path(__file__).parent
BUNDLE = HERE / "databricks"
SYNAPSE = HERE / "synapse" / "serverless"

ZONES = ("landing", "bronze", "silver", "gold", "quarantine", "checkpoints", "serving", "managed", "events-dead")
"""Containers of the storage account. ``managed`` holds what Unity Catalog stores by itself, ``events-dead`` takes
events that Event Grid could not deliver; the others are those of the lake."""
LOCATIONS = ("landing", "bronze", "silver", "gold", "quarantine", "checkpoints")
"""Zones that Unity Catalog knows as external locations, for tables and volumes that lie there already."""
TABLE_ZONES = ("bronze", "silver", "gold", "quarantine")
"""Zones that only a run writes."""
QUEUES = ("landing-events", "landing-events-poison")
LAYERS = ("landing", "bronze", "silver", "gold", "quality")
"""Schemas of Unity Catalog."""

Zone = Literal["landing", "bronze", "silver", "gold", "quarantine", "checkpoints", "serving", "managed", "events-dead"]
Queue = Literal["landing-events", "landing-events-poison"]
Layer = Literal["landing", "bronze", "silver", "gold", "quality"]
Volume = Literal["deliveries", "checkpoints"]

ZONE_ROLES = {"read": "Storage Blob Data Reader", "write": "Storage Blob Data Contributor"}
QUEUE_ROLES = {
    "read": "Storage Queue Data Reader",
    "write": "Storage Queue Data Contributor",
    "send": "Storage Queue Data Message Sender",
}
VAULT_ROLES = {"read": "Key Vault Secrets User", "write": "Key Vault Secrets Officer"}
LOG_ROLES = {"read": "Log Analytics Reader"}
TELEMETRY_ROLES = {"write": "Monitoring Metrics Publisher"}
"""Each is a role of Azure that grants data and nothing else: none of them can grant rights to others."""

SCHEMA_PRIVILEGES = {
    "read": ("USE_SCHEMA", "SELECT"),
    "build": ("USE_SCHEMA", "CREATE_TABLE", "SELECT", "MODIFY"),
}
VOLUME_PRIVILEGES = {"read": ("READ_VOLUME",), "write": ("READ_VOLUME", "WRITE_VOLUME")}
WORKSPACE_ROLES = {"view": "Viewer", "publish": "Contributor", "manage": "Admin"}
"""Of Power BI: a viewer opens the report, a contributor changes and refreshes model and report, an admin lets others
in as well."""
LOCATION_PRIVILEGES = ("CREATE_EXTERNAL_TABLE", "CREATE_EXTERNAL_VOLUME", "READ_FILES", "WRITE_FILES")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(_Strict):
    """What those of a role may do. Absent is refused."""

    reason: str = Field(min_length=20)
    zones: Mapping[Zone, Literal["read", "write"]] = {}
    queues: Mapping[Queue, Literal["read", "write", "send"]] = {}
    layers: Mapping[Layer, Literal["read", "build"]] = {}
    tables: tuple[str, ...] = ()
    volumes: Mapping[Volume, Literal["read", "write"]] = {}
    vault: Literal["read", "write"] | None = None
    dagster: Literal["view", "launch"] | None = None
    logs: Literal["read"] | None = None
    telemetry: Literal["write"] | None = None
    powerbi: Literal["view", "publish", "manage"] | None = None
    synapse: Literal["administer"] | None = None

    @property
    def in_catalog(self) -> bool:
        """Whether the role reaches anything in Unity Catalog, and so must be let into the catalog."""
        return bool(self.layers or self.tables or self.volumes)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for table in self.tables:
            layer, _, name = table.partition(".")
            if layer not in LAYERS or not name.isidentifier():
                raise ValueError(f"{table!r} is no table: write layer.name of one table, without wildcards")
            if layer in self.layers:
                raise ValueError(f"{table} is granted twice: the layer {layer} already is")
        if self.volumes and "landing" not in self.layers:
            raise ValueError("volumes lie in the layer landing: without a right to it they cannot be reached")
        return self


class Principal(_Strict):
    """A group of people in Entra, or an identity of a service; exactly one of the two."""

    role: str
    group: str | None = Field(None, pattern=r"^[a-z][a-z0-9-]+$")
    service: str | None = Field(None, min_length=10)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.group is None) == (self.service is None):
            raise ValueError("a principal is a group or a service: say one of `group` and `service`")
        return self


class Access(_Strict):
    """The whole file."""

    principals: Mapping[str, Principal]
    roles: Mapping[str, Role]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        used = {principal.role for principal in self.principals.values()}
        if missing := used - set(self.roles):
            raise ValueError(f"there is no role {', '.join(sorted(missing))}")
        if idle := set(self.roles) - used:
            raise ValueError(f"nobody has the role {', '.join(sorted(idle))}: remove it")
        if len(masters := [name for name in self.principals if self.role(name).synapse]) != 1:
            raise ValueError(f"Synapse has one administrator of SQL, and here are {len(masters)}: {', '.join(masters)}")
        for name, principal in self.principals.items():
            role = self.roles[principal.role]
            if principal.group is None:
                if role.dagster:
                    raise ValueError(f"{name} is a service: only people log in to Dagster")
                continue
            if by_hand := [zone for zone in TABLE_ZONES if role.zones.get(zone) == "write"]:  # type: ignore[call-overload]
                raise ValueError(f"{name} are people: tables in {', '.join(by_hand)} are written by runs only")
            if "build" in role.layers.values():
                raise ValueError(f"{name} are people: tables are made by runs only")
            if role.powerbi and "gold" not in role.layers:
                raise ValueError(f"{name} may not read all of gold: the model of Power BI has all of it")
        return self

    def role(self, principal: str) -> Role:
        return self.roles[self.principals[principal].role]

    def groups(self) -> dict[str, str]:
        """The groups of people: how this file calls them, how Entra does."""
        return {name: said.group for name, said in self.principals.items() if said.group}

    def services(self) -> list[str]:
        return [name for name, said in self.principals.items() if said.service]

    def logins(self, right: Literal["view", "launch"]) -> list[str]:
        """The groups that may open Dagster: to ``launch`` runs, or to ``view`` only."""
        return [name for name in self.principals if self.role(name).dagster == right]


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role of Azure for one principal on one thing: a container, a queue, the vault, the logs, the telemetry."""

    principal: str
    role: str
    kind: Literal["container", "queue", "vault", "logs", "telemetry"]
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Privileges of Unity Catalog for one principal on one thing of a catalog."""

    principal: str
    kind: Literal["catalog", "schema", "volume", "table", "external_location"]
    name: str
    privileges: tuple[str, ...]


def load(path: Path = HERE / "access.yaml") -> Access:
    """Read and judge the file. Raises ``ValueError`` that says which entry is wrong."""
    return Access.model_validate(yaml.safe_load(path.read_text()))


def assignments(access: Access) -> Iterator[Assignment]:
    """Every role of Azure that somebody gets."""
    for name in access.principals:
        role = access.role(name)
        for zone, right in role.zones.items():
            yield Assignment(name, ZONE_ROLES[right], "container", zone, role.reason)
        for queue, use in role.queues.items():
            yield Assignment(name, QUEUE_ROLES[use], "queue", queue, role.reason)
        if role.vault:
            yield Assignment(name, VAULT_ROLES[role.vault], "vault", "vault", role.reason)
        if role.logs:
            yield Assignment(name, LOG_ROLES[role.logs], "logs", "logs", role.reason)
        if role.telemetry:
            yield Assignment(name, TELEMETRY_ROLES[role.telemetry], "telemetry", "telemetry", role.reason)


def grants(access: Access) -> Iterator[Grant]:
    """Every privilege of Unity Catalog that somebody gets."""
    for name in access.principals:
        role = access.role(name)
        if role.in_catalog:
            builds = "build" in role.layers.values()
            yield Grant(name, "catalog", "", ("USE_CATALOG", "CREATE_SCHEMA") if builds else ("USE_CATALOG",))
            if builds:
                for zone in LOCATIONS:
                    yield Grant(name, "external_location", zone, LOCATION_PRIVILEGES)
        for layer, right in role.layers.items():
            privileges = ("USE_SCHEMA",) if layer == "landing" else SCHEMA_PRIVILEGES[right]
            yield Grant(name, "schema", layer, privileges)
        for schema in dict.fromkeys(table.partition(".")[0] for table in role.tables):
            yield Grant(name, "schema", schema, ("USE_SCHEMA",))
        for table in role.tables:
            yield Grant(name, "table", table, ("SELECT",))
        for volume, use in role.volumes.items():
            yield Grant(name, "volume", volume, VOLUME_PRIVILEGES[use])


def table_grants(access: Access, catalog: str) -> list[str]:
    """The grants on single tables as SQL: a table must exist before it can be granted."""
    groups = access.groups()
    return [
        f"GRANT {', '.join(grant.privileges)} ON TABLE `{catalog}`.{grant.name} TO `{groups[grant.principal]}`"
        for grant in grants(access)
        if grant.kind == "table"
    ]


# Synapse


def readers(access: Access) -> list[Reader]:
    """The roles of people that read gold, all of it or single tables, as Synapse is told of them."""
    from netflix_dagster.serving.synapse.serverless import Reader

    found = []
    for name, role in access.roles.items():
        groups = tuple(said.group for said in access.principals.values() if said.role == name and said.group)
        tables = tuple(table for table in role.tables if table.startswith("gold."))
        if groups and (tables or "gold" in role.layers):
            found.append(Reader(name, groups, None if "gold" in role.layers else tables))
    return found


def synapse_files(access: Access, folder: Path = SYNAPSE) -> dict[Path, str]:
    """The scripts of Synapse."""
    from netflix_dagster.serving.synapse import scripts

    return {folder / name: text for name, text in scripts.written(readers(access)).items()}


# Power BI


def workspace_roles(access: Access) -> dict[str, str]:
    """By principal its role in the workspace. There is one model and no row-level security: a role shows all of it."""
    rights = {name: access.role(name).powerbi for name in access.principals}
    return {name: WORKSPACE_ROLES[right] for name, right in rights.items() if right}


def workspace_faults(access: Access, members: Iterable[Member]) -> Iterator[str]:
    """What a workspace says otherwise than the file, and what to do about it.

    Groups are known by their names. The name of an identity differs between stacks: of these it is only seen that there
    are no fewer than the file has, and none with a role that the file gives no service.
    """
    groups, roles = access.groups(), workspace_roles(access)
    wanted = {groups[name]: role for name, role in roles.items() if name in groups}
    of_services = [role for name, role in roles.items() if name not in groups]
    there = list(members)
    for group, role in wanted.items():
        found = [one.role for one in there if (one.kind, one.name) == ("Group", group)]
        if found != [role]:
            yield f"the group {group} is {' and '.join(found) or 'not there'}: make it {role}"
    for one in there:
        if one.kind == "App" and one.role not in of_services:
            yield f"the application {one.name} is {one.role}, which infra/access.yaml gives no service: remove it"
        elif one.kind != "App" and (one.kind, one.name) not in {("Group", group) for group in wanted}:
            yield f"{one.kind.lower()} {one.name} is {one.role}, of whom infra/access.yaml says nothing: remove it"
    for role in dict.fromkeys(of_services):
        found = [one.name for one in there if (one.kind, one.role) == ("App", role)]
        if len(found) < of_services.count(role):
            names = [name for name, given in roles.items() if name not in groups and given == role]
            yield f"{len(found)} applications are {role}: the identity of {' and '.join(names)} has to be"


# The bundle


def in_bundle(principal: str) -> str:
    """How the bundle names a principal: each is a variable, whose default is the group."""
    return "${var.service_principal}" if principal == "databricks" else f"${{var.{principal}}}"


def bundle_files(access: Access, folder: Path = BUNDLE) -> dict[Path, str]:
    """The files of the bundle that hold grants, with the grants of the file; all else is as it stands there."""
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for grant in grants(access):
        if grant.kind in ("schema", "volume"):
            entry = {"principal": in_bundle(grant.principal), "privileges": list(grant.privileges)}
            said.setdefault((f"{grant.kind}s", grant.name), []).append(entry)
    files = {}
    for path in (folder / "resources" / "schemas.yml", folder / "resources" / "volumes.yml"):
        text = path.read_text()
        about = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
        content = yaml.safe_load(text)
        for kind, resources in content["resources"].items():
            for name, resource in resources.items():
                resource["grants"] = said.get((kind, name), [])
        files[path] = about + yaml.dump(content, Dumper=_Plain, sort_keys=False, width=120, default_flow_style=None)
    return files


class _Plain(yaml.SafeDumper):
    """Writes what is said twice twice: anchors help nobody who reads grants."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@lru_cache(maxsize=1)
def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m infra.access", description="Tell the systems of infra/access.yaml.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("bundle", help="write the grants into the Databricks bundle")
    commands.add_parser("synapse", help="write the scripts of Synapse")
    workspace = commands.add_parser("powerbi", help="print the roles of Power BI, or compare a workspace with them")
    workspace.add_argument("workspace", nargs="?", help="its id: ask it, as this machine's identity")
    commands.add_parser("sql", help="print the grants on single tables").add_argument("catalog")
    return parser


def main() -> None:
    said = _arguments().parse_args()
    made = {"bundle": bundle_files, "synapse": synapse_files}.get(said.command)
    if made:
        for path, text in made(load()).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    elif said.command == "powerbi":
        sys.exit(_powerbi(load(), said.workspace))
    else:
        sys.stdout.write("".join(f"{statement};\n" for statement in table_grants(load(), said.catalog)))


def _powerbi(access: Access, workspace: str | None) -> int:
    """Print roles, or what a workspace says otherwise; then 1. Nothing is changed: an admin does it, in Power BI."""
    if workspace is None:
        for name, role in workspace_roles(access).items():
            sys.stdout.write(f"{role}: {access.groups().get(name) or f'the identity of {name}'}\n")
        return 0
    from netflix_dagster.azure.identity import IdentityError
    from netflix_dagster.serving.powerbi import service

    try:
        faults = list(workspace_faults(access, service.opened(workspace).members()))
    except (service.PowerBIError, IdentityError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("".join(f"{fault}\n" for fault in faults) or "as infra/access.yaml says\n")
    return 1 if faults else 0


if __name__ == "__main__":
    main()
