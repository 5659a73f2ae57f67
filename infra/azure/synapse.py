"""Synapse: the serverless pool that reads gold where it lies, as the workspace's own identity. Nobody has a password.

The databases hold views and no row, so there is nothing in them to encrypt with a key of the customer's.
"""

from __future__ import annotations

import pulumi
from pulumi_azure_native import storage
from pulumi_azure_native import synapse as service

from infra.azure.base import Base
from infra.azure.network import Network


def workspace_id(base: Base) -> pulumi.Output[str]:
    """The id that the workspace will have: the firewall of storage names it before it is there."""
    return pulumi.Output.concat(base.group.id, "/providers/Microsoft.Synapse/workspaces/", base.names.synapse)


def workspace(
    base: Base,
    network: Network | None,
    account: storage.StorageAccount,
    gold: storage.BlobContainer,
    administrator: tuple[pulumi.Input[str], pulumi.Input[str]],
) -> service.Workspace:
    """Make the workspace. ``administrator``, by name and object id, makes views, roles and grants in it."""
    login, object_id = administrator
    made = service.Workspace(
        "synapse",
        resource_group_name=base.group.name,
        workspace_name=base.names.synapse,
        location=base.location,
        identity=service.ManagedIdentityArgs(type=service.ResourceIdentityType.SYSTEM_ASSIGNED),
        azure_ad_only_authentication=True,
        default_data_lake_storage=service.DataLakeStorageAccountDetailsArgs(
            account_url=pulumi.Output.concat("https://", account.name, ".dfs.core.windows.net"),
            filesystem=gold.name,
        ),
        managed_virtual_network="default",
        managed_virtual_network_settings=service.ManagedVirtualNetworkSettingsArgs(
            prevent_data_exfiltration=True, allowed_aad_tenant_ids_for_linking=[base.tenant]
        ),
        managed_resource_group_name=base.names.of("rg", "synapse"),
        public_network_access=base.public,
        tags=base.tags,
    )
    group = base.group.name
    service.WorkspaceSqlAadAdmin(
        "synapse-administrator",
        resource_group_name=group,
        workspace_name=made.name,
        administrator_type="ActiveDirectory",
        login=login,
        sid=object_id,
        tenant_id=base.tenant,
    )
    if not network:
        # Who comes in still needs a token of Entra and a role of infra/access.yaml.
        service.IpFirewallRule(
            "synapse-everywhere",
            resource_group_name=group,
            workspace_name=made.name,
            rule_name="everywhere",
            start_ip_address="0.0.0.0",
            end_ip_address="255.255.255.255",
        )
    base.diagnose("synapse", made.id)
    if network:
        network.endpoint("synapse", made.id, "SqlOnDemand")
    return made
