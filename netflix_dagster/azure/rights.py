"""Who may do what: ``infra/access.yaml``, typed, and what Azure, Unity Catalog and Power BI are told of it.

``infra/azure`` makes the role assignments and the grants on catalogs from these functions, ``infra/access.py`` writes
what other systems are told, and ``netflix-dagster verify access`` compares each system with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

FILE = Path(__file__).parents[2] / "infra" / "access.yaml"
PACKAGED = Path(__file__).with_name("access.yaml")
"""Where a wheel holds it."""

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
ROLES = {
    "Key Vault Secrets Officer": "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
    "Log Analytics Reader": "73c42c96-874c-492b-b04d-ab87d138a893",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Storage Blob Data Reader": "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1",
    "Storage Queue Data Contributor": "974c5e8b-45b9-4653-ba55-5f855dd0fb88",
    "Storage Queue Data Message Sender": "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Reader": "19e7f393-937e-4f77-808e-94535e297925",
}
"""The ids of these roles, which are the same in every tenant."""
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
    credential: Literal["jobs"] | None = None
    """The service credential of Unity Catalog that gives its tokens: who has it works as that identity in Azure."""
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
    identity: str | None = Field(None, pattern=r"^[a-z*][a-z*{}-]+$")
    """What Entra calls the identity of a service: ``{stack}`` and ``{region}`` differ, ``*`` stands for anything."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.group is None) == (self.service is None):
            raise ValueError("a principal is a group or a service: say one of `group` and `service`")
        if (self.service is None) != (self.identity is None):
            raise ValueError("a service, and nobody else, has an `identity`: say what Entra calls it")
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
            if role.credential and role.credential not in self.principals:
                raise ValueError(f"there is no principal {role.credential}, as whose identity {name} would work")
            if principal.group is None:
                if role.dagster:
                    raise ValueError(f"{name} is a service: only people log in to Dagster")
                continue
            if by_hand := [zone for zone in TABLE_ZONES if role.zones.get(zone) == "write"]:  # type: ignore[call-overload]
                raise ValueError(f"{name} are people: tables in {', '.join(by_hand)} are written by runs only")
            if "build" in role.layers.values() or role.credential:
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
    kind: Literal["catalog", "schema", "volume", "table", "external_location", "credential"]
    name: str
    privileges: tuple[str, ...]


def load(path: Path | None = None) -> Access:
    """Read and judge the file. Raises ``ValueError`` that says which entry is wrong."""
    found = path or (FILE if FILE.exists() else PACKAGED)
    return Access.model_validate(yaml.safe_load(found.read_text()))


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
        if role.credential:
            yield Grant(name, "credential", role.credential, ("ACCESS",))


def workspace_roles(access: Access) -> dict[str, str]:
    """By principal its role in the workspace. There is one model and no row-level security: a role shows all of it."""
    rights = {name: access.role(name).powerbi for name in access.principals}
    return {name: WORKSPACE_ROLES[right] for name, right in rights.items() if right}
