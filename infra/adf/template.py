"""One ARM template of the whole factory, for a factory without Git: its parameters are all that differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.adf.parts import Place
from infra.adf.words import Json

API = "2018-06-01"
_TYPE = "Microsoft.DataFactory/factories"


def _parameter(about: str, **more: Any) -> Json:
    return {"type": "string", **more, "metadata": {"description": about}}


PARAMETERS: dict[str, Json] = {
    "factoryName": _parameter("The data factory", minLength=3, maxLength=63),
    "location": _parameter("Where it is", defaultValue="[resourceGroup().location]"),
    "lakeAccount": _parameter("The storage account with the container landing", minLength=3, maxLength=24),
    "vaultName": _parameter("The Key Vault with the password of the file share", minLength=3, maxLength=24),
    "incomingAccount": _parameter(
        "The storage account with the container incoming, into which others put files",
        defaultValue="[parameters('lakeAccount')]",
    ),
    "share": _parameter("The file share on premises, \\\\server\\share; empty without one", defaultValue=""),
    "shareUser": _parameter("Who reads the file share, domain\\user", defaultValue=""),
    "backfillFrom": _parameter("Where the windows of the past begin", defaultValue="2021-11-17T00:00:00Z"),
}
"""What may differ between factories."""
_REFERENCES = {
    "PipelineReference": "pipelines",
    "DatasetReference": "datasets",
    "LinkedServiceReference": "linkedServices",
    "IntegrationRuntimeReference": "integrationRuntimes",
    "ManagedVirtualNetworkReference": "managedVirtualNetworks",
}


def of_parameters() -> Place:
    """A place whose every part is an expression of the template's parameters."""

    def url(account: str) -> str:
        return f"[concat('https://', parameters('{account}'), '.dfs.', environment().suffixes.storage, '/')]"

    def account(named: str) -> str:
        return f"[resourceId('Microsoft.Storage/storageAccounts', parameters('{named}'))]"

    return Place(
        factory="[parameters('factoryName')]",
        location="[parameters('location')]",
        lake=url("lakeAccount"),
        vault="[concat('https://', parameters('vaultName'), environment().suffixes.keyvaultDns, '/')]",
        lake_id=account("lakeAccount"),
        vault_id="[resourceId('Microsoft.KeyVault/vaults', parameters('vaultName'))]",
        incoming=url("incomingAccount"),
        incoming_id=account("incomingAccount"),
        share="[parameters('share')]",
        share_user="[parameters('shareUser')]",
        backfill_from="[parameters('backfillFrom')]",
    )


def template(factory: Json, contents: Mapping[str, Mapping[str, Json]], types: Mapping[str, str]) -> Json:
    """The template: the factory, and each thing in it after those that it names."""
    resources: list[Json] = [{"type": _TYPE, "apiVersion": API, **factory}]
    for folder, things in contents.items():
        for name, said in things.items():
            path = ["default", name] if folder.startswith("managedVirtualNetwork/") else [name]
            above = [("managedVirtualNetworks", "default")] if len(path) > 1 else []
            needs = sorted({*_named(said), *above} - {(types[folder], name)})
            resources.append(
                {
                    "type": f"{_TYPE}/{types[folder]}",
                    "apiVersion": API,
                    "name": f"[concat(parameters('factoryName'), '/{'/'.join(path)}')]",
                    "dependsOn": [
                        f"[resourceId('{_TYPE}', parameters('factoryName'))]",
                        *(f"[resourceId('{_TYPE}/{kind}', parameters('factoryName'), '{of}')]" for kind, of in needs),
                    ],
                    "properties": said,
                }
            )
    return {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": PARAMETERS,
        "resources": resources,
        "outputs": {
            "principalId": {
                "type": "string",
                "value": f"[reference(resourceId('{_TYPE}', parameters('factoryName')), '{API}', 'Full')"
                ".identity.principalId]",
            }
        },
    }


def _named(said: Any) -> Iterator[tuple[str, str]]:
    """Everything that a thing refers to: its type and name."""
    if isinstance(said, Mapping):
        if "referenceName" in said:
            yield _REFERENCES[said["type"]], said["referenceName"]
        for part in said.values():
            yield from _named(part)
    elif isinstance(said, list):
        for part in said:
            yield from _named(part)
