"""The whole factory: its files as a Git-integrated factory keeps them, and one ARM template of the same."""

from __future__ import annotations

import json
from pathlib import Path

from infra.adf import parts
from infra.adf.parts import Place
from infra.adf.pipelines import pipelines
from infra.adf.template import PARAMETERS, of_parameters, template
from infra.adf.words import Json
from infra.azure.config import from_file
from netflix_dagster.landing import control
from netflix_dagster.landing.sources import Sources

HERE = Path(__file__).parent
STACK = "dev"
"""Development writes into Git; other factories come from the template."""
TYPES = {
    "pipeline": "pipelines",
    "dataset": "datasets",
    "linkedService": "linkedServices",
    "trigger": "triggers",
    "integrationRuntime": "integrationRuntimes",
    "managedVirtualNetwork": "managedVirtualNetworks",
    "managedVirtualNetwork/default/managedPrivateEndpoint": "managedVirtualNetworks/managedPrivateEndpoints",
}
"""The folder of each kind of thing, and its type in Azure below ``Microsoft.DataFactory/factories``."""
KINDS = ("factory", *TYPES, "arm")
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


def contents(sources: Sources, place: Place) -> dict[str, dict[str, Json]]:
    """Everything in a factory: by folder and name, what each thing says of itself."""
    table = control.entries(sources)
    return {
        "pipeline": pipelines(table),
        "dataset": parts.datasets(),
        "linkedService": parts.linked_services(place),
        "trigger": parts.triggers(place, control.schedules(sources), table),
        "integrationRuntime": parts.integration_runtimes(),
        "managedVirtualNetwork": {"default": {}},
        "managedVirtualNetwork/default/managedPrivateEndpoint": parts.private_endpoints(place),
    }


def files(sources: Sources) -> dict[str, str]:
    """Each file of this folder, by its path in it."""
    place = of_stack()
    made: dict[str, Json] = {f"factory/{place.factory}": parts.factory(place)}
    for folder, things in contents(sources, place).items():
        for name, said in things.items():
            made[f"{folder}/{name}"] = {
                "name": name,
                "type": f"Microsoft.DataFactory/factories/{TYPES[folder]}",
                "properties": said,
            }
    everywhere = of_parameters()
    made["arm/template"] = template(parts.factory(everywhere), contents(sources, everywhere), TYPES)
    made["arm/parameters"] = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {name: {"value": value} for name, value in _values(place).items()},
    }
    return {f"{path}.json": json.dumps(said, indent=2, ensure_ascii=False) + "\n" for path, said in made.items()}


def of_stack(stack: str = STACK) -> Place:
    """The place of a stack of ``infra/azure``, by its naming rules. The subscription is not known here: Git's factory
    names one of zeros, the template takes that to which it is deployed."""
    config = from_file(stack)
    names = config.names
    group = f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/{names.of('rg')}/providers"
    account = f"{group}/Microsoft.Storage/storageAccounts/{names.account}"
    url = f"https://{names.account}.dfs.core.windows.net/"
    return Place(
        factory=names.of("adf"),
        location=config.location,
        lake=url,
        vault=f"https://{names.vault}.vault.azure.net/",
        lake_id=account,
        vault_id=f"{group}/Microsoft.KeyVault/vaults/{names.vault}",
        incoming=url,
        incoming_id=account,
        share="",
        share_user="",
        backfill_from="2021-11-17T00:00:00Z",
    )


def _values(place: Place) -> dict[str, str]:
    """The parameters of the template for a place; those that it can leave to their defaults it does."""
    known = {
        "factoryName": place.factory,
        "lakeAccount": place.lake_id.rpartition("/")[2],
        "vaultName": place.vault_id.rpartition("/")[2],
    }
    assert set(known) == {name for name, said in PARAMETERS.items() if "defaultValue" not in said}
    return known
