"""The data factory that lands sources: the template of ``infra/adf``, deployed as it is."""

from __future__ import annotations

import json

import pulumi
from pulumi_azure_native import keyvault, resources

from infra.adf.factory import HERE
from infra.azure.base import Base
from infra.azure.storage import Lake


def factory(base: Base, lake: Lake, vault: keyvault.Vault) -> tuple[resources.Deployment, pulumi.Output[str]]:
    """Deploy the factory; returned with it is as whom it opens storage and vault. Its triggers are stopped, and its
    private endpoints wait for the approval of a person: docs/data-factory.md."""
    made = resources.Deployment(
        "factory",
        resource_group_name=base.group.name,
        deployment_name=base.names.of("adf"),
        properties=resources.DeploymentPropertiesArgs(
            mode=resources.DeploymentMode.INCREMENTAL,
            template=json.loads((HERE / "arm" / "template.json").read_text()),
            parameters={
                "factoryName": resources.DeploymentParameterArgs(value=base.names.of("adf")),
                "location": resources.DeploymentParameterArgs(value=base.location),
                "lakeAccount": resources.DeploymentParameterArgs(value=lake.account.name),
                "vaultName": resources.DeploymentParameterArgs(value=vault.name),
            },
        ),
        tags=base.tags,
    )
    return made, made.properties.apply(lambda said: str(said.outputs["principalId"]["value"]))
