"""Deploys a stack of ``infra/azure`` to nowhere: Pulumi's mocks take every resource and answer as Azure would."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi

from infra.azure.config import Config, from_file

SUBSCRIPTION, TENANT = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
DIGEST = "sha256:" + "0" * 64
IMAGES = {"code": f"netflix-code@{DIGEST}", "dagster": f"netflix-dagster@{DIGEST}"}
STACKS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Resource:
    """One thing as it was declared: ``kind`` is ``storage:StorageAccount``, ``inputs`` are in Azure's own words."""

    kind: str
    name: str
    id: str
    inputs: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """``get("encryption.keySource")``; None where a part is missing."""
        found: Any = self.inputs
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return found


@dataclass
class Made:
    """Everything that a stack declares, and what it exports."""

    config: Config
    resources: list[Resource] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def all(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.kind == kind]

    def one(self, kind: str, name: str | None = None) -> Resource:
        (found,) = [resource for resource in self.all(kind) if name in (None, resource.name)]
        return found

    def by_id(self, identifier: str) -> Resource:
        (found,) = [resource for resource in self.resources if resource.id == identifier]
        return found

    def texts(self) -> Iterator[tuple[Resource, str, str]]:
        """Every text that stands anywhere in a resource: the resource, where, the text."""
        for resource in self.resources:
            for path, text in _texts(resource.inputs):
                yield resource, path, text


class _Azure(pulumi.runtime.Mocks):
    """Answers with what Azure makes up: ids, addresses, the identities of things."""

    def __init__(self, made: Made) -> None:
        self.made = made

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs: dict[str, Any] = dict(args.inputs)
        package, _, rest = args.typ.partition(":")
        kind = rest if package in ("azure-native", "pulumi") else f"{package}.{rest.rpartition(':')[2]}"
        named = [value for key, value in inputs.items() if re.fullmatch(_name_key(kind), key)]
        said = {"name": named[0] if named else args.name, **inputs}
        identifier = f"/{kind}/{said['name']}"
        if isinstance(said.get("identity"), Mapping):
            users = said["identity"].get("userAssignedIdentities")
            said["identity"] = {**said["identity"], "principalId": f"identity of {args.name}"}
            if users:
                said["identity"]["userAssignedIdentities"] = {user: {} for user in users}
        said |= _MADE_UP.get(kind, lambda name: {})(said["name"])
        if kind == "keyvault:Vault":
            said["properties"] = {**said["properties"], "vaultUri": f"https://{said['name']}.vault.azure.net/"}
        self.made.resources.append(Resource(kind, args.name, identifier, inputs))
        return identifier, said

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        if args.token.endswith("getClientConfig"):
            return {"tenantId": TENANT, "subscriptionId": SUBSCRIPTION, "clientId": "c", "objectId": "o"}
        if args.token.endswith("getGroup"):
            return {"objectId": f"group {args.args['displayName']}", "displayName": args.args["displayName"]}
        raise NotImplementedError(args.token)


def _name_key(kind: str) -> str:
    """The input by which a kind of resource is named: ``accountName`` of an account."""
    own = {
        "storage:BlobContainer": "containerName",
        "storage:StorageAccount": "accountName",
        "managedidentity:UserAssignedIdentity": "resourceName",
        "applicationinsights:Component": "resourceName",
        "containerregistry:Registry": "registryName",
        "keyvault:Vault": "vaultName",
        "keyvault:Key": "keyName",
        "app:ContainerApp": "containerAppName",
        "app:ManagedEnvironment": "environmentName",
        "eventgrid:SystemTopic": "systemTopicName",
        "storage:Queue": "queueName",
        "dbforpostgresql:Server": "serverName",
        "resources:ResourceGroup": "resourceGroupName",
        "operationalinsights:Workspace": "workspaceName",
        "databricks:Workspace": "workspaceName",
        "synapse:Workspace": "workspaceName",
        "databricks:AccessConnector": "connectorName",
        "network:VirtualNetwork": "virtualNetworkName",
        "network:NetworkSecurityGroup": "networkSecurityGroupName",
        "network:PrivateEndpoint": "privateEndpointName",
        "privatedns:PrivateZone": "privateZoneName",
        "monitor:ActionGroup": "actionGroupName",
        "resources:Deployment": "deploymentName",
    }
    return own.get(kind, r"(?!)")


_MADE_UP: dict[str, Any] = {
    "managedidentity:UserAssignedIdentity": lambda name: {
        "principalId": f"principal {name}",
        "clientId": f"client {name}",
    },
    "containerregistry:Registry": lambda name: {"loginServer": f"{name}.azurecr.io"},
    "app:ManagedEnvironment": lambda name: {"defaultDomain": "calm.westeurope.azurecontainerapps.io"},
    "dbforpostgresql:Server": lambda name: {"fullyQualifiedDomainName": f"{name}.postgres.database.azure.com"},
    "applicationinsights:Component": lambda name: {
        "connectionString": "InstrumentationKey=0;IngestionEndpoint=https://x"
    },
    "databricks:Workspace": lambda name: {"workspaceUrl": "adb-1.2.azuredatabricks.net"},
    "azuread.Application": lambda name: {"clientId": f"application {name}", "objectId": f"object {name}"},
    "azuread.ServicePrincipal": lambda name: {"objectId": f"principal {name}"},
    "resources:Deployment": lambda name: {
        "properties": {"outputs": {"principalId": {"value": f"principal of {name}"}}}
    },
    "web:StaticSite": lambda name: {"defaultHostname": "calm.azurestaticapps.net"},
}


@cache
def made(stack: str, **changes: Any) -> Made:
    """A stack as its file says it, with images; ``changes`` are other values of its configuration."""
    whole = Made(from_file(stack, **{"images": IMAGES, **changes}))

    def run() -> Any:
        from infra.azure.stack import deploy

        return pulumi.Output.all(**deploy(whole.config)).apply(whole.exports.update)

    mocked(whole, run)
    return whole


def mocked(whole: Made, program: Callable[[], Any]) -> None:
    """Run a program of Pulumi to its end; what it declares is put into ``whole``."""
    pulumi.runtime.set_mocks(_Azure(whole), project="netflix-lakehouse", stack=whole.config.stack, preview=False)
    pulumi.runtime.test(program)()


def _texts(said: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(said, str):
        yield path, said
    elif isinstance(said, Mapping):
        for key, value in said.items():
            yield from _texts(value, f"{path}.{key}".lstrip("."))
    elif isinstance(said, list | tuple):
        for value in said:
            yield from _texts(value, path)
